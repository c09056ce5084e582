//! Makes a baseline of a system: what the API server does not take is said, and the rest goes on.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use github_double::Permission;
use kube::api::DynamicObject;
use kube::{Api, ResourceExt};
use preview_env::api::conditions::{READY, is_true};
use preview_env::api::{self};
use serde_json::{Value, json};
use test_world::{BOT, DEVELOPER, World, apply, baseline_access, read, wait_for};

use crate::system::{System, kind, shown};

/// The repository whose pull request is previewed.
pub const REPOSITORY: &str = "acme/system";

/// How the baseline came to be.
pub struct Installed {
    /// Objects that the API server did not take, with its reason: what their owner would see too.
    pub refused: Vec<String>,
}

/// Definitions first, since other objects may be of those kinds.
const FIRST: [&str; 5] = ["CustomResourceDefinition", "ServiceAccount", "PriorityClass", "StorageClass", "ClusterRole"];

/// Applies the system and makes its namespace a baseline.
pub async fn install(world: &World, system: &System, baseline: Option<&Path>) -> Result<Installed> {
    world.github.add_repository(REPOSITORY)?;
    world.github.permit(REPOSITORY, DEVELOPER, Permission::Write)?;
    world.github.permit(REPOSITORY, BOT, Permission::Write)?;
    world.namespace(&system.namespace).await?;
    let secrets = system.names_of("Secret");
    baseline_access(&world.admin, &system.namespace, &secrets.iter().map(String::as_str).collect::<Vec<_>>()).await?;
    let refused = apply_all(world, system).await?;
    let given = match baseline {
        Some(path) => Some(of_file(path)?),
        None => system.baseline.clone(),
    };
    let object: DynamicObject = serde_json::from_value(given.map_or_else(|| Ok(drafted(&secrets)), |g| with_repository(&g))?)?;
    apply(&world.admin, &object, Some(&system.namespace)).await?;
    let baselines: Api<api::Baseline> = Api::namespaced(world.admin.clone(), &system.namespace);
    let ready = |b: Option<&api::Baseline>| b.and_then(|b| b.status.as_ref()).is_some_and(|s| is_true(&s.conditions, READY));
    wait_for(&baselines, &object.name_any(), "a Ready Baseline", ready).await?;
    Ok(Installed { refused })
}

fn of_file(path: &Path) -> Result<DynamicObject> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    read(&text)?.into_iter().find(|o| kind(o) == "Baseline").with_context(|| format!("no Baseline is in {}", path.display()))
}

/// A Baseline as its owner wrote it, for our repository too.
fn with_repository(given: &DynamicObject) -> Result<Value> {
    let mut baseline = serde_json::to_value(given)?;
    let listed = baseline.pointer_mut("/spec/repositories").and_then(Value::as_array_mut).context("a Baseline without repositories")?;
    listed.push(json!({"name": REPOSITORY}));
    Ok(baseline)
}

fn drafted(secrets: &[String]) -> Value {
    let secrets: Vec<Value> = secrets.iter().map(|name| json!({"name": name})).collect();
    json!({
        "apiVersion": "preview-env.dev/v1alpha1",
        "kind": "Baseline",
        "metadata": {"name": "system"},
        "spec": {
            "repositories": [{"name": REPOSITORY}],
            "hosts": {"domain": "preview.example.com"},
            "clone": {"secrets": secrets},
        },
    })
}

async fn apply_all(world: &World, system: &System) -> Result<Vec<String>> {
    let order = |object: &&DynamicObject| FIRST.iter().position(|k| *k == kind(object)).unwrap_or(FIRST.len());
    let mut objects: Vec<_> = system.objects.iter().collect();
    objects.sort_by_key(order);
    for other in objects.iter().filter_map(|o| o.namespace()).filter(|n| *n != system.namespace).collect::<std::collections::BTreeSet<_>>()
    {
        // Some are there in every cluster.
        let _ = world.namespace(&other).await;
    }
    let mut refused = Vec::new();
    for object in objects {
        if let Err(error) = taken(world, object, &system.namespace).await {
            refused.push(format!("{}: {error:#}", shown(object)));
        }
    }
    Ok(refused)
}

/// A kind whose definition was just applied is served a moment later.
async fn taken(world: &World, object: &DynamicObject, namespace: &str) -> Result<()> {
    let is_builtin = object
        .types
        .as_ref()
        .is_none_or(|t| !t.api_version.split('/').next().is_some_and(|group| group.contains('.') && !group.ends_with(".k8s.io")));
    let patience = if is_builtin { Duration::ZERO } else { Duration::from_secs(5) };
    let begun = std::time::Instant::now();
    let mut ticks = tokio::time::interval(Duration::from_millis(200));
    loop {
        ticks.tick().await;
        match apply(&world.admin, object, Some(namespace)).await {
            Err(_) if begun.elapsed() < patience => {}
            done => return done,
        }
    }
}
