//! `preview extend`, `preview pin` and `preview unpin`: how long an environment lives.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use clap::Args;
use kube::ResourceExt;
use serde_json::{Value, json};

use super::Global;
use super::cluster::{Cluster, Part};
use super::errors::{Exit, Failure};
use super::find::Which;
use super::output::{one_object, print};
use super::words;
use crate::api::PreviewEnvironment;
use crate::api::names::{MANAGER_EXTENSION, MANAGER_PIN};
use crate::commands::effect::{EXTENSION_MAX, longest};
use crate::domain::Baseline;
use crate::domain::lifetime::parse_ttl;

/// Flags of `preview extend`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  preview extend web-pr-42
  preview extend --pull 42 --by 3d")]
pub struct ExtendArgs {
    /// The environment.
    #[command(flatten)]
    pub which: Which,
    /// How much longer, such as 24h or 3d; at most 30 days from now
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = parse_span)]
    pub by: TimeDelta,
}

/// Flags of `preview pin` and `preview unpin`.
#[derive(Args, Debug)]
pub struct PinArgs {
    /// The environment.
    #[command(flatten)]
    pub which: Which,
}

fn parse_span(text: &str) -> Result<TimeDelta, String> {
    let span = parse_ttl(text).map_err(|why| why.to_string())?;
    TimeDelta::from_std(span).map_err(|_| "it is too long; at most 30d".to_owned())
}

/// Keeps an environment longer.
pub async fn extend(global: &Global, args: ExtendArgs) -> Result<(), Failure> {
    let cluster = Cluster::connect(global).await?;
    let before = args.which.find(&cluster).await?;
    refuse_what_is_over(&before)?;
    let until = until(&before, args.by, cluster.now());
    let asked = write(&cluster, &before, MANAGER_EXTENSION, json!({"extendedUntil": until})).await?;
    // Who may not read the Baseline is not told of its ceiling; the service keeps it all the same.
    let baselines = cluster.baselines().await.unwrap_or_default();
    let baseline = baselines.iter().find(|b| b.name_any() == before.spec.baseline).and_then(|b| Baseline::try_from(b).ok());
    let end = baseline.and_then(|baseline| longest(&before, &baseline)).filter(|end| *end < until);
    report(global, &asked, &kept(until, end, cluster.now()))
}

/// Keeps an environment until its pull request is closed, or no longer does.
pub async fn pin(global: &Global, args: PinArgs, pinned: bool) -> Result<(), Failure> {
    let cluster = Cluster::connect(global).await?;
    let before = args.which.find(&cluster).await?;
    refuse_what_is_over(&before)?;
    let asked = write(&cluster, &before, MANAGER_PIN, json!({"pinned": pinned})).await?;
    let what = if pinned {
        "lives until its pull request is closed or its branch is deleted, or somebody takes it down"
    } else {
        "expires again as others do"
    };
    report(global, &asked, what)
}

/// A longer life wakes nothing that has ended.
fn refuse_what_is_over(environment: &PreviewEnvironment) -> Result<(), Failure> {
    words::refuse_what_is_gone(environment)?;
    if !words::is_over(environment) {
        return Ok(());
    }
    let failure =
        Failure::new(Exit::CannotBeReady, format!("{} has ended, and a longer life does not bring it back", environment.name_any()));
    Err(failure.next(format!("this does: {}", words::create_command(environment))))
}

async fn write(cluster: &Cluster, before: &PreviewEnvironment, manager: &'static str, value: Value) -> Result<PreviewEnvironment, Failure> {
    let (name, uid) = (before.name_any(), before.uid());
    let part = Part { name: &name, uid: uid.as_deref(), baseline: &before.spec.baseline, manager, field: "lifetime", value };
    cluster.apply(part).await
}

