//! `Baseline`: "this namespace is a baseline". One per namespace, in the namespace that it describes.

mod choices;
mod clone;
mod externals;
mod hooks;
mod images;
pub mod isolation;
mod lifetime;
mod overrides;
mod removals;
mod selection;
mod trigger;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::conditions::Condition;
use crate::api::gaps::{SecretNeeded, Unbacked};

pub use choices::{Autoscalers, CronJobs, Rbac, Replicas, Volumes};
pub use clone::{CloneRules, Rewrite, RewriteSecret, SecretRule};
pub use externals::{External, ExternalKind, Reach};
pub use hooks::{Hook, HookMoment, OnFailure};
pub use images::{Images, MissingImage};
pub use lifetime::{Evict, Follow, Lifetime, Limits};
pub use overrides::{EnvRule, JsonOperation, JsonOperator, PatchRule, PatchTarget};
pub use removals::{HeldRemoval, PassedRemoval, Removals, Removed};
pub use selection::{CustomResourceRule, ObjectRule};
pub use trigger::{Approvers, CommentRule, FeedbackRules, Forks, LogRule, Probe, PullRequests, Trigger, Trust};

/// What a team says about the namespace whose copies it wants.
#[derive(Clone, CustomResource, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[kube(
    group = "preview-env.dev",
    version = "v1alpha1",
    kind = "Baseline",
    plural = "baselines",
    shortname = "bl",
    category = "preview-env",
    namespaced,
    status = "BaselineStatus",
    derive = "PartialEq",
    doc = "The namespace that this object is in is a baseline: preview environments are made as copies of it.",
    printcolumn = r#"{"name":"Ready","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].status"}"#,
    printcolumn = r#"{"name":"Domain","type":"string","jsonPath":".spec.hosts.domain"}"#,
    printcolumn = r#"{"name":"Environments","type":"integer","jsonPath":".status.environments"}"#,
    printcolumn = r#"{"name":"Running","type":"integer","jsonPath":".status.running"}"#,
    printcolumn = r#"{"name":"Queued","type":"integer","jsonPath":".status.queued"}"#,
    printcolumn = r#"{"name":"Reason","type":"string","jsonPath":".status.conditions[?(@.type==\"Ready\")].message","priority":1}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new(
    "self.repositories.all(r, !has(r.alias) || self.repositories.exists_one(o, has(o.alias) && o.alias == r.alias))"
).message("repositories[].alias: every alias is used once"))]
pub struct BaselineSpec {
    /// The repositories whose pull requests get an environment, and the images that they build.
    #[schemars(length(min = 1, max = 50))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["forge".into(), "name".into()]))]
    pub repositories: Vec<Repository>,
    /// Which pull requests and branches get an environment.
    #[serde(default)]
    pub trigger: Trigger,
    /// Whose changes may run.
    #[serde(default)]
    pub trust: Trust,
    /// What the forge shows.
    #[serde(default)]
    pub feedback: FeedbackRules,
    /// Where the environments are reached. Without it no Ingress and no route is cloned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hosts: Option<Hosts>,
    /// What is cloned beyond the kinds that always are.
    #[serde(default)]
    pub clone: CloneRules,
    /// What happens while the image of a change is not in its registry yet.
    #[serde(default)]
    pub images: Images,
    /// Which names are rewritten in what the environments read.
    #[serde(default)]
    pub rewrite: Rewrite,
    /// Jobs that run in each environment: migrations and seed data.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub hooks: Vec<Hook>,
    /// How long an environment lives.
    #[serde(default)]
    pub lifetime: Lifetime,
    /// How many environments there are at one time.
    #[serde(default)]
    pub limits: Limits,
    /// What the pods of an environment may reach, ask for and use.
    #[serde(default)]
    pub isolation: isolation::Isolation,
    /// Labels and annotations for new namespaces, beside ours.
    #[serde(default)]
    pub namespace: isolation::NamespaceMarks,
    /// Where the pods run.
    #[serde(default)]
    pub scheduling: isolation::Scheduling,
    /// Who may look into the environments, or change what is in them, beside whoever may anyway.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub access: Vec<isolation::Access>,
}

/// One repository whose changes are previewed.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Repository {
    /// The forge that hosts it.
    #[serde(default)]
    pub forge: ForgeKind,
    /// `owner/name`, as the forge spells it.
    #[schemars(length(min = 3, max = 140), regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+$"))]
    pub name: String,
    /// What environments of this repository are called: `<alias>-pr-42`. Default: the slug of the repository's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 30), regex(pattern = r"^[a-z]([a-z0-9-]*[a-z0-9])?$"))]
    pub alias: Option<String>,
    /// The images that this repository builds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub images: Vec<Image>,
    /// Which of its changes get an environment, instead of the Baseline's `trigger`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<Trigger>,
}

