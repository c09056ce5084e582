//! The workloads of environments, in the fields that readiness follows from. No client, no clock, no logging.

use std::borrow::Cow;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::{ApiResource, DynamicResourceScope};
use kube::{Resource, ResourceExt};
use serde::Deserialize;

use super::index::WorkloadState;
use super::light;
use crate::api::names::ANNOTATION_APPLIED_HASH;

/// A workload of any kind.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Workload {
    #[serde(deserialize_with = "light::metadata")]
    metadata: ObjectMeta,
    spec: Spec,
    status: Status,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Spec {
    replicas: Option<i64>,
    suspend: bool,
}

/// The counts of Deployments and StatefulSets, then those of DaemonSets. `ready` is a Job's.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    observed_generation: i64,
    replicas: i64,
    updated_replicas: i64,
    ready_replicas: i64,
    available_replicas: i64,
    desired_number_scheduled: i64,
    updated_number_scheduled: i64,
    number_available: i64,
    ready: i64,
    conditions: Option<Vec<Condition>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Condition {
    #[serde(rename = "type")]
    type_: String,
    status: String,
    reason: String,
    message: String,
}

impl Resource for Workload {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(dt: &ApiResource) -> Cow<'_, str> {
        dt.kind.as_str().into()
    }
    fn group(dt: &ApiResource) -> Cow<'_, str> {
        dt.group.as_str().into()
    }
    fn version(dt: &ApiResource) -> Cow<'_, str> {
        dt.version.as_str().into()
    }
    fn api_version(dt: &ApiResource) -> Cow<'_, str> {
        dt.api_version.as_str().into()
    }
    fn plural(dt: &ApiResource) -> Cow<'_, str> {
        dt.plural.as_str().into()
    }
    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

impl Workload {
    /// Up to date and ready, by what its own controller says of it.
    pub fn state(&self, kind: &str) -> WorkloadState {
        let reason = self.unready_reason(kind);
        let applied_hash = self.annotations().get(ANNOTATION_APPLIED_HASH).cloned();
        WorkloadState { applied_hash, ready: reason.is_none(), overdue: reason.is_some() && self.is_overdue(), reason }
    }

    /// Whether a Deployment took longer than its `progressDeadlineSeconds`. What was said of the spec before counts no more.
    fn is_overdue(&self) -> bool {
        let is_observed = self.status.observed_generation >= self.metadata.generation.unwrap_or_default();
        is_observed && self.stuck().is_some_and(|c| c.reason == "ProgressDeadlineExceeded")
    }

    fn unready_reason(&self, kind: &str) -> Option<String> {
        if self.metadata.deletion_timestamp.is_some() {
            return Some("it is being deleted".to_owned());
        }
        if kind == "Job" {
            return self.unfinished_reason();
        }
        if self.status.observed_generation < self.metadata.generation.unwrap_or_default() {
            return Some("not looked at by its controller yet".to_owned());
        }
        if kind == "DaemonSet" { self.missing_on_nodes() } else { self.missing_replicas() }
    }

    /// By the rules of `kubectl rollout status`: every wanted replica is of the new template and available, and none of
    /// an old template is left.
    fn missing_replicas(&self) -> Option<String> {
        let (wanted, status) = (self.spec.replicas.unwrap_or(1), &self.status);
        let up = status.ready_replicas.min(status.available_replicas);
        if status.updated_replicas < wanted || up < wanted {
            return Some(self.failure().unwrap_or_else(|| format!("{} of {wanted} replicas are ready", up.min(status.updated_replicas))));
        }
        match status.replicas - wanted {
            ..=0 => None,
            1 => Some("1 old replica is still stopping".to_owned()),
            old => Some(format!("{old} old replicas are still stopping")),
        }
    }

    /// By the same rules: every node that should run a pod of it runs an available one of the new template.
    fn missing_on_nodes(&self) -> Option<String> {
        let status = &self.status;
        let up = status.number_available.min(status.updated_number_scheduled);
        let wanted = status.desired_number_scheduled;
        (up < wanted).then(|| format!("{up} of {wanted} nodes run it"))
    }

    /// A Job is as it should be when it is done, when it is not to run, and while its pods run: some never end.
    fn unfinished_reason(&self) -> Option<String> {
        if let Some(failed) = self.condition("Failed") {
            return Some(failed.message.clone());
        }
        let up = self.spec.suspend || self.status.ready > 0 || self.condition("Complete").is_some();
        (!up).then(|| "its pods do not run yet".to_owned())
    }

