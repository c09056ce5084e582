//! What people ask for on the forge.

use chrono::{DateTime, Utc};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ForgeKind;

/// What the id of a pressed button begins with.
pub const BUTTON: &str = "button.";
/// What the API server says of a command that is recorded already with something else in it.
pub const CHANGED_COMMAND: &str = "commands[]: a command is never changed";
/// What it says of activity where something later is recorded.
pub const OLDER_ACTIVITY: &str = "activity.at: older than what is recorded";

/// One command, from a line of a comment or from a button. Recorded before it is acknowledged, under a field manager of its
/// own, and never changed.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self == oldSelf").message(CHANGED_COMMAND))]
pub struct Command {
    /// `<the comment's number>.<its place in the comment>`, or `button.<digest of the press>`.
    #[schemars(length(min = 1, max = 80), regex(pattern = r"^[A-Za-z0-9.-]+$"))]
    pub id: String,
    /// What is asked for.
    pub verb: Verb,
    /// What follows the verb, at most eight words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(max = 255)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub args: Vec<String>,
    /// Login of the one who asked, as the forge signed it.
    #[schemars(length(min = 1, max = 100))]
    pub actor: String,
    /// When they asked, by the forge's clock; of a button, when it was heard of.
    pub at: DateTime<Utc>,
    /// The forge.
    pub forge: ForgeKind,
    /// The repository's number.
    #[schemars(range(min = 1))]
    pub repository_id: i64,
    /// The repository's name at that moment.
    #[schemars(length(max = 140))]
    pub repository: String,
    /// Number of the pull request.
    #[schemars(range(min = 1))]
    pub pull: i64,
    /// Number of the comment, where it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<i64>,
    /// When the environment was made that a pressed button was shown for. It counts for no other one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_at: Option<DateTime<Utc>>,
    /// The delivery that brought it first, for the log; absent where it was found by looking. The forge does not sign it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), regex(pattern = r"^[A-Za-z0-9-]+$"))]
    pub delivery: Option<String>,
}

/// What a command can ask for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Verb {
    /// Say how it is.
    Status,
    /// Make an environment.
    Create,
    /// Bring it up to its commit and its baseline.
    Update,
    /// Take it down.
    Delete,
    /// Keep it longer.
    Extend,
    /// Keep it until the pull request is closed.
    Pin,
    /// Take the pin away.
    Unpin,
    /// Show what a service logged last.
    Logs,
    /// Let one commit of a fork run.
    Approve,
    /// Bring it up to its baseline.
    Refresh,
    /// Run another tag of an image.
    Image,
    /// Say what can be asked for.
    Help,
    /// Something that is none of these; the word is the first of `args`.
    Unknown,
}

impl Verb {
    /// Whether anybody who reads the pull request may ask for it, since it changes nothing.
    pub const fn is_anybodys(self) -> bool {
        matches!(self, Self::Status | Self::Help | Self::Unknown)
    }

    /// Whether it changes something.
    pub const fn changes(self) -> bool {
        !self.is_anybodys() && !matches!(self, Self::Logs)
    }

    /// One word for metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Extend => "extend",
            Self::Pin => "pin",
            Self::Unpin => "unpin",
            Self::Logs => "logs",
            Self::Approve => "approve",
            Self::Refresh => "refresh",
            Self::Image => "image",
            Self::Help => "help",
            Self::Unknown => "unknown",
        }
    }
}

/// The last time that a person did something.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.at >= oldSelf.at").message(OLDER_ACTIVITY))]
pub struct Activity {
    /// When.
    pub at: DateTime<Utc>,
    /// Who.
    #[schemars(length(max = 253))]
    pub by: String,
}

/// One commit that may run although it comes from a fork.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Approval {
    /// The commit.
    #[schemars(regex(pattern = r"^[0-9a-f]{40}([0-9a-f]{24})?$"), length(max = 64))]
    pub revision: String,
    /// Who approved it.
    #[schemars(length(max = 253))]
    pub actor: String,
    /// When.
    pub at: DateTime<Utc>,
}
