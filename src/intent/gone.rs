//! What it means that repositories are out of our sight.

use super::{Existing, Fact, Intent};
use crate::api;
use crate::api::environment::SourceState;

/// The end of every environment of those repositories. The forge says no time with it, so it counts as new as the last
/// fact: of two facts of one moment the one that is not open stands.
pub(super) fn decide(why: &str, existing: &[Existing]) -> Intent {
    let gone = |known: &Existing| known.fact(api::Source { state: SourceState::Gone, ..known.source.clone() });
    let facts: Vec<Fact> = existing.iter().map(gone).collect();
    if facts.is_empty() { Intent::Ignore(format!("{why}, and no environment is of it")) } else { Intent::Record(facts) }
}
