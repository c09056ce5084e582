//! What a change of a pull request makes us want.

use std::sync::Arc;

use super::{Existing, Fact, Intent, fact_of_pull};
use crate::api::baseline::ForgeKind;
use crate::domain::Baseline;
use crate::forge::PullRequest;
use crate::forge::event::PullAction;

/// A fact for each Baseline that lists the repository, and for each environment that there is already.
pub(super) fn decide(
    (forge, pull): (ForgeKind, &PullRequest),
    (_action, sender): (PullAction, &str),
    baselines: &[Arc<Baseline>],
    existing: &[Existing],
) -> Intent {
    let mut facts: Vec<Fact> = baselines.iter().filter_map(|b| fact_of_pull(b, forge, pull, Some(sender))).collect();
    for known in existing {
        match facts.iter_mut().find(|fact| known.is_for(fact)) {
            Some(fact) => fact.baseline.clone_from(&known.baseline),
            None => facts.push(known.fact(pull.to_source(forge, Some(sender)))),
        }
    }
    if facts.is_empty() { Intent::Ignore(format!("no Baseline lists the repository {}", pull.repository)) } else { Intent::Record(facts) }
}
