//! The service killed between any two of its writes, and started again: it goes on and ends in the same state.

use std::time::Duration;

use github_double::{Action, On, Open, on};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, ListParams};
use preview_env::api::PreviewEnvironmentStatus;
use preview_env::api::names::LABEL_ENVIRONMENT_UID;
use serde_json::json;
use test_cluster::{Audit, Event, Mark};
use test_world::{DEVELOPER, World};

use crate::shop::{Pull, Shop, story_alone};

/// How often a delivery that is not taken is sent again.
const AGAIN: Duration = Duration::from_millis(500);
/// How often the log of requests is looked at for the moment to kill.
const LOOK: Duration = Duration::from_millis(1);

pub fn writes(audit: &Audit, mark: Mark) -> anyhow::Result<usize> {
    let is_write = |event: &&Event| event.user.ends_with(":preview-env") && !matches!(event.verb.as_str(), "get" | "list" | "watch");
    Ok(audit.read(mark)?.iter().filter(is_write).count())
}

/// Does something to the pull request, and kills the service once the API server answered so many of its writes. The
/// delivery may have met no service: GitHub shows it as failed then, and a person has it sent again.
async fn kill_after(world: &World, count: usize, action: impl Into<Action> + Send) -> anyhow::Result<u64> {
    let audit = world.audit();
    let mark = audit.mark().await?;
    let kill = async {
        let mut ticks = tokio::time::interval(LOOK);
        while writes(&audit, mark)? < count {
            ticks.tick().await;
        }
        world.service.lock().await.kill();
        anyhow::Ok(())
    };
    let (killed, done) = tokio::join!(tokio::time::timeout(test_world::deadline(), kill), world.github.perform(action));
    killed??;
    let done = done?;
    start_again(world).await?;
    if done.status().is_none_or(|status| status >= 300) {
        tokio::time::timeout(test_world::deadline(), taken(world, done.delivery().id)).await??;
    }
    Ok(done.number())
}

/// Delivers again until it is taken: an answer of 503 asks for that, and the API server throttles now and then.
pub async fn taken(world: &World, delivery: u64) -> anyhow::Result<()> {
    let mut ticks = tokio::time::interval(AGAIN);
    loop {
        ticks.tick().await;
        let again = world.github.redeliver(delivery).await?;
        if again.status() != Some(503) {
            anyhow::ensure!(again.status() == Some(202), "the delivery is not taken: {}", again.answer());
            return Ok(());
        }
    }
}

pub async fn start_again(world: &World) -> anyhow::Result<()> {
    let mut service = world.service.lock().await;
    service.launch()?;
    service.wait_until_ready().await
}

/// What must not depend on whether there was a crash.
fn essence(status: &PreviewEnvironmentStatus) -> impl PartialEq + std::fmt::Debug + use<> {
    let inventory: Vec<_> = status.inventory.iter().map(|e| (e.kind.clone(), e.name.clone(), e.hash.is_some())).collect();
    let services: Vec<_> = status.services.iter().map(|s| (s.name.clone(), s.ready)).collect();
    (inventory, services, status.phase.clone(), status.left_out.clone())
}

async fn one_namespace(pull: &Pull<'_>) -> anyhow::Result<()> {
    let uid = pull.shop.environments().get(&pull.name()).await?.metadata.uid.unwrap_or_default();
    let selected = ListParams::default().labels(&format!("{LABEL_ENVIRONMENT_UID}={uid}"));
    let namespaces = Api::<Namespace>::all(pull.shop.world.admin.clone()).list(&selected).await?;
    anyhow::ensure!(namespaces.items.len() == 1, "{} namespaces for one environment", namespaces.items.len());
    Ok(())
}

#[test]
fn a_crash_between_any_two_writes_changes_nothing_in_the_end() {
    story_alone(|world| async move {
        let shop = Shop::with(world, "crash", |spec| spec["limits"] = json!({"perAuthor": 7})).await?;
        let undisturbed = shop.pull_request("undisturbed").await?;
        let expected = essence(&undisturbed.wait_until_ready().await?);
        let mut pulls = Vec::new();
        for after in [1, 2, 3, 5, 9, 15] {
            let branch = format!("killed-after-{after}");
            let number = kill_after(world, after, Open::new(&shop.repository, &branch, DEVELOPER)).await?;
            let pull = Pull { shop: &shop, number, status: None };
            let status = pull.wait_until_ready().await?;
            assert_eq!(essence(&status), expected, "killed after {after} writes");
            one_namespace(&pull).await?;
            pull.wait_for_comment(|body| body.contains("is ready")).await?;
            assert_eq!(world.github.comments(&shop.repository, number).len(), 1, "killed after {after} writes");

            kill_after(world, 1, on(&shop.repository, number, DEVELOPER).push()).await?;
            pull.wait_until_ready().await?;
            pulls.push((after % 4 + 1, pull));
        }
        for (next, pull) in &pulls {
            kill_after(world, *next, on(&shop.repository, pull.number, DEVELOPER).merge()).await?;
        }
        for (next, pull) in &pulls {
            pull.wait_until_gone().await?;
            assert_eq!(world.github.comments(&shop.repository, pull.number).len(), 1, "killed {next} writes after the merge");
        }
        undisturbed.perform(On::close).await?;
        undisturbed.wait_until_gone().await
    });
}
