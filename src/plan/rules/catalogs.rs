//! Annotations that announce a Service or its pods somewhere outside of the namespace, under a name of their own: a
//! catalogue, another cluster, an edge proxy. The copy would answer for the baseline there.
//! Consul: <https://developer.hashicorp.com/consul/docs/k8s/annotations-and-labels>, Linkerd:
//! <https://linkerd.io/2/tasks/multicluster/>, Cilium: <https://docs.cilium.io/en/stable/network/clustermesh/services/>.

use super::Notes;
use super::keys::strip;
use crate::plan::context::Context;
use crate::plan::manifest::Manifest;

const ANNOUNCED: &str = "it would announce the copy under the baseline's name";

const PREFIXES: &[(&str, &str)] = &[
    ("consul.hashicorp.com/", ANNOUNCED),
    ("mirror.linkerd.io/", ANNOUNCED),
    ("multicluster.linkerd.io/", ANNOUNCED),
    ("service.cilium.io/", ANNOUNCED),
    ("io.cilium/global-service", ANNOUNCED),
    ("io.cilium/shared-service", ANNOUNCED),
    ("getambassador.io/config", ANNOUNCED),
];

pub(super) fn apply(manifest: &mut Manifest, context: &Context<'_>, notes: &mut Notes) {
    strip(manifest, notes, |key| {
        let is_selected = !key.on_object && context.selected_labels.contains(key.name);
        key.listed(PREFIXES).filter(|_| !is_selected)
    });
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::plan::sample::{World, deployment, service};

    #[test]
    fn a_copy_answers_for_nobody_else() {
        let announced = json!({"consul.hashicorp.com/connect-service": "shop"});
        let web = deployment("web").with("/spec/template/metadata/annotations", announced);
        let exported = service("web").label("mirror.linkerd.io/exported", "true").annotation("service.cilium.io/global", "true");
        let said = World::of([web, exported]).plan().said();
        assert_eq!(
            said.iter().filter(|line| line.ends_with("(it would announce the copy under the baseline's name)")).count(),
            3,
            "{said:?}"
        );
    }

    #[test]
    fn a_mesh_takes_the_copy_in_as_it_does_the_baseline() {
        let web = deployment("web")
            .pod_label("istio.io/rev", "stable")
            .pod_label("sidecar.istio.io/inject", "true")
            .with("/spec/template/metadata/annotations", json!({"linkerd.io/inject": "enabled"}));
        assert_eq!(World::of([web]).plan().said(), ["Deployment/web kept"]);
    }
}
