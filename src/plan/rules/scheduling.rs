//! Where the Baseline wants the pods of environments to run.

use serde_json::{Value, json};

use super::{Notes, shown};
use crate::api::baseline::isolation::{Scheduling, Toleration};
use crate::plan::context::Context;
use crate::plan::kinds::runs_pods;
use crate::plan::manifest::Manifest;
use crate::plan::pods::{spec_path, spec_pointer};

const WHY: &str = "scheduling";

pub(super) fn apply(manifest: &mut Manifest, context: &Context<'_>, notes: &mut Notes) {
    let scheduling = &context.target.baseline.isolation.scheduling;
    if *scheduling == Scheduling::default() || !runs_pods(manifest) {
        return;
    }
    let path = spec_path(manifest);
    let Some(spec) = manifest.get_mut(spec_pointer(manifest)) else { return };
    select_nodes(spec, path, scheduling, notes);
    tolerate(spec, path, &scheduling.tolerations, notes);
    for (field, wanted) in [("runtimeClassName", &scheduling.runtime_class_name), ("priorityClassName", &scheduling.priority_class_name)] {
        if let Some(wanted) = wanted {
            put(spec, path, (field, json!(wanted)), notes);
        }
    }
}

fn put(owner: &mut Value, path: &str, (field, wanted): (&str, Value), notes: &mut Notes) {
    let before = owner.get(field).filter(|v| !v.is_null()).cloned();
    if before.as_ref() == Some(&wanted) {
        return;
    }
    let shown_before = before.as_ref().map_or_else(|| super::ABSENT.to_owned(), shown);
    notes.changed(format!("{path}.{field}"), (&shown_before, &shown(&wanted)), WHY);
    owner[field] = wanted;
}

/// The labels are added to those that the baseline asks for; of two values of one label the Baseline's counts.
fn select_nodes(spec: &mut Value, path: &str, scheduling: &Scheduling, notes: &mut Notes) {
    if scheduling.node_selector.is_empty() {
        return;
    }
    let mut selector = spec.get("nodeSelector").and_then(Value::as_object).cloned().unwrap_or_default();
    selector.extend(scheduling.node_selector.iter().map(|(key, value)| (key.clone(), json!(value))));
    put(spec, path, ("nodeSelector", Value::Object(selector)), notes);
}

fn tolerate(spec: &mut Value, path: &str, tolerations: &[Toleration], notes: &mut Notes) {
    if tolerations.is_empty() {
        return;
    }
    let mut all = spec.get("tolerations").and_then(Value::as_array).cloned().unwrap_or_default();
    for toleration in tolerations.iter().filter_map(|t| serde_json::to_value(t).ok()) {
        if !all.contains(&toleration) {
            all.push(toleration);
        }
    }
    put(spec, path, ("tolerations", Value::Array(all)), notes);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::plan::sample::{World, deployment, isolation_of};

    const SPEC: &str = "/spec/template/spec";

    #[test]
    fn pods_run_where_the_baseline_s_owner_wants_them() {
        let scheduling = json!({"scheduling": {
            "nodeSelector": {"pool": "previews"},
            "tolerations": [{"key": "previews", "operator": "Exists", "effect": "NoSchedule"}],
            "runtimeClassName": "gvisor",
            "priorityClassName": "low",
        }});
        let web = deployment("web")
            .with(&format!("{SPEC}/nodeSelector"), json!({"pool": "prod", "arch": "arm64"}))
            .with(&format!("{SPEC}/tolerations"), json!([{"key": "spot", "operator": "Exists"}]))
            .with(&format!("{SPEC}/priorityClassName"), json!("critical"));
        let made = World::of([web]).baseline(|b| b.isolation = isolation_of(scheduling)).plan();
        let spec = made.find("Deployment/web").get(SPEC).unwrap();
        assert_eq!(spec["nodeSelector"], json!({"pool": "previews", "arch": "arm64"}));
        assert_eq!(spec["tolerations"][1], json!({"key": "previews", "operator": "Exists", "effect": "NoSchedule"}));
        assert_eq!((&spec["runtimeClassName"], &spec["priorityClassName"]), (&json!("gvisor"), &json!("low")));
        assert!(made.said().iter().filter(|line| line.ends_with("(scheduling)")).count() == 4, "{:?}", made.said());
    }

    #[test]
    fn nothing_is_said_where_nothing_is_wanted() {
        let made = World::of([deployment("web")]).baseline(|b| b.isolation = isolation_of(json!({}))).plan();
        assert!(made.said().contains(&"Deployment/web kept".to_owned()));
    }
}
