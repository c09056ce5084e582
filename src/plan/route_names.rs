//! References of Gateway API routes, and what they mean where something is not said.
//! <https://gateway-api.sigs.k8s.io/reference/spec/>

use serde_json::Value;

use super::manifest::Manifest;
use super::pods::{list, text};

/// Whether a reference leads to another namespace than that one.
pub(super) fn is_elsewhere(reference: &Value, namespace: &str) -> bool {
    text(reference, "namespace").is_some_and(|other| other != namespace)
}

/// Whether a rule does something without its backends in other namespaces.
pub(super) fn leads_somewhere(rule: &Value, namespace: &str) -> bool {
    let redirects = list(rule, "filters").any(|filter| text(filter, "type") == Some("RequestRedirect"));
    let mut backends = list(rule, "backendRefs").peekable();
    redirects || backends.peek().is_none() || backends.any(|backend| !is_elsewhere(backend, namespace))
}

/// Whether a parent is a Service: the route is then for calls inside a mesh (GEP-1294).
pub(super) fn is_service_parent(parent: &Value) -> bool {
    text(parent, "kind") == Some("Service")
}

/// Whether every parent of a route is a Service.
pub(super) fn is_mesh_route(route: &Manifest) -> bool {
    let mut parents = route.items("/spec/parentRefs").peekable();
    parents.peek().is_some() && parents.all(is_service_parent)
}

/// The objects of other kinds that the filters of a route name, always in its own namespace.
pub(super) fn extensions(route: &Manifest) -> Vec<&Value> {
    let mut found = Vec::new();
    for rule in route.items("/spec/rules") {
        found.extend(list(rule, "filters").filter_map(|filter| filter.get("extensionRef")));
        for backend in list(rule, "backendRefs") {
            found.extend(list(backend, "filters").filter_map(|filter| filter.get("extensionRef")));
        }
    }
    found
}

/// Whether a route is reached without TLS by what its parent says of itself: port 80, or a listener called after it
/// (`web` is Traefik's). Gateways are not read, so anything else is taken to have a certificate.
pub(super) fn is_plain(parent: &Value) -> bool {
    let section = text(parent, "sectionName").unwrap_or_default();
    let is_http = section == "web" || (section.starts_with("http") && !section.starts_with("https"));
    is_http || parent.get("port").and_then(Value::as_i64) == Some(80)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_rule_leads_somewhere_by_a_backend_here_or_a_redirect() {
        let away = json!({"name": "web", "namespace": "other"});
        assert!(!leads_somewhere(&json!({"backendRefs": [away]}), "shop"));
        assert!(leads_somewhere(&json!({"backendRefs": [away, {"name": "web"}]}), "shop"));
        assert!(leads_somewhere(&json!({"backendRefs": [away], "filters": [{"type": "RequestRedirect"}]}), "shop"));
        assert!(leads_somewhere(&json!({}), "shop"));
    }

    #[test]
    fn a_listener_says_whether_it_is_plain() {
        for (parent, plain) in [
            (json!({"sectionName": "http"}), true),
            (json!({"sectionName": "https-shop"}), false),
            (json!({"port": 80}), true),
            (json!({"name": "g"}), false),
        ] {
            assert_eq!(is_plain(&parent), plain, "{parent}");
        }
    }
}
