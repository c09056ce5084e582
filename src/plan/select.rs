//! Which objects are cloned. How they change is for the rules.

use std::collections::HashSet;

use serde_json::Value;

use super::chosen::{excluded, is_included};
use super::decision::{Decision, LeftOutReason};
use super::hosts::{named_hosts, rule_host};
use super::isolation::is_taken;
use super::kinds::{is_cloned, is_route, not_cloned, treatment};
use super::manifest::{Manifest, ObjectName};
use super::pods::text;
use super::types::{Snapshot, Target};
use crate::domain::Baseline;
use crate::kinds::{Treatment, group_of};

/// ConfigMaps that a controller makes in every namespace.
const EVERYWHERE: [&str; 3] = ["kube-root-ca.crt", "istio-ca-root-cert", "openshift-service-ca.crt"];

/// What is cloned, and why the rest is not.
pub(super) struct Selection<'a> {
    /// The objects, sorted by kind and name.
    pub cloned: Vec<&'a Manifest>,
    /// A decision for each of the others.
    pub left_out: Vec<Decision>,
}

/// Decides on every object of the snapshot.
pub(super) fn select<'a>(snapshot: &'a Snapshot, target: &Target<'_>) -> Selection<'a> {
    let facts = Facts::of(snapshot, target);
    let (able, mut left_out) = split(snapshot.objects.iter().collect(), |object| facts.reason(object));
    // Only now, since the copy of an object whose owner is not cloned stands alone.
    let owners: HashSet<_> = able.iter().map(|o| family(&o.name())).collect();
    let (mut cloned, owned) = split(able, |object| made_by(object, &owners));
    cloned.sort_by_key(|o| sort_key(&o.name()));
    left_out.extend(owned);
    left_out.extend(snapshot.others.iter().map(other));
    left_out.extend(made_by_strangers(snapshot));
    Selection { cloned, left_out }
}

/// What is only known by its name is left out by its kind.
fn other(object: &ObjectName) -> Decision {
    let reason = LeftOutReason::KindNotCloned(not_cloned(group_of(&object.api_version), &object.kind));
    Decision::LeftOut { object: object.clone(), reason }
}

/// What is made by something that is not looked at, such as a custom resource: nothing makes it in the environment. What
/// is made by an object that is looked at is that object's affair, as the Pods of a Deployment are.
fn made_by_strangers(snapshot: &Snapshot) -> impl Iterator<Item = Decision> {
    let whole = snapshot.objects.iter().map(Manifest::name);
    let named = snapshot.others.iter().chain(snapshot.controlled.iter().map(|c| &c.object)).cloned();
    let seen: HashSet<_> = whole.chain(named).map(|name| family(&name)).collect();
    let strange = snapshot.controlled.iter().filter(move |c| !seen.contains(&family(&c.owner)));
    strange.map(|c| {
        let reason = because(format!("is made by {}, which is not cloned", c.owner));
        Decision::LeftOut { object: c.object.clone(), reason }
    })
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

/// Group, kind and name: an owner may be named in another version of its group.
fn family(name: &ObjectName) -> (String, String, String) {
    (group_of(&name.api_version).to_owned(), name.kind.clone(), name.name.clone())
}

fn made_by(object: &Manifest, owners: &HashSet<(String, String, String)>) -> Option<LeftOutReason> {
    let owner = controller(object)?;
    owners.contains(&family(&owner)).then(|| LeftOutReason::MadeBy(owner.to_string()))
}

fn because(sentence: impl Into<String>) -> LeftOutReason {
    LeftOutReason::Because(sentence.into())
}

/// What must be known about the whole to decide on one.
struct Facts<'a> {
    baseline: &'a Baseline,
    names_a_host: bool,
    /// Beginnings of the names of claims that StatefulSets make, with the StatefulSet.
    claims: Vec<(String, &'a Manifest)>,
}

impl<'a> Facts<'a> {
    fn of(snapshot: &'a Snapshot, target: &Target<'a>) -> Self {
        let of_kind = |kind: &'static str| snapshot.objects.iter().filter(move |o| o.kind() == kind && !is_being_deleted(o));
        // Sorted, since two StatefulSets can lay claim to one name.
        let mut claims: Vec<_> = of_kind("StatefulSet").flat_map(claims_of).collect();
        claims.sort_unstable_by_key(|(prefix, set)| (prefix.clone(), set.name()));
        let names_a_host = of_kind("Ingress").any(|i| named_hosts(i).next().is_some());
        Self { baseline: target.baseline, names_a_host, claims }
    }

    fn reason(&self, object: &Manifest) -> Option<LeftOutReason> {
        if !is_cloned(object, self.baseline) {
            return Some(LeftOutReason::KindNotCloned(not_cloned(object.group(), object.kind())));
        }
        if is_being_deleted(object) {
            return Some(because("is being deleted"));
        }
        if is_taken(&object.name()) {
            return Some(because("has a name that an environment's own objects have"));
        }
        if let Some(reason) = excluded(object, self.baseline).or_else(|| self.not_asked_for(object)) {
            return Some(reason);
        }
        match (object.group(), object.kind()) {
            ("", "ConfigMap") => EVERYWHERE.contains(&object.name().name.as_str()).then_some(LeftOutReason::MadeByKubernetes),
            ("", "ServiceAccount") => service_account(object),
            ("", "Secret") => secret(object),
            ("", "Service") => service(object),
            ("networking.k8s.io", "Ingress") => self.ingress(object),
            _ if is_route(object) => self.route(),
            ("", "PersistentVolumeClaim") => self.claim(object),
            _ => None,
        }
    }

    fn not_asked_for(&self, object: &Manifest) -> Option<LeftOutReason> {
        match treatment(object) {
            Some(Treatment::OptIn(_, why)) if !is_included(object, self.baseline) => Some(LeftOutReason::KindNotCloned(why)),
            _ => None,
        }
    }

    fn route(&self) -> Option<LeftOutReason> {
        self.baseline.hosts.is_none().then(|| because("the Baseline has no hosts.domain"))
    }

    fn ingress(&self, object: &Manifest) -> Option<LeftOutReason> {
        if let Some(reason) = self.route() {
            return Some(reason);
        }
        let hosts: Vec<_> = object.items("/spec/rules").map(rule_host).collect();
        if hosts.is_empty() && self.names_a_host {
            return Some(because("serves hosts that nothing else names, and an environment has none"));
        }
        let wildcards: Vec<_> = hosts.iter().flatten().filter(|host| host.starts_with('*')).copied().collect();
        if wildcards.is_empty() || wildcards.len() < hosts.len() {
            return None;
        }
        Some(because(format!("serves {}, and an environment has no hosts below its own", wildcards.join(", "))))
    }

    fn claim(&self, object: &Manifest) -> Option<LeftOutReason> {
        let name = object.name().name;
        let is_ordinal = |rest: &str| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit());
        let (_, set) = self.claims.iter().find(|(prefix, _)| name.strip_prefix(prefix.as_str()).is_some_and(is_ordinal))?;
        let is_left_out = self.reason(set).is_some();
        let set = set.name().to_string();
        Some(if is_left_out { because(format!("belongs to {set}, which is left out")) } else { LeftOutReason::MadeBy(set) })
    }
}

