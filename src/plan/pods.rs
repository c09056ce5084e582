//! The pod template inside an object that runs pods.

use serde_json::Value;

use super::kinds::is_kind;
use super::manifest::Manifest;

/// JSON pointer of the pod spec of everything but a `CronJob`.
pub(super) const POD_SPEC: &str = "/spec/template/spec";

/// Lists of containers in a pod spec.
pub(super) const CONTAINER_LISTS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

/// JSON pointer of an object's pod template. A `CronJob` has it inside the template of its Jobs.
pub(super) fn template_pointer(object: &Manifest) -> &'static str {
    if is_cron_job(object) { "/spec/jobTemplate/spec/template" } else { "/spec/template" }
}

/// JSON pointer of an object's pod spec.
pub(super) fn spec_pointer(object: &Manifest) -> &'static str {
    if is_cron_job(object) { "/spec/jobTemplate/spec/template/spec" } else { POD_SPEC }
}

/// Path of an object's pod spec as people read it.
pub(super) fn spec_path(object: &Manifest) -> &'static str {
    if is_cron_job(object) { "spec.jobTemplate.spec.template.spec" } else { "spec.template.spec" }
}

fn is_cron_job(object: &Manifest) -> bool {
    is_kind(object, "batch", "CronJob")
}

/// Every container of a workload with its path.
pub(super) fn containers(workload: &Manifest) -> impl Iterator<Item = (String, &Value)> {
    let (pointer, path) = (spec_pointer(workload), spec_path(workload));
    CONTAINER_LISTS.into_iter().flat_map(move |list| {
        workload.items(&format!("{pointer}/{list}")).map(move |container| (container_path(path, list, container), container))
    })
}

/// Calls `change` with every container of a workload and its path.
pub(super) fn for_each_container(workload: &mut Manifest, mut change: impl FnMut(&str, &mut Value)) {
    let (pointer, path) = (spec_pointer(workload), spec_path(workload));
    for list in CONTAINER_LISTS {
        for container in workload.items_mut(&format!("{pointer}/{list}")) {
            change(&container_path(path, list, container), container);
        }
    }
}

fn container_path(spec: &str, list: &str, container: &Value) -> String {
    format!("{spec}.{list}[{}]", text(container, "name").unwrap_or("?"))
}

/// The text under a key.
pub(super) fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key)?.as_str()
}

/// The items of the list under a key; none where there is no list.
pub(super) fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}