    /// What the workload's own controller says is wrong.
    fn failure(&self) -> Option<String> {
        self.condition("ReplicaFailure").or_else(|| self.stuck()).map(|c| c.message.clone())
    }

    fn stuck(&self) -> Option<&Condition> {
        self.status.conditions.as_ref()?.iter().find(|c| c.type_ == "Progressing" && c.status == "False")
    }

    /// The condition of that type, if it is true.
    fn condition(&self, type_: &str) -> Option<&Condition> {
        self.status.conditions.as_ref()?.iter().find(|c| c.type_ == type_ && c.status == "True")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(generation: i64, spec: &Value, status: &Value) -> Workload {
        serde_json::from_value(json!({"metadata": {"generation": generation}, "spec": spec, "status": status})).unwrap()
    }

    fn state(generation: i64, replicas: i64, status: &Value) -> WorkloadState {
        read(generation, &json!({"replicas": replicas}), status).state("Deployment")
    }

    fn status(updated: i64, ready: i64, all: i64) -> Value {
        json!({"observedGeneration": 2, "replicas": all, "updatedReplicas": updated, "readyReplicas": ready, "availableReplicas": ready})
    }

    #[test]
    fn a_workload_is_ready_when_a_rollout_would_be_done() {
        assert!(state(2, 1, &status(1, 1, 1)).ready);
        assert!(state(2, 0, &status(0, 0, 0)).ready, "what is off is as planned");
        assert!(!state(3, 1, &status(1, 1, 1)).ready, "the new spec is not observed");
        assert!(!state(2, 1, &status(0, 1, 1)).ready, "the ready pod is of the old template");
        assert!(!state(2, 1, &status(1, 1, 2)).ready, "an old pod is left");
        assert!(!state(1, 1, &json!({})).ready);
    }

    #[test]
    fn what_its_controller_says_is_the_reason() {
        let mut failing = status(0, 0, 0);
        failing["conditions"] = json!([{"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}]);
        assert_eq!(state(2, 1, &failing).reason.as_deref(), Some("exceeded quota"));
    }

    #[test]
    fn only_a_deadline_that_passed_for_what_is_there_now_makes_it_overdue() {
        let stuck = |reason: &str, all: i64| {
            let mut status = status(all, 0, all);
            status["conditions"] = json!([{"type": "Progressing", "status": "False", "reason": reason, "message": "timed out"}]);
            status
        };
        assert!(state(2, 1, &stuck("ProgressDeadlineExceeded", 1)).overdue);
        assert!(!state(3, 1, &stuck("ProgressDeadlineExceeded", 1)).overdue, "of the spec before");
        assert!(!state(2, 0, &stuck("ProgressDeadlineExceeded", 0)).overdue, "nothing is wanted of it");
        assert!(!state(2, 1, &stuck("ReplicaSetCreateError", 1)).overdue);
        assert!(!state(2, 1, &status(1, 0, 1)).overdue);
    }

    #[test]
    fn a_daemon_set_is_ready_when_every_node_runs_the_new_one() {
        let state = |wanted: i64, updated: i64, available: i64| {
            let status = json!({"observedGeneration": 2, "desiredNumberScheduled": wanted, "updatedNumberScheduled": updated,
                "numberAvailable": available});
            read(2, &json!({}), &status).state("DaemonSet").reason
        };
        assert_eq!(state(3, 3, 3), None);
        assert_eq!(state(0, 0, 0), None, "no node is to run it");
        assert_eq!(state(3, 1, 3).as_deref(), Some("1 of 3 nodes run it"));
        assert_eq!(state(3, 3, 2).as_deref(), Some("2 of 3 nodes run it"));
        assert!(read(3, &json!({}), &json!({"observedGeneration": 2})).state("DaemonSet").reason.is_some());
    }

    #[test]
    fn a_job_is_up_while_it_runs_and_when_it_is_done() {
        let state = |spec: Value, status: Value| read(1, &spec, &status).state("Job").reason;
        let condition = |type_: &str| json!({"conditions": [{"type": type_, "status": "True", "message": "too often"}]});
        assert_eq!(state(json!({}), condition("Complete")), None);
        assert_eq!(state(json!({}), json!({"ready": 1})), None);
        assert_eq!(state(json!({"suspend": true}), json!({})), None);
        assert_eq!(state(json!({}), json!({"active": 1, "ready": 0})).as_deref(), Some("its pods do not run yet"));
        assert_eq!(state(json!({}), condition("Failed")).as_deref(), Some("too often"));
    }
}
