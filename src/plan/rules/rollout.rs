//! Settings under which a push would not reach the pods, or would wait before it counts.
//! <https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#update-strategies>

use serde_json::{Value, json};

use super::{Notes, shown};
use crate::plan::context::Context;
use crate::plan::kinds::is_kind;
use crate::plan::manifest::Manifest;

const STRATEGY: &str = "/spec/updateStrategy";

pub(super) fn apply(manifest: &mut Manifest, _: &Context<'_>, notes: &mut Notes) {
    let [deployment, set, daemon] = ["Deployment", "StatefulSet", "DaemonSet"].map(|kind| is_kind(manifest, "apps", kind));
    if deployment || set || daemon {
        notes.take(manifest, "/spec", "minReadySeconds", "an environment is ready when its pods are");
    }
    if deployment {
        notes.take(manifest, "/spec", "paused", "a paused Deployment starts no pods");
    }
    if set || daemon {
        roll_by_itself(manifest, notes);
    }
    if daemon {
        notes.noted("kind", "a DaemonSet runs a pod on every node, here as there");
    }
}

/// `OnDelete` and a partition leave pods as they are until a person does something.
fn roll_by_itself(manifest: &mut Manifest, notes: &mut Notes) {
    let partition = manifest.get(&format!("{STRATEGY}/rollingUpdate/partition")).and_then(Value::as_i64).unwrap_or(0);
    if manifest.text(&format!("{STRATEGY}/type")) != Some("OnDelete") && partition == 0 {
        return;
    }
    if let Some(before) = manifest.get_mut(STRATEGY) {
        notes.changed("spec.updateStrategy", (&shown(before), "RollingUpdate"), "a push must reach the pods");
        *before = json!({"type": "RollingUpdate"});
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::plan::sample::{World, deployment, object, stateful_set};

    #[test]
    fn nothing_keeps_a_push_from_the_pods() {
        let objects = [
            deployment("web").with("/spec/paused", json!(true)),
            stateful_set("a").with("/spec/updateStrategy", json!({"type": "OnDelete"})),
            stateful_set("b").with("/spec/updateStrategy", json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 2}})),
            stateful_set("c").with("/spec/updateStrategy", json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 0}})),
        ];
        let plan = World::of(objects).plan();
        assert!(plan.find("Deployment/web").get("/spec/paused").is_none());
        for name in ["StatefulSet/a", "StatefulSet/b"] {
            assert_eq!(plan.find(name).get("/spec/updateStrategy").unwrap(), &json!({"type": "RollingUpdate"}));
        }
        assert_eq!(plan.said().last().unwrap(), "StatefulSet/c kept");
    }

    #[test]
    fn nobody_waits_for_what_is_ready() {
        let plan = World::of([deployment("web").with("/spec/minReadySeconds", json!(60))]).plan();
        assert!(plan.find("Deployment/web").get("/spec/minReadySeconds").is_none());
    }

    #[test]
    fn a_daemon_set_rolls_by_itself_and_is_pointed_out() {
        let agent = object("apps/v1", "DaemonSet", "agent").with("/spec", json!({"updateStrategy": {"type": "OnDelete"}}));
        let plan = World::of([agent]).plan();
        assert_eq!(plan.find("DaemonSet/agent").get("/spec/updateStrategy"), Some(&json!({"type": "RollingUpdate"})));
        assert!(plan.said().contains(&"DaemonSet/agent kind: a DaemonSet runs a pod on every node, here as there".to_owned()));
    }
}
