//! Hosts of Ingresses (<https://kubernetes.io/docs/concepts/services-networking/ingress/>). Every host of an environment is a label under the Baseline's domain; nothing in it may answer to a
//! host of the baseline, or to every host.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::{ABSENT, Notes};
use crate::plan::answers::path_key;
use crate::plan::context::Context;
use crate::plan::hosts::{HostMap, Served, covers, rule_host};
use crate::plan::kinds::is_kind;
use crate::plan::manifest::{Manifest, set_in};
use crate::plan::pods::text;

const UNDER_DOMAIN: &str = "hosts are under the Baseline's domain";
const ANY_HOST: &str = "any host";
/// Where the host of a rule for any host stands until the rules are in order. Never in a plan.
const MOVED: &str = "moved";

pub(super) fn apply(manifest: &mut Manifest, context: &Context<'_>, notes: &mut Notes) {
    let Some(hosts) = context.hosts.as_ref().filter(|_| is_kind(manifest, "networking.k8s.io", "Ingress")) else { return };
    let baseline = manifest.clone();
    drop_wildcards(manifest, notes);
    rename_rules(manifest, hosts, notes);
    drop_answered_paths(manifest, context, notes);
    bind_default_backend(manifest, hosts, notes);
    rename_tls(manifest, &hosts.served(&baseline), notes);
    drop_missing_certificates(manifest, &context.secrets, notes);
}

fn drop_wildcards(ingress: &mut Manifest, notes: &mut Notes) {
    let Some(rules) = ingress.get_mut("/spec/rules").and_then(Value::as_array_mut) else { return };
    rules.retain(|rule| {
        let Some(host) = rule_host(rule).filter(|host| host.starts_with('*')) else { return true };
        notes.changed(format!("spec.rules[{host}]"), (host, ABSENT), "an environment has no hosts below its own");
        false
    });
}

/// Gives every rule its new host. A rule for any host then stands in the first one, behind the rules that name it, so
/// that those are asked first as they were.
fn rename_rules(ingress: &mut Manifest, hosts: &HostMap, notes: &mut Notes) {
    for (index, rule) in ingress.items_mut("/spec/rules").enumerate() {
        let before = rule_host(rule).map(str::to_owned);
        let Some(after) = hosts.get(before.as_deref()) else { continue };
        if before.as_deref() != Some(after) {
            notes.changed(format!("spec.rules[{index}].host"), (before.as_deref().unwrap_or(ANY_HOST), after), UNDER_DOMAIN);
        }
        set_in(rule, &[], if before.is_some() { "host" } else { MOVED }, json!(after));
    }
    let Some(rules) = ingress.get_mut("/spec/rules").and_then(Value::as_array_mut) else { return };
    rules.sort_by_key(|rule| rule.get(MOVED).is_some());
    for rule in rules.iter_mut().filter_map(Value::as_object_mut) {
        if let Some(host) = rule.remove(MOVED) {
            rule.insert("host".to_owned(), host);
        }
    }
}

/// One path of one host is answered by the first rule that has it, of the oldest Ingress; controllers refuse or ignore
/// the others.
fn drop_answered_paths(ingress: &mut Manifest, context: &Context<'_>, notes: &mut Notes) {
    let name = ingress.name();
    let mut answered = HashSet::new();
    for (index, rule) in ingress.items_mut("/spec/rules").enumerate() {
        let host = rule_host(rule).unwrap_or_default().to_owned();
        let Some(paths) = rule.pointer_mut("/http/paths").and_then(Value::as_array_mut) else { continue };
        paths.retain(|path| {
            let key = path_key(path);
            let is_lost = context.answers.as_ref().is_some_and(|answers| answers.is_lost(&name, &host, &key));
            let is_new = answered.insert((host.clone(), key));
            if is_lost || !is_new {
                let why = if is_lost {
                    "an older Ingress answers this path of the host"
                } else {
                    "an earlier rule answers this path of the host"
                };
                notes.changed(format!("spec.rules[{index}].http.paths"), (text(path, "path").unwrap_or("/"), ABSENT), why);
            }
            is_new && !is_lost
        });
    }
    if let Some(rules) = ingress.get_mut("/spec/rules").and_then(Value::as_array_mut) {
        // A rule may have no paths, and is then for the default backend; an empty list of them is refused.
        rules.retain(|rule| rule.pointer("/http/paths").and_then(Value::as_array).is_none_or(|paths| !paths.is_empty()));
    }
}

