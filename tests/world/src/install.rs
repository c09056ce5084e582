//! Installs the service as the documentation says: the kinds, the rights, and what each baseline's namespace grants.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::DynamicObject;
use kube::runtime::conditions::is_crd_established;
use kube::{Api, Client, ResourceExt};

use crate::manifests::{apply, read};
use crate::wait::wait_for;

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn deploy(file: &str) -> Result<Vec<DynamicObject>> {
    let path = root().join("deploy").join(file);
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    read(&text)
}

/// What an administrator does once per cluster.
pub async fn once(admin: &Client) -> Result<()> {
    for object in deploy("crds.yaml")?.iter().chain(&deploy("rbac.yaml")?) {
        apply(admin, object, None).await?;
    }
    let crds: Api<CustomResourceDefinition> = Api::all(admin.clone());
    for name in ["baselines.preview-env.dev", "previewenvironments.preview-env.dev"] {
        wait_for(&crds, name, "established", is_crd_established()).await?;
    }
    Ok(())
}

/// What the owner of a namespace grants: that it is read, and the Secrets by name.
pub async fn baseline_access(admin: &Client, namespace: &str, secrets: &[&str]) -> Result<()> {
    for mut object in deploy("baseline-access.yaml")? {
        if object.types.as_ref().is_some_and(|t| t.kind == "Role") && object.name_any() == "preview-env:baseline-secrets" {
            object.data["rules"][0]["resourceNames"] = serde_json::json!(if secrets.is_empty() { vec!["none"] } else { secrets.to_vec() });
        }
        apply(admin, &object, Some(namespace)).await?;
    }
    Ok(())
}
