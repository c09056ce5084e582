//! The pod template inside a workload.

use serde_json::Value;

use super::manifest::Manifest;

/// JSON pointer of a workload's pod spec.
pub(super) const POD_SPEC: &str = "/spec/template/spec";

/// Lists of containers in a pod spec.
pub(super) const CONTAINER_LISTS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

/// Every container of a workload with its path.
pub(super) fn containers(workload: &Manifest) -> impl Iterator<Item = (String, &Value)> {
    CONTAINER_LISTS.into_iter().flat_map(move |list| {
        workload.items(&format!("{POD_SPEC}/{list}")).map(move |container| (container_path(list, container), container))
    })
}

/// Calls `change` with every container of a workload and its path.
pub(super) fn for_each_container(workload: &mut Manifest, mut change: impl FnMut(&str, &mut Value)) {
    for list in CONTAINER_LISTS {
        for container in workload.items_mut(&format!("{POD_SPEC}/{list}")) {
            change(&container_path(list, container), container);
        }
    }
}

fn container_path(list: &str, container: &Value) -> String {
    format!("spec.template.spec.{list}[{}]", text(container, "name").unwrap_or("?"))
}

/// The text under a key.
pub(super) fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key)?.as_str()
}
