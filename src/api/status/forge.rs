//! What the forge answered, what came of commands, and what the forge shows.

use chrono::{DateTime, Utc};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::environment::{Command, Verb};

/// Results that an environment keeps of the commands of those who may command.
pub const RESULTS_KEPT: usize = 20;
/// Results that it keeps of what anybody can write under a pull request. They have a place of their own, so that nobody takes
/// one from those who may.
pub const ANYBODYS_KEPT: usize = 5;

/// What is known of the forge's answers.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Lookup {
    /// When the forge was last asked about this environment, and answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<DateTime<Utc>>,
    /// Whether the change touches what `trigger.paths` names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paths: Option<PathsAnswer>,
    /// Whether the label counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<LabelAnswer>,
}

/// Whether a change touches what `trigger.paths` names.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PathsAnswer {
    /// Of that commit.
    pub revision: String,
    /// Into that branch.
    pub base_branch: String,
    /// Digest of the patterns that were asked about.
    pub patterns: String,
    /// Whether it does.
    pub touched: bool,
}

/// Whether the label that asks for an environment counts.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LabelAnswer {
    /// The label.
    pub label: String,
    /// Of the fact that the forge stated at that time: with a later one somebody else may have set it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_at: Option<DateTime<Utc>>,
    /// Who set it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// Whether they may.
    pub allowed: bool,
    /// Why not, as a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// By what right what is there was made.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Trusted {
    /// The right.
    pub right: Right,
    /// The last commit that was let run.
    pub revision: String,
}

/// Why something may run.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum Right {
    /// The change is in the repository itself.
    SameRepository,
    /// Somebody approved that commit of a fork.
    Approved,
    /// It comes from a fork and runs apart from everything.
    Isolated,
}

/// What came of a command.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CommandResult {
    /// The command's id.
    pub id: String,
    /// What was asked for.
    pub verb: Verb,
    /// What followed the verb.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Who asked.
    pub actor: String,
    /// When they asked.
    pub at: DateTime<Utc>,
    /// What came of it.
    pub outcome: CommandOutcome,
    /// Whether whoever asked may give every command.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_command: bool,
    /// Whether it is not shown in words: whoever asked may not command, and there were none to spare.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unsaid: bool,
    /// What it led to, or why it did not, as a sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Lines that were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
}

impl CommandResult {
    /// That of a command, with nothing said yet.
    pub fn of(command: &Command, outcome: CommandOutcome) -> Self {
        Self {
            id: command.id.clone(),
            verb: command.verb,
            args: command.args.clone(),
            actor: command.actor.clone(),
            at: command.at,
            outcome,
            may_command: false,
            unsaid: false,
            message: String::new(),
            output: None,
        }
    }

    /// Whether anybody who can comment can bring it about: it changed nothing, and nobody's rights stand behind it.
    pub fn is_anybodys(&self) -> bool {
        self.outcome == CommandOutcome::Denied || self.verb.is_anybodys()
    }

    /// Whether it is answered in words where nothing is said on the pull request yet: a stranger's command makes nobody post.
    /// What was written by a release before this one tells it by what came of it.
    pub fn gets_words(&self) -> bool {
        self.may_command || !self.is_anybodys()
    }
}

/// What came of a command.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum CommandOutcome {
    /// It is done.
    Done,
    /// Whoever asked may, and it makes no sense here.
    Refused,
    /// Whoever asked may not, or nobody can tell whether they may.
    Denied,
}

impl CommandOutcome {
    /// One word for metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Denied => "denied",
        }
    }
}

/// Whether the environment answers where people open it.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProbeStatus {
    /// The address that was asked.
    pub url: String,
    /// The commit that ran then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The HTTP status, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<i32>,
    /// Whether that is what a working environment answers.
    pub answered: bool,
    /// Why not, as a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// When it first answered, or was first asked in vain.
    pub since: DateTime<Utc>,
}

/// What the forge shows.
#[derive(Clone, Debug, Default, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Feedback {
    /// Number of our comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment_id: Option<i64>,
    /// The name of the service that it was seen to be signed with. Absent for one from before comments were signed, which another
    /// service under the same account may have taken over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment_by: Option<String>,
    /// Digest of its text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The commit that our comment speaks of, and since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shows: Option<Shown>,
    /// The deployments that the forge lists for this environment, the newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub deployments: Vec<DeploymentStatus>,
    /// The check of the newest commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<CheckStatus>,
    /// What the forge refuses to show.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub refused: Vec<Refusal>,
    /// For what the forge was asked at the end, since it may show what was never recorded here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sought: Option<Sought>,
    /// What was begun for a commit and is not recorded above yet: the forge may show something of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub begun: Vec<Begun>,
}

/// What a forge may show of a commit although nobody recorded that it does.
#[derive(Clone, Debug, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Begun {
    /// The commit.
    pub revision: String,
    /// What may be shown of it.
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub surfaces: Vec<Surface>,
    /// What its check is called, where that is not the usual name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// What was looked for on the forge at the end of an environment.
#[derive(Clone, Debug, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sought {
    /// The commit at the head then.
    pub revision: String,
    /// What was looked for.
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub surfaces: Vec<Surface>,
}

/// What a forge shows of an environment.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Surface {
    /// The comment.
    Comment,
    /// The check, or commit status.
    Check,
    /// The deployment.
    Deployment,
}

/// Something that the forge refuses to show.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// What.
    pub surface: Surface,
    /// Digest of what was to be shown.
    pub digest: String,
    /// The forge's answer, as a sentence.
    pub why: String,
    /// Whether who we are was refused, whatever was to be shown: another token or key mends that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub of_identity: bool,
}

/// A commit that our comment speaks of.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    /// The commit at the head of the pull request.
    pub revision: String,
    /// Since when the comment names it, by the forge's clock.
    pub since: DateTime<Utc>,
    /// When it was pushed: the time of the first fact that named it. Later facts carry later times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pushed_at: Option<DateTime<Utc>>,
}

/// A deployment, as the forge calls what runs where.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentStatus {
    /// Its number.
    pub id: i64,
    /// The commit.
    pub revision: String,
    /// Digest of the last state that was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// A check, or where the forge has none for us, a commit status.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckStatus {
    /// Its number; absent of a commit status, which has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// The commit.
    pub revision: String,
    /// What it is called, where another pull request with the same commit has the usual name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Digest of what it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Whether it ended. One that did not is ended when another commit takes its place.
    #[serde(default)]
    pub concluded: bool,
}
