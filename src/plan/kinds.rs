//! Which objects of which kinds are cloned, and when each is made. What is known of kinds is in [`crate::kinds`].

use super::manifest::Manifest;
use crate::kinds::{Known, Treatment};

pub(super) use crate::kinds::STAGES;

/// What is done with an object by its kind; absent for custom resources.
pub(super) fn treatment(object: &Manifest) -> Option<Treatment> {
    Known::find(object.group(), object.kind()).map(|known| known.treatment)
}

/// Why objects of a kind are left out, where they are.
pub(super) fn not_cloned(group: &str, kind: &str) -> &'static str {
    match Known::find(group, kind).map(|known| known.treatment) {
        Some(Treatment::OptIn(_, why) | Treatment::LeftOut(why) | Treatment::Unread(why)) => why,
        Some(Treatment::Cloned(_) | Treatment::Listed(_)) => "is known by its name alone",
        None => "is a custom resource, and clone.customResources does not name its kind",
    }
}

/// The index of the stage in which an object is made, absent where its kind is not cloned.
pub(super) fn stage(object: &Manifest) -> Option<usize> {
    match treatment(object)? {
        Treatment::OptIn(..) => None,
        other => other.stage().map(|stage| stage as usize),
    }
}

/// Whether the object runs pods that are there until it goes or is done: its readiness is the environment's.
pub(super) fn is_workload(object: &Manifest) -> bool {
    has_replicas(object) || is(object, "apps", "DaemonSet") || is(object, "batch", "Job")
}

/// Whether the object says how many pods it wants.
pub(super) fn has_replicas(object: &Manifest) -> bool {
    is(object, "apps", "Deployment") || is(object, "apps", "StatefulSet")
}

/// Whether pods are made of the object's template, now or at some time.
pub(super) fn has_pods(object: &Manifest) -> bool {
    is_workload(object) || is(object, "batch", "CronJob")
}

fn is(object: &Manifest, group: &str, kind: &str) -> bool {
    object.group() == group && object.kind() == kind
}
