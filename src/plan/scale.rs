//! How many pods a workload gets.
//!
//! One is enough to look at a change. Two things must not become one, and one must not stay none: a quorum whose own
//! configuration counts its members never elects a leader alone, and what an autoscaler has put to sleep is not off.
//! <https://etcd.io/docs/latest/op-guide/clustering/#static>

use serde_json::Value;

use super::kinds::is_kind;
use super::manifest::Manifest;
use super::pods::{containers, list, spec_pointer, text};
use super::types::Snapshot;
use crate::api::baseline::Replicas;

/// How many pods, and why not as many as one would think.
pub(super) struct Scale {
    /// How many.
    pub count: i64,
    /// The reason that is said.
    pub why: &'static str,
}

/// Written by kube-downscaler and py-kube-downscaler when they scale a workload to zero for the night.
pub(super) const BEFORE_SLEEP: &str = "downscaler/original-replicas";

/// Words of variables and flags that count the members of a cluster.
const COUNTS: [&str; 9] =
    ["replicas", "clustersize", "members", "bootstrapexpect", "quorum", "peers", "nodecount", "mastereligible", "minimummasternodes"];

/// The pods of a workload in an environment.
pub(super) fn planned(workload: &Manifest, snapshot: &Snapshot, choice: Replicas) -> Scale {
    // Absent means one: the API server's default.
    let before = workload.get("/spec/replicas").and_then(Value::as_i64).unwrap_or(1);
    if before == 0 {
        return if is_asleep(workload, snapshot) {
            Scale { count: 1, why: "an autoscaler had put it to sleep" }
        } else {
            Scale { count: 0, why: "off in the baseline" }
        };
    }
    match choice {
        Replicas::Baseline => Scale { count: before, why: "clone.replicas: Baseline" },
        Replicas::One if before > 1 && counts_members(workload, before, snapshot) => {
            Scale { count: before, why: "its own configuration counts its members" }
        }
        Replicas::One => Scale { count: 1, why: "clone.replicas: One" },
    }
}

fn is_asleep(workload: &Manifest, snapshot: &Snapshot) -> bool {
    let before = workload.get("/metadata/annotations").and_then(|a| a.get(BEFORE_SLEEP)?.as_str()?.parse::<i64>().ok());
    before.is_some_and(|count| count > 0) || snapshot.objects.iter().any(|o| scales(o, workload))
}

/// Whether an object is an autoscaler of that workload.
pub(super) fn scales(object: &Manifest, workload: &Manifest) -> bool {
    let target = |field: &str| object.text(&format!("/spec/scaleTargetRef/{field}"));
    is_kind(object, "autoscaling", "HorizontalPodAutoscaler")
        && target("kind") == Some(workload.kind())
        && target("name") == workload.text("/metadata/name")
}

/// Whether the pods of a StatefulSet are told how many they are, or what the others are called.
fn counts_members(set: &Manifest, count: i64, snapshot: &Snapshot) -> bool {
    if !is_kind(set, "apps", "StatefulSet") {
        return false;
    }
    let name = set.name().name;
    let told = told(set, snapshot);
    let counts = [count.to_string(), (count / 2 + 1).to_string()];
    told.iter().any(|told| told.counts(&counts) || (1..count).any(|n| names_member(&told.value, &format!("{name}-{n}"))))
}

/// One thing that pods are told: a variable, a flag or a file.
struct Told {
    name: String,
    value: String,
}

impl Told {
    fn counts(&self, counts: &[String]) -> bool {
        let name: String = self.name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
        COUNTS.iter().any(|word| name.contains(word)) && counts.contains(&self.value)
    }
}

fn told(set: &Manifest, snapshot: &Snapshot) -> Vec<Told> {
    let mut told = Vec::new();
    for (_, container) in containers(set) {
        for variable in list(container, "env") {
            let field = |key: &str| text(variable, key).unwrap_or_default().to_owned();
            told.push(Told { name: field("name"), value: field("value") });
        }
        for word in ["command", "args"].into_iter().flat_map(|key| list(container, key)).filter_map(Value::as_str) {
            let (name, value) = word.split_once('=').filter(|_| word.starts_with('-')).unwrap_or(("", word));
            told.push(Told { name: name.to_owned(), value: value.to_owned() });
        }
    }
    let used = used_config_maps(set);
    let maps = snapshot.objects.iter().filter(|o| is_kind(o, "", "ConfigMap") && used.contains(&o.name().name));
    let files = maps.flat_map(|map| map.get("/data").and_then(Value::as_object).into_iter().flatten());
    told.extend(files.filter_map(|(name, value)| Some(Told { name: name.clone(), value: value.as_str()?.to_owned() })));
    told
}

fn used_config_maps(set: &Manifest) -> Vec<String> {
    let mut names = Vec::new();
    if let Some(spec) = set.get(spec_pointer(set)) {
        collect(spec, &mut names);
    }
    names
}

/// Every way to use a `ConfigMap` has its name under one of these keys.
fn collect(value: &Value, names: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            let used = ["configMap", "configMapRef", "configMapKeyRef"].iter().filter_map(|key| text(map.get(*key)?, "name"));
            names.extend(used.map(str::to_owned));
            map.values().for_each(|inner| collect(inner, names));
        }
        Value::Array(items) => items.iter().for_each(|inner| collect(inner, names)),
        _ => {}
    }
}

/// Whether a text names a pod as a whole label: `etcd-1` in `http://etcd-1.etcd:2380`, not in `etcd-12`.
fn names_member(text: &str, pod: &str) -> bool {
    let is_label = |c: char| c.is_ascii_alphanumeric() || c == '-';
    text.match_indices(pod).any(|(at, _)| !text[..at].ends_with(is_label) && !text[at + pod.len()..].starts_with(is_label))
}
