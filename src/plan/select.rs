//! Which objects are cloned. How they change is for the rules.

use std::collections::HashSet;

use serde_json::Value;

use super::book::RuleBook;
use super::decision::{Decision, LeftOutReason};
use super::isolation::is_taken;
use super::kinds::{is_cloned, is_kind, not_cloned};
use super::leave_out::Facts;
use super::leave_out::dangling::{Family, dangling, family};
use super::manifest::{Manifest, ObjectName};
use super::pods::text;
use super::types::{Controlled, Snapshot, Target};
use crate::kinds::group_of;

const TAKEN: &str = "has a name that an environment's own objects have";

/// What is cloned, and why the rest is not.
pub(super) struct Selection<'a> {
    /// The objects, sorted by kind and name.
    pub cloned: Vec<&'a Manifest>,
    /// A decision for each of the others.
    pub left_out: Vec<Decision>,
}

/// Decides on every object of the snapshot.
pub(super) fn select<'a>(snapshot: &'a Snapshot, target: &Target<'_>) -> Selection<'a> {
    select_by(&RuleBook::all(), snapshot, target)
}

/// The decisions by those rules and no others.
pub(super) fn select_by<'a>(book: &RuleBook, snapshot: &'a Snapshot, target: &Target<'_>) -> Selection<'a> {
    let facts = Facts::of(snapshot, target);
    let unknown = |object: &Manifest| (!is_cloned(object, target.baseline)).then(|| of_kind(object.group(), object.kind()));
    let taken = |object: &Manifest| is_taken(object).then(|| LeftOutReason::Because(TAKEN.to_owned()));
    let by_rule = |object: &Manifest| book.leave_out.iter().find_map(|rule| (rule.reason)(object, &facts));
    let reason = |object: &Manifest| unknown(object).or_else(|| taken(object)).or_else(|| by_rule(object));
    // Secrets of an isolated environment are decided on with who needs them, listed or not (`secrets::missing`).
    let objects = snapshot.objects.iter().filter(|o| !(target.isolated && is_kind(o, "", "Secret")));
    let (able, mut left_out) = split(objects.collect(), reason);
    // Only now, since the copy of an object whose owner is not cloned stands alone.
    let owners: HashSet<_> = able.iter().map(|o| family(&o.name())).collect();
    let (able, owned) = split(able, |object| made_by(object, &owners));
    let (mut cloned, alone) = dangling(able, &book.dangling, &target.baseline.namespace);
    cloned.sort_by_cached_key(|o| sort_key(&o.name()));
    left_out.extend(owned);
    left_out.extend(alone);
    left_out.extend(snapshot.others.iter().map(other));
    left_out.extend(made_by_strangers(snapshot));
    Selection { cloned, left_out }
}

fn of_kind(group: &str, kind: &str) -> LeftOutReason {
    LeftOutReason::KindNotCloned(not_cloned(group, kind))
}

/// What is only known by its name is left out by its kind.
fn other(object: &ObjectName) -> Decision {
    Decision::LeftOut { object: object.clone(), reason: of_kind(group_of(&object.api_version), &object.kind) }
}

/// What is made by something that is not looked at, such as a custom resource: nothing makes it in the environment. What
/// is made by an object that is looked at is that object's affair, as the Pods of a Deployment are.
fn made_by_strangers(snapshot: &Snapshot) -> Vec<Decision> {
    if snapshot.controlled.is_empty() {
        return Vec::new();
    }
    let whole = snapshot.objects.iter().map(Manifest::name);
    let named = snapshot.others.iter().chain(snapshot.controlled.iter().map(|c| &c.object)).cloned();
    let seen: HashSet<_> = whole.chain(named).map(|name| family(&name)).collect();
    let strange = snapshot.controlled.iter().filter(|c| !seen.contains(&family(&c.owner)));
    let decide = |c: &Controlled| {
        let reason = LeftOutReason::Because(format!("is made by {}, which is not cloned", c.owner));
        Decision::LeftOut { object: c.object.clone(), reason }
    };
    strange.map(decide).collect()
}

/// The order of plans and decisions: by kind, then name.
pub(super) fn sort_key(object: &ObjectName) -> (String, String, String) {
    (object.kind.clone(), object.name.clone(), object.api_version.clone())
}

/// The object that controls this one, if any does.
pub fn controller(object: &Manifest) -> Option<ObjectName> {
    let owner = object.items("/metadata/ownerReferences").find(|o| o.get("controller") == Some(&Value::Bool(true)))?;
    let field = |key| text(owner, key).unwrap_or_default().to_owned();
    Some(ObjectName { api_version: field("apiVersion"), kind: field("kind"), name: field("name") })
}

fn split(objects: Vec<&Manifest>, reason: impl Fn(&Manifest) -> Option<LeftOutReason>) -> (Vec<&Manifest>, Vec<Decision>) {
    let mut kept = Vec::with_capacity(objects.len());
    let mut left_out = Vec::new();
    for object in objects {
        match reason(object) {
            Some(reason) => left_out.push(Decision::LeftOut { object: object.name(), reason }),
            None => kept.push(object),
        }
    }
    (kept, left_out)
}

