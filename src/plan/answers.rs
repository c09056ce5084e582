//! Who answers which path, where several objects claim it: what names the host comes before what is for any host, then
//! the oldest.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::hosts::{HostMap, by_age, rule_host};
use super::kinds::is_route;
use super::manifest::{Manifest, ObjectName, at};
use super::pods::{list, text};

/// One path of one host of the environment. Ingresses and routes go through different controllers, so they never meet.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct Claim {
    kind: String,
    host: String,
    path: String,
}

/// The answer for everything that is claimed.
pub(super) struct Answers {
    winners: HashMap<Claim, ObjectName>,
    claims: HashMap<ObjectName, Vec<Claim>>,
}

impl Answers {
    /// Of all that serves hosts.
    pub fn of(serving: &[&Manifest], hosts: &HostMap) -> Self {
        let mut answers = Self { winners: HashMap::new(), claims: HashMap::new() };
        let sorted = by_age(serving);
        for named in [true, false] {
            for object in &sorted {
                for (old, host) in hosts.served(object).into_iter().filter(|(old, _)| old.is_some() == named) {
                    answers.claim(object, old, host);
                }
            }
        }
        answers
    }

    fn claim(&mut self, object: &Manifest, old: Option<&str>, host: &str) {
        for path in paths(object, old) {
            let claim = Claim { kind: object.kind().to_owned(), host: host.to_owned(), path };
            self.winners.entry(claim.clone()).or_insert_with(|| object.name());
            self.claims.entry(object.name()).or_default().push(claim);
        }
    }

    /// Whether another object than this one answers that path of that host.
    pub fn is_lost(&self, object: &ObjectName, host: &str, path: &str) -> bool {
        let claim = Claim { kind: object.kind.clone(), host: host.to_owned(), path: path.to_owned() };
        self.winners.get(&claim).is_some_and(|winner| winner != object)
    }

    /// The object that answers, where others answer everything that this one claims.
    pub fn answered_by_others(&self, object: &Manifest) -> Option<&ObjectName> {
        let name = object.name();
        let winners: Vec<_> = self.claims.get(&name)?.iter().filter_map(|claim| self.winners.get(claim)).collect();
        let has_more = object.get("/spec/defaultBackend").is_some();
        winners.first().copied().filter(|_| !has_more && winners.iter().all(|winner| **winner != name))
    }
}

fn paths(object: &Manifest, host: Option<&str>) -> Vec<String> {
    if is_route(object) {
        return object.items("/spec/rules").flat_map(matches).map(|m| match_key(&m)).collect();
    }
    let rules = object.items("/spec/rules").filter(|rule| rule_host(rule) == host);
    rules.flat_map(|rule| at(rule, "/http/paths").and_then(Value::as_array).into_iter().flatten()).map(path_key).collect()
}

/// What tells one path of an Ingress from another.
pub(super) fn path_key(path: &Value) -> String {
    format!("{} {}", text(path, "pathType").unwrap_or_default(), text(path, "path").unwrap_or("/"))
}

/// The matches of a route's rule; a rule without any matches everything.
pub(super) fn matches(rule: &Value) -> Vec<Value> {
    let all: Vec<Value> = list(rule, "matches").cloned().collect();
    if all.is_empty() { vec![json!({})] } else { all }
}

/// What tells one match of a route from another, with the defaults of the API written out.
pub(super) fn match_key(entry: &Value) -> String {
    let mut entry = entry.clone();
    if let Some(map) = entry.as_object_mut() {
        let path = map.entry("path").or_insert(json!({}));
        if let Some(path) = path.as_object_mut() {
            path.entry("type").or_insert(json!("PathPrefix"));
            path.entry("value").or_insert(json!("/"));
        }
    }
    entry.to_string()
}
