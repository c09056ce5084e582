//! Workloads get Ready and go, in a cluster that the tests of this file share.

use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{DeleteParams, PostParams};
use kube::runtime::conditions::is_deleted;
use kube::runtime::wait::{Condition, await_condition};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::timeout;

/// A namespace with pods takes the real controllers 10 s to delete: they look again only then.
const DEADLINE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_deployment_gets_ready() -> Result<()> {
    let client = test_cluster::shared().await.admin_client().await?;
    let namespace = namespace(&client, "deployment").await?;
    let api: Api<Deployment> = Api::namespaced(client, &namespace);
    create(&api, json!({ "metadata": { "name": "web" }, "spec": spec("web", 2) })).await?;
    wait(&api, "web", |it: Option<&Deployment>| it.and_then(|it| it.status.as_ref()?.ready_replicas) == Some(2)).await
}

#[tokio::test]
async fn a_stateful_set_with_a_claim_gets_ready_and_its_namespace_goes() -> Result<()> {
    let client = test_cluster::shared().await.admin_client().await?;
    let namespace = namespace(&client, "stateful").await?;
    let api: Api<StatefulSet> = Api::namespaced(client.clone(), &namespace);
    let mut spec = spec("db", 1);
    spec["serviceName"] = "db".into();
    let claim = json!({ "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } } });
    spec["volumeClaimTemplates"] = json!([{ "metadata": { "name": "data" }, "spec": claim }]);
    create(&api, json!({ "metadata": { "name": "db" }, "spec": spec })).await?;
    wait(&api, "db", |it: Option<&StatefulSet>| it.and_then(|it| it.status.as_ref()?.ready_replicas) == Some(1)).await?;

    let namespaces: Api<Namespace> = Api::all(client);
    let uid = namespaces.get(&namespace).await?.uid().context("a namespace has a UID")?;
    namespaces.delete(&namespace, &DeleteParams::default()).await?;
    wait(&namespaces, &namespace, is_deleted(&uid)).await
}

fn spec(app: &str, replicas: usize) -> Value {
    json!({
        "replicas": replicas,
        "selector": { "matchLabels": { "app": app } },
        "template": {
            "metadata": { "labels": { "app": app } },
            "spec": { "containers": [{ "name": "main", "image": "example.com/any:1" }] },
        },
    })
}

async fn namespace(client: &Client, name: &str) -> Result<String> {
    create(&Api::<Namespace>::all(client.clone()), json!({ "metadata": { "name": name } })).await?;
    Ok(name.to_owned())
}

async fn create<K: Resource + DeserializeOwned + Clone + serde::Serialize + std::fmt::Debug>(api: &Api<K>, object: Value) -> Result<K> {
    Ok(api.create(&PostParams::default(), &serde_json::from_value(object)?).await?)
}

async fn wait<K>(api: &Api<K>, name: &str, condition: impl Condition<K>) -> Result<()>
where
    K: Resource + Clone + std::fmt::Debug + Send + DeserializeOwned + 'static,
{
    let waited = timeout(DEADLINE, await_condition(api.clone(), name, condition)).await;
    waited.with_context(|| format!("{name} does not get there"))??;
    Ok(())
}
