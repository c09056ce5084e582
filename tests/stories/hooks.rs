//! Migrations and seed data: Jobs that the Baseline asks for.

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use preview_env::api::conditions::{ConditionStatus, HOOKS_SUCCEEDED, READY, STALLED};
use preview_env::api::names::LABEL_HOOK;
use preview_env::api::status::HookState;
use serde_json::{Value, json};
use test_world::wait_for;

use crate::developer::Developer;
use crate::said::kept;
use crate::shop::{Pull, Shop, story, story_alone};

fn migrate() -> Value {
    let job = json!({"template": {"spec": {"containers": [{"name": "migrate", "command": ["./migrate"]}]}}});
    json!({"name": "migrate", "when": "BeforeWorkloads", "service": "web", "job": job})
}

fn seed() -> Value {
    let job = json!({"backoffLimit": 1, "template": {"spec": {"containers": [{"name": "seed", "image": "acme/seed:1"}]}}});
    json!({"name": "seed", "when": "AfterReady", "job": job})
}

/// A hook whose pod no node takes, so that it never ends by itself.
fn stuck(mut hook: Value, timeout: &str) -> Value {
    hook["timeout"] = json!(timeout);
    hook["job"]["template"]["spec"]["nodeSelector"] = json!({"there-is": "none"});
    hook
}

fn jobs(pull: &Pull<'_>) -> Api<Job> {
    Api::namespaced(pull.shop.world.admin.clone(), &pull.namespace())
}

async fn jobs_of(pull: &Pull<'_>, hook: &str) -> anyhow::Result<Vec<Job>> {
    Ok(jobs(pull).list(&ListParams::default().labels(&format!("{LABEL_HOOK}={hook}"))).await?.items)
}

/// Name and UID of the one Job of a hook.
async fn only_job(pull: &Pull<'_>, hook: &str) -> anyhow::Result<(String, Option<String>)> {
    let all = jobs_of(pull, hook).await?;
    anyhow::ensure!(all.len() == 1, "{hook} has {} Jobs", all.len());
    Ok((all[0].name_any(), all[0].uid()))
}

async fn wait_until_hooks_ran(pull: &Pull<'_>) -> anyhow::Result<()> {
    let revision = pull.revision()?;
    pull.wait("through with its hooks", |s| {
        let done = s.hooks.iter().all(|h| matches!(h.state, HookState::Succeeded | HookState::NotNeeded));
        s.ready_revision.as_ref() == Some(&revision) && !s.hooks.is_empty() && done
    })
    .await?;
    pull.wait_for_condition(HOOKS_SUCCEEDED, ConditionStatus::True, "Succeeded").await?;
    Ok(())
}

#[test]
fn a_migration_runs_before_the_workloads_of_every_revision_and_a_seed_once() {
    story(|world| async move {
        let shop = Shop::with(world, "hooked", |spec| spec["hooks"] = json!([migrate(), seed()])).await?;
        let pull = shop.pull_request("login").await?;
        wait_until_hooks_ran(&pull).await?;
        let (first, _) = only_job(&pull, "migrate").await?;
        let job = jobs(&pull).get(&first).await?;
        let web = Api::<Deployment>::namespaced(world.admin.clone(), &pull.namespace()).get("web").await?;
        let completed = job.status.as_ref().and_then(|s| s.completion_time.clone());
        assert!(completed.is_some_and(|at| web.creation_timestamp().is_some_and(|made| made.0 >= at.0)), "web did not wait for it");
        let pod = job.spec.and_then(|s| s.template.spec).unwrap_or_default();
        let revision = &pull.revision()?[..7];
        assert_eq!(pod.containers[0].image.as_deref(), Some(&*format!("registry.example.com:5000/acme/web:pr-1-{revision}")));
        assert_eq!(pod.service_account_name.as_deref(), Some("web"));
        let seeded = only_job(&pull, "seed").await?;

        pull.perform(github_double::On::push).await?;
        wait_until_hooks_ran(&pull).await?;
        assert_ne!(only_job(&pull, "migrate").await?.0, first, "the migration of the new revision, and no other, is there");
        assert_eq!(only_job(&pull, "seed").await?, seeded);
        Ok(())
    });
}

