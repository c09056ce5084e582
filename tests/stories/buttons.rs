//! The buttons of the check: pressed by somebody who may, and by somebody who may not.

use github_double::Action;
use preview_env::api::conditions::{ConditionStatus, WANTED};
use preview_env::api::environment::Verb;
use preview_env::api::status::{CommandOutcome, CommandResult};
use serde_json::json;
use test_world::DEVELOPER;

use crate::commands::result;
use crate::shop::{Pull, Shop, story_of_an_app};

/// Presses a button of the check at the head, once it is there.
async fn press(pull: &Pull<'_>, button: &str) -> anyhow::Result<()> {
    let sha = pull.revision()?;
    let has = |records: &github_double::Records| {
        let named = format!("preview / {}", pull.shop.namespace);
        let check = records.checks.values().find(|check| check.head_sha == sha && check.name == named)?;
        check.actions.iter().any(|action| action.identifier == button).then_some(check.id)
    };
    let check = pull.wait_for_record(&format!("check with the button {button}"), has).await?;
    let world = pull.shop.world;
    world.github.advance(chrono::TimeDelta::seconds(1));
    let (repo, button, by) = (pull.shop.repository.clone(), button.to_owned(), DEVELOPER.to_owned());
    let done = world.github.perform(Action::Press { repo, check, button, by }).await?;
    anyhow::ensure!(done.status() == Some(202), "the press is not taken: {}", done.delivery().answer());
    Ok(())
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
