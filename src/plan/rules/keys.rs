//! Labels and annotations wherever an object has some: its own, and those of what it makes.

use serde_json::{Map, Value};

use super::Notes;
use crate::plan::kinds::is_kind;
use crate::plan::manifest::Manifest;
use crate::plan::pods::template_pointer;

/// One label or annotation.
#[derive(Clone, Copy)]
pub(super) struct Key<'a> {
    /// Whether it stands on the object itself, not on what it makes.
    pub on_object: bool,
    /// `labels` or `annotations`.
    pub field: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Its value.
    pub value: &'a Value,
}

impl Key<'_> {
    /// Why one of a list of beginnings says that it goes.
    pub fn listed(&self, prefixes: &[(&str, &'static str)]) -> Option<&'static str> {
        prefixes.iter().find(|(prefix, _)| self.name.starts_with(prefix)).map(|(_, why)| *why)
    }
}

/// Takes away every label and annotation that there is a reason against.
pub(super) fn strip(manifest: &mut Manifest, notes: &mut Notes, why: impl Fn(Key<'_>) -> Option<&'static str>) {
    for (pointer, path) in places(manifest) {
        if let Some(metadata) = manifest.get_mut(&pointer) {
            strip_one(metadata, &path, notes, &|field, name, value| why(Key { on_object: pointer == "/metadata", field, name, value }));
        }
    }
}

/// Pointers to and paths of all metadata.
fn places(manifest: &Manifest) -> Vec<(String, String)> {
    let mut pointers = vec!["/metadata".to_owned()];
    if is_kind(manifest, "batch", "CronJob") {
        pointers.push("/spec/jobTemplate/metadata".to_owned());
    }
    pointers.push(format!("{}/metadata", template_pointer(manifest)));
    let mut places: Vec<_> = pointers.into_iter().map(|p| (p.clone(), p.trim_start_matches('/').replace('/', "."))).collect();
    let claims = manifest.items("/spec/volumeClaimTemplates").enumerate();
    places.extend(
        claims.map(|(i, _)| (format!("/spec/volumeClaimTemplates/{i}/metadata"), format!("spec.volumeClaimTemplates[{i}].metadata"))),
    );
    places
}

type Why<'a> = dyn Fn(&str, &str, &Value) -> Option<&'static str> + 'a;

fn strip_one(metadata: &mut Value, path: &str, notes: &mut Notes, why: &Why<'_>) {
    for field in ["labels", "annotations"] {
        let Some(map) = metadata.get_mut(field).and_then(Value::as_object_mut) else { continue };
        map.retain(|key, value| {
            let Some(why) = why(field, key, value) else { return true };
            notes.removed(format!("{path}.{field}[{key}]"), value, why);
            false
        });
        drop_if_empty(metadata, field);
    }
}

fn drop_if_empty(metadata: &mut Value, field: &str) {
    let Some(metadata) = metadata.as_object_mut() else { return };
    if metadata.get(field).and_then(Value::as_object).is_some_and(Map::is_empty) {
        metadata.remove(field);
    }
}
