//! YAML manifests, applied as an administrator would.

use std::path::Path;

use anyhow::{Context, Result};
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client, ResourceExt, discovery};

/// Reads all objects of a YAML text.
pub fn read(text: &str) -> Result<Vec<DynamicObject>> {
    let documents = text.split("\n---").map(|document| document.trim_start_matches("---"));
    let holds_something = |document: &&str| document.lines().any(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
    documents.filter(holds_something).map(|document| serde_saphyr::from_str(document).context("cannot read a manifest")).collect()
}

/// Reads all YAML files of a folder, in the order of their names.
pub fn read_folder(folder: &Path) -> Result<Vec<DynamicObject>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files: Vec<_> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.extension().is_some_and(|e| e == "yaml")).collect();
    files.sort();
    let mut objects = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        objects.extend(read(&text).with_context(|| format!("in {}", file.display()))?);
    }
    Ok(objects)
}

/// Creates an object as `kubectl create` does, or applies it where it is there already; `namespace` is for namespaced
/// ones that name none. Some objects that a real API server takes by POST, it does not take by apply.
pub async fn apply(client: &Client, object: &DynamicObject, namespace: Option<&str>) -> Result<()> {
    let types = object.types.as_ref().context("an object without apiVersion and kind")?;
    let gvk = GroupVersionKind::try_from(types).context("an object with a strange apiVersion")?;
    let (resource, capabilities) =
        discovery::pinned_kind(client, &gvk).await.with_context(|| format!("the cluster has no {}", types.kind))?;
    let namespace = object.namespace().or(namespace.map(str::to_owned));
    let api: Api<DynamicObject> = match (capabilities.scope, namespace) {
        (discovery::Scope::Namespaced, Some(namespace)) => Api::namespaced_with(client.clone(), &namespace, &resource),
        _ => Api::all_with(client.clone(), &resource),
    };
    let mut object = object.clone();
    if api.namespace().is_some() {
        object.metadata.namespace = api.namespace().map(str::to_owned);
    }
    match api.create(&PostParams::default(), &object).await {
        Err(kube::Error::Api(status)) if status.code == 409 => {}
        created => return created.map(drop).with_context(|| format!("cannot create {} {}", types.kind, object.name_any())),
    }
    let params = PatchParams::apply("administrator").force();
    api.patch(&object.name_any(), &params, &Patch::Apply(&object))
        .await
        .with_context(|| format!("cannot apply {} {}", types.kind, object.name_any()))?;
    Ok(())
}
