//! Puts everything there: a cluster, the double of GitHub, the service, and the shop.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use kube::api::DynamicObject;
use serde_json::Value;
use test_world::{Baseline, Credential, Setup, World, read_folder, root};
use tokio::process::Command;

use crate::paper::Paper;

/// The namespace of the shop.
pub const SHOP: &str = "shop";
/// Its repositories.
pub const REPOSITORIES: [&str; 2] = ["acme/web", "acme/api"];

/// What the demo plays on.
pub struct Stage {
    /// Cluster, double and service.
    pub world: World,
    /// The `preview` binary.
    pub preview: PathBuf,
}

/// Sets the stage, and says what stands on it.
pub async fn set() -> Result<Stage> {
    let preview = preview().await?;
    let begun = Instant::now();
    Paper::line("Starting a Kubernetes control plane, a double of GitHub and preview serve ...");
    let world = World::start_with(&preview, Setup { credential: Credential::App, ..Setup::default() }).await?;
    let version = world.admin.apiserver_version().await.context("the API server does not say its version")?.git_version;
    shop(&world).await?;
    let seconds = begun.elapsed().as_secs_f64();
    Paper::line(&format!("Kubernetes {version} (pods are played by kwok); everything is up after {seconds:.1} s."));
    Ok(Stage { world, preview })
}

/// `examples/shop` as it stands.
async fn shop(world: &World) -> Result<()> {
    let objects = read_folder(&root().join("examples/shop"))?;
    let is = |object: &DynamicObject, kind: &str| object.types.as_ref().is_some_and(|types| types.kind == kind);
    let baseline = objects.iter().find(|object| is(object, "Baseline")).context("examples/shop has no Baseline")?;
    let baseline = serde_json::to_value(baseline)?;
    let objects: Vec<_> = objects.into_iter().filter(|object| !is(object, "Baseline") && !is(object, "Namespace")).collect();
    let secrets = listed_secrets(&baseline);
    let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
    let services = objects.iter().filter(|object| is(object, "Deployment") || is(object, "StatefulSet")).count();
    Paper::line(&format!("Baseline {SHOP}: {} objects, {services} services, built by {}.", objects.len(), REPOSITORIES.join(" and ")));
    world.baseline(Baseline { namespace: SHOP, repositories: &REPOSITORIES, objects: &objects, secrets: &secrets, baseline }).await
}

fn listed_secrets(baseline: &Value) -> Vec<String> {
    let secrets = baseline["spec"]["clone"]["secrets"].as_array().map(Vec::as_slice).unwrap_or_default();
    secrets.iter().filter_map(|secret| Some(secret["name"].as_str()?.to_owned())).collect()
}

/// The `preview` binary beside our own, built if it is missing.
async fn preview() -> Result<PathBuf> {
    let own = std::env::current_exe().context("cannot find the demo's own binary")?;
    let preview = own.with_file_name("preview");
    if !preview.is_file() {
        eprintln!("demo: building preview");
        let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        build.args(["build", "--package", "preview-env", "--bin", "preview"]).current_dir(root()).stdin(Stdio::null());
        let status = build.status().await.context("cannot run cargo")?;
        ensure!(status.success(), "cannot build preview: cargo says why above");
        ensure!(preview.is_file(), "cannot find {}, although cargo built it: build with the same profile and target", preview.display());
    }
    Ok(preview)
}
