//! What status tells of a plan: how much of the baseline is there, and what is missing for the rest.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the last plan of an environment came to.
#[derive(Clone, Debug, Default, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanSummary {
    /// Objects of the baseline that are copied as they are.
    pub kept: i32,
    /// Objects that are copied and changed.
    pub changed: i32,
    /// Objects that are left out.
    pub left_out: i32,
    /// Workloads of the baseline that are not switched off.
    pub workloads: i32,
    /// Those among them that have everything to start.
    pub would_start: i32,
    /// What works and is probably not meant, such as a rule that nothing matches, at most 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub warnings: Vec<String>,
}

/// Something that an environment needs and does not have.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Missing {
    /// Kind of the object, such as `Secret`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// What is so, as a sentence.
    pub what: String,
    /// What mends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mend: Option<String>,
    /// Names of the workloads that do not start because of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stops: Vec<String>,
}

/// A Secret that a baseline's workloads need and that its Baseline does not list.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretNeeded {
    /// Its name.
    pub name: String,
    /// Names of the workloads.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub used_by: Vec<String>,
}

/// A Service that nothing would stand behind in an environment.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unbacked {
    /// Its name.
    pub name: String,
    /// Why, as a sentence.
    pub why: String,
}
