//! Which changes get an environment, whose changes may run, and what the forge shows of it.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which pull requests and branches get an environment.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Trigger {
    /// Which pull requests.
    #[serde(default)]
    pub pull_requests: PullRequests,
    /// The label that asks for one, where `pullRequests` is `Labelled`.
    #[serde(default = "default_label")]
    #[schemars(length(min = 1, max = 50))]
    pub label: String,
    /// Branches that get one with a push, without a pull request: patterns such as `feature/**`, in which `*` stands for
    /// any part of a name between slashes. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), inner(length(min = 1, max = 200)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub branches: Vec<String>,
    /// Only pull requests into these branches: patterns as in `branches`. Default: into any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), inner(length(min = 1, max = 200)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub base_branches: Vec<String>,
    /// Only pull requests that change one of these files: patterns such as `services/web/**`. Default: any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), inner(length(min = 1, max = 200)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub paths: Vec<String>,
    /// Whether draft pull requests get one too.
    #[serde(default)]
    pub drafts: bool,
    /// Whether pull requests that a bot opened get one too.
    #[serde(default)]
    pub bots: bool,
}

impl Default for Trigger {
    fn default() -> Self {
        Self {
            pull_requests: PullRequests::default(),
            label: default_label(),
            branches: Vec::new(),
            base_branches: Vec::new(),
            paths: Vec::new(),
            drafts: false,
            bots: false,
        }
    }
}

fn default_label() -> String {
    "preview".to_owned()
}

/// Which pull requests get an environment by themselves. A wish or a command gets one in any case.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum PullRequests {
    /// All that were opened or pushed to after the Baseline was made.
    #[default]
    All,
    /// Those with the label, set by somebody who may approve.
    Labelled,
    /// Those for which somebody comments `/preview create`.
    OnCommand,
    /// None.
    None,
}

/// Whose changes may run.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Trust {
    /// What becomes of pull requests from forks.
    #[serde(default)]
    pub forks: Forks,
    /// What somebody needs on the repository to approve, to label, and to command.
    #[serde(default)]
    pub approvers: Approvers,
}

/// What becomes of a pull request that comes from a fork.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum Forks {
    /// Nothing of it runs.
    Deny,
    /// One commit runs after somebody approved that very commit.
    #[default]
    Approve,
    /// It runs without the Secrets of `clone.secrets`, without a way out but DNS, and within a smaller quota.
    Isolated,
}

/// What somebody needs on the repository.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Approvers {
    /// Write access.
    #[default]
    Write,
    /// The role `maintain`.
    Maintain,
    /// The role `admin`.
    Admin,
}

/// What the forge shows.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FeedbackRules {
    /// Whether the pull request gets a comment.
    #[serde(default)]
    pub comment: CommentRule,
    /// Whether the comment holds the last lines that a failing service logged. Whoever may read the pull request may read
    /// them.
    #[serde(default)]
    pub logs: LogRule,
    /// Whether each commit gets a deployment, as the forge calls what runs where.
    #[serde(default = "yes")]
    pub deployment: bool,
    /// Whether each commit gets a check.
    #[serde(default = "yes")]
    pub check_run: bool,
}

impl Default for FeedbackRules {
    fn default() -> Self {
        Self { comment: CommentRule::default(), logs: LogRule::default(), deployment: true, check_run: true }
    }
}

fn yes() -> bool {
    true
}

/// When a pull request gets a comment.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum CommentRule {
    /// As soon as there is something to say.
    #[default]
    Always,
    /// Once an environment is being made for it.
    OnDeploy,
    /// Never. Commands are answered by reactions alone.
    Never,
}

/// Where the comment shows what services logged.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum LogRule {
    /// In private repositories.
    #[default]
    PrivateRepositories,
    /// Everywhere.
    Always,
    /// Nowhere.
    Never,
}

/// How it is found out that an environment answers.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Probe {
    /// The path that is asked for. Default: `/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 500), regex(pattern = r"^/[!-~]*$"))]
    pub path: Option<String>,
    /// The HTTP status that it answers when it works. Default: any from 200 to 399, and 401 and 403, which ask for a login.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 100, max = 599))]
    pub status: Option<i32>,
}
