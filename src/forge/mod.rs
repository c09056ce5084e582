//! The port to a forge. Types of a forge's own library stop inside its module.

mod changes;
pub mod event;
pub mod github;

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;

use crate::api;
use crate::api::baseline::ForgeKind;
use crate::api::environment::SourceState;
use crate::domain::{RepoName, Revision};

pub use changes::ChangedFiles;

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
            head_branch: Some(self.head_branch.clone()),
            head_repository_id: self.head_repository_id,
            base_branch: Some(self.base_branch.clone()),
            author: Some(self.author.clone()),
            sender: sender.map(str::to_owned),
            draft: self.draft,
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
            head_branch: None,
            head_repository_id: None,
            base_branch: None,
            author: None,
            sender: None,
            draft: false,
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
    #[error("cannot {what}: the forge asks to wait {seconds} s")]
    RateLimited {
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
            Self::Refused { .. } => "refused",
            Self::RateLimited { .. } => "rate_limited",
            Self::Unavailable { .. } => "unavailable",
            Self::Unreadable { .. } => "unreadable",
        }
    }

    /// Whether trying again can help.
    pub fn class(&self) -> Class {
        match self {
            Self::NotFound(_) | Self::Refused { .. } | Self::Unreadable { .. } => Class::Terminal,
            Self::RateLimited { .. } | Self::Unavailable { .. } => Class::Transient,
        }
    }
}

/// What an answer is, once it comes.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, ForgeError>>;

/// Everything that we ask of a forge.
pub trait Forge: Send + Sync {
    /// One pull request.
    fn pull_request<'a>(&'a self, repository: &'a RepoName, number: i64) -> Answer<'a, PullRequest>;
    /// The files that a pull request changes.
    fn changed_files<'a>(&'a self, repository: &'a RepoName, number: i64) -> Answer<'a, ChangedFiles>;
    /// One branch.
    fn branch<'a>(&'a self, repository: &'a RepoName, name: &'a str) -> Answer<'a, Branch>;
    /// Our own comment that contains the marker: written by our own login, the oldest if there are several.
    fn find_comment<'a>(&'a self, repository: &'a RepoName, pull: i64, marker: &'a str) -> Answer<'a, Option<Comment>>;
    /// Writes a comment and gives its number. Never tried twice by itself: after an unclear failure look for the
    /// marker before calling again.
    fn create_comment<'a>(&'a self, repository: &'a RepoName, pull: i64, body: &'a str) -> Answer<'a, i64>;
    /// Replaces the text of our comment. [`ForgeError::NotFound`] where somebody deleted it.
    fn edit_comment<'a>(&'a self, repository: &'a RepoName, id: i64, body: &'a str) -> Answer<'a, ()>;
}
