//! Faults that tests ask for, and two clusters side by side.

use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, Node};
use kube::Api;
use kube::api::ListParams;
use serde_json::json;
use test_cluster::{Cluster, Options};
use tokio::time::timeout;

use crate::fixtures::{create, namespace, reached};

/// Longer than any answer takes, and short enough to wait for one that does not come.
const PATIENCE: Duration = Duration::from_secs(1);

#[tokio::test]
async fn an_api_server_that_was_away_comes_back_with_all_it_knew() -> Result<()> {
    let other = test_cluster::shared().await;
    let cluster = Cluster::start(Options { nodes: 2, ..Options::default() }).await?;
    let client = cluster.admin_client().await?;
    assert_eq!(Api::<Node>::all(client.clone()).list(&ListParams::default()).await?.items.len(), 2);
    namespace(&client, "faults").await?;

    let namespaces: Api<Namespace> = Api::all(client.clone());
    cluster.stop_api_server();
    namespaces.get("faults").await.expect_err("the API server is away");
    let elsewhere: Api<Namespace> = Api::all(other.admin_client().await?);
    assert!(elsewhere.get_opt("faults").await?.is_none(), "the other cluster runs and has none of it");

    cluster.start_api_server().await?;
    namespaces.get("faults").await.context("the same client reaches it again")?;

    cluster.pause_api_server()?;
    // The signal takes effect a moment after it was sent.
    let unanswered = async { while timeout(PATIENCE, namespaces.get("faults")).await.is_ok() {} };
    timeout(Duration::from_secs(10), unanswered).await.context("a paused API server answers still")?;
    cluster.resume_api_server()?;
    timeout(Duration::from_secs(10), namespaces.get("faults")).await??;

    let api: Api<Deployment> = Api::namespaced(client, "faults");
    let template = json!({
        "metadata": { "labels": { "app": "web" } },
        "spec": { "containers": [{ "name": "main", "image": "example.com/any:1" }] },
    });
    let spec = json!({ "selector": { "matchLabels": { "app": "web" } }, "template": template });
    create(&api, json!({ "metadata": { "name": "web" }, "spec": spec })).await?;
    reached(&api, "web", |it: Option<&Deployment>| it.and_then(|it| it.status.as_ref()?.ready_replicas) == Some(1)).await
}
