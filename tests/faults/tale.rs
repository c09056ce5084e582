//! One pull request in a namespace and a repository of its own, and what people do to it.

use std::time::Duration;

use anyhow::Context;
use github_double::{Action, Delivery, Done, On, Open, on};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::Api;
use preview_env::api::conditions::{READY, is_true};
use preview_env::api::{PreviewEnvironment, PreviewEnvironmentStatus};
use serde_json::{Value, json};
use test_world::{Baseline, DEVELOPER, OWNER, World, read, wait_for};

use crate::stage::Stage;

/// How often something is looked at that no watch tells of, and a delivery sent again that nobody took.
pub const LOOK: Duration = Duration::from_millis(250);
/// Two services.
const SYSTEM: &str = include_str!("system.yaml");
/// Name of the environment of the only pull request of a repository.
pub const ENVIRONMENT: &str = "web-pr-1";
/// The number of the only pull request of a repository.
pub const NUMBER: u64 = 1;

/// A namespace of two services, and a repository, both of that name, with more in the Baseline's spec.
pub async fn baseline(world: &World, name: &str, more: Value) -> anyhow::Result<()> {
    let repository = format!("{OWNER}/{name}");
    let mut spec = json!({
        "repositories": [{"name": repository, "alias": "web", "images": [
            {"name": "registry.example.com/acme/web", "tag": "pr-{{ pull }}-{{ revision }}"}]}],
        "hosts": {"domain": format!("{name}.preview.example.com")},
        "clone": {"secrets": [{"name": "listed"}]},
    });
    if let (Some(spec), Value::Object(more)) = (spec.as_object_mut(), more) {
        spec.extend(more);
    }
    let baseline = json!({"apiVersion": "preview-env.dev/v1alpha1", "kind": "Baseline", "metadata": {"name": name}, "spec": spec});
    let objects = read(&SYSTEM.replace("HOST", &format!("{name}.example.com")))?;
    let baseline = Baseline { namespace: name, repositories: &[&repository], objects: &objects, secrets: &["listed"], baseline };
    world.baseline(baseline).await?;
    // Once bound it is another object to clone.
    let is_bound = |claim: Option<&PersistentVolumeClaim>| claim.and_then(|c| c.status.as_ref()?.phase.as_deref()) == Some("Bound");
    wait_for(&Api::namespaced(world.admin.clone(), name), "uploads", "bound", is_bound).await.map(drop)
}

/// A row's own namespace, repository and pull request.
pub struct Tale {
    /// What is around it.
    pub stage: &'static Stage,
    /// What its namespace and its repository are called.
    pub name: String,
}

impl Tale {
    /// A baseline and a repository without a pull request. The Baseline's lifetime is as given.
    pub async fn begin(stage: &'static Stage, name: String, lifetime: Value) -> anyhow::Result<Self> {
        baseline(&stage.world, &name, json!({"lifetime": lifetime})).await?;
        Ok(Self { stage, name })
    }

    /// The world.
    pub fn world(&self) -> &'static World {
        &self.stage.world
    }

    /// `owner/name`.
    pub fn repository(&self) -> String {
        format!("{OWNER}/{}", self.name)
    }

    /// Its namespace.
    pub fn namespace(&self) -> String {
        format!("{}-{}", self.name, ENVIRONMENT)
    }

    /// The environments of the baseline.
    pub fn environments(&self) -> Api<PreviewEnvironment> {
        self.world().environments(&self.name)
    }

    /// Opens the pull request.
    pub async fn open(&self) -> anyhow::Result<()> {
        self.perform(Open::new(&self.repository(), "login", DEVELOPER)).await
    }

    /// Opens it as a draft.
    pub async fn open_as_draft(&self) -> anyhow::Result<()> {
        self.perform(Open::new(&self.repository(), "login", DEVELOPER).draft()).await
    }

    /// Opens it from a fork.
    pub async fn open_from_fork(&self) -> anyhow::Result<()> {
        let stranger = format!("stranger-of-{}", self.name);
        self.world().github.add_user(&stranger);
        let fork = self.world().github.fork(&self.repository(), &stranger)?;
        self.perform(Open::new(&self.repository(), "gift", &stranger).from_fork(&fork)).await
    }

    /// Does something to it as a developer would, in another second than what was done before: GitHub's times are whole
    /// seconds, and what happens within one has no order.
    pub async fn act(&self, act: impl FnOnce(On) -> Action) -> anyhow::Result<()> {
        let second = || self.world().github.now().timestamp();
        let (now, mut ticks) = (second(), tokio::time::interval(LOOK));
        while second() == now {
            ticks.tick().await;
        }
        self.perform(act(on(&self.repository(), NUMBER, DEVELOPER))).await
    }

    async fn perform(&self, action: impl Into<Action>) -> anyhow::Result<()> {
        let Done { deliveries, .. } = self.world().github.perform(action).await?;
        for delivery in deliveries {
            tokio::time::timeout(test_world::deadline(), self.taken(delivery)).await.context("a delivery is not taken")??;
        }
        Ok(())
    }

    /// Has it delivered again until it is taken, as a person would who sees that it failed.
    async fn taken(&self, mut delivery: Delivery) -> anyhow::Result<()> {
        let (id, mut ticks) = (delivery.id, tokio::time::interval(2 * LOOK));
        loop {
            match delivery.status() {
                Some(200..300) => return Ok(()),
                None | Some(503) => {}
                Some(_) => anyhow::bail!("a delivery is refused: {}", delivery.answer()),
            }
            ticks.tick().await;
            delivery = self.world().github.redeliver(id).await?;
        }
    }

    /// The commit at its head.
    pub fn revision(&self) -> anyhow::Result<String> {
        Ok(self.world().github.pull(&self.repository(), NUMBER)?.head_sha)
    }

    /// Waits until the environment is as the condition says.
    pub async fn wait(&self, what: &str, fits: impl Fn(&PreviewEnvironment) -> bool + Send + Sync) -> anyhow::Result<()> {
        let fits = |object: Option<&PreviewEnvironment>| object.is_some_and(&fits);
        wait_for(&self.environments(), ENVIRONMENT, what, fits).await.map(drop)
    }

    /// The same by its status.
    pub async fn wait_status(&self, what: &str, fits: impl Fn(&PreviewEnvironmentStatus) -> bool + Send + Sync) -> anyhow::Result<()> {
        self.wait(what, |object| object.status.as_ref().is_some_and(&fits)).await
    }

    /// Waits until it runs the present commit.
    pub async fn wait_until_ready(&self) -> anyhow::Result<()> {
        let revision = self.revision()?;
        self.wait_status("Ready at its head", |s| is_true(&s.conditions, READY) && s.revision.as_ref() == Some(&revision)).await
    }

    /// Waits until the object is gone.
    pub async fn wait_until_gone(&self) -> anyhow::Result<()> {
        let gone = |object: Option<&PreviewEnvironment>| object.is_none();
        wait_for(&self.environments(), ENVIRONMENT, "gone", gone).await.map(drop)
    }
}
