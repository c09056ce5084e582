//! Choices of `clone`: one word each.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What becomes of `PersistentVolumeClaim`s and of what StatefulSets claim.
///
/// There is no `Snapshot`: a `VolumeSnapshot` can be used in its own namespace alone. The field that would lead to
/// another one (`dataSourceRef.namespace`, KEP-3294) is alpha and off by default, and is then dropped without an error.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum Volumes {
    /// A claim of the same class and size, with nothing in it.
    #[default]
    Empty,
    /// No claim: pods get an empty folder of their node, which goes with them.
    Skip,
}

/// What becomes of `CronJob`s.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum CronJobs {
    /// They are there and do not run.
    #[default]
    Suspended,
    /// They are not there.
    Skip,
    /// They run as in the baseline.
    Run,
}

/// What becomes of `HorizontalPodAutoscaler`s.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum Autoscalers {
    /// They are not there, and every workload runs as many pods as `replicas` says.
    #[default]
    Skip,
    /// They are there and say how many pods run.
    Clone,
}

/// How many pods Deployments and StatefulSets run.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum Replicas {
    /// One, but for a StatefulSet whose own configuration counts its members: that has as many as in the baseline.
    #[default]
    One,
    /// As many as in the baseline.
    Baseline,
}

/// What becomes of Roles and `RoleBinding`s.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum Rbac {
    /// They are not there.
    #[default]
    Skip,
    /// Those of the namespace's own ServiceAccounts are there, but for what could lift the environment's isolation.
    Clone,
}