#[test]
fn a_migration_that_fails_holds_the_workloads_back_and_says_why() {
    story(|world| async move {
        let shop = Shop::with(world, "unmigrated", |spec| spec["hooks"] = json!([stuck(migrate(), "2s")])).await?;
        let developer = Developer::of(&shop).await?;
        let pull = shop.pull_request("login").await?;
        let why = pull.wait_for_condition(STALLED, ConditionStatus::True, "HookFailed").await?;
        assert_eq!(why, "hook migrate failed: it did not end within its timeout");
        pull.wait_for_condition(HOOKS_SUCCEEDED, ConditionStatus::False, "HookFailed").await?;
        Api::<StatefulSet>::namespaced(world.admin.clone(), &pull.namespace()).get("db").await?;
        let deployments: Api<Deployment> = Api::namespaced(world.admin.clone(), &pull.namespace());
        assert!(deployments.get_opt("web").await?.is_none(), "web did not wait");
        let settled = |body: &str| body.contains("is stalled") && body.contains("hook migrate failed") && body.contains(" | ready |");
        let comment = pull.wait_for_comment(settled).await?;
        kept("a_hook_failed", &pull, &comment, None).await?;
        let shown = developer.run(&["describe", "web-pr-1"]).await?.succeeds();
        assert!(shown.contains("it did not end within its timeout"), "{shown}");

        let (first, _) = only_job(&pull, "migrate").await?;
        developer.run(&["refresh", "web-pr-1"]).await?.succeeds();
        pull.wait("tried again", |s| s.hooks.iter().any(|h| h.job != first && h.state != HookState::Waiting)).await?;
        Ok(())
    });
}

#[test]
fn a_hook_that_may_fail_is_told_of_and_holds_nothing_up() {
    story(|world| async move {
        let mut hook = stuck(seed(), "2s");
        hook["onFailure"] = json!("Continue");
        let shop = Shop::with(world, "unseeded", |spec| spec["hooks"] = json!([hook])).await?;
        let pull = shop.pull_request("login").await?;
        pull.wait_until_ready().await?;
        pull.wait_for_condition(HOOKS_SUCCEEDED, ConditionStatus::False, "HookFailed").await?;
        pull.wait_for_condition(READY, ConditionStatus::True, "Ready").await?;
        pull.wait_for_comment(|body| body.contains("is ready") && body.contains("The hook `seed` failed")).await?;
        Ok(())
    });
}

#[test]
fn a_crash_runs_no_hook_twice() {
    story_alone(|world| async move {
        let shop = Shop::with(world, "crashed-hook", |spec| spec["hooks"] = json!([stuck(migrate(), "10m")])).await?;
        let pull = shop.pull_request("login").await?;
        pull.wait_for_condition(READY, ConditionStatus::False, "HookRunning").await?;
        let made = |pull: &Pull<'_>| {
            let (api, name) = (jobs(pull), pull.shop.environments());
            let environment = pull.name();
            async move {
                let status = name.get(&environment).await?.status.unwrap_or_default();
                let job = status.hooks.first().map(|h| h.job.clone()).unwrap_or_default();
                wait_for(&api, &job, "made", |job: Option<&Job>| job.is_some()).await
            }
        };
        let before = made(&pull).await?.and_then(|job| job.uid());
        {
            let mut service = world.service.lock().await;
            service.kill();
            service.launch()?;
            service.wait_until_ready().await?;
        }
        let (name, after) = only_job(&pull, "migrate").await?;
        assert_eq!(after, before);
        pull.perform(github_double::On::push).await?;
        pull.wait("at its new migration", |s| s.hooks.iter().any(|h| h.job != name && h.state == HookState::Running)).await?;
        wait_for(&jobs(&pull), &name, "stopped", |job: Option<&Job>| job.is_none()).await?;
        Ok(())
    });
}
