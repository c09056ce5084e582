//! Secrets that the environment uses and does not have: named with who needs them, so that nobody looks for the reason
//! why a pod does not start.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::decision::{Decision, LeftOutReason};
use super::kinds::runs_pods;
use super::manifest::{Manifest, ObjectName, at};
use super::pods::{containers, list, spec_pointer, text};
use super::rules::is_made_for;
use super::types::{Snapshot, Target};

/// What an object needs a Secret for.
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
enum Need {
    /// To start its pods.
    Start,
    /// To pull its images.
    Pull,
    /// To let anybody through its routes.
    Guard,
}

type Uses = BTreeMap<String, BTreeSet<(Need, String)>>;

/// A decision for each Secret that is used or listed and not in the snapshot.
///
/// An isolated environment has none, and each of those that it would have is named too.
pub(super) fn missing(snapshot: &Snapshot, target: &Target<'_>, cloned: &[&Manifest]) -> Vec<Decision> {
    let mut uses = Uses::new();
    for object in cloned {
        for (secret, need) in needs(object) {
            uses.entry(secret.to_owned()).or_default().insert((need, object.name().to_string()));
        }
    }
    let withheld = target.baseline.secrets.iter().filter(|_| target.isolated).map(|rule| &rule.name);
    for listed in snapshot.missing_secrets.iter().chain(withheld) {
        uses.entry(listed.clone()).or_default();
    }
    let named = |name: &str| snapshot.objects.iter().any(|o| o.kind() == "Secret" && o.text("/metadata/name") == Some(name));
    let what = |name: &String| match () {
        () if target.isolated => "a change from a fork gets no Secrets (trust.forks: Isolated)",
        () if snapshot.missing_secrets.contains(name) => "is listed in clone.secrets and is not in the baseline",
        () => "not in clone.secrets",
    };
    let absent = uses.iter().filter(|(name, _)| target.isolated || !named(name));
    absent.map(|(name, users)| left_out(name, what(name), users)).collect()
}

fn left_out(name: &str, what: &str, users: &BTreeSet<(Need, String)>) -> Decision {
    let of = |need: Need| users.iter().filter(move |(n, _)| *n == need).map(|(_, user)| user.as_str()).collect::<Vec<_>>();
    let clauses = [Need::Start, Need::Pull, Need::Guard].map(|need| clause(need, &of(need)));
    let clauses: Vec<_> = clauses.into_iter().flatten().collect();
    let used = if clauses.is_empty() { String::new() } else { format!(" ({})", clauses.join("; ")) };
    let object = ObjectName { api_version: "v1".to_owned(), kind: "Secret".to_owned(), name: name.to_owned() };
    Decision::LeftOut { object, reason: LeftOutReason::Because(format!("{what}{used}")) }
}

fn clause(need: Need, users: &[&str]) -> Option<String> {
    let (last, others) = users.split_last()?;
    let (names, it) = if others.is_empty() { ((*last).to_owned(), "it") } else { (format!("{} and {last}", others.join(", ")), "they") };
    Some(match need {
        Need::Start => format!("used by {names}: {it} will not start without it"),
        Need::Pull => format!("used by {names} to pull images"),
        Need::Guard => format!("used by {names} to guard its routes"),
    })
}

fn needs(object: &Manifest) -> Vec<(&str, Need)> {
    match object.kind() {
        _ if runs_pods(object) => workload_needs(object),
        "ServiceAccount" => {
            let account = object.name().name;
            pull_secrets(object, "/imagePullSecrets").filter(|(secret, _)| !is_made_for(&account, secret)).collect()
        }
        "Ingress" => guard_secret(object).map(|name| (name, Need::Guard)).into_iter().collect(),
        _ => Vec::new(),
    }
}

fn workload_needs(workload: &Manifest) -> Vec<(&str, Need)> {
    let spec = spec_pointer(workload);
    let mounted = workload.items(&format!("{spec}/volumes")).flat_map(volume_secrets);
    let read = containers(workload).flat_map(|(_, container)| container_secrets(container));
    let started = mounted.chain(read).map(|name| (name, Need::Start));
    started.chain(pull_secrets(workload, &format!("{spec}/imagePullSecrets"))).collect()
}

