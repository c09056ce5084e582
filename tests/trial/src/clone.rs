//! One environment of the system, from the pull request until nothing of it is left.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use github_double::{Open, on};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use preview_env::api::conditions::{READY, STALLED, find, is_true};
use preview_env::api::status::{LeftOut, ServiceStatus};
use preview_env::api::{PreviewEnvironment, PreviewEnvironmentStatus};
use test_world::{DEVELOPER, World, wait_for};

use crate::install::REPOSITORY;
use crate::system::System;

/// How an environment came to be.
pub struct Cloned {
    /// Its workloads.
    pub services: Vec<ServiceStatus>,
    /// What of the baseline is not in it.
    pub left_out: Vec<LeftOut>,
    /// How many objects were applied.
    pub objects: usize,
    /// Time from the delivery until everything was applied and Ready; `None` where it never was.
    pub ready: Option<Duration>,
    /// Why it is not Ready, or stalled.
    pub trouble: Option<String>,
    /// Time from the merge until nothing was left.
    pub gone: Duration,
    /// What `preview plan` says of the baseline.
    pub planned: String,
    /// What `preview describe` says of the environment.
    pub described: String,
}

/// Opens a pull request, waits for its environment, and merges.
pub async fn clone(world: &World, system: &System) -> Result<Cloned> {
    let planned = preview(world, &["plan", "--from-namespace", &system.namespace]).await?;
    let begun = Instant::now();
    let number = world.github.perform(Open::new(REPOSITORY, "change", DEVELOPER)).await?.number();
    let name = format!("system-pr-{number}");
    let environments = world.environments(&system.namespace);
    let settled = |e: Option<&PreviewEnvironment>| {
        let conditions = e.and_then(|e| e.status.as_ref()).map(|s| s.conditions.as_slice()).unwrap_or_default();
        is_true(conditions, READY) || is_true(conditions, STALLED)
    };
    let waited = wait_for(&environments, &name, "Ready or Stalled", settled).await;
    let took = begun.elapsed();
    let status = environments.get(&name).await?.status.unwrap_or_default();
    let described = preview(world, &["describe", &name, "--namespace", &system.namespace]).await?;
    let gone = merged(world, &environments, (&name, number), status.namespace.as_deref()).await?;
    let ready = waited.is_ok() && is_true(&status.conditions, READY);
    Ok(Cloned {
        objects: status.inventory.iter().filter(|entry| entry.hash.is_some()).count(),
        ready: ready.then_some(took),
        trouble: trouble(&status),
        services: status.services,
        left_out: status.left_out,
        gone,
        planned,
        described,
    })
}

fn trouble(status: &PreviewEnvironmentStatus) -> Option<String> {
    let stalled = find(&status.conditions, STALLED).filter(|_| is_true(&status.conditions, STALLED));
    let unready = find(&status.conditions, READY).filter(|_| !is_true(&status.conditions, READY));
    stalled.or(unready).map(|condition| condition.message.clone())
}

/// What the command line prints, as the administrator.
async fn preview(world: &World, arguments: &[&str]) -> Result<String> {
    let program = std::env::current_exe().context("cannot find this program")?.with_file_name("preview");
    let mut command = tokio::process::Command::new(program);
    command.args(arguments).env("KUBECONFIG", world.cluster.kubeconfig_path());
    let output = command.output().await.with_context(|| format!("cannot run preview {}", arguments.join(" ")))?;
    let (printed, complaint) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Ok(if printed.is_empty() { complaint.into_owned() } else { printed.into_owned() })
}

async fn merged(
    world: &World,
    environments: &Api<PreviewEnvironment>,
    (name, number): (&str, u64),
    namespace: Option<&str>,
) -> Result<Duration> {
    let begun = Instant::now();
    world.github.perform(on(REPOSITORY, number, DEVELOPER).merge()).await?;
    wait_for(environments, name, "gone", |e: Option<&PreviewEnvironment>| e.is_none()).await?;
    let namespaces: Api<Namespace> = Api::all(world.admin.clone());
    if let Some(namespace) = namespace {
        wait_for(&namespaces, namespace, "gone", |n: Option<&Namespace>| n.is_none()).await?;
    }
    Ok(begun.elapsed())
}
