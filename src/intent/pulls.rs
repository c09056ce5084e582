//! What a change of a pull request makes us want. No client, no clock, no logging.
//!
//! A fact is recorded where an environment can follow from it or is there already. Drafts, bots, base branches and paths are
//! not judged here: they are recorded and settled as not wanted, so that one place decides, its reason can be read, and
//! a change of the Baseline's trigger, of the draft or of the base works on what is recorded without another delivery.

use std::sync::Arc;

use super::{Existing, Fact, Intent, fact_of_pull, spread};
use crate::api::baseline::{ForgeKind, PullRequests};
use crate::api::environment::SourceState;
use crate::domain::Baseline;
use crate::domain::baseline::Trigger;
use crate::forge::PullRequest;
use crate::forge::event::PullAction;

/// A fact for each Baseline whose trigger can want the pull request, and for each environment that there is already.
pub(super) fn decide(
    (forge, pull): (ForgeKind, &PullRequest),
    (action, sender): (PullAction, &str),
    baselines: &[Arc<Baseline>],
    existing: &[Existing],
) -> Intent {
    let listing = || baselines.iter().filter_map(|b| Some((b, b.repository_by(forge, pull.repository_id, &pull.repository)?)));
    let wanting = listing().filter(|(b, repository)| can_follow(b, b.trigger_of(repository), (action, pull)));
    let facts: Vec<Fact> = wanting.filter_map(|(b, _)| fact_of_pull(b, forge, pull, Some(sender))).collect();
    let facts = spread(facts, existing, &pull.to_source(forge, Some(sender)));
    match (facts.is_empty(), listing().next()) {
        (false, _) => Intent::Record(facts),
        (true, None) => Intent::Ignore(format!("no Baseline lists the repository {}", pull.repository)),
        (true, Some(_)) => {
            Intent::Ignore(format!("{} of {}#{} asks for no environment, and there is none", action.as_str(), pull.repository, pull.number))
        }
    }
}

/// Whether an environment can follow. The close of one that never was counts: it is recorded, so that an "opened" that
/// comes after it makes none.
fn can_follow(baseline: &Baseline, trigger: &Trigger, (action, pull): (PullAction, &PullRequest)) -> bool {
    if pull.state != SourceState::Open && action != PullAction::Closed {
        return false;
    }
    match trigger.pull_requests {
        // What is older than the Baseline has to move first: no flood on day one.
        PullRequests::All => baseline.created_at.is_none_or(|made| pull.created_at >= made) || moves(action),
        PullRequests::Labelled => trigger.is_labelled(&pull.labels),
        PullRequests::OnCommand | PullRequests::None => false,
    }
}

/// Whether the pull request was opened, shown to others or pushed to at that moment, or ended.
const fn moves(action: PullAction) -> bool {
    match action {
        PullAction::Opened | PullAction::Reopened | PullAction::Synchronize | PullAction::ReadyForReview | PullAction::Closed => true,
        PullAction::Edited | PullAction::ConvertedToDraft | PullAction::Labeled | PullAction::Unlabeled => false,
    }
}
