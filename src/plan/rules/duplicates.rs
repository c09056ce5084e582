//! Entries that are there twice in a list with a key. The API server takes them by POST and answers 500 to the same
//! object by server-side apply. The last one stays: it is the one that counts for variables.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::Notes;
use crate::plan::context::Context;
use crate::plan::manifest::Manifest;
use crate::plan::pods::{for_each_container, spec_path, spec_pointer, text};

/// A list whose entries are told apart by fields, each with what stands for it where it is absent. An entry that has
/// none of them is never a duplicate.
struct MapList {
    name: &'static str,
    key: &'static [(&'static str, &'static str)],
}

const IN_CONTAINERS: [MapList; 5] = [
    MapList { name: "env", key: &[("name", "")] },
    MapList { name: "ports", key: &[("containerPort", ""), ("protocol", "TCP")] },
    MapList { name: "ports", key: &[("name", "")] },
    MapList { name: "volumeMounts", key: &[("mountPath", "")] },
    MapList { name: "volumeDevices", key: &[("devicePath", "")] },
];
const IN_PODS: [MapList; 2] =
    [MapList { name: "imagePullSecrets", key: &[("name", "")] }, MapList { name: "hostAliases", key: &[("ip", "")] }];
const IN_SERVICES: [MapList; 1] = [MapList { name: "ports", key: &[("port", ""), ("protocol", "TCP")] }];

pub(super) fn apply(manifest: &mut Manifest, context: &Context<'_>, notes: &mut Notes) {
    if manifest.group().is_empty() && manifest.kind() == "Service" {
        keep_last_in(manifest.get_mut("/spec"), "spec", &IN_SERVICES, &HashSet::new(), notes);
    }
    let (pointer, path) = (spec_pointer(manifest), spec_path(manifest));
    keep_last_in(manifest.get_mut(pointer), path, &IN_PODS, &HashSet::new(), notes);
    for_each_container(manifest, |path, container| {
        let mut used = context.target_ports.clone();
        collect_port_names(container, &mut used);
        keep_last_in(Some(container), path, &IN_CONTAINERS, &used, notes);
    });
}

/// `used` are the names of ports that something refers to: of two names of one port, such a one stays.
fn keep_last_in(owner: Option<&mut Value>, path: &str, lists: &[MapList], used: &HashSet<String>, notes: &mut Notes) {
    let Some(owner) = owner else { return };
    for list in lists {
        let Some(items) = owner.get_mut(list.name).and_then(Value::as_array_mut) else { continue };
        for key in keep_last(items, list, used) {
            let path = format!("{path}.{}[{key}]", list.name);
            notes.changed(path, ("several entries", "the last of them"), "server-side apply takes an entry once");
        }
    }
}

/// Drops all but one entry of each key, and returns the keys that were there more than once.
fn keep_last(items: &mut Vec<Value>, list: &MapList, used: &HashSet<String>) -> Vec<String> {
    let mut kept: HashMap<String, usize> = HashMap::new();
    let mut repeated = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let Some(key) = list.key_of(item) else { continue };
        let Some(before) = kept.get(&key).copied() else {
            kept.insert(key, index);
            continue;
        };
        let is_used = |at: usize| list.name == "ports" && text(&items[at], "name").is_some_and(|name| used.contains(name));
        if is_used(index) || !is_used(before) {
            kept.insert(key.clone(), index);
        }
        if !repeated.contains(&key) {
            repeated.push(key);
        }
    }
    let mut index = 0..;
    items.retain(|item| {
        let at = index.next();
        list.key_of(item).is_none_or(|key| kept.get(&key).copied() == at)
    });
    repeated
}

impl MapList {
    fn key_of(&self, item: &Value) -> Option<String> {
        let (first, _) = self.key.first()?;
        item.get(first).filter(|v| !v.is_null())?;
        let part = |(field, default): &(&str, &str)| item.get(field).map_or_else(|| (*default).to_owned(), super::shown);
        Some(self.key.iter().map(part).collect::<Vec<_>>().join("/"))
    }
}

/// Names of ports that a container's probes and hooks use.
fn collect_port_names(value: &Value, names: &mut HashSet<String>) {
    match value {
        Value::Object(map) => {
            names.extend(map.get("port").and_then(Value::as_str).map(str::to_owned));
            map.values().for_each(|inner| collect_port_names(inner, names));
        }
        Value::Array(items) => items.iter().for_each(|inner| collect_port_names(inner, names)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::plan::sample::{World, deployment, service};

    const CONTAINER: &str = "/spec/template/spec/containers/0";

    #[test]
    fn a_variable_named_twice_keeps_its_last_value() {
        let env = json!([{"name": "A", "value": "1"}, {"name": "B", "value": "2"}, {"name": "A", "value": "3"}]);
        let plan = World::of([deployment("web").with(&format!("{CONTAINER}/env"), env)]).plan();
        let kept = plan.find("Deployment/web").get(&format!("{CONTAINER}/env")).unwrap();
        assert_eq!(kept, &json!([{"name": "B", "value": "2"}, {"name": "A", "value": "3"}]));
        assert_eq!(
            plan.said(),
            ["Deployment/web spec.template.spec.containers[web].env[A]: several entries -> the last of them \
             (server-side apply takes an entry once)"]
        );
    }

    fn ports(objects: impl IntoIterator<Item = crate::plan::Manifest>) -> Value {
        let plan = World::of(objects).plan();
        plan.find("Deployment/web").get(&format!("{CONTAINER}/ports")).unwrap().clone()
    }

    #[test]
    fn one_port_is_there_once_a_protocol() {
        let listed = json!([{"containerPort": 53}, {"containerPort": 53, "protocol": "UDP"}, {"containerPort": 53, "protocol": "TCP"}]);
        let left = ports([deployment("web").with(&format!("{CONTAINER}/ports"), listed)]);
        assert_eq!(left, json!([{"containerPort": 53, "protocol": "UDP"}, {"containerPort": 53, "protocol": "TCP"}]));
    }

    #[test]
    fn the_name_of_a_port_that_a_service_uses_stays() {
        let listed = json!([{"name": "http", "containerPort": 80}, {"name": "metrics", "containerPort": 80}]);
        let web = deployment("web").with(&format!("{CONTAINER}/ports"), listed);
        assert_eq!(ports([web.clone()])[0]["name"], "metrics");
        let service = service("web").with("/spec/ports", json!([{"port": 80, "targetPort": "http"}]));
        assert_eq!(ports([web, service]), json!([{"name": "http", "containerPort": 80}]));
    }

    #[test]
    fn other_lists_with_a_key_are_cleared_too() {
        let twice = |entry: Value| json!([entry, entry]);
        let web = deployment("web")
            .with(&format!("{CONTAINER}/volumeMounts"), twice(json!({"mountPath": "/data", "name": "x"})))
            .with("/spec/template/spec/imagePullSecrets", twice(json!({"name": "registry"})));
        let service = service("web").with("/spec/ports", twice(json!({"port": 80})));
        let plan = World::of([web, service]).plan();
        for (name, list) in [
            ("Deployment/web", "/spec/template/spec/containers/0/volumeMounts"),
            ("Deployment/web", "/spec/template/spec/imagePullSecrets"),
            ("Service/web", "/spec/ports"),
        ] {
            assert_eq!(plan.find(name).items(list).count(), 1, "{name} {list}");
        }
    }
}
