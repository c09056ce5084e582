//! Starts and ends clusters from a shell.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use test_cluster::Binaries;
use test_cluster::kept::{Change, Kept, serve};

/// A real Kubernetes control plane for development.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build the components and Helm, unless they are built
    Build,
    /// Start a cluster that stays, and print how to use it
    Up {
        /// Its name, where this clone's own does not do
        #[arg(env = "CLUSTER_NAME")]
        name: Option<String>,
    },
    /// End it and remove its data
    Down {
        /// The name that it was started with
        #[arg(env = "CLUSTER_NAME")]
        name: Option<String>,
    },
    /// Run a cluster in a folder until this program is ended
    #[command(hide = true)]
    Serve {
        /// The data folder
        folder: PathBuf,
    },
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Build => Binaries::find_or_build().and_then(|_| test_cluster::helm()).map(drop),
        Command::Up { name } => Kept::new(name).and_then(|kept| up(&kept)),
        Command::Down { name } => Kept::new(name).and_then(|kept| down(&kept)),
        Command::Serve { folder } => serve(&folder),
    };
    done.map_or_else(
        |error| {
            eprintln!("test-cluster: {error:#}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}

/// The first line is for the shell and the second a comment to it, so that `eval` can take both.
fn up(kept: &Kept) -> anyhow::Result<()> {
    let change = kept.up()?;
    println!("export KUBECONFIG={}", kept.kubeconfig().display());
    match change {
        Change::Done => println!("# The cluster is there. End it: make cluster-down"),
        Change::None => println!("# The cluster runs already. End it: make cluster-down"),
    }
    Ok(())
}

fn down(kept: &Kept) -> anyhow::Result<()> {
    match kept.down()? {
        Change::Done => println!("The cluster has ended, and its data is gone."),
        Change::None => println!("No cluster runs."),
    }
    Ok(())
}
