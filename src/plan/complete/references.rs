//! What pods cannot start without: Secrets, ConfigMaps, claims and accounts, each by its name and key. A reference that
//! says `optional` does not count.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Finding, View, listed};
use crate::plan::decision::LeftOutReason;
use crate::plan::manifest::{Manifest, ObjectName, at};
use crate::plan::pods::{containers, spec_pointer, text};

/// ConfigMaps that Kubernetes or a mesh makes in every namespace.
const EVERYWHERE: [&str; 3] = ["kube-root-ca.crt", "istio-ca-root-cert", "openshift-service-ca.crt"];

/// Why an environment for a change from a fork has no Secret, and what would give it one: no list of the Baseline does.
const WITHHELD: &str = "a change from a fork gets no Secrets (trust.forks: Isolated)";
const APPROVE: &str = "have the reference say optional, or trust.forks: Approve, by which a commit that somebody approved gets them";

/// What a pod needs an object for.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Need {
    /// To start.
    Start,
    /// To pull its images.
    Pull,
}

/// One object, or one key of it, that a pod names.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Reference<'a> {
    pub kind: &'static str,
    pub name: &'a str,
    /// The key, where one is named.
    pub key: Option<&'a str>,
    pub need: Need,
}

/// Findings about what planned workloads and hooks name and the plan does not hold, one for each object and set of keys.
pub(super) fn missing(view: &View<'_>) -> Vec<Finding> {
    let mut lacking: BTreeMap<(&str, &str), Lack<'_>> = BTreeMap::new();
    let workloads = view.running.iter().map(|workload| (workload.name(), *workload));
    let hook = |name: &str| ObjectName { api_version: "batch/v1".to_owned(), kind: "Job".to_owned(), name: format!("hook {name}") };
    for (user, object) in workloads.chain(view.hooks.iter().map(|(name, job)| (hook(name), *job))) {
        for reference in all(view, object) {
            if let Some(absent) = absence(view, &reference) {
                let lack = lacking.entry((reference.kind, reference.name)).or_default();
                lack.whole |= absent == Absent::Object;
                lack.keys.extend(reference.key.filter(|_| absent == Absent::Key));
                lack.users.entry(user.clone()).or_default().insert(reference.need);
            }
        }
    }
    lacking.into_iter().map(|((kind, name), lack)| finding(view, (kind, name), lack)).collect()
}

/// What is missing of one object, and for whom.
#[derive(Default)]
struct Lack<'a> {
    whole: bool,
    keys: BTreeSet<&'a str>,
    users: BTreeMap<ObjectName, BTreeSet<Need>>,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Absent {
    Object,
    Key,
}

fn absence(view: &View<'_>, reference: &Reference<'_>) -> Option<Absent> {
    let Reference { kind, name, key, .. } = *reference;
    let everywhere = match kind {
        "ConfigMap" => EVERYWHERE.contains(&name),
        "ServiceAccount" => name == "default",
        _ => false,
    };
    let made = matches!(view.reason(kind, name), Some(LeftOutReason::MadeBy(_) | LeftOutReason::MadeByKubernetes));
    match view.find(kind, name) {
        Some(object) => key.filter(|key| lacks(object, key)).map(|_| Absent::Key),
        None => (!everywhere && !made).then_some(Absent::Object),
    }
}

/// Whether an object has keys, and not this one. A Secret without any was not read.
fn lacks(object: &Manifest, key: &str) -> bool {
    let fields = ["/data", "/binaryData", "/stringData"].map(|field| object.get(field).and_then(Value::as_object));
    let known = object.kind() == "ConfigMap" || fields.iter().any(Option::is_some);
    known && !fields.into_iter().flatten().any(|keys| keys.contains_key(key))
}

fn finding(view: &View<'_>, (kind, name): (&str, &str), lack: Lack<'_>) -> Finding {
    let object = ObjectName { api_version: "v1".to_owned(), kind: kind.to_owned(), name: name.to_owned() };
    let pulls = lack.users.values().all(|needs| !needs.contains(&Need::Start));
    let users = listed(lack.users.keys().map(|user| user.name.as_str()));
    let used = if pulls { format!("{users} pulls images with it") } else { format!("used by {users}") };
    let used = if pulls && lack.users.len() > 1 { used.replace(" pulls ", " pull ") } else { used };
    let stops = lack.users.into_keys().filter(|user| user.kind != "Job").collect();
    let (what, mend) = if lack.whole { gap(view, &object) } else { key_gap(&object, &lack.keys) };
    Finding::new(object, format!("{used}; {what}")).mend(mend).stops(stops)
}

/// What is so with an object that is not there, and what mends it.
fn gap(view: &View<'_>, object: &ObjectName) -> (String, String) {
    let ObjectName { kind, name, .. } = object;
    let reason = view.reason(kind, name).filter(|reason| !matches!(reason, LeftOutReason::Because(_)) || kind != "Secret");
    match (kind.as_str(), reason) {
        (_, Some(LeftOutReason::NotAdmitted { why, mend })) => (format!("left out: {why}"), mend.clone()),
        (_, Some(reason)) => (format!("left out: {}", reason.sentence()), format!("name another {kind} in the workload")),
        ("Secret", None) if view.isolated => (WITHHELD.to_owned(), APPROVE.to_owned()),
        ("Secret", None) if view.snapshot.missing_secrets.contains(name) => {
            ("listed, and not in the baseline".to_owned(), "make it in the baseline, or have the reference say optional".to_owned())
        }
        ("Secret", None) => ("not copied unless listed".to_owned(), format!("clone.secrets: [{{name: {name}}}]")),
        (_, None) => ("not in the baseline either".to_owned(), "make it in the baseline, or take the reference away".to_owned()),
    }
}

