//! Many pull requests that end while nobody is told: nothing goes before a person says that it is right.

use github_double::{Action, On};
use kube::api::{Api, Patch, PatchParams};
use preview_env::api::Baseline;
use preview_env::api::baseline::Removals;
use preview_env::api::conditions::{ConditionStatus, REMOVALS_HELD, find};
use preview_env::api::environment::SourceState;
use preview_env::api::names::ANNOTATION_CONFIRM_REMOVALS;
use serde_json::json;
use test_world::{DEVELOPER, World, wait_for};

use crate::said::kept;
use crate::shop::{Pull, Shop, story_alone};

const COUNT: usize = 5;

async fn look_again(world: &World) -> anyhow::Result<()> {
    let mut service = world.service.lock().await;
    service.kill();
    service.launch()?;
    service.wait_until_ready().await
}

fn baselines(shop: &Shop) -> Api<Baseline> {
    Api::namespaced(shop.world.admin.clone(), &shop.namespace)
}

fn removals(baseline: &Baseline) -> Removals {
    baseline.status.as_ref().and_then(|s| s.removals.clone()).unwrap_or_default()
}

/// Waits until so many are held, and gives what is known of them.
async fn held(shop: &Shop, count: usize) -> anyhow::Result<Removals> {
    let fits = |b: Option<&Baseline>| b.is_some_and(|b| removals(b).held.len() == count);
    let there = wait_for(&baselines(shop), &shop.namespace, &format!("with {count} removals held"), fits).await?;
    let Some(baseline) = there else { anyhow::bail!("the Baseline is gone") };
    let conditions = baseline.status.as_ref().map_or(&[][..], |s| &s.conditions);
    let condition = find(conditions, REMOVALS_HELD).map(|c| (c.status, c.reason.as_str(), c.message.as_str()));
    let Some((status, reason, message)) = condition else { anyhow::bail!("no condition") };
    if count > 0 {
        assert_eq!((status, reason), (ConditionStatus::True, "TooMany"));
        let first = removals(&baseline).held.into_iter().map(|held| held.name).next().unwrap_or_default();
        assert!(message.contains(&first) && message.contains(ANNOTATION_CONFIRM_REMOVALS), "{message}");
    } else {
        assert_eq!((status, reason), (ConditionStatus::False, "NoneHeld"));
    }
    Ok(removals(&baseline))
}

async fn confirm(shop: &Shop, value: &str) -> anyhow::Result<()> {
    let patch = json!({"metadata": {"annotations": {ANNOTATION_CONFIRM_REMOVALS: value}}});
    baselines(shop).patch(&shop.namespace, &PatchParams::default(), &Patch::Merge(&patch)).await?;
    Ok(())
}

async fn are_open(pulls: &[Pull<'_>]) -> anyhow::Result<()> {
    for pull in pulls {
        let environment = pull.environment().await?;
        assert!(environment.spec.sources.iter().all(|s| s.state == SourceState::Open), "{}", pull.name());
        assert!(environment.status.is_some_and(|s| s.namespace.is_some()), "{} is taken down", pull.name());
    }
    Ok(())
}

async fn opened(shop: &Shop) -> anyhow::Result<Vec<Pull<'_>>> {
    let mut pulls = Vec::new();
    for number in 1..=COUNT {
        pulls.push(shop.pull_request(&format!("change-{number}")).await?);
    }
    for pull in &pulls {
        pull.wait_until_ready().await?;
    }
    Ok(pulls)
}

#[test]
fn many_ends_that_nobody_told_of_are_held_until_a_person_confirms_them() {
    story_alone(|world| async move {
        let shop = Shop::with(world, "braked", |spec| spec["limits"] = json!({"perAuthor": 20})).await?;
        let pulls = opened(&shop).await?;
        let mut unheard = Vec::new();
        for pull in &pulls {
            unheard.push(pull.act_later(On::close)?);
        }
        look_again(world).await?;
        held(&shop, COUNT).await?;
        crate::events::of_baseline(&shop, "RemovalsHeld", ANNOTATION_CONFIRM_REMOVALS).await?;
        are_open(&pulls).await?;
        let comment = pulls[1].wait_for_comment(|body| body.contains("is ready") && body.contains("until an operator confirms it")).await?;
        kept("held", &pulls[1], &comment, None).await?;
        // What is held is known to whoever leads next.
        look_again(world).await?;
        confirm(&shop, "2020-01-01T00:00:00Z").await?;
        are_open(&pulls).await?;

        // What the forge tells is not braked.
        world.github.send(&unheard[0]).await;
        pulls[0].wait_until_gone().await?;
        are_open(&pulls[1..]).await?;
        look_again(world).await?;
        let held_now = {
            let fits = |b: Option<&Baseline>| b.is_some_and(|b| removals(b).held.len() == COUNT - 1);
            wait_for(&baselines(&shop), &shop.namespace, "without the one that is gone", fits).await?.map(|b| removals(&b))
        };
        let at = held_now.and_then(|r| r.held_at).map(|at| at.format("%Y-%m-%dT%H:%M:%SZ").to_string());
        confirm(&shop, &at.unwrap_or_default()).await?;
        for pull in &pulls[1..] {
            pull.wait_until_gone().await?;
        }
        held(&shop, 0).await?;
        Ok(())
    });
}

#[test]
fn a_base_branch_that_is_called_otherwise_ends_nothing_before_a_person_confirms_it() {
    story_alone(|world| async move {
        let shop = Shop::with(world, "renamed-base", |spec| {
            spec["limits"] = json!({"perAuthor": 20});
            spec["trigger"] = json!({"baseBranches": ["main"]});
        })
        .await?;
        world.github.act(Action::Push { repo: shop.repository.clone(), branch: "trunk".into(), by: DEVELOPER.into(), force: false })?;
        let pulls = opened(&shop).await?;
        let mut unheard = Vec::new();
        for pull in &pulls {
            unheard.push(pull.act_later(|on| on.retarget("trunk"))?);
        }
        look_again(world).await?;
        held(&shop, COUNT).await?;
        are_open(&pulls).await?;
        pulls[1].wait_for_comment(|body| body.contains("is ready") && body.contains("until an operator confirms it")).await?;

        // Of one of them a delivery comes after all, and one is as it was.
        world.github.send(&unheard[0]).await;
        pulls[0].wait("nothing of it is left", |s| s.namespace.is_none()).await?;
        pulls[1].act_later(|on| on.retarget("main"))?;
        look_again(world).await?;
        let held_at = held(&shop, COUNT - 2).await?.held_at.map(|at| at.format("%Y-%m-%dT%H:%M:%SZ").to_string());
        are_open(&pulls[1..]).await?;
        confirm(&shop, &held_at.unwrap_or_default()).await?;
        for pull in &pulls[2..] {
            pull.wait("nothing of it is left", |s| s.namespace.is_none()).await?;
        }
        held(&shop, 0).await?;
        are_open(&pulls[1..2]).await
    });
}
