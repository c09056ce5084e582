//! Namespaces that are not ours, or not yet again.

use futures::future::try_join_all;
use github_double::On;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use preview_env::api::conditions::{ConditionStatus, PROGRESSING, STALLED};
use preview_env::api::names::LABEL_ENVIRONMENT_UID;
use serde_json::{Value, json};
use test_world::{World, wait_for};

use crate::said::kept;
use crate::shop::{Pull, Shop, story};

/// Keeps an object from going away until it is taken off.
const HOLD: &str = "example.com/hold";

fn namespaces(world: &World) -> Api<Namespace> {
    Api::all(world.admin.clone())
}

async fn create(world: &World, metadata: Value) -> anyhow::Result<Namespace> {
    let namespace: Namespace = serde_json::from_value(json!({"metadata": metadata}))?;
    Ok(namespaces(world).create(&PostParams::default(), &namespace).await?)
}

/// Puts the hold on a namespace, or takes it off.
async fn hold(world: &World, name: &str, held: bool) -> anyhow::Result<()> {
    let finalizers: &[&str] = if held { &[HOLD] } else { &[] };
    let patch = Patch::Merge(json!({"metadata": {"finalizers": finalizers}}));
    namespaces(world).patch(name, &PatchParams::default(), &patch).await?;
    Ok(())
}

#[test]
fn a_namespace_of_somebody_else_is_left_alone_and_another_name_used() {
    story(|world| async move {
        let shop = Shop::open(world, "foreign").await?;
        let before = create(world, json!({"name": "foreign-web-pr-1", "labels": {"team": "ours"}})).await?;
        let theirs: ConfigMap = serde_json::from_value(json!({"metadata": {"name": "theirs"}, "data": {"a": "b"}}))?;
        let config_maps: Api<ConfigMap> = Api::namespaced(world.admin.clone(), "foreign-web-pr-1");
        config_maps.create(&PostParams::default(), &theirs).await?;

        let pull = shop.pull_request("login").await?;
        let status = pull.wait_until_ready().await?;
        let chosen = status.namespace.unwrap_or_default();
        assert!(chosen.starts_with("foreign-web-pr-1-"), "{chosen}");
        assert_eq!(pull.perform(On::merge).await?, Some(202));
        wait_for(&shop.environments(), &pull.name(), "gone", |e: Option<&_>| e.is_none()).await?;
        assert!(namespaces(world).get_opt(&chosen).await?.is_none());

        let after = namespaces(world).get("foreign-web-pr-1").await?;
        assert_eq!((after.uid(), after.labels()), (before.uid(), before.labels()));
        assert!(after.metadata.deletion_timestamp.is_none());
        assert_eq!(config_maps.get("theirs").await?.data, theirs.data);
        assert!(!config_maps.list(&ListParams::default()).await?.items.iter().any(|c| c.name_any() == "settings"));
        Ok(())
    });
}

#[test]
fn a_namespace_that_somebody_makes_with_our_labels_while_the_environment_waits_gets_nothing() {
    story(|world| async move {
        let shop = Shop::with(world, "awaited", |spec| spec["limits"] = json!({"environments": 1})).await?;
        let first = shop.pull_request("first").await?;
        first.wait_until_ready().await?;
        let second = shop.pull_request("second").await?;
        second.wait("queued", |s| s.phase.as_deref() == Some("Queued")).await?;
        let labels = json!({"app.kubernetes.io/managed-by": "preview-env", "preview-env.dev/environment": second.name(),
            "preview-env.dev/baseline-namespace": "awaited", "preview-env.dev/environment-uid": second.environment().await?.uid()});
        create(world, json!({"name": second.namespace(), "labels": labels})).await?;

        assert_eq!(first.perform(On::merge).await?, Some(202));
        let chosen = second.wait_until_ready().await?.namespace.unwrap_or_default();
        assert!(chosen.starts_with("awaited-web-pr-2-"), "{chosen}");
        let config_maps: Api<ConfigMap> = Api::namespaced(world.admin.clone(), &second.namespace());
        let there = config_maps.list(&ListParams::default()).await?.items;
        assert!(!there.iter().any(|c| c.name_any() == "settings"), "{there:?}");
        let bindings: Api<RoleBinding> = Api::namespaced(world.admin.clone(), &second.namespace());
        assert!(bindings.list(&ListParams::default()).await?.items.is_empty());
        Ok(())
    });
}