fn key_gap(object: &ObjectName, keys: &BTreeSet<&str>) -> (String, String) {
    let keys = listed(keys.iter().copied());
    (format!("it has no {keys}"), format!("add {keys} to {object}, or have the reference say optional"))
}

/// Everything that the pods of a workload cannot start without.
pub(super) fn all<'a>(view: &View<'a>, workload: &'a Manifest) -> Vec<Reference<'a>> {
    let mut found = of_pods(workload);
    let account = found.iter().find(|r| r.kind == "ServiceAccount").map_or("default", |r| r.name);
    if !found.iter().any(|r| r.need == Need::Pull)
        && let Some(account) = view.find("ServiceAccount", account)
    {
        found.extend(pulls(account, "/imagePullSecrets"));
    }
    found
}

/// What the pod template itself names.
pub(super) fn of_pods(workload: &Manifest) -> Vec<Reference<'_>> {
    let pods = spec_pointer(workload);
    let spec = |field: &str| format!("{pods}/{field}");
    let mut found: Vec<Reference<'_>> = workload.items(&spec("volumes")).flat_map(in_volume).collect();
    found.extend(containers(workload).flat_map(|(_, container)| in_container(container)));
    let account = workload.text(&spec("serviceAccountName")).or_else(|| workload.text(&spec("serviceAccount")));
    found.extend(account.filter(|name| !name.is_empty()).map(|name| start("ServiceAccount", name)));
    found.extend(pulls(workload, &spec("imagePullSecrets")));
    found
}

fn start<'a>(kind: &'static str, name: &'a str) -> Reference<'a> {
    Reference { kind, name, key: None, need: Need::Start }
}

fn pulls<'a>(object: &'a Manifest, pointer: &str) -> impl Iterator<Item = Reference<'a>> + use<'a> {
    let names = object.items(pointer).filter_map(|entry| text(entry, "name")).filter(|name| !name.is_empty());
    names.map(|name| Reference { need: Need::Pull, ..start("Secret", name) })
}

fn in_container(container: &Value) -> Vec<Reference<'_>> {
    let items = |list: &str| container.get(list).and_then(Value::as_array).into_iter().flatten();
    let one = items("env").filter_map(|env| {
        let from = env.get("valueFrom")?;
        let secret = from.get("secretKeyRef").map(|r| ("Secret", r));
        let (kind, reference) = secret.or_else(|| from.get("configMapKeyRef").map(|r| ("ConfigMap", r)))?;
        Some(Reference { key: text(reference, "key"), ..start(kind, required(reference, "name")?) })
    });
    let many = items("envFrom").flat_map(|from| {
        let of = |field: &str, kind| Some(start(kind, required(from.get(field)?, "name")?));
        [of("secretRef", "Secret"), of("configMapRef", "ConfigMap")].into_iter().flatten()
    });
    one.chain(many).collect()
}

fn in_volume(volume: &Value) -> Vec<Reference<'_>> {
    let mut found = Vec::new();
    found.extend(volume.get("secret").map_or_else(Vec::new, |s| files(s, "Secret", "secretName")));
    found.extend(volume.get("configMap").map_or_else(Vec::new, |c| files(c, "ConfigMap", "name")));
    for source in at(volume, "/projected/sources").and_then(Value::as_array).into_iter().flatten() {
        found.extend(source.get("secret").map_or_else(Vec::new, |s| files(s, "Secret", "name")));
        found.extend(source.get("configMap").map_or_else(Vec::new, |c| files(c, "ConfigMap", "name")));
    }
    let named = |pointer: &str| at(volume, pointer).and_then(Value::as_str);
    found.extend(named("/persistentVolumeClaim/claimName").map(|name| start("PersistentVolumeClaim", name)));
    found.extend(named("/csi/nodePublishSecretRef/name").map(|name| start("Secret", name)));
    found
}

/// A mounted object, and the keys of it that are mounted by name: each of them has to be there.
fn files<'a>(reference: &'a Value, kind: &'static str, field: &str) -> Vec<Reference<'a>> {
    let Some(name) = required(reference, field) else { return Vec::new() };
    let items = reference.get("items").and_then(Value::as_array).into_iter().flatten();
    let keys = items.filter_map(|item| text(item, "key")).map(|key| Reference { key: Some(key), ..start(kind, name) });
    std::iter::once(start(kind, name)).chain(keys).collect()
}

/// The name that a reference gives, unless it says that the object may be absent.
fn required<'a>(reference: &'a Value, field: &str) -> Option<&'a str> {
    let is_optional = reference.get("optional") == Some(&Value::Bool(true));
    text(reference, field).filter(|name| !is_optional && !name.is_empty())
}
