//! The port to a forge. Types of a forge's own library stop inside its module.

mod answers;
mod branches;
mod changes;
pub mod event;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod github;
mod home;
mod hook;
pub mod pace;
pub mod spent;

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::FutureExt;
use futures::future::BoxFuture;

use crate::api;
use crate::api::baseline::ForgeKind;
use crate::api::environment::SourceState;
use crate::domain::{RepoName, Revision};

pub use answers::{
    Access, Check, CheckAction, Conclusion, Cursor, DeploymentState, DeploymentUpdate, FailedDeliveries, Listing, NewDeployment,
    Permission, PostedComment, Reaction, RepositoryFacts, Turns, Validator,
};
pub use branches::branch_if_there;
pub use changes::ChangedFiles;
pub use home::home;
pub use hook::{Arrival, Hook};

/// Most labels of a pull request that a fact holds. GitHub gives an issue 100 at most.
const LABELS_MAX: usize = 100;
/// Longest label that a fact holds, in characters, as on GitHub. No trigger can name a longer one.
const LABEL_MAX: usize = 50;

/// A pull request as the forge describes it, by an event or an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct PullRequest {
    /// The repository's number.
    pub repository_id: i64,
    /// The repository's name at this moment.
    pub repository: RepoName,
    /// Number of the pull request.
    pub number: i64,
    /// Open, Closed or Merged.
    pub state: SourceState,
    /// Commit at its head.
    pub revision: Revision,
    /// Branch that it comes from.
    pub head_branch: String,
    /// Number of the repository that it comes from; absent where that one was deleted.
    pub head_repository_id: Option<i64>,
    /// Branch that it is to be merged into.
    pub base_branch: String,
    /// Login of the one who opened it.
    pub author: String,
    /// Whether it is a draft.
    pub draft: bool,
    /// Whether a bot opened it.
    pub bot: bool,
    /// Its labels.
    pub labels: Vec<String>,
    /// When it was opened.
    pub created_at: DateTime<Utc>,
    /// When it last changed, to the second.
    pub updated_at: DateTime<Utc>,
}

impl PullRequest {
    /// The same as a fact for a PreviewEnvironment. `sender` caused the event, if one did.
    pub fn to_source(&self, forge: ForgeKind, sender: Option<&str>) -> api::Source {
        api::Source {
            forge,
            repository_id: self.repository_id,
            repository: self.repository.as_str().to_owned(),
            pull: Some(self.number),
            branch: None,
            state: self.state,
            revision: self.revision.as_str().to_owned(),
            observed_at: self.updated_at,
            active_at: None,
            head_branch: Some(self.head_branch.clone()),
            head_repository_id: self.head_repository_id,
            base_branch: Some(self.base_branch.clone()),
            author: Some(self.author.clone()),
            sender: sender.map(str::to_owned),
            draft: self.draft,
            bot: self.bot,
            labels: self.labels.iter().filter(|label| label.chars().count() <= LABEL_MAX).take(LABELS_MAX).cloned().collect(),
        }
    }
}

/// A branch as the forge describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Branch {
    /// The repository's number.
    pub repository_id: i64,
    /// The repository's name at this moment.
    pub repository: RepoName,
    /// The branch's name.
    pub name: String,
    /// Commit at its head.
    pub revision: Revision,
    /// When the forge answered, by its own clock.
    pub observed_at: DateTime<Utc>,
}

impl Branch {
    /// The same as a fact for a PreviewEnvironment. A branch that the forge describes exists, so it is open.
    pub fn to_source(&self, forge: ForgeKind) -> api::Source {
        api::Source {
            forge,
            repository_id: self.repository_id,
            repository: self.repository.as_str().to_owned(),
            pull: None,
            branch: Some(self.name.clone()),
            state: SourceState::Open,
            revision: self.revision.as_str().to_owned(),
            observed_at: self.observed_at,
            active_at: None,
            head_branch: None,
            head_repository_id: None,
            base_branch: None,
            author: None,
            sender: None,
            draft: false,
            bot: false,
            labels: Vec::new(),
        }
    }
}

