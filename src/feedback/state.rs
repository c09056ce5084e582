//! What there is to say of one environment, out of its conditions. No client, no clock, no logging.

use super::group::pull_source;
use super::trouble::{self, Fault};
use crate::api::PreviewEnvironment;
use crate::api::conditions::{self, Condition, ConditionStatus};
use crate::api::status::PreviewEnvironmentStatus;

/// The state of an environment as its comment tells it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum State {
    /// Nobody has looked at it yet.
    Undecided,
    /// It is wanted, and nothing of it is there yet.
    Prepared,
    /// The pull request comes from a fork, and its commit waits for somebody's approval.
    Fork,
    /// The same of its next commit; what was approved before goes on.
    Unapproved,
    /// The pull request comes from a fork, and the Baseline runs none.
    Denied,
    /// There is no room for it yet: its place, of how many, and in words.
    Queued(i32, i32, String),
    /// Something must happen first, in words.
    Waiting(String),
    /// A person must change something first, in words.
    Stalled(String, Fault),
    /// It is being made.
    Creating,
    /// Another commit, or another baseline, is being rolled out.
    Updating,
    /// What the change builds does not come up.
    Failed,
    /// It was up, and something in it is not any more.
    Degraded,
    /// Everything is up, and some of it is the baseline's where it should be the change's, in words.
    Instead(String),
    /// Everything is up, and its address does not answer yet; in words, where it was asked already.
    Silent(Option<String>),
    /// Everything is up.
    Ready(Reach),
    /// It is being taken down.
    Removing(Why),
    /// Nothing of it is there.
    Gone(Why),
}

/// Whether an address answers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Reach {
    /// It answered, with that HTTP status.
    Answered(Option<i32>),
    /// It cannot be asked, in words.
    Unchecked(String),
    /// There is no address, or nobody asks.
    Unasked,
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
    /// Its time is over, in words.
    Expired(String),
    /// It gave way to another one, in words.
    Evicted(String),
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
    /// With `probed`, what is up counts as ready only once its address answered.
    pub(super) fn of(environment: &PreviewEnvironment, probed: bool) -> Self {
        let Some(status) = &environment.status else { return Self::Undecided };
        let Some(wanted) = conditions::find(&status.conditions, conditions::WANTED) else { return Self::Undecided };
        match wanted.status {
            ConditionStatus::False if nothing_is_left(status) => Self::Gone(Why::of(wanted)),
            ConditionStatus::False => Self::Removing(Why::of(wanted)),
            ConditionStatus::Unknown => Self::Prepared,
            ConditionStatus::True => Self::of_wanted(environment, status, probed),
        }
    }

    fn of_wanted(environment: &PreviewEnvironment, status: &PreviewEnvironmentStatus, probed: bool) -> Self {
        let find = |type_| conditions::find(&status.conditions, type_);
        match find(conditions::APPROVED).filter(|c| c.status == ConditionStatus::False) {
            Some(c) if c.reason == "Fork" && status.namespace.is_some() && served_before(environment).is_some() => {
                return Self::Unapproved;
            }
            Some(c) if c.reason == "Fork" => return Self::Fork,
            Some(c) if c.reason == "ForksDenied" => return Self::Denied,
            Some(c) => return Self::Waiting(c.message.clone()),
            None => {}
        }
        if let Some(stalled) = find(conditions::STALLED).filter(|c| c.status == ConditionStatus::True) {
            return Self::Stalled(stalled.message.clone(), trouble::of_stalled(stalled));
        }
        if conditions::is_true(&status.conditions, conditions::READY) {
            return Self::of_ready(environment, status, probed);
        }
        if let Some(queue) = status.shown_queue() {
            return Self::Queued(queue.position, queue.of, waiting_for(status));
        }
        match status.phase.as_deref().unwrap_or_default() {
            "Waiting" => Self::Waiting(waiting_for(status)),
            _ if is_applied(environment) && trouble::of_services(status) == Some(Fault::Change) => Self::Failed,
            _ if was_ready(environment) => Self::Degraded,
            _ if served_before(environment).is_some() => Self::Updating,
            "Updating" => Self::Updating,
            "Ready" => Self::Degraded,
            _ if status.namespace.is_some() => Self::Creating,
            _ => Self::Prepared,
        }
    }

    fn of_ready(environment: &PreviewEnvironment, status: &PreviewEnvironmentStatus, probed: bool) -> Self {
        let instead = conditions::find(&status.conditions, conditions::IMAGES_AVAILABLE);
        if let Some(instead) = instead.filter(|c| c.status == ConditionStatus::False) {
            return Self::Instead(instead.message.clone());
        }
        if !is_applied(environment) && served_before(environment).is_some() {
            return Self::Updating;
        }
        reach(environment, status, probed)
    }

    /// Whether this is worth a comment where there is none yet.
    pub(super) fn opens(&self) -> bool {
        match self {
            Self::Gone(why) | Self::Removing(why) => *why == Why::Draft,
            Self::Undecided => false,
            _ => true,
        }
    }

    /// What state it is, without its words.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Undecided => "undecided",
            Self::Prepared => "prepared",
            Self::Fork => "fork",
            Self::Unapproved => "unapproved",
            Self::Denied => "denied",
            Self::Queued(..) => "queued",
            Self::Waiting(_) => "waiting",
            Self::Stalled(..) => "stalled",
            Self::Creating => "creating",
            Self::Updating => "updating",
            Self::Failed => "failed",
            Self::Degraded => "degraded",
            Self::Instead(_) => "instead",
            Self::Silent(None) => "unasked",
            Self::Silent(Some(_)) => "silent",
            Self::Ready(_) => "ready",
            Self::Removing(_) => "removing",
            Self::Gone(_) => "gone",
        }
    }

    /// Whether another state follows within minutes, as a rule.
    pub(super) fn passes(&self) -> bool {
        matches!(self, Self::Prepared | Self::Creating | Self::Updating | Self::Silent(None) | Self::Removing(_))
    }

    /// Whether something runs, or is on its way to.
    pub(super) fn is_there(&self) -> bool {
        !matches!(self, Self::Undecided | Self::Fork | Self::Denied | Self::Removing(_) | Self::Gone(_))
    }

    /// Whether the commit at the head is there or being brought there: what a deployment is for.
    pub(super) fn is_deployed(&self) -> bool {
        self.is_there() && !matches!(self, Self::Prepared | Self::Queued(..) | Self::Unapproved)
    }
}

