//! Workloads get Ready, and go with their namespace.

use anyhow::{Context, Result};
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::DeleteParams;
use kube::runtime::conditions::is_deleted;
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use crate::fixtures::{create, namespace, reached};

#[tokio::test]
async fn a_deployment_gets_ready() -> Result<()> {
    let client = test_cluster::shared().await.admin_client().await?;
    namespace(&client, "deployment").await?;
    let api: Api<Deployment> = Api::namespaced(client, "deployment");
    create(&api, json!({ "metadata": { "name": "web" }, "spec": spec("web", 2) })).await?;
    reached(&api, "web", |it: Option<&Deployment>| it.and_then(|it| it.status.as_ref()?.ready_replicas) == Some(2)).await
}

#[tokio::test]
async fn a_stateful_set_with_a_claim_gets_ready_and_its_namespace_goes() -> Result<()> {
    let client = test_cluster::shared().await.admin_client().await?;
    namespace(&client, "stateful").await?;
    let api: Api<StatefulSet> = Api::namespaced(client.clone(), "stateful");
    let mut spec = spec("db", 1);
    spec["serviceName"] = "db".into();
    let claim = json!({ "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } } });
    spec["volumeClaimTemplates"] = json!([{ "metadata": { "name": "data" }, "spec": claim }]);
    create(&api, json!({ "metadata": { "name": "db" }, "spec": spec })).await?;
    reached(&api, "db", |it: Option<&StatefulSet>| it.and_then(|it| it.status.as_ref()?.ready_replicas) == Some(1)).await?;

    let namespaces: Api<Namespace> = Api::all(client);
    let uid = namespaces.get("stateful").await?.uid().context("a namespace has a UID")?;
    namespaces.delete("stateful", &DeleteParams::default()).await?;
    reached(&namespaces, "stateful", is_deleted(&uid)).await
}

fn spec(app: &str, replicas: usize) -> Value {
    json!({
        "replicas": replicas,
        "selector": { "matchLabels": { "app": app } },
        "template": {
            "metadata": { "labels": { "app": app } },
            // The namespace controller looks again after half the longest grace period: 16 s where none is given.
            "spec": {
                "terminationGracePeriodSeconds": 1,
                "containers": [{ "name": "main", "image": "example.com/any:1" }],
            },
        },
    })
}
