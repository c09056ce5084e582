//! The end of many environments at once, and of as many namespaces that hold the same and are just deleted.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use bench::service::{USER, send};
use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt, stream};
use github_double::{Done, on};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{DeleteParams, ListParams};
use kube::{Api, ResourceExt};
use preview_env::api::names::{LABEL_MANAGED_BY, MANAGED_BY};
use test_cluster::Event;
use test_world::{DEVELOPER, World};

use crate::burst::Stage;
use crate::shown::{Shown, until};

/// How often it is looked which namespaces are left.
const LOOK: Duration = Duration::from_millis(200);
/// How long the last one is waited for.
const DEADLINE: Duration = Duration::from_secs(600);
/// Deletions under way at one time.
const IN_FLIGHT: usize = 32;

/// How many ended.
#[derive(Debug)]
pub struct Ends {
    /// Until each namespace was gone, in seconds after the first was told to end.
    pub gone: Vec<f64>,
    /// Until each one's Deployments were deleted, where that is done first.
    pub stopped: Vec<f64>,
}

/// Closes these pull requests at once, and waits until nothing of their environments is left.
pub async fn by_service(world: &World, stage: &Stage, numbers: &[u64]) -> Result<Ends> {
    let closed = numbers.iter().map(|number| Ok(world.github.act(on(&stage.shop.repository, *number, DEVELOPER).close())?));
    let closed: Vec<Done> = closed.collect::<Result<_>>()?;
    let names: Vec<String> = numbers.iter().map(|number| stage.namespace(*number)).collect();
    let left = Shown::now(world).await?.sum("preview_environments", &[]) - crate::many::as_figure(numbers.len());
    let mark = world.audit().mark().await?;
    let (start, began) = (Utc::now(), Instant::now());
    let sends: Vec<_> = closed.iter().map(|closed| send(closed.delivery())).collect();
    stream::iter(sends).buffer_unordered(IN_FLIGHT).try_for_each(async |_| Ok(())).await?;
    let gone = gone(world, &names, began).await?;
    let stopped = stopped(&world.audit().since(mark).await?, &names, start);
    // The comments say so, and the objects are gone too.
    until(world, "nothing is left of them", |shown| shown.sum("preview_environments", &[]) <= left).await?;
    Ok(Ends { gone, stopped })
}

/// Deletes these namespaces at once, and waits until they are gone.
pub async fn bare(world: &World, names: &[String]) -> Result<Ends> {
    let api: Api<Namespace> = Api::all(world.admin.clone());
    let began = Instant::now();
    let deletions: Vec<_> = names.iter().map(async |name| api.delete(name, &DeleteParams::background()).await.map(drop)).collect();
    stream::iter(deletions).buffer_unordered(IN_FLIGHT).try_for_each(async |()| Ok(())).await?;
    Ok(Ends { gone: gone(world, names, began).await?, stopped: Vec::new() })
}

async fn gone(world: &World, names: &[String], began: Instant) -> Result<Vec<f64>> {
    let api: Api<Namespace> = Api::all(world.admin.clone());
    let ours = ListParams::default().labels(&format!("{LABEL_MANAGED_BY}={MANAGED_BY}"));
    let (mut gone, mut ticks) = (BTreeMap::new(), tokio::time::interval(LOOK));
    while began.elapsed() < DEADLINE {
        ticks.tick().await;
        let there: Vec<String> = api.list_metadata(&ours).await?.items.iter().map(ResourceExt::name_any).collect();
        let now = began.elapsed().as_secs_f64();
        for name in names.iter().filter(|name| !there.contains(name)) {
            gone.entry(name).or_insert(now);
        }
        if gone.len() == names.len() {
            return Ok(gone.into_values().collect());
        }
    }
    bail!("of {} namespaces {} are gone after {} s", names.len(), gone.len(), DEADLINE.as_secs())
}

fn stopped(events: &[Event], names: &[String], start: DateTime<Utc>) -> Vec<f64> {
    let deletes = |e: &&Event| e.user == USER && e.verb == "deletecollection" && e.resource == "deployments" && e.code == 200;
    let mut first: BTreeMap<&str, f64> = BTreeMap::new();
    for event in events.iter().filter(deletes).filter(|event| names.contains(&event.namespace)) {
        let after = (event.answered - start).as_seconds_f64();
        first.entry(&event.namespace).and_modify(|known| *known = known.min(after)).or_insert(after);
    }
    first.into_values().collect()
}
