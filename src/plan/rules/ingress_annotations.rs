//! Class and annotations of Ingresses. Annotations that guard a route (`auth-*`) stay: without them the copy would be
//! open. Where they would not hold, the route is left out (`leave_out/guards.rs`).
//! <https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/annotations/>

use serde_json::{Value, json};

use super::{ABSENT, Notes};
use crate::domain::baseline::Hosts;
use crate::plan::context::Context;
use crate::plan::hosts::HostMap;
use crate::plan::manifest::Manifest;
use crate::plan::service_names::replace_host;

/// Says the class where `spec.ingressClassName` does not; new objects may not have both.
const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";
const ANNOTATIONS: &str = "/metadata/annotations";
const OWN_SECRET: &str = "the environment has a Secret of its own";
const OWN_HOST: &str = "the environment has a host of its own";

pub(super) fn apply(manifest: &mut Manifest, context: &Context<'_>, notes: &mut Notes) {
    let Some(hosts) = context.target.baseline.hosts.as_ref().filter(|_| manifest.kind() == "Ingress") else { return };
    drop_snippets(manifest, notes);
    lead_home(manifest, context, notes);
    for (key, value) in &hosts.annotations {
        annotate(manifest, (key, value), notes);
    }
    set_class(manifest, hosts, notes);
}

/// A snippet is text for the controller's own configuration, and an alias is one more host: neither can be rewritten.
fn drop_snippets(ingress: &mut Manifest, notes: &mut Notes) {
    let Some(annotations) = ingress.get_mut(ANNOTATIONS).and_then(Value::as_object_mut) else { return };
    annotations.retain(|key, value| {
        let name = key.rsplit('/').next().unwrap_or(key);
        let why = match name {
            "server-alias" => "it would answer to a host of the baseline",
            _ if name.ends_with("-snippet") || name.ends_with("-snippets") => "text for the controller that can name the baseline",
            _ => return true,
        };
        notes.removed(format!("metadata.annotations[{key}]"), value, why);
        false
    });
}

/// Secrets that guard are the environment's own, and a redirect to a host of the baseline would lead out of the preview.
fn lead_home(ingress: &mut Manifest, context: &Context<'_>, notes: &mut Notes) {
    let (old, new) = (format!("{}/", context.target.baseline.namespace), context.target.namespace);
    let hosts: Vec<(&str, &str)> = context.hosts.iter().flat_map(HostMap::pairs).collect();
    let Some(annotations) = ingress.get_mut(ANNOTATIONS).and_then(Value::as_object_mut) else { return };
    for (key, value) in annotations.iter_mut() {
        let Some(before) = value.as_str() else { continue };
        let (after, why) = match key.rsplit('/').next().unwrap_or(key) {
            "auth-secret" | "auth-tls-secret" => (before.strip_prefix(&old).map(|name| format!("{new}/{name}")), OWN_SECRET),
            "permanent-redirect" | "temporal-redirect" | "upstream-vhost" | "cors-allow-origin" => (renamed(before, &hosts), OWN_HOST),
            _ => continue,
        };
        if let Some(after) = after {
            notes.changed(format!("metadata.annotations[{key}]"), (before, &after), why);
            *value = json!(after);
        }
    }
}

/// The text with the baseline's hosts renamed. Absent where it names none.
fn renamed(text: &str, hosts: &[(&str, &str)]) -> Option<String> {
    let after = hosts.iter().fold(text.to_owned(), |text, (old, new)| replace_host(&text, old, new));
    (after != text).then_some(after)
}

fn annotate(ingress: &mut Manifest, (key, value): (&str, &str), notes: &mut Notes) {
    let before = ingress.get(ANNOTATIONS).and_then(|a| a.get(key)?.as_str()).unwrap_or(ABSENT).to_owned();
    if before != value {
        notes.changed(format!("metadata.annotations[{key}]"), (&before, value), "hosts.annotations of the Baseline");
        ingress.set(&["metadata", "annotations"], key, json!(value));
    }
}

