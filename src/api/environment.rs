//! `PreviewEnvironment`: facts and wishes in spec, each part written by its own field manager.

mod command;

use chrono::{DateTime, Utc};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::baseline::ForgeKind;
use super::status::PreviewEnvironmentStatus;

pub use command::{Activity, Approval, BUTTON, CHANGED_COMMAND, Command, OLDER_ACTIVITY, Verb};

/// The message of the rule that refuses an older fact; the webhook server knows a late delivery by it.
pub const OLDER_FACT: &str = "sources[].observedAt: older than the fact that is recorded";

/// Facts that the forge stated and wishes that people stated. What follows from them is in status.
#[derive(Clone, CustomResource, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[kube(
    group = "preview-env.dev",
    version = "v1alpha1",
    kind = "PreviewEnvironment",
    plural = "previewenvironments",
    shortname = "penv",
    category = "preview-env",
    namespaced,
    status = "PreviewEnvironmentStatus",
    derive = "PartialEq",
    doc = "A working copy of a Baseline's namespace for one pull request or branch.",
    printcolumn = r#"{"name":"Source","type":"string","jsonPath":".status.summary.source"}"#,
    printcolumn = r#"{"name":"Revision","type":"string","jsonPath":".status.summary.revision"}"#,
    printcolumn = r#"{"name":"Phase","type":"string","jsonPath":".status.phase"}"#,
    printcolumn = r#"{"name":"URL","type":"string","jsonPath":".status.summary.url"}"#,
    printcolumn = r#"{"name":"Expires","type":"string","jsonPath":".status.expiresAt"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct PreviewEnvironmentSpec {
    /// Name of the Baseline in this namespace. Never changes.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("baseline: cannot be changed; delete the environment and create another"))]
    pub baseline: String,
    /// What the forge said of each pull request or branch that this environment is for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["forge".into(), "repositoryId".into()]))]
    pub sources: Vec<Source>,
    /// What people asked for in comments and by buttons, until it is done. Results are in status.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["id".into()]))]
    pub commands: Vec<Command>,
    /// What a person last asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wish: Option<Wish>,
    /// The last time that a person did something about it on the forge, beside what sources and wishes say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activity: Option<Activity>,
    /// The commit of a fork that may run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
    /// When a person last asked for the environment to be brought up to its baseline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh: Option<Refresh>,
    /// How long this one lives, where it differs from the Baseline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<EnvironmentLifetime>,
    /// Images that run here instead of what the Baseline's rules give.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub images: Vec<ImageOverride>,
}

impl PreviewEnvironment {
    /// Whether one of its pull requests or branches is open.
    pub fn has_open_source(&self) -> bool {
        self.spec.sources.iter().any(|source| source.state == SourceState::Open)
    }

    /// Whether it holds commands and nothing else: nobody told of its pull request and nobody asked for an environment, so it is
    /// none. It is there until its commands are answered.
    pub fn holds_only_commands(&self) -> bool {
        let spec = &self.spec;
        let is_told_of = !spec.sources.is_empty() || spec.wish.is_some() || spec.approval.is_some() || spec.activity.is_some();
        let is_changed = !spec.images.is_empty() || spec.refresh.is_some() || spec.lifetime.is_some();
        !spec.commands.is_empty() && !is_told_of && !is_changed
    }

    /// The last wish, unless the pull request or branch has ended since.
    pub fn standing_wish(&self) -> Option<&Wish> {
        let ended_at = self.status.as_ref().and_then(|status| status.ended_at);
        self.spec.wish.as_ref().filter(|wish| ended_at.is_none_or(|ended| wish.at > ended))
    }
}

/// One fact of the forge. Written by the webhook server or by a look-up, under a manager per forge and repository.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.pull) != has(self.branch)").message("sources[]: give either pull or branch"),
    validation = Rule::new("self.observedAt > oldSelf.observedAt || (self.observedAt == oldSelf.observedAt && (self.state != 'Open' || oldSelf.state == 'Open'))")
        .message(OLDER_FACT)
)]
pub struct Source {
    /// The forge that said it.
    pub forge: ForgeKind,
    /// The repository's number, which stays through renames and transfers.
    #[schemars(range(min = 1))]
    pub repository_id: i64,
    /// `owner/name`, for display.
    #[schemars(length(max = 140))]
    pub repository: String,
    /// Number of the pull request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub pull: Option<i64>,
    /// Name of the branch, where the environment is for a branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub branch: Option<String>,
    /// What became of it.
    pub state: SourceState,
    /// Commit at the head, as a full hexadecimal object name.
    #[schemars(regex(pattern = r"^[0-9a-f]{40}([0-9a-f]{24})?$"), length(max = 64))]
    pub revision: String,
    /// When the forge stated it: the pull request's own time of change, to the second. Never goes back.
    pub observed_at: DateTime<Utc>,
    /// When somebody last did something about it that keeps an environment alive: opened, closed or reopened it, pushed, or made it
    /// ready for review. Absent where that is what the forge stated at `observedAt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_at: Option<DateTime<Utc>>,
    /// Branch that the pull request comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub head_branch: Option<String>,
    /// Number of the repository that the pull request comes from; absent where that one was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_repository_id: Option<i64>,
    /// Branch that the pull request wants to be merged into.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub base_branch: Option<String>,
    /// Login of the one who opened the pull request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100))]
    pub author: Option<String>,
    /// Login of the one who caused the last event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100))]
    pub sender: Option<String>,
    /// Whether the pull request is a draft.
    #[serde(default)]
    pub draft: bool,
    /// Whether a bot opened the pull request.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bot: bool,
    /// The pull request's labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), inner(length(max = 50)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub labels: Vec<String>,
}

