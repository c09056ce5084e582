//! How long environments live, what ends them early, and what brings them back.

use github_double::{On, Open};
use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams};
use preview_env::api::PreviewEnvironmentStatus;
use preview_env::api::conditions::{ConditionStatus, READY, WANTED};
use test_world::{DEVELOPER, wait_for};

use crate::developer::Developer;
use crate::shop::{Pull, Shop, story};

/// Waits until nothing runs, while the object stays and says why.
async fn wait_until_down(pull: &Pull<'_>, reason: &str) -> anyhow::Result<PreviewEnvironmentStatus> {
    pull.wait_for_condition(WANTED, ConditionStatus::False, reason).await?;
    let status = pull.wait("taken down", |s| s.namespace.is_none() && s.services.is_empty()).await?;
    assert!(!pull.has_namespace().await?);
    Ok(status)
}

#[test]
fn what_nobody_touches_expires_and_a_push_brings_it_back() {
    story(|world| async move {
        let shop = Shop::with(world, "expires", |spec| spec["lifetime"] = serde_json::json!({"ttl": "8s"})).await?;
        let pull = shop.pull_request("login").await?;
        pull.wait("in its namespace", |s| s.namespace.is_some() && s.expires_at.is_some()).await?;
        // Its object stays as the record of it, or the next look would take an open pull request for a new one.
        let status = wait_until_down(&pull, "Expired").await?;
        assert_eq!((status.namespace, status.inventory.len()), (None, 0));
        let comment = pull.wait_for_comment(|body| body.contains("it expired")).await?;
        assert!(comment.contains("A push brings it back"), "{comment}");
        let pushed = pull.act_later(On::push)?;
        assert_eq!(world.github.send(&pushed).await.status(), Some(202));
        let revision = pull.revision()?;
        pull.wait("back at its head", |s| s.revision.as_ref() == Some(&revision)).await?;
        Ok(())
    });
}

#[test]
fn a_draft_has_an_environment_only_while_it_is_ready_for_review() {
    story(|world| async move {
        let shop = Shop::open(world, "draft").await?;
        let pull = shop.opened(Open::new(&shop.repository, "login", DEVELOPER).draft()).await?;
        wait_until_down(&pull, "Draft").await?;
        let comment = pull.wait_for_comment(|body| body.contains("is a draft")).await?;
        assert!(comment.contains("ready for review"), "{comment}");

        world.github.send(&pull.act_later(On::ready)?).await;
        pull.wait_until_ready().await?;
        world.github.send(&pull.act_later(On::to_draft)?).await;
        wait_until_down(&pull, "Draft").await?;
        pull.wait_for_comment(|body| body.contains("removed") && body.contains("is a draft")).await?;
        assert_eq!(pull.comments(), 1);
        Ok(())
    });
}

#[test]
fn what_a_person_took_down_stays_down_until_a_person_wants_it_back() {
    story(|world| async move {
        let shop = Shop::open(world, "unwished").await?;
        let developer = Developer::of(&shop).await?;
        let pull = shop.pull_request("login").await?;
        pull.wait_until_ready().await?;
        developer.run(&["delete", "web-pr-1", "--yes", "--wait"]).await?.succeeds();
        let status = wait_until_down(&pull, "DeletedByWish").await?;
        assert_eq!(status.phase.as_deref(), Some("Removed"));
        let comment = pull.wait_for_comment(|body| body.contains("removed")).await?;
        assert!(comment.contains("a push does not"), "{comment}");

        let pushed = pull.act_later(On::push)?;
        assert_eq!(world.github.send(&pushed).await.status(), Some(202));
        let generation = pull.environment().await?.metadata.generation;
        let after = pull.wait("looked at after the push", |s| s.observed_generation >= generation).await?;
        assert_eq!((after.phase.as_deref(), after.namespace), (Some("Removed"), None));

        let url = developer.run(&["create", "--pull", "1", "--wait"]).await?.succeeds();
        assert_eq!(url, "http://web-pr-1.unwished.preview.example.com\n");
        pull.wait_until_ready().await?;
        assert_eq!(pull.perform(On::close).await?, Some(202));
        pull.wait_until_gone().await
    });
}

#[test]
fn deleting_the_object_by_hand_cleans_up() {
    story(|world| async move {
        let shop = Shop::open(world, "by-hand").await?;
        let pull = shop.pull_request("login").await?;
        pull.wait_until_ready().await?;
        shop.environments().delete(&pull.name(), &DeleteParams::default()).await?;
        pull.wait_until_gone().await?;
        pull.wait_for_comment(|body| body.contains("removed") && body.contains("was deleted")).await?;
        Ok(())
    });
}

#[test]
fn what_somebody_deletes_inside_an_environment_is_made_again() {
    story(|world| async move {
        let shop = Shop::open(world, "drift").await?;
        let pull = shop.pull_request("login").await?;
        pull.wait_until_ready().await?;
        let deployments: Api<Deployment> = Api::namespaced(world.admin.clone(), &pull.namespace());
        let before = deployments.get("api").await?.uid();
        deployments.delete("api", &DeleteParams::default()).await?;
        let again = |d: Option<&Deployment>| d.is_some_and(|d| d.uid() != before && d.metadata.deletion_timestamp.is_none());
        wait_for(&deployments, "api", "made again", again).await?;
        pull.wait_for_condition(READY, ConditionStatus::True, "Ready").await?;
        Ok(())
    });
}
