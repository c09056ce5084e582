//! The floor of a start: what a client needs that lists what the service lists and does nothing with it.

use std::time::Instant;

use anyhow::{Context, Result};
use futures::future::try_join_all;
use kube::Client;
use preview_env::api::names::LABEL_ENVIRONMENT_UID;
use serde::Deserialize;
use test_world::World;

/// Objects of a page, as many as the service asks for.
const PAGE: usize = 100;
/// What the service follows of the environments, in the whole cluster.
const LISTS: [(&str, bool); 10] = [
    ("/apis/preview-env.dev/v1alpha1/previewenvironments", false),
    ("/apis/networking.k8s.io/v1/ingresses", false),
    ("/api/v1/namespaces", true),
    ("/api/v1/services", true),
    ("/api/v1/persistentvolumeclaims", true),
    ("/apis/networking.k8s.io/v1/networkpolicies", true),
    ("/apis/apps/v1/deployments", true),
    ("/apis/apps/v1/statefulsets", true),
    ("/apis/apps/v1/daemonsets", true),
    ("/apis/batch/v1/jobs", true),
];

/// All lists at once.
#[derive(Clone, Copy, Debug)]
pub struct Lists {
    /// How long they took, in seconds.
    pub seconds: f64,
    /// How long all of them are as JSON, in MiB.
    pub size: f64,
}

/// Lists what the service lists, with the service's own token.
pub async fn lists(world: &World) -> Result<Lists> {
    let client = world.cluster.service_account_client("preview-env", "preview-env").await?;
    let begun = Instant::now();
    let sizes = try_join_all(LISTS.map(|(path, selected)| list(client.clone(), path, selected))).await?;
    #[expect(clippy::cast_precision_loss, reason = "some megabytes")]
    let size = sizes.into_iter().sum::<usize>() as f64 / 1024.0 / 1024.0;
    Ok(Lists { seconds: begun.elapsed().as_secs_f64(), size })
}

async fn list(client: Client, path: &str, selected: bool) -> Result<usize> {
    let selector = if selected { format!("&labelSelector={LABEL_ENVIRONMENT_UID}").replace('/', "%2F") } else { String::new() };
    let (mut size, mut token) = (0, String::new());
    loop {
        let from = if token.is_empty() { String::new() } else { format!("&continue={token}") };
        let request = http::Request::get(format!("{path}?limit={PAGE}{selector}{from}")).body(Vec::new())?;
        let text = client.request_text(request).await.with_context(|| format!("cannot list {path}"))?;
        size += text.len();
        token = serde_json::from_str::<List>(&text).with_context(|| format!("{path} is no list"))?.metadata.next;
        if token.is_empty() {
            return Ok(size);
        }
    }
}

/// No more of a list than where its next page begins.
#[derive(Deserialize)]
struct List {
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default, rename = "continue")]
    next: String,
}
