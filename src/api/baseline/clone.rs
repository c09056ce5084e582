//! `clone`: what is cloned, and how it differs.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::choices::{Autoscalers, CronJobs, Rbac, Replicas, Volumes};
use super::overrides::{EnvRule, PatchRule};
use super::selection::{CustomResourceRule, ObjectRule};

/// What is cloned beyond the kinds that always are.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CloneRules {
    /// The Secrets that environments get. No other Secret is ever read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub secrets: Vec<SecretRule>,
    /// Variables of containers that differ from the baseline's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 200))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub env: Vec<EnvRule>,
    /// Changes of single objects, made in this order after everything else that changes them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub patches: Vec<PatchRule>,
    /// What containers ask for.
    #[serde(default)]
    pub resources: super::isolation::Resources,
    /// Kinds of custom resources whose objects are cloned. The service needs rights for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["group".into(), "kind".into()]))]
    pub custom_resources: Vec<CustomResourceRule>,
    /// Objects that are cloned, although their kind (Roles, RoleBindings, HorizontalPodAutoscalers, Jobs) or `exclude` would
    /// leave them out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub include: Vec<ObjectRule>,
    /// Objects that are left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub exclude: Vec<ObjectRule>,
    /// What becomes of volumes: `Empty` or `Skip`.
    #[serde(default)]
    pub volumes: Volumes,
    /// What becomes of `CronJob`s: `Suspended`, `Skip` or `Run`.
    #[serde(default)]
    pub cron_jobs: CronJobs,
    /// What becomes of `HorizontalPodAutoscaler`s: `Skip` or `Clone`.
    #[serde(default)]
    pub autoscalers: Autoscalers,
    /// How many pods Deployments and StatefulSets run: `One` or as many as in the `Baseline`.
    #[serde(default)]
    pub replicas: Replicas,
    /// What becomes of Roles and `RoleBinding`s: `Skip` or `Clone`.
    #[serde(default)]
    pub rbac: Rbac,
}

/// One Secret that environments get: a copy of one in the baseline, or one of its own values, or both.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretRule {
    /// Its name in the environments.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The keys that are copied. Default: all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), inner(length(min = 1, max = 253)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub keys: Vec<String>,
    /// The Secret of the baseline's namespace to copy from. Default: the one of the same name; nothing is copied where
    /// `set` or `generate` is given and neither this nor `keys` is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub from: Option<String>,
    /// Values of its own by key: templates, which may name what is generated as `{{ generated.KEY }}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set: BTreeMap<String, String>,
    /// Keys that get a random value, another one for each environment, which stays as long as the environment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), inner(length(min = 1, max = 253), regex(pattern = r"^[A-Za-z0-9._-]+$")))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub generate: Vec<String>,
}

/// Names that are rewritten in what the environments read: environment variables, arguments, commands and ConfigMaps.
#[derive(Clone, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rewrite {
    /// Whether the baseline's hosts become the environment's.
    #[serde(default = "yes")]
    pub hosts: bool,
    /// Whether `<service>.<namespace>` of the baseline, with or without `.svc` and what follows, becomes the environment's.
    #[serde(default = "yes")]
    pub service_names: bool,
    /// The cluster's DNS domain.
    #[serde(default = "cluster_domain")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"))]
    pub cluster_domain: String,
    /// Keys of Secrets that are rewritten too. Their values are never shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub secrets: Vec<RewriteSecret>,
}

/// Keys of one Secret in which names are rewritten.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RewriteSecret {
    /// The Secret's name in the environments; it has to be listed in `clone.secrets`.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The keys.
    #[schemars(length(min = 1, max = 100), inner(length(min = 1, max = 253)))]
    pub keys: Vec<String>,
}

impl Default for Rewrite {
    fn default() -> Self {
        Self { hosts: true, service_names: true, cluster_domain: cluster_domain(), secrets: Vec::new() }
    }
}

const fn yes() -> bool {
    true
}

fn cluster_domain() -> String {
    "cluster.local".to_owned()
}
