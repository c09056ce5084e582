//! The status of a Baseline: can environments be made from it, and what does it hold? The first half is pure.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use kube::api::{Patch, PatchParams};
use kube::{Api, Resource, ResourceExt};
use serde_json::json;

use super::Context;
use super::baseline_cache::Contents;
use super::baseline_externals::Memo;
use super::baselines::Seen;
use super::events;
use super::explain::Gaps;
use super::requests::within_deadline;
use crate::api::baseline::{External, KindCount, RepositoryStatus};
use crate::api::conditions::{Condition, ConditionStatus, Observation, READY, REMOVALS_HELD, WARNING, is_true};
use crate::api::names::MANAGER_STATUS;
use crate::api::{self, BaselineStatus, GROUP};
use crate::domain::Baseline;
use crate::domain::policy::Ruling;
use crate::plan::unused_rules;

/// How long a status may stand without being looked at. The number of environments follows with this lag, so that not
/// every environment costs a write here.
const LOOK_ANYWAY: Duration = Duration::from_secs(10);

/// What a status says beside what was seen of the Baseline itself.
#[derive(Debug, Default)]
pub struct Around {
    /// How many environments are recorded of it, how many have a place and how many wait for one.
    pub environments: Count,
    /// What is reached outside the namespace.
    pub externals: Vec<External>,
    /// Its repositories as the forge knows them, and what a person has to know of them.
    pub repositories: (Vec<RepositoryStatus>, Vec<String>),
}

/// How many environments there are.
#[derive(Clone, Copy, Debug, Default)]
pub struct Count {
    /// Those that are recorded.
    pub all: usize,
    /// Those that have a place.
    pub running: usize,
    /// Those that wait for one.
    pub queued: usize,
}

/// The status that follows from what was seen.
pub fn status(seen: &Seen, around: Around, now: DateTime<Utc>) -> BaselineStatus {
    let Around { environments, externals, repositories: (repositories, moved) } = around;
    let before: &[Condition] = seen.object.status.as_ref().map_or(&[], |s| &s.conditions);
    let generation = seen.object.metadata.generation;
    let observations = [ready(seen), warning(seen, moved)];
    BaselineStatus {
        observed_generation: generation,
        environments: int(environments.all),
        running: int(environments.running),
        queued: int(environments.queued),
        objects: seen.contents.as_ref().map(count).unwrap_or_default(),
        externals,
        repositories,
        conditions: observations.into_iter().map(|o| o.dated(before, generation, now)).collect(),
        ..BaselineStatus::default()
    }
}

