//! `make trial DIR=...`: is a system that nobody here has seen cloned whole?
//!
//! The manifests of a folder are applied to a namespace on a real control plane, as their owner would. That namespace
//! becomes a baseline, a pull request is opened, and what the environment holds and lacks is said. Pods are played by
//! kwok, so what is shown is what the API server and the controllers make of it, not what the programs do.
//!
//! | module | what it does |
//! |---|---|
//! | `system` | reads the manifests and says where each belongs |
//! | `install` | makes the baseline of them |
//! | `clone` | one environment, from the pull request to the end |
//! | `report` | what it came to |

mod clone;
mod install;
mod report;
mod system;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use test_world::World;

use crate::report::Report;
use crate::system::System;

/// Clones the system that a folder of manifests describes, and says how that went.
///
/// Exits with 0 where it was cloned whole, with 1 where something of it is missing, and with 2 where it could not be
/// tried.
#[derive(Parser)]
struct Arguments {
    /// Folder with YAML files, read with everything below it
    folder: PathBuf,
    /// A `Baseline` to use instead of one that lists every Secret of the manifests
    #[arg(long)]
    baseline: Option<PathBuf>,
}

const NOT_WHOLE: u8 = 1;
const NOT_TRIED: u8 = 2;

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Arguments::parse()).await {
        Ok(report) => {
            print!("{report}");
            if report.is_whole() { ExitCode::SUCCESS } else { ExitCode::from(NOT_WHOLE) }
        }
        Err(error) => {
            eprintln!("trial: {error:#}");
            ExitCode::from(NOT_TRIED)
        }
    }
}

async fn run(arguments: &Arguments) -> Result<Report> {
    let system = System::read(&arguments.folder)?;
    let preview = std::env::current_exe().context("cannot find this program")?.with_file_name("preview");
    eprintln!("Starting a Kubernetes control plane, a double of GitHub and preview serve ...");
    let world = World::start(&preview).await?;
    let tried = tried(&world, &system, arguments).await;
    if tried.is_err() {
        eprintln!("the service's log ends:\n{}", world.service.lock().await.log_end());
    }
    tried
}

async fn tried(world: &World, system: &System, arguments: &Arguments) -> Result<Report> {
    let installed = install::install(world, system, arguments.baseline.as_deref()).await?;
    let cloned = clone::clone(world, system).await?;
    Ok(Report { folder: arguments.folder.display().to_string(), kinds: system.kinds(), installed, cloned })
}
