//! How long environments live, what ends them early, and what brings them back.

use github_double::{On, Open};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use preview_env::api::conditions::{ConditionStatus, READY, WANTED};
use preview_env::api::status::Lapse;
use preview_env::api::{PreviewEnvironment, PreviewEnvironmentStatus};
use serde_json::json;
use test_world::{DEVELOPER, World, wait_for};

use crate::developer::Developer;
use crate::said::kept;
use crate::shop::{Pull, Shop, story, story_alone};

const HOLD: &str = "example.com/hold";

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
        let comment = pull.wait_for_comment(|body| body.contains("Nothing of it is left")).await?;
        kept("expired", &pull, &comment, None).await?;
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
        kept("a_draft", &pull, &comment, None).await?;

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
        let comment = pull.wait_for_comment(|body| body.contains("Nothing of it is left")).await?;
        kept("deleted_by_a_person", &pull, &comment, None).await?;

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
fn a_pull_request_that_is_reopened_while_its_environment_goes_begins_without_its_pin_and_extension() {
    story(|world| async move {
        let shop = Shop::open(world, "pinned-before").await?;
        let pull = shop.pull_request("login").await?;
        pull.wait_until_ready().await?;
        for command in ["/preview extend 240h", "/preview pin"] {
            world.github.send(&pull.act_later(|on| on.comment(command))?).await;
        }
        let is_kept = |e: Option<&PreviewEnvironment>| {
            e.and_then(|e| e.spec.lifetime.as_ref()).is_some_and(|l| l.pinned == Some(true) && l.extended_until.is_some())
        };
        wait_for(&shop.environments(), &pull.name(), "pinned and extended", is_kept).await?;

        let config_maps: Api<ConfigMap> = Api::namespaced(world.admin.clone(), &pull.namespace());
        let held = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "held", "finalizers": [HOLD]}});
        config_maps.patch("held", &PatchParams::apply("somebody"), &Patch::Apply(&held)).await?;
        world.github.send(&pull.act_later(On::close)?).await;
        pull.wait_for_condition(WANTED, ConditionStatus::False, "Closed").await?;
        let is_fresh = |e: Option<&PreviewEnvironment>| {
            e.is_some_and(|e| e.spec.lifetime.as_ref().is_none_or(|l| l.pinned.is_none() && l.extended_until.is_none()))
        };
        wait_for(&shop.environments(), &pull.name(), "without what was asked for", is_fresh).await?;

        world.github.send(&pull.act_later(On::reopen)?).await;
        config_maps.patch("held", &PatchParams::default(), &Patch::Merge(json!({"metadata": {"finalizers": null}}))).await?;
        pull.wait_for_condition(WANTED, ConditionStatus::True, "Triggered").await?;
        let status = pull.wait_until_ready().await?;
        let from_now = status.expires_at.zip(status.started_at).map(|(end, start)| end - start);
        assert_eq!((status.pinned, from_now.map(|span| span.num_days())), (None, Some(5)), "the Baseline's time to live and no more");
        Ok(())
    });
}

