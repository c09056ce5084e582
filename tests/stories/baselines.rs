//! Baselines that are wrong hold up nobody else, and say what to do.

use github_double::On;
use kube::api::{Api, Patch, PatchParams, PostParams};
use preview_env::api::Baseline;
use preview_env::api::conditions::{ConditionStatus, READY, find, is_true};
use serde_json::{Value, json};
use test_world::{World, baseline_access, wait_for};

use crate::shop::{Shop, story};

fn baselines(world: &World, namespace: &str) -> Api<Baseline> {
    Api::namespaced(world.admin.clone(), namespace)
}

async fn create(world: &World, namespace: &str, name: &str, spec: Value) -> anyhow::Result<()> {
    let mut baseline = Baseline::new(name, serde_json::from_value(spec)?);
    baseline.metadata.namespace = Some(namespace.to_owned());
    baselines(world, namespace).create(&PostParams::default(), &baseline).await?;
    Ok(())
}

/// Waits until it is not Ready for that reason, and gives the message.
async fn wait_for_refusal(world: &World, namespace: &str, name: &str, reason: &str) -> anyhow::Result<String> {
    let ready = |b: &Baseline| b.status.as_ref().and_then(|s| find(&s.conditions, READY).cloned());
    let refused = |b: Option<&Baseline>| b.and_then(ready).is_some_and(|c| c.status == ConditionStatus::False && c.reason == reason);
    let there = wait_for(&baselines(world, namespace), name, &format!("refused for {reason}"), refused).await?;
    Ok(there.as_ref().and_then(ready).map(|c| c.message).unwrap_or_default())
}

async fn wait_until_ready(world: &World, namespace: &str, name: &str) -> anyhow::Result<()> {
    let ready = |b: Option<&Baseline>| b.and_then(|b| b.status.as_ref()).is_some_and(|s| is_true(&s.conditions, READY));
    wait_for(&baselines(world, namespace), name, "Ready", ready).await.map(drop)
}

#[test]
fn a_wrong_baseline_names_its_field_and_the_others_work_on() {
    story(|world| async move {
        world.namespace("wrong").await?;
        baseline_access(&world.admin, "wrong", &[]).await?;
        let repositories = |tag: &str| json!([{"name": "acme/wrong", "images": [{"name": "acme/wrong", "tag": tag}]}]);
        create(world, "wrong", "wrong", json!({"repositories": repositories("{{ sha }}")})).await?;
        let message = wait_for_refusal(world, "wrong", "wrong", "Invalid").await?;
        assert!(message.contains("spec.repositories[0].images[0].tag"), "{message}");

        let shop = Shop::open(world, "beside-wrong").await?;
        shop.pull_request("login").await?.wait_until_ready().await?;

        let mended = Patch::Merge(json!({"spec": {"repositories": repositories("{{ revision }}")}}));
        baselines(world, "wrong").patch("wrong", &PatchParams::default(), &mended).await?;
        wait_until_ready(world, "wrong", "wrong").await
    });
}

#[test]
fn of_two_baselines_in_one_namespace_the_older_counts() {
    story(|world| async move {
        let shop = Shop::open(world, "first").await?;
        create(world, "first", "second", json!({"repositories": [{"name": shop.repository}]})).await?;
        let message = wait_for_refusal(world, "first", "second", "AnotherBaseline").await?;
        assert!(message.contains("an older Baseline, first") && message.contains("delete one"), "{message}");
        let pull = shop.pull_request("login").await?;
        pull.wait_until_ready().await?;
        assert_eq!(pull.environment().await?.spec.baseline, "first");

        baselines(world, "first").delete("first", &kube::api::DeleteParams::default()).await?;
        wait_until_ready(world, "first", "second").await?;
        // It was made for a Baseline that is gone, and the one that lists its repository now is called otherwise.
        assert_eq!(pull.perform(On::close).await?, Some(202));
        pull.wait_until_gone().await
    });
}

#[test]
fn a_close_is_heard_while_the_baseline_cannot_be_used() {
    story(|world| async move {
        let shop = Shop::open(world, "broken").await?;
        let pull = shop.pull_request("login").await?;
        pull.wait_until_ready().await?;
        let mut repositories = serde_json::to_value(baselines(world, "broken").get("broken").await?.spec.repositories)?;
        repositories[0]["images"][0]["tag"] = "{{ sha }}".into();
        let broken = Patch::Merge(json!({"spec": {"repositories": repositories}}));
        baselines(world, "broken").patch("broken", &PatchParams::default(), &broken).await?;
        wait_for_refusal(world, "broken", "broken", "Invalid").await?;
        assert_eq!(pull.perform(On::close).await?, Some(202));
        pull.wait_until_gone().await
    });
}

#[test]
fn a_namespace_that_may_not_be_read_says_how_to_grant_it() {
    story(|world| async move {
        world.namespace("no-access").await?;
        create(world, "no-access", "shut", json!({"repositories": [{"name": "acme/no-access"}]})).await?;
        let message = wait_for_refusal(world, "no-access", "shut", "CannotRead").await?;
        assert!(message.contains("deploy/baseline-access.yaml"), "{message}");
        baseline_access(&world.admin, "no-access", &[]).await?;
        wait_until_ready(world, "no-access", "shut").await
    });
}

#[test]
fn two_baselines_of_one_repository_share_one_comment() {
    story(|world| async move {
        let shop = Shop::open(world, "share-a").await?;
        let repository = shop.repository.clone();
        let other = Shop::with(world, "share-b", |spec| spec["repositories"][0]["name"] = repository.into()).await?;
        let pull = shop.pull_request("login").await?;
        let beside = crate::shop::Pull { shop: &other, number: pull.number, status: None };
        let (first, second) = (pull.wait_until_ready().await?, wait_for_other(&beside).await?);
        assert_ne!(first.namespace, second);
        let both = |body: &str| body.matches("is ready").count() == 2;
        let comment = pull.wait_for_comment(both).await?;
        assert!(comment.contains("`share-a`") && comment.contains("`share-b`"), "{comment}");
        assert_eq!(pull.perform(On::merge).await?, Some(202));
        tokio::try_join!(pull.wait_until_gone(), beside.wait_until_gone())?;
        assert_eq!(pull.comments(), 1);
        Ok(())
    });
}

/// The environment of the other shop: ready, and in which namespace.
async fn wait_for_other(pull: &crate::shop::Pull<'_>) -> anyhow::Result<Option<String>> {
    Ok(pull.wait("Ready", |s| is_true(&s.conditions, READY)).await?.namespace)
}

#[test]
fn two_environments_that_want_one_host_get_two() {
    story(|world| async move {
        let domain = |spec: &mut Value| spec["hosts"]["domain"] = "same.preview.example.com".into();
        let (one, two) = tokio::try_join!(Shop::with(world, "same-a", domain), Shop::with(world, "same-b", domain))?;
        let (first, second) = tokio::try_join!(one.pull_request("login"), two.pull_request("login"))?;
        let (first, second) = tokio::try_join!(first.wait_until_ready(), second.wait_until_ready())?;
        let mut hosts = [first.urls[0].host.as_str(), second.urls[0].host.as_str()];
        hosts.sort_by_key(|host| host.len());
        assert_eq!(hosts[0], "web-pr-1.same.preview.example.com");
        assert_ne!(hosts[0], hosts[1]);
        assert!(hosts[1].starts_with("web-pr-1-") && hosts[1].ends_with(".same.preview.example.com"), "{}", hosts[1]);
        Ok(())
    });
}
