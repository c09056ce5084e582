//! Namespaces whose environment is gone: what is provably ours goes, once its pull request has ended, and nothing else does.

use github_double::On;
use k8s_openapi::api::core::v1::Namespace;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ObjectMeta, Patch, PatchParams, PostParams};
use preview_env::api::{Baseline, PreviewEnvironment};
use serde_json::json;
use test_world::{World, wait_for};

use crate::shop::{Pull, Shop, story_alone};

/// Lets the object of an environment go while nobody looks, as whoever may take the finalizer off can.
async fn lose(world: &World, pull: &Pull<'_>) -> anyhow::Result<()> {
    let as_service = world.environments_as_service(&pull.shop.namespace).await?;
    world.service.lock().await.kill();
    as_service.patch(&pull.name(), &PatchParams::default(), &Patch::Merge(json!({"metadata": {"finalizers": null}}))).await?;
    pull.shop.environments().delete(&pull.name(), &DeleteParams::default()).await?;
    wait_for(&pull.shop.environments(), &pull.name(), "lost", |e: Option<&PreviewEnvironment>| e.is_none()).await?;
    Ok(())
}

async fn start(world: &World) -> anyhow::Result<()> {
    let mut service = world.service.lock().await;
    service.launch()?;
    service.wait_until_ready().await
}

async fn wait_until_removed(world: &World, namespace: &str) -> anyhow::Result<()> {
    let namespaces: Api<Namespace> = Api::all(world.admin.clone());
    wait_for(&namespaces, namespace, "removed", |n: Option<&Namespace>| n.is_none()).await?;
    Ok(())
}

/// Waits until the service has said that of a namespace.
async fn said(world: &World, words: &[&str]) -> anyhow::Result<()> {
    let mut ticks = tokio::time::interval(std::time::Duration::from_millis(200));
    let is_said = async {
        loop {
            ticks.tick().await;
            let log = std::fs::read_to_string(world.service.lock().await.log())?;
            if log.lines().any(|line| words.iter().all(|word| line.contains(word))) {
                return anyhow::Ok(());
            }
        }
    };
    tokio::time::timeout(test_world::deadline(), is_said).await?
}

/// A namespace that somebody else made by a copy of the manifest of one of ours.
async fn copied(world: &World, of: &Namespace, name: &str) -> anyhow::Result<()> {
    let metadata = ObjectMeta {
        name: Some(name.to_owned()),
        labels: of.metadata.labels.clone(),
        annotations: of.metadata.annotations.clone(),
        ..ObjectMeta::default()
    };
    let namespaces: Api<Namespace> = Api::all(world.admin.clone());
    namespaces.create(&PostParams::default(), &Namespace { metadata, ..Namespace::default() }).await?;
    Ok(())
}

#[test]
fn a_namespace_without_its_environment_goes_once_its_pull_request_is_closed_and_a_copy_of_it_stays() {
    story_alone(|world| async move {
        let shop = Shop::open(world, "orphaned").await?;
        let pull = shop.pull_request("lost").await?;
        pull.wait_until_ready().await?;
        let namespaces: Api<Namespace> = Api::all(world.admin.clone());
        let ours = namespaces.get(&pull.namespace()).await?;
        lose(world, &pull).await?;
        copied(world, &ours, "orphaned-precious").await?;
        pull.act_later(On::close)?;
        start(world).await?;
        wait_until_removed(world, &pull.namespace()).await?;
        said(world, &["orphaned-precious", "is left alone"]).await?;
        crate::events::of_baseline(&shop, "OrphanRemoved", &pull.namespace()).await?;
        let precious = namespaces.get("orphaned-precious").await?;
        assert!(precious.metadata.deletion_timestamp.is_none(), "it was removed for its labels");
        Ok(())
    });
}

#[test]
fn a_namespace_without_its_environment_stays_while_its_pull_request_is_open_and_has_no_other() {
    story_alone(|world| async move {
        let shop = Shop::open(world, "orphan-open").await?;
        let pull = shop.pull_request("lost").await?;
        pull.wait_until_ready().await?;
        lose(world, &pull).await?;
        // Nothing makes an environment anew.
        let none = json!({"spec": {"trigger": {"pullRequests": "None"}}});
        let baselines: Api<Baseline> = Api::namespaced(world.admin.clone(), &shop.namespace);
        baselines.patch(&shop.namespace, &PatchParams::default(), &Patch::Merge(&none)).await?;
        start(world).await?;
        said(world, &[&pull.namespace(), "is open, and has no environment yet"]).await?;
        let namespaces: Api<Namespace> = Api::all(world.admin.clone());
        assert!(namespaces.get(&pull.namespace()).await?.metadata.deletion_timestamp.is_none());

        // One is made anew, under another UID and so in another namespace, and then the old one goes.
        let all = json!({"spec": {"trigger": {"pullRequests": "All"}}});
        baselines.patch(&shop.namespace, &PatchParams::default(), &Patch::Merge(&all)).await?;
        pull.perform(On::push).await?;
        let status = pull.wait_until_ready().await?;
        assert_ne!(status.namespace, Some(pull.namespace()));
        wait_until_removed(world, &pull.namespace()).await?;
        assert!(pull.environment().await?.uid().is_some());
        pull.perform(On::close).await?;
        wait_for(&shop.environments(), &pull.name(), "gone", |e: Option<&PreviewEnvironment>| e.is_none()).await?;
        Ok(())
    });
}
