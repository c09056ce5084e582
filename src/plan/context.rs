//! What rules know beyond the object that they change.

use std::collections::HashSet;

use serde_json::Value;

use super::answers::Answers;
use super::hosts::{HostMap, by_age};
use super::isolation::bound_accounts;
use super::kinds::is_kind;
use super::manifest::Manifest;
use super::naming;
use super::rewrite::Names;
use super::select::Selection;
use super::types::{ResolvedImages, Snapshot, Target};
use crate::api::baseline::isolation::PodSecurity;
use crate::domain::value_template::Values;

/// Facts about the environment and about all objects that are cloned.
pub(super) struct Context<'a> {
    /// What the baseline holds, cloned or not.
    pub snapshot: &'a Snapshot,
    /// The autoscalers that are cloned.
    pub autoscalers: Vec<&'a Manifest>,
    /// The environment.
    pub target: &'a Target<'a>,
    /// The images that run instead.
    pub images: &'a ResolvedImages,
    /// Names of the Secrets that are cloned.
    pub secrets: HashSet<String>,
    /// Keys of pod labels that a selector uses.
    pub selected_labels: HashSet<String>,
    /// Names of container ports that a Service uses.
    pub target_ports: HashSet<String>,
    /// New hosts, where the Baseline has a domain.
    pub hosts: Option<HostMap>,
    /// Who answers which path of them.
    pub answers: Option<Answers>,
    /// The Pod Security level that the environment's namespace enforces.
    pub level: PodSecurity,
    /// Names of the ServiceAccounts that hold rights by a RoleBinding which is cloned.
    pub bound_accounts: HashSet<String>,
    /// Names that are rewritten.
    pub names: Names,
    /// What templates are filled from.
    pub values: Values,
}

impl<'a> Context<'a> {
    /// Gathers the facts.
    pub fn new(snapshot: &'a Snapshot, cloned: &[&'a Manifest], (target, images): (&'a Target<'a>, &'a ResolvedImages)) -> Self {
        let services = || cloned.iter().filter(|o| o.kind() == "Service");
        let ports = services().flat_map(|s| s.items("/spec/ports"));
        let hosts = HostMap::of(cloned, target);
        Self {
            snapshot,
            autoscalers: cloned.iter().copied().filter(|o| is_kind(o, "autoscaling", "HorizontalPodAutoscaler")).collect(),
            target,
            images,
            secrets: cloned.iter().filter(|o| o.kind() == "Secret").map(|o| o.name().name).collect(),
            selected_labels: selected_labels(cloned),
            target_ports: ports.filter_map(|p| p.get("targetPort")?.as_str().map(str::to_owned)).collect(),
            answers: hosts.as_ref().map(|hosts| Answers::of(&by_age(cloned), hosts)),
            hosts,
            level: PodSecurity::default(),
            bound_accounts: bound_accounts(cloned, &target.baseline.namespace),
            names: Names::default(),
            values: Values::default(),
        }
    }

    /// The same where the namespace enforces that level.
    pub fn enforcing(self, level: PodSecurity) -> Self {
        Self { level, ..self }
    }

    /// With what names stand for.
    pub fn named(mut self, selection: &Selection<'_>) -> Self {
        self.names = naming::names(selection, self.hosts.as_ref(), self.target);
        self.values = naming::values(self.hosts.as_ref(), self.target);
        self
    }
}

fn selected_labels(objects: &[&Manifest]) -> HashSet<String> {
    let mut keys = HashSet::new();
    for object in objects {
        if object.kind() == "Service" {
            keys.extend(object.get("/spec/selector").and_then(Value::as_object).into_iter().flat_map(|s| s.keys().cloned()));
        }
        collect_selectors(object.value(), &mut keys);
    }
    keys
}

/// Label selectors have one shape wherever they are: in workloads, affinities and topology constraints.
fn collect_selectors(value: &Value, keys: &mut HashSet<String>) {
    match value {
        Value::Object(map) => {
            for (field, inner) in map {
                match inner {
                    Value::Object(labels) if field == "matchLabels" => keys.extend(labels.keys().cloned()),
                    Value::Array(expressions) if field == "matchExpressions" => {
                        keys.extend(expressions.iter().filter_map(|e| e.get("key")?.as_str().map(str::to_owned)));
                    }
                    Value::Object(_) | Value::Array(_) => collect_selectors(inner, keys),
                    _ => {}
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|inner| collect_selectors(inner, keys)),
        _ => {}
    }
}
