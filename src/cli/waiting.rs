//! `preview wait`: returns when an environment is ready, or gone.

use std::time::Duration;

use clap::{Args, ValueEnum};
use kube::ResourceExt;

use super::cluster::Cluster;
use super::errors::Failure;
use super::find::Which;
use super::output::{one_object, print, urls};
use super::wait::{Limit, Screen, until_gone, until_ready};
use super::{Global, parse_limit};

/// What is waited for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum For {
    /// Everything of it is ready, for the commit that is recorded.
    #[default]
    Ready,
    /// Nothing of it is left.
    Gone,
}

/// Flags of `preview wait`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  preview wait web-pr-42
  preview wait --pull 42 --for gone --timeout 2m")]
pub struct WaitArgs {
    /// The environment.
    #[command(flatten)]
    pub which: Which,
    /// What to wait for
    #[arg(long = "for", value_name = "ready|gone", value_enum, default_value_t, hide_possible_values = true)]
    pub what: For,
    /// How long to wait
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = parse_limit)]
    pub timeout: Duration,
}

/// Runs the command.
pub async fn run(global: &Global, args: WaitArgs) -> Result<(), Failure> {
    let limit = Limit::from_now(args.timeout);
    let cluster = Cluster::connect(global).await?;
    let found = args.which.find(&cluster).await?;
    let name = found.name_any();
    if args.what == For::Gone {
        Box::pin(until_gone(cluster.watch(&name), &found, limit, &mut Screen::stderr())).await?;
        return print(&format!("{name}: gone\n"));
    }
    let ready = Box::pin(until_ready(cluster.watch(&name), &found, limit, &mut Screen::stderr())).await?;
    match one_object(global.output, &ready)? {
        Some(text) => print(&text),
        None => print(&urls(&ready).fold(String::new(), |text, url| text + url + "\n")),
    }
}
