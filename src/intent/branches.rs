//! What a push to a branch makes us want. No client, no clock, no logging.

use std::sync::Arc;

use super::{Existing, Fact, Intent, fact, spread};
use crate::api;
use crate::api::baseline::ForgeKind;
use crate::api::environment::SourceState;
use crate::domain::Baseline;
use crate::domain::baseline::is_merge_queue;
use crate::forge::Branch;

/// A fact for each Baseline whose trigger names the branch, and for each environment that there is already. The end of a
/// branch is recorded even where there is no environment, so that a push that comes after it makes none.
pub(super) fn decide(
    (forge, branch): (ForgeKind, &Branch),
    (exists, sender): (bool, &str),
    baselines: &[Arc<Baseline>],
    existing: &[Existing],
) -> Intent {
    if is_merge_queue(&branch.name) {
        return Intent::Ignore(format!("{} belongs to a merge queue", branch.name));
    }
    let state = if exists { SourceState::Open } else { SourceState::Gone };
    let source = api::Source { state, sender: Some(sender.to_owned()), ..branch.to_source(forge) };
    let listing = || baselines.iter().filter_map(|b| Some((b, b.repository_by(forge, branch.repository_id, &branch.repository)?)));
    let wanting = listing().filter(|(b, repository)| b.trigger_of(repository).wants_branch(&branch.name));
    let facts: Vec<Fact> = wanting.map(|(b, repository)| fact(b, repository, source.clone())).collect();
    let facts = spread(facts, existing, &source);
    match (facts.is_empty(), listing().next()) {
        (false, _) => Intent::Record(facts),
        (true, None) => Intent::Ignore(format!("no Baseline lists the repository {}", branch.repository)),
        (true, Some(_)) => Intent::Ignore(format!("no Baseline has a trigger for the branch {} of {}", branch.name, branch.repository)),
    }
}