fn int(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

fn ready(seen: &Seen) -> Observation {
    if let Err(invalid) = &seen.parsed {
        return Observation::new(READY, false, "Invalid", invalid.to_string());
    }
    if let Some(other) = &seen.other {
        let message = format!("this namespace has an older Baseline, {other}; delete one of the two");
        return Observation::new(READY, false, "AnotherBaseline", message);
    }
    if let Some(observation) = seen.parsed.as_ref().ok().and_then(|baseline| under_policies(baseline, seen.policies_error.as_deref())) {
        return observation;
    }
    if let Some(first) = seen.errors.first() {
        let message =
            format!("cannot read this namespace ({} kinds), grant it as in deploy/baseline-access.yaml; {first}", seen.errors.len());
        return Observation::new(READY, false, "CannotRead", message);
    }
    if !seen.problems.is_empty() {
        return Observation::new(READY, false, "CustomResources", seen.problems.join("; "));
    }
    match &seen.contents {
        None => Observation::new(READY, ConditionStatus::Unknown, "Reading", "reading this namespace for the first time"),
        Some(contents) => Observation::new(READY, true, "Ready", can_be_cloned(contents.objects.len(), seen.unlisted)),
    }
}

/// What the policies of the cluster have against it.
fn under_policies(baseline: &Baseline, error: Option<&str>) -> Option<Observation> {
    if let Some(why) = baseline.policy.refusal() {
        return Some(Observation::new(READY, false, "Policy", why));
    }
    let unread = |error: &str| {
        let message = format!(
            "cannot read the PreviewPolicies of the cluster, and nothing is begun without; apply deploy/crds.yaml and \
            deploy/rbac.yaml anew; {error}"
        );
        Observation::new(READY, false, "PoliciesNotRead", message)
    };
    let reading = || Observation::new(READY, ConditionStatus::Unknown, "Reading", "reading which PreviewPolicies hold here");
    baseline.policy.is_pending().then(|| error.map_or_else(reading, unread))
}

fn can_be_cloned(objects: usize, unlisted: usize) -> String {
    let unknown = match unlisted {
        0 => String::new(),
        1 => "; there may be custom resources of 1 kind that may not be listed".to_owned(),
        more => format!("; there may be custom resources of {more} kinds that may not be listed"),
    };
    format!("{objects} objects can be cloned{unknown}")
}

fn warning(seen: &Seen, moved: Vec<String>) -> Observation {
    let mut warnings = seen.parsed.as_ref().map(|baseline| warnings(baseline, seen.contents.as_ref())).unwrap_or_default();
    warnings.extend(moved);
    if warnings.is_empty() {
        Observation::new(WARNING, false, "None", "")
    } else {
        Observation::new(WARNING, true, "ProbablyNotMeant", warnings.join("; "))
    }
}

fn warnings(baseline: &Baseline, contents: Option<&Contents>) -> Vec<String> {
    let mut warnings = baseline.warnings();
    if let Some(contents) = contents {
        warnings.extend(unused_rules(&contents.objects.iter().collect::<Vec<_>>(), baseline));
    }
    warnings
}

fn count(contents: &Contents) -> Vec<KindCount> {
    let mut counts: BTreeMap<&str, i32> = BTreeMap::new();
    let kinds = contents.objects.iter().map(crate::plan::Manifest::kind);
    for kind in kinds.chain(contents.others.iter().map(|o| o.kind.as_str())) {
        *counts.entry(kind).or_default() += 1;
    }
    counts.into_iter().map(|(kind, count)| KindCount { kind: kind.to_owned(), count }).collect()
}

/// Writes the status of every Baseline that needs it, whenever something changed. Runs until it is dropped.
pub async fn run(context: Arc<Context>) {
    let mut memo = (Memo::default(), Gaps::default());
    let mut read: HashSet<String> = HashSet::new();
    let mut rulings: HashMap<String, Ruling> = HashMap::new();
    loop {
        // Errors of watches fade with time, so it is looked at without a change too.
        let _ = tokio::time::timeout(LOOK_ANYWAY, context.baselines.changed.notified()).await;
        for seen in context.baselines.seen() {
            let namespace = seen.object.namespace().unwrap_or_default();
            if seen.contents.is_some() && read.insert(seen.object.uid().unwrap_or_default()) {
                // What waits to be planned can be planned now.
                context.wake_namespace(&namespace);
            }
            if let Ok(baseline) = &seen.parsed {
                let before = rulings.insert(baseline.uid.clone(), baseline.policy.clone());
                if before.as_ref() != Some(&baseline.policy) {
                    // What may be made is another matter now.
                    context.wake_namespace(&namespace);
                }
            }
            if !is_read_again(&seen) {
                write_if_new(&context, &seen, &mut memo).await;
            }
        }
    }
}

/// Whether the service has started again and has not read the namespace yet: what its status says still holds.
fn is_read_again(seen: &Seen) -> bool {
    let recorded = seen.object.status.as_ref().filter(|s| s.observed_generation == seen.object.metadata.generation);
    ready(seen).reason == "Reading" && recorded.is_some_and(|status| is_true(&status.conditions, READY))
}

async fn write_if_new(context: &Context, seen: &Seen, (memo, gaps): &mut (Memo, Gaps)) {
    let namespace = seen.object.namespace().unwrap_or_default();
    let recorded = seen.object.status.as_ref().map_or(&[][..], |s| &s.repositories);
    let around = Around {
        environments: environments(context, &namespace),
        externals: memo.externals(&namespace, seen),
        repositories: context.baselines.repositories.statuses(&namespace, &seen.object.spec.repositories, recorded),
    };
    let status = status(seen, around, context.clock.now());
    let status = gaps.added(&namespace, status, seen);
    if seen.object.status.as_ref().map(own_part).as_ref() == Some(&status) {
        return;
    }
    let was_ready =
        seen.object.status.as_ref().is_some_and(|s| is_true(&s.conditions, READY) && s.observed_generation == status.observed_generation);
    if is_true(&status.conditions, READY) && !was_ready {
        context.wake_namespace(&namespace);
    }
    match write(context, &seen.object, &status).await {
        Ok(()) => {
            if let Some(told) = events::of_baseline(seen.object.status.as_ref(), &status) {
                context.events.tell(seen.object.object_ref(&()), told);
            }
        }
        Err(error) => {
            tracing::warn!(baseline = %format!("{namespace}/{}", seen.object.name_any()), %error, "the status of a Baseline was not written");
        }
    }
}

/// A status without what other field managers hold.
fn own_part(status: &BaselineStatus) -> BaselineStatus {
    let mut own = BaselineStatus { doubted_at: None, removals: None, ..status.clone() };
    own.conditions.retain(|condition| condition.type_ != REMOVALS_HELD);
    own
}

fn environments(context: &Context, namespace: &str) -> Count {
    let is_one = |e: &api::PreviewEnvironment| e.metadata.namespace.as_deref() == Some(namespace) && !e.holds_only_commands();
    let there = context.environments.state_filter(is_one);
    let with = |is: fn(&api::PreviewEnvironmentStatus) -> bool| there.iter().filter(|e| e.status.as_ref().is_some_and(is)).count();
    Count { all: there.len(), running: with(|s| s.namespace.is_some()), queued: with(|s| s.queue.is_some()) }
}

async fn write(context: &Context, object: &api::Baseline, status: &BaselineStatus) -> Result<(), super::requests::RequestError> {
    let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
    let api: Api<api::Baseline> = Api::namespaced(context.client.clone(), &namespace);
    let patch = json!({
        "apiVersion": format!("{GROUP}/v1alpha1"), "kind": "Baseline",
        "metadata": {"name": name}, "status": status,
    });
    let params = PatchParams::apply(MANAGER_STATUS).force();
    within_deadline(&format!("write the status of Baseline {namespace}/{name}"), api.patch_status(&name, &params, &Patch::Apply(&patch)))
        .await?;
    Ok(())
}
