//! Workloads get Ready, and go with their namespace.

use anyhow::{Context, Result};
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{DeleteParams, ListParams, LogParams};
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

#[tokio::test]
async fn a_job_can_fail_and_its_pod_logged_what_it_is_said_to_have_logged() -> Result<()> {
    let client = test_cluster::shared().await.admin_client().await?;
    namespace(&client, "failing").await?;
    let api: Api<Job> = Api::namespaced(client.clone(), "failing");
    let template = json!({
        "metadata": { "labels": { test_cluster::FAILS: "true" } },
        "spec": { "restartPolicy": "Never", "containers": [{ "name": "main", "image": "example.com/any:1" }] },
    });
    create(&api, json!({ "metadata": { "name": "migrate" }, "spec": { "backoffLimit": 0, "template": template } })).await?;
    let failed = |job: Option<&Job>| {
        let conditions = job.and_then(|job| job.status.as_ref()?.conditions.as_ref());
        conditions.is_some_and(|all| all.iter().any(|one| one.type_ == "Failed" && one.status == "True"))
    };
    reached(&api, "migrate", failed).await?;
    let pods: Api<Pod> = Api::namespaced(client, "failing");
    let name = pods.list(&ListParams::default()).await?.items.first().map(ResourceExt::name_any).context("a Job has a pod")?;
    let logs = test_cluster::Logs::default();
    assert_eq!(pods.logs(&name, &LogParams::default()).await?.trim_end(), logs.now);
    Ok(())
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
