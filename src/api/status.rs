//! What the service derived and did. Never read as a fact about the forge; the inventory is what we applied.

mod forge;
mod lifetime;

use chrono::{DateTime, Utc};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::conditions::Condition;
use super::gaps::{Missing, PlanSummary};

pub use forge::{
    ANYBODYS_KEPT, Begun, CheckStatus, CommandOutcome, CommandResult, DeploymentStatus, Feedback, LabelAnswer, Lookup, PathsAnswer,
    ProbeStatus, RESULTS_KEPT, Refusal, Right, Shown, Sought, Surface, Trusted,
};
pub use lifetime::{Lapse, Lapsed, Queue};

/// Status of a PreviewEnvironment.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PreviewEnvironmentStatus {
    /// The generation of the spec that this speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// In one word, for people. Nothing decides by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// The columns of `kubectl get`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<Summary>,
    /// The commit whose images were applied last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The last commit that was ready: while an update is on its way, what the URLs still serve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_revision: Option<String>,
    /// The namespace that was chosen. Recorded before it is made, and never changed while it exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Where the environment is reached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub urls: Vec<Url>,
    /// The workloads and how each is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub services: Vec<ServiceStatus>,
    /// The images that run instead of the baseline's, as their registries know them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub images: Vec<ImageStatus>,
    /// The Baseline's hooks, each with its last Job.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub hooks: Vec<HookStatus>,
    /// What else moved with the last push.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved: Option<Moved>,
    /// What of the baseline is not in the environment, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub left_out: Vec<LeftOut>,
    /// What the last plan came to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanSummary>,
    /// What the environment needs and does not have, at most 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub missing: Vec<Missing>,
    /// Every object that was, or is about to be, applied: what pruning goes by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub inventory: Vec<InventoryEntry>,
    /// Digest of everything that the last complete apply followed from; while it stays, nothing is planned again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_digest: Option<String>,
    /// How many objects of the baseline are new, different or gone since they were cloned here. Secrets, which nobody
    /// watches, do not count.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub behind: i32,
    /// The last wish for a refresh that was carried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refreshed_at: Option<DateTime<Utc>>,
    /// When the environment is taken down unless something happens before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<DateTime<Utc>>,
    /// When what is there was begun: what `lifetime.max` counts from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<DateTime<Utc>>,
    /// Its place among those that wait until there is room for them; absent where it does not wait for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<Queue>,
    /// That it ended because nobody used it. Something newer, or a wish, takes this away and brings it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lapsed: Option<Lapsed>,
    /// When its pull request or branch ended last. Wishes of before do not count any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<DateTime<Utc>>,
    /// Whether its pin holds; absent where nobody asked for one. It does not while as many others are pinned as
    /// `limits.pinned` allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned: Option<bool>,
    /// When the last apply that changed something was complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied_at: Option<DateTime<Utc>>,
    /// By what right what is there was made; absent where nothing is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trusted: Option<Trusted>,
    /// What is known of the forge's answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lookup: Option<Lookup>,
    /// What came of the last commands, the newest last: at most 20 of those who may command, and 5 of anybody else.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub commands: Vec<CommandResult>,
    /// Whether the environment answers where people open it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<ProbeStatus>,
    /// What the pull request shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feedback: Option<Feedback>,
    /// `Wanted`, `Approved`, `ImagesAvailable`, `Progressing`, `Ready`, `Stalled`, `HooksSucceeded`, `LookedUp`,
    /// `FeedbackDelivered` and, where something takes objects away again and again, `Warning`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

impl PreviewEnvironmentStatus {
    /// Its place in the queue, while that is what it waits for. The place is kept while nothing can be decided.
    pub fn shown_queue(&self) -> Option<&Queue> {
        self.queue.as_ref().filter(|_| self.phase.as_deref() == Some("Queued"))
    }
}

/// What `kubectl get` shows.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// `acme/web#42` or `acme/web@login`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The revision that is wanted, shortened to seven characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The first URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// One address of an environment.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Url {
    /// The host name.
    pub host: String,
    /// The whole URL.
    pub url: String,
}

/// One workload of an environment.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceStatus {
    /// `Deployment`, `StatefulSet`, `DaemonSet` or `Job`.
    pub kind: String,
    /// The workload's name.
    pub name: String,
    /// The image of its first container, or of the one that the branch builds.
    #[serde(default)]
    pub image: String,
    /// Where that image comes from.
    pub from: ImageOrigin,
    /// Whether it is up to date and ready.
    pub ready: bool,
    /// Why not, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The last lines that it logged, where it does not start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// The image that is not there yet. Until it is, the workload stays as it is: not made, or as it was before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
}

/// What moved with a push although the branch does not build it: the baseline moved on meanwhile.
#[derive(Clone, Debug, Default, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Moved {
    /// The commit that was pushed.
    pub revision: String,
    /// The workloads that run another image since, at most 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub services: Vec<String>,
}

/// An image that is to run instead of the baseline's, as its registry knows it.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageStatus {
    /// Its repository, as the Baseline or the environment spells it.
    pub name: String,
    /// The tag.
    pub tag: String,
    /// The commit that it is to be built from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// What the registry says.
    pub state: ImageState,
    /// Why, as one word: the reason of the condition `ImagesAvailable`.
    pub reason: String,
    /// Why, as a sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// What the tag pointed to when it was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Since when it is so; of a missing image, when it was first missed.
    pub since: DateTime<Utc>,
    /// Until when a missing image is waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
}

/// What a registry says of an image.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum ImageState {
    /// It is being asked.
    Looking,
    /// It has it.
    Available,
    /// It does not have it yet.
    Missing,
    /// Nobody can say.
    Unknown,
    /// The change touches nothing that it is built from, so the baseline's image runs.
    Unchanged,
}

/// How the last Job of a hook is.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HookStatus {
    /// The hook.
    pub name: String,
    /// The Job's name.
    pub job: String,
    /// How far it came.
    pub state: HookState,
    /// Why it failed, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The last lines that a failed one logged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
}

/// How far a hook came.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum HookState {
    /// Its time has not come yet.
    Waiting,
    /// Its Job runs, or is about to.
    Running,
    /// Its Job is complete.
    Succeeded,
    /// Its Job failed for good.
    Failed,
    /// There is nothing for it to do: the environment is new, and the hook is for updates.
    NotNeeded,
}

/// Where an image comes from.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum ImageOrigin {
    /// Built from the pull request or branch.
    Branch,
    /// As the baseline runs it.
    Baseline,
    /// Asked for by a person.
    Override,
}

/// An object of the baseline that the environment does not have.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LeftOut {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Why, as a sentence.
    pub why: String,
}

/// An object that we applied.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InventoryEntry {
    /// Its API version.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Hash of it as we applied it; absent until the apply was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// Hash of the baseline's object that it was made from; absent where there is none that is watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(count: &i32) -> bool {
    *count == 0
}
