//! Where in an object texts stand that programs read: names of hosts are looked for there, and nowhere else.

use serde_json::Value;

use super::manifest::{Manifest, at};
use super::pods::text;

/// One text of an object or of a container.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Place {
    /// JSON pointer from the object or container.
    pub pointer: String,
    /// The same as people read it, such as `env[DATABASE_URL]`.
    pub path: String,
    /// What the text is called: a variable, a key of a ConfigMap.
    pub key: String,
}

/// Annotations that name a host for the ingress controller to go to or to answer with. Others belong to tools that we do
/// not know, so they stay as they are.
const ANNOTATIONS: [&str; 10] = [
    "auth-url",
    "auth-signin",
    "auth-tls-error-page",
    "cors-allow-origin",
    "permanent-redirect",
    "temporal-redirect",
    "proxy-redirect-from",
    "proxy-redirect-to",
    "upstream-vhost",
    "session-cookie-domain",
];
/// The controllers whose annotations those are.
const ANNOTATION_PREFIXES: [&str; 3] = ["nginx.ingress.kubernetes.io/", "haproxy-ingress.github.io/", "haproxy.org/"];

/// Groups of built-in kinds without a dot. Those with one end in `.k8s.io`.
const BUILT_IN_GROUPS: [&str; 5] = ["", "apps", "batch", "autoscaling", "policy"];

/// The texts of an object outside its containers: what a ConfigMap holds, annotations that lead somewhere, and
/// everything that a custom resource specifies.
pub(super) fn of_object(manifest: &Manifest) -> Vec<Place> {
    let mut places = annotations(manifest);
    if manifest.group().is_empty() && manifest.kind() == "ConfigMap" {
        places.extend(keys(manifest, "/data").map(|key| keyed("/data", "data", key)));
    }
    if is_custom(manifest)
        && let Some(spec) = manifest.get("/spec")
    {
        collect_texts(spec, ("/spec", "spec"), &mut places);
    }
    places
}

/// Whether the kind is none of Kubernetes' own.
pub(super) fn is_custom(manifest: &Manifest) -> bool {
    !BUILT_IN_GROUPS.contains(&manifest.group()) && !manifest.group().ends_with(".k8s.io")
}

/// The texts of a container: variables, arguments, commands, and what probes and hooks send.
pub(super) fn of_container(container: &Value) -> Vec<Place> {
    let mut places = Vec::new();
    for (index, entry) in items(container, "env").enumerate() {
        if entry.get("value").is_some() {
            let key = text(entry, "name").unwrap_or("?");
            places.push(Place { pointer: format!("/env/{index}/value"), path: format!("env[{key}]"), key: key.to_owned() });
        }
    }
    list_texts(container, "command", &mut places);
    list_texts(container, "args", &mut places);
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        action_texts(container, probe, &mut places);
    }
    for hook in ["lifecycle/postStart", "lifecycle/preStop"] {
        action_texts(container, hook, &mut places);
    }
    places
}

fn items<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn list_texts(container: &Value, field: &str, places: &mut Vec<Place>) {
    let count = inside(container, field).and_then(Value::as_array).map_or(0, Vec::len);
    if count == 0 {
        return;
    }
    let path = field.replace('/', ".");
    places.extend((0..count).map(|i| Place { pointer: format!("/{field}/{i}"), path: format!("{path}[{i}]"), key: String::new() }));
}

fn action_texts(container: &Value, field: &str, places: &mut Vec<Place>) {
    let Some(action) = inside(container, field) else { return };
    list_texts(container, &format!("{field}/exec/command"), places);
    let headers = at(action, "/httpGet/httpHeaders").and_then(Value::as_array).map_or(0, Vec::len);
    let path = field.replace('/', ".");
    places.extend((0..headers).map(|i| Place {
        pointer: format!("/{field}/httpGet/httpHeaders/{i}/value"),
        path: format!("{path}.httpGet.httpHeaders[{i}]"),
        key: String::new(),
    }));
}

/// The field at a path of plain names, such as `lifecycle/preStop`. Most containers lack most of them, so nothing is put
/// together to look.
fn inside<'a>(container: &'a Value, field: &str) -> Option<&'a Value> {
    field.split('/').try_fold(container, |value, name| value.get(name))
}

fn annotations(manifest: &Manifest) -> Vec<Place> {
    let leads = |key: &&str| {
        let name = ANNOTATION_PREFIXES.iter().find_map(|prefix| key.strip_prefix(prefix));
        name.is_some_and(|name| ANNOTATIONS.contains(&name))
    };
    let found = keys(manifest, "/metadata/annotations").filter(leads);
    found.map(|key| keyed("/metadata/annotations", "metadata.annotations", key)).collect()
}

fn keys<'a>(manifest: &'a Manifest, pointer: &str) -> impl Iterator<Item = &'a str> + use<'a> {
    manifest.get(pointer).and_then(Value::as_object).into_iter().flat_map(|map| map.keys().map(String::as_str))
}

pub(super) fn keyed(pointer: &str, path: &str, key: &str) -> Place {
    Place { pointer: format!("{pointer}/{}", escaped(key)), path: format!("{path}[{key}]"), key: key.to_owned() }
}

/// A key inside a JSON pointer (RFC 6901, section 3).
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

fn collect_texts(value: &Value, (pointer, path): (&str, &str), places: &mut Vec<Place>) {
    match value {
        Value::String(_) => {
            let key = path.rsplit('.').next().unwrap_or_default().to_owned();
            places.push(Place { pointer: pointer.to_owned(), path: path.to_owned(), key });
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect_texts(item, (&format!("{pointer}/{index}"), &format!("{path}[{index}]")), places);
            }
        }
        Value::Object(map) => {
            for (key, item) in map {
                collect_texts(item, (&format!("{pointer}/{}", escaped(key)), &format!("{path}.{key}")), places);
            }
        }
        _ => {}
    }
}
