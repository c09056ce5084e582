//! Takes an environment down: workloads first so that capacity is free at once, then the namespace, and the object last.
//! The client is used here.
//!
//! Only namespaces that carry the environment's UID and a name that we would have given are touched, each delete by the
//! namespace's own UID: a label alone can come with a copied manifest or a restored backup. A collection
//! delete cannot carry a precondition, so it selects by the environment's UID label.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::Context;
use super::index::NamespaceState;
use super::namespace::{candidates, was_ours};
use super::orphans::proven;
use super::requests::{self, Place, RequestError};
use crate::api::names::{FINALIZER, MANAGER_EXTENSION, MANAGER_PIN};
use crate::api::status::InventoryEntry;
use crate::api::{PreviewEnvironment, PreviewEnvironmentStatus};
use crate::domain::Environment;
use crate::kinds::{Kind, Known};
use crate::plan::ObjectName;
use kube::ResourceExt;

/// What is stopped, in order: each stage makes what the next one deletes, and would make it again. Claims come last: they
/// stay until their pods are gone, and the end of the namespace would look for them only once it has waited for those.
const STAGES: [&[(&str, &str)]; 4] = [
    &[("apps/v1", "Deployment"), ("apps/v1", "StatefulSet"), ("apps/v1", "DaemonSet"), ("batch/v1", "CronJob")],
    &[("apps/v1", "ReplicaSet"), ("batch/v1", "Job")],
    &[("v1", "Pod")],
    &[("v1", "PersistentVolumeClaim")],
];

/// How far taking down came.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CleanUp {
    /// These namespaces are on their way out.
    Going(Vec<String>),
    /// This one is there, was the environment's, and is not provably so any more: it stays.
    Kept(String),
    /// Nothing is left.
    Gone,
}

/// Takes down everything of an environment but its object. Called again until nothing is left. Before the object goes, `last`,
/// the API server is asked for what nobody else knows of.
pub async fn take_down(
    context: &Context,
    environment: &Environment,
    (recorded, last): (&PreviewEnvironmentStatus, bool),
) -> Result<CleanUp, RequestError> {
    let Found { mut ours, kept } = namespaces(context, environment, recorded).await?;
    if ours.is_empty() && last {
        ours = unknown_namespaces(context, environment).await?;
    }
    let custom = custom_kinds(context, recorded);
    for (name, state) in &ours {
        if !state.terminating {
            tracing::info!(env = %environment.name, namespace = name, "taking down");
            end_namespace(context, &environment.uid, (name, &state.uid), &custom).await?;
        }
    }
    Ok(match kept {
        _ if !ours.is_empty() => CleanUp::Going(ours.into_iter().map(|(name, _)| name).collect()),
        Some(name) => CleanUp::Kept(name),
        None => CleanUp::Gone,
    })
}

/// The namespaces of an environment.
struct Found {
    ours: Vec<(String, NamespaceState)>,
    /// The recorded one, where it was ours and is not provably so.
    kept: Option<String>,
}

/// Stops what runs in a namespace of the environment of that UID, custom resources first, and deletes it by its own UID.
pub async fn end_namespace(
    context: &Context,
    environment_uid: &str,
    (name, uid): (&str, &str),
    custom: &[Kind],
) -> Result<(), RequestError> {
    // What one kind's API cannot do, such as for a webhook that is down, keeps nothing else alive.
    let custom = delete_all(context, environment_uid, (name, custom)).await;
    let stopped = stop_workloads(context, environment_uid, name).await;
    requests::delete_namespace(&context.client, name, uid).await?;
    custom.and(stopped)
}

/// What the watch knows, and the recorded namespace, which the watch may not have seen yet.
async fn namespaces(context: &Context, environment: &Environment, recorded: &PreviewEnvironmentStatus) -> Result<Found, RequestError> {
    let names = candidates(environment, recorded.namespace.as_deref());
    let (mut ours, strange): (Vec<_>, Vec<_>) =
        context.index.namespaces_of(&environment.uid).into_iter().partition(|(name, _)| names.contains(name));
    for (name, _) in strange {
        tracing::warn!(env = %environment.name, namespace = name, "a namespace carries our label and not our name, and is left alone");
    }
    let mut kept = None;
    if let Some(name) = &recorded.namespace
        && ours.is_empty()
        && let Some(there) = requests::get_namespace(&context.client, name).await?
    {
        let state = NamespaceState::of(&there.metadata);
        if state.environment_uid == environment.uid {
            ours.push((name.clone(), state));
        } else if was_ours(environment, &state, recorded.applied_at) {
            kept = Some(name.clone());
        }
    }
    Ok(Found { ours, kept })
}

