//! The manifests of a folder, and where each belongs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use kube::api::DynamicObject;
use kube::{ResourceExt, core::TypeMeta};
use serde_json::Value;
use test_world::read;

/// A system as its manifests describe it.
pub struct System {
    /// The namespace that becomes the baseline.
    pub namespace: String,
    /// Its objects, in the order of files and documents.
    pub objects: Vec<DynamicObject>,
    /// The Baseline among the manifests, if there is one.
    pub baseline: Option<DynamicObject>,
}

impl System {
    /// Reads every YAML file of a folder and below. Its namespace is the one that most objects name, and else is called
    /// after the folder.
    pub fn read(folder: &Path) -> Result<Self> {
        let mut objects = Vec::new();
        for file in files(folder)? {
            let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
            let read = read(&text).with_context(|| format!("in {}: is it a template? Render it first", file.display()))?;
            objects.extend(read.into_iter().flat_map(items));
        }
        objects.retain(|object| kind(object) != "Namespace");
        let baseline = objects.iter().find(|object| kind(object) == "Baseline").cloned();
        objects.retain(|object| kind(object) != "Baseline");
        ensure!(!objects.is_empty(), "no manifest is in {}", folder.display());
        Ok(Self { namespace: namespace_of(&objects).unwrap_or_else(|| name_of(folder)), objects, baseline })
    }

    /// How many objects of each kind there are.
    pub fn kinds(&self) -> BTreeMap<String, usize> {
        let mut kinds = BTreeMap::new();
        for object in &self.objects {
            *kinds.entry(kind(object).to_owned()).or_default() += 1;
        }
        kinds
    }

    /// Names of its objects of a kind, in the baseline's namespace.
    pub fn names_of(&self, wanted: &str) -> Vec<String> {
        let here = |o: &&DynamicObject| o.metadata.namespace.as_ref().is_none_or(|n| *n == self.namespace);
        self.objects.iter().filter(|o| kind(o) == wanted).filter(here).map(ResourceExt::name_any).collect()
    }
}

/// The kind, or nothing.
pub fn kind(object: &DynamicObject) -> &str {
    object.types.as_ref().map_or("", |types| types.kind.as_str())
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            found.extend(files(&path)?);
        } else if path.extension().is_some_and(|e| e == "yaml" || e == "yml") {
            found.push(path);
        }
    }
    Ok(found)
}

/// The items of a `List`, or the object itself.
fn items(object: DynamicObject) -> Vec<DynamicObject> {
    if kind(&object) != "List" {
        return vec![object];
    }
    let listed = object.data.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
    listed.into_iter().filter_map(|item| serde_json::from_value(item).ok()).collect()
}

fn namespace_of(objects: &[DynamicObject]) -> Option<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for namespace in objects.iter().filter_map(ResourceExt::namespace) {
        *counts.entry(namespace).or_default() += 1;
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map(|(namespace, _)| namespace)
}

fn name_of(folder: &Path) -> String {
    let name = folder.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let plain = plain.trim_matches('-');
    if plain.is_empty() { "system".to_owned() } else { plain.chars().take(30).collect() }
}

/// What a manifest is called, as people write it.
pub fn shown(object: &DynamicObject) -> String {
    let TypeMeta { kind, .. } = object.types.clone().unwrap_or_default();
    format!("{kind}/{}", object.name_any())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn system(text: &str) -> System {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("below")).expect("a folder below");
        std::fs::write(folder.path().join("below/all.yml"), text).expect("a file");
        System::read(folder.path()).expect("a system")
    }

    #[test]
    fn the_namespace_is_the_one_that_most_objects_name() {
        let object = |name: &str, namespace: &str| {
            format!("apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: {namespace}}}\n---\n")
        };
        let read = system(&[object("a", "one"), object("b", "two"), object("c", "two")].concat());
        assert_eq!(read.namespace, "two");
        assert_eq!(read.names_of("Service"), ["b", "c"]);
    }

    #[test]
    fn lists_are_taken_apart_and_namespaces_left_to_us() {
        let read = system(
            "kind: List\napiVersion: v1\nmetadata: {}\nitems: [{apiVersion: v1, kind: Secret, metadata: {name: s}}]\n---\nkind: Namespace\napiVersion: v1\nmetadata: {name: x}\n",
        );
        assert_eq!(read.kinds(), BTreeMap::from([("Secret".to_owned(), 1)]));
    }
}
