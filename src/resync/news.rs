//! What of a finding is not recorded yet. No client, no clock, no logging.

use crate::api::Source;
use crate::intent::{CommandFact, Existing, Fact};

/// Whether a fact says anything that its environment does not hold. That something changed which no environment depends
/// on, such as a comment, is no reason to write.
pub(super) fn is_new(fact: &Fact, existing: &[Existing]) -> bool {
    let held = existing.iter().find(|e| e.namespace == fact.baseline_namespace && e.name == fact.environment);
    held.is_none_or(|held| {
        let bare = |source: &Source| Source { observed_at: fact.source.observed_at, sender: None, ..source.clone() };
        bare(&held.source) != bare(&fact.source) && held.source.observed_at <= fact.source.observed_at
    })
}

/// Whether a command is neither recorded nor carried out yet, as far as its environment knows.
pub(super) fn is_unheard(fact: &CommandFact, existing: &[Existing]) -> bool {
    let known = existing.iter().find(|e| e.namespace == fact.baseline_namespace && e.name == fact.environment);
    known.is_none_or(|known| !known.has_heard(&fact.command))
}
