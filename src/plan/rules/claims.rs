//! Claims start empty, in the class that the baseline has: those of `PersistentVolumeClaim`s, of the templates of
//! StatefulSets, and of volumes that live as long as their pod. Read before the server's annotations go, since the class
//! may still stand in one.
//! <https://kubernetes.io/docs/concepts/storage/persistent-volumes/#persistentvolumeclaims>

use serde_json::{Value, json};

use super::Notes;
use crate::plan::context::Context;
use crate::plan::kinds::is_kind;
use crate::plan::manifest::{Manifest, set_in};
use crate::plan::pods::{spec_path, spec_pointer, text};

const EMPTY: &str = "volumes start empty";
/// Where the class stood before Kubernetes 1.6. Where it is there it beats the field.
const CLASS_ANNOTATION: &str = "/metadata/annotations/volume.beta.kubernetes.io~1storage-class";

pub(super) fn apply(manifest: &mut Manifest, _: &Context<'_>, notes: &mut Notes) {
    if is_kind(manifest, "", "PersistentVolumeClaim") {
        empty(manifest.value_mut(), "", notes);
    }
    for claim in manifest.items_mut("/spec/volumeClaimTemplates") {
        let name = claim.pointer("/metadata/name").and_then(Value::as_str).unwrap_or("?").to_owned();
        empty(claim, &format!("spec.volumeClaimTemplates[{name}]."), notes);
    }
    let path = spec_path(manifest);
    for volume in manifest.items_mut(&format!("{}/volumes", spec_pointer(manifest))) {
        let name = text(volume, "name").unwrap_or("?").to_owned();
        if let Some(claim) = volume.pointer_mut("/ephemeral/volumeClaimTemplate") {
            empty(claim, &format!("{path}.volumes[{name}].ephemeral.volumeClaimTemplate."), notes);
        }
    }
}

/// `path` stands before `spec`, with the dot between them.
fn empty(claim: &mut Value, path: &str, notes: &mut Notes) {
    if let Some(class) = claim.pointer(CLASS_ANNOTATION).cloned() {
        set_in(claim, &["spec"], "storageClassName", class);
    }
    let Some(spec) = claim.get_mut("spec").and_then(Value::as_object_mut) else { return };
    for field in ["volumeName", "selector"] {
        if let Some(before) = spec.remove(field).filter(|value| !super::is_empty(value)) {
            notes.removed(format!("{path}spec.{field}"), &before, EMPTY);
        }
    }
    // The API server writes what stands in the one into the other, so one note is enough.
    let reference = spec.remove("dataSourceRef");
    let source = spec.remove("dataSource").or(reference).unwrap_or(json!(null));
    if !source.is_null() {
        notes.removed(format!("{path}spec.dataSource"), &source, EMPTY);
    }
    // An empty class waits for a volume that somebody makes by hand, and nobody makes one for a copy.
    if spec.get("storageClassName").and_then(Value::as_str) == Some("") {
        spec.remove("storageClassName");
        notes.changed(format!("{path}spec.storageClassName"), ("\"\"", "the default class"), "a volume made by hand is there once");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::plan::sample::{World, deployment, object, stateful_set};

    #[test]
    fn a_claim_keeps_its_class_and_loses_its_volume() {
        let claim = object("v1", "PersistentVolumeClaim", "uploads")
            .annotation("pv.kubernetes.io/bind-completed", "yes")
            .annotation("volume.kubernetes.io/selected-node", "node-1")
            .annotation("volume.beta.kubernetes.io/storage-class", "old")
            .with(
                "/spec",
                json!({"volumeName": "pvc-1", "dataSource": {"kind": "VolumeSnapshot", "name": "s"},
                    "dataSourceRef": {"kind": "VolumeSnapshot", "name": "s"}, "selector": {"matchLabels": {"a": "b"}},
                    "storageClassName": "fast", "accessModes": ["ReadWriteOnce"]}),
            );
        let plan = World::of([claim]).plan();
        let copy = plan.find("PersistentVolumeClaim/uploads");
        assert_eq!(copy.get("/spec").unwrap(), &json!({"storageClassName": "old", "accessModes": ["ReadWriteOnce"]}));
        assert_eq!(copy.get("/metadata/annotations").unwrap().as_object().unwrap().len(), 1);
        assert_eq!(plan.said().len(), 3);
    }

    #[test]
    fn templates_of_claims_start_empty_too() {
        let spec = json!({"dataSource": {"kind": "VolumeSnapshot", "name": "s"}, "storageClassName": ""});
        let db = stateful_set("db").with("/spec/volumeClaimTemplates", json!([{"metadata": {"name": "data"}, "spec": spec}]));
        let scratch = json!([{"name": "scratch", "ephemeral": {"volumeClaimTemplate": {"spec": spec}}}]);
        let web = deployment("web").with("/spec/template/spec/volumes", scratch);
        let plan = World::of([db, web]).plan();
        assert_eq!(plan.find("StatefulSet/db").get("/spec/volumeClaimTemplates/0/spec"), Some(&json!({})));
        let left = plan.find("Deployment/web").get("/spec/template/spec/volumes/0/ephemeral/volumeClaimTemplate/spec");
        assert_eq!(left, Some(&json!({})));
        assert!(
            plan.said()[3].starts_with("StatefulSet/db spec.volumeClaimTemplates[data].spec.storageClassName: \"\" -> the default class")
        );
    }
}
