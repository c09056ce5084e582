//! `make bench-scale`: what a thousand environments cost, and how the service fares in bursts.
//!
//! Everything is the real control plane of `tests/cluster`, with kwok in place of kubelets, and the service a process of its own,
//! built as it is shipped (`--profile dist`), named as the argument, and under its own ServiceAccount. What is asked of the API
//! server is counted by its audit log, what a process takes by the kernel. It is no test: whatever the figures are, it ends well,
//! and says which goal was not reached.
//!
//! | module | what it does |
//! |---|---|
//! | `burst` | many pull requests at once, and the same by a raw writer |
//! | `ends` | many that are closed at once, and bare deletions |
//! | `many` | makes a thousand environments |
//! | `rest` | starts the service with them, and looks on while nothing happens |
//! | `floor` | the bare lists |
//! | `asked`, `shown`, `process` | what the audit log, /metrics and the kernel say |
//! | `report` | the lines |
//!
//! `SCALE=60` is how many environments, `IDLE=300` for how many seconds it is looked on, `ONLY=bursts` or `ONLY=rest` is one half.

mod asked;
mod burst;
mod ends;
mod floor;
mod many;
mod process;
mod report;
mod rest;
mod shown;

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use test_cluster::Options;
use test_world::{Setup, World};

use crate::report::Rest;

/// Environments, where `SCALE` does not say otherwise.
const SCALE: usize = 1_000;
/// As few are looked at on the way.
const FEW: usize = 60;
/// Seconds to look on, where `IDLE` does not say otherwise.
const IDLE: usize = 60;
/// Pull requests of a burst, and how many pairs of bursts there are.
const BURST: usize = 20;
const PAIRS: usize = 3;
/// Pull requests of the large burst.
const LARGE: usize = 100;
/// So that what one burst leaves to the controllers is done before the next: at their default of 20 requests a second it
/// would reach into it for minutes.
const CONTROLLER_RATE: u32 = 200;

#[tokio::main]
async fn main() -> ExitCode {
    match Box::pin(run()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<()> {
    let preview = std::env::args_os().nth(1).context("name the program to measure, such as target/dist/preview")?;
    let preview = Path::new(&preview);
    let only = std::env::var("ONLY").unwrap_or_default();
    if only != "rest" {
        Box::pin(bursts(preview)).await?;
    }
    if only != "bursts" {
        at_rest(preview).await?;
    }
    Ok(())
}

fn number(variable: &str, usual: usize) -> Result<usize> {
    match std::env::var(variable).ok().filter(|value| !value.is_empty()) {
        Some(value) => value.parse().with_context(|| format!("{variable} is no number: {value}")),
        None => Ok(usual),
    }
}

async fn world(preview: &Path, cluster: Options) -> Result<World> {
    let world = World::start_with(preview, Setup { cluster, routes: true, ..Setup::default() }).await?;
    world.github.stop_checking();
    {
        let mut service = world.service.lock().await;
        // As it is for those who say nothing about it.
        service.orphan_after("5m");
        service.kill();
        service.launch()?;
        service.wait_until_ready().await?;
    }
    Ok(world)
}

/// Shows the end of the service's log where something went wrong.
async fn logged<T>(world: &World, result: Result<T>) -> Result<T> {
    if result.is_err() {
        eprintln!("the service's log ends:\n{}", world.service.lock().await.log_end());
    }
    result
}

async fn bursts(preview: &Path) -> Result<()> {
    let begun = Instant::now();
    let cluster = Options { controller_requests_per_second: Some(CONTROLLER_RATE), nodes: 5, ..Options::default() };
    let world = world(preview, cluster).await?;
    logged(&world, bursts_in(&world).await).await?;
    eprintln!("the bursts took {:.0} s", begun.elapsed().as_secs_f64());
    Ok(())
}

async fn bursts_in(world: &World) -> Result<()> {
    let stage = burst::stage(world).await?;
    eprintln!("{} objects in {}", stage.raw.objects(), stage.first.namespace);
    stage.by_raw(world, "warm", 2).await?;
    let mut pairs = Vec::new();
    for index in 0..PAIRS {
        let (service, _) = stage.by_service(world, BURST).await?;
        let (raw, _) = stage.by_raw(world, &format!("pair-{index}"), BURST).await?;
        eprintln!("pair {}: service {:.0} ms, raw writer {:.0} ms", index + 1, service.all(), raw.all());
        pairs.push((service, raw));
    }
    report::pairs(&pairs, BURST);
    let (raw, namespaces) = stage.by_raw(world, "large", LARGE).await?;
    let (service, numbers) = stage.by_service(world, LARGE).await?;
    report::burst(&service, &raw);
    let ended = ends::by_service(world, &stage, &numbers).await?;
    let bare = ends::bare(world, &namespaces).await?;
    report::ends(&ended, &bare);
    Ok(())
}

async fn at_rest(preview: &Path) -> Result<()> {
    let begun = Instant::now();
    let world = world(preview, Options::default()).await?;
    logged(&world, at_rest_in(&world).await).await?;
    eprintln!("the rest took {:.0} s", begun.elapsed().as_secs_f64());
    Ok(())
}

async fn at_rest_in(world: &World) -> Result<()> {
    let (scale, window) = (number("SCALE", SCALE)?, u64::try_from(number("IDLE", IDLE)?)?);
    many::baseline(world).await?;
    world.cluster.stop_controllers();
    let playing = tokio::spawn(many::play_deployments(world.admin.clone()));
    if scale > FEW {
        report::rest(&measure(world, FEW, Duration::from_secs(window / 2)).await?);
    }
    report::rest(&measure(world, scale, Duration::from_secs(window)).await?);
    report::looks(&rest::looks(world, scale).await?, scale);
    playing.abort();
    Ok(())
}

async fn measure(world: &World, environments: usize, window: Duration) -> Result<Rest> {
    let made = many::grow(world, environments).await?.as_secs_f64();
    eprintln!("{environments} environments are Ready after {made:.0} s");
    let taken = rest::look(world).await?;
    let lists = floor::lists(world).await?;
    let start = rest::restart(world, environments).await?;
    eprintln!("as they should be {:.1} s after a start", start.converged);
    let idle = rest::idle(world, window).await?;
    Ok(Rest { environments, made, after_making: (taken.resident, taken.peak), lists, start, idle })
}
