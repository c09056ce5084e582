//! A Kubernetes object as JSON, so that fields newer than this program survive being copied.

use std::fmt;

use serde_json::{Map, Value};

/// A Kubernetes object.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest(Value);

/// What an object is called: kind, name and API version.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
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

    /// All of it.
    pub fn value(&self) -> &Value {
        &self.0
    }

    /// All of it, to change it.
    pub fn value_mut(&mut self) -> &mut Value {
        &mut self.0
    }
}
