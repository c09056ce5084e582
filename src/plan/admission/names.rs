//! Names and lists that the API server would refuse, or whose pods it would.

use std::collections::HashSet;

use serde_json::Value;

use crate::plan::manifest::Manifest;
use crate::plan::pods::text;

/// Longest value of a label (RFC 1123 as Kubernetes uses it).
const LABEL_MAX: usize = 63;
/// What a StatefulSet appends to its name for the label `controller-revision-hash` of its pods: a dash and up to ten
/// letters (kubernetes/kubernetes#64023).
const REVISION_SUFFIX: usize = 11;
/// What a CronJob appends to its name for its Jobs: a dash and the minute (validation of batch/v1).
const SCHEDULE_SUFFIX: usize = 11;

/// Why the API server would refuse the object or its pods.
pub fn refusal(object: &Manifest) -> Option<String> {
    too_long(object).or_else(|| twice(object))
}

fn too_long(object: &Manifest) -> Option<String> {
    let most = match (object.group(), object.kind()) {
        ("apps", "StatefulSet") => LABEL_MAX - REVISION_SUFFIX,
        ("batch", "CronJob") => LABEL_MAX - SCHEDULE_SUFFIX,
        ("batch", "Job") | ("", "Service") => LABEL_MAX,
        _ => return None,
    };
    let length = object.name().name.len();
    (length > most)
        .then(|| format!("has a name of {length} characters, and no more than {most} make good labels of its pods (metadata.name)"))
}

/// A Service names each port once, by name and by number and protocol.
fn twice(object: &Manifest) -> Option<String> {
    if !(object.group().is_empty() && object.kind() == "Service") {
        return None;
    }
    let mut seen = HashSet::new();
    for (index, port) in object.items("/spec/ports").enumerate() {
        let number = port.get("port").and_then(Value::as_i64).unwrap_or_default();
        let is_new = seen.insert(format!("{number}/{}", text(port, "protocol").unwrap_or("TCP")));
        let is_newly_named = text(port, "name").is_none_or(|name| seen.insert(name.to_owned()));
        if !is_new || !is_newly_named {
            return Some(format!("has a port twice (spec.ports[{index}])"));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::plan::sample::{deployment, service, stateful_set};

    #[test]
    fn names_that_pods_cannot_carry_are_refused() {
        assert_eq!(refusal(&stateful_set(&"a".repeat(52))), None);
        assert!(refusal(&stateful_set(&"a".repeat(53))).is_some_and(|why| why.contains("53 characters")));
        assert_eq!(refusal(&deployment(&"a".repeat(63))), None);
    }

    #[test]
    fn a_port_is_there_once() {
        let ports = |ports: Value| service("web").with("/spec/ports", ports);
        assert_eq!(refusal(&ports(json!([{"name": "a", "port": 53}, {"name": "b", "port": 53, "protocol": "UDP"}]))), None);
        for twice in
            [json!([{"port": 80, "name": "a"}, {"port": 80, "name": "b"}]), json!([{"port": 80, "name": "a"}, {"port": 81, "name": "a"}])]
        {
            assert_eq!(refusal(&ports(twice)).as_deref(), Some("has a port twice (spec.ports[1])"));
        }
    }
}