/// A default backend can answer to every host that reaches the controller, so it becomes the path `/` of the hosts that
/// have none, or of the first host.
fn bind_default_backend(ingress: &mut Manifest, hosts: &HostMap, notes: &mut Notes) {
    let Some(backend) = ingress.remove("/spec", "defaultBackend") else { return };
    let path = json!({"path": "/", "pathType": "Prefix", "backend": backend});
    if ingress.items("/spec/rules").next().is_none() {
        ingress.set(&["spec"], "rules", json!([{"host": hosts.first()}]));
    }
    let rooted = ingress.items("/spec/rules").filter(|r| has_root_path(r)).filter_map(rule_host);
    let mut answered: HashSet<String> = rooted.map(str::to_owned).collect();
    let mut bound = Vec::new();
    for rule in ingress.items_mut("/spec/rules") {
        let host = rule_host(rule).unwrap_or_default().to_owned();
        if answered.insert(host.clone()) {
            add_path(rule, &path);
            bound.push(host);
        }
    }
    let after = if bound.is_empty() { ABSENT.to_owned() } else { format!("path / of {}", bound.join(", ")) };
    notes.changed("spec.defaultBackend", ("for everything else", &after), UNDER_DOMAIN);
}

fn paths(rule: &Value) -> impl Iterator<Item = &Value> {
    rule.pointer("/http/paths").and_then(Value::as_array).into_iter().flatten()
}

fn has_root_path(rule: &Value) -> bool {
    paths(rule).any(|p| text(p, "path").is_none_or(|p| p == "/") && text(p, "pathType") != Some("Exact"))
}

fn add_path(rule: &mut Value, path: &Value) {
    let all: Vec<Value> = paths(rule).chain([path]).cloned().collect();
    set_in(rule, &["http"], "paths", json!(all));
}