#[test]
fn a_namespace_that_is_still_going_away_is_waited_for() {
    story(|world| async move {
        let shop = Shop::open(world, "going").await?;
        let labels = json!({"preview-env.dev/environment": "web-pr-1", "preview-env.dev/baseline-namespace": "going",
            "preview-env.dev/environment-uid": "of-one-before"});
        let before = create(world, json!({"name": "going-web-pr-1", "labels": labels, "finalizers": [HOLD]})).await?;
        namespaces(world).delete("going-web-pr-1", &DeleteParams::default()).await?;

        let pull = shop.pull_request("login").await?;
        let why = pull.wait_for_condition(PROGRESSING, ConditionStatus::Unknown, "NamespaceTerminating").await?;
        assert!(why.contains("going-web-pr-1 is still being deleted"), "{why}");
        let status = pull.environment().await?.status.unwrap_or_default();
        assert_eq!(status.phase.as_deref(), Some("Waiting"));
        assert_eq!(namespaces(world).get("going-web-pr-1").await?.uid(), before.uid());

        hold(world, "going-web-pr-1", false).await?;
        let status = pull.wait_until_ready().await?;
        assert_eq!(status.namespace.as_deref(), Some("going-web-pr-1"));
        assert_ne!(namespaces(world).get("going-web-pr-1").await?.uid(), before.uid());
        Ok(())
    });
}

#[test]
fn a_pull_request_that_is_reopened_while_the_old_environment_goes_away_comes_back() {
    story(|world| async move {
        let shop = Shop::open(world, "reopened").await?;
        let pull = shop.pull_request("login").await?;
        pull.wait_until_ready().await?;
        hold(world, &pull.namespace(), true).await?;
        assert_eq!(pull.perform(On::close).await?, Some(202));
        pull.wait("being removed", |s| s.phase.as_deref() == Some("Removing")).await?;

        let reopened = pull.act_later(On::reopen)?;
        assert_eq!(world.github.send(&reopened).await.status(), Some(202));
        pull.wait_for_condition(PROGRESSING, ConditionStatus::Unknown, "NamespaceTerminating").await?;
        hold(world, &pull.namespace(), false).await?;
        pull.wait_until_ready().await?;
        pull.wait_for_comment(|body| body.contains("is ready")).await?;
        assert_eq!(pull.comments(), 1);
        Ok(())
    });
}

#[test]
fn namespaces_that_somebody_deletes_are_made_again_with_all_that_was_in_them() {
    story(|world| async move {
        let shop = Shop::with(world, "deleted-namespace", |spec| spec["limits"] = json!({"perAuthor": 6})).await?;
        // Several at once, since it is their last moments that matter: passes go on while a namespace goes away.
        let branches: Vec<String> = (1..=6).map(|n| format!("login-{n}")).collect();
        let pulls = try_join_all(branches.iter().map(|branch| shop.pull_request(branch))).await?;
        try_join_all(pulls.iter().map(|pull| comes_back(world, pull))).await?;
        Ok(())
    });
}

