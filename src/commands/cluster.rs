//! What carrying out commands asks of the API server. The client is used here.

use futures::FutureExt;
use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, Client, Resource, ResourceExt};
use serde_json::{Value, json};

use super::effect::Part;
use super::logs::{Wanted, speaker};
use crate::api::PreviewEnvironment;
use crate::api::names::{FINALIZER, LABEL_ENVIRONMENT_UID, MANAGER_COMMANDS, manager_command};
use crate::api::status::CommandResult;
use crate::controller::requests::{RequestError, delete_environment, let_go, within_deadline};

/// Most pods of a namespace that are looked at for one that speaks.
const PODS: u32 = 500;

/// What an answer is, once it comes.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, RequestError>>;

/// The API server, as far as commands need it. Everything may be done twice.
pub trait Cluster: Send + Sync {
    /// Writes a part of spec under its own manager. One that is older than what is recorded changes nothing.
    fn apply<'a>(&'a self, object: &'a PreviewEnvironment, part: &'a Part) -> Answer<'a, ()>;
    /// Writes what came of the last commands.
    fn write_results<'a>(&'a self, object: &'a PreviewEnvironment, results: &'a [CommandResult]) -> Answer<'a, ()>;
    /// Takes a command out of spec, and its field manager with it.
    fn prune<'a>(&'a self, object: &'a PreviewEnvironment, id: &'a str) -> Answer<'a, ()>;
    /// Deletes exactly the version that was read.
    fn remove<'a>(&'a self, object: &'a PreviewEnvironment) -> Answer<'a, ()>;
    /// The last lines of a service, as it logged them; None where it has no pod.
    fn logs<'a>(&'a self, object: &'a PreviewEnvironment, wanted: &'a Wanted) -> Answer<'a, Option<String>>;
}

impl Cluster for Client {
    fn apply<'a>(&'a self, object: &'a PreviewEnvironment, part: &'a Part) -> Answer<'a, ()> {
        async move {
            let spec = json!({"spec": {"baseline": object.spec.baseline, part.field: part.value}});
            match patch(self, object, &part.manager, spec).await {
                Err(error) if is_older(&error) => Ok(()),
                other => other,
            }
        }
        .boxed()
    }

    fn write_results<'a>(&'a self, object: &'a PreviewEnvironment, results: &'a [CommandResult]) -> Answer<'a, ()> {
        async move {
            let (namespace, name) = names_of(object);
            let patch = Patch::Apply(manifest(object, json!({"status": {"commands": results}})));
            let params = PatchParams::apply(MANAGER_COMMANDS).force();
            let api: Api<PreviewEnvironment> = Api::namespaced(self.clone(), &namespace);
            let answer = api.patch_status(&name, &params, &patch);
            within_deadline(&format!("write what came of a command to {namespace}/{name}"), answer).await.map(drop)
        }
        .boxed()
    }

    /// An apply that sends nothing gives up everything that its manager holds. Without the name of the Baseline, too, which
    /// others hold as well: whoever wrote a part did.
    fn prune<'a>(&'a self, object: &'a PreviewEnvironment, id: &'a str) -> Answer<'a, ()> {
        async move { patch(self, object, &manager_command(id), json!({})).await }.boxed()
    }

    fn remove<'a>(&'a self, object: &'a PreviewEnvironment) -> Answer<'a, ()> {
        async move {
            let ended = if object.finalizers().iter().any(|f| f == FINALIZER) {
                delete_environment(self, &let_go(self, object).await?).await
            } else {
                delete_environment(self, object).await
            };
            ended.map(drop)
        }
        .boxed()
    }

    fn logs<'a>(&'a self, object: &'a PreviewEnvironment, wanted: &'a Wanted) -> Answer<'a, Option<String>> {
        async move {
            let api: Api<Pod> = Api::namespaced(self.clone(), &wanted.namespace);
            let uid = object.uid().unwrap_or_default();
            let ours = ListParams::default().labels(&format!("{LABEL_ENVIRONMENT_UID}={uid}")).limit(PODS);
            let pods = within_deadline(&format!("list the pods of {}", wanted.namespace), api.list(&ours)).await?;
            let Some(speaker) = speaker(&pods.items, wanted) else { return Ok(None) };
            speaker.read((self, &wanted.namespace), wanted.lines).await.map(Some)
        }
        .boxed()
    }
}

/// Exactly the object that was read, and not another one of its name.
fn manifest(object: &PreviewEnvironment, part: Value) -> Value {
    let mut manifest = part;
    manifest["apiVersion"] = PreviewEnvironment::api_version(&()).into();
    manifest["kind"] = PreviewEnvironment::kind(&()).into();
    manifest["metadata"] = json!({"name": object.name_any(), "uid": object.uid()});
    manifest
}

async fn patch(client: &Client, object: &PreviewEnvironment, manager: &str, part: Value) -> Result<(), RequestError> {
    let (namespace, name) = names_of(object);
    let api: Api<PreviewEnvironment> = Api::namespaced(client.clone(), &namespace);
    let patch = Patch::Apply(manifest(object, part));
    let params = PatchParams::apply(manager).force();
    let answer = api.patch_metadata(&name, &params, &patch);
    within_deadline(&format!("carry out a command on {namespace}/{name}"), answer).await.map(drop)
}

/// Somebody wrote something newer in between, which stands.
fn is_older(error: &RequestError) -> bool {
    matches!(error, RequestError::Answered { code: 422, message, .. } if message.contains(": older than "))
}

fn names_of(object: &PreviewEnvironment) -> (String, String) {
    (object.namespace().unwrap_or_default(), object.name_any())
}
