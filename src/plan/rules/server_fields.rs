//! What the API server and its controllers write. It says nothing about what a copy should be, so it goes without a
//! word, and the namespace becomes the environment's.

use serde_json::{Value, json};

use super::Notes;
use crate::api::GROUP;
use crate::plan::context::Context;
use crate::plan::manifest::Manifest;

/// All of metadata that people write.
const METADATA: [&str; 3] = ["name", "labels", "annotations"];

/// Annotations that kubectl, the built-in controllers and leader elections write. `restartedAt` is one of them, so that
/// `kubectl rollout restart` in the baseline does not restart every environment.
const ANNOTATIONS: [&str; 2] = ["kubectl.kubernetes.io/last-applied-configuration", "kubectl.kubernetes.io/restartedAt"];
const ANNOTATION_PREFIXES: [&str; 6] = [
    "deployment.kubernetes.io/",
    "pv.kubernetes.io/",
    "volume.kubernetes.io/",
    "volume.beta.kubernetes.io/",
    "control-plane.alpha.kubernetes.io/",
    "endpoints.kubernetes.io/",
];

pub(super) fn apply(manifest: &mut Manifest, context: &Context<'_>, _: &mut Notes) {
    strip(manifest);
    manifest.set(&["metadata"], "namespace", json!(context.target.namespace));
}

/// Leaves what people write.
pub(super) fn strip(manifest: &mut Manifest) {
    manifest.remove("", "status");
    if let Some(metadata) = manifest.get_mut("/metadata") {
        reduce(metadata);
    }
    if let Some(metadata) = manifest.get_mut("/spec/template/metadata") {
        reduce(metadata);
    }
    for claim in manifest.items_mut("/spec/volumeClaimTemplates") {
        reduce_claim(claim);
    }
}

fn reduce_claim(claim: &mut Value) {
    if let Some(map) = claim.as_object_mut() {
        map.remove("status");
    }
    if let Some(metadata) = claim.get_mut("metadata") {
        reduce(metadata);
    }
}

fn reduce(metadata: &mut Value) {
    let Some(metadata) = metadata.as_object_mut() else { return };
    metadata.retain(|field, _| METADATA.contains(&field.as_str()));
    for field in ["labels", "annotations"] {
        let Some(map) = metadata.get_mut(field).and_then(Value::as_object_mut) else { continue };
        map.retain(|key, _| !is_written_by_server(key) && !is_ours(key));
        if map.is_empty() {
            metadata.remove(field);
        }
    }
}

fn is_written_by_server(key: &str) -> bool {
    ANNOTATIONS.contains(&key) || ANNOTATION_PREFIXES.iter().any(|prefix| key.starts_with(prefix))
}

/// Whether we wrote it, in an environment that is a baseline itself.
fn is_ours(key: &str) -> bool {
    key.split_once('/').is_some_and(|(prefix, _)| prefix == GROUP)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::plan::sample::{World, object};

    #[test]
    fn metadata_is_reduced_to_what_people_write() {
        let config = object("v1", "ConfigMap", "settings").with(
            "/metadata",
            json!({
                "name": "settings", "namespace": "shop", "uid": "u", "resourceVersion": "7", "generation": 2, "selfLink": "/x",
                "creationTimestamp": "2026-01-01T00:00:00Z", "managedFields": [{}], "finalizers": ["x/y"],
                "ownerReferences": [{"kind": "App", "name": "a"}], "labels": {"app": "shop"},
                "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "team": "web"},
            }),
        );
        let plan = World::of([config]).plan();
        let metadata = plan.find("ConfigMap/settings").get("/metadata").unwrap().clone();
        let mut fields: Vec<_> = metadata.as_object().unwrap().keys().cloned().collect();
        fields.sort();
        assert_eq!(fields, ["annotations", "labels", "name", "namespace"]);
        assert_eq!(metadata["namespace"], "shop-web-pr-42");
        assert_eq!(metadata["annotations"]["team"], "web");
        assert_eq!(metadata["annotations"].as_object().unwrap().len(), 2, "ours and the team's");
        assert_eq!(plan.said(), ["ConfigMap/settings kept"]);
    }
}
