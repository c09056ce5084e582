//! What stands beside the commit: deployments and checks of an App, and the commit status of an account with a token.

use anyhow::Context;
use github_double::{CheckRun, CommitStatus, Deployment, On, Open, Records};
use k8s_openapi::api::core::v1::Node;
use kube::api::{Api, Patch, PatchParams};
use preview_env::api::conditions::{ConditionStatus, FEEDBACK_DELIVERED};
use serde_json::{Value, json};
use test_world::{DEVELOPER, World};

use crate::commands::{result, say};
use crate::said::kept;
use crate::shop::{Pull, Shop, story, story_of_an_app};

/// The check of a commit that has that name, as it is now.
fn check<'a>(records: &'a Records, name: &str, sha: &str) -> Option<&'a CheckRun> {
    records.checks.values().find(|check| check.name == name && check.head_sha == sha)
}

async fn wait_for_check(pull: &Pull<'_>, baseline: &str, conclusion: Option<&str>) -> anyhow::Result<CheckRun> {
    let (name, sha) = (format!("preview / {baseline}"), pull.revision()?);
    let fits = |records: &Records| check(records, &name, &sha).filter(|check| check.conclusion.as_deref() == conclusion).cloned();
    pull.wait_for_record(&format!("check {name:?} with the conclusion {conclusion:?}"), fits).await
}

async fn wait_for_deployment(pull: &Pull<'_>, baseline: &str, sha: &str, state: &str) -> anyhow::Result<Deployment> {
    let environment = format!("preview/{baseline}");
    let fits = |records: &Records| {
        let of_commit = |one: &&Deployment| one.sha == sha && one.environment == environment && one.state() == Some(state);
        records.deployments.values().find(of_commit).cloned()
    };
    pull.wait_for_record(&format!("deployment of {environment} that is {state}"), fits).await
}

fn records(pull: &Pull<'_>) -> anyhow::Result<Records> {
    Ok(pull.shop.world.github.repository(&pull.shop.repository)?.records)
}

/// From now on pods run that wait for that.
async fn let_run(world: &World, what: &str) -> anyhow::Result<()> {
    let label = Patch::Merge(json!({"metadata": {"labels": {what: "yes"}}}));
    Api::<Node>::all(world.admin.clone()).patch("kwok-0", &PatchParams::default(), &label).await?;
    Ok(())
}

/// A hook that runs once that is let run.
fn hook(waits_for: &str) -> Value {
    let pod = json!({"containers": [{"name": "migrate", "image": "acme/migrate:1"}], "nodeSelector": {waits_for: "yes"}});
    json!({"name": "migrate", "when": "BeforeWorkloads", "job": {"template": {"spec": pod}}})
}

/// A Deployment of the baseline that is up once that is let run.
fn slow(waits_for: &str) -> String {
    let pod = json!({"containers": [{"name": "slow", "image": "acme/slow:1"}], "nodeSelector": {waits_for: "yes"}});
    let template = json!({"metadata": {"labels": {"app": "slow"}}, "spec": pod});
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "slow"},
        "spec": {"selector": {"matchLabels": {"app": "slow"}}, "template": template}})
    .to_string()
}

#[test]
fn deployment_and_check_follow_an_environment_from_its_first_moment_to_its_last() {
    story_of_an_app(|world| async move {
        let with_hook = |spec: &mut Value| spec["hooks"] = json!([hook("first")]);
        let shop = Shop::holding(world, "beside", &slow("then"), with_hook).await?;
        let pull = shop.pull_request("login").await?;
        let first = pull.revision()?;
        let running = wait_for_check(&pull, "beside", None).await?;
        assert_eq!(running.status, "in_progress");
        wait_for_deployment(&pull, "beside", &first, "queued").await?;

        let_run(world, "first").await?;
        let made = wait_for_deployment(&pull, "beside", &first, "in_progress").await?;
        assert!(made.transient && !made.production && made.description.is_some_and(|d| d.contains("Preview of #1 at")));
        let neutral = wait_for_check(&pull, "beside", Some("neutral")).await?;
        assert!(neutral.summary.is_some_and(|text| text.contains("Unschedulable")), "the change is not at fault");

        let_run(world, "then").await?;
        let up = wait_for_deployment(&pull, "beside", &first, "success").await?;
        assert_eq!(up.statuses.last().map(|s| s.environment_url.as_str()), Some("http://web-pr-1.beside.preview.example.com"));
        let done = wait_for_check(&pull, "beside", Some("success")).await?;
        assert_eq!((done.id, done.actions.len()), (running.id, 3), "one check, with its buttons");

        pull.perform(On::push).await?;
        let second = pull.revision()?;
        wait_for_deployment(&pull, "beside", &second, "success").await?;
        wait_for_deployment(&pull, "beside", &first, "inactive").await?;
        wait_for_check(&pull, "beside", Some("success")).await?;

        assert_eq!(pull.perform(On::merge).await?, Some(202));
        pull.wait_until_gone().await?;
        let left = records(&pull)?;
        assert!(left.deployments.is_empty(), "{:?}", left.deployments);
        assert!(left.checks.values().all(|check| check.conclusion.as_deref() == Some("success")), "a merge leaves checks as they are");
        Ok(())
    });
}