impl Source {
    /// When somebody last did something about it that keeps an environment alive.
    pub fn active_at(&self) -> DateTime<Utc> {
        self.active_at.map_or(self.observed_at, |at| at.min(self.observed_at))
    }

    /// Whether it is a pull request from another repository, or from one that is gone, as spec says. The forge is asked whether
    /// that is so beside the apply, which does not wait: a delivery is believed for the seconds until it answers, and what hid
    /// that it is foreign is taken down then.
    pub fn is_foreign(&self) -> bool {
        self.pull.is_some() && self.head_repository_id != Some(self.repository_id)
    }
}

/// What became of a pull request or branch.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum SourceState {
    /// It is open, or the branch exists.
    Open,
    /// It was closed without a merge.
    Closed,
    /// It was merged.
    Merged,
    /// The forge knows no such pull request or branch any more.
    Gone,
}

/// What a person asked for by the command line.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.at >= oldSelf.at").message("wish.at: older than the wish that is recorded"))]
pub struct Wish {
    /// Whether the environment is to exist.
    pub state: WishState,
    /// Who asked, as the cluster knows them.
    #[schemars(length(max = 253))]
    pub actor: String,
    /// When they asked.
    pub at: DateTime<Utc>,
    /// The pull request or branch that is asked for. The service looks it up; nothing else is believed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
}

/// A wish for the environment to be brought up to its baseline now.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.at >= oldSelf.at").message("refresh.at: older than the wish that is recorded"))]
pub struct Refresh {
    /// When they asked.
    pub at: DateTime<Utc>,
    /// Who asked, as the cluster knows them.
    #[schemars(length(max = 253))]
    pub actor: String,
    /// Whether volumes are emptied, and all hooks run again.
    #[serde(default)]
    pub reset: bool,
}

/// What a wish can ask for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum WishState {
    /// The environment is to exist.
    Present,
    /// The environment is to be gone.
    Absent,
}

/// A pull request or branch by name.
#[derive(Clone, Debug, Deserialize, Eq, Hash, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.pull) != has(self.branch)").message("wish.target: give either pull or branch"))]
pub struct Target {
    /// The forge.
    #[serde(default)]
    pub forge: ForgeKind,
    /// `owner/name`, as the Baseline spells it.
    #[schemars(length(min = 3, max = 140))]
    pub repository: String,
    /// Number of the pull request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub pull: Option<i64>,
    /// Name of the branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub branch: Option<String>,
}

/// How long one environment lives.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EnvironmentLifetime {
    /// Instead of the Baseline's `lifetime.ttl`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^([0-9]{1,6}(s|m|h|d|w))+$"), length(max = 40))]
    pub ttl: Option<String>,
    /// It lives at least until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extended_until: Option<DateTime<Utc>>,
    /// Whether it lives until it is closed or deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned: Option<bool>,
}

/// One image that runs instead of what the rules give.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageOverride {
    /// The image's repository as it stands in the baseline.
    #[schemars(length(min = 1, max = 255))]
    pub name: String,
    /// The tag to run.
    #[schemars(regex(pattern = r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$"), length(max = 128))]
    pub tag: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// While one version takes the place of another, both read what either of them wrote.
    #[test]
    fn what_a_newer_replica_wrote_is_read() {
        let source = json!({"forge": "github", "repositoryId": 7, "repository": "acme/web", "pull": 42, "state": "Open",
            "revision": "a".repeat(40), "observedAt": "2026-01-02T03:04:05Z", "newer": 1});
        let command = json!({"id": "1.1", "verb": "Status", "args": [], "actor": "ann", "at": "2026-01-02T03:04:05Z", "forge": "github",
            "repositoryId": 7, "repository": "acme/web", "pull": 42, "newer": {}});
        let spec = json!({"baseline": "main", "sources": [source], "commands": [command], "newer": true,
            "wish": {"state": "Present", "actor": "ann", "at": "2026-01-02T03:04:05Z", "newer": []}});
        let spec: PreviewEnvironmentSpec = serde_json::from_value(spec).unwrap();
        assert_eq!((spec.sources.len(), spec.commands.len(), spec.wish.map(|wish| wish.state)), (1, 1, Some(WishState::Present)));
    }
}
