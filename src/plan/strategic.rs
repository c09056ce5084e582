//! Strategic merge patches, as `kubectl patch` takes them: objects are merged, and lists that have a key are merged by
//! it. The part that patches written by people use; the order that `$setElementOrder` asks for is not kept.
//!
//! What each directive means:
//! <https://github.com/kubernetes/community/blob/main/contributors/devel/sig-api-machinery/strategic-merge-patch.md>.
//! Which list has which key is `x-kubernetes-patch-merge-key` in the API's schema.

use serde_json::{Map, Value};

const DIRECTIVE: &str = "$patch";
const RETAIN: &str = "$retainKeys";
const DELETE_FROM: &str = "$deleteFromPrimitiveList/";

/// Lists with a key, and the fields that can be the key: the first one that an entry of the patch has. Lists that are
/// not named here are replaced as a whole.
const KEYED: [(&str, &[&str]); 16] = [
    ("containers", &["name"]),
    ("initContainers", &["name"]),
    ("ephemeralContainers", &["name"]),
    ("env", &["name"]),
    ("volumes", &["name"]),
    ("volumeMounts", &["mountPath"]),
    ("volumeDevices", &["devicePath"]),
    ("ports", &["containerPort", "port"]),
    ("imagePullSecrets", &["name"]),
    ("secrets", &["name"]),
    ("hostAliases", &["ip"]),
    ("topologySpreadConstraints", &["topologyKey"]),
    ("resourceClaims", &["name"]),
    ("conditions", &["type"]),
    ("ownerReferences", &["uid"]),
    ("podIPs", &["ip"]),
];
/// Lists of plain values to which those of a patch are added.
const SETS: [&str; 1] = ["finalizers"];

/// Why a patch does not fit.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum MergeError {
    /// A directive that there is not.
    #[error("{0}: $patch is replace, delete or merge")]
    Directive(String),
    /// An entry of a list that has a key.
    #[error("{0}: an entry needs {1}")]
    NoKey(String, &'static str),
}

/// Merges the patch into the target.
pub fn merge(target: &mut Value, patch: &Map<String, Value>) -> Result<(), MergeError> {
    merge_object(target, patch, "")
}

fn merge_object(target: &mut Value, patch: &Map<String, Value>, pointer: &str) -> Result<(), MergeError> {
    match patch.get(DIRECTIVE).map(|d| d.as_str().unwrap_or_default()) {
        None | Some("merge") => {}
        Some("delete") => {
            *target = Value::Object(Map::new());
            return Ok(());
        }
        Some("replace") => *target = Value::Object(Map::new()),
        Some(_) => return Err(MergeError::Directive(shown(pointer))),
    }
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Some(fields) = target.as_object_mut() else { return Ok(()) };
    retain(fields, patch);
    for (key, value) in patch.iter().filter(|(key, _)| !key.starts_with('$')) {
        merge_field(fields, (key, value), &format!("{pointer}/{key}"))?;
    }
    for (key, values) in patch.iter().filter_map(|(key, value)| Some((key.strip_prefix(DELETE_FROM)?, value.as_array()?))) {
        if let Some(list) = fields.get_mut(key).and_then(Value::as_array_mut) {
            list.retain(|item| !values.contains(item));
        }
    }
    Ok(())
}

/// Drops the fields that `$retainKeys` does not list.
fn retain(fields: &mut Map<String, Value>, patch: &Map<String, Value>) {
    if let Some(kept) = patch.get(RETAIN).and_then(Value::as_array) {
        fields.retain(|key, _| kept.iter().any(|k| k == key.as_str()));
    }
}

fn merge_field(fields: &mut Map<String, Value>, (key, patch): (&str, &Value), pointer: &str) -> Result<(), MergeError> {
    match patch {
        Value::Null => {
            fields.remove(key);
            Ok(())
        }
        Value::Object(patch) => merge_object(fields.entry(key).or_insert(Value::Null), patch, pointer),
        Value::Array(patch) => merge_list(fields.entry(key).or_insert(Value::Null), (key, patch), pointer),
        scalar => {
            fields.insert(key.to_owned(), scalar.clone());
            Ok(())
        }
    }
}

fn merge_list(target: &mut Value, (name, patch): (&str, &[Value]), pointer: &str) -> Result<(), MergeError> {
    let replaces = patch.iter().any(|item| is_bare(item, "replace"));
    if replaces || !target.is_array() {
        *target = Value::Array(Vec::new());
    }
    let Some(list) = target.as_array_mut() else { return Ok(()) };
    let entries = || patch.iter().filter(|item| !is_bare(item, "replace"));
    if SETS.contains(&name) {
        let new: Vec<_> = entries().filter(|item| !list.contains(item)).cloned().collect();
        list.extend(new);
        return Ok(());
    }
    let keyed = KEYED.iter().find(|(keyed, _)| *keyed == name).map(|(_, keys)| *keys);
    let Some(keys) = keyed.filter(|_| entries().all(Value::is_object)) else {
        *list = entries().cloned().collect();
        return Ok(());
    };
    entries().enumerate().try_for_each(|(index, entry)| merge_entry(list, (keys, entry), &format!("{pointer}/{index}")))
}

