//! `clone`: what is cloned, and how it differs.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::selection::{CustomResourceRule, ObjectRule};

/// What is cloned beyond the kinds that always are.
#[derive(Clone, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CloneRules {
    /// The Secrets that are copied. No other Secret is ever read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub secrets: Vec<SecretRule>,
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
}

/// One Secret that is copied.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretRule {
    /// Its name in the baseline and in the environments.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}
