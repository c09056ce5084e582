//! Marks of other owners. A tool that finds its mark on a copy takes the copy for its own: it prunes it, moves a
//! production DNS record to it, asks for a certificate, or gives it rights in a cloud account.
//! Helm: <https://helm.sh/docs/chart_best_practices/labels/>, Argo CD:
//! <https://argo-cd.readthedocs.io/en/stable/user-guide/resource_tracking/>, Flux:
//! <https://fluxcd.io/flux/components/kustomize/kustomizations/>, kapp: <https://carvel.dev/kapp/docs/latest/state-namespace/>.
//!
//! Pod labels that a selector uses stay whatever they say, since the copy would not find its own pods.

use super::Notes;
use super::keys::{Key, strip};
use crate::api::names::LABEL_MANAGED_BY;
use crate::plan::context::Context;
use crate::plan::manifest::Manifest;

const OWNER: &str = "the mark of another owner, who could delete the copy";
const DNS: &str = "it would move a DNS record of the baseline to the copy";
const CERTIFICATE: &str = "it would ask for a certificate";
const IDENTITY: &str = "a copy gets no identity in a cloud account";
const REPLICA: &str = "a controller would copy this into other namespaces, or write over it";

/// Beginnings of labels and annotations, and why they go.
const PREFIXES: &[(&str, &str)] = &[
    ("meta.helm.sh/", OWNER),
    ("helm.sh/", OWNER),
    ("argocd.argoproj.io/", OWNER),
    ("kustomize.toolkit.fluxcd.io/", OWNER),
    ("helm.toolkit.fluxcd.io/", OWNER),
    ("fluxcd.io/", OWNER),
    ("kapp.k14s.io/", OWNER),
    ("applyset.kubernetes.io/", OWNER),
    ("objectset.rio.cattle.io/", OWNER),
    ("config.k8s.io/owning-inventory", OWNER),
    ("config.kubernetes.io/", OWNER),
    ("internal.config.kubernetes.io/", OWNER),
    ("internal.kpt.dev/", OWNER),
    ("olm.", OWNER),
    ("operators.coreos.com/", OWNER),
    ("pulumi.com/", OWNER),
    ("skaffold.dev/", OWNER),
    ("tilt.dev/", OWNER),
    ("garden.io/", OWNER),
    ("keel.sh/", OWNER),
    ("reconcile.external-secrets.io/", OWNER),
    ("sealedsecrets.bitnami.com/", OWNER),
    ("replicator.v1.mittwald.de/", REPLICA),
    ("reflector.v1.k8s.emberstack.com/", REPLICA),
    ("kubed.appscode.com/", REPLICA),
    ("external-dns.alpha.kubernetes.io/", DNS),
    ("external-dns.kubernetes.io/", DNS),
    ("dns.alpha.kubernetes.io/", DNS),
    ("cert-manager.io/", CERTIFICATE),
    ("acme.cert-manager.io/", CERTIFICATE),
    ("certmanager.k8s.io/", CERTIFICATE),
    ("kubernetes.io/tls-acme", CERTIFICATE),
    ("networking.gke.io/managed-certificates", CERTIFICATE),
    ("service.beta.openshift.io/serving-cert", CERTIFICATE),
    ("eks.amazonaws.com/", IDENTITY),
    ("iam.amazonaws.com/", IDENTITY),
    ("iam.gke.io/", IDENTITY),
    ("azure.workload.identity/", IDENTITY),
    ("aadpodidbinding", IDENTITY),
    ("pod-identity.alibabacloud.com/", IDENTITY),
];

/// By default Argo CD before 3.0 took every object with this label for its own, in any namespace.
const LABEL_INSTANCE: &str = "app.kubernetes.io/instance";

/// What tools write into the label that says who manages an object.
const MANAGERS: [&str; 6] = ["Helm", "Tiller", "skaffold", "tilt", "pulumi", "kapp"];

pub(super) fn apply(manifest: &mut Manifest, context: &Context<'_>, notes: &mut Notes) {
    strip(manifest, notes, |key| {
        // Selectors select pods, so on the object itself even a label that they use may go.
        let is_selected = !key.on_object && context.selected_labels.contains(key.name);
        if is_selected { None } else { mark(key) }
    });
}

