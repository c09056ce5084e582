//! How many environments there are at one time: the queue, its order, and who gives way.

use std::collections::BTreeSet;

use github_double::{On, Open};
use k8s_openapi::api::core::v1::Namespace;
use kube::ResourceExt;
use kube::api::{Api, ListParams, Patch, PatchParams};
use preview_env::api;
use preview_env::api::conditions::{ConditionStatus, READY, WANTED};
use serde_json::{Value, json};
use test_cluster::Mark;
use test_world::{DEVELOPER, wait_for};

use crate::developer::Developer;
use crate::said::kept;
use crate::shop::{Pull, Shop, story, story_alone};

fn limited(limits: Value) -> impl FnOnce(&mut Value) {
    move |spec| spec["limits"] = limits
}

async fn wait_until_at(pull: &Pull<'_>, place: (i32, i32)) -> anyhow::Result<()> {
    pull.wait(&format!("{} of {} in the queue", place.0, place.1), |s| s.queue.as_ref().map(|q| (q.position, q.of)) == Some(place)).await?;
    Ok(())
}

async fn change_limits(shop: &Shop, limits: Value) -> anyhow::Result<()> {
    let baselines: Api<api::Baseline> = Api::namespaced(shop.world.admin.clone(), &shop.namespace);
    baselines.patch(&shop.namespace, &PatchParams::default(), &Patch::Merge(json!({"spec": {"limits": limits}}))).await?;
    Ok(())
}

/// The most namespaces of the shop's environments that there were at one time since the mark, by what the API server was
/// asked for: one is there from its creation until its deletion is asked for, which is after its workloads were deleted.
async fn most_at_once(shop: &Shop, mark: Mark) -> anyhow::Result<usize> {
    let prefix = format!("{}-web-pr-", shop.namespace);
    let (mut there, mut most) = (BTreeSet::new(), 0);
    for event in shop.world.audit().since(mark).await? {
        if event.resource != "namespaces" || !event.subresource.is_empty() || !event.name.starts_with(&prefix) {
            continue;
        }
        match event.verb.as_str() {
            "create" if event.code == 201 => drop(there.insert(event.name)),
            "delete" => drop(there.remove(&event.name)),
            _ => {}
        }
        most = most.max(there.len());
    }
    Ok(most)
}

#[test]
fn what_there_is_no_room_for_waits_and_starts_when_one_ends() {
    story(|world| async move {
        let mark = world.audit().mark().await?;
        let shop = Shop::with(world, "full", limited(json!({"environments": 1}))).await?;
        let first = shop.pull_request("one").await?;
        first.wait_until_ready().await?;
        let (second, third) = (shop.pull_request("two").await?, shop.pull_request("three").await?);
        wait_until_at(&second, (1, 2)).await?;
        wait_until_at(&third, (2, 2)).await?;
        let why = second.wait_for_condition(READY, ConditionStatus::False, "Queued").await?;
        assert_eq!(why, "full runs 1 of 1 previews (limits.environments)");
        let comment = third.wait_for_comment(|body| body.contains("second in the queue")).await?;
        kept("queued", &third, &comment, None).await?;
        assert!(!second.has_namespace().await? && !third.has_namespace().await?);
        let developer = Developer::of(&shop).await?;
        let listed = developer.run(&["list"]).await?.succeeds();
        assert!(listed.contains("Queued, 1st") && listed.contains("Queued, 2nd"), "{listed}");

        first.perform(On::close).await?;
        second.wait_until_ready().await?;
        wait_until_at(&third, (1, 1)).await?;
        second.perform(On::merge).await?;
        third.wait_until_ready().await?;
        assert_eq!(most_at_once(&shop, mark).await?, 1);
        Ok(())
    });
}

#[test]
fn many_at_once_never_are_more_than_the_limit_and_all_get_their_turn() {
    story(|world| async move {
        let mark = world.audit().mark().await?;
        let shop = Shop::with(world, "rush", limited(json!({"environments": 2, "perAuthor": 50}))).await?;
        let mut pulls = Vec::new();
        for n in 0..6 {
            pulls.push(shop.pull_request(&format!("branch-{n}")).await?);
        }
        for pull in &pulls {
            pull.wait_until_ready().await?;
            pull.perform(On::close).await?;
        }
        for pull in &pulls {
            pull.wait_until_gone().await?;
        }
        assert_eq!(most_at_once(&shop, mark).await?, 2);
        Ok(())
    });
}

