//! What there is to say of one environment, out of its conditions. No client, no clock, no logging.

use crate::api::PreviewEnvironment;
use crate::api::conditions::{self, Condition, ConditionStatus};
use crate::api::status::PreviewEnvironmentStatus;

use super::group::pull_source;

/// The state of an environment as its comment tells it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum State {
    /// Nobody has looked at it yet.
    Undecided,
    /// It is wanted, and nothing of it is there yet.
    Prepared,
    /// The pull request comes from a fork.
    Fork,
    /// Something must happen first, in words.
    Waiting(String),
    /// A person must change something first, in words.
    Stalled(String),
    /// It is being made.
    Creating,
    /// Another commit, or another baseline, is being rolled out.
    Updating,
    /// It was made, and something in it is not up.
    NotReady,
    /// Everything is up, and some of it is the baseline's where it should be the change's, in words.
    Instead(String),
    /// Everything is up.
    Ready,
    /// It is being taken down.
    Removing(Why),
    /// Nothing of it is there.
    Gone(Why),
}

/// Why an environment is not wanted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Why {
    /// The pull request was merged.
    Merged,
    /// It was closed without a merge.
    Closed,
    /// The forge does not know it any more.
    PullGone,
    /// Nothing happened for the time that it lives.
    Expired,
    /// A person asked for it.
    Wish,
    /// Its object is being deleted.
    Deleted,
    /// The pull request is a draft.
    Draft,
    /// The Baseline gives no environment to such a pull request. Holds the sentence.
    Other(String),
}

impl State {
    pub(super) fn of(environment: &PreviewEnvironment) -> Self {
        let Some(status) = &environment.status else { return Self::Undecided };
        let Some(wanted) = conditions::find(&status.conditions, conditions::WANTED) else { return Self::Undecided };
        match wanted.status {
            ConditionStatus::False if nothing_is_left(status) => Self::Gone(Why::of(wanted)),
            ConditionStatus::False => Self::Removing(Why::of(wanted)),
            ConditionStatus::Unknown => Self::Prepared,
            ConditionStatus::True => Self::of_wanted(environment, status),
        }
    }

    fn of_wanted(environment: &PreviewEnvironment, status: &PreviewEnvironmentStatus) -> Self {
        let find = |type_| conditions::find(&status.conditions, type_);
        let phase = status.phase.as_deref().unwrap_or_default();
        if let Some(stalled) = find(conditions::STALLED).filter(|c| c.status == ConditionStatus::True) {
            return Self::Stalled(stalled.message.clone());
        }
        match find(conditions::APPROVED) {
            Some(c) if c.status == ConditionStatus::False && c.reason == "Fork" => return Self::Fork,
            Some(c) if c.status == ConditionStatus::False => return Self::Waiting(c.message.clone()),
            _ => {}
        }
        if conditions::is_true(&status.conditions, conditions::READY) {
            let instead = find(conditions::IMAGES_AVAILABLE).filter(|c| c.status == ConditionStatus::False);
            if let Some(instead) = instead {
                return Self::Instead(instead.message.clone());
            }
            return if served_before(environment).is_some() { Self::Updating } else { Self::Ready };
        }
        match phase {
            "Waiting" => Self::Waiting(waiting_for(status)),
            _ if served_before(environment).is_some() => Self::Updating,
            "Updating" => Self::Updating,
            "Ready" => Self::NotReady,
            _ if status.namespace.is_some() => Self::Creating,
            _ => Self::Prepared,
        }
    }

    /// Whether this is worth a comment where there is none yet.
    pub(super) fn opens(&self) -> bool {
        match self {
            Self::Gone(why) | Self::Removing(why) => *why == Why::Draft,
            Self::Undecided => false,
            _ => true,
        }
    }
}

impl Why {
    fn of(wanted: &Condition) -> Self {
        match wanted.reason.as_str() {
            "Merged" => Self::Merged,
            "Closed" => Self::Closed,
            "Gone" => Self::PullGone,
            "Expired" => Self::Expired,
            "DeletedByWish" => Self::Wish,
            "Deleted" => Self::Deleted,
            "Draft" => Self::Draft,
            _ => Self::Other(wanted.message.clone()),
        }
    }
}

/// The commit that runs, where that is not the one at the head of the pull request.
pub(super) fn served_before(environment: &PreviewEnvironment) -> Option<&str> {
    let served = environment.status.as_ref()?.revision.as_deref()?;
    let wanted = &pull_source(environment)?.revision;
    (served != wanted).then_some(served)
}

fn nothing_is_left(status: &PreviewEnvironmentStatus) -> bool {
    status.phase.as_deref() == Some("Removed") || (status.namespace.is_none() && status.inventory.is_empty())
}

fn waiting_for(status: &PreviewEnvironmentStatus) -> String {
    let message = |type_| conditions::find(&status.conditions, type_).map(|c| c.message.clone()).filter(|m| !m.is_empty());
    message(conditions::PROGRESSING).or_else(|| message(conditions::READY)).unwrap_or_default()
}