/// One comment of ours.
#[derive(Clone, Debug, PartialEq)]
pub struct Comment {
    /// Its number.
    pub id: i64,
    /// Its text.
    pub body: String,
}

/// Whether trying again can help.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Class {
    /// It can.
    Transient,
    /// It cannot, until a person changes something.
    Terminal,
}

/// What a forge answers where it does not answer what was asked. Texts hold no token and no body.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ForgeError {
    /// There is no such thing, or our token may not see it.
    #[error("cannot find {0}: the forge answers 404")]
    NotFound(String),
    /// The name means another repository now, so nothing is asked or written there.
    #[error("{0} is another repository now than the one that this is about")]
    Another(String),
    /// The forge has no such thing.
    #[error("the forge has no {0}")]
    Unsupported(&'static str),
    /// Our token is wrong or may not do this.
    #[error("cannot {what}: the forge refuses it with {status}: {message}")]
    Refused {
        /// What we asked for.
        what: String,
        /// The HTTP status.
        status: u16,
        /// The forge's own sentence.
        message: String,
    },
    /// Too many requests; not before so many seconds.
    ///
    /// The sentence does not say how many: it stands in conditions, and another number each time would be a write each time.
    #[error("cannot {what}: the forge asks to wait")]
    RateLimited {
        /// What we asked for.
        what: String,
        /// How long to wait.
        seconds: u64,
    },
    /// Whatever it is about had its share of what the forge takes; not before so many seconds. Others may go on.
    #[error("cannot {what}: it had its share of what the forge takes in an hour")]
    HadItsShare {
        /// What we asked for.
        what: String,
        /// How long to wait.
        seconds: u64,
    },
    /// No answer, or a failure of the forge's own.
    #[error("cannot {what}: {why}")]
    Unavailable {
        /// What we asked for.
        what: String,
        /// What went wrong.
        why: String,
    },
    /// An answer that we do not understand.
    #[error("cannot read the forge's answer to {what}: {why}")]
    Unreadable {
        /// What we asked for.
        what: String,
        /// What is wrong with it.
        why: String,
    },
}

impl ForgeError {
    /// One word for metrics.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "not_found",
            Self::Another(_) => "another",
            Self::Unsupported(_) => "unsupported",
            Self::Refused { .. } => "refused",
            Self::RateLimited { .. } | Self::HadItsShare { .. } => "rate_limited",
            Self::Unavailable { .. } => "unavailable",
            Self::Unreadable { .. } => "unreadable",
        }
    }

    /// Whether it is who we are that is refused, and not what we asked for: a token that has expired, a key that was deleted ("Bad
    /// credentials"), an installation that is suspended.
    pub fn is_of_identity(&self) -> bool {
        match self {
            Self::Refused { status, message, .. } => *status == 401 || (*status == 403 && message.contains("suspended")),
            _ => false,
        }
    }

    /// Whether trying again can help.
    pub fn class(&self) -> Class {
        match self {
            Self::NotFound(_) | Self::Another(_) | Self::Unsupported(_) | Self::Refused { .. } => Class::Terminal,
            // A forge that answers nonsense comes to its senses.
            Self::RateLimited { .. } | Self::HadItsShare { .. } | Self::Unavailable { .. } | Self::Unreadable { .. } => Class::Transient,
        }
    }

    /// How long to wait, where nothing was done since it is not its turn.
    pub const fn wait(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { seconds, .. } | Self::HadItsShare { seconds, .. } => Some(Duration::from_secs(*seconds)),
            _ => None,
        }
    }
}

/// What an answer is, once it comes.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, ForgeError>>;

fn unsupported<T: Send + 'static>(what: &'static str) -> Answer<'static, T> {
    futures::future::ready(Err(ForgeError::Unsupported(what))).boxed()
}