/// That much after the end that it has now; never earlier than what was asked for before.
fn until(before: &PreviewEnvironment, by: TimeDelta, now: DateTime<Utc>) -> DateTime<Utc> {
    let recorded = before.spec.lifetime.as_ref().and_then(|l| l.extended_until);
    let end = before.status.as_ref().and_then(|s| s.expires_at).map_or(now, |at| at.max(now));
    let wanted = end.checked_add_signed(by).unwrap_or(end).min(now + EXTENSION_MAX).max(end);
    recorded.map_or(wanted, |at| at.max(wanted)).trunc_subsecs(0)
}

fn kept(until: DateTime<Utc>, ceiling: Option<DateTime<Utc>>, now: DateTime<Utc>) -> String {
    match ceiling {
        Some(end) => format!("lives until {}, which is as long as lifetime.max of its Baseline lets one be", words::moment(end, now)),
        None => format!("lives until {} at least", words::moment(until, now)),
    }
}

fn report(global: &Global, asked: &PreviewEnvironment, what: &str) -> Result<(), Failure> {
    match one_object(global.output, asked)? {
        Some(text) => print(&text),
        None => print(&format!("{}: {what}\n", asked.name_any())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(expires: Option<&str>, extended: Option<&str>) -> PreviewEnvironment {
        let spec = json!({"baseline": "shop", "lifetime": {"extendedUntil": extended}});
        let mut environment = PreviewEnvironment::new("web-pr-42", serde_json::from_value(spec).unwrap());
        environment.status = serde_json::from_value(json!({"expiresAt": expires, "startedAt": "2026-01-01T00:00:00Z"})).unwrap();
        environment
    }

    #[test]
    fn an_extension_counts_from_the_end_that_there_is() {
        let now = "2026-01-02T00:00:00.5Z".parse().unwrap();
        for (expires, extended, by, until_at) in [
            (Some("2026-01-03T00:00:00Z"), None, "24h", "2026-01-04T00:00:00Z"),
            // Over already, or never looked at: from now on.
            (Some("2026-01-01T00:00:00Z"), None, "24h", "2026-01-03T00:00:00Z"),
            (None, None, "90m", "2026-01-02T01:30:00Z"),
            // Thirty days from now are the most, and what was asked for before stays.
            (Some("2026-01-03T00:00:00Z"), None, "52w", "2026-02-01T00:00:00Z"),
            (Some("2026-03-01T00:00:00Z"), None, "24h", "2026-03-01T00:00:00Z"),
            (Some("2026-01-03T00:00:00Z"), Some("2026-01-20T00:00:00Z"), "24h", "2026-01-20T00:00:00Z"),
        ] {
            let got = until(&environment(expires, extended), parse_span(by).unwrap(), now);
            assert_eq!(got, until_at.parse::<DateTime<Utc>>().unwrap(), "{expires:?} {extended:?} {by}");
        }
    }

    #[test]
    fn the_ceiling_of_the_baseline_is_said() {
        let mut object = crate::api::Baseline::new(
            "shop",
            serde_json::from_value(json!({"repositories": [{"name": "acme/web"}], "lifetime": {"max": "3d"}})).unwrap(),
        );
        object.metadata.namespace = Some("shop".into());
        let baseline = Baseline::try_from(&object).unwrap();
        let end = longest(&environment(None, None), &baseline).unwrap();
        let (now, until) = ("2026-01-02T00:00:00Z".parse().unwrap(), "2026-01-05T12:00:00Z".parse().unwrap());
        assert_eq!(kept(until, None, now), "lives until 5 Jan 2026, 12:00 UTC, in 3d12h at least");
        assert_eq!(
            kept(until, Some(end), now),
            "lives until 4 Jan 2026, 00:00 UTC, in 2d, which is as long as lifetime.max of its Baseline lets one be"
        );
    }

    #[test]
    fn a_span_is_read_as_everywhere() {
        assert!(parse_span("soon").is_err() && parse_span("0s").is_err() && parse_span("24h").is_ok());
    }
}