fn set_class(ingress: &mut Manifest, hosts: &Hosts, notes: &mut Notes) {
    if hosts.annotations.contains_key(CLASS_ANNOTATION) {
        ingress.remove("/spec", "ingressClassName");
        return;
    }
    let Some(class) = &hosts.ingress_class_name else {
        if ingress.text("/spec/ingressClassName").is_some() {
            ingress.remove(ANNOTATIONS, CLASS_ANNOTATION);
        }
        return;
    };
    let old = ingress.remove(ANNOTATIONS, CLASS_ANNOTATION);
    let before = ingress.text("/spec/ingressClassName").or(old.as_ref().and_then(Value::as_str)).unwrap_or(ABSENT).to_owned();
    if before != *class {
        notes.changed("spec.ingressClassName", (&before, class), "hosts.ingressClassName of the Baseline");
    }
    ingress.set(&["spec"], "ingressClassName", json!(class));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::plan::Manifest;
    use crate::plan::sample::{World, object};

    const OLD_CLASS: &str = "kubernetes.io/ingress.class";

    fn ingress() -> Manifest {
        object("networking.k8s.io/v1", "Ingress", "shop").with("/spec", json!({"rules": [{"host": "shop.io"}]}))
    }

    #[test]
    fn guards_stay_and_snippets_go() {
        let nginx = |name: &str| format!("nginx.ingress.kubernetes.io/{name}");
        let guarded = ingress()
            .annotation(&nginx("auth-url"), "https://login.example.com/check")
            .annotation(&nginx("server-snippet"), "return 301 https://shop.io;")
            .annotation(&nginx("server-alias"), "www.shop.io");
        let plan = World::of([guarded]).plan();
        let annotations = plan.find("Ingress/shop").get("/metadata/annotations").unwrap();
        assert_eq!(annotations[&nginx("auth-url")], "https://login.example.com/check");
        assert_eq!(annotations.as_object().unwrap().len(), 2);
        assert_eq!(plan.said().len(), 3);
    }

    #[test]
    fn a_redirect_stays_in_the_preview() {
        let key = "nginx.ingress.kubernetes.io/permanent-redirect";
        let redirected = |to: &str| {
            let plan = World::of([ingress().annotation(key, to)]).plan();
            plan.find("Ingress/shop").get("/metadata/annotations").unwrap()[key].as_str().unwrap().to_owned()
        };
        assert_eq!(redirected("https://shop.io/new"), "https://web-pr-42.preview.example.com/new");
        assert_eq!(redirected("https://shop.io.example.org"), "https://shop.io.example.org");
    }

    #[test]
    fn the_baseline_says_the_class() {
        let plan = World::of([ingress().annotation(OLD_CLASS, "nginx")]).class("internal").plan();
        let copy = plan.find("Ingress/shop");
        assert_eq!(copy.text("/spec/ingressClassName"), Some("internal"));
        assert!(copy.get("/metadata/annotations").unwrap().get(OLD_CLASS).is_none());
        assert!(
            plan.said().contains(&"Ingress/shop spec.ingressClassName: nginx -> internal (hosts.ingressClassName of the Baseline)".into())
        );
    }

    #[test]
    fn otherwise_the_class_stays_where_it_stood() {
        let plan = World::of([ingress().annotation(OLD_CLASS, "nginx")]).plan();
        assert_eq!(plan.find("Ingress/shop").get("/metadata/annotations").unwrap()[OLD_CLASS], "nginx");
        let both = ingress().annotation(OLD_CLASS, "nginx").with("/spec/ingressClassName", json!("nginx"));
        let plan = World::of([both]).plan();
        assert!(plan.find("Ingress/shop").get("/metadata/annotations").unwrap().get(OLD_CLASS).is_none());
        assert_eq!(plan.find("Ingress/shop").text("/spec/ingressClassName"), Some("nginx"));
    }

    #[test]
    fn annotations_of_the_baseline_are_added() {
        let plan = World::of([ingress()]).annotated("cert-manager.io/cluster-issuer", "preview").plan();
        assert_eq!(plan.find("Ingress/shop").get("/metadata/annotations").unwrap()["cert-manager.io/cluster-issuer"], "preview");
    }
}
