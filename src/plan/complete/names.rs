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

/// The planned workloads whose configuration names that Service, by their names.
pub(super) fn users(view: &View<'_>, service: &str) -> BTreeSet<String> {
    view.running.iter().filter(|w| names(view, w, service)).map(|w| w.name().name).collect()
}

fn names(view: &View<'_>, workload: &Manifest, service: &str) -> bool {
    let own = containers(workload).any(|(_, container)| in_container(container, service));
    own || of_pods(workload).iter().filter(|r| r.kind == "ConfigMap").any(|r| in_config(view, r.name, service))
}

fn in_container(container: &Value, service: &str) -> bool {
    let items = |list: &str| container.get(list).and_then(Value::as_array).into_iter().flatten();
    let in_env = items("env").any(|e| in_variable(text(e, "name").unwrap_or_default(), text(e, "value").unwrap_or_default(), service));
    in_env || items("args").chain(items("command")).filter_map(Value::as_str).any(|argument| in_text(argument, service))
}

fn in_config(view: &View<'_>, name: &str, service: &str) -> bool {
    let data = view.find("ConfigMap", name).and_then(|c| c.get("/data")).and_then(Value::as_object);
    data.into_iter().flatten().any(|(key, value)| in_variable(key, value.as_str().unwrap_or_default(), service))
}

fn in_variable(name: &str, value: &str, service: &str) -> bool {
    let name = name.to_uppercase();
    let bare = value.split([',', ' ']).any(|part| part == service) && ADDRESSES.iter().any(|word| name.contains(word));
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
