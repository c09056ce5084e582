//! Which host of the environment stands for which host of the baseline, and the URLs that follow.

use std::collections::HashSet;

use serde_json::Value;

use super::kinds::{is_kind, is_route};
use super::manifest::Manifest;
use super::pods::text;
use super::route_names::{is_mesh_route, is_plain, is_service_parent};
use super::types::Target;
use crate::api::status::Url;
use crate::domain::baseline::Hosts;
use crate::domain::names::{hashed_host_label, host_label};
use crate::domain::slug::hash8;

/// New hosts for old ones.
pub(super) struct HostMap {
    first: String,
    named: Vec<(String, String)>,
    /// Whether the listener that all routes are attached to has TLS, where the Baseline says one.
    attached_with_tls: Option<bool>,
}

/// One host that an Ingress or a route serves: the baseline's, absent for a rule without a host, and the environment's.
pub(super) type Served<'a> = (Option<&'a str>, &'a str);

impl HostMap {
    /// Gives every host of the Ingresses and routes a new one. The oldest comes first, so that one more never changes
    /// what the others have.
    pub fn of(cloned: &[&Manifest], target: &Target<'_>) -> Option<Self> {
        let hosts = target.baseline.hosts.as_ref()?;
        let chooser = Names { target, hosts };
        let mut taken = HashSet::new();
        let first = chooser.choose(None, &mut taken);
        let mut named: Vec<(String, String)> = Vec::new();
        for host in by_age(cloned).into_iter().flat_map(named_hosts) {
            if named.iter().all(|(old, _)| old != host) {
                let new = if named.is_empty() { first.clone() } else { chooser.choose(Some(host), &mut taken) };
                named.push((host.to_owned(), new));
            }
        }
        let section = hosts.gateway.as_ref().map(|gateway| serde_json::json!({ "sectionName": gateway.section_name }));
        Some(Self { first, named, attached_with_tls: section.map(|section| !is_plain(&section)) })
    }

    /// The host that stands for the baseline's first one and for rules without a host.
    pub fn first(&self) -> &str {
        &self.first
    }

    /// Every host of the baseline with the environment's.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.named.iter().map(|(old, new)| (old.as_str(), new.as_str()))
    }

    /// The new host of a rule with that host. Absent for a host that has none, such as one with a wildcard.
    pub fn get(&self, old: Option<&str>) -> Option<&str> {
        match old {
            None => Some(&self.first),
            Some(old) => self.named.iter().find(|(named, _)| named == old).map(|(_, new)| new.as_str()),
        }
    }

    /// All hosts that an Ingress or a route serves.
    pub fn served<'a>(&'a self, object: &'a Manifest) -> Vec<Served<'a>> {
        let hosts: Vec<_> = entries(object).map(host_of).collect();
        let hosts = if hosts.is_empty() { vec![None] } else { hosts };
        hosts.into_iter().filter_map(|old| Some((old, self.get(old)?))).collect()
    }

    /// Where the environment is reached, the first host first.
    pub fn urls(&self, cloned: &[&Manifest]) -> Vec<Url> {
        let serving = by_age(cloned);
        let mut hosts: Vec<&str> = vec![&self.first];
        hosts.extend(self.named.iter().map(|(_, new)| new.as_str()).filter(|new| *new != self.first));
        let url = |host: &&str| {
            let served = serving.iter().flat_map(|o| self.served(o).into_iter().map(move |(old, new)| (o, old, new)));
            let secure: Vec<bool> = served.filter(|(_, _, new)| new == host).map(|(o, old, _)| self.is_secure(o, old)).collect();
            let scheme = if secure.contains(&true) { "https" } else { "http" };
            (!secure.is_empty()).then(|| Url { host: (*host).to_owned(), url: format!("{scheme}://{host}") })
        };
        hosts.iter().filter_map(url).collect()
    }

    fn is_secure(&self, object: &Manifest, old: Option<&str>) -> bool {
        if !is_route(object) {
            return object.items("/spec/tls").any(|entry| covers(entry, old));
        }
        let by_its_parents = || !object.items("/spec/parentRefs").filter(|p| !is_service_parent(p)).all(is_plain);
        self.attached_with_tls.unwrap_or_else(by_its_parents)
    }
}

/// Whether the object answers to hosts from outside.
pub fn serves_hosts(object: &Manifest) -> bool {
    is_kind(object, "networking.k8s.io", "Ingress") || (is_route(object) && !is_mesh_route(object))
}

/// All that serves hosts, the oldest first.
pub(super) fn by_age<'a>(objects: &[&'a Manifest]) -> Vec<&'a Manifest> {
    let mut serving: Vec<&Manifest> = objects.iter().copied().filter(|o| serves_hosts(o)).collect();
    serving.sort_by_cached_key(|o| (o.text("/metadata/creationTimestamp").unwrap_or_default().to_owned(), o.name()));
    serving
}

/// Where the hosts stand: the rules of an Ingress, the host names of a route.
fn entries(object: &Manifest) -> impl Iterator<Item = &Value> {
    object.items(if is_route(object) { "/spec/hostnames" } else { "/spec/rules" })
}

fn host_of(entry: &Value) -> Option<&str> {
    entry.as_str().or_else(|| rule_host(entry))
}

struct Names<'a> {
    target: &'a Target<'a>,
    hosts: &'a Hosts,
}