impl Why {
    fn of(wanted: &Condition) -> Self {
        match wanted.reason.as_str() {
            "Merged" => Self::Merged,
            "Closed" => Self::Closed,
            "Gone" => Self::PullGone,
            "Expired" => Self::Expired(wanted.message.clone()),
            "Evicted" => Self::Evicted(wanted.message.clone()),
            "DeletedByWish" => Self::Wish,
            "Deleted" => Self::Deleted,
            "Draft" => Self::Draft,
            _ => Self::Other(wanted.message.clone()),
        }
    }

    /// Whether the pull request has ended: nobody looks at its checks any more.
    pub(super) fn is_the_end(&self) -> bool {
        matches!(self, Self::Merged | Self::Closed | Self::PullGone)
    }
}

/// Whether what answers is the commit at the head, by the last answer to that address.
fn reach(environment: &PreviewEnvironment, status: &PreviewEnvironmentStatus, probed: bool) -> State {
    if status.urls.is_empty() {
        return State::Ready(Reach::Unasked);
    }
    let head = pull_source(environment).map(|source| source.revision.as_str());
    let asked = |url: &str| status.urls.iter().any(|known| url.starts_with(known.url.as_str()));
    let probe = status.probe.as_ref().filter(|probe| probe.revision.as_deref() == head && asked(&probe.url));
    let unknown = conditions::find(&status.conditions, conditions::REACHABLE).filter(|c| c.status == ConditionStatus::Unknown);
    match (probe, unknown) {
        (Some(probe), _) if probe.answered => State::Ready(Reach::Answered(probe.status)),
        (_, Some(unknown)) if !unknown.message.is_empty() => State::Ready(Reach::Unchecked(unknown.message.clone())),
        (Some(probe), _) => State::Silent(Some(probe.why.clone().unwrap_or_default())),
        (None, _) if probed => State::Silent(None),
        (None, _) => State::Ready(Reach::Unasked),
    }
}

/// The commit that runs, where that is not the one at the head of the pull request.
pub(super) fn served_before(environment: &PreviewEnvironment) -> Option<&str> {
    let status = environment.status.as_ref()?;
    let wanted = &pull_source(environment)?.revision;
    let served = status.ready_revision.as_ref().or(status.revision.as_ref())?;
    (served != wanted).then_some(served)
}

/// Whether everything of the commit at the head was applied.
fn is_applied(environment: &PreviewEnvironment) -> bool {
    let revision = environment.status.as_ref().and_then(|status| status.revision.as_ref());
    revision.is_some() && revision == pull_source(environment).map(|source| &source.revision)
}

/// Whether the commit at the head was ready before.
fn was_ready(environment: &PreviewEnvironment) -> bool {
    let ready = environment.status.as_ref().and_then(|status| status.ready_revision.as_ref());
    is_applied(environment) && ready == pull_source(environment).map(|source| &source.revision)
}

fn nothing_is_left(status: &PreviewEnvironmentStatus) -> bool {
    status.phase.as_deref() == Some("Removed") || (status.namespace.is_none() && status.inventory.is_empty())
}

fn waiting_for(status: &PreviewEnvironmentStatus) -> String {
    let message = |type_| conditions::find(&status.conditions, type_).map(|c| c.message.clone()).filter(|m| !m.is_empty());
    message(conditions::PROGRESSING).or_else(|| message(conditions::READY)).unwrap_or_default()
}
