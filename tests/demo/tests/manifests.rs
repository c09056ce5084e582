//! What `deploy/` and `examples/` ship is taken by a real API server, as an administrator would give it.

use anyhow::{Context, Result};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{DynamicObject, PostParams};
use kube::{Api, Client};
use preview_env::api::Baseline;
use serde_json::json;
use test_world::{apply, install, read, read_folder, root};
use tokio::sync::OnceCell;

/// An administrator of the cluster that these tests share, with the kinds and the rights installed once.
async fn administrator() -> Result<Client> {
    static INSTALLED: OnceCell<()> = OnceCell::const_new();
    let admin = test_cluster::shared().await.admin_client().await?;
    INSTALLED.get_or_try_init(|| install(&admin)).await?;
    Ok(admin)
}

async fn namespace(admin: &Client, name: &str, enforced: &str) -> Result<()> {
    let labels = json!({"pod-security.kubernetes.io/enforce": enforced});
    let namespace: Namespace = serde_json::from_value(json!({"metadata": {"name": name, "labels": labels}}))?;
    Api::all(admin.clone()).create(&PostParams::default(), &namespace).await?;
    Ok(())
}

fn file(path: &str) -> Result<Vec<DynamicObject>> {
    let text = std::fs::read_to_string(root().join(path)).with_context(|| format!("cannot read {path}"))?;
    read(&text)
}

#[tokio::test]
async fn the_quickstart_is_a_good_baseline() -> Result<()> {
    let admin = administrator().await?;
    namespace(&admin, "my-app", "privileged").await?;
    for object in file("examples/quickstart/baseline.yaml")? {
        apply(&admin, &object, None).await?;
    }
    let baseline = Api::<Baseline>::namespaced(admin, "my-app").get("my-app").await?;
    let read = preview_env::domain::Baseline::try_from(&baseline)?;
    assert_eq!(read.warnings(), [""; 0]);
    let secrets: Vec<_> = read.secrets.iter().map(|secret| secret.name.as_str()).collect();
    assert_eq!((read.repositories[0].alias.as_str(), secrets.as_slice()), ("web", ["my-app-db"].as_slice()));
    Ok(())
}

#[tokio::test]
async fn the_shop_can_be_created() -> Result<()> {
    let admin = administrator().await?;
    let objects = read_folder(&root().join("examples/shop"))?;
    for object in &objects {
        apply(&admin, object, None).await?;
    }
    assert!(objects.len() > 30, "{}", objects.len());
    let baseline = Api::<Baseline>::namespaced(admin, "shop").get("shop").await?;
    assert_eq!(preview_env::domain::Baseline::try_from(&baseline)?.warnings(), [""; 0]);
    Ok(())
}

#[tokio::test]
async fn the_service_can_be_installed_and_its_pod_is_restricted() -> Result<()> {
    let admin = administrator().await?;
    for object in file("deploy/service.yaml")? {
        apply(&admin, &object, None).await?;
    }
    let deployment = Api::<Deployment>::namespaced(admin.clone(), "preview-env").get("preview-env").await?;
    let template = deployment.spec.context("no spec")?.template;
    namespace(&admin, "restricted", "restricted").await?;
    // The account of a pod has to be there; everything else is as shipped.
    let mut pod = json!({"metadata": {"name": "preview"}, "spec": template.spec});
    pod["spec"]["serviceAccountName"] = json!("default");
    let pod: Pod = serde_json::from_value(pod)?;
    let dry_run = PostParams { dry_run: true, ..PostParams::default() };
    let accounts: Api<k8s_openapi::api::core::v1::ServiceAccount> = Api::namespaced(admin.clone(), "restricted");
    test_world::wait_for(&accounts, "default", "there", |account: Option<&_>| account.is_some()).await?;
    Api::<Pod>::namespaced(admin, "restricted").create(&dry_run, &pod).await.context("the pod is not restricted")?;
    Ok(())
}
