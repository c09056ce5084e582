//! Routes of the Gateway API that an environment has no host for, and those whose every backend is in another
//! namespace: a backend there needs a grant that names the route's namespace, and a copy has none.
//! <https://gateway-api.sigs.k8s.io/api-types/referencegrant/>

use super::ingresses::{NO_DOMAIN, only_wildcards};
use super::{Facts, because};
use crate::plan::decision::LeftOutReason;
use crate::plan::hosts::serves_hosts;
use crate::plan::kinds::is_route;
use crate::plan::manifest::Manifest;
use crate::plan::pods::list;
use crate::plan::route_names::{is_elsewhere, leads_somewhere};

pub(super) fn reason(object: &Manifest, facts: &Facts<'_>) -> Option<LeftOutReason> {
    if !is_route(object) {
        return None;
    }
    if facts.target.baseline.hosts.is_none() && serves_hosts(object) {
        return because(NO_DOMAIN);
    }
    let hosts: Vec<_> = object.items("/spec/hostnames").map(serde_json::Value::as_str).collect();
    if !hosts.is_empty()
        && let Some(reason) = only_wildcards(&hosts)
    {
        return Some(reason);
    }
    elsewhere(object, &facts.target.baseline.namespace)
}

fn elsewhere(route: &Manifest, namespace: &str) -> Option<LeftOutReason> {
    let mut rules = route.items("/spec/rules").peekable();
    rules.peek()?;
    if rules.any(|rule| leads_somewhere(rule, namespace)) {
        return None;
    }
    let away = route.items("/spec/rules").flat_map(|rule| list(rule, "backendRefs")).find(|backend| is_elsewhere(backend, namespace))?;
    let text = |key: &str| away.get(key).and_then(serde_json::Value::as_str).unwrap_or("?");
    because(format!("leads to other namespaces alone, such as {} in {}", text("name"), text("namespace")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::plan::sample::{World, http_route};

    #[test]
    fn a_route_without_a_host_or_a_backend_of_ours_is_left_out() {
        let away = json!([{"backendRefs": [{"name": "web", "namespace": "other", "port": 80}]}]);
        let routes = [http_route("a", &["*.shop.io"]), http_route("b", &["shop.io"]).with("/spec/rules", away)];
        assert_eq!(
            World::of(routes.clone()).plan().said(),
            [
                "HTTPRoute/a left out: serves *.shop.io, and an environment has no hosts below its own",
                "HTTPRoute/b left out: leads to other namespaces alone, such as web in other",
            ]
        );
        let said = World::of(routes).without_domain().plan().said();
        assert!(said.iter().all(|line| line.ends_with("the Baseline has no hosts.domain")));
    }
}