fn pull_secrets<'a>(object: &'a Manifest, pointer: &str) -> impl Iterator<Item = (&'a str, Need)> + use<'a> {
    object.items(pointer).filter_map(|entry| Some((text(entry, "name")?, Need::Pull)))
}

fn container_secrets(container: &Value) -> Vec<&str> {
    let one = list(container, "env").filter_map(|e| required(at(e, "/valueFrom/secretKeyRef")?, "name"));
    one.chain(list(container, "envFrom").filter_map(|e| required(e.get("secretRef")?, "name"))).collect()
}

fn volume_secrets(volume: &Value) -> Vec<&str> {
    let own = volume.get("secret").and_then(|s| required(s, "secretName"));
    let sources = at(volume, "/projected/sources").and_then(Value::as_array).into_iter().flatten();
    own.into_iter().chain(sources.filter_map(|s| required(s.get("secret")?, "name"))).collect()
}

/// The name that a reference gives, unless it says that the Secret may be absent.
fn required<'a>(reference: &'a Value, field: &str) -> Option<&'a str> {
    let is_optional = reference.get("optional") == Some(&Value::Bool(true));
    text(reference, field).filter(|name| !is_optional && !name.is_empty())
}

/// The passwords of basic authentication by ingress-nginx, which answers 503 where the Secret is not there. A Secret of
/// another namespace is named with a slash.
fn guard_secret(ingress: &Manifest) -> Option<&str> {
    ingress.text("/metadata/annotations/nginx.ingress.kubernetes.io~1auth-secret").filter(|name| !name.contains('/'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::domain::baseline::SecretRule;
    use crate::plan::sample::{World, deployment, object};

    const SPEC: &str = "/spec/template/spec";

    #[test]
    fn every_way_to_use_a_secret_is_seen() {
        let web = deployment("web")
            .with(&format!("{SPEC}/containers/0/env"), json!([{"name": "A", "valueFrom": {"secretKeyRef": {"name": "one", "key": "k"}}}]))
            .with(
                &format!("{SPEC}/containers/0/envFrom"),
                json!([{"secretRef": {"name": "all"}}, {"secretRef": {"name": "may", "optional": true}}]),
            )
            .with(&format!("{SPEC}/imagePullSecrets"), json!([{"name": "registry"}]))
            .with(
                &format!("{SPEC}/volumes"),
                json!([{"name": "v", "secret": {"secretName": "mounted"}}, {"name": "o", "secret": {"secretName": "may", "optional": true}},
                    {"name": "p", "projected": {"sources": [{"secret": {"name": "projected"}}, {"configMap": {"name": "c"}}]}}]),
            );
        let plan = World::of([web, object("v1", "Secret", "one")]).plan();
        let start =
            |name: &str| format!("Secret/{name} left out: not in clone.secrets (used by Deployment/web: it will not start without it)");
        assert_eq!(
            plan.said(),
            [
                "Deployment/web kept".to_owned(),
                start("all"),
                start("mounted"),
                "Secret/one kept".to_owned(),
                start("projected"),
                "Secret/registry left out: not in clone.secrets (used by Deployment/web to pull images)".to_owned(),
            ]
        );
    }

    #[test]
    fn a_listed_secret_that_is_not_there_is_said_with_its_users() {
        let uses = |name: &str| deployment(name).with(&format!("{SPEC}/containers/0/envFrom"), json!([{"secretRef": {"name": "db"}}]));
        let said = World::of([uses("a"), uses("b")]).missing("db").missing("unused").plan().said();
        let there = "is listed in clone.secrets and is not in the baseline";
        assert_eq!(
            said[2..],
            [
                format!("Secret/db left out: {there} (used by Deployment/a and Deployment/b: they will not start without it)"),
                format!("Secret/unused left out: {there}")
            ]
        );
    }

    #[test]
    fn an_isolated_environment_has_no_secret_and_says_who_would_need_one() {
        let web = deployment("web")
            .with(&format!("{SPEC}/containers/0/envFrom"), json!([{"secretRef": {"name": "db"}}, {"secretRef": {"name": "unlisted"}}]));
        let listed = ["db", "made"].map(SecretRule::copy_of).to_vec();
        let world = World::of([web, object("v1", "Secret", "db")]).baseline(|b| b.secrets = listed).isolated();
        let said = world.plan().said();
        let why = "a change from a fork gets no Secrets (trust.forks: Isolated)";
        for (name, users) in [
            ("db", " (used by Deployment/web: it will not start without it)"),
            ("made", ""),
            ("unlisted", " (used by Deployment/web: it will not start without it)"),
        ] {
            assert!(said.contains(&format!("Secret/{name} left out: {why}{users}")), "{said:#?}");
        }
        assert!(world.plan().objects().all(|o| o.kind() != "Secret"));
    }

    #[test]
    fn what_is_left_out_needs_nothing() {
        let uses = deployment("a")
            .with(&format!("{SPEC}/hostPID"), json!(true))
            .with(&format!("{SPEC}/containers/0/envFrom"), json!([{"secretRef": {"name": "db"}}]));
        assert_eq!(World::of([uses]).plan().said().len(), 1);
    }
}