/// Whether an entry is nothing but that directive for the whole list.
fn is_bare(item: &Value, directive: &str) -> bool {
    item.as_object().is_some_and(|map| map.len() == 1 && map.get(DIRECTIVE).is_some_and(|d| d == directive))
}

fn merge_entry(list: &mut Vec<Value>, (keys, entry): (&[&'static str], &Value), pointer: &str) -> Result<(), MergeError> {
    let first = keys.first().copied().unwrap_or("name");
    let key = keys.iter().copied().find(|key| entry.get(key).is_some()).ok_or_else(|| MergeError::NoKey(shown(pointer), first))?;
    let at = list.iter().position(|item| item.get(key) == entry.get(key));
    let Some(fields) = entry.as_object() else { return Ok(()) };
    match (fields.get(DIRECTIVE).and_then(Value::as_str), at) {
        (Some("delete"), at) => drop(at.map(|at| list.remove(at))),
        (_, Some(at)) => merge_object(&mut list[at], fields, pointer)?,
        (_, None) => {
            let mut new = Value::Null;
            merge_object(&mut new, fields, pointer)?;
            list.push(new);
        }
    }
    Ok(())
}

fn shown(pointer: &str) -> String {
    if pointer.is_empty() { "/".to_owned() } else { pointer.to_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn merged(mut target: Value, patch: &Value) -> Value {
        merge(&mut target, patch.as_object().unwrap()).unwrap();
        target
    }

    #[test]
    fn objects_are_merged_and_null_takes_away() {
        let target = json!({"a": {"x": 1, "y": 2}, "b": 1, "c": [1]});
        assert_eq!(
            merged(target, &json!({"a": {"x": null, "z": {"q": null, "r": 3}}, "c": [2, 3]})),
            json!({"a": {"y": 2, "z": {"r": 3}}, "b": 1, "c": [2, 3]})
        );
    }

    #[test]
    fn lists_with_a_key_are_merged_by_it() {
        let spec = json!({"containers": [
            {"name": "web", "image": "web:1", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
             "ports": [{"containerPort": 80, "name": "http"}], "args": ["x"]},
            {"name": "proxy"}], "volumes": [{"name": "v", "emptyDir": {}}]});
        let patch = json!({"containers": [
            {"name": "web", "env": [{"name": "A", "value": "9"}, {"name": "C", "value": "3"}, {"name": "B", "$patch": "delete"}],
             "ports": [{"containerPort": 81}], "args": ["y"], "volumeMounts": [{"mountPath": "/m", "name": "v"}]},
            {"name": "proxy", "$patch": "delete"}, {"name": "new", "image": "n:1"}],
            "volumes": [{"name": "w", "configMap": {"name": "c"}}], "tolerations": [{"key": "k"}]});
        assert_eq!(
            merged(spec, &patch),
            json!({"containers": [
                {"name": "web", "image": "web:1", "env": [{"name": "A", "value": "9"}, {"name": "C", "value": "3"}],
                 "ports": [{"containerPort": 80, "name": "http"}, {"containerPort": 81}], "args": ["y"],
                 "volumeMounts": [{"mountPath": "/m", "name": "v"}]},
                {"name": "new", "image": "n:1"}],
                "volumes": [{"name": "v", "emptyDir": {}}, {"name": "w", "configMap": {"name": "c"}}], "tolerations": [{"key": "k"}]})
        );
    }

    #[test]
    fn ports_of_services_have_another_key() {
        let target = json!({"ports": [{"port": 80, "targetPort": "a"}, {"port": 81}]});
        assert_eq!(
            merged(target, &json!({"ports": [{"port": 80, "targetPort": "b"}]})),
            json!({"ports": [{"port": 80, "targetPort": "b"}, {"port": 81}]})
        );
    }

    #[test]
    fn directives_replace_delete_and_retain() {
        let target =
            || json!({"strategy": {"type": "RollingUpdate", "rollingUpdate": {}}, "env": [{"name": "A"}], "finalizers": ["a", "b"]});
        assert_eq!(
            merged(target(), &json!({"strategy": {"$patch": "replace", "type": "Recreate"}}))["strategy"],
            json!({"type": "Recreate"})
        );
        assert_eq!(
            merged(target(), &json!({"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}))["strategy"],
            json!({"type": "Recreate"})
        );
        assert_eq!(merged(target(), &json!({"strategy": {"$patch": "delete"}}))["strategy"], json!({}));
        assert_eq!(merged(target(), &json!({"env": [{"name": "B"}, {"$patch": "replace"}]}))["env"], json!([{"name": "B"}]));
        assert_eq!(
            merged(target(), &json!({"finalizers": ["b", "c"], "$deleteFromPrimitiveList/finalizers": ["a"]}))["finalizers"],
            json!(["b", "c"])
        );
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let error = |patch: Value| merge(&mut json!({}), patch.as_object().unwrap()).unwrap_err().to_string();
        assert_eq!(error(json!({"spec": {"env": [{"value": "x"}]}})), "/spec/env/0: an entry needs name");
        assert_eq!(error(json!({"spec": {"$patch": "drop"}})), "/spec: $patch is replace, delete or merge");
    }
}
