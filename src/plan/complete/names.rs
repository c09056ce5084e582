//! Who names a Service in its configuration. Only what reads as a host counts: a name that stands alone in a variable for
//! an address, before a port, behind a scheme, or with the namespace behind it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::View;
use super::references::of_pods;
use crate::plan::manifest::Manifest;
use crate::plan::pods::{containers, text};

/// Words in the name of a variable that holds an address.
const ADDRESSES: [&str; 9] = ["HOST", "ADDR", "URL", "URI", "SERVER", "ENDPOINT", "SERVICE", "BROKER", "UPSTREAM"];

/// What one workload reads: the names of variables or files with what stands in them, and arguments under no name.
pub(super) struct Texts<'a> {
    workload: String,
    all: Vec<(&'a str, &'a str)>,
}

/// The planned workloads whose configuration names that Service, by their names.
pub(super) fn users(view: &View<'_>, service: &str) -> BTreeSet<String> {
    let texts = view.texts.get_or_init(|| view.running.iter().map(|workload| read_by(view, workload)).collect());
    let names = |texts: &&Texts<'_>| texts.all.iter().any(|(name, text)| in_variable(name, text, service));
    texts.iter().filter(names).map(|texts| texts.workload.clone()).collect()
}

fn read_by<'a>(view: &View<'a>, workload: &'a Manifest) -> Texts<'a> {
    let mut all: Vec<(&str, &str)> = containers(workload).flat_map(|(_, container)| in_container(container)).collect();
    for reference in of_pods(workload).iter().filter(|r| r.kind == "ConfigMap" && r.key.is_none()) {
        let data = view.find("ConfigMap", reference.name).and_then(|c| c.get("/data")).and_then(Value::as_object);
        all.extend(data.into_iter().flatten().filter_map(|(key, value)| Some((key.as_str(), value.as_str()?))));
    }
    Texts { workload: workload.name().name, all }
}

fn in_container(container: &Value) -> Vec<(&str, &str)> {
    let items = |list: &str| container.get(list).and_then(Value::as_array).into_iter().flatten();
    let env = items("env").filter_map(|e| Some((text(e, "name")?, text(e, "value")?)));
    env.chain(items("args").chain(items("command")).filter_map(|argument| Some(("", argument.as_str()?)))).collect()
}

fn in_variable(name: &str, value: &str, service: &str) -> bool {
    // Most texts do not have it in them at all.
    if !value.contains(service) {
        return false;
    }
    let is_address = || ADDRESSES.iter().any(|word| name.to_uppercase().contains(word));
    let bare = value.split([',', ' ']).any(|part| part == service) && is_address();
    bare || in_text(value, service)
}

/// Whether the text has the name as a host: whole, and with a scheme, a port, or more of the name around it.
fn in_text(text: &str, service: &str) -> bool {
    text.match_indices(service).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + service.len()..]);
        let part_of_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let whole = !before.ends_with(part_of_name) && !after.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        let port = after.strip_prefix(':').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        let longer = after.strip_prefix('.').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()) && rest.contains("svc"));
        whole && (port || longer || before.ends_with("://") || before.ends_with('@'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_reads_as_a_host_is_a_name() {
        for value in ["redis:6379", "redis://redis", "tcp://u:p@redis/0", "a:1,redis:2", "http://redis.shop.svc.cluster.local:80/x"] {
            assert!(in_text(value, "redis"), "{value}");
        }
        for value in ["redis", "myredis:6379", "redis-2:6379", "a redis cache", "redis.example.com", "/etc/redis.conf", "redis: yes"] {
            assert!(!in_text(value, "redis"), "{value}");
        }
        assert!(in_variable("CACHE_HOST", "redis", "redis") && !in_variable("CACHE_KIND", "redis", "redis"));
    }
}
