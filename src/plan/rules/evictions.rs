//! Annotations by which a pod holds its node: no autoscaler may take the node away while the pod runs. A preview must
//! not cost a node.
//! <https://github.com/kubernetes/autoscaler/blob/master/cluster-autoscaler/FAQ.md> (safe-to-evict) and
//! <https://karpenter.sh/docs/concepts/disruption/>.

use super::Notes;
use super::keys::{Key, strip};
use crate::plan::context::Context;
use crate::plan::manifest::Manifest;

const HOLDS: [(&str, &str); 3] = [
    ("cluster-autoscaler.kubernetes.io/safe-to-evict", "false"),
    ("karpenter.sh/do-not-disrupt", "true"),
    ("karpenter.sh/do-not-evict", "true"),
];

pub(super) fn apply(manifest: &mut Manifest, _: &Context<'_>, notes: &mut Notes) {
    strip(manifest, notes, |key: Key<'_>| {
        let holds = HOLDS.iter().any(|(name, value)| key.name == *name && key.value.as_str() == Some(value));
        holds.then_some("a preview must not hold a node")
    });
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::plan::sample::{World, deployment};

    #[test]
    fn a_preview_holds_no_node() {
        let path = "spec.template.metadata.annotations[cluster-autoscaler.kubernetes.io/safe-to-evict]";
        let pods = |value: &str| json!({"cluster-autoscaler.kubernetes.io/safe-to-evict": value});
        let said = |value: &str| World::of([deployment("web").with("/spec/template/metadata/annotations", pods(value))]).plan().said();
        assert_eq!(said("false"), [format!("Deployment/web {path}: false -> (none) (a preview must not hold a node)")]);
        assert_eq!(said("true"), ["Deployment/web kept"]);
    }
}
