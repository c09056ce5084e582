//! What a forge tells us of its own accord, in words that every forge shares.

use super::PullRequest;
use crate::api::baseline::ForgeKind;

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
    /// Something that no environment depends on.
    Ignored {
        /// Why it does not matter, as a sentence.
        why: String,
    },
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
}

impl PullAction {
    /// Every action.
    pub const ALL: [Self; 7] =
        [Self::Opened, Self::Reopened, Self::Synchronize, Self::Closed, Self::Edited, Self::ReadyForReview, Self::ConvertedToDraft];

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
