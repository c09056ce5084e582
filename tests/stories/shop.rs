//! What every story stands on: one world for all of them, and a small shop of its own for each.

use std::future::Future;
use std::path::Path;
use std::sync::OnceLock;

use github_double::{Open, on};
use kube::api::Api;
use preview_env::api::conditions::{READY, is_true};
use preview_env::api::{PreviewEnvironment, PreviewEnvironmentStatus};
use serde_json::json;
use test_world::{Baseline, DEVELOPER, World, read, wait_for};
use tokio::runtime::Runtime;
use tokio::sync::{OnceCell, RwLock};

const SMALL: &str = include_str!("manifests/small.yaml");

static ALONE: RwLock<()> = RwLock::const_new(());

/// All stories share one runtime, so that what one of them starts outlives it.
fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new().expect("a runtime"))
}

async fn world() -> &'static World {
    static WORLD: OnceCell<World> = OnceCell::const_new();
    let start = async || World::start(Path::new(env!("CARGO_BIN_EXE_preview"))).await.expect("the world starts");
    WORLD.get_or_init(start).await
}

/// Tells a story in the shared world, beside others.
pub fn story<F: Future<Output = anyhow::Result<()>>>(tell: impl FnOnce(&'static World) -> F) {
    runtime().block_on(async {
        let _beside_others = ALONE.read().await;
        told(world().await, tell).await;
    });
}

/// Tells a story that disturbs all others, such as a crash of the service.
pub fn story_alone<F: Future<Output = anyhow::Result<()>>>(tell: impl FnOnce(&'static World) -> F) {
    runtime().block_on(async {
        let _alone = ALONE.write().await;
        told(world().await, tell).await;
    });
}

#[expect(clippy::panic, reason = "a story that goes wrong ends its test, with what the service said")]
async fn told<F: Future<Output = anyhow::Result<()>>>(world: &'static World, tell: impl FnOnce(&'static World) -> F) {
    if let Err(error) = tell(world).await {
        let log = world.service.lock().await.log_end();
        panic!("{error:?}\n\nthe service's log ends:\n{log}");
    }
    assert_eq!(world.github.contract_violations(), [], "GitHub would not have taken or said this");
}

/// A small shop in a namespace of its own, with a repository of its own.
pub struct Shop {
    pub world: &'static World,
    pub namespace: String,
    pub repository: String,
}

impl Shop {
    /// Opens a shop of that name: namespace, repository, domain and hosts are called after it.
    pub async fn open(world: &'static World, name: &str) -> anyhow::Result<Self> {
        Self::with(world, name, |_| ()).await
    }

    /// The same, with changes to its Baseline's spec.
    pub async fn with(world: &'static World, name: &str, change: impl FnOnce(&mut serde_json::Value)) -> anyhow::Result<Self> {
        let repository = format!("acme/{name}");
        let mut spec = json!({
            "repositories": [{"name": repository, "alias": "web", "images": [
                {"name": "registry.example.com:5000/acme/web", "tag": "pr-{{ pull }}-{{ revision_short }}"}]}],
            "hosts": {"domain": format!("{name}.preview.example.com")},
            "clone": {"secrets": [{"name": "listed"}]},
        });
        change(&mut spec);
        let objects = read(&SMALL.replace("HOST", &format!("{name}.example.com")))?;
        let baseline = json!({"apiVersion": "preview-env.dev/v1alpha1", "kind": "Baseline", "metadata": {"name": name}, "spec": spec});
        world
            .baseline(Baseline { namespace: name, repositories: &[&repository], objects: &objects, secrets: &["listed"], baseline })
            .await?;
        Ok(Self { world, namespace: name.to_owned(), repository })
    }

    /// Opens a pull request.
    pub async fn pull_request(&self, branch: &str) -> anyhow::Result<Pull<'_>> {
        let done = self.world.github.perform(Open::new(&self.repository, branch, DEVELOPER)).await?;
        Ok(Pull { shop: self, number: done.number(), status: done.status() })
    }

    /// The environments of this shop.
    pub fn environments(&self) -> Api<PreviewEnvironment> {
        self.world.environments(&self.namespace)
    }
}

/// A pull request of a shop.
pub struct Pull<'a> {
    pub shop: &'a Shop,
    pub number: u64,
    /// What the service answered to the last delivery.
    pub status: Option<u16>,
}

impl Pull<'_> {
    /// Name of its environment.
    pub fn name(&self) -> String {
        format!("web-pr-{}", self.number)
    }

    /// Its namespace, if nobody else holds that name.
    pub fn namespace(&self) -> String {
        format!("{}-{}", self.shop.namespace, self.name())
    }

    /// Does something to it as the developer would, and gives what the service answered.
    pub async fn perform(&self, act: impl FnOnce(github_double::On) -> github_double::Action) -> anyhow::Result<Option<u16>> {
        let action = act(on(&self.shop.repository, self.number, DEVELOPER));
        Ok(self.shop.world.github.perform(action).await?.status())
    }

    /// The commit at its head.
    pub fn revision(&self) -> anyhow::Result<String> {
        Ok(self.shop.world.github.pull(&self.shop.repository, self.number)?.head_sha.clone())
    }

    /// Waits until its environment is as the condition says.
    pub async fn wait(
        &self,
        what: &str,
        fits: impl Fn(&PreviewEnvironmentStatus) -> bool + Send + Sync,
    ) -> anyhow::Result<PreviewEnvironmentStatus> {
        let condition = |e: Option<&PreviewEnvironment>| e.and_then(|e| e.status.as_ref()).is_some_and(&fits);
        let there = wait_for(&self.shop.environments(), &self.name(), what, condition).await?;
        Ok(there.and_then(|e| e.status).unwrap_or_default())
    }

    /// Waits until its environment runs the present commit.
    pub async fn wait_until_ready(&self) -> anyhow::Result<PreviewEnvironmentStatus> {
        let revision = self.revision()?;
        self.wait("Ready at its head", |s| is_true(&s.conditions, READY) && s.revision.as_ref() == Some(&revision)).await
    }

    /// Waits for the comment to say something, and gives its text.
    pub async fn wait_for_comment(&self, fits: impl Fn(&str) -> bool) -> anyhow::Result<String> {
        let Shop { world, repository, .. } = self.shop;
        Ok(world.github.wait_for_comment(repository, self.number, fits, test_world::deadline()).await?.body)
    }

    /// Waits until nothing of it is left, the object included.
    pub async fn wait_until_gone(&self) -> anyhow::Result<()> {
        wait_for(&self.shop.environments(), &self.name(), "gone", |e: Option<&PreviewEnvironment>| e.is_none()).await?;
        let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(self.shop.world.admin.clone());
        anyhow::ensure!(namespaces.get_opt(&self.namespace()).await?.is_none(), "its namespace is left");
        Ok(())
    }
}
