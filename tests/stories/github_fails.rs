//! GitHub fails, and no environment waits for it.

use std::time::Duration;

use github_double::{Failure, Fault, On};
use preview_env::api::PreviewEnvironmentStatus;
use preview_env::api::conditions::{ConditionStatus, FEEDBACK_DELIVERED, READY, find, is_true};
use test_world::TOKEN;

use crate::shop::{Pull, Shop, story, story_alone};

/// More often than anybody tries.
const ALWAYS: u32 = 1_000;

fn comments_of(shop: &Shop) -> String {
    format!("/repos/{}/issues/*/comments", shop.repository)
}

/// The environment is ready although its pull request does not show it; gives what is said about that.
async fn wait_until_ready_and_untold(pull: &Pull<'_>, reason: &str) -> anyhow::Result<String> {
    let untold = |s: &PreviewEnvironmentStatus| {
        find(&s.conditions, FEEDBACK_DELIVERED).is_some_and(|c| c.status == ConditionStatus::False && c.reason == reason).then_some(())
    };
    let status = pull.wait(&format!("ready and {reason}"), |s| is_true(&s.conditions, READY) && untold(s).is_some()).await?;
    Ok(find(&status.conditions, FEEDBACK_DELIVERED).map(|c| c.message.clone()).unwrap_or_default())
}

async fn wait_until_told(pull: &Pull<'_>) -> anyhow::Result<()> {
    pull.wait_for_comment(|body| body.contains("is ready")).await?;
    pull.wait_for_condition(FEEDBACK_DELIVERED, ConditionStatus::True, "Delivered").await?;
    assert_eq!(pull.comments(), 1, "never a second comment");
    Ok(())
}

#[test]
fn a_comment_that_github_does_not_take_holds_up_nothing_and_is_written_once() {
    story(|world| async move {
        let shop = Shop::open(world, "bad-gateway").await?;
        world.github.inject(Fault::on("POST", &comments_of(&shop), Failure::status(502)).times(ALWAYS));
        let pull = shop.pull_request("login").await?;
        let why = wait_until_ready_and_untold(&pull, "Retrying").await?;
        assert!(why.contains("502"), "{why}");
        assert_eq!(pull.comments(), 0);
        world.github.clear_faults_on(&comments_of(&shop));
        wait_until_told(&pull).await
    });
}

#[test]
fn a_comment_whose_answer_is_lost_is_not_written_again() {
    story(|world| async move {
        let shop = Shop::open(world, "lost-answer").await?;
        world.github.inject(Fault::on("POST", &comments_of(&shop), Failure::CutAfter));
        let pull = shop.pull_request("login").await?;
        wait_until_told(&pull).await
    });
}

#[test]
fn a_rate_limit_is_waited_out() {
    story(|world| async move {
        let shop = Shop::open(world, "rate-limit").await?;
        let limit = Failure::secondary_limit(Duration::from_secs(2));
        world.github.inject(Fault::on("POST", &comments_of(&shop), limit));
        let pull = shop.pull_request("login").await?;
        let why = pull.wait_for_condition(FEEDBACK_DELIVERED, ConditionStatus::False, "Retrying").await?;
        assert!(why.ends_with("the forge asks to wait"), "{why}");
        wait_until_told(&pull).await
    });
}

#[test]
fn with_a_revoked_token_environments_come_and_go_and_say_what_is_missing() {
    story_alone(|world| async move {
        let shop = Shop::open(world, "revoked").await?;
        let told = shop.pull_request("told").await?;
        wait_until_told(&told).await?;
        world.github.revoke_token(TOKEN)?;
        let pull = shop.pull_request("login").await?;
        let why = wait_until_ready_and_untold(&pull, "Refused").await?;
        assert!(why.contains("Bad credentials"), "{why}");
        assert_eq!(pull.perform(On::close).await?, Some(202));
        pull.wait_until_gone().await?;
        // What the pull request still shows is put right once there is another token.
        assert_eq!(told.perform(On::close).await?, Some(202));
        told.wait_for_condition(FEEDBACK_DELIVERED, ConditionStatus::False, "Refused").await?;
        told.wait("nothing of it is left", |s| s.namespace.is_none()).await?;

        let fresh = "another-token-of-the-double";
        world.add_token(fresh)?;
        std::fs::write(world.service.lock().await.folder().join("github-token"), fresh)?;
        let next = shop.pull_request("logout").await?;
        wait_until_told(&next).await?;
        world.service.lock().await.kill();
        crate::crash::start_again(world).await?;
        told.wait_for_comment(|body| body.contains("Preview removed")).await?;
        told.wait_until_gone().await
    });
}