impl Names<'_> {
    /// The new host for an old one, absent for the first. Two hosts that start with one label are told apart by a hash
    /// of the whole.
    fn choose(&self, old: Option<&str>, taken: &mut HashSet<String>) -> String {
        let environment = self.target.environment;
        let first_label = old.map(|host| host.split('.').next().unwrap_or(host));
        let mut label = host_label(environment, first_label);
        if let (Some(host), Some(first), true) = (old, first_label, taken.contains(&label)) {
            label = host_label(environment, Some(&format!("{first}-{}", hash8(&["host", host]))));
        }
        taken.insert(label.clone());
        self.free(&label)
    }

    /// What was chosen before stays; the hash is for a name that another environment holds.
    fn free(&self, label: &str) -> String {
        let target = self.target;
        let under = |label: &str| format!("{label}.{}", self.hosts.domain);
        let plain = under(label);
        let hashed = under(&hashed_host_label(label, &target.baseline.namespace, target.environment));
        let has_plain = target.recorded_hosts.contains(&plain);
        if target.recorded_hosts.contains(&hashed) || (target.held_hosts.contains(&plain) && !has_plain) { hashed } else { plain }
    }
}

/// The host of a rule, absent where it is for every host.
pub(super) fn rule_host(rule: &Value) -> Option<&str> {
    text(rule, "host").filter(|host| !host.is_empty())
}

/// The hosts that an Ingress or a route names, without those with a wildcard.
pub fn named_hosts(object: &Manifest) -> impl Iterator<Item = &str> {
    entries(object).filter_map(host_of).filter(|host| !host.starts_with('*'))
}

/// Whether an entry of `spec.tls` is for a host. An entry without hosts is for all of them, and a rule without a host
/// answers to any that an entry names.
pub(super) fn covers(entry: &Value, host: Option<&str>) -> bool {
    let hosts: Vec<_> = entry.get("hosts").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let Some(host) = host else { return true };
    let parent = host.split_once('.').map(|(_, parent)| parent);
    hosts.is_empty() || hosts.iter().any(|h| *h == host || (h.strip_prefix("*.").is_some() && h.strip_prefix("*.") == parent))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::domain::slug::is_dns_label;
    use crate::plan::Manifest;
    use crate::plan::sample::{World, http_route, object};

    fn ingress(name: &str, created: &str, hosts: &[&str]) -> Manifest {
        let rules: Vec<_> = hosts.iter().map(|host| json!({"host": host, "http": {"paths": [{"path": "/"}]}})).collect();
        object("networking.k8s.io/v1", "Ingress", name)
            .with("/spec/rules", json!(rules))
            .with("/metadata/creationTimestamp", json!(created))
    }

    fn hosts(world: &World) -> Vec<String> {
        world.plan().plan.urls.into_iter().map(|u| u.host).collect()
    }

    #[test]
    fn the_oldest_ingress_gives_the_first_host() {
        let world =
            || World::of([ingress("a", "2026-02-01", &["api.shop.example.com"]), ingress("b", "2026-01-01", &["shop.example.com"])]);
        assert_eq!(hosts(&world()), ["web-pr-42.preview.example.com", "api-web-pr-42.preview.example.com"]);
    }

    #[test]
    fn hosts_with_one_first_label_differ() {
        let named = hosts(&World::of([ingress("a", "", &["shop.io", "api.a.io", "api.b.io", "api.a.io"])]));
        assert_eq!(named[1], "api-web-pr-42.preview.example.com");
        assert_eq!(named.len(), 3);
        let label = named[2].split('.').next().unwrap();
        assert!(is_dns_label(label) && label.starts_with("api-") && label.ends_with("-web-pr-42"), "{label}");
    }

    #[test]
    fn a_host_that_another_environment_holds_is_not_taken() {
        let world = || World::of([ingress("a", "", &["shop.io"])]);
        let plain = "web-pr-42.preview.example.com";
        let hashed = hosts(&world().held(plain)).remove(0);
        assert!(hashed.starts_with("web-pr-42-") && hashed != plain, "{hashed}");
        assert_eq!(hosts(&world().recorded(&hashed)), [hashed], "what was chosen stays, even when the plain one is free again");
        assert_eq!(hosts(&world().held(plain).recorded(plain)), [plain]);
    }

    #[test]
    fn the_scheme_follows_the_certificate() {
        let tls = |hosts: serde_json::Value| ingress("a", "", &["shop.io", "api.shop.io"]).with("/spec/tls", json!([{"hosts": hosts}]));
        let schemes = |tls: Manifest| {
            let urls = World::of([tls]).plan().plan.urls;
            urls.into_iter().map(|u| u.url.split(':').next().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(schemes(tls(json!(["shop.io"]))), ["https", "http"]);
        assert_eq!(schemes(tls(json!(["*.shop.io"]))), ["http", "https"]);
        assert_eq!(schemes(tls(json!([]))), ["https", "https"]);
    }

    #[test]
    fn routes_share_the_hosts_of_ingresses() {
        let plain =
            |name: &str, host: &str| http_route(name, &[host]).with("/spec/parentRefs", json!([{"name": "g", "sectionName": "http"}]));
        let world = World::of([ingress("a", "", &["shop.io"]), http_route("b", &["shop.io"]), plain("c", "api.shop.io")]);
        let urls: Vec<_> = world.plan().plan.urls.into_iter().map(|u| u.url).collect();
        assert_eq!(urls, ["https://web-pr-42.preview.example.com", "http://api-web-pr-42.preview.example.com"]);
    }
}
