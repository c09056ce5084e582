//! The watches over what we made, cluster-wide and selected by our label: workloads and namespaces go into the index.

use std::collections::HashSet;
use std::sync::Arc;

use futures::{Stream, StreamExt};
use k8s_openapi::api::core::v1::Namespace;
use kube::core::ApiResource;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource, ResourceExt};

use super::index::{Index, NamespaceState, WorkloadKey, watched_key, workload_key};
use super::light::{Light, in_pages};
use super::routes::put_object;
use super::wake::Wake;
use super::workload::Workload;
use crate::api::names::{ANNOTATION_APPLIED_HASH, LABEL_ENVIRONMENT_UID};
use crate::kinds::Kind;

fn ours() -> watcher::Config {
    in_pages().labels(LABEL_ENVIRONMENT_UID)
}

/// Follows all workloads of one kind that carry our label.
pub async fn workloads(client: Client, kind: &'static Kind, index: Arc<Index>, wake: Wake) {
    let api: Api<Workload> = Api::all_with(client, &kind.resource());
    let mut listed = HashSet::new();
    let Some((name, _)) = workload_key(&kind.kind, "") else { return };
    let mut events = log_errors(watcher(api, ours()).default_backoff(), name);
    while let Some(event) = events.next().await {
        match event {
            watcher::Event::Init => listed.clear(),
            watcher::Event::InitApply(workload) => {
                listed.insert((workload.namespace().unwrap_or_default(), workload.name_any()));
                put(&index, name, &workload, &wake);
            }
            watcher::Event::InitDone => {
                index.keep_workloads(name, &listed);
                listed = HashSet::new();
            }
            watcher::Event::Apply(workload) => put(&index, name, &workload, &wake),
            watcher::Event::Delete(workload) => {
                index.drop_workload(&workload.namespace().unwrap_or_default(), &(name, workload.name_any()));
                wake.owner_of(workload.meta());
            }
        }
    }
}

/// Follows the metadata of all objects of one kind that carry our label and that we applied ourselves: the claims that a
/// StatefulSet makes are its own affair.
pub async fn objects(client: Client, kind: &'static Kind, index: Arc<Index>, wake: Wake) {
    let Some((name, _)) = watched_key(&kind.kind, "") else { return };
    let api: Api<Light> = Api::all_with(client, &kind.resource());
    let mut listed = HashSet::new();
    let mut events = log_errors(watcher(api, ours()).default_backoff(), name);
    while let Some(event) = events.next().await {
        match event {
            watcher::Event::Init => listed.clear(),
            watcher::Event::InitApply(object) => {
                listed.insert((object.namespace().unwrap_or_default(), object.name_any()));
                put_applied(&index, name, &object, &wake);
            }
            watcher::Event::InitDone => index.keep_workloads(name, &std::mem::take(&mut listed)),
            watcher::Event::Apply(object) => put_applied(&index, name, &object, &wake),
            watcher::Event::Delete(object) => {
                index.drop_workload(&object.namespace().unwrap_or_default(), &(name, object.name_any()));
                wake.owner_of(object.meta());
            }
        }
    }
}

fn put_applied(index: &Index, kind: &'static str, object: &Light, wake: &Wake) {
    let namespace = object.namespace().unwrap_or_default();
    let is_known = index.workload(&namespace, &(kind, object.name_any())).is_some();
    if is_known || object.annotations().contains_key(ANNOTATION_APPLIED_HASH) {
        put_object(index, (&namespace, kind), object.meta(), wake);
    }
}

fn put(index: &Index, kind: &'static str, workload: &Workload, wake: &Wake) {
    let (namespace, state) = (workload.namespace().unwrap_or_default(), workload.state(kind));
    let key: WorkloadKey = (kind, workload.name_any());
    if index.workload(&namespace, &key).as_ref() != Some(&state) {
        index.put_workload(&namespace, key, state);
        wake.owner_of(workload.meta());
    }
}

/// Follows all namespaces that carry our label.
pub async fn namespaces(client: Client, index: Arc<Index>, wake: Wake) {
    let mut listed = HashSet::new();
    let mut events =
        log_errors(watcher(Api::<Light>::all_with(client, &ApiResource::erase::<Namespace>(&())), ours()).default_backoff(), "Namespace");
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
                wake.owner_of(namespace.meta());
            }
        }
    }
}

fn put_namespace(index: &Index, namespace: &Light, wake: &Wake) {
    index.put_namespace(&namespace.name_any(), NamespaceState::of(namespace.meta()));
    wake.owner_of(namespace.meta());
}

/// The events of a watch; errors are logged, and the watch goes on with its backoff. So is each list but the first: it makes up
/// for what the watch missed, and should be rare.
pub fn log_errors<T>(
    events: impl Stream<Item = Result<watcher::Event<T>, watcher::Error>> + Send,
    what: &'static str,
) -> impl Stream<Item = watcher::Event<T>> + Unpin
where
    T: Send,
{
    let mut lists = 0_u64;
    Box::pin(events.filter_map(move |event| {
        match &event {
            Ok(watcher::Event::Init) => lists += 1,
            Ok(watcher::Event::InitDone) if lists > 1 => tracing::warn!(kind = what, lists, "a watch began anew, and all was listed again"),
            Ok(_) => {}
            Err(error) => tracing::warn!(kind = what, %error, "a watch was interrupted and goes on"),
        }
        std::future::ready(event.ok())
    }))
}
