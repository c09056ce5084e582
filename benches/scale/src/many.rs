//! Many environments, made by the service itself: a delivery each, and every object applied as always.
//!
//! What takes long on a real control plane is that pods start: its controllers make 20 requests a second each. So they are ended
//! first, and this stands in for the one that counts: it says of each Deployment that it is up. Nothing else is short-cut. What
//! there is none of, since nobody makes it, the service does not follow: ReplicaSets, pods, endpoints, and what Kubernetes puts
//! into each namespace.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bench::service::send;
use bench::shop::{Shop, objects};
use futures::future::ready;
use futures::{StreamExt, TryStreamExt, stream};
use github_double::Open;
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{ListParams, Patch, PatchParams};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use preview_env::api::PreviewEnvironment;
use preview_env::api::names::LABEL_ENVIRONMENT_UID;
use preview_env::feedback::group::is_told;
use serde_json::json;
use test_world::{Baseline, DEVELOPER, World};

use crate::asked::Asked;
use crate::shown::until;

/// Services of each environment.
pub const SERVICES: usize = 10;
/// The namespace of the baseline, and the repository.
const NAMESPACE: &str = "many";
const REPOSITORY: &str = "acme/many";
/// Deliveries under way at one time.
const SENDERS: usize = 8;
/// Deployments that are said to be up at one time.
const PLAYERS: usize = 8;
/// As long as nothing was written for that long, nothing is left to be done.
const QUIET: Duration = Duration::from_secs(5);

/// Makes the baseline that all are copies of.
pub async fn baseline(world: &World) -> Result<()> {
    let shop = Shop { namespace: NAMESPACE.to_owned(), repository: REPOSITORY.to_owned() };
    let objects = objects(SERVICES).into_iter().map(serde_json::from_value).collect::<Result<Vec<_>, _>>()?;
    let mut baseline = shop.baseline();
    baseline["spec"]["limits"] = json!({"environments": 10_000, "perAuthor": 10_000});
    world
        .baseline(Baseline { namespace: NAMESPACE, repositories: &[REPOSITORY], objects: &objects, secrets: &["database"], baseline })
        .await
}

/// In the place of the Deployment controller, until it is dropped: every Deployment of an environment is up as soon as it is
/// there.
pub async fn play_deployments(client: Client) {
    let config = watcher::Config::default().labels(LABEL_ENVIRONMENT_UID);
    let seen = watcher(Api::<Deployment>::all(client.clone()), config).default_backoff().applied_objects();
    seen.filter_map(|object| ready(object.ok().filter(is_new)))
        .for_each_concurrent(PLAYERS, |object| {
            let client = client.clone();
            async move {
                if let Err(error) = say_it_is_up(&client, &object).await {
                    eprintln!("{}/{} is not said to be up: {error}", object.namespace().unwrap_or_default(), object.name_any());
                }
            }
        })
        .await;
}

fn is_new(object: &Deployment) -> bool {
    let observed = object.status.as_ref().and_then(|status| status.observed_generation);
    observed < object.metadata.generation
}

async fn say_it_is_up(client: &Client, object: &Deployment) -> kube::Result<()> {
    let api: Api<Deployment> = Api::namespaced(client.clone(), &object.namespace().unwrap_or_default());
    let count = object.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let condition =
        |kind: &str, reason: &str| json!({"type": kind, "status": "True", "reason": reason, "message": "as the benchmark says"});
    let status = json!({"status": {
        "observedGeneration": object.metadata.generation,
        "replicas": count, "updatedReplicas": count, "readyReplicas": count, "availableReplicas": count,
        "conditions": [condition("Available", "MinimumReplicasAvailable"), condition("Progressing", "NewReplicaSetAvailable")],
    }});
    api.patch_status(&object.name_any(), &PatchParams::default(), &Patch::Merge(&status)).await.map(drop)
}

/// Opens pull requests until there are so many, and waits until each environment is Ready, its pull request says so, and
/// nothing is left to be done. Says how long that took.
pub async fn grow(world: &World, to: usize) -> Result<Duration> {
    let begun = Instant::now();
    let there = world.github.repository(REPOSITORY)?.pulls.len();
    let opened = (there..to).map(|index| Ok(world.github.act(Open::new(REPOSITORY, &format!("change-{index}"), DEVELOPER))?));
    let opened = opened.collect::<Result<Vec<_>>>()?;
    let sends: Vec<_> = opened.iter().map(|opened| send(opened.delivery())).collect();
    stream::iter(sends).buffer_unordered(SENDERS).try_for_each(async |_| Ok(())).await?;
    let count = as_figure(to);
    until(world, "all are Ready", |shown| shown.in_phase("Ready") >= count).await?;
    quiet(world).await?;
    let all = Api::<PreviewEnvironment>::namespaced(world.admin.clone(), NAMESPACE).list(&ListParams::default()).await?.items;
    // The API server of this world goes by this machine's clock.
    let told = all.iter().filter(|environment| is_told(environment, chrono::Utc::now())).count();
    ensure!(told == to, "of {to} environments the pull requests of {told} say how they are");
    Ok(begun.elapsed())
}

/// Waits until the service writes nothing any more.
async fn quiet(world: &World) -> Result<()> {
    for _ in 0..120 {
        let mark = world.audit().mark().await?;
        tokio::time::sleep(QUIET).await;
        if Asked::since(world, mark).await?.written() == 0 {
            return Ok(());
        }
    }
    anyhow::bail!("the service does not come to rest")
}

/// A count as a figure.
#[expect(clippy::cast_precision_loss, reason = "counts are small")]
pub fn as_figure(count: usize) -> f64 {
    count as f64
}
