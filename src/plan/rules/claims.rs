//! `PersistentVolumeClaim`s start empty, in the class that the baseline has. Read before the server's annotations go,
//! since the class may still stand in one.

use serde_json::{Value, json};

use super::Notes;
use crate::plan::context::Context;
use crate::plan::manifest::Manifest;

const EMPTY: &str = "volumes start empty";
/// Where the class stood before Kubernetes 1.6. Where it is there it beats the field.
const CLASS_ANNOTATION: &str = "/metadata/annotations/volume.beta.kubernetes.io~1storage-class";

pub(super) fn apply(manifest: &mut Manifest, _: &Context<'_>, notes: &mut Notes) {
    if !manifest.group().is_empty() || manifest.kind() != "PersistentVolumeClaim" {
        return;
    }
    if let Some(class) = manifest.text(CLASS_ANNOTATION).map(str::to_owned) {
        manifest.set(&["spec"], "storageClassName", Value::String(class));
    }
    for field in ["volumeName", "selector"] {
        notes.take(manifest, "/spec", field, EMPTY);
    }
    // The API server writes what stands in the one into the other, so one note is enough.
    let reference = manifest.remove("/spec", "dataSourceRef");
    let source = manifest.remove("/spec", "dataSource").or(reference).unwrap_or(json!(null));
    if !source.is_null() {
        notes.removed("spec.dataSource", &source, EMPTY);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::plan::sample::{World, object};

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
}
