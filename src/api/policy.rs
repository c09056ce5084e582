//! `PreviewPolicy`: the ceilings that whoever runs the cluster sets for the Baselines of others.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::baseline::isolation::{NetworkIsolation, PodSecurity, Scheduling};
use super::baseline::{Approvers, CustomResourceRule, Forks};

/// What a Baseline may say at most. What is absent is not limited; an empty list allows nothing.
#[derive(Clone, CustomResource, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[kube(
    group = "preview-env.dev",
    version = "v1alpha1",
    kind = "PreviewPolicy",
    plural = "previewpolicies",
    shortname = "ppol",
    category = "preview-env",
    derive = "PartialEq",
    doc = "Ceilings for the Baselines of the namespaces that it selects. All policies that select a namespace hold for it. Where there \
           is any policy, a Baseline that none selects is not used.",
    printcolumn = r#"{"name":"Domains","type":"string","jsonPath":".spec.domains"}"#,
    printcolumn = r#"{"name":"TTL","type":"string","jsonPath":".spec.lifetime.ttl"}"#,
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PreviewPolicySpec {
    /// The namespaces whose Baselines it binds, by their labels. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace_selector: Option<LabelSelector>,
    /// The domains under which environments may be reached, such as `preview.example.com`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50), inner(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$")))]
    pub domains: Option<Vec<String>>,
    /// The repositories whose changes may be previewed, such as `acme/*`: `*` stands for any part of a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50), inner(length(min = 3, max = 140), regex(pattern = r"^[^/]+/[^/]+$")))]
    pub repositories: Option<Vec<String>>,
    /// Where the images of environments may come from: a registry, or a path in one, such as `ghcr.io/acme`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50), inner(length(min = 1, max = 255)))]
    pub registries: Option<Vec<String>>,
    /// The custom resources that may be cloned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100))]
    pub custom_resources: Option<Vec<CustomResourceRule>>,
    /// Whose changes may run.
    #[serde(default, skip_serializing_if = "is_default")]
    pub trust: TrustCeiling,
    /// What pods may reach and ask for.
    #[serde(default, skip_serializing_if = "is_default")]
    pub isolation: IsolationCeiling,
    /// How long environments live.
    #[serde(default, skip_serializing_if = "is_default")]
    pub lifetime: LifetimeCeiling,
    /// How many environments there are at one time.
    #[serde(default, skip_serializing_if = "is_default")]
    pub limits: LimitsCeiling,
    /// The most that one environment uses, by the names that a ResourceQuota uses, such as `requests.cpu: "4"`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub quota: BTreeMap<String, String>,
    /// Labels that every new namespace gets, whatever the Baseline says of them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub namespace_labels: BTreeMap<String, String>,
    /// Where the pods run, whatever the Baseline and its patches say of these fields.
    #[serde(default)]
    pub scheduling: Scheduling,
}

/// Whose changes may run at most.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrustCeiling {
    /// The most that may become of pull requests from forks: `Deny`, then `Approve`, then `Isolated`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forks: Option<Forks>,
    /// The least that somebody needs on the repository to approve, to label, and to command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approvers: Option<Approvers>,
}

/// What pods may reach and ask for at most.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IsolationCeiling {
    /// `Isolated`, where every environment needs a NetworkPolicy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_policy: Option<NetworkIsolation>,
    /// The Pod Security Standard that pods meet at least. Baselines that say less are held to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_security: Option<PodSecurity>,
}

/// How many environments there are at one time at most.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LimitsCeiling {
    /// The most that a Baseline may say in `limits.environments`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10_000))]
    pub environments: Option<i32>,
    /// How many run at one time of all Baselines together that this policy binds. The next ones wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10_000))]
    pub total: Option<i32>,
}

/// How long environments live at most.
#[derive(Clone, Debug, Default, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LifetimeCeiling {
    /// The longest time from the last activity to the end, such as `7d`: for `lifetime.ttl` of Baselines, and whatever
    /// somebody extended or pinned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 50))]
    pub ttl: Option<String>,
    /// The longest time from the start to the end, whatever happens to an environment: for `lifetime.max` of Baselines, and in
    /// place of it where they say none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 50))]
    pub max: Option<String>,
    /// The longest time from the end of a pull request to that of its environment: for `lifetime.grace` of Baselines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 50))]
    pub grace: Option<String>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