#[test]
fn an_address_is_shown_as_ready_only_after_it_answered() {
    story_of_an_app(|world| async move {
        let shop = Shop::open(world, "answers").await?;
        let routes = world.routes.as_ref().context("nothing answers here")?;
        routes.answer(".answers.preview.example.com", 503);
        let pull = shop.pull_request("login").await?;
        pull.wait_until_ready().await?;
        let comment = pull.wait_for_comment(|body| body.contains("is up, but its address does not answer")).await?;
        assert!(comment.contains("503"), "{comment}");
        kept("up_without_an_answer", &pull, &comment, None).await?;
        let (sha, url) = (pull.revision()?, "http://web-pr-1.answers.preview.example.com");
        wait_for_deployment(&pull, "answers", &sha, "in_progress").await?;
        let asked = wait_for_check(&pull, "answers", None).await?;
        assert_eq!(asked.details_url, None, "nobody is led to what does not answer");

        routes.answer(".answers.preview.example.com", 200);
        let comment = pull.wait_for_comment(|body| body.contains("is ready")).await?;
        assert!(comment.contains(url) && comment.contains("answered 200"), "{comment}");
        kept("ready_and_answered", &pull, &comment, None).await?;
        let up = wait_for_deployment(&pull, "answers", &sha, "success").await?;
        assert_eq!(up.statuses.last().map(|s| s.environment_url.as_str()), Some(url));
        let done = wait_for_check(&pull, "answers", Some("success")).await?;
        assert!(done.details_url.is_some_and(|led| led.starts_with(url)));
        Ok(())
    });
}

#[test]
fn a_check_says_whose_fault_it_is() {
    story_of_an_app(|world| async move {
        let shop = Shop::open(world, "fault").await?;
        let (blameless, at_fault) = (shop.pull_request("login").await?, shop.pull_request("logout").await?);
        for pull in [&blameless, &at_fault] {
            pull.wait_until_ready().await?;
            wait_for_check(pull, "fault", Some("success")).await?;
        }
        blameless.crash("api").await?;
        at_fault.crash("web").await?;
        wait_for_check(&blameless, "fault", Some("neutral")).await?;
        let failed = wait_for_check(&at_fault, "fault", Some("failure")).await?;
        assert!(failed.title.is_some_and(|title| title.contains("failed: web does not run")));
        wait_for_deployment(&at_fault, "fault", &at_fault.revision()?, "failure").await?;
        Ok(())
    });
}

#[test]
fn a_fork_needs_somebodys_action_and_is_never_deployed() {
    story_of_an_app(|world| async move {
        let shop = Shop::of_whole_commits(world, "fork-beside").await?;
        world.github.add_user("giver");
        let fork = world.github.fork(&shop.repository, "giver")?;
        let pull = shop.opened(Open::new(&shop.repository, "gift", "giver").from_fork(&fork)).await?;
        let asks = wait_for_check(&pull, "fork-beside", Some("action_required")).await?;
        assert!(asks.actions.is_empty(), "nothing is there that could be rebuilt, extended or deleted");
        pull.wait_until_told().await?;
        assert!(records(&pull)?.deployments.is_empty());

        let sha = pull.revision()?;
        say(&pull, DEVELOPER, &format!("/preview approve {sha}")).await?;
        result(&pull, 1).await?;
        wait_for_check(&pull, "fork-beside", Some("success")).await?;
        pull.wait_until_told().await?;
        assert!(records(&pull)?.deployments.is_empty(), "workflows that begin with one run with the fork's commit");
        Ok(())
    });
}

