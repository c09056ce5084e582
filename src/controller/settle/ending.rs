//! What becomes of an environment whose pull request or branch has ended. No client, no clock, no logging.
//!
//! No wish outlives that end. With a grace what is there stays for that long, and a reopened pull request finds it as it was.

use chrono::{DateTime, TimeDelta, Utc};

use super::Before;
use crate::api::environment::SourceState;
use crate::domain::environment::Source;
use crate::domain::{Baseline, Environment};

/// The reasons of `Wanted` that speak of an end of this kind.
pub(super) const REASONS: [&str; 3] = ["Merged", "Gone", "Closed"];

/// Whether what an environment is for has ended.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Ending {
    /// It has not.
    Open,
    /// It has, and what is there stays until then, as the sentence says.
    Soon(DateTime<Utc>, String),
    /// It has: the reason as a word and as a sentence.
    Over(&'static str, String),
}

impl Ending {
    /// When all of it ended, where it has.
    pub(super) fn since(&self, environment: &Environment) -> Option<DateTime<Utc>> {
        matches!(self, Self::Over(..)).then(|| environment.sources.iter().map(|s| s.observed_at).max()).flatten()
    }

    /// Until when what is there stays, where that is not for good.
    pub(super) fn at(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Soon(at, _) => Some(*at),
            Self::Open | Self::Over(..) => None,
        }
    }
}

/// The end of all sources. What is being taken down already does not come back with a longer grace.
pub(super) fn of(environment: &Environment, baseline: Option<&Baseline>, before: &Before<'_>, now: DateTime<Utc>) -> Ending {
    if environment.sources.is_empty() || environment.has_open_source() {
        return Ending::Open;
    }
    let states = environment.sources.iter().map(|s| s.state);
    let last = states.max_by_key(|s| matches!(s, SourceState::Merged)).unwrap_or(SourceState::Closed);
    let what = environment.main_source().map(Source::display).unwrap_or_default();
    let (reason, message) = match last {
        SourceState::Merged => ("Merged", format!("{what} was merged")),
        SourceState::Gone => ("Gone", format!("{what} does not exist any more")),
        SourceState::Closed | SourceState::Open => ("Closed", format!("{what} was closed")),
    };
    let stays = before.is_there && !before.is_ending;
    let until = if baseline.is_some() { until(environment, baseline) } else { before.stays_until };
    match until.filter(|until| stays && (before.time_is_unsure || *until > now)) {
        Some(until) => Ending::Soon(until, format!("{message}; all of it stays until {}", until.format("%-d %b, %H:%M UTC"))),
        None => Ending::Over(reason, message),
    }
}

/// Without a grace nothing stays, whatever the forge's clock says of the end.
fn until(environment: &Environment, baseline: Option<&Baseline>) -> Option<DateTime<Utc>> {
    let grace = baseline.map(|baseline| baseline.grace).filter(|grace| !grace.is_zero())?;
    let ended = environment.sources.iter().map(|s| s.observed_at).max()?;
    ended.checked_add_signed(TimeDelta::from_std(grace).ok()?)
}