fn is_being_deleted(object: &Manifest) -> bool {
    object.text("/metadata/deletionTimestamp").is_some()
}

/// A StatefulSet names its claims `<template>-<set>-<ordinal>`.
fn claims_of(set: &Manifest) -> impl Iterator<Item = (String, &Manifest)> {
    let name = set.name().name;
    let templates = set.items("/spec/volumeClaimTemplates").filter_map(|t| t.pointer("/metadata/name")?.as_str());
    templates.map(move |template| (format!("{template}-{name}-"), set))
}

/// The account `default` is made with the namespace; what people add to it is worth copying.
fn service_account(object: &Manifest) -> Option<LeftOutReason> {
    let is_plain = object.items("/imagePullSecrets").next().is_none() && object.get("/automountServiceAccountToken").is_none();
    (object.name().name == "default" && is_plain).then_some(LeftOutReason::MadeByKubernetes)
}

fn secret(object: &Manifest) -> Option<LeftOutReason> {
    let is_token = object.text("/type") == Some("kubernetes.io/service-account-token");
    is_token.then(|| LeftOutReason::Refused { path: "type".to_owned(), what: "a token of the baseline's ServiceAccount" })
}

fn service(object: &Manifest) -> Option<LeftOutReason> {
    if object.name().name == "kubernetes" && object.text("/metadata/labels/provider") == Some("kubernetes") {
        return Some(LeftOutReason::MadeByKubernetes);
    }
    if object.text("/spec/type") == Some("ExternalName") {
        return Some(because(format!("points outside, to {}", object.text("/spec/externalName").unwrap_or("nothing"))));
    }
    let has_selector = object.get("/spec/selector").and_then(Value::as_object).is_some_and(|s| !s.is_empty());
    (!has_selector).then(|| because("has no selector: its endpoints were filled by hand"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::domain::baseline::GroupKind;
    use crate::plan::sample::{World, controlled_by, deployment, object, service, stateful_set};
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
    fn what_is_there_anyway_is_not_copied() {
        let objects = [
            object("v1", "ConfigMap", "kube-root-ca.crt"),
            object("v1", "ServiceAccount", "default"),
            service("kubernetes").label("provider", "kubernetes"),
        ];
        assert!(said(objects).iter().all(|line| line.ends_with("left out: is there in every namespace anyway")));
        let pulls = object("v1", "ServiceAccount", "default").with("/imagePullSecrets", json!([{"name": "registry"}]));
        assert_eq!(said([pulls, object("v1", "Secret", "registry")])[1], "ServiceAccount/default kept");
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
    fn services_that_lead_outside_are_named() {
        let lines = said([
            service("mail").with("/spec", json!({"type": "ExternalName", "externalName": "smtp.example.com"})),
            service("legacy").with("/spec", json!({"ports": [{"port": 80}]})),
        ]);
        assert_eq!(lines[0], "Service/legacy left out: has no selector: its endpoints were filled by hand");
        assert_eq!(lines[1], "Service/mail left out: points outside, to smtp.example.com");
    }

    #[test]
    fn rights_and_autoscalers_are_left_out_unless_asked_for() {
        let lines = said([object("rbac.authorization.k8s.io/v1", "Role", "r"), object("autoscaling/v2", "HorizontalPodAutoscaler", "h")]);
        assert!(lines.iter().all(|line| line.contains("clone.include")), "{lines:#?}");
    }

    #[test]
    fn a_job_is_not_run_once_more_unless_it_is_included() {
        let lines = said([object("batch/v1", "Job", "migrate")]);
        assert_eq!(lines, ["Job/migrate left out: ran for the baseline, and is not run once more unless clone.include names it"]);
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

    #[test]
    fn tokens_and_what_is_going_away_stay_behind() {
        let token = object("v1", "Secret", "t").with("/type", json!("kubernetes.io/service-account-token"));
        let going = deployment("web").with("/metadata/deletionTimestamp", json!("2026-01-01T00:00:00Z"));
        let lines = said([token, going]);
        assert_eq!(lines[0], "Deployment/web left out: is being deleted");
        assert_eq!(lines[1], "Secret/t left out: asks for a token of the baseline's ServiceAccount (type)");
    }
}
