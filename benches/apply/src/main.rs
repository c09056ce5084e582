//! `make bench`: how fast an environment is applied, and with how many requests.
//!
//! The service, a process of its own under its own ServiceAccount, is timed against a raw writer that does nothing but
//! send the same objects: with the same identity, the same namespace and RoleBinding, the same stages, 32 in flight.
//! Both take turns in one cluster, and both are timed by the API server's audit log. It is no test: whatever the
//! figures are, it ends well.
//!
//! | module, some of them in the library | what it does |
//! |---|---|
//! | `shop` | the system that is cloned |
//! | `service` | one environment by the service, from the delivery to the end |
//! | `raw` | the same objects by the raw writer |
//! | `course` | when what happened, from the audit log |
//! | `idle` | how fast deliveries are answered |
//! | `planning` | how long a plan takes |
//! | `figures`, `report` | medians, and the tables |

mod idle;
mod planning;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bench::raw::Raw;
use bench::service;
use bench::shop::Shop;
use test_world::World;

use crate::report::{Pair, Size};

/// Sizes of the system, in services.
const SIZES: [usize; 2] = [12, 60];
/// Fewest pairs whose median is worth a claim.
const PAIRS: usize = 15;
const QUICK_PAIRS: usize = 3;
/// So that what one environment leaves to the controllers is done before the next: at their default of 20 requests a
/// second it would reach into it.
const CONTROLLER_RATE: u32 = 200;
/// No new pair is begun after that, so that the whole ends within about half an hour; a machine that is this slow gets
/// fewer pairs, and is told so.
const TIME: Duration = Duration::from_secs(900);

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
    let quick = is_set("QUICK");
    // Of use with a profiler: nothing is started.
    if is_set("PLAN_ONLY") {
        report::planning(&planning::measure()?);
        return Ok(());
    }
    let pairs = if quick { QUICK_PAIRS } else { PAIRS };
    let cluster = test_cluster::Options { controller_requests_per_second: Some(CONTROLLER_RATE), ..Default::default() };
    let world = World::start_in(&preview()?, cluster).await?;
    world.github.stop_checking();
    let measured = measure(&world, pairs).await;
    if measured.is_err() {
        eprintln!("the service's log ends:\n{}", world.service.lock().await.log_end());
    }
    measured
}

fn is_set(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| !value.is_empty() && value != "0")
}

async fn measure(world: &World, pairs: usize) -> Result<()> {
    let mut sizes = Vec::new();
    for services in SIZES {
        sizes.push(size(world, services, pairs).await.with_context(|| format!("with {services} services"))?);
    }
    report::times(&sizes);
    report::requests(&sizes);
    sizes.iter().for_each(report::course);
    report::deliveries(&sizes, &idle::measure(world).await?);
    report::planning(&planning::measure()?);
    Ok(())
}

/// Alternates service and raw writer, after one of each that warms both up and does not count.
async fn size(world: &World, services: usize, pairs: usize) -> Result<Size> {
    let begun = Instant::now();
    let shop = Shop::open(world, services).await?;
    let warm = service::run(world, &shop).await?;
    let raw = Raw::new(world, &shop, &warm).await?;
    raw.run(world, 0).await?;
    let mut done = Vec::new();
    while done.len() < pairs && begun.elapsed() < TIME {
        let service = service::run(world, &shop).await?;
        let raw = raw.run(world, done.len() + 1).await?;
        let pair = Pair { service, raw };
        eprintln!("{services} services, pair {} of {pairs}: {}", done.len() + 1, pair.line());
        done.push(pair);
    }
    Ok(Size { services, objects: raw.objects(), wanted: pairs, pairs: done })
}

/// The service's binary, built beside this one.
fn preview() -> Result<PathBuf> {
    let here = std::env::current_exe().context("cannot find this program")?;
    Ok(here.with_file_name("preview"))
}
