//! Many environments at rest: what a start takes, what is asked and used while nothing happens, and what a look at GitHub costs.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use test_world::World;

use crate::asked::Asked;
use crate::many::as_figure;
use crate::process::{self, Taken};
use crate::shown::{Shown, until};

/// How long after a start writes are looked for.
const AFTER: Duration = Duration::from_secs(10);
/// So often GitHub is asked while looks are measured, and so many are.
const LOOK_EVERY: &str = "8s";
const LOOKS: u32 = 3;

/// A start with everything there.
#[derive(Debug)]
pub struct Start {
    /// Until `/readyz` says so and every environment had its pass, and GitHub was looked at for what was missed, in seconds.
    pub converged: f64,
    /// What the service asked of the API server until 10 s after that.
    pub asked: Asked,
    /// What it asked of GitHub.
    pub of_github: BTreeMap<String, usize>,
    /// What it took until then.
    pub taken: Taken,
}

/// Ends the service as a crash does, and starts it again.
pub async fn restart(world: &World, environments: usize) -> Result<Start> {
    world.github.clear_requests();
    world.service.lock().await.kill();
    let mark = world.audit().mark().await?;
    let begun = Instant::now();
    world.service.lock().await.launch()?;
    let count = as_figure(environments);
    let passes = |shown: &Shown| shown.sum("preview_reconcile_total", &[]) >= count;
    let looked = |shown: &Shown| shown.sum("preview_resyncs_total", &["result=\"ok\""]) >= 1.0;
    until(world, "all have had their pass", |shown| shown.in_phase("Ready") >= count && passes(shown) && looked(shown)).await?;
    world.service.lock().await.wait_until_ready().await?;
    let converged = begun.elapsed().as_secs_f64();
    tokio::time::sleep(AFTER).await;
    let asked = Asked::since(world, mark).await?;
    let of_github = of_github(world);
    Ok(Start { converged, asked, of_github, taken: look(world).await? })
}

/// What it takes while nothing happens.
#[derive(Debug)]
pub struct Idle {
    /// For how long it was looked at, in seconds.
    pub seconds: f64,
    /// Share of a core.
    pub busy: f64,
    /// What was asked of the API server.
    pub asked: Asked,
    /// What it took until then.
    pub taken: Taken,
}

/// Looks on for so long.
pub async fn idle(world: &World, window: Duration) -> Result<Idle> {
    let (mark, before, begun) = (world.audit().mark().await?, look(world).await?, Instant::now());
    tokio::time::sleep(window).await;
    let (after, seconds) = (look(world).await?, begun.elapsed().as_secs_f64());
    let asked = Asked::since(world, mark).await?;
    Ok(Idle { seconds, busy: after.busy.saturating_sub(before.busy).as_secs_f64() / seconds, asked, taken: after })
}

/// Looks at GitHub for what no delivery told, with nothing to be found.
#[derive(Debug)]
pub struct Looks {
    /// How many there were.
    pub count: f64,
    /// Time on a core for each, in ms, with what is used at rest in that time.
    pub busy: f64,
    /// What the service asked of the API server meanwhile.
    pub asked: Asked,
    /// What it asked of GitHub.
    pub of_github: BTreeMap<String, usize>,
}

/// Starts the service anew with looks that follow each other fast, and takes those after the first.
pub async fn looks(world: &World, environments: usize) -> Result<Looks> {
    world.service.lock().await.look_every(LOOK_EVERY);
    restart(world, environments).await?;
    let looks = |shown: &Shown| shown.sum("preview_resyncs_total", &[]);
    let first = looks(&Shown::now(world).await?);
    let next = first + 1.0;
    until(world, "looked at GitHub", |shown| looks(shown) >= next).await?;
    let (mark, before) = (world.audit().mark().await?, look(world).await?);
    world.github.clear_requests();
    let last = next + f64::from(LOOKS);
    until(world, "looked at GitHub again", |shown| looks(shown) >= last).await?;
    let (asked, after) = (Asked::since(world, mark).await?, look(world).await?);
    let of_github = of_github(world);
    Ok(Looks {
        count: f64::from(LOOKS),
        busy: after.busy.saturating_sub(before.busy).as_secs_f64() * 1e3 / f64::from(LOOKS),
        asked,
        of_github,
    })
}

/// What was asked of the double, by method, path and answer; numbers and commits are left out of the path.
fn of_github(world: &World) -> BTreeMap<String, usize> {
    let is_name = |part: &&str| !part.is_empty() && !part.bytes().any(|byte| byte.is_ascii_digit());
    let mut all = BTreeMap::new();
    for request in world.github.requests() {
        let path = request.path.split('?').next().unwrap_or_default();
        let path: Vec<&str> = path.split('/').map(|part| if part.is_empty() || is_name(&part) { part } else { "*" }).collect();
        let answered = request.status.map_or_else(|| "cut".to_owned(), |status| status.to_string());
        *all.entry(format!("{} {} {answered}", request.method, path.join("/"))).or_default() += 1;
    }
    all
}

/// What the service takes of the machine.
pub async fn look(world: &World) -> Result<Taken> {
    let process = world.service.lock().await.process().context("nothing to look at")?;
    process::look(process)
}
