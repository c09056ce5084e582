//! A Baseline against the policies that bind it: what is refused of what it says, and what counts in place of it.

use std::fmt::{Debug, Display};
use std::sync::Arc;
use std::time::Duration;

use super::ceilings::{Ceilings, written_out};
use super::{Policy, ruling};
use crate::api::baseline::Forks;
use crate::domain::Baseline;

/// Why nothing new is made from the Baseline: one text for each field that is more than a ceiling.
pub(super) fn refusals(baseline: &Baseline, binding: &[Arc<Policy>]) -> Vec<String> {
    if binding.is_empty() {
        return vec![
            "no PreviewPolicy selects this namespace; whoever runs the cluster says by spec.namespaceSelector of one who may have previews"
                .to_owned(),
        ];
    }
    binding.iter().flat_map(|policy| of_policy(baseline, policy)).collect()
}

fn of_policy(baseline: &Baseline, policy: &Policy) -> Vec<String> {
    let ceilings = match &policy.ceilings {
        Ok(ceilings) => ceilings,
        Err(why) => return vec![format!("PreviewPolicy {} cannot be read: {why}", policy.name)],
    };
    let mut refused = repositories(baseline, ceilings, policy);
    refused.extend(domain(baseline, ceilings, policy));
    refused.extend(custom_resources(baseline, ceilings, policy));
    refused.extend(trust(baseline, ceilings, policy));
    refused.extend(isolation(baseline, ceilings, policy));
    refused.extend(lifetime(baseline, ceilings, policy));
    refused.extend(environments(baseline, ceilings, policy));
    refused
}

fn repositories(baseline: &Baseline, ceilings: &Ceilings, policy: &Policy) -> Vec<String> {
    let mut refused = Vec::new();
    for (index, repository) in baseline.repositories.iter().enumerate() {
        // A rename on the forge takes nothing out of a ceiling, and brings nothing under it.
        let names = [Some(&repository.name), repository.renamed.as_ref()];
        for name in names.into_iter().flatten() {
            if ceilings.repositories.as_ref().is_some_and(|allowed| !allowed.iter().any(|glob| glob.matches(&name.folded()))) {
                let at = policy.at("spec.repositories");
                refused.push(format!("spec.repositories[{index}].name: {} is none of those that {at} allows", name.as_str()));
            }
        }
        for (number, rule) in repository.images.iter().enumerate() {
            if let Some(why) = ruling::image(ceilings, policy, &rule.image) {
                refused.push(format!("spec.repositories[{index}].images[{number}].name: {why}"));
            }
        }
    }
    refused
}

fn domain(baseline: &Baseline, ceilings: &Ceilings, policy: &Policy) -> Option<String> {
    let domain = &baseline.hosts.as_ref()?.domain;
    ruling::host(ceilings, policy, domain).map(|why| format!("spec.hosts.domain: {why}"))
}

fn custom_resources(baseline: &Baseline, ceilings: &Ceilings, policy: &Policy) -> Vec<String> {
    let Some(allowed) = &ceilings.custom_resources else { return Vec::new() };
    let asked = baseline.selection.custom_resources.iter().enumerate().filter(|(_, kind)| !allowed.contains(kind));
    let at = policy.at("spec.customResources");
    asked
        .map(|(index, kind)| {
            format!("spec.clone.customResources[{index}]: {} of {} is none of those that {at} allows", kind.kind, kind.group)
        })
        .collect()
}

fn trust(baseline: &Baseline, ceilings: &Ceilings, policy: &Policy) -> Vec<String> {
    let (own, most) = (baseline.trust, ceilings.trust);
    let forks = most.forks.filter(|most| openness(own.forks) > openness(*most));
    let forks = forks.map(|most| over("spec.trust.forks", (word(own.forks), word(most)), &policy.at("spec.trust.forks")));
    let approvers = most.approvers.filter(|least| own.approvers < *least).map(|least| {
        let at = policy.at("spec.trust.approvers");
        format!("spec.trust.approvers: {:?} is less than {least:?}, the least that {at} takes", own.approvers)
    });
    forks.into_iter().chain(approvers).collect()
}

