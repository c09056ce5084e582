//! Brings a started control plane to the point where pods run, and says when it is there.

use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::{Node, ServiceAccount};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::api::PostParams;
use kube::runtime::wait::{Condition, await_condition};
use kube::{Api, Client};
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::time::{MissedTickBehavior, interval, timeout};

/// For one step of a start; a cold start on two busy cores takes 10 s in all.
const DEADLINE: Duration = Duration::from_secs(120);
/// How often the API server is asked whether it is there; nothing can be watched before it is.
const POLL: Duration = Duration::from_millis(50);
/// Capacity of each node. More than that and the scheduler's real answer is wanted.
const PODS: &str = "1000";

/// Waits until the API server says that it is ready for everything.
pub async fn api_server(client: &Client) -> Result<()> {
    let mut ticks = interval(POLL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let ready = async {
        loop {
            ticks.tick().await;
            if is_ready(client).await {
                return;
            }
        }
    };
    timeout(DEADLINE, ready).await.context("the API server is not ready")
}

/// Makes nodes and a default storage class, and waits until nodes, controllers and ServiceAccounts work.
pub async fn nodes(client: &Client, count: usize) -> Result<()> {
    let post = PostParams::default();
    Api::all(client.clone()).create(&post, &storage_class()?).await.context("cannot make the StorageClass")?;
    let nodes: Api<Node> = Api::all(client.clone());
    for index in 0..count {
        nodes.create(&post, &node(index)?).await.context("cannot make a node")?;
    }
    for index in 0..count {
        reached(nodes.clone(), &format!("kwok-{index}"), takes_pods).await?;
    }
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), "default");
    reached(accounts, "default", |account: Option<&ServiceAccount>| account.is_some()).await
}

async fn reached<K>(api: Api<K>, name: &str, condition: impl Condition<K>) -> Result<()>
where
    K: kube::Resource + Clone + std::fmt::Debug + Send + DeserializeOwned + 'static,
{
    let waited = timeout(DEADLINE, await_condition(api, name, condition)).await;
    waited.with_context(|| format!("{name} is not ready"))?.with_context(|| format!("cannot watch {name}"))?;
    Ok(())
}

async fn is_ready(client: &Client) -> bool {
    let Ok(request) = http::Request::get("/readyz").body(Vec::new()) else {
        return false;
    };
    client.request_text(request).await.is_ok()
}

/// Ready, and the controllers took the taint away that every new node has.
fn takes_pods(node: Option<&Node>) -> bool {
    let ready = node
        .and_then(|node| node.status.as_ref()?.conditions.as_ref())
        .is_some_and(|conditions| conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True"));
    let taints = node.and_then(|node| node.spec.as_ref()?.taints.as_ref());
    ready && taints.is_none_or(Vec::is_empty)
}

fn node(index: usize) -> Result<Node> {
    let name = format!("kwok-{index}");
    let room = json!({ "cpu": "1000", "memory": "4Ti", "ephemeral-storage": "4Ti", "pods": PODS });
    let node = json!({
        "metadata": {
            "name": name,
            "labels": {
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
            },
        },
        "status": { "capacity": room, "allocatable": room },
    });
    serde_json::from_value(node).context("cannot describe a node")
}

/// The class that kwok's volume stages serve, as the default: a claim without a class binds.
fn storage_class() -> Result<StorageClass> {
    let class = json!({
        "metadata": {
            "name": "kwok-volume",
            "annotations": { "storageclass.kubernetes.io/is-default-class": "true" },
        },
        "provisioner": "kwok.x-k8s.io/volume",
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "Immediate",
    });
    serde_json::from_value(class).context("cannot describe a StorageClass")
}
