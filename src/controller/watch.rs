//! The watches over what we made, cluster-wide and selected by our label: workloads and namespaces go into the index.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use futures::{Stream, StreamExt};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::{ApiResource, DynamicObject, DynamicResourceScope, PartialObjectMeta};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use serde::Deserialize;

use super::index::{Index, NamespaceState, WorkloadState};
use super::kinds::Kind;
use super::routes::put_object;
use super::wake::Wake;
use crate::api::names::{ANNOTATION_APPLIED_HASH, LABEL_ENVIRONMENT_UID};

/// A Deployment or StatefulSet, in the fields that readiness follows from.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Workload {
    metadata: ObjectMeta,
    spec: WorkloadSpec,
    status: WorkloadStatus,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct WorkloadSpec {
    replicas: Option<i64>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WorkloadStatus {
    observed_generation: i64,
    replicas: i64,
    updated_replicas: i64,
    ready_replicas: i64,
    available_replicas: i64,
    conditions: Option<Vec<WorkloadCondition>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WorkloadCondition {
    #[serde(rename = "type")]
    type_: String,
    status: String,
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
    /// Up to date and ready, by the rules of `kubectl rollout status`: the spec is observed, every wanted replica is of
    /// the new template and available, and none of an old template is left.
    pub fn state(&self) -> WorkloadState {
        let reason = self.unready_reason();
        let applied_hash = self.annotations().get(ANNOTATION_APPLIED_HASH).cloned();
        WorkloadState { applied_hash, ready: reason.is_none(), reason }
    }

    fn unready_reason(&self) -> Option<String> {
        let (wanted, status) = (self.spec.replicas.unwrap_or(1), &self.status);
        if self.metadata.deletion_timestamp.is_some() {
            return Some("it is being deleted".to_owned());
        }
        if status.observed_generation < self.metadata.generation.unwrap_or_default() {
            return Some("not looked at by its controller yet".to_owned());
        }
        let up = status.ready_replicas.min(status.available_replicas);
        if status.updated_replicas < wanted || up < wanted {
            return Some(self.failure().unwrap_or_else(|| format!("{} of {wanted} replicas are ready", up.min(status.updated_replicas))));
        }
        (status.replicas > wanted).then(|| format!("{} old replicas are still stopping", status.replicas - wanted))
    }

    /// What the workload's own controller says is wrong.
    fn failure(&self) -> Option<String> {
        let failed = |c: &&WorkloadCondition| {
            (c.type_ == "ReplicaFailure" && c.status == "True") || (c.type_ == "Progressing" && c.status == "False")
        };
        self.status.conditions.as_ref()?.iter().find(failed).map(|c| c.message.clone())
    }
}

fn ours() -> watcher::Config {
    watcher::Config::default().labels(LABEL_ENVIRONMENT_UID)
}

/// Follows all workloads of one kind that carry our label.
pub async fn workloads(client: Client, kind: &'static Kind, index: Arc<Index>, wake: Wake) {
    let api: Api<Workload> = Api::all_with(client, &kind.resource());
    let mut listed = HashSet::new();
    let mut events = log_errors(watcher(api, ours()).default_backoff(), kind.kind);
    while let Some(event) = events.next().await {
        match event {
            watcher::Event::Init => listed.clear(),
            watcher::Event::InitApply(workload) => {
                listed.insert((workload.namespace().unwrap_or_default(), workload.name_any()));
                put(&index, kind, &workload, &wake);
            }
            watcher::Event::InitDone => {
                index.keep_workloads(kind.kind, &listed);
                listed = HashSet::new();
            }
            watcher::Event::Apply(workload) => put(&index, kind, &workload, &wake),
            watcher::Event::Delete(workload) => {
                index.drop_workload(&workload.namespace().unwrap_or_default(), &(kind.kind, workload.name_any()));
                wake.owner_of(&workload.metadata);
            }
        }
    }
}

/// Follows the metadata of all objects of one kind that carry our label and that we applied ourselves: the claims that a
/// StatefulSet makes are its own affair.
pub async fn objects(client: Client, kind: &'static Kind, index: Arc<Index>, wake: Wake) {
    let api: Api<PartialObjectMeta<DynamicObject>> = Api::all_with(client, &kind.resource());
    let mut listed = HashSet::new();
    let mut events = log_errors(watcher(api, ours()).default_backoff(), kind.kind);
    while let Some(event) = events.next().await {
        match event {
            watcher::Event::Init => listed.clear(),
            watcher::Event::InitApply(object) => {
                listed.insert((object.namespace().unwrap_or_default(), object.name_any()));
                put_applied(&index, kind, &object, &wake);
            }
            watcher::Event::InitDone => index.keep_workloads(kind.kind, &std::mem::take(&mut listed)),
            watcher::Event::Apply(object) => put_applied(&index, kind, &object, &wake),
            watcher::Event::Delete(object) => {
                index.drop_workload(&object.namespace().unwrap_or_default(), &(kind.kind, object.name_any()));
                wake.owner_of(&object.metadata);
            }
        }
    }
}

fn put_applied(index: &Index, kind: &'static Kind, object: &PartialObjectMeta<DynamicObject>, wake: &Wake) {
    let namespace = object.namespace().unwrap_or_default();
    let is_known = index.workload(&namespace, &(kind.kind, object.name_any())).is_some();
    if is_known || object.annotations().contains_key(ANNOTATION_APPLIED_HASH) {
        put_object(index, (&namespace, kind.kind), &object.metadata, wake);
    }
}

fn put(index: &Index, kind: &'static Kind, workload: &Workload, wake: &Wake) {
    let (namespace, key, state) = (workload.namespace().unwrap_or_default(), (kind.kind, workload.name_any()), workload.state());
    if index.workload(&namespace, &key).as_ref() != Some(&state) {
        index.put_workload(&namespace, key, state);
        wake.owner_of(&workload.metadata);
    }
}

/// Follows all namespaces that carry our label.
pub async fn namespaces(client: Client, index: Arc<Index>, wake: Wake) {
    let mut listed = HashSet::new();
    let mut events = log_errors(watcher(Api::<PartialObjectMeta<Namespace>>::all(client), ours()).default_backoff(), "Namespace");
    while let Some(event) = events.next().await {
        match event {
            watcher::Event::Init => listed.clear(),
            watcher::Event::InitApply(namespace) => {
                listed.insert(namespace.name_any());
                put_namespace(&index, &namespace, &wake);
            }
            watcher::Event::InitDone => {
                index.keep_namespaces(&listed);
                listed = HashSet::new();
            }
            watcher::Event::Apply(namespace) => put_namespace(&index, &namespace, &wake),
            watcher::Event::Delete(namespace) => {
                index.drop_namespace(&namespace.name_any());
                wake.owner_of(&namespace.metadata);
            }
        }
    }
}

fn put_namespace(index: &Index, namespace: &PartialObjectMeta<Namespace>, wake: &Wake) {
    let state = NamespaceState {
        uid: namespace.uid().unwrap_or_default(),
        environment_uid: namespace.labels().get(LABEL_ENVIRONMENT_UID).cloned().unwrap_or_default(),
        terminating: namespace.metadata.deletion_timestamp.is_some(),
    };
    index.put_namespace(&namespace.name_any(), state);
    wake.owner_of(&namespace.metadata);
}

/// The events of a watch; errors are logged, and the watch goes on with its backoff.
pub fn log_errors<T>(events: impl Stream<Item = Result<T, watcher::Error>> + Send, what: &'static str) -> impl Stream<Item = T> + Unpin
where
    T: Send,
{
    Box::pin(events.filter_map(move |event| async move {
        event.inspect_err(|error| tracing::warn!(kind = what, %error, "a watch was interrupted and goes on")).ok()
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn state(generation: i64, replicas: i64, status: &Value) -> WorkloadState {
        let object = json!({"metadata": {"generation": generation}, "spec": {"replicas": replicas}, "status": status});
        serde_json::from_value::<Workload>(object).unwrap().state()
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
}