fn mark(key: Key<'_>) -> Option<&'static str> {
    let is_manager = key.name == LABEL_MANAGED_BY && key.value.as_str().is_some_and(|who| MANAGERS.contains(&who));
    let is_instance = key.on_object && key.field == "labels" && key.name == LABEL_INSTANCE;
    if is_manager || is_instance {
        return Some(OWNER);
    }
    key.listed(PREFIXES)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::plan::sample::{World, deployment, object, service};

    #[test]
    fn marks_of_owners_go_from_objects() {
        let object = object("v1", "ConfigMap", "settings")
            .label("app.kubernetes.io/managed-by", "Helm")
            .label("helm.sh/chart", "shop-1.2.3")
            .label("app.kubernetes.io/instance", "shop")
            .label("app.kubernetes.io/name", "settings")
            .annotation("meta.helm.sh/release-name", "shop")
            .annotation("argocd.argoproj.io/tracking-id", "shop:/ConfigMap:shop/settings")
            .annotation("kustomize.toolkit.fluxcd.io/reconcile", "x");
        let plan = World::of([object]).plan();
        let copy = plan.find("ConfigMap/settings");
        assert_eq!(copy.text("/metadata/labels/app.kubernetes.io~1managed-by"), Some("preview-env"));
        assert_eq!(copy.text("/metadata/labels/app.kubernetes.io~1name"), Some("settings"));
        assert_eq!(copy.get("/metadata/annotations").unwrap().as_object().unwrap().len(), 1, "the hash");
        assert_eq!(plan.said().len(), 6);
    }

    #[test]
    fn what_a_tool_wrote_down_of_a_whole_secret_is_not_shown() {
        let original = r#"{"data":{"password":"aHVudGVyMg=="}}"#;
        let secret = object("v1", "Secret", "db").annotation("kapp.k14s.io/original", original);
        let said = World::of([secret]).plan().said();
        assert_eq!(said.len(), 1);
        assert!(said[0].starts_with("Secret/db metadata.annotations[kapp.k14s.io/original]: (hidden) -> (none)"), "{said:?}");
    }

    #[test]
    fn the_marks_of_every_known_tool_go() {
        for (kind, key) in [
            ("label", "skaffold.dev/run-id"),
            ("label", "kapp.k14s.io/app"),
            ("label", "olm.managed"),
            ("annotation", "kapp.k14s.io/identity"),
            ("annotation", "config.k8s.io/owning-inventory"),
            ("annotation", "config.kubernetes.io/origin"),
            ("annotation", "replicator.v1.mittwald.de/replicate-to"),
            ("annotation", "cert-manager.io/issuer"),
        ] {
            let config = object("v1", "ConfigMap", "c");
            let config = if kind == "label" { config.label(key, "x") } else { config.annotation(key, "x") };
            assert!(World::of([config]).plan().said()[0].contains(key), "{key}");
        }
    }

    #[test]
    fn a_pod_label_that_a_selector_uses_stays() {
        let chosen = ("app.kubernetes.io/managed-by", "Helm");
        let web = deployment("web").pod_label(chosen.0, chosen.1).pod_label("helm.sh/chart", "shop-1");
        let service = service("web").with("/spec/selector", json!({"app": "web", chosen.0: chosen.1}));
        let plan = World::of([web, service]).plan();
        let labels = plan.find("Deployment/web").get("/spec/template/metadata/labels").unwrap();
        assert_eq!(labels[chosen.0], chosen.1);
        assert!(labels.get("helm.sh/chart").is_none());
    }

    #[test]
    fn records_certificates_and_identities_are_not_shared() {
        let account = object("v1", "ServiceAccount", "api")
            .annotation("eks.amazonaws.com/role-arn", "arn:aws:iam::1:role/api")
            .annotation("iam.gke.io/gcp-service-account", "api@x")
            .label("azure.workload.identity/use", "true");
        let service = service("web").annotation("external-dns.alpha.kubernetes.io/hostname", "shop.example.com");
        let ingress = object("networking.k8s.io/v1", "Ingress", "web")
            .with("/spec/rules", json!([{"host": "shop.example.com"}]))
            .annotation("cert-manager.io/cluster-issuer", "letsencrypt");
        let plan = World::of([account, service, ingress]).plan();
        for name in ["ServiceAccount/api", "Service/web", "Ingress/web"] {
            let annotations = plan.find(name).get("/metadata/annotations").unwrap();
            assert_eq!(annotations.as_object().unwrap().len(), 1, "{name}: {annotations}");
        }
    }
}
