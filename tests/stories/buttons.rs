//! The buttons of the check: pressed by somebody who may, and by somebody who may not.

use anyhow::Context;
use github_double::{Action, CheckRun, Records};
use preview_env::api::conditions::{ConditionStatus, WANTED};
use preview_env::api::environment::Verb;
use preview_env::api::status::{CommandOutcome, CommandResult};
use serde_json::json;
use test_world::DEVELOPER;

use crate::commands::{result, say};
use crate::shop::{Pull, Shop, story_of_an_app};

/// Presses a button of the check at the head, once it is there.
async fn press(pull: &Pull<'_>, button: &str) -> anyhow::Result<()> {
    let press = shown(pull, &format!("preview / {}", pull.shop.namespace), button).await?;
    pull.shop.world.github.advance(chrono::TimeDelta::seconds(1));
    let done = pull.shop.world.github.perform(press).await?;
    anyhow::ensure!(done.status() == Some(202), "the press is not taken: {}", done.delivery().answer());
    Ok(())
}

/// The press of a button of the check of that name at the head, once it is there.
async fn shown(pull: &Pull<'_>, named: &str, button: &str) -> anyhow::Result<Action> {
    let sha = pull.revision()?;
    let has = |records: &Records| {
        let check = records.checks.values().find(|check| check.head_sha == sha && check.name == named)?;
        check.actions.iter().any(|action| action.identifier == button).then_some(check.id)
    };
    let check = pull.wait_for_record(&format!("check with the button {button}"), has).await?;
    let (repo, button, by) = (pull.shop.repository.clone(), button.to_owned(), DEVELOPER.to_owned());
    Ok(Action::Press { repo, check, button, by })
}

/// Presses it, and waits for what comes of it as the command of that number.
async fn pressed(pull: &Pull<'_>, button: &str, number: usize) -> anyhow::Result<CommandResult> {
    press(pull, button).await?;
    result(pull, number).await
}

#[test]
fn buttons_do_what_they_say_for_whoever_may() {
    story_of_an_app(|world| async move {
        let shop = Shop::open(world, "buttons").await?;
        let pull = shop.pull_request("login").await?;
        let before = pull.wait_until_ready().await?;
        let rebuilt = pressed(&pull, "rebuild", 1).await?;
        assert_eq!((rebuilt.verb, rebuilt.outcome, rebuilt.actor.as_str()), (Verb::Update, CommandOutcome::Done, DEVELOPER));

        let extended = pressed(&pull, "extend", 2).await?;
        assert_eq!((extended.verb, extended.outcome), (Verb::Extend, CommandOutcome::Done));
        let later = pull.wait("extended", |s| s.expires_at > before.expires_at).await?;
        assert!(later.expires_at.is_some());

        let deleted = pressed(&pull, "delete", 3).await?;
        assert_eq!((deleted.verb, deleted.outcome), (Verb::Delete, CommandOutcome::Done));
        pull.wait_for_condition(WANTED, ConditionStatus::False, "DeletedByWish").await?;
        pull.wait("taken down", |s| s.namespace.is_none()).await?;
        Ok(())
    });
}

#[test]
fn running_all_checks_again_rebuilds_every_environment_of_the_commit() {
    story_of_an_app(|world| async move {
        let shop = Shop::open(world, "all-again").await?;
        let (first, second) = shop.two_with_one_commit().await?;
        let sha = first.revision()?;
        let ended = |records: &Records| {
            let checks = records.checks.values().filter(|check| check.head_sha == sha && check.conclusion.is_some());
            checks.map(|check| check.id).nth(1)
        };
        let check = first.wait_for_record("two checks that have ended", ended).await?;
        world.github.advance(chrono::TimeDelta::seconds(1));
        let again = Action::RerequestAll { repo: shop.repository.clone(), check, by: DEVELOPER.to_owned() };
        assert_eq!(world.github.perform(again).await?.status(), Some(202));
        for pull in [&first, &second] {
            let rebuilt = result(pull, 1).await?;
            assert_eq!((rebuilt.verb, rebuilt.outcome, rebuilt.actor.as_str()), (Verb::Update, CommandOutcome::Done, DEVELOPER));
        }
        Ok(())
    });
}

#[test]
fn a_button_is_for_the_environment_of_its_own_baseline() {
    story_of_an_app(|world| async move {
        let one = Shop::open(world, "button-one").await?;
        let two = Shop::with(world, "button-two", |spec| spec["repositories"][0]["name"] = json!(one.repository)).await?;
        let pull = one.pull_request("login").await?;
        let beside = Pull { shop: &two, number: pull.number, status: None };
        pull.wait_until_ready().await?;
        two.environments().get(&beside.name()).await?;
        pressed(&pull, "delete", 1).await?;
        pull.wait_for_condition(WANTED, ConditionStatus::False, "DeletedByWish").await?;
        let environment = beside.environment().await?;
        assert!(environment.spec.wish.is_none() && environment.spec.commands.is_empty(), "{:?}", environment.spec);
        assert!(environment.status.is_some_and(|s| s.commands.is_empty()));
        Ok(())
    });
}

