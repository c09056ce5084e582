//! The command line: clap's types, and one file per subcommand.
//!
//! Commands read and write the kinds with the user's own kubeconfig and rights; they never talk to the service or to
//! the forge. What a script reads goes to standard output, everything else to standard error.

pub mod cluster;
pub mod crd;
pub mod create;
pub mod delete;
pub mod describe;
pub mod draft;
pub mod errors;
pub mod find;
pub mod git;
pub mod list;
pub mod output;
pub mod plan;
pub mod refresh;
pub mod registry;
pub mod serve;
pub mod target;
pub mod version;
pub mod wait;
pub mod words;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::telemetry::{LogFormat, Logging};
use errors::{EXIT_CODES, Exit, Failure};
use output::Format;

/// Ephemeral preview environments for pull requests, on Kubernetes.
#[derive(Debug, Parser)]
#[command(name = "preview", version, after_help = EXIT_CODES, max_term_width = 100)]
pub struct Cli {
    /// Flags of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags of every command.
#[derive(Args, Clone, Debug, Default)]
pub struct Global {
    /// Namespace of the Baseline [default: the context's]
    #[arg(short, long, global = true, value_name = "NAMESPACE", help_heading = "Global options")]
    pub namespace: Option<String>,
    /// Context of the kubeconfig [default: the current one]
    #[arg(long, global = true, value_name = "NAME", help_heading = "Global options")]
    pub context: Option<String>,
    /// The kubeconfig [default: KUBECONFIG, ~/.kube/config, the pod's own]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    pub kubeconfig: Option<PathBuf>,
    /// What to print
    #[arg(short, long, global = true, value_enum, default_value_t, hide_possible_values = true, help_heading = "Global options")]
    #[arg(value_name = "table|wide|json|yaml|name|url")]
    pub output: Format,
    /// How logs are written
    #[arg(long, global = true, env = "PREVIEW_LOG_FORMAT", value_name = "text|json", value_enum, default_value_t)]
    #[arg(hide_possible_values = true, help_heading = "Global options")]
    pub log_format: LogFormat,
    /// What is logged, such as debug, or info,kube=warn [default: info for serve, else off]
    #[arg(long, global = true, env = "RUST_LOG", value_name = "FILTER", help_heading = "Global options")]
    pub log: Option<String>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Ask for an environment, or for one that is there to be looked at again
    Create(create::CreateArgs),
    /// List the environments of a namespace
    #[command(visible_alias = "ls")]
    List(list::ListArgs),
    /// Say how an environment is, why, and what to do next
    Describe(describe::DescribeArgs),
    /// Say what an environment would hold, change and leave out, and why; changes nothing
    Plan(Box<plan::PlanArgs>),
    /// Take an environment down
    Delete(delete::DeleteArgs),
    /// Bring an environment up to its baseline now
    Refresh(refresh::RefreshArgs),
    /// Run the service: webhook server and controller
    Serve(Box<serve::ServeArgs>),
    /// Print the definitions of the kinds, for kubectl apply --server-side -f -
    Crd,
    /// Print the version
    Version,
}

impl Cli {
    /// How this command logs.
    pub fn logging(&self) -> Logging {
        let default = if matches!(self.command, Command::Serve(_)) { "info,kube_client=off,kube_runtime=warn" } else { "off" };
        Logging { format: self.global.log_format, filter: self.global.log.clone().unwrap_or_else(|| default.to_owned()) }
    }
}

/// Runs the command, prints its failure if there is one, and gives the exit code.
pub async fn run(cli: Cli) -> ExitCode {
    let compares = matches!(cli.command, Command::Plan(_));
    let exit = match Box::pin(dispatch(cli)).await {
        Ok(exit) => exit,
        Err(failure) => {
            eprintln!("{}", failure.render(output::colour()));
            // Its other codes are answers, as those of diff are.
            if compares { Exit::Usage } else { failure.exit }
        }
    };
    ExitCode::from(exit as u8)
}

async fn dispatch(cli: Cli) -> Result<Exit, Failure> {
    let global = cli.global;
    match cli.command {
        Command::Create(args) => Box::pin(create::run(&global, args)).await,
        Command::List(args) => list::run(&global, args).await,
        Command::Describe(args) => describe::run(&global, args).await,
        Command::Plan(args) => return plan::run(&global, *args).await,
        Command::Delete(args) => Box::pin(delete::run(&global, args)).await,
        Command::Refresh(args) => Box::pin(refresh::run(&global, args)).await,
        Command::Serve(args) => serve::run(&global, *args).await,
        Command::Crd => crd::run(),
        Command::Version => version::run(global.output),
    }
    .map(|()| Exit::Done)
}

/// A time such as `10m`, at least a second.
fn parse_limit(text: &str) -> Result<Duration, String> {
    let limit = humantime::parse_duration(text).map_err(|why| format!("{why}; write it like 90s or 10m"))?;
    if limit < Duration::from_secs(1) { Err("it must be at least a second".to_owned()) } else { Ok(limit) }
}

#[cfg(test)]
mod tests;