/// How much of what nobody in the repository has read may run.
const fn openness(forks: Forks) -> u8 {
    match forks {
        Forks::Deny => 0,
        Forks::Approve => 1,
        Forks::Isolated => 2,
    }
}

fn word(value: impl Debug) -> String {
    format!("{value:?}")
}

fn isolation(baseline: &Baseline, ceilings: &Ceilings, policy: &Policy) -> Vec<String> {
    let mut refused = Vec::new();
    if ceilings.isolates && baseline.isolation.network.is_none() {
        let at = policy.at("spec.isolation.networkPolicy");
        refused.push(format!("spec.isolation.networkPolicy: None is more than Isolated, the most that {at} allows"));
    }
    match &baseline.isolation.quota {
        None if !ceilings.quota.is_empty() => {
            refused.push(format!("spec.isolation.quota.mode: None is not for a namespace with a quota by {}", policy.at("spec.quota")));
        }
        None => {}
        Some(given) => {
            let more = given.iter().filter_map(|(name, amount)| Some((name, amount, ceilings.quota.get(&written_out(name))?)));
            refused.extend(
                more.filter(|(_, amount, most)| amount > most).map(|(name, amount, most)| {
                    over(&format!("spec.isolation.quota.hard[{name}]"), (amount, most), &policy.at("spec.quota"))
                }),
            );
        }
    }
    refused
}

fn lifetime(baseline: &Baseline, ceilings: &Ceilings, policy: &Policy) -> Vec<String> {
    let fields = [
        ("spec.lifetime.ttl", Some(baseline.ttl), ceilings.ttl),
        ("spec.lifetime.max", baseline.max, ceilings.max),
        ("spec.lifetime.grace", Some(baseline.grace), ceilings.grace),
    ];
    let more = fields.into_iter().filter_map(|(field, own, most)| Some((field, own?, most?))).filter(|(_, own, most)| own > most);
    more.map(|(field, own, most)| over(field, (span(own), span(most)), &policy.at(field))).collect()
}

fn environments(baseline: &Baseline, ceilings: &Ceilings, policy: &Policy) -> Option<String> {
    let (own, field) = (baseline.limits.environments, "spec.limits.environments");
    let most = ceilings.environments.filter(|most| own > *most)?;
    Some(over(field, (own, most), &policy.at(field)))
}

fn span(time: Duration) -> impl Display {
    humantime::format_duration(time)
}

fn over(field: &str, (own, most): (impl Display, impl Display), at: &str) -> String {
    format!("{field}: {own} is more than {most}, the most that {at} allows")
}

/// Sets what policies say in place of what the Baseline says. What is refused counts as the ceiling: an approval by somebody
/// who may not give it counts for nothing, also while the Baseline is not used.
pub(super) fn tighten(baseline: &mut Baseline, binding: &[Arc<Policy>]) {
    for ceilings in binding.iter().filter_map(|policy| policy.ceilings.as_ref().ok()) {
        let trust = &mut baseline.trust;
        if let Some(most) = ceilings.trust.forks.filter(|most| openness(trust.forks) > openness(*most)) {
            trust.forks = most;
        }
        trust.approvers = ceilings.trust.approvers.map_or(trust.approvers, |least| trust.approvers.max(least));
        // What says no end is held to the ceiling: nobody wrote that it is to be longer.
        baseline.max = [baseline.max, ceilings.max].into_iter().flatten().min();
        let isolation = &mut baseline.isolation;
        isolation.pod_security = ceilings.pod_security.map_or(isolation.pod_security, |least| isolation.pod_security.max(least));
        isolation.namespace.labels.extend(ceilings.namespace_labels.clone());
        let (own, forced) = (&mut isolation.scheduling, &ceilings.scheduling);
        own.node_selector.extend(forced.node_selector.clone());
        own.tolerations.extend(forced.tolerations.iter().filter(|t| !own.tolerations.contains(t)).cloned().collect::<Vec<_>>());
        own.runtime_class_name = forced.runtime_class_name.clone().or_else(|| own.runtime_class_name.take());
        own.priority_class_name = forced.priority_class_name.clone().or_else(|| own.priority_class_name.take());
    }
}