#[test]
fn each_baseline_of_a_repository_has_one_name_of_its_own() {
    story_of_an_app(|world| async move {
        let one = Shop::open(world, "names-one").await?;
        let two = Shop::with(world, "names-two", |spec| spec["repositories"][0]["name"] = json!(one.repository)).await?;
        let (first, second) = (one.pull_request("login").await?, one.pull_request("logout").await?);
        for pull in [&first, &second] {
            let sha = pull.revision()?;
            for shop in [&one, &two] {
                wait_for_deployment(pull, &shop.namespace, &sha, "success").await?;
                wait_for_check(pull, &shop.namespace, Some("success")).await?;
            }
        }
        let mut names: Vec<_> = records(&first)?.deployments.into_values().map(|one| one.environment).collect();
        names.sort();
        names.dedup();
        assert_eq!(names, ["preview/names-one", "preview/names-two"], "two for any number of pull requests");
        assert_eq!((first.comments(), second.comments()), (1, 1), "and one comment for both");
        Ok(())
    });
}

#[test]
fn each_surface_can_be_turned_off_alone() {
    story_of_an_app(|world| async move {
        for (field, off) in [("comment", json!("Never")), ("deployment", json!(false)), ("checkRun", json!(false))] {
            let name = format!("no-{}", field.to_lowercase());
            let shop = Shop::with(world, &name, |spec| spec["feedback"] = json!({field: off})).await?;
            let pull = shop.pull_request("login").await?;
            let sha = pull.revision()?;
            if field != "comment" {
                pull.wait_for_comment(|body| body.contains("is ready")).await?;
            }
            if field != "deployment" {
                wait_for_deployment(&pull, &name, &sha, "success").await?;
            }
            if field != "checkRun" {
                wait_for_check(&pull, &name, Some("success")).await?;
            }
            pull.wait_for_condition(FEEDBACK_DELIVERED, ConditionStatus::True, "Delivered").await?;
            let there = records(&pull)?;
            let shown = (pull.comments(), there.deployments.len(), there.checks.len());
            let wanted = (usize::from(field != "comment"), usize::from(field != "deployment"), usize::from(field != "checkRun"));
            assert_eq!(shown, wanted, "comments, deployments and checks without {field}");
        }
        Ok(())
    });
}

/// The newest status of the commit at the head, once its state is that.
async fn wait_for_status(pull: &Pull<'_>, baseline: &str, state: &str) -> anyhow::Result<CommitStatus> {
    let (context, sha) = (format!("preview / {baseline}"), pull.revision()?);
    let fits = |records: &Records| {
        let newest = records.statuses_of(&sha).find(|one| one.context == context);
        newest.filter(|one| one.state == state).cloned()
    };
    pull.wait_for_record(&format!("commit status {context:?} that is {state}"), fits).await
}

#[test]
fn an_account_with_a_token_gives_a_commit_status_instead_of_a_check() {
    story(|world| async move {
        let shop = Shop::with(world, "status", |spec| spec["hooks"] = json!([hook("status")])).await?;
        let pull = shop.pull_request("login").await?;
        wait_for_status(&pull, "status", "pending").await?;
        let_run(world, "status").await?;
        let up = wait_for_status(&pull, "status", "success").await?;
        assert!(up.description.is_some_and(|says| says.contains("is ready")));
        pull.crash("web").await?;
        wait_for_status(&pull, "status", "failure").await?;
        assert!(records(&pull)?.checks.is_empty());
        Ok(())
    });
}

#[test]
fn two_pull_requests_with_one_commit_have_a_commit_status_each() {
    story(|world| async move {
        let shop = Shop::open(world, "one-status").await?;
        let (first, second) = shop.two_with_one_commit().await?;
        wait_for_status(&first, "one-status", "success").await?;
        wait_for_status(&second, "one-status (#2)", "success").await?;
        second.crash("web").await?;
        wait_for_status(&second, "one-status (#2)", "failure").await?;
        wait_for_status(&first, "one-status", "success").await?;
        Ok(())
    });
}
