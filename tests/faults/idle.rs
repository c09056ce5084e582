//! Who gives way where a Baseline allows it. Nobody does within an hour of having been used, so the API server's clock goes two
//! hours ahead, as the service hears it.

use std::time::Duration;

use github_double::{Open, on};
use kube::api::{Patch, PatchParams};
use preview_env::api::conditions::{READY, is_true};
use preview_env::api::status::Lapse;
use preview_env::api::{PreviewEnvironment, PreviewEnvironmentStatus};
use serde_json::json;
use test_world::{DEVELOPER, OWNER, wait_for};

use crate::run::runtime;
use crate::stage::Stage;
use crate::tale::{LOOK, baseline};

const NAME: &str = "idle";
const AHEAD: Duration = Duration::from_secs(2 * 3600);

async fn wait(stage: &Stage, pull: u64, what: &str, fits: impl Fn(&PreviewEnvironmentStatus) -> bool + Send + Sync) -> anyhow::Result<()> {
    let fits = |e: Option<&PreviewEnvironment>| e.and_then(|e| e.status.as_ref()).is_some_and(&fits);
    wait_for(&stage.world.environments(NAME), &format!("web-pr-{pull}"), what, fits).await.map(drop)
}

async fn opened(stage: &Stage) -> anyhow::Result<u64> {
    let repository = format!("{OWNER}/{NAME}");
    let there = stage.world.github.repository(&repository)?.pulls.len();
    Ok(stage.world.github.perform(Open::new(&repository, &format!("branch-{there}"), DEVELOPER)).await?.number())
}

async fn ready(stage: &Stage, pull: u64) -> anyhow::Result<()> {
    wait(stage, pull, "Ready", |s| is_true(&s.conditions, READY)).await
}

/// Waits until one gives way to the other. The service needs some time to believe the clock, and nothing but a change has it look
/// again.
async fn gives_way(stage: &Stage, (pull, to): (u64, u64)) -> anyhow::Result<()> {
    let (environments, to) = (stage.world.environments(NAME), format!("web-pr-{to}"));
    let changes = async {
        let mut ticks = tokio::time::interval(4 * LOOK);
        for count in 0.. {
            ticks.tick().await;
            let change = Patch::Merge(json!({"metadata": {"annotations": {"example.com/count": count.to_string()}}}));
            environments.patch(&to, &PatchParams::default(), &change).await?;
        }
        anyhow::Ok(())
    };
    let evicted = |s: &PreviewEnvironmentStatus| {
        let gave_way = s.lapsed.as_ref().filter(|lapsed| lapsed.why == Lapse::Evicted).and_then(|lapsed| lapsed.gave_way_to.as_ref());
        gave_way == Some(&to)
    };
    tokio::select! {
        done = wait(stage, pull, "evicted", evicted) => done,
        failed = changes => failed,
    }
}

async fn tell() -> anyhow::Result<()> {
    let stage = Stage::start().await?;
    baseline(&stage.world, NAME, json!({"limits": {"environments": 2, "evict": "OldestIdle"}})).await?;
    let first = opened(stage).await?;
    ready(stage, first).await?;
    let second = opened(stage).await?;
    ready(stage, second).await?;
    // The first one is used again, so the second one is idle for longer.
    stage.world.github.perform(on(&format!("{OWNER}/{NAME}"), first, DEVELOPER).push()).await?;
    let revision = stage.world.github.pull(&format!("{OWNER}/{NAME}"), first)?.head_sha;
    wait(stage, first, "pushed to", |s| s.revision.as_ref() == Some(&revision) && is_true(&s.conditions, READY)).await?;

    stage.rules.go_ahead(AHEAD);
    let third = opened(stage).await?;
    gives_way(stage, (second, third)).await?;
    ready(stage, third).await?;
    let fourth = opened(stage).await?;
    gives_way(stage, (first, fourth)).await?;
    ready(stage, fourth).await?;
    wait(stage, third, "there", |s| s.lapsed.is_none() && s.namespace.is_some()).await
}

#[test]
fn who_was_idle_for_the_longest_time_gives_way_first() {
    runtime().block_on(tell()).unwrap();
}
