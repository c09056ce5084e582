//! What Gateway API routes are attached to. A parent without a namespace is one of the route's own, which is the
//! baseline's; the copy says so, or it would look for a Gateway that is not cloned. `hosts.gateway` of the Baseline
//! replaces it. A Gateway must allow routes from the environments' namespaces (`listeners[].allowedRoutes`).
//! <https://gateway-api.sigs.k8s.io/concepts/api-overview/#attaching-routes-to-gateways>

use serde_json::{Value, json};

use super::{ABSENT, Notes};
use crate::api::baseline::Gateway;
use crate::plan::context::Context;
use crate::plan::kinds::is_route;
use crate::plan::manifest::Manifest;
use crate::plan::pods::text;
use crate::plan::route_names::{is_mesh_route, is_service_parent};

pub(super) fn apply(manifest: &mut Manifest, context: &Context<'_>, notes: &mut Notes) {
    if !is_route(manifest) {
        return;
    }
    let gateway = context.target.baseline.hosts.as_ref().and_then(|hosts| hosts.gateway.as_ref());
    match gateway.filter(|_| !is_mesh_route(manifest)) {
        Some(gateway) => attach(manifest, gateway, notes),
        None => say_namespaces(manifest, &context.target.baseline.namespace, notes),
    }
}

fn attach(route: &mut Manifest, gateway: &Gateway, notes: &mut Notes) {
    let mut parent = json!({"name": gateway.name, "namespace": gateway.namespace});
    if let Some(section) = &gateway.section_name {
        parent["sectionName"] = json!(section);
    }
    let before: Vec<String> = route.items("/spec/parentRefs").map(|parent| named(parent, ABSENT)).collect();
    let after = named(&parent, ABSENT);
    if before != [after.clone()] {
        notes.changed("spec.parentRefs", (&before.join(", "), &after), "hosts.gateway of the Baseline");
    }
    route.set(&["spec"], "parentRefs", json!([parent]));
}

fn say_namespaces(route: &mut Manifest, namespace: &str, notes: &mut Notes) {
    for (index, parent) in route.items_mut("/spec/parentRefs").enumerate() {
        let path = format!("spec.parentRefs[{index}].namespace");
        let said = text(parent, "namespace").map(str::to_owned);
        if is_service_parent(parent) {
            if said.as_deref() == Some(namespace) {
                remove(parent);
                notes.changed(path, (namespace, ABSENT), "the environment has a Service of its own");
            }
        } else if said.is_none() {
            parent["namespace"] = json!(namespace);
            notes.changed(path, (ABSENT, namespace), "the Gateway is the baseline's");
        }
    }
}

fn remove(parent: &mut Value) {
    if let Some(parent) = parent.as_object_mut() {
        parent.remove("namespace");
    }
}

fn named(parent: &Value, absent: &str) -> String {
    let name = text(parent, "name").unwrap_or(absent);
    let space = text(parent, "namespace").map(|space| format!("{space}/")).unwrap_or_default();
    let section = text(parent, "sectionName").map(|section| format!(":{section}")).unwrap_or_default();
    format!("{space}{name}{section}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::api::baseline::Gateway;
    use crate::plan::sample::{World, http_route, service};

    #[test]
    fn a_gateway_of_the_baseline_is_named_in_full() {
        let parents = json!([{"name": "edge"}, {"name": "shared", "namespace": "infra", "sectionName": "https"}]);
        let plan = World::of([http_route("web", &["shop.io"]).with("/spec/parentRefs", parents)]).plan();
        let expected = json!([{"name": "edge", "namespace": "shop"}, {"name": "shared", "namespace": "infra", "sectionName": "https"}]);
        assert_eq!(plan.find("HTTPRoute/web").get("/spec/parentRefs"), Some(&expected));
    }

    #[test]
    fn the_baseline_names_another() {
        let gateway = Gateway { name: "preview".into(), namespace: "infra".into(), section_name: Some("http".into()) };
        let world = World::of([http_route("web", &["shop.io"])]).baseline(|b| b.hosts.as_mut().unwrap().gateway = Some(gateway));
        let plan = world.plan();
        let expected = json!([{"name": "preview", "namespace": "infra", "sectionName": "http"}]);
        assert_eq!(plan.find("HTTPRoute/web").get("/spec/parentRefs"), Some(&expected));
        let said = "HTTPRoute/web spec.parentRefs: edge -> infra/preview:http (hosts.gateway of the Baseline)";
        assert!(plan.said().contains(&said.to_owned()), "{:?}", plan.said());
        assert_eq!(plan.plan.urls[0].url, "http://web-pr-42.preview.example.com");
    }

    #[test]
    fn a_mesh_is_told_of_the_environment_s_own_service() {
        let parents = json!([{"group": "", "kind": "Service", "name": "web", "namespace": "shop"}]);
        let plan = World::of([http_route("web", &[]).with("/spec/parentRefs", parents), service("web")]).plan();
        assert!(plan.find("HTTPRoute/web").get("/spec/parentRefs/0/namespace").is_none());
    }
}
