//! A Kubernetes object as JSON, so that fields newer than this program survive being copied.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

/// A Kubernetes object. Clones share it until one of them is changed: what a baseline holds is looked at for each of its environments.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest(Arc<Value>);

/// What an object is called: kind, name and API version.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectName {
    /// Such as `apps/v1`.
    pub api_version: String,
    /// Such as `Deployment`.
    pub kind: String,
    /// Its name in its namespace.
    pub name: String,
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

impl Manifest {
    /// Wraps an object. Anything but a JSON object becomes an empty one.
    pub fn new(value: Value) -> Self {
        Self(Arc::new(if value.is_object() { value } else { Value::Object(Map::new()) }))
    }

    /// What the object is called.
    pub fn name(&self) -> ObjectName {
        let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
        let name = self.0.get("metadata").and_then(|metadata| metadata.get("name"));
        ObjectName { api_version: text(self.0.get("apiVersion")), kind: text(self.0.get("kind")), name: text(name) }
    }

    /// The kind, or an empty text.
    pub fn kind(&self) -> &str {
        self.0.get("kind").and_then(Value::as_str).unwrap_or_default()
    }

    /// The API group, empty for the core group.
    pub fn group(&self) -> &str {
        let api_version = self.0.get("apiVersion").and_then(Value::as_str);
        api_version.and_then(|v| v.split_once('/')).map_or("", |(group, _)| group)
    }

    /// The text at a JSON pointer (RFC 6901).
    pub fn text(&self, pointer: &str) -> Option<&str> {
        at(&self.0, pointer)?.as_str()
    }

    /// The value at a JSON pointer.
    pub fn get(&self, pointer: &str) -> Option<&Value> {
        at(&self.0, pointer)
    }

    /// The value at a JSON pointer, to change it.
    pub fn get_mut(&mut self, pointer: &str) -> Option<&mut Value> {
        at_mut(self.value_mut(), pointer)
    }

    /// The items of the list at a JSON pointer; none where there is no list.
    pub fn items<'a>(&'a self, pointer: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
        self.get(pointer).and_then(Value::as_array).into_iter().flatten()
    }

    /// The items of the list at a JSON pointer, to change them.
    pub fn items_mut<'a>(&'a mut self, pointer: &str) -> impl Iterator<Item = &'a mut Value> + use<'a> {
        self.get_mut(pointer).and_then(Value::as_array_mut).into_iter().flatten()
    }

    /// Takes a field away from the object at a JSON pointer (empty for the whole).
    pub fn remove(&mut self, parent: &str, field: &str) -> Option<Value> {
        self.get_mut(parent)?.as_object_mut()?.remove(field)
    }

    /// Sets a field of the object at a path, making the objects on the way. Without effect where something else than an
    /// object is on the way.
    pub fn set(&mut self, path: &[&str], field: &str, value: Value) {
        set_in(self.value_mut(), path, field, value);
    }

    /// All of it.
    pub fn value(&self) -> &Value {
        &self.0
    }

    /// All of it, to change it.
    pub fn value_mut(&mut self) -> &mut Value {
        Arc::make_mut(&mut self.0)
    }
}

/// The value at a JSON pointer (RFC 6901). `serde_json`'s own copies every part of the pointer twice to unescape it, which
/// was half of the time that a plan took.
pub(super) fn at<'a>(root: &'a Value, pointer: &str) -> Option<&'a Value> {
    parts(pointer)?.try_fold(root, |value, part| match value {
        Value::Object(map) => map.get(unescaped(part).as_ref()),
        Value::Array(items) => items.get(index(part)?),
        _ => None,
    })
}

/// The same, to change it.
pub(super) fn at_mut<'a>(root: &'a mut Value, pointer: &str) -> Option<&'a mut Value> {
    parts(pointer)?.try_fold(root, |value, part| match value {
        Value::Object(map) => map.get_mut(unescaped(part).as_ref()),
        Value::Array(items) => items.get_mut(index(part)?),
        _ => None,
    })
}

/// The parts of a pointer: none for the whole, absent where it does not begin with a slash. Pointers are short, so
/// looking at each byte is quicker than the searchers of the standard library.
fn parts(pointer: &str) -> Option<impl Iterator<Item = &str>> {
    let mut rest = pointer.strip_prefix('/');
    let is_pointer = pointer.is_empty() || rest.is_some();
    let next = move || {
        let all = rest?;
        let (part, after) = match all.bytes().position(|byte| byte == b'/') {
            Some(slash) => (all.get(..slash)?, all.get(slash + 1..)),
            None => (all, None),
        };
        rest = after;
        Some(part)
    };
    is_pointer.then(|| std::iter::from_fn(next))
}

fn unescaped(part: &str) -> Cow<'_, str> {
    if part.bytes().any(|byte| byte == b'~') { Cow::Owned(part.replace("~1", "/").replace("~0", "~")) } else { Cow::Borrowed(part) }
}

/// A place in a list: digits without a zero in front.
fn index(part: &str) -> Option<usize> {
    let is_plain = part == "0" || (!part.starts_with('0') && part.bytes().all(|b| b.is_ascii_digit()));
    part.parse().ok().filter(|_| is_plain)
}

/// Sets a field of the object at a path, making the objects on the way. Without effect where something else than an
/// object is on the way.
pub(super) fn set_in(root: &mut Value, path: &[&str], field: &str, value: Value) {
    let mut at = Some(root);
    for key in path {
        at = at.and_then(|object| child(object, key));
    }
    if let Some(Value::Object(map)) = at {
        map.insert(field.to_owned(), value);
    }
}

/// The object under a key, made where there is none.
fn child<'a>(object: &'a mut Value, key: &str) -> Option<&'a mut Value> {
    let value = object.as_object_mut()?.entry(key).or_insert(Value::Null);
    if value.is_null() {
        *value = Value::Object(Map::new());
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pointers_are_read_as_serde_json_reads_them() {
        let mut value = json!({"a/b": {"m~n": [1, {"x": null}]}, "": {"c": 2}, "01": 3, "list": [[7]]});
        for pointer in [
            "",
            "/",
            "/a~1b",
            "/a~1b/m~0n",
            "/a~1b/m~0n/0",
            "/a~1b/m~0n/1/x",
            "/a~1b/m~0n/01",
            "/a~1b/m~0n/+1",
            "/a~1b/m~0n/2",
            "//c",
            "/01",
            "/list/0/0",
            "/list/0/0/0",
            "a",
            "/nothing/here",
            "/list/",
            "/a~1b/m~0n/-",
        ] {
            assert_eq!(at(&value, pointer), value.pointer(pointer), "{pointer:?}");
            let other = value.clone();
            assert_eq!(at_mut(&mut value, pointer).map(|v| v.clone()), other.pointer(pointer).cloned(), "{pointer:?}");
        }
    }
}
