//! What services logged: shown where only those read it who may, and without what looks like a secret.

use preview_env::api::conditions::{ConditionStatus, STALLED};
use preview_env::api::status::CommandOutcome;
use serde_json::json;
use test_world::{DEVELOPER, World};

use crate::commands::{result, say};
use crate::developer::Developer;
use crate::said::kept;
use crate::shop::{LOGGED, LOGGED_BEFORE, Pull, Shop, story};

/// A password that what is logged holds.
const SECRET: &str = "of-the-database";

#[test]
fn the_last_lines_of_a_service_are_shown_where_only_its_team_reads_them() {
    assert!(LOGGED.contains(SECRET) && LOGGED_BEFORE.contains(SECRET), "there would be nothing to mask");
    story(|world| async move {
        let private = Shop::private(world, "logs-private").await?;
        let pull = private.pull_request("login").await?;
        pull.wait_until_ready().await?;
        say(&pull, DEVELOPER, "/preview logs web 2").await?;
        let shown = result(&pull, 1).await?;
        assert_eq!(shown.outcome, CommandOutcome::Done, "{}", shown.message);
        assert_eq!(shown.output.as_deref(), Some("connected to postgres://shop:***@db/shop\nserved request 80 in 3 ms"));
        let comment = pull.wait_for_comment(|body| body.contains("served request 80 in 3 ms")).await?;
        assert!(!comment.contains(SECRET) && !comment.contains("served request 79"), "{comment}");
        kept("logs_by_command", &pull, &comment, None).await?;

        let public = Shop::open(world, "logs-public").await?;
        let pull = public.pull_request("login").await?;
        pull.wait_until_ready().await?;
        say(&pull, DEVELOPER, "/preview logs web").await?;
        let refused = result(&pull, 1).await?;
        assert_eq!((refused.outcome, refused.output), (CommandOutcome::Refused, None));
        assert!(refused.message.contains("kubectl -n logs-public-web-pr-1 logs deployment/web"), "{}", refused.message);
        pull.wait_for_comment(|body| body.contains("kubectl -n logs-public-web-pr-1")).await?;
        Ok(())
    });
}

/// A pull request whose code crashes, and its comment once it says so.
async fn crashed(shop: &Shop) -> anyhow::Result<(Pull<'_>, String)> {
    let pull = shop.pull_request("crash").await?;
    pull.wait_until_ready().await?;
    pull.crash("web").await?;
    let comment = pull.wait_for_comment(|body| body.contains("`web`: crashes: exit 1, 3 restarts")).await?;
    Ok((pull, comment))
}

#[test]
fn what_a_crashing_service_logged_last_is_in_the_comment_of_a_private_repository_and_of_no_other() {
    story(|world| async move {
        let private = Shop::private(world, "crash-private").await?;
        let (pull, comment) = crashed(&private).await?;
        kept("failed", &pull, &comment, None).await?;
        assert!(comment.contains("failed: `web` does not run"), "{comment}");
        let (_, below) = comment.split_once("The last lines that web logged").unwrap_or_default();
        assert!(below.contains("starting, step 30 of 30") && !below.contains("starting, step 13 of 30"), "20 lines: {comment}");
        assert!(below.contains("cannot reach postgres://shop:***@db/shop"), "what it said before it ended: {comment}");
        assert!(below.contains("\n````\n"), "a fence that the log cannot close: {comment}");
        assert!(!comment.contains(SECRET) && !below.contains("listening on"), "{comment}");

        let public = Shop::open(world, "crash-public").await?;
        let (pull, comment) = crashed(&public).await?;
        assert!(comment.contains("failed: `web` does not run") && !comment.contains("starting, step"), "{comment}");
        let status = pull.environment().await?.status.unwrap_or_default();
        assert!(status.services.iter().all(|service| service.log.is_none()), "what is not to be shown is not even read");
        Ok(())
    });
}

async fn with_a_hook_that_fails(world: &'static World, name: &str) -> anyhow::Result<Shop> {
    let template = json!({"metadata": {"labels": {test_cluster::FAILS: "true"}}, "spec": {"containers": [{"name": "migrate"}]}});
    let job = json!({"backoffLimit": 0, "template": template});
    let hook = json!({"name": "migrate", "when": "BeforeWorkloads", "service": "web", "job": job});
    Shop::with(world, name, |spec| spec["hooks"] = json!([hook])).await
}

#[test]
fn what_a_failing_hook_logged_last_is_for_those_who_may_read_the_environment() {
    story(|world| async move {
        let shop = with_a_hook_that_fails(world, "hook-logs").await?;
        let developer = Developer::of(&shop).await?;
        let pull = shop.pull_request("login").await?;
        pull.wait_for_condition(STALLED, ConditionStatus::True, "HookFailed").await?;
        let status = pull.wait("with what its hook logged", |s| s.hooks.iter().any(|hook| hook.log.is_some())).await?;
        let log = status.hooks[0].log.clone().unwrap_or_default();
        assert!(log.ends_with("served request 80 in 3 ms") && log.lines().count() == 10 && !log.contains(SECRET), "{log}");
        let shown = developer.run(&["describe", &pull.name()]).await?.succeeds();
        assert!(shown.contains("served request 80 in 3 ms") && !shown.contains(SECRET), "{shown}");
        let comment = pull.wait_for_comment(|body| body.contains("hook migrate failed")).await?;
        assert!(comment.contains("preview describe") && !comment.contains("served request"), "{comment}");
        Ok(())
    });
}
