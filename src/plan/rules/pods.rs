//! Pods of an environment stop quickly, take no other pod's place, and hold nothing of a node for themselves.

use serde_json::{Value, json};

use super::Notes;
use crate::plan::context::Context;
use crate::plan::kinds::runs_pods;
use crate::plan::manifest::Manifest;
use crate::plan::pods::{for_each_container, spec_path, spec_pointer};

/// Longest time from the word to stop to the end of a pod, in seconds. Ours: long enough for a clean stop of most
/// programs, short enough that taking down an environment does not wait for those that ignore the word.
const GRACE_SECONDS: i64 = 5;
/// The API server's default, in seconds.
const DEFAULT_GRACE_SECONDS: i64 = 30;
const QUICK: &str = "environments stop quickly";

pub(super) fn apply(manifest: &mut Manifest, _: &Context<'_>, notes: &mut Notes) {
    if !runs_pods(manifest) {
        return;
    }
    cap_grace(manifest, notes);
    for_each_container(manifest, |path, container| {
        cap_sleep(path, container, notes);
        drop_host_ports(path, container, notes);
    });
    let spec = spec_pointer(manifest);
    notes.take(manifest, spec, "priorityClassName", "a preview must not preempt other pods");
    // Both follow from the class, and the API server refuses them without it.
    manifest.remove(spec, "priority");
    manifest.remove(spec, "preemptionPolicy");
    notes.take(manifest, spec, "nodeName", "the scheduler picks the node");
}

fn cap_grace(manifest: &mut Manifest, notes: &mut Notes) {
    let spec = spec_pointer(manifest);
    let field = format!("{spec}/terminationGracePeriodSeconds");
    let before = manifest.get(&field).and_then(Value::as_i64);
    let seconds = before.unwrap_or(DEFAULT_GRACE_SECONDS);
    if seconds <= GRACE_SECONDS {
        return;
    }
    notes.changed(
        format!("{}.terminationGracePeriodSeconds", spec_path(manifest)),
        (&seconds.to_string(), &GRACE_SECONDS.to_string()),
        QUICK,
    );
    let path: Vec<&str> = spec.split('/').skip(1).collect();
    manifest.set(&path, "terminationGracePeriodSeconds", json!(GRACE_SECONDS));
}

/// A sleep before the stop that is longer than the grace period is refused by the API server.
fn cap_sleep(path: &str, container: &mut Value, notes: &mut Notes) {
    let Some(sleep) = container.pointer_mut("/lifecycle/preStop/sleep/seconds") else { return };
    if sleep.as_i64().is_some_and(|seconds| seconds > GRACE_SECONDS) {
        let path = format!("{path}.lifecycle.preStop.sleep.seconds");
        notes.changed(path, (&sleep.to_string(), &GRACE_SECONDS.to_string()), QUICK);
        *sleep = json!(GRACE_SECONDS);
    }
}

/// A port of the node can be held once: the copy would wait for the baseline's pod to go.
fn drop_host_ports(path: &str, container: &mut Value, notes: &mut Notes) {
    let ports = container.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten();
    for (index, port) in ports.filter_map(Value::as_object_mut).enumerate() {
        port.remove("hostIP");
        if let Some(before) = port.remove("hostPort") {
            notes.removed(format!("{path}.ports[{index}].hostPort"), &before, "a port of the node can be held once");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::plan::sample::{World, deployment};

    #[test]
    fn pods_stop_quickly() {
        let slow = deployment("slow")
            .with("/spec/template/spec/terminationGracePeriodSeconds", json!(60))
            .with("/spec/template/spec/containers/0/lifecycle", json!({"preStop": {"sleep": {"seconds": 15}}}));
        let unsaid = deployment("unsaid").without("/spec/template/spec", "terminationGracePeriodSeconds");
        let quick = deployment("quick").with("/spec/template/spec/terminationGracePeriodSeconds", json!(0));
        let plan = World::of([slow, unsaid, quick]).plan();
        let grace = |name: &str| plan.find(name).get("/spec/template/spec/terminationGracePeriodSeconds").cloned();
        assert_eq!(grace("Deployment/slow"), Some(json!(5)));
        assert_eq!(grace("Deployment/unsaid"), Some(json!(5)));
        assert_eq!(grace("Deployment/quick"), Some(json!(0)));
        let sleep = "/spec/template/spec/containers/0/lifecycle/preStop/sleep/seconds";
        assert_eq!(plan.find("Deployment/slow").get(sleep), Some(&json!(5)));
    }

    #[test]
    fn pods_take_nothing_from_others() {
        let greedy = deployment("greedy")
            .with("/spec/template/spec/priorityClassName", json!("critical"))
            .with("/spec/template/spec/priority", json!(1000))
            .with("/spec/template/spec/nodeName", json!("node-1"))
            .with("/spec/template/spec/containers/0/ports", json!([{"containerPort": 80, "hostPort": 80, "hostIP": "0.0.0.0"}]));
        let plan = World::of([greedy]).plan();
        let spec = &plan.find("Deployment/greedy").value()["spec"]["template"]["spec"];
        assert_eq!(spec["containers"][0]["ports"], json!([{"containerPort": 80}]));
        assert!(["priorityClassName", "priority", "nodeName"].iter().all(|field| spec.get(*field).is_none()));
        assert_eq!(plan.said().len(), 3);
    }
}
