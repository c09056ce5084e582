//! The pods that an object makes, whatever its kind.

use serde_json::Value;

use crate::plan::kinds::has_pods;
use crate::plan::manifest::Manifest;
use crate::plan::pods::{CONTAINER_LISTS, dotted, template};

/// The pod template inside an object, or the pod that the object is.
#[derive(Clone, Debug)]
pub struct Template<'a> {
    /// Path of its spec as people read it: `spec.template.spec`.
    pub path: String,
    /// Its annotations.
    pub annotations: Option<&'a Value>,
    /// Its spec.
    pub spec: &'a Value,
}

impl<'a> Template<'a> {
    /// The template of an object, if its kind makes pods.
    pub fn of(object: &'a Manifest) -> Option<Self> {
        let place = place(object)?;
        let pointer = format!("{place}/spec");
        Some(Self {
            path: dotted(&pointer),
            annotations: object.get(&format!("{place}/metadata/annotations")),
            spec: object.get(&pointer)?,
        })
    }

    /// The containers of all kinds, each with the name of its list.
    pub fn containers(&self) -> impl Iterator<Item = (&'static str, &'a Value)> + use<'a> {
        let spec = self.spec;
        CONTAINER_LISTS.into_iter().flat_map(move |list| {
            let containers = spec.get(list).and_then(Value::as_array);
            containers.into_iter().flatten().map(move |container| (list, container))
        })
    }
}

fn place(object: &Manifest) -> Option<&'static str> {
    let is_pod = object.group().is_empty() && object.kind() == "Pod";
    let is_set = object.group() == "apps" && object.kind() == "ReplicaSet";
    match () {
        () if is_pod => Some(""),
        () if is_set || has_pods(object) => Some(template(object)),
        () => None,
    }
}
