//! The pods that an object makes, whatever its kind.

use serde_json::Value;

use crate::plan::kinds::{is_kind, runs_pods};
use crate::plan::manifest::Manifest;
use crate::plan::pods::{CONTAINER_LISTS, spec_path, spec_pointer, template_pointer};

/// The pod template inside an object, or the pod that the object is.
#[derive(Clone, Debug)]
pub struct Template<'a> {
    /// Path of its spec as people read it: `spec.template.spec`.
    pub path: &'static str,
    /// Its annotations.
    pub annotations: Option<&'a Value>,
    /// Its spec.
    pub spec: &'a Value,
}

impl<'a> Template<'a> {
    /// The template of an object, if its kind makes pods.
    pub fn of(object: &'a Manifest) -> Option<Self> {
        let [template, spec, path] = place(object)?;
        Some(Self { path, annotations: object.get(&format!("{template}/metadata/annotations")), spec: object.get(spec)? })
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

/// Pointers of the template and of its spec, and the path of its spec.
fn place(object: &Manifest) -> Option<[&'static str; 3]> {
    if is_kind(object, "", "Pod") {
        return Some(["", "/spec", "spec"]);
    }
    let has_template = runs_pods(object) || is_kind(object, "apps", "ReplicaSet");
    has_template.then(|| [template_pointer(object), spec_pointer(object), spec_path(object)])
}
