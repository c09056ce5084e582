//! `preview delete`: wishes for an environment to be gone. The service takes it down; the object itself stays as long
//! as the wish has to be remembered.

mod force;

use std::io::{self, BufRead, IsTerminal, Write};
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::Args;
use kube::ResourceExt;
use serde_json::json;

use super::cluster::{Cluster, Part};
use super::create::wish_time;
use super::errors::Failure;
use super::find::Which;
use super::output::{clean, note, one_object, print};
use super::wait::{Limit, Screen, until_gone};
use super::{Global, parse_limit, words};
use crate::api::PreviewEnvironment;
use crate::api::environment::{Target, Wish, WishState};
use crate::api::names::MANAGER_WISH;

/// Flags of `preview delete`.
#[derive(Args, Debug)]
#[command(after_help = "On a terminal it asks first; in a pipe it does not.

Examples:
  preview delete web-pr-42
  preview delete --pull 42 --yes --wait
  preview delete web-pr-42 --force-finalizers")]
pub struct DeleteArgs {
    /// The environment.
    #[command(flatten)]
    pub which: Which,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Wait until nothing of it is left
    #[arg(long)]
    pub wait: bool,
    /// Of an environment that is being removed and does not go: take off the finalizers that hold what is left in its
    /// namespace, with your own rights. What they stand for is not cleaned up. It asks, or needs --yes
    #[arg(long, conflicts_with = "wait")]
    pub force_finalizers: bool,
    /// How long to wait
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = parse_limit)]
    pub timeout: Duration,
}

/// Runs the command.
pub async fn run(global: &Global, args: DeleteArgs) -> Result<(), Failure> {
    let limit = Limit::from_now(args.timeout);
    let cluster = Cluster::connect(global).await?;
    let before = args.which.find(&cluster).await?;
    if args.force_finalizers {
        return Box::pin(force::run(&cluster, &before, args.yes)).await;
    }
    let asked = if before.metadata.deletion_timestamp.is_some() {
        note(&format!("{} is being removed already", before.name_any()));
        before
    } else {
        confirm(&question(&before), args.yes)?;
        unwish(&cluster, &before).await?
    };
    if args.wait {
        Box::pin(until_gone(cluster.watch(&asked.name_any()), &asked, limit, &mut Screen::stderr())).await?;
    }
    report(global, &asked, args.wait)
}

/// Whether there is somebody to ask.
pub(super) fn is_asked() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks where there is somebody to ask.
pub(super) fn confirm(question: &str, yes: bool) -> Result<(), Failure> {
    if yes || !is_asked() {
        return Ok(());
    }
    let _ = write!(io::stderr(), "{} [y/N] ", clean(question));
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(|e| Failure::failed(format!("cannot read the answer: {e}")))?;
    if matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") {
        return Ok(());
    }
    Err(Failure::failed("nothing was changed"))
}

fn question(environment: &PreviewEnvironment) -> String {
    let namespace = environment.status.as_ref().and_then(|s| s.namespace.as_ref());
    let what = namespace.map_or_else(String::new, |n| format!(" and the namespace {n} with everything in it"));
    format!("Take down {} ({}){what}?", environment.name_any(), words::source(environment))
}

/// The target stays, so that the environment is still known as what it was for. The UID makes sure that an object that
/// was removed meanwhile is not made again by its deletion.
async fn unwish(cluster: &Cluster, before: &PreviewEnvironment) -> Result<PreviewEnvironment, Failure> {
    let actor = cluster.user().await?;
    let wish = absent(before, actor, cluster.now());
    let (name, uid) = (before.name_any(), before.uid());
    cluster
        .apply(Part {
            name: &name,
            uid: uid.as_deref(),
            baseline: &before.spec.baseline,
            manager: MANAGER_WISH,
            field: "wish",
            value: json!(wish),
        })
        .await
}

fn absent(before: &PreviewEnvironment, actor: String, now: DateTime<Utc>) -> Wish {
    let target: Option<Target> = before.spec.wish.as_ref().and_then(|w| w.target.clone());
    Wish { state: WishState::Absent, actor, at: wish_time(Some(before), now), target }
}

fn report(global: &Global, asked: &PreviewEnvironment, gone: bool) -> Result<(), Failure> {
    if let Some(text) = one_object(global.output, asked)? {
        return print(&text);
    }
    print(&format!("{}: {}\n", asked.name_any(), if gone { "gone" } else { "is being taken down" }))?;
    note(&format!("  {}", afterwards(asked)));
    Ok(())
}

fn afterwards(asked: &PreviewEnvironment) -> String {
    let back = words::create_command(asked);
    if asked.has_open_source() {
        format!("a push does not bring it back; this does: {back}")
    } else {
        format!("this brings it back: {back}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment() -> PreviewEnvironment {
        let wish =
            json!({"state": "Present", "actor": "bob", "at": "2026-01-01T00:00:00Z", "target": {"repository": "acme/web", "pull": 42}});
        let mut environment =
            PreviewEnvironment::new("web-pr-42", serde_json::from_value(json!({"baseline": "shop", "wish": wish})).unwrap());
        environment.status = Some(serde_json::from_value(json!({"namespace": "shop-web-pr-42"})).unwrap());
        environment
    }

    #[test]
    fn the_wish_keeps_what_the_environment_is_for() {
        let wish = absent(&environment(), "ann".into(), Utc::now());
        assert_eq!((wish.state, wish.actor.as_str(), wish.target.unwrap().pull), (WishState::Absent, "ann", Some(42)));
        assert!(words::unwished(&{
            let mut gone = environment();
            gone.spec.wish = Some(absent(&gone, "ann".into(), Utc::now()));
            gone
        }));
    }

    #[test]
    fn the_question_and_the_answer_say_what_happens() {
        let (before, lines) = (environment(), |e: &PreviewEnvironment| format!("{}\n{}", question(e), afterwards(e)));
        insta::assert_snapshot!(lines(&before), @r"
        Take down web-pr-42 (acme/web#42) and the namespace shop-web-pr-42 with everything in it?
        this brings it back: preview create --repo acme/web --pull 42
        ");
    }
}
