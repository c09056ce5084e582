//! What a forge tells us of its own accord, in words that every forge shares.

use chrono::{DateTime, Utc};

use super::{Branch, CheckAction, PostedComment, PullRequest};
use crate::api::baseline::ForgeKind;
use crate::domain::{Instance, RepoName, Revision};

/// One delivery, understood.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The forge asks whether we are here.
    Ping,
    /// A pull request changed.
    PullRequest {
        /// The forge that says so.
        forge: ForgeKind,
        /// What changed.
        action: PullAction,
        /// The pull request after the change.
        pull: Box<PullRequest>,
        /// Login of the one who caused it.
        sender: String,
    },
    /// A branch was made, pushed to or deleted.
    Branch {
        /// The forge that says so.
        forge: ForgeKind,
        /// The branch after the change; of a deleted one, as it was before.
        branch: Box<Branch>,
        /// Whether it is still there.
        exists: bool,
        /// Login of the one who caused it.
        sender: String,
    },
    /// Somebody wrote a comment on a pull request.
    Comment {
        /// The forge that says so.
        forge: ForgeKind,
        /// The comment.
        comment: Box<PostedComment>,
    },
    /// Somebody pressed a button beside a check of ours.
    Button {
        /// The forge that says so.
        forge: ForgeKind,
        /// What was pressed.
        press: Box<Press>,
    },
    /// Somebody asked for all our checks of a commit once more.
    Again {
        /// The forge that says so.
        forge: ForgeKind,
        /// What was asked for.
        again: Box<Again>,
    },
    /// Repositories are out of our sight: the app was uninstalled, or they were deleted.
    Gone {
        /// The forge that says so.
        forge: ForgeKind,
        /// Their numbers.
        repositories: Vec<i64>,
        /// Whether that cannot be undone. What can may have been by the time that we hear of it, so the forge is asked.
        for_good: bool,
        /// What happened, as a sentence.
        why: String,
    },
    /// Something that no environment depends on.
    Ignored {
        /// Why it does not matter, as a sentence.
        why: String,
    },
}

/// A pressed button.
#[derive(Clone, Debug, PartialEq)]
pub struct Press {
    /// The same for each delivery of the same press.
    pub id: String,
    /// Which button.
    pub action: CheckAction,
    /// The repository's number.
    pub repository_id: i64,
    /// The repository's name at this moment.
    pub repository: RepoName,
    /// The pull request that the check belongs to.
    pub pull: i64,
    /// What the check is called, which says whose environment it is of.
    pub check: String,
    /// The name of the service that signed the check; absent where it is not signed.
    pub by: Option<String>,
    /// Login of the one who pressed it.
    pub sender: String,
    /// When the environment was made that the check showed, to the second; absent where the check does not tell.
    pub made_at: Option<DateTime<Utc>>,
    /// When the press was heard of, by the forge's clock. No forge that we know tells when a button was pressed: GitHub's payload
    /// holds times of the check, of its suite and of the repository, and a delivery that is sent again holds the same. Nobody is
    /// the worse for it: what is pressed counts from no earlier than it was, and never for an environment that was made anew
    /// since, since the press is of the one of `made_at`.
    pub at: DateTime<Utc>,
}

impl Press {
    /// Whether it is beside a check that another service under the same account signed.
    pub fn is_anothers(&self, own: Option<&Instance>) -> bool {
        self.by.as_deref().is_some_and(|by| own.is_none_or(|own| own.as_str() != by))
    }
}

/// All our checks of a commit, asked for once more: of whichever pull requests have it at their head.
#[derive(Clone, Debug, PartialEq)]
pub struct Again {
    /// The same for each delivery of the same wish.
    pub id: String,
    /// The repository's number.
    pub repository_id: i64,
    /// The repository's name at this moment.
    pub repository: RepoName,
    /// The commit.
    pub revision: Revision,
    /// Login of the one who asked.
    pub sender: String,
    /// When it was heard of, by the forge's clock, as of a [`Press`].
    pub at: DateTime<Utc>,
}

/// The changes of a pull request that matter to an environment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PullAction {
    /// It was opened.
    Opened,
    /// It was opened again after a close.
    Reopened,
    /// Its branch was pushed to.
    Synchronize,
    /// It was closed, merged or not.
    Closed,
    /// Its title, text or base changed.
    Edited,
    /// It is no draft any more.
    ReadyForReview,
    /// It became a draft.
    ConvertedToDraft,
    /// It got a label.
    Labeled,
    /// It lost a label.
    Unlabeled,
}

impl PullAction {
    /// Every action.
    pub const ALL: [Self; 9] = [
        Self::Opened,
        Self::Reopened,
        Self::Synchronize,
        Self::Closed,
        Self::Edited,
        Self::ReadyForReview,
        Self::ConvertedToDraft,
        Self::Labeled,
        Self::Unlabeled,
    ];

    /// As GitHub writes it, and as the log shows it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Reopened => "reopened",
            Self::Synchronize => "synchronize",
            Self::Closed => "closed",
            Self::Edited => "edited",
            Self::ReadyForReview => "ready_for_review",
            Self::ConvertedToDraft => "converted_to_draft",
            Self::Labeled => "labeled",
            Self::Unlabeled => "unlabeled",
        }
    }

    /// The action of that name, if it matters.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == name)
    }
}

/// The field of a delivery that cannot be read, and why.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("cannot read {field}: {why}")]
pub struct ParseError {
    /// Path of the field, such as `pull_request.head.sha`; `body` where it is not even JSON.
    pub field: String,
    /// What is wrong with it.
    pub why: String,
}
