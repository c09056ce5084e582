//! The environments of one pull request. No client, no clock, no logging.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use kube::ResourceExt;

use super::heads::Heads;
use super::sources::Sources;
use crate::api::baseline::ForgeKind;
use crate::api::conditions::{self, Condition, ConditionStatus};
use crate::api::status::Feedback;
use crate::api::{PreviewEnvironment, Source};
use crate::domain::RepoName;

/// Reason of `FeedbackDelivered` = True.
pub const DELIVERED: &str = "Delivered";
/// Reason of `FeedbackDelivered` = False while we try again.
pub const RETRYING: &str = "Retrying";
/// It is being told for the first time.
pub const TELLING: &str = "Telling";
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
    /// The pull request that an environment reports to: the first among its sources, or where nothing but commands is known,
    /// that of its commands. None for an environment of a branch, which has nowhere to report to, and for one whose repository's
    /// name cannot be read.
    pub fn of(environment: &PreviewEnvironment) -> Option<Self> {
        place(environment).and_then(|place| {
            place.repository.parse::<RepoName>().ok()?;
            Some(place.key)
        })
    }
}

/// The pull request that an environment reports to, and what its repository was called when that was last heard of.
pub(super) struct Place<'a> {
    key: PullKey,
    pub(super) repository: &'a str,
    at: DateTime<Utc>,
}

/// Where an environment reports to. One that holds nothing but commands reports to where they were given.
pub(super) fn place(environment: &PreviewEnvironment) -> Option<Place<'_>> {
    let of_source = |source: &'_ Source| -> Option<(PullKey, DateTime<Utc>)> {
        let key = PullKey { forge: source.forge, repository_id: source.repository_id, number: source.pull? };
        Some((key, source.observed_at))
    };
    if let Some(source) = pull_source(environment) {
        return of_source(source).map(|(key, at)| Place { key, repository: &source.repository, at });
    }
    let newest = environment.spec.commands.iter().filter(|_| environment.holds_only_commands()).max_by_key(|command| command.at);
    newest.map(|command| Place {
        key: PullKey { forge: command.forge, repository_id: command.repository_id, number: command.pull },
        repository: &command.repository,
        at: command.at,
    })
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
    /// Its repository's name, as far as is known.
    pub repository: RepoName,
    /// Another name that it may have, where one is known.
    pub(super) also: Option<RepoName>,
    members: Vec<Arc<PreviewEnvironment>>,
    /// Of each member, whether a pull request with a smaller number has the same commit.
    shares: Vec<bool>,
}

impl Group {
    /// Those environments as the ones of that pull request. None where there is none.
    pub fn of(key: PullKey, mut members: Vec<Arc<PreviewEnvironment>>) -> Option<Self> {
        members.sort_by_key(|member| member.uid());
        // After a rename, the environment that heard last of the repository knows its name.
        let newest = members.iter().filter_map(|member| place(member)).max_by_key(|place| place.at)?;
        Some(Self { key, repository: newest.repository.parse().ok()?, also: None, members, shares: Vec::new() })
    }

    /// The same among all environments that there are.
    pub fn among(self, heads: &Heads<'_>) -> Self {
        Self { shares: self.members.iter().map(|member| heads.has_before(member)).collect(), ..self }
    }

    /// Whether a pull request with a smaller number has the same commit, as far as is known.
    pub(super) fn shares(&self, member: usize) -> bool {
        self.shares.get(member).copied().unwrap_or_default()
    }

    /// The same, known to be called that today. What it was called is tried after it.
    pub(super) fn called(self, name: Option<RepoName>) -> Self {
        match name.filter(|name| *name != self.repository) {
            Some(name) => Self { also: Some(self.repository), repository: name, ..self },
            None => self,
        }
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

    /// Number of the comment as it is recorded: by the first environment that knows it.
    pub fn recorded_comment(&self) -> Option<i64> {
        self.members.iter().find_map(|member| recorded(member)?.comment_id)
    }
}

/// Whether an environment that is gone may be forgotten as far as the forge is concerned: the comment says so and its
/// deployments are deleted, or the forge refuses exactly this, or there is nowhere to say it. `others` are all environments
/// that are known; a copy of `environment` among them is not looked at.
///
/// While the forge cannot be reached this is false: the object is the only thing that remembers what is to be done.
pub fn nothing_left_to_say(
    environment: &PreviewEnvironment,
    others: &[Arc<PreviewEnvironment>],
    sources: &Sources,
    now: DateTime<Utc>,
) -> bool {
    let Some(key) = PullKey::of(environment) else { return true };
    let same_pull = |other: &&Arc<PreviewEnvironment>| PullKey::of(other).as_ref() == Some(&key);
    let mut all: Vec<_> = others.iter().filter(|other| other.uid() != environment.uid()).filter(same_pull).cloned().collect();
    all.push(Arc::new(environment.clone()));
    let heads = Heads::of(others);
    let Some(group) = Group::of(key, all).map(|group| group.among(&heads)) else { return true };
    let Some(show) = sources.show(&group, now) else { return true };
    let index = group.members.iter().position(|member| member.uid() == environment.uid());
    index.is_none_or(|index| show.is_over(index, &recorded(environment).cloned().unwrap_or_default()))
}

/// Whether the forge shows an environment, the only one of its pull request, as it is: for tools that do not know its Baseline,
/// where that says nothing about feedback. `now` is the API server's time.
pub fn is_told(environment: &PreviewEnvironment, now: DateTime<Utc>) -> bool {
    nothing_left_to_say(environment, &[], &Sources::new(Arc::new(|_, _| None), false), now)
}

/// Whether an environment records that everything is shown.
pub(super) fn is_delivered(member: &PreviewEnvironment) -> bool {
    condition(member).is_some_and(|c| c.status == ConditionStatus::True)
}

/// What an environment records of what the forge shows.
pub(super) fn recorded(member: &PreviewEnvironment) -> Option<&Feedback> {
    member.status.as_ref()?.feedback.as_ref()
}

/// The condition about that.
pub(super) fn condition(member: &PreviewEnvironment) -> Option<&Condition> {
    conditions::find(&member.status.as_ref()?.conditions, conditions::FEEDBACK_DELIVERED)
}
