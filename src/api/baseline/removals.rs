//! What the brake on removals knows: which ends that nobody told of were let through, and which wait for a person.

use chrono::{DateTime, Utc};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Removals whose reason was found by looking, and that no event, command or expiry asked for.
#[derive(Clone, Debug, Default, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Removals {
    /// Those that were let through in the last ten minutes, and those that somebody confirmed in the last hour.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub passed: Vec<PassedRemoval>,
    /// Those that wait until somebody confirms them, at most 200: what is more is found again afterwards.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub held: Vec<HeldRemoval>,
    /// When the last of them was added. The annotation that confirms them names this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_at: Option<DateTime<Utc>>,
}

/// A removal that was let through.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PassedRemoval {
    /// What is removed.
    pub what: Removed,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// When it was let through.
    pub at: DateTime<Utc>,
    /// Whether somebody confirmed it. It does not count then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub confirmed: bool,
}

/// A removal that waits until somebody confirms it.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HeldRemoval {
    /// What would be removed.
    pub what: Removed,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// When it was held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<DateTime<Utc>>,
}

/// What is removed.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum Removed {
    /// An environment, whose pull request or branch has ended.
    Environment,
    /// A namespace, whose environment is gone.
    Namespace,
    /// An environment, whose pull request is open and none any more that its trigger wants.
    Unwanted,
    /// An environment, whose pull request's label or files do not count any more, as the forge answers.
    Answered,
}
