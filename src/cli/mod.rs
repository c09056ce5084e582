//! The command line: clap's types, and one file per subcommand.
//!
//! Commands read and write the kinds with the user's own kubeconfig and rights; they never talk to the service or to
//! the forge. What a script reads goes to standard output, everything else to standard error.

pub mod approve;
pub mod baselines;
pub mod cluster;
pub mod completion;
pub mod crd;
pub mod create;
pub mod delete;
pub mod describe;
pub mod doctor;
pub mod draft;
pub mod errors;
pub mod events;
pub mod exec;
pub mod find;
pub mod git;
pub mod github;
pub mod init;
pub mod keep;
pub mod list;
pub mod logs;
pub mod open;
pub mod output;
pub mod plan;
pub mod refresh;
pub mod registry;
pub mod serve;
pub mod target;
pub mod url;
pub mod version;
pub mod wait;
pub mod waiting;
pub mod words;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

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
    /// Compare what an environment would hold with what runs: preview plan --diff
    Diff(Box<plan::DiffArgs>),
    /// Print what services log, several at one time
    Logs(logs::LogsArgs),
    /// Run a command in a service of an environment, or a shell
    Exec(exec::ExecArgs),
    /// Print what happened to an environment and in its namespace
    Events(events::EventsArgs),
    /// Print where an environment is reached, and open it
    Open(open::OpenArgs),
    /// Print where an environment will be reached, before it is there
    Url(Box<url::UrlArgs>),
    /// Wait until an environment is ready, or gone
    Wait(waiting::WaitArgs),
    /// Keep an environment longer
    Extend(keep::ExtendArgs),
    /// Keep an environment until its pull request is closed
    Pin(keep::PinArgs),
    /// Let a pinned environment expire again
    Unpin(keep::PinArgs),
    /// Let one commit of a fork run
    Approve(approve::ApproveArgs),
    /// Take an environment down
    Delete(delete::DeleteArgs),
    /// Bring an environment up to its baseline now
    Refresh(refresh::RefreshArgs),
    /// List the Baselines of a namespace
    Baselines(baselines::BaselinesArgs),
    /// Check the cluster and the installation, and say what mends what is wrong; changes nothing
    Doctor(Box<doctor::DoctorArgs>),
    /// Write a Baseline for a namespace by looking at it, and the rights that it takes
    Init(init::InitArgs),
    /// Run the service: webhook server and controller
    Serve(Box<serve::ServeArgs>),
    /// Print the definitions of the kinds, for kubectl apply --server-side -f -
    Crd,
    /// Print the completions of a shell
    Completion(completion::CompletionArgs),
    /// Print the manual page, or write those of all commands
    Man(completion::ManArgs),
    /// Print the version
    Version,
}

/// How the program is called where it is a plugin of kubectl, which runs it as `kubectl-preview_env`.
const PLUGIN: &str = "kubectl preview-env";

impl Cli {
    /// Reads the command line. Help and usage name the program as it was called. What cannot be understood ends the process
    /// with 2, help and version with 0.
    pub fn read() -> Self {
        let called = std::env::args_os().next().map(PathBuf::from);
        let mut command = Self::command();
        if is_plugin(called.as_deref()) {
            command = command.bin_name(PLUGIN).display_name(PLUGIN);
        }
        Self::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit())
    }

    /// How this command logs.
    pub fn logging(&self) -> Logging {
        let default = if matches!(self.command, Command::Serve(_)) { "info,kube_client=off,kube_runtime=warn" } else { "off" };
        Logging { format: self.global.log_format, filter: self.global.log.clone().unwrap_or_else(|| default.to_owned()) }
    }
}

/// Runs the command, prints its failure if there is one, and gives the exit code.
pub async fn run(cli: Cli) -> ExitCode {
    let compares = matches!(cli.command, Command::Plan(_) | Command::Diff(_));
    let exit = match Box::pin(dispatch(cli)).await {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("{}", failure.render(output::colour()));
            // Its other codes are answers, as those of diff are.
            if compares { Exit::Usage as u8 } else { failure.exit as u8 }
        }
    };
    ExitCode::from(exit)
}

/// Runs the command, and gives the exit code of one that did what it was asked.
async fn dispatch(cli: Cli) -> Result<u8, Failure> {
    let global = cli.global;
    match cli.command {
        Command::Create(args) => Box::pin(create::run(&global, args)).await,
        Command::List(args) => list::run(&global, args).await,
        Command::Describe(args) => describe::run(&global, args).await,
        Command::Plan(args) => return plan::run(&global, *args).await.map(|answer| answer as u8),
        Command::Doctor(args) => return Box::pin(doctor::run(&global, *args)).await.map(|answer| answer as u8),
        Command::Diff(args) => return plan::run(&global, args.into_plan()).await.map(|answer| answer as u8),
        Command::Exec(args) => return Box::pin(exec::run(&global, args)).await,
        Command::Logs(args) => Box::pin(logs::run(&global, args)).await,
        Command::Events(args) => Box::pin(events::run(&global, args)).await,
        Command::Open(args) => open::run(&global, args).await,
        Command::Url(args) => url::run(&global, *args).await,
        Command::Wait(args) => Box::pin(waiting::run(&global, args)).await,
        Command::Extend(args) => Box::pin(keep::extend(&global, args)).await,
        Command::Pin(args) => Box::pin(keep::pin(&global, args, true)).await,
        Command::Unpin(args) => Box::pin(keep::pin(&global, args, false)).await,
        Command::Approve(args) => Box::pin(approve::run(&global, args)).await,
        Command::Baselines(args) => baselines::run(&global, args).await,
        Command::Init(args) => Box::pin(init::run(&global, args)).await,
        Command::Completion(args) => completion::completion(&args),
        Command::Man(args) => completion::man(&args),
        Command::Delete(args) => Box::pin(delete::run(&global, args)).await,
        Command::Refresh(args) => Box::pin(refresh::run(&global, args)).await,
        Command::Serve(args) => serve::run(&global, *args).await,
        Command::Crd => crd::run(),
        Command::Version => version::run(global.output),
    }
    .map(|()| Exit::Done as u8)
}

fn is_plugin(called: Option<&Path>) -> bool {
    called.and_then(Path::file_name).is_some_and(|name| name.to_string_lossy().starts_with("kubectl-"))
}

/// A time such as `10m`, at least a second.
fn parse_limit(text: &str) -> Result<Duration, String> {
    let limit = humantime::parse_duration(text).map_err(|why| format!("{why}; write it like 90s or 10m"))?;
    if limit < Duration::from_secs(1) { Err("it must be at least a second".to_owned()) } else { Ok(limit) }
}

#[cfg(test)]
mod tests;
