//! What of a finding is not recorded yet. No client, no clock, no logging.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::api::Source;
use crate::api::environment::SourceState;
use crate::controller::settle::trigger;
use crate::domain::{Baseline, environment};
use crate::intent::{CommandFact, Existing, Fact, times};

/// A fact that the forge answered, dated over what its environment holds where that cannot be newer.
pub(super) fn dated(fact: Fact, existing: &[Existing], now: DateTime<Utc>) -> Fact {
    match existing.iter().find(|e| e.is_for(&fact)).map(|held| (held.source.observed_at, held.source.is_foreign())) {
        Some(held) => Fact { source: times::over(fact.source, held, now), ..fact },
        None => fact,
    }
}

/// Whether a fact says anything that its environment does not hold. That something changed which no environment depends
/// on, such as a comment, is no reason to write.
pub(super) fn is_new(fact: &Fact, existing: &[Existing]) -> bool {
    let held = existing.iter().find(|e| e.namespace == fact.baseline_namespace && e.name == fact.environment);
    held.is_none_or(|held| {
        let bare = |source: &Source| Source { observed_at: fact.source.observed_at, active_at: None, sender: None, ..source.clone() };
        bare(&held.source) != bare(&fact.source) && held.source.observed_at <= fact.source.observed_at
    })
}

/// Whether an environment would go for this although what it is for is open: its trigger wanted it, and does not any more.
pub(super) fn is_end(fact: &Fact, existing: &[Existing], baselines: &[Arc<Baseline>]) -> bool {
    let is_open = |source: &Source| source.state == SourceState::Open;
    let Some(held) = existing.iter().find(|e| e.is_for(fact)).filter(|e| !e.wished && is_open(&e.source) && is_open(&fact.source)) else {
        return false;
    };
    let baseline = baselines.iter().find(|b| b.namespace == held.namespace && b.name == held.baseline);
    let read = |source: &Source| environment::Source::try_from(source).ok();
    baseline.zip(read(&held.source)).zip(read(&fact.source)).is_some_and(|((b, was), is)| trigger::stops_wanting(b, &was, &is))
}

/// Whether a command is neither recorded nor carried out yet, as far as its environment knows.
pub(super) fn is_unheard(fact: &CommandFact, existing: &[Existing]) -> bool {
    let known = existing.iter().find(|e| e.namespace == fact.baseline_namespace && e.name == fact.environment);
    known.is_none_or(|known| !known.has_heard(&fact.command))
}
