//! The document, from what cargo knows and from Cargo.lock. Pure.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// The package whose binary it is.
const SERVICE: &str = "preview-env";

/// Package ids of all that a package is compiled from, by package.
type Edges<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

/// What `preview` is compiled from: its dependencies and theirs, without those of tests and of build scripts.
pub fn document(metadata: &Value, lock: &str) -> Result<Value> {
    let packages: BTreeMap<&str, &Value> = list(&metadata["packages"]).filter_map(|p| Some((p["id"].as_str()?, p))).collect();
    let (service, _) = packages.iter().find(|(_, p)| p["name"] == SERVICE).with_context(|| format!("there is no package {SERVICE}"))?;
    let edges = edges(metadata);
    let checksums = checksums(lock);
    let mut components = Vec::new();
    let mut dependencies = Vec::new();
    for id in reached(service, &edges) {
        let package = packages.get(id).with_context(|| format!("cargo does not describe {id}"))?;
        if id != *service {
            components.push(component(package, "library", &checksums));
        }
        let needs = edges.get(id).into_iter().flatten().filter_map(|id| packages.get(id));
        dependencies.push(json!({"ref": purl(package), "dependsOn": needs.map(|p| purl(p)).collect::<BTreeSet<_>>()}));
    }
    let service = component(packages[service], "application", &checksums);
    Ok(json!({
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "metadata": {"component": service}, "components": components, "dependencies": dependencies,
    }))
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Dependencies that are linked; those for tests and build scripts have a kind.
fn edges(metadata: &Value) -> Edges<'_> {
    let linked = |dependency: &&Value| list(&dependency["dep_kinds"]).any(|kind| kind["kind"].is_null());
    list(&metadata["resolve"]["nodes"])
        .map(|node| (text(&node["id"]), list(&node["deps"]).filter(linked).map(|d| text(&d["pkg"])).collect()))
        .collect()
}

/// A package and all that it is compiled from.
fn reached<'a>(from: &'a str, edges: &Edges<'a>) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::from([from]);
    let mut next = vec![from];
    while let Some(id) = next.pop() {
        next.extend(edges.get(id).into_iter().flatten().filter(|id| reached.insert(id)));
    }
    reached
}

fn purl(package: &Value) -> String {
    format!("pkg:cargo/{}@{}", text(&package["name"]), text(&package["version"]))
}

fn component(package: &Value, kind: &str, checksums: &BTreeMap<(String, String), String>) -> Value {
    let (name, version) = (text(&package["name"]), text(&package["version"]));
    let mut component = json!({"type": kind, "bom-ref": purl(package), "name": name, "version": version, "purl": purl(package)});
    if let Some(license) = package["license"].as_str() {
        component["licenses"] = json!([{"expression": license.replace('/', " OR ")}]);
    }
    if let Some(checksum) = checksums.get(&(name.to_owned(), version.to_owned())) {
        component["hashes"] = json!([{"alg": "SHA-256", "content": checksum}]);
    }
    component
}

/// The checksums of Cargo.lock, by name and version.
fn checksums(lock: &str) -> BTreeMap<(String, String), String> {
    let field = |package: &str, name: &str| {
        let line = package.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = \""));
        line.map(|value| value.trim_end_matches('"').to_owned())
    };
    let packages = lock.split("[[package]]");
    packages.filter_map(|p| Some(((field(p, "name")?, field(p, "version")?), field(p, "checksum")?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str) -> Value {
        json!({"id": name, "name": name, "version": "1.0.0", "license": "MIT/Apache-2.0"})
    }

    fn node(name: &str, needs: &[(&str, Value)]) -> Value {
        let deps = needs.iter().map(|(name, kind)| json!({"pkg": name, "dep_kinds": [{"kind": kind}]})).collect::<Vec<_>>();
        json!({"id": name, "deps": deps})
    }

    #[test]
    fn it_lists_what_is_linked_and_nothing_of_tests_and_build_scripts() {
        let names = ["preview-env", "kube", "http", "insta", "cc"];
        let nodes = [
            node(SERVICE, &[("kube", Value::Null), ("insta", json!("dev"))]),
            node("kube", &[("http", Value::Null), ("cc", json!("build"))]),
            node("http", &[]),
            node("insta", &[]),
            node("cc", &[]),
        ];
        let metadata = json!({"packages": names.map(package), "resolve": {"nodes": nodes}});
        let lock = "[[package]]\nname = \"http\"\nversion = \"1.0.0\"\nsource = \"x\"\nchecksum = \"abc\"\n";
        let document = document(&metadata, lock).unwrap();
        let components: Vec<&str> = list(&document["components"]).map(|c| text(&c["name"])).collect();
        assert_eq!(components, ["http", "kube"]);
        assert_eq!(document["components"][0]["hashes"][0]["content"], "abc");
        assert_eq!(document["components"][0]["licenses"][0]["expression"], "MIT OR Apache-2.0");
        assert_eq!(document["metadata"]["component"]["purl"], "pkg:cargo/preview-env@1.0.0");
        assert_eq!(document["dependencies"][1], json!({"ref": "pkg:cargo/kube@1.0.0", "dependsOn": ["pkg:cargo/http@1.0.0"]}));
    }

    #[test]
    fn without_the_service_there_is_nothing_to_describe() {
        let metadata = json!({"packages": [package("kube")], "resolve": {"nodes": []}});
        assert!(document(&metadata, "").unwrap_err().to_string().contains(SERVICE));
    }
}
