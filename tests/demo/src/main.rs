//! The demo: the whole life of a preview environment on a real control plane, with a double of GitHub.
//!
//! `stage` puts everything there, `watches` sees what happens, `state` knows what was seen, `story` and its `milestones`
//! tell it, `paper` and `markdown` write it down.

mod count;
mod figures;
mod keep;
mod markdown;
mod milestone;
mod milestones;
mod paper;
mod stage;
mod state;
mod story;
mod watches;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use crate::paper::Paper;

/// Shows the whole life of a preview environment, and ends everything that it started.
#[derive(Parser)]
struct Arguments {
    /// Stop when the environment is ready, say how to go on by hand, and stay until Ctrl-C
    #[arg(long)]
    keep: bool,
}

/// As shells have it for a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let paper = Paper::standard_output();
    let begun = Instant::now();
    // Whoever is interrupted here is dropped, and with it the cluster, the double and the service.
    let told = tokio::select! {
        told = tell(&arguments, paper) => told.map(|()| ExitCode::SUCCESS),
        stopped = interrupted() => stopped.map(|()| ExitCode::from(if arguments.keep { 0 } else { INTERRUPTED })),
    };
    match told {
        Ok(code) => {
            Paper::line(&format!("Everything that the demo started has ended, {:.0} s after it began.", begun.elapsed().as_secs_f64()));
            code
        }
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn tell(arguments: &Arguments, paper: Paper) -> Result<()> {
    let stage = stage::set().await?;
    let told = if arguments.keep { story::keep(&stage, paper).await } else { story::whole(&stage, paper).await };
    if told.is_err() {
        eprintln!("The service's log ends:\n{}\n", stage.world.service.lock().await.log_end());
    }
    told
}

async fn interrupted() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed.context("cannot wait for Ctrl-C"),
        _ = terminate.recv() => Ok(()),
    }
}
