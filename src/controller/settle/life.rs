//! Until when an environment lives, and whether it has ended by itself. No client, no clock, no logging.
//!
//! An end that nobody asked for is recorded with what was known then, so that nothing but something newer takes it back.
//! What is compared are stamps of the same origin, never a stamp with a clock.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Before, ceiling};
use crate::api::status::{Lapse, Lapsed};
use crate::domain::{Baseline, Environment};

/// How long one environment lives.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Life {
    /// When it ends unless something happens before.
    pub(super) ends_at: Option<DateTime<Utc>>,
    /// When it ends whatever happens before.
    longest: Option<DateTime<Utc>>,
    /// The PreviewPolicy that ends it, where one does so before all else.
    pub(super) ceiling: Option<String>,
    /// When what is there was begun, where it was and goes on.
    pub(super) started_at: Option<DateTime<Utc>>,
    /// That it ended by itself before, and that nothing has happened since.
    pub(super) lapsed: Option<Lapsed>,
}

/// The life of an environment. While its Baseline cannot be used nobody knows how long it may live, and no time ends it.
pub(super) fn of(environment: &Environment, baseline: Option<&Baseline>, before: &Before<'_>, now: DateTime<Utc>) -> Life {
    let lapsed = before.lapsed.filter(|lapsed| !is_undone(lapsed, environment, now)).cloned();
    let is_revived = before.lapsed.is_some() && lapsed.is_none();
    let started_at = if is_revived { Some(now) } else { before.started_at };
    let ((idle, ceiling), longest) = match baseline {
        // What waits for a place has no time that could run out.
        _ if before.queued && !before.is_there => ((None, None), None),
        // Nobody knows when its time to live is over. The most that one may live can be told all the same.
        Some(baseline) if environment.timeless => ((None, None), baseline.max.and_then(|max| after(started_at.unwrap_or(now), max))),
        Some(baseline) => {
            let idle = if before.pin_holds { None } else { unused(environment, baseline.ttl, (started_at, now)) };
            let held = ceiling::held(idle, last_used(environment, started_at, now), baseline);
            (held, baseline.max.and_then(|max| after(started_at.unwrap_or(now), max)))
        }
        None => ((None, None), None),
    };
    Life { ends_at: earlier(idle, longest), longest, ceiling, started_at, lapsed }
}

impl Life {
    /// The end that it came to by itself: the recorded one, or the one that is here now.
    pub(super) fn lapse(&self, environment: &Environment, before: &Before<'_>, now: DateTime<Utc>) -> Option<Lapsed> {
        let why = if self.longest == self.ends_at { Lapse::MaxReached } else { Lapse::Expired };
        let expired = || self.ends_at.filter(|at| *at <= now && !before.time_is_unsure).map(|at| lapsed(environment, why, (at, now)));
        self.lapsed.clone().or_else(expired)
    }
}

/// The record of an end, with all that is known.
pub(super) fn lapsed(environment: &Environment, why: Lapse, (at, now): (DateTime<Utc>, DateTime<Utc>)) -> Lapsed {
    Lapsed { why, at, activity: environment.last_activity(now), wish: environment.wish.as_ref().map(|w| w.at), gave_way_to: None }
}

/// Whether something is known that was not known then.
fn is_undone(lapsed: &Lapsed, environment: &Environment, now: DateTime<Utc>) -> bool {
    environment.last_activity(now) > lapsed.activity || environment.wish.as_ref().map(|w| w.at) > lapsed.wish
}

/// The time to live after the last activity, and not before what somebody extended it to. What had to wait before it was
/// begun has its whole time from then on.
fn unused(
    environment: &Environment,
    ttl: std::time::Duration,
    (started_at, now): (Option<DateTime<Utc>>, DateTime<Utc>),
) -> Option<DateTime<Utc>> {
    let end = after(last_used(environment, started_at, now)?, environment.ttl.unwrap_or(ttl))?;
    Some(environment.extended_until.map_or(end, |until| until.max(end)))
}

/// When something happened to it last, its own beginning included.
pub(in crate::controller) fn last_used(
    environment: &Environment,
    started_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    [environment.last_activity(now), environment.created_at, started_at].into_iter().flatten().max()
}

fn after(at: DateTime<Utc>, span: std::time::Duration) -> Option<DateTime<Utc>> {
    at.checked_add_signed(TimeDelta::from_std(span).ok()?)
}

/// The earlier of two moments of which each may never come.
pub(super) fn earlier(a: Option<DateTime<Utc>>, b: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, other) => one.or(other),
    }
}