/// An owner may be named in another version of its group, so it is looked for by its family.
fn made_by(object: &Manifest, owners: &HashSet<Family>) -> Option<LeftOutReason> {
    let owner = controller(object)?;
    owners.contains(&family(&owner)).then(|| LeftOutReason::MadeBy(owner.to_string()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::domain::baseline::GroupKind;
    use crate::plan::sample::{World, controlled_by, deployment, object, stateful_set};
    use crate::plan::{Manifest, ObjectName};

    fn said(objects: impl IntoIterator<Item = Manifest>) -> Vec<String> {
        World::of(objects).plan().said()
    }

    #[test]
    fn kinds_that_are_not_cloned_are_named() {
        let other = ObjectName { api_version: "policy/v1".into(), kind: "PodDisruptionBudget".into(), name: "web".into() };
        let knative = object("serving.knative.dev/v1", "Service", "web");
        let world = World::of([object("v1", "Pod", "debug"), knative]).other(other);
        let said = world.plan().said();
        assert_eq!(
            said,
            [
                "Pod/debug left out: runs by itself, and only workloads are cloned: make it a Deployment or a Job",
                "PodDisruptionBudget/web left out: would hold up the draining of nodes, since there is one pod of each workload",
                "Service/web left out: is a custom resource, and clone.customResources does not name its kind",
            ]
        );
    }

    #[test]
    fn what_another_clone_makes_is_not_copied() {
        let claim = object("v1", "PersistentVolumeClaim", "data-db-0");
        let other = object("v1", "PersistentVolumeClaim", "data-db-x");
        let owned = controlled_by(object("v1", "ConfigMap", "made"), "apps/v1beta1", "Deployment/web");
        let alone = controlled_by(object("v1", "Secret", "sealed"), "bitnami.com/v1alpha1", "SealedSecret/sealed");
        let lines = said([stateful_set("db").claim("data"), claim, other, deployment("web"), owned, alone]);
        assert_eq!(
            lines,
            [
                "ConfigMap/made left out: is made anew by Deployment/web",
                "Deployment/web kept",
                "PersistentVolumeClaim/data-db-0 left out: is made anew by StatefulSet/db",
                "PersistentVolumeClaim/data-db-x kept",
                "Secret/sealed metadata.ownerReferences: SealedSecret/sealed -> (none) (its operator is not cloned)",
                "StatefulSet/db kept",
            ]
        );
    }

    #[test]
    fn a_job_is_not_run_once_more_unless_it_is_included() {
        let lines = said([object("batch/v1", "Job", "migrate")]);
        assert_eq!(lines, ["Job/migrate left out: runs once, in the baseline (a hook or clone.include runs it here)"]);
    }

    fn database() -> GroupKind {
        GroupKind { group: "db.example.com".into(), kind: "Database".into() }
    }

    #[test]
    fn custom_resources_are_cloned_by_opt_in_and_what_they_make_is_not() {
        let objects = || {
            let set = controlled_by(stateful_set("main"), "db.example.com/v1", "Database/main");
            let settings = controlled_by(object("v1", "ConfigMap", "main"), "apps/v1", "StatefulSet/main");
            [object("db.example.com/v1", "Database", "main"), set, settings]
        };
        let lines = said(objects());
        assert_eq!(
            lines,
            [
                "ConfigMap/main left out: is made anew by StatefulSet/main",
                "Database/main left out: is a custom resource, and clone.customResources does not name its kind",
                "StatefulSet/main metadata.ownerReferences: Database/main -> (none) (its operator is not cloned)",
            ]
        );
        let asked = World::of(objects()).baseline(|b| b.selection.custom_resources = vec![database()]).plan();
        assert_eq!(
            asked.said(),
            [
                "ConfigMap/main left out: is made anew by StatefulSet/main",
                "Database/main kept",
                "StatefulSet/main left out: is made anew by Database/main",
            ]
        );
        assert_eq!(asked.plan.stages.len(), 1);
    }

    #[test]
    fn custom_resources_are_made_last() {
        let world = World::of([object("db.example.com/v1", "Database", "main"), deployment("web"), object("v1", "ConfigMap", "c")]);
        let plan = world.baseline(|b| b.selection.custom_resources = vec![database()]).plan().plan;
        assert_eq!(plan.stages.last().unwrap()[0].manifest.kind(), "Database");
        assert_eq!(plan.stages.len(), 3);
    }

    #[test]
    fn what_a_stranger_makes_is_named_and_what_a_deployment_makes_is_not() {
        let name = |api_version: &str, kind: &str, name: &str| ObjectName {
            api_version: api_version.into(),
            kind: kind.into(),
            name: name.into(),
        };
        let world = World::of([deployment("web")])
            .made(name("apps/v1", "ReplicaSet", "web-1"), "apps/v1", "Deployment/web")
            .made(name("v1", "Pod", "web-1-a"), "apps/v1", "ReplicaSet/web-1")
            .made(name("v1", "Pod", "main-1"), "postgresql.cnpg.io/v1", "Cluster/main");
        assert_eq!(world.plan().said(), ["Deployment/web kept", "Pod/main-1 left out: is made by Cluster/main, which is not cloned"]);
    }

    #[test]
    fn what_every_node_runs_is_cloned_unless_it_reaches_into_the_node() {
        let set = |name: &str| object("apps/v1", "DaemonSet", name).with("/spec", json!({"template": {"spec": {}}}));
        let agent = set("agent").with("/spec/template/spec/volumes", json!([{"name": "logs", "hostPath": {"path": "/var/log"}}]));
        let cron = object("batch/v1", "CronJob", "prune").with("/spec/jobTemplate/spec/template/spec/hostPID", json!(true));
        let lines = said([set("cache"), agent, cron]);
        assert!(
            lines.contains(&"DaemonSet/agent left out: asks for a folder of the node (spec.template.spec.volumes[logs].hostPath)".into())
        );
        let pid = "CronJob/prune left out: asks for the node's processes (spec.jobTemplate.spec.template.spec.hostPID)";
        assert!(lines.contains(&pid.into()), "{lines:#?}");
        assert!(lines.iter().any(|line| line.starts_with("DaemonSet/cache ") && !line.contains("left out")), "{lines:#?}");
    }
}