/// Which of our writes a forge counts together where it limits them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Counted {
    /// All of them.
    #[default]
    Together,
    /// Those to the repositories of one owner.
    ByOwner,
}

/// Everything that a forge is asked for: what is there, who may do what, and one comment on a pull request. What a forge
/// has not stays as it is here; nothing is taken for granted then.
pub trait Forge: Send + Sync {
    /// One repository.
    fn repository<'a>(&'a self, _repository: &'a RepoName) -> Answer<'a, RepositoryFacts> {
        unsupported("repository")
    }
    /// Whether we may still see the repository of that number, which was called that. Only a forge that can tell "not any
    /// more" from "not now" says Revoked, and never by the name alone, which somebody else may have by now; whatever else goes
    /// wrong is an error.
    fn access<'a>(&'a self, _id: i64, _name: &'a RepoName) -> Answer<'a, Access> {
        futures::future::ready(Ok(Access::Granted(None))).boxed()
    }
    /// One pull request.
    fn pull_request<'a>(&'a self, repository: &'a RepoName, number: i64) -> Answer<'a, PullRequest>;
    /// All open pull requests, unless nothing changed since the answer that `known` came with.
    fn open_pulls<'a>(&'a self, _repository: &'a RepoName, _known: Option<&'a Validator>) -> Answer<'a, Listing<PullRequest>> {
        unsupported("open pulls")
    }
    /// The files that a pull request changes.
    fn changed_files<'a>(&'a self, repository: &'a RepoName, number: i64) -> Answer<'a, ChangedFiles>;
    /// One branch.
    fn branch<'a>(&'a self, repository: &'a RepoName, name: &'a str) -> Answer<'a, Branch>;
    /// All branches, unless nothing changed since.
    fn branches<'a>(&'a self, _repository: &'a RepoName, _known: Option<&'a Validator>) -> Answer<'a, Listing<Branch>> {
        unsupported("branches")
    }
    /// What people wrote on pull requests since a moment, oldest first, unless nothing changed since `known`.
    fn comments_since<'a>(
        &'a self,
        _repository: &'a RepoName,
        _since: DateTime<Utc>,
        _known: Option<&'a Validator>,
    ) -> Answer<'a, Listing<PostedComment>> {
        unsupported("comments since")
    }
    /// One comment on a pull request of the repository of that number, which is called that at this moment: whoever asks knows both.
    fn comment<'a>(&'a self, _repository: (i64, &'a RepoName), _id: i64) -> Answer<'a, PostedComment> {
        unsupported("single comments")
    }
    /// What an account may do in a repository at this moment. Somebody who does not exist may do nothing.
    fn permission<'a>(&'a self, _repository: &'a RepoName, _login: &'a str) -> Answer<'a, Permission> {
        unsupported("permission")
    }
    /// Login of the one who last gave the pull request that label, if it has it.
    fn labelled_by<'a>(&'a self, _repository: &'a RepoName, _number: i64, _label: &'a str) -> Answer<'a, Option<String>> {
        unsupported("labelled by")
    }

    /// The comments that our own login wrote and that contain one of the markers, the oldest first. What was written after one with
    /// the first marker may be left out.
    fn find_comments<'a>(&'a self, repository: &'a RepoName, pull: i64, markers: &'a [&'a str]) -> Answer<'a, Vec<Comment>>;
    /// When the pull request was last closed or reopened.
    fn closed_or_reopened_at<'a>(&'a self, _repository: &'a RepoName, _number: i64) -> Answer<'a, Turns> {
        unsupported("ends of pull requests")
    }
    /// Writes a comment and gives its number. Never tried twice by itself: after an unclear failure look for the
    /// marker before calling again.
    fn create_comment<'a>(&'a self, repository: &'a RepoName, pull: i64, body: &'a str) -> Answer<'a, i64>;
    /// Replaces the text of our comment. [`ForgeError::NotFound`] where somebody deleted it.
    fn edit_comment<'a>(&'a self, repository: &'a RepoName, id: i64, body: &'a str) -> Answer<'a, ()>;
    /// Answers somebody's comment with a sign. Doing it twice is doing it once.
    fn react<'a>(&'a self, _repository: &'a RepoName, _comment: i64, _reaction: Reaction) -> Answer<'a, ()> {
        unsupported("react")
    }
    /// Whether somebody's comment carries a sign of ours that what it asks for is done or refused.
    fn is_answered<'a>(&'a self, _repository: &'a RepoName, _comment: i64) -> Answer<'a, bool> {
        unsupported("signs on comments")
    }

    /// Which of our writes it counts together.
    fn counted(&self) -> Counted {
        Counted::Together
    }

    /// The same forge for what is written about one pull request. Where writes are limited, pull requests take turns, and all
    /// that is written about one of them has one place in the line. None where nothing is limited.
    fn about(&self, _repository_id: i64, _pull: i64) -> Option<Box<dyn Forge>> {
        None
    }

    /// The time by the forge's own clock, as far as its answers told it; by ours of a forge that tells none. What the forge says
    /// of times is compared with this and not with our own.
    fn time(&self) -> DateTime<Utc> {
        Utc::now()
    }

    /// Deployments, where the forge has such a thing.
    fn deployments(&self) -> Option<&dyn Deployments> {
        None
    }

    /// Checks, where the forge has such a thing.
    fn checks(&self) -> Option<&dyn Checks> {
        None
    }

    /// The forge's own record of what it could not deliver, where it keeps one.
    fn deliveries(&self) -> Option<&dyn Deliveries> {
        None
    }
}

