//! Whom a pod wants near it or far from it. Left to itself such a term looks at the pod's own namespace; one that names
//! the baseline's looks at the environment's, and one that looks at many does so no longer: pods of a hundred previews
//! that keep away from each other find no node. Spread and affinity within the namespace stay, one pod meets them all.
//! <https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#namespace-selector>

use serde_json::{Value, json};

use super::{ABSENT, Notes};
use crate::plan::context::Context;
use crate::plan::manifest::Manifest;
use crate::plan::pods::{spec_path, spec_pointer};

const OWN: &str = "a copy looks at the pods of its own namespace";

pub(super) fn apply(manifest: &mut Manifest, context: &Context<'_>, notes: &mut Notes) {
    let path = spec_path(manifest);
    let spec = spec_pointer(manifest);
    for kind in ["podAffinity", "podAntiAffinity"] {
        for (list, inner) in [
            ("requiredDuringSchedulingIgnoredDuringExecution", ""),
            ("preferredDuringSchedulingIgnoredDuringExecution", "/podAffinityTerm"),
        ] {
            let terms = manifest.items_mut(&format!("{spec}/affinity/{kind}/{list}")).enumerate();
            for (index, term) in terms.filter_map(|(index, entry)| Some((index, entry.pointer_mut(inner)?))) {
                let path = format!("{path}.affinity.{kind}.{list}[{index}]{}", inner.replace('/', "."));
                look_at_own(term, (&path, context), notes);
            }
        }
    }
}

fn look_at_own(term: &mut Value, (path, context): (&str, &Context<'_>), notes: &mut Notes) {
    let (before, after) = (context.target.baseline.namespace.as_str(), context.target.namespace);
    for namespace in term.get_mut("namespaces").and_then(Value::as_array_mut).into_iter().flatten() {
        if namespace.as_str() == Some(before) {
            notes.changed(format!("{path}.namespaces"), (before, after), OWN);
            *namespace = json!(after);
        }
    }
    let Some(term) = term.as_object_mut() else { return };
    if term.remove("namespaceSelector").is_some() {
        notes.changed(format!("{path}.namespaceSelector"), ("other namespaces", ABSENT), OWN);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::plan::sample::{World, deployment};

    fn affinity(term: &Value) -> Value {
        json!({"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}})
    }

    #[test]
    fn previews_do_not_keep_away_from_each_other() {
        let term = json!({"topologyKey": "kubernetes.io/hostname", "namespaces": ["shop", "infra"], "namespaceSelector": {}});
        let pointer = "/spec/template/spec/affinity";
        let plan = World::of([deployment("web").with(pointer, affinity(&term))]).plan();
        let expected = affinity(&json!({"topologyKey": "kubernetes.io/hostname", "namespaces": ["shop-web-pr-42", "infra"]}));
        assert_eq!(plan.find("Deployment/web").get(pointer), Some(&expected));
        assert_eq!(plan.said().len(), 2);
    }

    #[test]
    fn what_is_within_the_namespace_stays() {
        let web = deployment("web")
            .with(
                "/spec/template/spec/affinity",
                affinity(&json!({"topologyKey": "zone", "labelSelector": {"matchLabels": {"app": "web"}}})),
            )
            .with("/spec/template/spec/nodeSelector", json!({"disk": "ssd"}))
            .with(
                "/spec/template/spec/topologySpreadConstraints",
                json!([{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}]),
            );
        assert_eq!(World::of([web]).plan().said(), ["Deployment/web kept"]);
    }
}
