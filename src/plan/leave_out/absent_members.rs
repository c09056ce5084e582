//! A Service for one pod of a StatefulSet, where the copy of the set has fewer pods: it would lead nowhere.
//! The label: <https://kubernetes.io/docs/reference/labels-annotations-taints/#statefulset-kubernetes-io-pod-name>

use super::{Facts, because};
use crate::plan::decision::LeftOutReason;
use crate::plan::kinds::is_kind;
use crate::plan::manifest::Manifest;
use crate::plan::scale;

const POD_NAME: &str = "/spec/selector/statefulset.kubernetes.io~1pod-name";

pub(super) fn reason(object: &Manifest, facts: &Facts<'_>) -> Option<LeftOutReason> {
    let pod = object.text(POD_NAME).filter(|_| is_kind(object, "", "Service"))?;
    let (set, ordinal) = pod.rsplit_once('-')?;
    let ordinal: i64 = ordinal.parse().ok()?;
    let set = facts.snapshot.objects.iter().find(|o| is_kind(o, "apps", "StatefulSet") && o.text("/metadata/name") == Some(set))?;
    let first = set.get("/spec/ordinals/start").and_then(serde_json::Value::as_i64).unwrap_or(0);
    let count = scale::planned(set, facts.snapshot, facts.target.baseline.choices.replicas).count;
    if ordinal < first + count.max(1) {
        return None;
    }
    because(format!("is for pod {pod}, and the copy of {} has fewer pods", set.name()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::plan::sample::{World, service, stateful_set};

    #[test]
    fn a_service_for_a_pod_that_is_not_copied_is_left_out() {
        let of = |pod: &str| service(pod).with("/spec/selector", json!({"statefulset.kubernetes.io/pod-name": pod}));
        let plan = World::of([stateful_set("db").replicas(3), of("db-0"), of("db-1")]).plan();
        assert_eq!(
            plan.said()[..2],
            ["Service/db-0 kept", "Service/db-1 left out: is for pod db-1, and the copy of StatefulSet/db has fewer pods"]
        );
    }
}