/// What runs where, as a forge lists it.
pub trait Deployments: Send + Sync {
    /// Makes one of a commit in an environment, and gives its number. The forge merges nothing and waits for no check.
    fn create<'a>(&'a self, repository: &'a RepoName, new: &'a NewDeployment) -> Answer<'a, i64>;
    /// The numbers of those like it, of the same commit in the same environment and with the same description, newest first.
    fn list<'a>(&'a self, repository: &'a RepoName, new: &'a NewDeployment) -> Answer<'a, Vec<i64>>;
    /// Says how one is.
    fn set_state<'a>(&'a self, repository: &'a RepoName, id: i64, state: &'a DeploymentUpdate) -> Answer<'a, ()>;
    /// Deletes an inactive one. [`ForgeError::NotFound`] where it is gone, and also where we may not see it any more.
    fn delete<'a>(&'a self, repository: &'a RepoName, id: i64) -> Answer<'a, ()>;
}

/// What a forge shows beside a commit.
pub trait Checks: Send + Sync {
    /// Writes a new one and gives its number, if it has one.
    fn create<'a>(&'a self, repository: &'a RepoName, check: &'a Check) -> Answer<'a, Option<i64>>;
    /// Our check of the same name at the same commit that is about the same pull request, if there is one.
    fn find<'a>(&'a self, repository: &'a RepoName, check: &'a Check) -> Answer<'a, Option<i64>>;
    /// The same where it has not ended.
    fn unfinished<'a>(&'a self, repository: &'a RepoName, check: &'a Check) -> Answer<'a, Option<i64>>;
    /// Changes it.
    fn update<'a>(&'a self, repository: &'a RepoName, id: i64, check: &'a Check) -> Answer<'a, ()>;
}

/// A forge's own record of what it could not deliver.
pub trait Deliveries: Send + Sync {
    /// What failed since, from the newest on or from where an earlier part ended. A long record is read part by part.
    fn failed_since<'a>(&'a self, since: DateTime<Utc>, from: Option<&'a Cursor>) -> Answer<'a, FailedDeliveries>;
    /// Asks the forge to send one of them again.
    fn redeliver(&self, delivery: i64) -> Answer<'_, ()>;
}
