//! A Kubernetes object as JSON, so that fields newer than this program survive being copied.

use std::fmt;

use serde_json::{Map, Value};

/// A Kubernetes object.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest(Value);

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
        Self(if value.is_object() { value } else { Value::Object(Map::new()) })
    }

    /// What the object is called.
    pub fn name(&self) -> ObjectName {
        let text = |pointer: &str| self.text(pointer).unwrap_or_default().to_owned();
        ObjectName { api_version: text("/apiVersion"), kind: text("/kind"), name: text("/metadata/name") }
    }

    /// The kind, or an empty text.
    pub fn kind(&self) -> &str {
        self.text("/kind").unwrap_or_default()
    }

    /// The API group, empty for the core group.
    pub fn group(&self) -> &str {
        self.text("/apiVersion").and_then(|v| v.split_once('/')).map_or("", |(group, _)| group)
    }

    /// The text at a JSON pointer (RFC 6901).
    pub fn text(&self, pointer: &str) -> Option<&str> {
        self.0.pointer(pointer)?.as_str()
    }

    /// The value at a JSON pointer.
    pub fn get(&self, pointer: &str) -> Option<&Value> {
        self.0.pointer(pointer)
    }

    /// The value at a JSON pointer, to change it.
    pub fn get_mut(&mut self, pointer: &str) -> Option<&mut Value> {
        self.0.pointer_mut(pointer)
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
        set_in(&mut self.0, path, field, value);
    }

    /// All of it.
    pub fn value(&self) -> &Value {
        &self.0
    }

    /// All of it, to change it.
    pub fn value_mut(&mut self) -> &mut Value {
        &mut self.0
    }
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
