//! Selectors of Services that a controller narrowed to the pods of one revision. The copy's pods have another, so the
//! Service would find none.
//! Argo Rollouts: <https://argo-rollouts.readthedocs.io/en/stable/features/traffic-management/>; the others are labels by
//! which Kubernetes tells revisions apart.

use serde_json::Value;

use super::Notes;
use crate::plan::context::Context;
use crate::plan::kinds::is_kind;
use crate::plan::manifest::Manifest;

const OF_A_REVISION: [&str; 4] = ["rollouts-pod-template-hash", "pod-template-hash", "controller-revision-hash", "pod-template-generation"];

pub(super) fn apply(manifest: &mut Manifest, _: &Context<'_>, notes: &mut Notes) {
    if !is_kind(manifest, "", "Service") {
        return;
    }
    let Some(selector) = manifest.get_mut("/spec/selector").and_then(Value::as_object_mut) else { return };
    for label in OF_A_REVISION {
        if let Some(before) = selector.remove(label) {
            notes.removed(format!("spec.selector[{label}]"), &before, "it selects pods of one revision of the baseline");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::plan::sample::{World, service};

    #[test]
    fn a_service_of_a_rollout_finds_the_copy_s_pods() {
        let web = service("web").with("/spec/selector", json!({"app": "web", "rollouts-pod-template-hash": "6f64645c"}));
        let plan = World::of([web]).plan();
        assert_eq!(plan.find("Service/web").get("/spec/selector"), Some(&json!({"app": "web"})));
        assert_eq!(plan.said().len(), 1);
    }
}
