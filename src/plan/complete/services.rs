//! Services that nothing answers behind: no planned workload has the labels that they select, or they lead outside.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Evidence, Finding, Labels, View, is_on, is_workload_name, listed, names, operators};
use crate::plan::decision::LeftOutReason;
use crate::plan::manifest::{Manifest, ObjectName};
use crate::plan::select::controller;

/// Findings about planned Services whose pods no planned workload makes. One that has no endpoints in the baseline either
/// is as it was.
pub(super) fn unbacked(view: &View<'_>, evidence: &Evidence) -> Vec<Finding> {
    let services = view.planned.iter().copied().filter(|o| is_service(o));
    let mut findings = Vec::new();
    for service in services {
        let name = service.name();
        let behind = evidence.behind.as_ref().map(|all| all.get(&name.name).cloned().unwrap_or_default());
        let idle = behind.as_ref().is_some_and(|b| b.endpoints == 0) || is_off(view, service);
        let Some(labels) = selector(service).filter(|_| !idle) else { continue };
        if view.pods.iter().any(|(_, of_pod)| matches(&labels, of_pod)) {
            continue;
        }
        let makers: Vec<ObjectName> = behind.into_iter().flat_map(|b| b.makers).collect();
        findings.push(finding(view, service, (&labels, &makers)));
    }
    findings
}

/// Whether an object is a Service of the core group.
fn is_service(object: &Manifest) -> bool {
    object.kind() == "Service" && object.group().is_empty()
}

/// Whether what it selects is switched off in the baseline.
fn is_off(view: &View<'_>, service: &Manifest) -> bool {
    let Some(labels) = selector(service) else { return false };
    let mut selected = view.originals.iter().filter(|(_, of_pod)| matches(&labels, of_pod)).peekable();
    selected.peek().is_some() && selected.all(|(workload, _)| !is_on(workload))
}

fn selector(service: &Manifest) -> Option<BTreeMap<&str, &str>> {
    let labels = service.get("/spec/selector")?.as_object()?;
    let labels: BTreeMap<_, _> = labels.iter().filter_map(|(key, value)| Some((key.as_str(), value.as_str()?))).collect();
    (!labels.is_empty()).then_some(labels)
}

/// The labels of the pods that an object makes. A bare pod counts too.
pub(super) fn pod_labels(object: &Manifest) -> Option<&Labels> {
    match object.kind() {
        "Pod" => object.get("/metadata/labels")?.as_object(),
        "Service" | "ConfigMap" | "Secret" => None,
        _ => object.get("/spec/template/metadata/labels")?.as_object(),
    }
}

/// Whether a pod's labels are all those that a selector asks for.
pub fn matches(labels: &BTreeMap<&str, &str>, of_pod: &Labels) -> bool {
    labels.iter().all(|(key, value)| of_pod.get(*key).and_then(Value::as_str) == Some(*value))
}

fn finding(view: &View<'_>, service: &Manifest, (labels, makers): (&BTreeMap<&str, &str>, &[ObjectName])) -> Finding {
    let name = service.name();
    let mut lost = view.originals.iter().filter(|(_, of_pod)| matches(labels, of_pod)).map(|(workload, _)| workload);
    let lost = lost.find(|workload| is_workload_name(&workload.name()));
    let original = view.snapshot.objects.iter().find(|o| is_service(o) && o.text("/metadata/name") == Some(&name.name));
    let maker = makers.first().cloned().or(original.and_then(controller));
    let why = match (lost, &maker) {
        (Some(workload), _) => format!("nothing behind it: {} is left out", workload.name()),
        (None, Some(maker)) => format!("nothing behind it: its pods are made by {maker}, which is not cloned"),
        (None, None) => "nothing behind it: no workload here has the labels that it selects".to_owned(),
    };
    let finding = Finding::new(name.clone(), with_users(view, &name, why));
    match maker.filter(|_| lost.is_none()) {
        Some(maker) => operators::mended(finding, &maker),
        None => finding,
    }
}

/// Workloads that name a Service of those pods, in their order.
pub(super) fn users_of(view: &View<'_>, workload: &Manifest) -> BTreeSet<String> {
    let Some(of_pod) = pod_labels(workload) else { return BTreeSet::new() };
    let selects = |service: &&Manifest| is_service(service) && selector(service).is_some_and(|labels| matches(&labels, of_pod));
    let services = view.planned.iter().copied().filter(selects);
    let users = services.flat_map(|service| names::users(view, &service.name().name));
    users.filter(|user| *user != workload.name().name).collect()
}

/// Adds who names the Service.
fn with_users(view: &View<'_>, service: &ObjectName, what: String) -> String {
    let users = names::users(view, &service.name);
    if users.is_empty() { what } else { format!("{what}; named by {}", listed(users.iter().map(String::as_str))) }
}

/// Services of the baseline that are left out: what named them reaches nothing.
pub(super) fn outside(view: &View<'_>) -> Vec<Finding> {
    let left_out = view.snapshot.objects.iter().filter(|o| is_service(o) && view.find("Service", &o.name().name).is_none());
    let finding = |service: &Manifest| {
        let name = service.name();
        let reason = view.reason("Service", &name.name).filter(|reason| super::is_missing(reason))?;
        let what = with_users(view, &name, format!("left out: {}", reason.sentence()));
        let finding = Finding::new(name, what);
        Some(match reason {
            LeftOutReason::NotAdmitted { mend, .. } => finding.mend(mend.clone()),
            _ => finding,
        })
    };
    left_out.filter_map(finding).collect()
}
