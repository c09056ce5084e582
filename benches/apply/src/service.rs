//! One environment by the service: a signed delivery says that a pull request was opened, and in the end that it was
//! closed.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use chrono::Utc;
use github_double::{Delivery, Open, on};
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, ResourceExt};
use preview_env::api::PreviewEnvironment;
use preview_env::api::conditions::{READY, is_true};
use preview_env::feedback::group::is_told;
use test_cluster::Event;
use test_world::{DEVELOPER, World, post, wait_for};

use crate::course::{Course, course};
use crate::shop::Shop;

/// The service's user at the API server.
pub const USER: &str = "system:serviceaccount:preview-env:preview-env";

/// What one environment took.
pub struct Run {
    /// When what happened.
    pub course: Course,
    /// Everything that the service asked of the API server from the delivery until the environment was Ready and the
    /// comment said so.
    pub requests: Vec<Event>,
    /// The environment when it was Ready.
    pub object: PreviewEnvironment,
    /// The pull request's number.
    pub number: u64,
    /// The environment's namespace.
    pub namespace: String,
}

/// Opens a pull request, waits until its comment calls it ready, closes it, and waits until all is gone.
pub async fn run(world: &World, shop: &Shop) -> Result<Run> {
    let run = open(world, shop).await?;
    close(world, shop, run.number, &run.namespace).await?;
    Ok(run)
}

/// Opens a pull request, and waits until its comment calls it ready.
pub async fn open(world: &World, shop: &Shop) -> Result<Run> {
    let branch = format!("change-{}", Utc::now().timestamp_micros());
    let opened = world.github.act(Open::new(&shop.repository, &branch, DEVELOPER))?;
    let number = opened.number();
    let mark = world.audit().mark().await?;
    let start = Utc::now();
    let acknowledged = send(opened.delivery()).await?;
    let object = told(world, shop, &format!("web-pr-{number}")).await?;
    let mut requests = world.audit().since(mark).await?;
    // Watches from before end now and then, and are made anew; the Lease is renewed by the clock alone.
    requests.retain(|e| e.user == USER && e.received >= start && e.resource != "leases");
    let namespace = object.status.as_ref().and_then(|s| s.namespace.clone()).context("an environment without a namespace")?;
    let course = Course { acknowledged: Some(acknowledged), ..course(&requests, &namespace, start)? };
    Ok(Run { course, requests, object, number, namespace })
}

/// Sends a delivery as it is, and gives the milliseconds until its answer.
pub async fn send(delivery: &Delivery) -> Result<f64> {
    let begun = Instant::now();
    let answer = post(&delivery.url, &delivery.headers, delivery.body.clone()).await?;
    ensure!(answer.status == 202, "the delivery was answered {}: {}", answer.status, answer.body);
    Ok(begun.elapsed().as_secs_f64() * 1e3)
}

/// Waits until the environment is Ready, and its comment says so.
pub async fn told(world: &World, shop: &Shop, name: &str) -> Result<PreviewEnvironment> {
    let fits = |e: Option<&PreviewEnvironment>| {
        let ready = |e: &&PreviewEnvironment| e.status.as_ref().is_some_and(|s| s.plan_digest.is_some() && is_true(&s.conditions, READY));
        e.filter(ready).is_some_and(|e| is_told(e, chrono::Utc::now()))
    };
    wait_for(&world.environments(&shop.namespace), name, "Ready and told", fits).await?.context("the environment went away")
}

/// Closes the pull request and waits until nothing is left of its environment.
pub async fn close(world: &World, shop: &Shop, number: u64, namespace: &str) -> Result<()> {
    let closed = world.github.act(on(&shop.repository, number, DEVELOPER).close())?;
    send(closed.delivery()).await?;
    let gone = |e: Option<&PreviewEnvironment>| e.is_none();
    wait_for(&world.environments(&shop.namespace), &format!("web-pr-{number}"), "gone", gone).await?;
    let there = Api::<Namespace>::all(world.admin.clone()).get_opt(namespace).await?;
    ensure!(there.is_none(), "namespace {} is left", there.map(|n| n.name_any()).unwrap_or_default());
    Ok(())
}
