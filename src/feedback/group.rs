//! The environments of one pull request, and what its comment is to say. No client, no clock, no logging.

use std::collections::HashMap;
use std::sync::Arc;

use kube::ResourceExt;

use super::digest::digest;
use super::render::render;
use super::state::State;
use crate::api::baseline::ForgeKind;
use crate::api::conditions::{self, Condition, ConditionStatus};
use crate::api::status::Feedback;
use crate::api::{PreviewEnvironment, Source};
use crate::domain::RepoName;

/// Reason of `FeedbackDelivered` = True.
pub const DELIVERED: &str = "Delivered";
/// Reason of `FeedbackDelivered` = False while we try again.
pub const RETRYING: &str = "Retrying";
/// Reason of `FeedbackDelivered` = False where the forge says no, until a person changes something.
pub const REFUSED: &str = "Refused";

/// One pull request, by numbers that stay through renames.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PullKey {
    /// The forge.
    pub forge: ForgeKind,
    /// The repository's number.
    pub repository_id: i64,
    /// The pull request's number.
    pub number: i64,
}

impl PullKey {
    /// The pull request that an environment reports to: the first among its sources. None for an environment of a
    /// branch, which has nowhere to report to, and for one whose repository's name cannot be read.
    pub fn of(environment: &PreviewEnvironment) -> Option<Self> {
        pull_source(environment).and_then(|source| {
            source.repository.parse::<RepoName>().ok()?;
            Some(Self { forge: source.forge, repository_id: source.repository_id, number: source.pull? })
        })
    }
}

/// The source of the pull request that an environment reports to.
pub(super) fn pull_source(environment: &PreviewEnvironment) -> Option<&Source> {
    environment.spec.sources.iter().find(|source| source.pull.is_some())
}

/// All environments of one pull request: usually one, several where several Baselines list the repository.
#[derive(Clone, Debug)]
pub struct Group {
    /// The pull request.
    pub key: PullKey,
    /// Its repository's name at this moment.
    pub repository: RepoName,
    members: Vec<Arc<PreviewEnvironment>>,
}

/// What a comment is to say.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Letter {
    /// The whole text.
    pub text: String,
    /// What tells it from another.
    pub digest: String,
    /// Whether it is worth a comment where there is none yet. That something is gone is not.
    pub opens: bool,
}

impl Group {
    /// Those environments as the ones of that pull request. None where there is none.
    pub fn of(key: PullKey, mut members: Vec<Arc<PreviewEnvironment>>) -> Option<Self> {
        members.sort_by_key(|member| member.uid());
        // After a rename, the environment that heard last of the repository knows its name.
        let source = members.iter().filter_map(|member| pull_source(member)).max_by_key(|source| source.observed_at)?;
        Some(Self { key, repository: source.repository.parse().ok()?, members })
    }

    /// All environments by the pull request that they report to.
    pub fn index(environments: Vec<Arc<PreviewEnvironment>>) -> HashMap<PullKey, Vec<Arc<PreviewEnvironment>>> {
        let mut index = HashMap::<_, Vec<_>>::new();
        for environment in environments {
            if let Some(key) = PullKey::of(&environment) {
                index.entry(key).or_default().push(environment);
            }
        }
        index
    }

    /// The environments, the one with the smallest UID first: the comment is delivered in its name.
    pub fn members(&self) -> &[Arc<PreviewEnvironment>] {
        &self.members
    }

    /// What the comment is to say; None while nothing is decided for any environment.
    pub fn letter(&self) -> Option<Letter> {
        let states: Vec<_> = self.members.iter().map(|member| State::of(member)).collect();
        if states.iter().all(|state| *state == State::Undecided) {
            return None;
        }
        let text = render(&self.members);
        Some(Letter { digest: digest(&text), opens: states.iter().any(State::opens), text })
    }

    /// Number of the comment as it is recorded: by the first environment that knows it.
    pub fn recorded_comment(&self) -> Option<i64> {
        self.members.iter().find_map(|member| recorded(member)?.comment_id)
    }

    /// Digest of what the comment says, as the environments record it; None where they do not agree, as after a
    /// crash between two of their records.
    pub fn recorded_digest(&self) -> Option<&str> {
        let mut delivered = self.members.iter().filter(|m| is_delivered(m)).map(|m| recorded(m).and_then(|f| f.digest.as_deref()));
        let first = delivered.next()?;
        if delivered.all(|digest| digest == first) { first } else { None }
    }

    /// Whether every environment records that the comment says this: then there is nothing to do at all.
    pub fn all_show(&self, letter: &Letter) -> bool {
        self.members.iter().all(|member| shows(member, letter))
    }
}

/// Whether an environment that is gone may be forgotten as far as its pull request is concerned: the comment says
/// so, or the forge refuses exactly this text, or there is nowhere to say it. `others` are all environments that are
/// known; a copy of `environment` among them is not looked at.
///
/// While the forge cannot be reached this is false: the object is the only thing that remembers what is to be said.
pub fn nothing_left_to_say(environment: &PreviewEnvironment, others: &[Arc<PreviewEnvironment>]) -> bool {
    let Some(key) = PullKey::of(environment) else { return true };
    let same_pull = |other: &&Arc<PreviewEnvironment>| PullKey::of(other).as_ref() == Some(&key);
    let mut all: Vec<_> = others.iter().filter(|other| other.uid() != environment.uid()).filter(same_pull).cloned().collect();
    all.push(Arc::new(environment.clone()));
    let letter = Group::of(key, all).and_then(|group| group.letter());
    letter.is_none_or(|letter| shows(environment, &letter) || refused(environment, &letter))
}

fn shows(member: &PreviewEnvironment, letter: &Letter) -> bool {
    is_about(member, letter) && is_delivered(member)
}

fn is_delivered(member: &PreviewEnvironment) -> bool {
    condition(member).is_some_and(|c| c.status == ConditionStatus::True)
}

fn refused(member: &PreviewEnvironment, letter: &Letter) -> bool {
    is_about(member, letter) && condition(member).is_some_and(|c| c.status == ConditionStatus::False && c.reason == REFUSED)
}

fn is_about(member: &PreviewEnvironment, letter: &Letter) -> bool {
    recorded(member).is_some_and(|feedback| feedback.digest.as_deref() == Some(&letter.digest))
}

/// What an environment records of the comment.
pub(super) fn recorded(member: &PreviewEnvironment) -> Option<&Feedback> {
    member.status.as_ref()?.feedback.as_ref()
}

/// The condition about the comment.
pub(super) fn condition(member: &PreviewEnvironment) -> Option<&Condition> {
    conditions::find(&member.status.as_ref()?.conditions, conditions::FEEDBACK_DELIVERED)
}