/// A forge that we can talk to.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ForgeKind {
    /// github.com or a GitHub Enterprise Server.
    #[default]
    Github,
}

impl ForgeKind {
    /// As written in the API, in labels of metrics and in field managers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Github => "github",
        }
    }
}

/// One image that a repository builds.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Image {
    /// The image's repository as it stands in the baseline, without tag or digest: `registry.example.com/acme/web`.
    #[schemars(length(min = 1, max = 255))]
    pub name: String,
    /// The tag of the image that is built for a change: a template over `revision`, `revision_short`, `pull` and
    /// `branch_slug`, for example `pr-{{ pull }}-{{ revision_short }}`.
    #[serde(default = "default_tag")]
    #[schemars(length(min = 1, max = 200))]
    pub tag: String,
    /// What in the repository the image is built from, such as `services/web/**`: `*` stands for any part of a name, `**`
    /// for any number of folders. A pull request that touches none of it runs the baseline's image. Default: everything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), inner(length(min = 1, max = 200)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub paths: Vec<String>,
    /// Whether the image counts as there only once its label `org.opencontainers.image.revision` names the commit: for
    /// tags that every build of a pull request moves on.
    #[serde(default)]
    pub revision_label: bool,
}

fn default_tag() -> String {
    "{{ revision }}".to_owned()
}

/// Where environments are reached.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Hosts {
    /// Every host of every environment is one label under this domain, so one wildcard record and one wildcard
    /// certificate serve them all. The first host of the baseline becomes `<environment>.<domain>`, another one
    /// `<its first label>-<environment>.<domain>`.
    #[schemars(length(min = 1, max = 190), regex(pattern = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$"))]
    pub domain: String,
    /// The class of the cloned Ingresses. Default: as in the baseline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub ingress_class_name: Option<String>,
    /// Annotations for every cloned Ingress, beside those of the baseline.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// The Gateway that all cloned routes (`HTTPRoute`, `GRPCRoute`) are attached to. Default: as in the baseline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<Gateway>,
    /// Services that get a host although no route of the baseline leads to them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["service".into()]))]
    pub expose: Vec<Expose>,
    /// How it is found out that an environment answers.
    #[serde(default)]
    pub probe: Probe,
}

/// A Service that gets a host of its own: `<environment>.<domain>` where no route has that, and else
/// `<service>-<environment>.<domain>`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Expose {
    /// Its name.
    #[schemars(length(min = 1, max = 63))]
    pub service: String,
    /// Its port. Default: its first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<i32>,
    /// Whether the Ingress asks for TLS, with the ingress controller's own certificate. With a Gateway its listener decides.
    #[serde(default)]
    pub tls: bool,
}

/// A Gateway of the Gateway API. It must allow routes from the environments' namespaces.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Gateway {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Its namespace.
    #[schemars(length(min = 1, max = 63))]
    pub namespace: String,
    /// One of its listeners. Default: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub section_name: Option<String>,
}

/// What the service found.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BaselineStatus {
    /// The generation of the spec that this speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// How many environments are recorded of it, with those of which nothing is there.
    #[serde(default)]
    pub environments: i32,
    /// How many of them have a place: what they are made of is there, is being made or is being removed.
    #[serde(default)]
    pub running: i32,
    /// How many of them wait for a place.
    #[serde(default)]
    pub queued: i32,
    /// The repositories as the forge knows them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub repositories: Vec<RepositoryStatus>,
    /// When the forge last said that some of them may be out of our sight, which is looked at then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubted_at: Option<DateTime<Utc>>,
    /// How many objects of each kind it holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["kind".into()]))]
    pub objects: Vec<KindCount>,
    /// Secrets that workloads need and that `clone.secrets` does not list, at most 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub secrets_needed: Vec<SecretNeeded>,
    /// Services that nothing stands behind in an environment, at most 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub unbacked: Vec<Unbacked>,
    /// What its configuration names outside the namespace, but for what Secrets name: at most 50 hosts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub externals: Vec<External>,
    /// Removals that nobody told of, let through or held by the brake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removals: Option<Removals>,
    /// `Ready`, `Warning` and, where there were ever too many removals at once, `RemovalsHeld`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// A repository as the forge knows it.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RepositoryStatus {
    /// The forge.
    pub forge: ForgeKind,
    /// Its name as the Baseline spells it.
    pub name: String,
    /// Its number, which stays through renames and transfers.
    pub id: i64,
    /// Its name now, where that is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renamed: Option<String>,
    /// Whether only its members may read it.
    pub private: bool,
}

/// How many objects of a kind there are.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KindCount {
    /// The kind, such as `Deployment`.
    pub kind: String,
    /// How many.
    pub count: i32,
}
