//! `hosts.expose`: a host for a Service that no route of the baseline leads to, such as one of type `LoadBalancer`. It gets
//! an Ingress, or an `HTTPRoute` where the Baseline names a Gateway, which goes through the same rules as a copied one.

use serde_json::{Value, json};

use super::decision::Decision;
use super::kinds::is_kind;
use super::manifest::{Manifest, ObjectName};
use super::types::Target;
use crate::domain::baseline::{Expose, Hosts};

const PREFIX: &str = "preview-env-expose-";
/// Behind every time that the API server writes: what is in the baseline comes first.
const LAST: &str = "~";
/// Under which the Service's name stands until it has its host. Nobody has it (RFC 6761).
const PLACE: &str = "expose.invalid";

/// Routes to the exposed Services, as if the baseline had them.
pub(super) fn routes(cloned: &[&Manifest], target: &Target<'_>) -> Vec<Manifest> {
    let Some(hosts) = &target.baseline.hosts else { return Vec::new() };
    let route = |expose: &Expose| Some(route(expose, port(cloned, expose)?, hosts, &target.baseline.namespace));
    hosts.expose.iter().filter_map(route).collect()
}

/// Whether an object is one of those routes.
pub(super) fn is_exposure(object: &ObjectName) -> bool {
    object.name.starts_with(PREFIX) && matches!(object.kind.as_str(), "Ingress" | "HTTPRoute")
}

/// What is said of them: that they are there, instead of how they came to be.
pub(super) fn summed_up(decisions: Vec<Decision>) -> Vec<Decision> {
    let (ours, mut others): (Vec<_>, Vec<_>) = decisions.into_iter().partition(|d| is_exposure(d.object()) && !d.is_left_out());
    let mut names: Vec<ObjectName> = ours.into_iter().map(|d| d.object().clone()).collect();
    names.dedup();
    others.extend(names.into_iter().map(|object| {
        let service = object.name.trim_start_matches(PREFIX).to_owned();
        Decision::Added { object, why: format!("gives Service/{service} a host (hosts.expose)") }
    }));
    others
}

/// What of `hosts.expose` leads nowhere.
pub(super) fn warnings(cloned: &[&Manifest], target: &Target<'_>) -> Vec<String> {
    let exposed = target.baseline.hosts.iter().flat_map(|hosts| &hosts.expose);
    let missing = exposed.filter(|expose| port(cloned, expose).is_none());
    missing.map(|e| format!("hosts.expose: Service/{} is not in the environment, or has no such port", e.service)).collect()
}

/// The port that is meant: the first one where none is said.
fn port(cloned: &[&Manifest], expose: &Expose) -> Option<i64> {
    let service = cloned.iter().find(|o| is_kind(o, "", "Service") && o.text("/metadata/name") == Some(&expose.service))?;
    let mut ports = service.items("/spec/ports").filter_map(|port| port.get("port")?.as_i64());
    ports.find(|port| expose.port.is_none_or(|wanted| i64::from(wanted) == *port))
}

fn route(expose: &Expose, port: i64, hosts: &Hosts, namespace: &str) -> Manifest {
    let host = format!("{}.{PLACE}", expose.service);
    let metadata = json!({"name": format!("{PREFIX}{}", expose.service), "namespace": namespace, "creationTimestamp": LAST});
    if hosts.gateway.is_some() {
        let rules = json!([{"backendRefs": [{"name": expose.service, "port": port}]}]);
        return of_kind("gateway.networking.k8s.io/v1", "HTTPRoute", &metadata, &json!({"hostnames": [host], "rules": rules}));
    }
    let backend = json!({"service": {"name": expose.service, "port": {"number": port}}});
    let rule = json!({"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}});
    let mut spec = json!({"rules": [rule]});
    if expose.tls {
        // Without a Secret it is the controller's own certificate, which is the wildcard one.
        spec["tls"] = json!([{"hosts": [host]}]);
    }
    of_kind("networking.k8s.io/v1", "Ingress", &metadata, &spec)
}

fn of_kind(api_version: &str, kind: &str, metadata: &Value, spec: &Value) -> Manifest {
    Manifest::new(json!({"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec}))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::api::baseline::Gateway;
    use crate::domain::baseline::Expose;
    use crate::plan::sample::{World, deployment, object, service};

    fn exposing(port: Option<i32>, tls: bool) -> World {
        let expose = Expose { service: "web".into(), port, tls };
        World::of([service("web"), deployment("web")]).baseline(|b| b.hosts.as_mut().unwrap().expose = vec![expose])
    }

    #[test]
    fn a_service_without_a_route_gets_a_host() {
        let plan = exposing(None, true).plan();
        let ingress = plan.find("Ingress/preview-env-expose-web");
        assert_eq!(ingress.text("/spec/rules/0/host"), Some("web-pr-42.preview.example.com"));
        assert_eq!(ingress.get("/spec/rules/0/http/paths/0/backend/service/port/number"), Some(&json!(80)));
        assert_eq!(plan.plan.urls[0].url, "https://web-pr-42.preview.example.com");
        assert!(plan.said().contains(&"Ingress/preview-env-expose-web added: gives Service/web a host (hosts.expose)".to_owned()));
    }

    #[test]
    fn it_never_takes_the_first_host_from_a_route_of_the_baseline() {
        let rules = json!([{"host": "shop.example.com", "http": {"paths": [{"path": "/", "pathType": "Prefix",
            "backend": {"service": {"name": "shop", "port": {"number": 80}}}}]}}]);
        let mut world = exposing(None, false);
        world.snapshot.objects.push(object("networking.k8s.io/v1", "Ingress", "shop").with("/spec/rules", rules));
        let hosts: Vec<_> = world.plan().plan.urls.into_iter().map(|u| u.url).collect();
        assert_eq!(hosts, ["http://web-pr-42.preview.example.com", "http://web-web-pr-42.preview.example.com"]);
    }

    #[test]
    fn with_a_gateway_it_is_a_route() {
        let gateway = Gateway { name: "public".into(), namespace: "infra".into(), section_name: None };
        let plan = exposing(Some(80), false).baseline(|b| b.hosts.as_mut().unwrap().gateway = Some(gateway)).plan();
        let route = plan.find("HTTPRoute/preview-env-expose-web");
        assert_eq!(route.get("/spec/hostnames"), Some(&json!(["web-pr-42.preview.example.com"])));
        assert_eq!(route.text("/spec/parentRefs/0/name"), Some("public"));
    }

    #[test]
    fn what_leads_nowhere_is_a_warning() {
        let plan = exposing(Some(9), false).plan();
        assert!(plan.plan.urls.is_empty());
        assert_eq!(plan.plan.warnings, ["hosts.expose: Service/web is not in the environment, or has no such port"]);
    }
}