/// A namespace that was made just before the end, of which neither the record was written nor the watch has told: of the names
/// that it can have those that are provably ours and this environment's.
async fn unknown_namespaces(context: &Context, environment: &Environment) -> Result<Vec<(String, NamespaceState)>, RequestError> {
    let mut ours = Vec::new();
    for name in candidates(environment, None) {
        let there = requests::get_namespace(&context.client, &name).await?;
        let is_ours = |there: &requests::Metadata| proven(&there.metadata).is_ok_and(|proven| proven.environment_uid == environment.uid);
        if let Some(there) = there.filter(is_ours) {
            tracing::warn!(env = %environment.name, namespace = name, "a namespace of ours was not on record");
            ours.push((name, NamespaceState::of(&there.metadata)));
        }
    }
    Ok(ours)
}

/// Deletes the workloads and volumes of an environment, and says whether no volume is left. Called again until it is so.
/// Claims go after the pods that use them, which Kubernetes sees to.
pub async fn empty(context: &Context, environment: &Environment, namespace: &str) -> Result<bool, RequestError> {
    stop_workloads(context, &environment.uid, namespace).await?;
    let Some(claims) = Kind::find("v1", "PersistentVolumeClaim") else { return Ok(true) };
    Ok(requests::names(&context.client, Place { kind: claims, namespace }, &environment.uid).await?.is_empty())
}

async fn stop_workloads(context: &Context, environment_uid: &str, namespace: &str) -> Result<(), RequestError> {
    let mut all = Ok(());
    for stage in STAGES {
        let kinds: Vec<Kind> = stage.iter().filter_map(|(version, kind)| Kind::find(version, kind).cloned()).collect();
        all = all.and(delete_all(context, environment_uid, (namespace, &kinds)).await);
    }
    all
}

/// The kinds of custom resources that were applied. They go before everything else: what their operators made of them
/// does not carry our label, and the operators take it down while they still can.
fn custom_kinds(context: &Context, recorded: &PreviewEnvironmentStatus) -> Vec<Kind> {
    let name =
        |entry: &InventoryEntry| ObjectName { api_version: entry.api_version.clone(), kind: entry.kind.clone(), name: entry.name.clone() };
    let is_custom = |kind: &Kind| Known::find(kind.group(), &kind.kind).is_none();
    let applied = recorded.inventory.iter().filter_map(|entry| context.baselines.discovery.kind_of(&name(entry)));
    let kinds: BTreeSet<Kind> = applied.filter(is_custom).collect();
    kinds.into_iter().collect()
}

/// Deletes everything of those kinds, each as a collection.
async fn delete_all(context: &Context, environment_uid: &str, (namespace, kinds): (&str, &[Kind])) -> Result<(), RequestError> {
    let deletes = kinds.iter().map(|kind| requests::delete_collection(&context.client, Place { kind, namespace }, environment_uid));
    for result in futures::future::join_all(deletes).await {
        match result {
            // Without rights in the namespace nothing was ever applied there; the namespace's end takes the rest.
            Err(error) if error.code() == Some(403) => tracing::warn!(namespace, %error, "workloads end with their namespace"),
            other => other?,
        }
    }
    Ok(())
}

/// Takes a pin and an extension back where the pull request has ended: one that is reopened while the rest goes begins anew, as
/// one that is reopened later.
pub async fn forget_wishes(context: &Context, environment: &Environment, object: &PreviewEnvironment) -> Result<(), RequestError> {
    let mut current = Cow::Borrowed(object);
    for (manager, is_there) in [(MANAGER_PIN, environment.pinned), (MANAGER_EXTENSION, environment.extended_until.is_some())] {
        if is_there {
            current = match requests::take_back(&context.client, &current, manager).await {
                // Something came in between. The watch brings it, and with it the next pass.
                Err(error) if matches!(error.code(), Some(404 | 409)) => return Ok(()),
                other => Cow::Owned(other?),
            };
        }
    }
    Ok(())
}

/// Takes the object itself away: exactly the version that was looked at, so that a fact that came in between keeps it. Says
/// whether that was done here, and not by a pass before.
pub async fn remove_object(context: &Context, object: &PreviewEnvironment) -> Result<bool, RequestError> {
    let held = object.finalizers().iter().any(|f| f == FINALIZER);
    let current = if held { requests::let_go(&context.client, object).await? } else { object.clone() };
    if object.metadata.deletion_timestamp.is_none() {
        return requests::delete_environment(&context.client, &current).await;
    }
    Ok(held)
}