#[test]
fn buttons_do_nothing_for_whoever_may_not_and_say_why() {
    story_of_an_app(|world| async move {
        let shop = Shop::with(world, "no-buttons", |spec| spec["trust"] = json!({"approvers": "Admin"})).await?;
        let pull = shop.pull_request("login").await?;
        let before = pull.wait_until_ready().await?;
        for (number, button) in ["rebuild", "extend", "delete"].into_iter().enumerate() {
            let refused = pressed(&pull, button, number + 1).await?;
            assert_eq!(refused.outcome, CommandOutcome::Denied, "{button}");
            assert!(refused.message.contains("dev has write") && refused.message.contains("needs admin"), "{}", refused.message);
        }
        let environment = pull.environment().await?;
        assert!(environment.spec.wish.is_none() && environment.spec.lifetime.is_none() && environment.spec.activity.is_none());
        let after = environment.status.unwrap_or_default();
        assert_eq!((after.expires_at, after.namespace), (before.expires_at, before.namespace));
        pull.wait_for_comment(|body| body.contains("needs admin")).await?;
        Ok(())
    });
}

#[test]
fn two_pull_requests_with_one_commit_have_a_check_each_and_a_button_is_of_its_own() {
    story_of_an_app(|world| async move {
        let shop = Shop::open(world, "one-commit").await?;
        let (first, second) = shop.two_with_one_commit().await?;
        let usual = "preview / one-commit";
        let checks = |fits: fn(&CheckRun) -> bool| {
            move |records: &Records| {
                let mut all: Vec<CheckRun> = records.checks.values().filter(|check| fits(check)).cloned().collect();
                all.sort_by(|a, b| a.name.cmp(&b.name));
                (all.len() == 2).then_some(all)
            }
        };
        let up = first.wait_for_record("two checks that are well", checks(|c| c.conclusion.as_deref() == Some("success"))).await?;
        assert_eq!((up[0].name.as_str(), up[1].name.as_str()), (usual, "preview / one-commit (#2)"));
        assert!(up[0].external_id.starts_with("pull-1.") && up[1].external_id.starts_with("pull-2."), "{up:?}");

        first.crash("web").await?;
        let failed = first.wait_for_record("a check that failed", |records| {
            records.checks.values().find(|check| check.conclusion.as_deref() == Some("failure")).cloned()
        });
        assert_eq!(failed.await?.id, up[0].id, "the other one stays as it is");

        let delete = shown(&second, "preview / one-commit (#2)", "delete").await?;
        assert_eq!(world.github.perform(delete).await?.status(), Some(202));
        second.wait_for_condition(WANTED, ConditionStatus::False, "DeletedByWish").await?;
        let untouched = first.environment().await?;
        assert!(untouched.spec.wish.is_none() && untouched.status.is_some_and(|s| s.namespace.is_some() && s.commands.is_empty()));
        Ok(())
    });
}

#[test]
fn a_press_that_is_heard_of_late_leaves_alone_what_was_made_anew_since() {
    story_of_an_app(|world| async move {
        let shop = Shop::open(world, "late-press").await?;
        let pull = shop.pull_request("login").await?;
        pull.wait_until_ready().await?;
        // Pressed, and nobody heard of it.
        let lost = world.github.act(shown(&pull, "preview / late-press", "delete").await?)?;
        say(&pull, DEVELOPER, "/preview delete").await?;
        result(&pull, 1).await?;
        pull.wait("taken down", |s| s.namespace.is_none()).await?;
        say(&pull, DEVELOPER, "/preview create").await?;
        result(&pull, 2).await?;
        let anew = pull.wait_until_ready().await?;

        assert_eq!(world.github.send(lost.delivery()).await.status(), Some(202));
        result(&pull, 3).await?;
        let after = pull.environment().await?.status.unwrap_or_default();
        let press = after.commands.iter().find(|command| command.id.starts_with("button.")).context("no press was answered")?;
        assert_eq!((press.verb, press.outcome), (Verb::Delete, CommandOutcome::Refused));
        assert!(press.message.contains("shown for is gone"), "{}", press.message);
        assert_eq!((after.namespace, after.started_at), (anew.namespace, anew.started_at));
        Ok(())
    });
}
