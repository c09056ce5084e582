//! `preview plan`: what an environment holds, what it changes, what it leaves out, and why; before it is made or after.
//!
//! It plans with the service's own function, from what the user may read, and changes nothing. `--from-namespace` needs
//! nothing installed: it drafts a Baseline and says what a copy of the namespace would be.

mod diff;
mod environment;
mod fold;
pub mod namespace;
mod objects;
pub mod outside;
mod page;
pub mod read;
pub mod rights;
mod running;
mod text;

use std::path::PathBuf;

use clap::Args;

use super::Global;
use super::create::{AskedImage, parse_branch, parse_image};
use super::errors::{Exit, Failure};
use super::output::{USUAL_WIDTH, colour_output, width};
use crate::domain::{RepoName, Revision};
use crate::plan::Plan;
use crate::plan::complete::Report;
use page::Style;

/// Flags of `preview plan`.
#[derive(Args, Debug, Default)]
#[command(after_help = "Exit codes of this command:
  0  everything would start; with --diff, nothing differs
  1  something would not start, or reach what it reaches; with --diff, something differs
  2  error

Examples:
  preview plan --from-namespace shop                # nothing installed, read only
  preview plan --from-namespace shop --write-baseline shop.yaml
  preview plan --pull 42 --image web=pr-42-debug
  preview plan web-pr-42 --diff
  preview plan web-pr-42 -o yaml
  preview plan --rights | kubectl apply -f -        # as whoever administers the namespace")]
pub struct PlanArgs {
    /// Name of an environment
    #[arg(value_name = "NAME", conflicts_with_all = ["pull", "branch", "repo"])]
    pub name: Option<String>,
    /// Plan a copy of this namespace with a Baseline that is drafted for it
    #[arg(long, value_name = "NAMESPACE", conflicts_with_all = ["name", "pull", "branch", "repo", "baseline", "image", "revision", "diff"])]
    pub from_namespace: Option<String>,
    /// Write the drafted Baseline to a new file
    #[arg(long, value_name = "FILE", requires = "from_namespace")]
    pub write_baseline: Option<PathBuf>,
    /// Print the rights that the service needs in the Baseline's namespace, with the Secrets that it may read, by name
    #[arg(long, conflicts_with_all = ["name", "from_namespace", "pull", "branch", "repo", "image", "revision", "diff", "all"])]
    pub rights: bool,
    /// Number of the pull request
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(i64).range(1..), conflicts_with = "branch")]
    pub pull: Option<i64>,
    /// Name of the branch
    #[arg(long, value_name = "NAME", value_parser = parse_branch)]
    pub branch: Option<String>,
    /// The repository, as the Baseline lists it
    #[arg(long, value_name = "OWNER/NAME")]
    pub repo: Option<RepoName>,
    /// The Baseline, where the namespace has several
    #[arg(long, value_name = "NAME")]
    pub baseline: Option<String>,
    /// Run this tag of an image instead of what the Baseline's rules give; repeat it for more
    #[arg(long, value_name = "NAME=TAG", value_parser = parse_image)]
    pub image: Vec<AskedImage>,
    /// The commit to plan [default: the one that is recorded]
    #[arg(long, value_name = "COMMIT")]
    pub revision: Option<Revision>,
    /// Compare with what runs
    #[arg(long)]
    pub diff: bool,
    /// Show every decision, each with its path and reason
    #[arg(long, conflicts_with = "diff")]
    pub all: bool,
}

/// Flags of `preview diff`.
#[derive(Args, Debug)]
#[command(after_help = "Exit codes of this command:
  0  nothing differs
  1  something differs
  2  error

Examples:
  preview diff web-pr-42
  preview diff --pull 42 --image web=pr-42-debug")]
pub struct DiffArgs {
    /// Name of the environment
    #[arg(value_name = "NAME", conflicts_with_all = ["pull", "branch", "repo"])]
    pub name: Option<String>,
    /// Number of the pull request
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(i64).range(1..), conflicts_with = "branch")]
    pub pull: Option<i64>,
    /// Name of the branch
    #[arg(long, value_name = "NAME", value_parser = parse_branch)]
    pub branch: Option<String>,
    /// The repository, as the Baseline lists it
    #[arg(long, value_name = "OWNER/NAME")]
    pub repo: Option<RepoName>,
    /// Run this tag of an image instead of what the Baseline's rules give; repeat it for more
    #[arg(long, value_name = "NAME=TAG", value_parser = parse_image)]
    pub image: Vec<AskedImage>,
}

impl DiffArgs {
    /// The same as flags of `preview plan`.
    pub fn into_plan(self) -> PlanArgs {
        let Self { name, pull, branch, repo, image } = self;
        PlanArgs { name, pull, branch, repo, image, diff: true, ..PlanArgs::default() }
    }
}

/// Runs the command. The exit code says what came out.
pub async fn run(global: &Global, args: PlanArgs) -> Result<Exit, Failure> {
    if args.rights {
        return rights::run(global, &args).await;
    }
    match &args.from_namespace {
        Some(name) => namespace::run(global, &args, name).await,
        None => environment::run(global, &args).await,
    }
}

/// How a page looks where it goes to.
fn style() -> Style {
    Style { width: width().unwrap_or(USUAL_WIDTH), colour: colour_output() }
}

/// Whether everything of a plan can be made, and would start.
fn is_complete(plan: &Plan, report: &Report) -> bool {
    report.is_complete() && plan.invalid.is_empty() && plan.stalled.is_empty()
}

/// The exit code of an answer.
const fn answer(yes: bool) -> Exit {
    if yes { Exit::Done } else { Exit::Failed }
}
