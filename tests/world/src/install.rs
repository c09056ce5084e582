//! Installs the service as the documentation says: the kinds, the rights, and what each baseline's namespace grants.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DynamicObject, PostParams};
use kube::runtime::conditions::is_crd_established;
use kube::{Api, Client, ResourceExt};
use preview_env::api::PreviewEnvironment;
use serde_json::json;

use crate::manifests::{apply, read};
use crate::wait::{deadline, wait_for};

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
    for name in ["baselines.preview-env.dev", "previewenvironments.preview-env.dev", "previewpolicies.preview-env.dev"] {
        wait_for(&crds, name, "established", is_crd_established()).await?;
    }
    for role in ["preview-env:environment", "preview-env:baseline-reader"] {
        holds_rights(admin, role, "configmaps").await?;
    }
    policy_in_force(admin).await
}

/// Waits until the rights of labelled ClusterRoles have reached the one that the service holds.
pub async fn holds_rights(admin: &Client, role: &str, resource: &str) -> Result<()> {
    let roles: Api<ClusterRole> = Api::all(admin.clone());
    let names = |rule: &PolicyRule| rule.resources.iter().flatten().any(|r| r == resource);
    let holds = |role: Option<&ClusterRole>| role.is_some_and(|role| role.rules.iter().flatten().any(names));
    wait_for(&roles, role, &format!("granting {resource}"), holds).await.map(drop)
}

/// Installs kinds, and waits until they are served.
pub async fn definitions(admin: &Client, objects: &[DynamicObject]) -> Result<()> {
    let crds: Api<CustomResourceDefinition> = Api::all(admin.clone());
    for object in objects {
        apply(admin, object, None).await?;
        wait_for(&crds, &object.name_any(), "established", is_crd_established()).await?;
    }
    Ok(())
}

/// Installs the Gateway API as a distribution of it does.
pub async fn gateway_api(admin: &Client) -> Result<()> {
    let file = tokio::task::spawn_blocking(test_cluster::gateway_api).await.context("cannot look for the Gateway API")??;
    let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    definitions(admin, &read(&text)?).await
}

/// Waits until the API server keeps people from writing what is the service's. Nothing that could be watched says so: the
/// server reads its policies anew about once a second. So it is asked, with a wish in a stranger's name that is not kept.
async fn policy_in_force(admin: &Client) -> Result<()> {
    let environments: Api<PreviewEnvironment> = Api::namespaced(admin.clone(), "default");
    let wish = json!({"state": "Absent", "actor": "nobody", "at": "2026-01-01T00:00:00Z"});
    let strange = PreviewEnvironment::new("asked", serde_json::from_value(json!({"baseline": "none", "wish": wish}))?);
    let only_asked = PostParams { dry_run: true, ..PostParams::default() };
    let mut ticks = tokio::time::interval(Duration::from_millis(100));
    let asking = async {
        loop {
            ticks.tick().await;
            match environments.create(&only_asked, &strange).await {
                Err(kube::Error::Api(status)) if status.message.contains("spec.wish.actor") => return Ok(()),
                answer => answer.map(drop).context("cannot ask whether the policy is in force")?,
            }
        }
    };
    tokio::time::timeout(deadline(), asking).await.context("the policy is not in force")?
}

/// What the owner of a namespace grants: that it is read, and the Secrets by name.
pub async fn baseline_access(admin: &Client, namespace: &str, secrets: &[&str]) -> Result<()> {
    for mut object in deploy("baseline-access.yaml")? {
        if object.types.as_ref().is_some_and(|t| t.kind == "Role") && object.name_any() == "preview-env:baseline-secrets" {
            object.data["rules"][0]["resourceNames"] = json!(if secrets.is_empty() { vec!["none"] } else { secrets.to_vec() });
        }
        apply(admin, &object, Some(namespace)).await?;
    }
    Ok(())
}
