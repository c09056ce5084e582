//! One pod of each workload is enough to look at a change; `clone.replicas: Baseline` asks for as many as there are.
//! What must not be one, and what sleeps, is told in `plan/scale.rs`. Where a cloned autoscaler says how many, nothing is
//! said: the two would fight over the field.
//! <https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#migrating-deployments-and-statefulsets-to-horizontal-autoscaling>

use serde_json::{Value, json};

use super::{ABSENT, Notes};
use crate::api::baseline::Replicas;
use crate::plan::context::Context;
use crate::plan::kinds::is_kind;
use crate::plan::manifest::Manifest;
use crate::plan::scale::{BEFORE_SLEEP, planned, scales};

pub(super) fn apply(manifest: &mut Manifest, context: &Context<'_>, notes: &mut Notes) {
    if !is_kind(manifest, "apps", "Deployment") && !is_kind(manifest, "apps", "StatefulSet") {
        return;
    }
    let before = manifest.get("/spec/replicas").and_then(Value::as_i64).unwrap_or(1);
    if context.autoscalers.iter().any(|object| scales(object, manifest)) {
        manifest.remove("/spec", "replicas");
        notes.changed("spec.replicas", (&before.to_string(), ABSENT), "its autoscaler is cloned and says how many");
        return;
    }
    let choice = context.target.baseline.choices.replicas;
    let scale = planned(manifest, context.snapshot, choice);
    manifest.remove("/metadata/annotations", BEFORE_SLEEP);
    if scale.count != before {
        notes.changed("spec.replicas", (&before.to_string(), &scale.count.to_string()), scale.why);
    } else if before > 1 && choice == Replicas::One {
        notes.noted("spec.replicas", scale.why);
    }
    manifest.set(&["spec"], "replicas", json!(scale.count));
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::api::baseline::{Autoscalers, Replicas};
    use crate::plan::Manifest;
    use crate::plan::sample::{World, autoscaler, deployment, object, stateful_set};

    fn replicas(world: &World, name: &str) -> Option<i64> {
        world.plan().find(name).get("/spec/replicas").and_then(Value::as_i64)
    }

    #[test]
    fn many_become_one_and_none_stays_none() {
        let world = || World::of([deployment("off").replicas(0), deployment("one"), stateful_set("many").replicas(3)]);
        let said = ["Deployment/off kept", "Deployment/one kept", "StatefulSet/many spec.replicas: 3 -> 1 (clone.replicas: One)"];
        assert_eq!(world().plan().said(), said);
        assert_eq!(replicas(&world(), "Deployment/off"), Some(0));
        let as_is = world().baseline(|b| b.choices.replicas = Replicas::Baseline);
        assert_eq!(as_is.plan().said()[2], "StatefulSet/many kept");
    }

    fn etcd(told: &Value) -> Manifest {
        let container = json!([{"name": "etcd", "image": "etcd:3"}]);
        let set = stateful_set("etcd").replicas(3).with("/spec/template/spec/containers", container);
        let (pointer, value) = told.as_object().unwrap().iter().next().unwrap();
        set.with(&format!("/spec/template/spec/containers/0/{pointer}"), value.clone())
    }

    #[test]
    fn a_quorum_that_counts_its_members_keeps_them() {
        let counted = [
            json!({"args": ["--initial-cluster=etcd-0=http://etcd-0.etcd:2380,etcd-1=http://etcd-1.etcd:2380"]}),
            json!({"env": [{"name": "CLUSTER_SIZE", "value": "3"}]}),
            json!({"args": ["-bootstrap-expect=3"]}),
            json!({"env": [{"name": "discovery.zen.minimum_master_nodes", "value": "2"}]}),
        ];
        for told in counted {
            let said = World::of([etcd(&told)]).plan().said();
            let counts = "StatefulSet/etcd spec.replicas: its own configuration counts its members";
            assert_eq!(said, ["StatefulSet/etcd kept", counts], "{told}");
        }
        for told in [json!({"args": ["--name=etcd-12"]}), json!({"env": [{"name": "PORT", "value": "3"}]})] {
            assert_eq!(replicas(&World::of([etcd(&told)]), "StatefulSet/etcd"), Some(1));
        }
    }

    #[test]
    fn members_are_counted_in_files_that_the_pods_read_and_in_no_others() {
        let file =
            object("v1", "ConfigMap", "zoo").with("/data", json!({"zoo.cfg": "server.1=etcd-0.etcd:2888\nserver.2=etcd-1.etcd:2888"}));
        let reads = etcd(&json!({"envFrom": [{"configMapRef": {"name": "zoo"}}]}));
        assert_eq!(replicas(&World::of([reads, file.clone()]), "StatefulSet/etcd"), Some(3));
        assert_eq!(replicas(&World::of([etcd(&json!({"args": []})), file]), "StatefulSet/etcd"), Some(1));
    }

    #[test]
    fn what_an_autoscaler_put_to_sleep_wakes_up() {
        let asleep = || World::of([deployment("web").replicas(0), autoscaler("keda-hpa-web", "web")]);
        assert_eq!(asleep().plan().said()[0], "Deployment/web spec.replicas: 0 -> 1 (an autoscaler had put it to sleep)");
        let night = deployment("web").replicas(0).annotation("downscaler/original-replicas", "3");
        assert_eq!(replicas(&World::of([night]), "Deployment/web"), Some(1));
        assert_eq!(replicas(&asleep().baseline(|b| b.choices.autoscalers = Autoscalers::Clone), "Deployment/web"), None);
    }
}
