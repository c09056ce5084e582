//! Counts at the API server: what an environment has, and what the service asked for.

use anyhow::{Context, Result};
use futures::StreamExt;
use futures::stream;
use kube::api::{DynamicObject, ListParams};
use kube::discovery::{ApiResource, Discovery, verbs};
use kube::{Api, Client, ResourceExt};
use preview_env::api::names::LABEL_ENVIRONMENT_UID;
use test_cluster::Event;

/// Who the service is to the API server.
const SERVICE: &str = "system:serviceaccount:preview-env:preview-env";

/// Every object in the whole cluster that carries the UID of an environment, as `Kind/name`.
pub async fn objects_of(client: &Client, uid: &str) -> Result<Vec<String>> {
    let discovery = Discovery::new(client.clone()).run().await.context("cannot ask the API server for its kinds")?;
    let kinds = discovery.groups().flat_map(kube::discovery::ApiGroup::recommended_resources);
    let listable: Vec<ApiResource> = kinds.filter(|(_, can)| can.supports_operation(verbs::LIST)).map(|(kind, _)| kind).collect();
    let lists = stream::iter(listable).map(|kind| carriers(client, kind, uid)).buffer_unordered(8);
    let found: Vec<Result<Vec<String>>> = lists.collect().await;
    Ok(found.into_iter().collect::<Result<Vec<_>>>()?.concat())
}

async fn carriers(client: &Client, kind: ApiResource, uid: &str) -> Result<Vec<String>> {
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &kind);
    let selected = ListParams::default().labels(&format!("{LABEL_ENVIRONMENT_UID}={uid}"));
    match api.list_metadata(&selected).await {
        Ok(list) => Ok(list.items.iter().map(|object| format!("{}/{}", kind.kind, object.name_any())).collect()),
        // Some resources answer only with what they compute; they hold nothing.
        Err(kube::Error::Api(status)) if matches!(status.code, 404..=406) => Ok(Vec::new()),
        Err(error) => Err(error).with_context(|| format!("cannot list {}", kind.plural)),
    }
}

/// Requests of the service, watches left out.
pub fn requests(events: &[Event]) -> Vec<&Event> {
    events.iter().filter(|event| event.user == SERVICE && event.verb != "watch").collect()
}

/// Those that wrote into a namespace.
pub fn writes<'a>(events: &'a [Event], namespace: &str) -> Vec<&'a Event> {
    let writes = |event: &&Event| event.namespace == namespace && !matches!(event.verb.as_str(), "get" | "list");
    requests(events).into_iter().filter(writes).collect()
}
