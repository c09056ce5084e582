//! One pod of each workload is enough to look at a change. What is off in the baseline stays off.

use serde_json::{Value, json};

use super::Notes;
use crate::plan::context::Context;
use crate::plan::kinds::has_replicas;
use crate::plan::manifest::Manifest;

pub(super) fn apply(manifest: &mut Manifest, _: &Context<'_>, notes: &mut Notes) {
    if !has_replicas(manifest) {
        return;
    }
    // Absent means one: the API server's default.
    let before = manifest.get("/spec/replicas").and_then(Value::as_i64).unwrap_or(1);
    if before > 1 {
        notes.changed("spec.replicas", (&before.to_string(), "1"), "replicas to one");
    }
    manifest.set(&["spec"], "replicas", json!(before.min(1)));
}

#[cfg(test)]
mod tests {
    use crate::plan::sample::{World, deployment, stateful_set};

    #[test]
    fn many_become_one_and_none_stays_none() {
        let plan = World::of([deployment("off").replicas(0), deployment("one"), stateful_set("many").replicas(3)]).plan();
        let replicas = |name: &str| plan.find(name).get("/spec/replicas").unwrap().as_i64().unwrap();
        assert_eq!((replicas("Deployment/off"), replicas("Deployment/one"), replicas("StatefulSet/many")), (0, 1, 1));
        let said = ["Deployment/off kept", "Deployment/one kept", "StatefulSet/many spec.replicas: 3 -> 1 (replicas to one)"];
        assert_eq!(plan.said(), said);
    }
}
