//! The kinds that are cloned, and when each is made.

use super::manifest::Manifest;

/// A kind that is cloned.
pub(super) struct ClonedKind {
    group: &'static str,
    kind: &'static str,
    /// Index of its stage: what pods mount and are reached by comes before the pods.
    pub stage: usize,
}

/// How many stages there can be.
pub(super) const STAGES: usize = 2;

const CLONED: [ClonedKind; 8] = [
    ClonedKind { group: "", kind: "ServiceAccount", stage: 0 },
    ClonedKind { group: "", kind: "ConfigMap", stage: 0 },
    ClonedKind { group: "", kind: "Secret", stage: 0 },
    ClonedKind { group: "", kind: "PersistentVolumeClaim", stage: 0 },
    ClonedKind { group: "", kind: "Service", stage: 0 },
    ClonedKind { group: "networking.k8s.io", kind: "Ingress", stage: 0 },
    ClonedKind { group: "apps", kind: "Deployment", stage: 1 },
    ClonedKind { group: "apps", kind: "StatefulSet", stage: 1 },
];

/// The entry of an object's kind, absent where the kind is not cloned. The group counts too: a Knative `Service` is
/// not a `Service`.
pub(super) fn cloned_kind(object: &Manifest) -> Option<&'static ClonedKind> {
    CLONED.iter().find(|k| k.kind == object.kind() && k.group == object.group())
}

/// Whether the object runs pods.
pub(super) fn is_workload(object: &Manifest) -> bool {
    object.group() == "apps" && matches!(object.kind(), "Deployment" | "StatefulSet")
}
