//! `preview refresh`: brings an environment up to its baseline now, and with `--reset` starts it anew with empty volumes.

use std::time::Duration;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use clap::Args;
use kube::ResourceExt;
use serde_json::json;

use super::cluster::{Cluster, Part};
use super::delete::confirm;
use super::errors::Failure;
use super::find::Which;
use super::output::{one_object, print, urls};
use super::wait::{Limit, Screen, until_ready};
use super::{Global, parse_limit, words};
use crate::api::PreviewEnvironment;
use crate::api::environment::Refresh;
use crate::api::names::MANAGER_REFRESH;

/// Flags of `preview refresh`.
#[derive(Args, Debug)]
#[command(after_help = "Everything is applied again as the baseline has it now, whatever was changed by hand. On a terminal
--reset asks first; in a pipe it does not.

Examples:
  preview refresh web-pr-42
  preview refresh --pull 42 --reset --yes --wait")]
pub struct RefreshArgs {
    /// The environment.
    #[command(flatten)]
    pub which: Which,
    /// Delete its volumes with all that is in them, and run its hooks again
    #[arg(long)]
    pub reset: bool,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Wait until it is ready
    #[arg(long)]
    pub wait: bool,
    /// How long to wait
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = parse_limit)]
    pub timeout: Duration,
}

/// Runs the command.
pub async fn run(global: &Global, args: RefreshArgs) -> Result<(), Failure> {
    let limit = Limit::from_now(args.timeout);
    let cluster = Cluster::connect(global).await?;
    let before = args.which.find(&cluster).await?;
    words::refuse_what_is_gone(&before)?;
    if args.reset {
        confirm(&question(&before), args.yes)?;
    }
    let asked = ask(&cluster, &before, args.reset).await?;
    if !args.wait {
        return report(global, &asked, args.reset);
    }
    let ready = Box::pin(until_ready(cluster.watch(&asked.name_any()), &asked, limit, &mut Screen::stderr())).await?;
    match one_object(global.output, &ready)? {
        Some(text) => print(&text),
        None => print(&urls(&ready).fold(String::new(), |text, url| text + url + "\n")),
    }
}

fn question(environment: &PreviewEnvironment) -> String {
    let (name, source) = (environment.name_any(), words::source(environment));
    format!("Reset {name} ({source}): delete its volumes with everything in them, and run its hooks again?")
}

async fn ask(cluster: &Cluster, before: &PreviewEnvironment, reset: bool) -> Result<PreviewEnvironment, Failure> {
    let actor = cluster.user().await?;
    let refresh = Refresh { at: time(before, cluster.now()), actor, reset };
    let (name, uid) = (before.name_any(), before.uid());
    cluster
        .apply(Part {
            name: &name,
            uid: uid.as_deref(),
            baseline: &before.spec.baseline,
            manager: MANAGER_REFRESH,
            field: "refresh",
            value: json!(refresh),
        })
        .await
}

/// Never earlier than what was asked before, whatever this machine's clock says.
fn time(before: &PreviewEnvironment, now: DateTime<Utc>) -> DateTime<Utc> {
    let recorded = before.spec.refresh.as_ref().map(|r| r.at + TimeDelta::milliseconds(1));
    recorded.map_or(now, |at| at.max(now)).trunc_subsecs(3)
}

fn report(global: &Global, asked: &PreviewEnvironment, reset: bool) -> Result<(), Failure> {
    if let Some(text) = one_object(global.output, asked)? {
        return print(&text);
    }
    let what = if reset { "is being reset" } else { "is being brought up to its baseline" };
    print(&format!("{}: {what}\n", asked.name_any()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(state: &str) -> PreviewEnvironment {
        let target = json!({"repository": "acme/web", "pull": 42});
        let wish = json!({"state": state, "actor": "ann", "at": "2026-01-01T00:00:00Z", "target": target});
        let refresh = json!({"at": "2026-01-02T00:00:00Z", "actor": "ann"});
        PreviewEnvironment::new("web-pr-42", serde_json::from_value(json!({"baseline": "shop", "wish": wish, "refresh": refresh})).unwrap())
    }

    #[test]
    fn a_refresh_is_later_than_the_one_before() {
        let early = "2026-01-01T12:00:00Z".parse().unwrap();
        assert_eq!(time(&environment("Present"), early).to_rfc3339(), "2026-01-02T00:00:00.001+00:00");
    }

    #[test]
    fn what_is_asked_and_refused_is_said() {
        let refused = words::refuse_what_is_gone(&environment("Absent")).unwrap_err();
        insta::assert_snapshot!(format!("{}\n{refused}", question(&environment("Present"))), @r"
        Reset web-pr-42 (acme/web#42): delete its volumes with everything in them, and run its hooks again?
        error: web-pr-42 was taken down
          this brings it back, as the baseline is now: preview create --repo acme/web --pull 42
        ");
        assert!(words::refuse_what_is_gone(&environment("Present")).is_ok());
    }
}
