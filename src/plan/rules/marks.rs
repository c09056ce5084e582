//! Marks of other owners. A tool that finds its mark on a copy takes the copy for its own: it prunes it, moves a
//! production DNS record to it, asks for a certificate, or gives it rights in a cloud account.
//!
//! Pod labels that a selector uses stay whatever they say, since the copy would not find its own pods.

use serde_json::{Map, Value};

use super::Notes;
use crate::api::names::LABEL_MANAGED_BY;
use crate::plan::context::Context;
use crate::plan::manifest::Manifest;

const OWNER: &str = "the mark of another owner, who could delete the copy";
const DNS: &str = "it would move a DNS record of the baseline to the copy";
const CERTIFICATE: &str = "it would ask for a certificate";
const IDENTITY: &str = "a copy gets no identity in a cloud account";

/// Prefixes of labels and annotations, and why they go.
const PREFIXES: [(&str, &str); 18] = [
    ("meta.helm.sh/", OWNER),
    ("helm.sh/chart", OWNER),
    ("argocd.argoproj.io/", OWNER),
    ("kustomize.toolkit.fluxcd.io/", OWNER),
    ("helm.toolkit.fluxcd.io/", OWNER),
    ("kapp.k14s.io/", OWNER),
    ("applyset.kubernetes.io/", OWNER),
    ("objectset.rio.cattle.io/", OWNER),
    ("config.k8s.io/owning-inventory", OWNER),
    ("external-dns.alpha.kubernetes.io/", DNS),
    ("external-dns.kubernetes.io/", DNS),
    ("cert-manager.io/", CERTIFICATE),
    ("acme.cert-manager.io/", CERTIFICATE),
    ("kubernetes.io/tls-acme", CERTIFICATE),
    ("eks.amazonaws.com/", IDENTITY),
    ("iam.amazonaws.com/", IDENTITY),
    ("iam.gke.io/", IDENTITY),
    ("azure.workload.identity/", IDENTITY),
];

/// By default Argo CD before 3.0 took every object with this label for its own, in any namespace.
/// <https://argo-cd.readthedocs.io/en/stable/user-guide/resource_tracking/>
const LABEL_INSTANCE: &str = "app.kubernetes.io/instance";

pub(super) fn apply(manifest: &mut Manifest, context: &Context<'_>, notes: &mut Notes) {
    if let Some(metadata) = manifest.get_mut("/metadata") {
        let mut mark = |field: &str, key: &str, value: &Value| object_mark(field, key, value);
        strip(metadata, "metadata", &mut mark, notes);
    }
    let mut pod_mark = |_: &str, key: &str, value: &Value| mark(key, value).filter(|_| !context.selected_labels.contains(key));
    if let Some(metadata) = manifest.get_mut("/spec/template/metadata") {
        strip(metadata, "spec.template.metadata", &mut pod_mark, notes);
    }
    for (index, claim) in manifest.items_mut("/spec/volumeClaimTemplates").enumerate() {
        if let Some(metadata) = claim.get_mut("metadata") {
            strip(metadata, &format!("spec.volumeClaimTemplates[{index}].metadata"), &mut pod_mark, notes);
        }
    }
}

type IsMark<'a> = dyn FnMut(&str, &str, &Value) -> Option<&'static str> + 'a;

fn strip(metadata: &mut Value, path: &str, is_mark: &mut IsMark<'_>, notes: &mut Notes) {
    for field in ["labels", "annotations"] {
        let Some(map) = metadata.get_mut(field).and_then(Value::as_object_mut) else { continue };
        map.retain(|key, value| {
            let Some(why) = is_mark(field, key, value) else { return true };
            notes.removed(format!("{path}.{field}[{key}]"), value, why);
            false
        });
        drop_if_empty(metadata, field);
    }
}

fn drop_if_empty(metadata: &mut Value, field: &str) {
    let Some(metadata) = metadata.as_object_mut() else { return };
    if metadata.get(field).and_then(Value::as_object).is_some_and(Map::is_empty) {
        metadata.remove(field);
    }
}

/// Selectors select pods, so on the object itself even a label that they use may go.
fn object_mark(field: &str, key: &str, value: &Value) -> Option<&'static str> {
    mark(key, value).or_else(|| (field == "labels" && key == LABEL_INSTANCE).then_some(OWNER))
}

fn mark(key: &str, value: &Value) -> Option<&'static str> {
    if key == LABEL_MANAGED_BY && value == "Helm" {
        return Some(OWNER);
    }
    PREFIXES.iter().find(|(prefix, _)| key.starts_with(prefix)).map(|(_, why)| *why)
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