async fn comes_back(world: &World, pull: &Pull<'_>) -> anyhow::Result<()> {
    let before = pull.wait_until_ready().await?;
    let old = namespaces(world).get(&pull.namespace()).await?.uid();
    namespaces(world).delete(&pull.namespace(), &DeleteParams::default()).await?;
    let is_new = |n: Option<&Namespace>| n.is_some_and(|n| n.uid() != old);
    wait_for(&namespaces(world), &pull.namespace(), "made again", is_new).await?;
    let after = pull.wait_until_ready().await?;
    assert_eq!(after.inventory, before.inventory);
    let configs: Api<ConfigMap> = Api::namespaced(world.admin.clone(), &pull.namespace());
    for entry in after.inventory.iter().filter(|entry| entry.kind == "ConfigMap") {
        configs.get(&entry.name).await?;
    }
    Ok(())
}

/// Takes our label off the namespace of an environment, or puts it back.
async fn mark(world: &World, pull: &Pull<'_>, uid: Option<String>) -> anyhow::Result<()> {
    let patch = Patch::Merge(json!({"metadata": {"labels": {LABEL_ENVIRONMENT_UID: uid}}}));
    namespaces(world).patch(&pull.namespace(), &PatchParams::default(), &patch).await?;
    Ok(())
}

/// Whether everything in it runs on.
async fn runs_on(world: &World, pull: &Pull<'_>) -> anyhow::Result<()> {
    let namespace = namespaces(world).get(&pull.namespace()).await?;
    anyhow::ensure!(namespace.metadata.deletion_timestamp.is_none(), "it is not provably ours, and goes");
    let deployments: Api<Deployment> = Api::namespaced(world.admin.clone(), &pull.namespace());
    anyhow::ensure!(!deployments.list(&ListParams::default()).await?.items.is_empty(), "what ran in it is gone");
    Ok(())
}

#[test]
fn a_namespace_whose_label_somebody_takes_off_is_left_alone_and_said_and_no_other_is_made() {
    story(|world| async move {
        let shop = Shop::open(world, "unmarked").await?;
        let pull = shop.pull_request("login").await?;
        pull.wait_until_ready().await?;
        let uid = pull.environment().await?.uid();
        mark(world, &pull, None).await?;
        assert_eq!(pull.perform(On::push).await?, Some(202));
        let why = pull.wait_for_condition(STALLED, ConditionStatus::True, "NamespaceUnmarked").await?;
        assert!(why.contains("put the label back"), "{why}");
        mark(world, &pull, uid.clone()).await?;
        let status = pull.wait_until_ready().await?;
        assert_eq!(status.namespace, Some(pull.namespace()));

        mark(world, &pull, None).await?;
        assert_eq!(pull.perform(|on| on.comment("/preview delete")).await?, Some(202));
        let why = pull.wait_for_condition(STALLED, ConditionStatus::True, "NamespaceKept").await?;
        assert!(why.starts_with("kept: ") && why.contains(&format!("kubectl delete namespace {}", pull.namespace())), "{why}");
        let comment = pull.wait_for_comment(|body| body.contains("kept: ")).await?;
        kept("kept_in_the_cluster", &pull, &comment, None).await?;
        runs_on(world, &pull).await?;
        mark(world, &pull, uid).await?;
        wait_for(&namespaces(world), &pull.namespace(), "gone", |n: Option<&Namespace>| n.is_none()).await?;
        pull.wait("removed", |s| s.phase.as_deref() == Some("Removed") && s.namespace.is_none()).await?;
        Ok(())
    });
}

#[test]
fn a_pull_request_that_is_closed_after_somebody_took_the_label_off_says_what_is_kept() {
    story(|world| async move {
        let shop = Shop::open(world, "kept").await?;
        let pull = shop.pull_request("login").await?;
        pull.wait_until_ready().await?;
        mark(world, &pull, None).await?;
        assert_eq!(pull.perform(On::merge).await?, Some(202));
        wait_for(&shop.environments(), &pull.name(), "gone", |e: Option<&_>| e.is_none()).await?;
        pull.wait_for_comment(|body| body.contains("kept: ") && body.contains("kubectl delete namespace")).await?;
        runs_on(world, &pull).await
    });
}
