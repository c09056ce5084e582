//! What every environment gets beside the copies, so that it reaches, uses and shows no more than it should: a
//! NetworkPolicy, a ResourceQuota with a LimitRange, an account without a token, and RoleBindings for people. Pure.
//!
//! They are objects of the plan like any other, made before any pod, so hashes, pruning and the decision what changed
//! hold for them too.

mod access;
mod demand;
mod limit_range;
mod network;
mod quota;
mod tokens;

use std::collections::BTreeMap;

use serde_json::{Value, json};

pub(super) use demand::amounts;
pub(super) use network::egress;
pub(super) use quota::{jobs_over_quota, narrow, over_quota};
pub(super) use tokens::bound_accounts;

use super::context::Context;
use super::decision::Decision;
use super::manifest::Manifest;
use super::types::{Planned, PlannedHook};
use super::{rules, sealed};
use crate::api::names::{OWN_PREFIX, ROLE_BINDING};

/// Kinds that are made in every environment.
const OWN_KINDS: [&str; 4] = ["NetworkPolicy", "ResourceQuota", "LimitRange", "RoleBinding"];

/// An object that no baseline has, and what it is for.
struct Extra {
    manifest: Manifest,
    why: String,
}

/// Adds to the first stage what stands around the copies and the Jobs of hooks, and decides so.
pub(super) fn surround(stages: &mut [Vec<Planned>], hooks: &[PlannedHook], context: &Context<'_>) -> Vec<Decision> {
    let planned: Vec<&Manifest> = stages.iter().flatten().map(|planned| &planned.manifest).collect();
    let everything = Everything::of(stages, hooks);
    let extras: Vec<Extra> = [
        network::policy(&planned, context),
        limit_range::limit_range(&everything.all(), context),
        quota::quota(&everything, context),
        tokens::default_account(&planned, context),
    ]
    .into_iter()
    .flatten()
    .chain(access::bindings(context))
    .collect();
    let Some(first) = stages.first_mut() else { return Vec::new() };
    let mut decisions = Vec::with_capacity(extras.len());
    for Extra { mut manifest, why } in extras {
        rules::mark(&mut manifest, context);
        decisions.push(Decision::Added { object: manifest.name(), why });
        first.push(sealed(manifest));
    }
    decisions
}

/// Everything that makes pods in an environment.
struct Everything<'a> {
    /// The copies.
    copies: Vec<&'a Manifest>,
    /// The Jobs of hooks, which run beside them, one at a time. A push's run beside what the last one started.
    jobs: Vec<&'a Manifest>,
}

impl<'a> Everything<'a> {
    fn of(stages: &'a [Vec<Planned>], hooks: &'a [PlannedHook]) -> Self {
        let copies = stages.iter().flatten().map(|planned| &planned.manifest).collect();
        Self { copies, jobs: hooks.iter().map(|hook| &hook.job.manifest).collect() }
    }

    fn all(&self) -> Vec<&'a Manifest> {
        self.copies.iter().chain(&self.jobs).copied().collect()
    }
}

/// Whether the name is one that an environment's own objects have.
pub(super) fn is_taken(object: &Manifest) -> bool {
    let is_own = |name: &str| name.starts_with(OWN_PREFIX) || name == ROLE_BINDING;
    OWN_KINDS.contains(&object.kind()) && object.text("/metadata/name").is_some_and(is_own)
}

fn object(api_version: &str, kind: &str, name: &str) -> Manifest {
    Manifest::new(json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}}))
}

/// Amounts as they stand in an object.
fn written(amounts: &BTreeMap<String, crate::domain::quantity::Quantity>) -> Value {
    amounts.iter().map(|(name, amount)| (name.clone(), Value::String(amount.to_string()))).collect::<serde_json::Map<_, _>>().into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::names::LABEL_ENVIRONMENT_UID;
    use crate::plan::sample::{World, deployment, isolated};

    #[test]
    fn everything_is_made_before_any_pod_and_is_ours() {
        let made = World::of([deployment("web")]).baseline(|b| b.isolation = isolated(json!({}))).plan();
        let first: Vec<_> = made.plan.stages[0].iter().map(|p| p.manifest.name().to_string()).collect();
        assert_eq!(
            first,
            [
                "NetworkPolicy/preview-env-isolation",
                "LimitRange/preview-env-isolation",
                "ResourceQuota/preview-env-isolation",
                "ServiceAccount/default"
            ]
        );
        for planned in &made.plan.stages[0] {
            assert_eq!(planned.manifest.value()["metadata"]["labels"][LABEL_ENVIRONMENT_UID], "uid-42");
        }
        assert_eq!(made.plan.decisions.iter().filter(|d| matches!(d, Decision::Added { .. })).count(), 4);
        assert_eq!(made.plan.workloads.len(), 1);
    }

    #[test]
    fn a_push_changes_none_of_it() {
        let world = || World::of([deployment("web").image("acme/web:1")]).baseline(|b| b.isolation = isolated(json!({})));
        let hashes = |tag: &str| world().branch("acme/web", tag).plan().plan.stages[0].iter().map(|p| p.hash.clone()).collect::<Vec<_>>();
        assert_eq!(hashes("2"), hashes("3"));
    }

    #[test]
    fn names_of_ours_are_not_a_baseline_s_to_take() {
        let name = |kind: &str, name: &str| super::object("v1", kind, name);
        assert!(is_taken(&name("NetworkPolicy", "preview-env-isolation")) && is_taken(&name("RoleBinding", "preview-env")));
        assert!(!is_taken(&name("ConfigMap", "preview-env-isolation")) && !is_taken(&name("NetworkPolicy", "deny")));
    }
}