#[test]
fn authors_take_turns_and_each_has_a_limit_of_its_own() {
    story(|world| async move {
        let shop = Shop::with(world, "turns", limited(json!({"environments": 3, "perAuthor": 2}))).await?;
        let mut own = Vec::new();
        for n in 0..4 {
            own.push(shop.pull_request(&format!("dev-{n}")).await?);
        }
        own[0].wait_until_ready().await?;
        own[1].wait_until_ready().await?;
        wait_until_at(&own[3], (2, 2)).await?;
        let why = own[2].wait_for_condition(READY, ConditionStatus::False, "Queued").await?;
        assert_eq!(why, format!("{DEVELOPER} runs 2 of 2 previews of turns (limits.perAuthor)"));

        world.github.add_user("ann");
        world.github.permit(&shop.repository, "ann", github_double::Permission::Write)?;
        let anns = shop.opened(Open::new(&shop.repository, "ann-1", "ann")).await?;
        anns.wait_until_ready().await?;
        wait_until_at(&own[2], (1, 2)).await?;
        Ok(())
    });
}

#[test]
fn a_lowered_limit_ends_nothing_and_a_higher_one_lets_the_next_in() {
    story(|world| async move {
        let shop = Shop::with(world, "lowered", limited(json!({"environments": 2}))).await?;
        let (first, second) = (shop.pull_request("one").await?, shop.pull_request("two").await?);
        first.wait_until_ready().await?;
        second.wait_until_ready().await?;
        change_limits(&shop, json!({"environments": 0})).await?;
        let third = shop.pull_request("three").await?;
        wait_until_at(&third, (1, 1)).await?;
        let why = third.wait_for_condition(READY, ConditionStatus::False, "Queued").await?;
        assert_eq!(why, "lowered takes no previews now (limits.environments is 0)");
        assert!(first.has_namespace().await? && second.has_namespace().await?);
        change_limits(&shop, json!({"environments": 3})).await?;
        third.wait_until_ready().await?;
        let baselines: Api<api::Baseline> = Api::namespaced(world.admin.clone(), "lowered");
        let counted = |b: Option<&api::Baseline>| {
            b.and_then(|b| b.status.as_ref()).is_some_and(|s| (s.environments, s.running, s.queued) == (3, 3, 0))
        };
        wait_for(&baselines, "lowered", "three that run", counted).await?;
        Ok(())
    });
}

#[test]
fn the_queue_is_the_same_after_a_crash() {
    story_alone(|world| async move {
        let mark = world.audit().mark().await?;
        let shop = Shop::with(world, "requeued", limited(json!({"environments": 1}))).await?;
        let first = shop.pull_request("one").await?;
        first.wait_until_ready().await?;
        let (second, third) = (shop.pull_request("two").await?, shop.pull_request("three").await?);
        wait_until_at(&second, (1, 2)).await?;
        wait_until_at(&third, (2, 2)).await?;
        let mut service = world.service.lock().await;
        service.kill();
        // Nobody is there to hear it: the queue is looked at anew by the next one.
        service.launch()?;
        service.wait_until_ready().await?;
        drop(service);
        wait_until_at(&second, (1, 2)).await?;
        wait_until_at(&third, (2, 2)).await?;
        first.perform(On::close).await?;
        second.wait_until_ready().await?;
        wait_until_at(&third, (1, 1)).await?;
        assert_eq!(most_at_once(&shop, mark).await?, 1);
        Ok(())
    });
}

#[test]
fn pins_above_the_limit_say_nothing_until_another_one_goes() {
    story(|world| async move {
        let shop = Shop::with(world, "pins", limited(json!({"pinned": 1}))).await?;
        let (first, second) = (shop.pull_request("one").await?, shop.pull_request("two").await?);
        let pin = async |pull: &Pull<'_>, pinned: bool| {
            let patch = Patch::Merge(json!({"spec": {"lifetime": {"pinned": pinned}}}));
            shop.environments().patch(&pull.name(), &PatchParams::default(), &patch).await
        };
        first.wait_until_ready().await?;
        second.wait_until_ready().await?;
        pin(&first, true).await?;
        first.wait("pinned", |s| s.pinned == Some(true) && s.expires_at.is_none()).await?;
        pin(&second, true).await?;
        second.wait("not pinned", |s| s.pinned == Some(false) && s.expires_at.is_some()).await?;
        pin(&first, false).await?;
        second.wait("pinned in its place", |s| s.pinned == Some(true) && s.expires_at.is_none()).await?;
        first.wait("not pinned any more", |s| s.pinned.is_none() && s.expires_at.is_some()).await?;
        Ok(())
    });
}

#[test]
fn one_that_was_used_within_the_hour_never_gives_way() {
    story(|world| async move {
        let shop = Shop::with(world, "used", limited(json!({"environments": 1, "evict": "OldestIdle"}))).await?;
        let first = shop.pull_request("one").await?;
        first.wait_until_ready().await?;
        let second = shop.pull_request("two").await?;
        wait_until_at(&second, (1, 1)).await?;
        assert_eq!(first.environment().await?.status.and_then(|s| s.lapsed), None);
        let namespaces: Api<Namespace> = Api::all(world.admin.clone());
        let ours = namespaces.list(&ListParams::default()).await?.items.into_iter().filter(|n| n.name_any().starts_with("used-")).count();
        assert_eq!(ours, 1);
        first.wait_for_condition(WANTED, ConditionStatus::True, "Triggered").await?;
        Ok(())
    });
}