#[test]
fn deleting_the_object_by_hand_cleans_up() {
    story(|world| async move {
        let shop = Shop::open(world, "by-hand").await?;
        let pull = shop.pull_request("login").await?;
        pull.wait_until_ready().await?;
        // Of what was never spoken of nobody says that it is gone.
        pull.wait_for_comment(|body| body.contains("is ready")).await?;
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

#[test]
fn a_longer_time_to_live_does_not_wake_what_expired() {
    story(|world| async move {
        let shop = Shop::with(world, "dead", |spec| spec["lifetime"] = json!({"ttl": "8s"})).await?;
        let pull = shop.pull_request("login").await?;
        pull.wait("in its namespace", |s| s.namespace.is_some()).await?;
        let status = wait_until_down(&pull, "Expired").await?;
        assert_eq!(status.lapsed.map(|l| l.why), Some(Lapse::Expired));
        let longer = Patch::Merge(json!({"spec": {"lifetime": {"ttl": "5d"}}}));
        let baselines: Api<preview_env::api::Baseline> = Api::namespaced(world.admin.clone(), "dead");
        baselines.patch("dead", &PatchParams::default(), &longer).await?;
        // A change of the object itself is looked at after the Baseline's: what follows from both is seen then.
        let labelled = Patch::Merge(json!({"spec": {"lifetime": {"ttl": "6d"}}}));
        let generation = shop.environments().patch(&pull.name(), &PatchParams::default(), &labelled).await?.metadata.generation;
        let after = pull.wait("looked at", |s| s.observed_generation >= generation).await?;
        assert_eq!((after.phase.as_deref(), after.namespace), (Some("Removed"), None));

        let developer = Developer::of(&shop).await?;
        developer.run(&["create", "--pull", "1", "--wait"]).await?.succeeds();
        let status = pull.wait_until_ready().await?;
        assert!(status.lapsed.is_none() && status.expires_at.is_some());
        Ok(())
    });
}

#[test]
fn a_pull_request_that_is_reopened_within_the_grace_finds_all_as_it_was() {
    story(|world| async move {
        let shop = Shop::with(world, "graceful", |spec| spec["lifetime"] = json!({"grace": "1h"})).await?;
        let pull = shop.pull_request("login").await?;
        let before = pull.wait_until_ready().await?;
        world.github.send(&pull.act_later(On::close)?).await;
        let why = pull.wait_for_condition(WANTED, ConditionStatus::True, "Closing").await?;
        assert!(why.starts_with("acme/graceful#1 was closed; all of it stays until "), "{why}");
        let kept = pull.wait_for_condition(READY, ConditionStatus::True, "Ready").await?;
        assert!(!kept.is_empty());
        let staying = pull.environment().await?.status.unwrap_or_default();
        assert_eq!((staying.inventory, staying.images), (before.inventory.clone(), before.images.clone()), "nothing of it changes");
        let web = Api::<Deployment>::namespaced(world.admin.clone(), &pull.namespace()).get("web").await?;
        assert_eq!(web.metadata.generation, Some(1), "nobody touches it meanwhile");
        world.github.send(&pull.act_later(On::reopen)?).await;
        pull.wait_for_condition(WANTED, ConditionStatus::True, "Triggered").await?;
        let after = pull.environment().await?.status.unwrap_or_default();
        assert_eq!((after.namespace, after.started_at, after.inventory), (before.namespace, before.started_at, before.inventory));

        // Taking the grace away ends what is in it.
        world.github.send(&pull.act_later(On::merge)?).await;
        pull.wait_for_condition(WANTED, ConditionStatus::True, "Closing").await?;
        let none = Patch::Merge(json!({"spec": {"lifetime": {"grace": null}}}));
        let baselines: Api<preview_env::api::Baseline> = Api::namespaced(world.admin.clone(), "graceful");
        baselines.patch("graceful", &PatchParams::default(), &none).await?;
        pull.wait_until_gone().await
    });
}

/// Starts the service anew on a machine whose clock is so many hours ahead.
async fn restart_ahead(world: &World, hours: i64) -> anyhow::Result<()> {
    let mut service = world.service.lock().await;
    service.kill();
    service.go_ahead(hours);
    service.launch()?;
    service.wait_until_ready().await
}

#[test]
fn a_service_whose_clock_is_two_hours_ahead_ends_nothing_early() {
    story_alone(|world| async move {
        let shop = Shop::with(world, "ahead", |spec| spec["lifetime"] = json!({"ttl": "1h", "grace": "1h"})).await?;
        let before = shop.pull_request("before").await?;
        let expected = before.wait_until_ready().await?.expires_at;
        restart_ahead(world, 2).await?;
        let wrong = async {
            let (open, closed) = (shop.pull_request("open").await?, shop.pull_request("closed").await?);
            let status = open.wait_until_ready().await?;
            assert!(status.expires_at <= expected.map(|at| at + chrono::TimeDelta::minutes(5)), "{:?}", status.expires_at);
            closed.wait_until_ready().await?;
            closed.perform(On::close).await?;
            closed.wait_for_condition(WANTED, ConditionStatus::True, "Closing").await?;
            let generation = closed.environment().await?.metadata.generation;
            closed.wait("looked at", |s| s.observed_generation >= generation).await?;
            assert!(open.has_namespace().await? && closed.has_namespace().await?);
            let there = before.environment().await?.status.unwrap_or_default();
            anyhow::ensure!((there.phase.as_deref(), there.expires_at) == (Some("Ready"), expected), "{there:?}");
            Ok(())
        };
        let ended = wrong.await;
        restart_ahead(world, 0).await?;
        ended
    });
}

#[test]
fn the_comment_warns_before_the_end_and_says_how_to_put_it_off() {
    story(|world| async move {
        let lifetime = json!({"ttl": "2h", "warnBefore": "1h59m50s"});
        let shop = Shop::with(world, "warned", |spec| spec["lifetime"] = lifetime).await?;
        let pull = shop.pull_request("login").await?;
        let status = pull.wait_until_ready().await?;
        // Nothing happens but that time passes.
        let warned = pull.wait_for_comment(|body| body.contains("is ready, and expires ")).await?;
        kept("expiring_soon", &pull, &warned, None).await?;
        assert!(warned.contains("`/preview extend 24h` keeps it longer"), "{warned}");
        assert!(Some(chrono::Utc::now() + chrono::TimeDelta::hours(1)) < status.expires_at, "{status:?}");

        pull.perform(|on| on.comment("/preview extend 24h")).await?;
        pull.wait("put off", |s| s.expires_at > status.expires_at).await?;
        pull.wait_for_comment(|body| body.contains("is ready") && !body.contains("is ready, and expires ")).await?;
        assert_eq!(pull.comments(), 2, "the command and ours");
        Ok(())
    });
}

#[test]
fn nothing_that_people_do_puts_off_the_longest_time_and_a_push_afterwards_begins_another_one() {
    story(|world| async move {
        let shop = Shop::with(world, "longest", |spec| spec["lifetime"] = json!({"ttl": "5d", "max": "25s"})).await?;
        let pull = shop.pull_request("login").await?;
        let status = pull.wait_until_ready().await?;
        let longest = status.started_at.map(|at| at + chrono::TimeDelta::seconds(25));
        assert_eq!(status.expires_at, longest);
        world.github.send(&pull.act_later(On::push)?).await;
        pull.perform(|on| on.comment("/preview extend 24h")).await?;
        let done = pull.wait("pushed to and extended", |s| !s.commands.is_empty()).await?;
        assert_eq!(done.expires_at, longest, "neither puts it off");
        let status = wait_until_down(&pull, "Expired").await?;
        assert_eq!(status.lapsed.map(|l| l.why), Some(Lapse::MaxReached));

        world.github.send(&pull.act_later(On::push)?).await;
        let revision = pull.revision()?;
        let back = pull.wait("back at its head", |s| s.revision.as_ref() == Some(&revision) && s.namespace.is_some()).await?;
        assert!(back.started_at > longest, "{back:?}");
        Ok(())
    });
}
