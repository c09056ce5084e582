//! Which objects of which kinds are cloned, and when each is made. What is known of kinds is in [`crate::kinds`].

use super::manifest::Manifest;
use crate::domain::Baseline;
use crate::kinds::{Known, Stage, Treatment};

pub(super) use crate::kinds::STAGES;

/// What is done with an object by its kind; absent for custom resources.
pub(super) fn treatment(object: &Manifest) -> Option<Treatment> {
    Known::find(object.group(), object.kind()).map(|known| known.treatment)
}

/// Why objects of a kind are left out, where they are.
pub(super) fn not_cloned(group: &str, kind: &str) -> &'static str {
    match Known::find(group, kind).map(|known| known.treatment) {
        Some(Treatment::OptIn(_, why) | Treatment::LeftOut(why) | Treatment::Unread(why)) => why,
        Some(Treatment::Cloned(_) | Treatment::Listed(_)) => "is served in another version than the one that can be cloned",
        None => "is a custom resource, and clone.customResources does not name its kind",
    }
}

/// Whether objects of this kind are cloned, if nothing else speaks against one.
pub(super) fn is_cloned(object: &Manifest, baseline: &Baseline) -> bool {
    match treatment(object) {
        Some(treatment) => treatment.stage().is_some(),
        None => baseline.selection.names_custom_resource(object.group(), object.kind()),
    }
}

/// The index of the stage in which an object is made that is cloned.
pub(super) fn stage(object: &Manifest) -> usize {
    treatment(object).and_then(Treatment::stage).unwrap_or(Stage::Custom) as usize
}

/// Whether the object is of that group and kind.
pub(super) fn is_kind(object: &Manifest, group: &str, kind: &str) -> bool {
    object.kind() == kind && object.group() == group
}

/// Whether the object is a workload, whose readiness is the environment's: its pods are there until it goes or is done.
pub(super) fn is_workload(object: &Manifest) -> bool {
    has_replicas(object) || is_kind(object, "apps", "DaemonSet") || is_kind(object, "batch", "Job")
}

/// Whether the object says how many pods it wants.
pub(super) fn has_replicas(object: &Manifest) -> bool {
    is_kind(object, "apps", "Deployment") || is_kind(object, "apps", "StatefulSet")
}

/// Whether the object holds a pod template.
pub(super) fn runs_pods(object: &Manifest) -> bool {
    is_workload(object) || is_kind(object, "batch", "CronJob")
}

/// Whether the object is a route of the Gateway API whose hosts and backends are known.
pub(super) fn is_route(object: &Manifest) -> bool {
    object.group() == "gateway.networking.k8s.io" && matches!(object.kind(), "HTTPRoute" | "GRPCRoute")
}
