//! Host names of Gateway API routes: as those of Ingresses, each is one label under the Baseline's domain. A route without
//! any answers to every host of its Gateway, so it gets the first.
//! <https://gateway-api.sigs.k8s.io/reference/spec/#httproutespec>

use serde_json::{Value, json};

use super::{ABSENT, Notes, shown};
use crate::plan::answers::{Answers, match_key, matches};
use crate::plan::context::Context;
use crate::plan::hosts::{HostMap, serves_hosts};
use crate::plan::kinds::is_route;
use crate::plan::manifest::Manifest;

const UNDER_DOMAIN: &str = "hosts are under the Baseline's domain";

pub(super) fn apply(manifest: &mut Manifest, context: &Context<'_>, notes: &mut Notes) {
    let Some(hosts) = context.hosts.as_ref().filter(|_| is_route(manifest)) else { return };
    rename_filters(manifest, hosts, notes);
    if !serves_hosts(manifest) {
        return;
    }
    rename(manifest, hosts, notes);
    if let Some(answers) = &context.answers {
        drop_answered(manifest, answers, notes);
    }
}

fn rename(route: &mut Manifest, hosts: &HostMap, notes: &mut Notes) {
    let before: Vec<String> = route.items("/spec/hostnames").map(shown).collect();
    let mut after: Vec<String> = Vec::new();
    for (_, new) in hosts.served(route) {
        if !after.iter().any(|host| host == new) {
            after.push(new.to_owned());
        }
    }
    let old = if before.is_empty() { "any host".to_owned() } else { before.join(", ") };
    let new = after.join(", ");
    if old != new {
        notes.changed("spec.hostnames", (&old, &new), UNDER_DOMAIN);
    }
    route.set(&["spec"], "hostnames", json!(after));
}

/// A redirect to a host of the baseline would lead the reader out of the preview, and a rewritten host its backend.
fn rename_filters(route: &mut Manifest, hosts: &HostMap, notes: &mut Notes) {
    for (index, rule) in route.items_mut("/spec/rules").enumerate() {
        let filters = rule.get_mut("filters").and_then(Value::as_array_mut).into_iter().flatten();
        for filter in filters {
            for kind in ["requestRedirect", "urlRewrite"] {
                let Some(host) = filter.get_mut(kind).and_then(|f| f.get_mut("hostname")) else { continue };
                let Some(after) = host.as_str().and_then(|before| hosts.get(Some(before))) else { continue };
                notes.changed(format!("spec.rules[{index}].filters[{kind}].hostname"), (&shown(host), after), UNDER_DOMAIN);
                *host = json!(after);
            }
        }
    }
}

/// What an older route answers under all of the hosts.
fn drop_answered(route: &mut Manifest, answers: &Answers, notes: &mut Notes) {
    let name = route.name();
    let hosts: Vec<String> = route.items("/spec/hostnames").map(shown).collect();
    let Some(rules) = route.get_mut("/spec/rules").and_then(Value::as_array_mut) else { return };
    let mut index = 0_usize..;
    rules.retain_mut(|rule| {
        let at = index.next().unwrap_or_default();
        let (lost, kept): (Vec<Value>, Vec<Value>) = matches(rule).into_iter().partition(|entry| {
            let key = match_key(entry);
            hosts.iter().all(|host| answers.is_lost(&name, host, &key))
        });
        for entry in &lost {
            let path = entry.pointer("/path/value").and_then(Value::as_str).unwrap_or("/");
            notes.changed(format!("spec.rules[{at}].matches"), (path, ABSENT), "an older route answers this path of the host");
        }
        if !lost.is_empty() && !kept.is_empty() {
            rule["matches"] = json!(kept);
        }
        !kept.is_empty()
    });
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::plan::sample::{World, http_route, object};

    #[test]
    fn names_and_redirects_move_under_the_domain() {
        let filters = json!([{"filters": [
            {"type": "RequestRedirect", "requestRedirect": {"hostname": "shop.io"}},
            {"type": "URLRewrite", "urlRewrite": {"hostname": "legacy.example.com"}},
        ]}]);
        let web = http_route("web", &["www.shop.io", "shop.io", "*.shop.io"]).with("/spec/rules", filters);
        let plan = World::of([web]).plan();
        let spec = plan.find("HTTPRoute/web").get("/spec").unwrap();
        assert_eq!(spec["hostnames"], json!(["web-pr-42.preview.example.com", "shop-web-pr-42.preview.example.com"]));
        let filters = &spec["rules"][0]["filters"];
        assert_eq!(filters[0]["requestRedirect"]["hostname"], "shop-web-pr-42.preview.example.com");
        assert_eq!(filters[1]["urlRewrite"]["hostname"], "legacy.example.com");
    }

    #[test]
    fn a_route_for_any_host_gets_the_first_and_loses_what_is_answered() {
        let backend = json!([{"name": "web", "port": 80}]);
        let rules = json!([
            {"matches": [{"path": {"type": "PathPrefix", "value": "/"}}, {"path": {"value": "/docs"}}], "backendRefs": backend},
            {"backendRefs": backend},
        ]);
        let any = http_route("any", &[]).with("/spec/rules", rules).with("/metadata/creationTimestamp", json!("2025-01-01"));
        let plan = World::of([any, http_route("web", &["shop.io"])]).plan();
        let spec = plan.find("HTTPRoute/any").get("/spec").unwrap();
        assert_eq!(spec["hostnames"], json!(["web-pr-42.preview.example.com"]));
        assert_eq!(spec["rules"], json!([{"matches": [{"path": {"value": "/docs"}}], "backendRefs": backend}]));
        let lost = "(an older route answers this path of the host)";
        assert_eq!(plan.said().iter().filter(|line| line.ends_with(lost)).count(), 2);
    }

    #[test]
    fn a_route_of_a_mesh_keeps_its_names() {
        let inner = http_route("inner", &[]).with("/spec/parentRefs", json!([{"group": "", "kind": "Service", "name": "web", "port": 80}]));
        let service = crate::plan::sample::service("web");
        let plan = World::of([inner, service, object("v1", "ConfigMap", "c")]).plan();
        assert!(plan.find("HTTPRoute/inner").items("/spec/hostnames").next().is_none());
        assert!(plan.plan.urls.is_empty());
    }
}
