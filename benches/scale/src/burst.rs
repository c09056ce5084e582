//! Many pull requests at once, and the same environments by the raw writer: all are there at the start, and what counts is when
//! the last object of each was applied, by the audit log.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bench::raw::{IN_FLIGHT, Prepared, Raw};
use bench::service::{self, Run, send};
use bench::shop::Shop;
use chrono::Utc;
use futures::future::{join_all, try_join_all};
use github_double::{Done, Open};
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{DynamicObject, ListParams};
use kube::{Api, ResourceExt};
use preview_env::api::names::{LABEL_MANAGED_BY, MANAGED_BY};
use serde_json::json;
use test_cluster::Event;
use test_world::{Baseline, DEVELOPER, World, read_folder, root};
use tokio::sync::Semaphore;

use crate::asked::Asked;
use crate::many::as_figure;
use crate::shown::{Shown, until};

/// The namespace of the demo's shop.
const SHOP: &str = "shop";
/// Its repositories; the bursts are of the first one.
const REPOSITORIES: [&str; 2] = ["acme/web", "acme/api"];
/// How often it is looked whether what the raw writer wrote is up.
const LOOK: Duration = Duration::from_secs(1);
/// How long that is waited for.
const DEADLINE: Duration = Duration::from_secs(600);

/// One burst.
#[derive(Debug, Default)]
pub struct Burst {
    /// Until all of each environment was applied, in ms after the start of the burst.
    pub applied: Vec<f64>,
    /// Requests of the service's user, which the raw writer has too, until all was applied and up.
    pub asked: Asked,
}

impl Burst {
    /// Until all of all of them was applied, in ms.
    pub fn all(&self) -> f64 {
        self.applied.iter().copied().fold(0.0, f64::max)
    }
}

/// The demo's shop, an environment of it, and a raw writer that writes what the service wrote there.
pub struct Stage {
    /// The baseline.
    pub shop: Shop,
    /// An environment that stays, so that what the raw writer makes in its name is nobody's orphan.
    pub first: Run,
    /// The raw writer.
    pub raw: Raw,
}

/// `examples/shop` as it stands, but that everybody may have environments.
pub async fn stage(world: &World) -> Result<Stage> {
    let objects = read_folder(&root().join("examples/shop"))?;
    let is = |object: &DynamicObject, kind: &str| object.types.as_ref().is_some_and(|types| types.kind == kind);
    let mut baseline =
        serde_json::to_value(objects.iter().find(|object| is(object, "Baseline")).context("examples/shop has no Baseline")?)?;
    baseline["spec"]["limits"] = json!({"environments": 1_000, "perAuthor": 1_000});
    let secrets = baseline["spec"]["clone"]["secrets"].as_array().cloned().unwrap_or_default();
    let secrets: Vec<&str> = secrets.iter().filter_map(|secret| secret["name"].as_str()).collect();
    let objects: Vec<_> = objects.into_iter().filter(|object| !is(object, "Baseline") && !is(object, "Namespace")).collect();
    let wanted = Baseline { namespace: SHOP, repositories: &REPOSITORIES, objects: &objects, secrets: &secrets, baseline };
    world.baseline(wanted).await?;
    let shop = Shop { namespace: SHOP.to_owned(), repository: REPOSITORIES[0].to_owned() };
    let first = service::open(world, &shop).await?;
    let raw = Raw::new(world, &shop, &first).await?;
    Ok(Stage { shop, first, raw })
}

impl Stage {
    /// So many pull requests at once, and waits until the environments are Ready. Gives their numbers too.
    pub async fn by_service(&self, world: &World, count: usize) -> Result<(Burst, Vec<u64>)> {
        let name = |index| format!("burst-{}-{index}", Utc::now().timestamp_micros());
        let opened = (0..count).map(|index| Ok(world.github.act(Open::new(&self.shop.repository, &name(index), DEVELOPER))?));
        let opened: Vec<Done> = opened.collect::<Result<_>>()?;
        let before = Shown::now(world).await?.in_phase("Ready");
        let mark = world.audit().mark().await?;
        let start = Utc::now();
        try_join_all(opened.iter().map(|opened| send(opened.delivery()))).await?;
        let ready = before + as_figure(count);
        until(world, "all are Ready", |shown| shown.in_phase("Ready") >= ready).await?;
        let numbers: Vec<u64> = opened.iter().map(Done::number).collect();
        let namespaces: Vec<String> = numbers.iter().map(|number| self.namespace(*number)).collect();
        let events = world.audit().since(mark).await?;
        Ok((self.burst(&events, &namespaces, start)?, numbers))
    }

    /// The namespace of a pull request's environment.
    pub fn namespace(&self, number: u64) -> String {
        format!("{}-web-pr-{number}", self.shop.namespace)
    }

    /// The same objects, so many times, as fast as the API server takes them; gives their namespaces too.
    pub async fn by_raw(&self, world: &World, name: &str, count: usize) -> Result<(Burst, Vec<String>)> {
        let prepared = (0..count).map(|index| self.raw.prepare(&format!("{name}-{index}")));
        let prepared: Vec<Prepared> = prepared.collect::<Result<_>>()?;
        let permits = Semaphore::new(IN_FLIGHT);
        let mark = world.audit().mark().await?;
        let start = Utc::now();
        join_all(prepared.iter().map(|one| self.raw.write(one, &permits))).await.into_iter().collect::<Result<()>>()?;
        let events = world.audit().since(mark).await?;
        let namespaces: Vec<String> = prepared.into_iter().map(|one| one.name).collect();
        let burst = self.burst(&events, &namespaces, start)?;
        up(world, &namespaces).await?;
        Ok((burst, namespaces))
    }

    fn burst(&self, events: &[Event], namespaces: &[String], start: chrono::DateTime<Utc>) -> Result<Burst> {
        let courses = namespaces.iter().map(|namespace| self.raw.course(events, namespace, start).map(|course| course.applied));
        Ok(Burst { applied: courses.collect::<Result<_>>()?, asked: Asked::of(events.to_vec()) })
    }
}

/// Waits until the Deployments in these namespaces are up, so that what follows is not disturbed by that.
async fn up(world: &World, namespaces: &[String]) -> Result<()> {
    let api: Api<Deployment> = Api::all(world.admin.clone());
    let ours = ListParams::default().labels(&format!("{LABEL_MANAGED_BY}={MANAGED_BY}"));
    let begun = Instant::now();
    let mut ticks = tokio::time::interval(LOOK);
    while begun.elapsed() < DEADLINE {
        ticks.tick().await;
        let all = api.list(&ours).await?.items;
        let is_among = |object: &&Deployment| object.namespace().is_some_and(|namespace| namespaces.contains(&namespace));
        if all.iter().filter(is_among).all(is_up) {
            return Ok(());
        }
    }
    bail!("what the raw writer wrote is not up after {} s", DEADLINE.as_secs())
}

fn is_up(object: &Deployment) -> bool {
    let wanted = object.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    object.status.as_ref().and_then(|status| status.available_replicas).unwrap_or_default() >= wanted
}
