//! The pod template inside a workload.

use serde_json::Value;

use super::manifest::Manifest;

/// JSON pointer of a workload's pod template, but for CronJobs.
const TEMPLATE: &str = "/spec/template";
/// JSON pointer of a CronJob's pod template.
const TEMPLATE_OF_CRON_JOB: &str = "/spec/jobTemplate/spec/template";

/// Lists of containers in a pod spec.
pub(super) const CONTAINER_LISTS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

/// JSON pointer of an object's pod template, where it has one.
pub(super) fn template(object: &Manifest) -> &'static str {
    if object.kind() == "CronJob" { TEMPLATE_OF_CRON_JOB } else { TEMPLATE }
}

/// JSON pointer of an object's pod spec, where it has one.
pub(super) fn pod_spec(object: &Manifest) -> String {
    format!("{}/spec", template(object))
}

/// A JSON pointer of fields as people write a path.
pub(super) fn dotted(pointer: &str) -> String {
    pointer.trim_start_matches('/').replace('/', ".")
}

/// Every container of a workload with its path.
pub(super) fn containers(workload: &Manifest) -> impl Iterator<Item = (String, &Value)> {
    let spec = pod_spec(workload);
    CONTAINER_LISTS.into_iter().flat_map(move |list| {
        let path = format!("{}.{list}", dotted(&spec));
        workload.items(&format!("{spec}/{list}")).map(move |container| (container_path(&path, container), container))
    })
}

/// Calls `change` with every container of a workload and its path.
pub(super) fn for_each_container(workload: &mut Manifest, mut change: impl FnMut(&str, &mut Value)) {
    let spec = pod_spec(workload);
    for list in CONTAINER_LISTS {
        let path = format!("{}.{list}", dotted(&spec));
        for container in workload.items_mut(&format!("{spec}/{list}")) {
            change(&container_path(&path, container), container);
        }
    }
}

/// The images of an object's pods, as they are written.
pub fn images_of(object: &Manifest) -> impl Iterator<Item = &str> {
    containers(object).filter_map(|(_, container)| text(container, "image"))
}

/// The Secrets that an object's pods, or a ServiceAccount's, pull their images with.
pub fn pull_secrets_of(object: &Manifest) -> impl Iterator<Item = &str> {
    let parent = if object.kind() == "ServiceAccount" { String::new() } else { pod_spec(object) };
    object.items(&format!("{parent}/imagePullSecrets")).filter_map(|entry| text(entry, "name"))
}

/// The ServiceAccount that an object's pods run as.
pub fn service_account_of(object: &Manifest) -> &str {
    let named = |field: &str| object.text(&format!("{}/{field}", pod_spec(object)));
    named("serviceAccountName").or_else(|| named("serviceAccount")).unwrap_or("default")
}

fn container_path(list: &str, container: &Value) -> String {
    format!("{list}[{}]", text(container, "name").unwrap_or("?"))
}

/// The text under a key.
pub(super) fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key)?.as_str()
}