fn rename_tls(ingress: &mut Manifest, served: &[Served<'_>], notes: &mut Notes) {
    let Some(entries) = ingress.get_mut("/spec/tls").and_then(Value::as_array_mut) else { return };
    let mut index = 0_usize..;
    entries.retain_mut(|entry| {
        let path = format!("spec.tls[{}].hosts", index.next().unwrap_or_default());
        rename_tls_entry(entry, &path, served, notes)
    });
    if entries.is_empty() {
        ingress.remove("/spec", "tls");
    }
}

/// Whether the entry is still for a host.
fn rename_tls_entry(entry: &mut Value, path: &str, served: &[Served<'_>], notes: &mut Notes) -> bool {
    let before: Vec<String> = entry.get("hosts").and_then(Value::as_array).into_iter().flatten().map(super::shown).collect();
    if before.is_empty() {
        return true;
    }
    let mut after: Vec<&str> = Vec::new();
    for (_, new) in served.iter().filter(|(old, _)| covers(entry, *old)) {
        if !after.contains(new) {
            after.push(new);
        }
    }
    let (old, new) = (before.join(", "), if after.is_empty() { ABSENT.to_owned() } else { after.join(", ") });
    if old != new {
        notes.changed(path, (&old, &new), UNDER_DOMAIN);
    }
    entry["hosts"] = json!(after);
    !after.is_empty()
}

fn drop_missing_certificates(ingress: &mut Manifest, secrets: &HashSet<String>, notes: &mut Notes) {
    for (index, entry) in ingress.items_mut("/spec/tls").enumerate() {
        let Some(entry) = entry.as_object_mut() else { continue };
        if entry.get("secretName").and_then(Value::as_str).is_none_or(|name| secrets.contains(name)) {
            continue;
        }
        if let Some(before) = entry.remove("secretName") {
            let why = "not in clone.secrets: the ingress controller's own certificate serves";
            notes.removed(format!("spec.tls[{index}].secretName"), &before, why);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::plan::Manifest;
    use crate::plan::sample::{World, object};

    fn ingress(spec: Value) -> Manifest {
        object("networking.k8s.io/v1", "Ingress", "shop").with("/spec", spec)
    }

    fn paths(path: &str, service: &str) -> Value {
        json!({"paths": [{"path": path, "pathType": "Prefix", "backend": {"service": {"name": service, "port": {"number": 80}}}}]})
    }

    #[test]
    fn rules_and_certificates_get_the_new_hosts() {
        let plan = World::of([
            ingress(json!({
                "rules": [{"host": "shop.io", "http": paths("/", "web")}, {"host": "api.shop.io", "http": paths("/", "api")}],
                "tls": [{"hosts": ["*.shop.io"], "secretName": "wild"}, {"hosts": ["shop.io"], "secretName": "listed"}, {"hosts": ["old.io"]}],
            })),
            object("v1", "Secret", "listed"),
        ])
        .plan();
        let spec = &plan.find("Ingress/shop").value()["spec"];
        assert_eq!(spec["rules"][0]["host"], "web-pr-42.preview.example.com");
        assert_eq!(spec["rules"][1]["host"], "api-web-pr-42.preview.example.com");
        let tls = json!([
            {"hosts": ["api-web-pr-42.preview.example.com"]},
            {"hosts": ["web-pr-42.preview.example.com"], "secretName": "listed"},
        ]);
        assert_eq!(spec["tls"], tls);
    }

    #[test]
    fn wildcard_rules_are_dropped_and_an_ingress_of_nothing_else_is_left_out() {
        let wildcard = json!({"host": "*.shop.io", "http": paths("/", "web")});
        let plan = World::of([ingress(json!({"rules": [wildcard, {"host": "shop.io"}]}))]).plan();
        assert_eq!(plan.find("Ingress/shop").items("/spec/rules").count(), 1);
        let plan = World::of([ingress(json!({"rules": [wildcard]}))]).plan();
        assert!(plan.plan.stages.is_empty() && plan.plan.urls.is_empty());
        assert!(plan.said()[0].contains("*.shop.io"), "{:?}", plan.said());
    }

    #[test]
    fn a_catch_all_serves_the_first_host_alone() {
        let backend = json!({"service": {"name": "web", "port": {"number": 80}}});
        let plan = World::of([ingress(json!({"defaultBackend": backend}))]).plan();
        let copy = plan.find("Ingress/shop");
        let rules = json!([{"host": "web-pr-42.preview.example.com", "http": paths("/", "web")}]);
        assert_eq!(copy.get("/spec").unwrap(), &json!({ "rules": rules }));
        assert_eq!(plan.plan.urls[0].url, "http://web-pr-42.preview.example.com");
    }

    #[test]
    fn a_catch_all_beside_named_hosts_is_left_out() {
        let backend = json!({"service": {"name": "web", "port": {"number": 80}}});
        let other = ingress(json!({"defaultBackend": backend})).with("/metadata/name", json!("rest"));
        let plan = World::of([other, ingress(json!({"rules": [{"host": "shop.io"}]}))]).plan();
        assert_eq!(plan.said()[0], "Ingress/rest left out: serves hosts that nothing else names, and an environment has none");
    }

    #[test]
    fn a_default_backend_beside_rules_answers_their_hosts_only() {
        let spec = json!({
            "defaultBackend": {"service": {"name": "web", "port": {"number": 80}}},
            "rules": [{"host": "shop.io", "http": paths("/api", "api")}, {"host": "b.io", "http": paths("/", "b")}, {"host": "c.io"}],
        });
        let plan = World::of([ingress(spec)]).plan();
        let spec = &plan.find("Ingress/shop").value()["spec"];
        assert!(spec.get("defaultBackend").is_none());
        let services = |rule: usize| {
            let paths = spec["rules"][rule]["http"]["paths"].as_array().unwrap();
            paths.iter().map(|p| p["backend"]["service"]["name"].as_str().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!((services(0), services(1), services(2)), (vec!["api", "web"], vec!["b"], vec!["web"]));
    }

    #[test]
    fn a_rule_without_a_host_gets_the_first() {
        let plan = World::of([ingress(json!({"rules": [{"http": paths("/", "web")}], "tls": [{"hosts": ["shop.io"]}]}))]).plan();
        assert_eq!(plan.plan.urls[0].url, "https://web-pr-42.preview.example.com");
        assert_eq!(plan.find("Ingress/shop").text("/spec/tls/0/hosts/0"), Some("web-pr-42.preview.example.com"));
    }

    #[test]
    fn where_a_rule_for_any_host_meets_the_first_host_the_named_one_is_asked_first() {
        let spec = json!({
            "defaultBackend": {"service": {"name": "rest", "port": {"number": 80}}},
            "rules": [{"http": paths("/", "any")}, {"http": paths("/docs", "docs")}, {"host": "shop.io", "http": paths("/", "web")}],
        });
        let plan = World::of([ingress(spec)]).plan();
        let host = "web-pr-42.preview.example.com";
        let rules = json!([{"host": host, "http": paths("/", "web")}, {"host": host, "http": paths("/docs", "docs")}]);
        assert_eq!(plan.find("Ingress/shop").get("/spec").unwrap(), &json!({ "rules": rules }));
        assert!(
            plan.said()
                .contains(&"Ingress/shop spec.rules[1].http.paths: / -> (none) (an earlier rule answers this path of the host)".into())
        );
    }

    #[test]
    fn without_a_domain_no_ingress_is_cloned() {
        let plan = World::of([ingress(json!({"rules": [{"host": "shop.io"}]}))]).without_domain().plan();
        assert_eq!(plan.said(), ["Ingress/shop left out: the Baseline has no hosts.domain"]);
    }
}
