//! What every story stands on: one world for all of them, and a small shop of its own for each.

use std::cell::RefCell;
use std::future::Future;
use std::path::Path;
use std::sync::OnceLock;

use anyhow::Context;
use chrono::TimeDelta;
use github_double::{Action, Delivery, Double, Open, Records, on};
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::ResourceExt;
use kube::api::{Api, ListParams, Patch, PatchParams};
use preview_env::api::conditions::{ConditionStatus, READY, find, is_true};
use preview_env::api::{self, PreviewEnvironment, PreviewEnvironmentStatus};
use serde_json::json;
use test_registry::Registry;
use test_world::{Baseline, Credential, DEVELOPER, OWNER, Setup, World, read, wait_for};
use tokio::runtime::Runtime;
use tokio::sync::{Mutex, OnceCell, Semaphore};

const SMALL: &str = include_str!("manifests/small.yaml");
/// What every container is said to have logged since it started.
pub const LOGGED: &str = include_str!("manifests/logged.txt");
/// The same, before that.
pub const LOGGED_BEFORE: &str = include_str!("manifests/logged-before.txt");

/// Held by the story that is alone in the world of those that disturb.
static ALONE: Mutex<()> = Mutex::const_new(());
/// Worlds of one story each that there are at the same time: each is a control plane of its own, and a machine has two cores.
static APART: Semaphore = Semaphore::const_new(2);

/// All stories share one runtime, so that what one of them starts outlives it.
fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new().expect("a runtime"))
}

/// The registries that the service may ask.
pub struct Registries {
    /// Everybody may read it.
    pub open: Registry,
    /// It asks for a login.
    pub guarded: Registry,
}

/// The registries of the world; none where docker-registry is not installed.
pub async fn registries() -> Option<&'static Registries> {
    static REGISTRIES: OnceCell<Option<Registries>> = OnceCell::const_new();
    let start = async || {
        let open = Registry::start().await.expect("a registry")?;
        let guarded = Registry::start_guarded().await.expect("a registry with a login")?;
        Some(Registries { open, guarded })
    };
    REGISTRIES.get_or_init(start).await.as_ref()
}

async fn world() -> &'static World {
    static WORLD: OnceCell<World> = OnceCell::const_new();
    WORLD.get_or_init(new_world).await
}

/// The world of the stories that disturb others, such as by a crash of the service: one of them at a time.
async fn world_of_trouble() -> &'static World {
    static WORLD: OnceCell<World> = OnceCell::const_new();
    WORLD.get_or_init(new_world).await
}

async fn new_world() -> World {
    let hosts = registries().await.map(|r| vec![r.open.host().to_owned(), r.guarded.host().to_owned()]).unwrap_or_default();
    let setup = Setup { registries: hosts, cluster: cluster(), ..Setup::default() };
    World::start_with(Path::new(env!("CARGO_BIN_EXE_preview")), setup).await.expect("the world starts")
}

/// The world whose service is a GitHub App, and finds out whether environments answer. Only stories about what Apps alone can
/// do, and about addresses that answer, need it.
async fn world_of_an_app() -> &'static World {
    static WORLD: OnceCell<World> = OnceCell::const_new();
    let start = async || {
        let setup = Setup { credential: Credential::App, cluster: cluster(), routes: true, ..Setup::default() };
        World::start_with(Path::new(env!("CARGO_BIN_EXE_preview")), setup).await.expect("the world starts")
    };
    WORLD.get_or_init(start).await
}

fn cluster() -> test_cluster::Options {
    let logs = test_cluster::Logs { now: LOGGED.to_owned(), before: LOGGED_BEFORE.to_owned() };
    test_cluster::Options { logs, commands: true, ..test_cluster::Options::default() }
}

/// Tells a story in the shared world, beside others.
pub fn story<F: Future<Output = anyhow::Result<()>>>(tell: impl FnOnce(&'static World) -> F) {
    runtime().block_on(async { told(world().await, tell).await });
}

/// Tells a story that would disturb others, such as by a crash of the service: while it is told, it has a world for itself.
pub fn story_alone<F: Future<Output = anyhow::Result<()>>>(tell: impl FnOnce(&'static World) -> F) {
    runtime().block_on(async {
        let _alone = ALONE.lock().await;
        told(world_of_trouble().await, tell).await;
    });
}

/// Tells a story of a service that is a GitHub App, beside others of the kind.
pub fn story_of_an_app<F: Future<Output = anyhow::Result<()>>>(tell: impl FnOnce(&'static World) -> F) {
    runtime().block_on(async { told(world_of_an_app().await, tell).await });
}

/// Tells a story that changes the cluster itself, in a world that no other story has.
pub fn story_apart<F: Future<Output = anyhow::Result<()>>>(tell: impl FnOnce(&'static World) -> F) {
    runtime().block_on(async {
        let _place = APART.acquire().await;
        let world = Box::leak(Box::new(new_world().await));
        told(world, tell).await;
        world.service.lock().await.kill();
        world.cluster.end();
    });
}

tokio::task_local! {
    /// The namespaces of the story that is told, for what its failure shows.
    static ABOUT: RefCell<Vec<String>>;
}

#[expect(clippy::panic, reason = "a story that goes wrong ends its test, with what the service said")]
async fn told<F: Future<Output = anyhow::Result<()>>>(world: &'static World, tell: impl FnOnce(&'static World) -> F) {
    let telling = async {
        let told = tell(world).await;
        (told, ABOUT.with(RefCell::take))
    };
    let (told, about) = ABOUT.scope(RefCell::default(), telling).await;
    if let Err(error) = told {
        let log = world.service.lock().await.log_about(&about);
        // Without a backtrace: it says where a story waited, which the error says in words, and hides the rest.
        panic!("{error:#}\n\nthe last that the service's log says of {about:?}:\n{log}");
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

    /// The same, in a private repository, once the service knows that it is one: until then nothing of it is shown.
    pub async fn private(world: &'static World, name: &str) -> anyhow::Result<Self> {
        world.github.add_private_repository(&format!("{OWNER}/{name}"))?;
        let shop = Self::open(world, name).await?;
        let knows = |b: Option<&api::Baseline>| b.and_then(|b| b.status.as_ref()).is_some_and(|s| s.repositories.iter().any(|r| r.private));
        wait_for(&Api::namespaced(world.admin.clone(), name), name, "known to be of a private repository", knows).await?;
        Ok(shop)
    }

    /// The same, with changes to its Baseline's spec.
    pub async fn with(world: &'static World, name: &str, change: impl FnOnce(&mut serde_json::Value)) -> anyhow::Result<Self> {
        Self::holding(world, name, "", change).await
    }

    /// The same, with more objects in its namespace.
    pub async fn holding(
        world: &'static World,
        name: &str,
        more: &str,
        change: impl FnOnce(&mut serde_json::Value),
    ) -> anyhow::Result<Self> {
        let shop = Self::unready(world, name, more, change).await?;
        world.wait_until_baseline_is_ready(name, name).await?;
        Ok(shop)
    }

    /// A shop whose images name their commit whole, as has to be for what somebody approves of a fork.
    pub async fn of_whole_commits(world: &'static World, name: &str) -> anyhow::Result<Self> {
        let tag = |spec: &mut serde_json::Value| spec["repositories"][0]["images"][0]["tag"] = "{{ revision }}".into();
        Self::with(world, name, tag).await
    }

    /// The same, without waiting for its Baseline to be Ready.
    pub async fn unready(
        world: &'static World,
        name: &str,
        more: &str,
        change: impl FnOnce(&mut serde_json::Value),
    ) -> anyhow::Result<Self> {
        ABOUT.with(|about| about.borrow_mut().push(name.to_owned()));
        let repository = format!("{OWNER}/{name}");
        let mut spec = json!({
            "repositories": [{"name": repository, "alias": "web", "images": [
                {"name": "registry.example.com:5000/acme/web", "tag": "pr-{{ pull }}-{{ revision_short }}"}]}],
            "hosts": {"domain": format!("{name}.preview.example.com")},
            "clone": {"secrets": [{"name": "listed"}]},
        });
        change(&mut spec);
        let secrets: Vec<String> =
            spec["clone"]["secrets"].as_array().into_iter().flatten().filter_map(|s| s["name"].as_str().map(str::to_owned)).collect();
        let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
        let objects = read(&format!("{}\n---\n{more}", SMALL.replace("HOST", &format!("{name}.example.com"))))?;
        let baseline = json!({"apiVersion": "preview-env.dev/v1alpha1", "kind": "Baseline", "metadata": {"name": name}, "spec": spec});
        world
            .new_baseline(Baseline { namespace: name, repositories: &[&repository], objects: &objects, secrets: &secrets, baseline })
            .await?;
        Ok(Self { world, namespace: name.to_owned(), repository })
    }

    /// Opens a pull request.
    pub async fn pull_request(&self, branch: &str) -> anyhow::Result<Pull<'_>> {
        self.opened(Open::new(&self.repository, branch, DEVELOPER)).await
    }

    /// Opens a pull request that is somehow special.
    pub async fn opened(&self, open: Open) -> anyhow::Result<Pull<'_>> {
        let done = self.world.github.perform(open).await?;
        Ok(Pull { shop: self, number: done.number(), status: done.status() })
    }

    /// Opens two pull requests with one commit, which want it in different branches, and waits until both are ready.
    pub async fn two_with_one_commit(&self) -> anyhow::Result<(Pull<'_>, Pull<'_>)> {
        let (repo, by) = (self.repository.clone(), DEVELOPER.to_owned());
        self.world.github.act(Action::Push { repo, branch: "next".to_owned(), by, force: false })?;
        let first = self.pull_request("login").await?;
        let second = self.opened(Open::new(&self.repository, "login", DEVELOPER).base("next")).await?;
        anyhow::ensure!(first.revision()? == second.revision()?, "they have different commits");
        first.wait_until_ready().await?;
        second.wait_until_ready().await?;
        Ok((first, second))
    }

    /// Opens a pull request whose delivery is on its way and not here yet.
    pub fn unheard_of(&self, branch: &str) -> anyhow::Result<(Pull<'_>, Delivery)> {
        let done = self.world.github.act(Open::new(&self.repository, branch, DEVELOPER))?;
        Ok((Pull { shop: self, number: done.number(), status: None }, done.delivery().clone()))
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

    /// The same, a second later and without the delivery being sent.
    pub fn act_later(&self, act: impl FnOnce(github_double::On) -> github_double::Action) -> anyhow::Result<Delivery> {
        self.shop.world.github.advance(TimeDelta::seconds(1));
        let done = self.shop.world.github.act(act(on(&self.shop.repository, self.number, DEVELOPER)))?;
        Ok(done.delivery().clone())
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

    /// Waits until what the forge keeps of its repository is so, and gives what was looked for.
    pub async fn wait_for_record<T>(&self, what: &str, look: impl Fn(&Records) -> Option<T>) -> anyhow::Result<T> {
        let Shop { world, repository, .. } = self.shop;
        let found = |github: &Double| look(&github.repository(repository).ok()?.records);
        world.github.wait_until(&format!("{what} for {repository}#{}", self.number), test_world::deadline(), found).await
    }

    /// The pod of a workload ends again and again, as a kubelet would tell it; kwok's pods only run.
    pub async fn crash(&self, app: &str) -> anyhow::Result<()> {
        let pods: Api<Pod> = Api::namespaced(self.shop.world.admin.clone(), &self.namespace());
        let listed = pods.list(&ListParams::default().labels(&format!("app={app}"))).await?;
        let alive = listed.items.iter().find(|pod| pod.metadata.deletion_timestamp.is_none());
        let name = alive.with_context(|| format!("{app} has no pod"))?.name_any();
        let container = json!({"name": app, "image": "i", "imageID": "", "ready": false, "restartCount": 3,
            "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": {"exitCode": 1}}});
        let unready = [json!({"type": "Ready", "status": "False"}), json!({"type": "ContainersReady", "status": "False"})];
        let status = json!({"status": {"containerStatuses": [container], "conditions": unready}});
        pods.patch_status(&name, &PatchParams::default(), &Patch::Strategic(&status)).await?;
        Ok(())
    }

    /// Waits until a condition is so for a reason, and gives its message.
    pub async fn wait_for_condition(&self, type_: &str, status: ConditionStatus, reason: &str) -> anyhow::Result<String> {
        let fits = |s: &PreviewEnvironmentStatus| find(&s.conditions, type_).is_some_and(|c| c.status == status && c.reason == reason);
        let there = self.wait(&format!("{type_} {status:?} for {reason}"), fits).await?;
        Ok(find(&there.conditions, type_).map(|c| c.message.clone()).unwrap_or_default())
    }

    /// Its environment as it is now.
    pub async fn environment(&self) -> anyhow::Result<PreviewEnvironment> {
        Ok(self.shop.environments().get(&self.name()).await?)
    }

    /// Whether the namespace is there that it would have.
    pub async fn has_namespace(&self) -> anyhow::Result<bool> {
        let namespaces: Api<Namespace> = Api::all(self.shop.world.admin.clone());
        Ok(namespaces.get_opt(&self.namespace()).await?.is_some())
    }

    /// Waits until the comment says how the environment is now, and the environment records that it does.
    pub async fn wait_until_told(&self) -> anyhow::Result<()> {
        // The API server of this world goes by this machine's clock.
        let told = |e: Option<&PreviewEnvironment>| e.is_some_and(|e| preview_env::feedback::group::is_told(e, chrono::Utc::now()));
        wait_for(&self.shop.environments(), &self.name(), "told", told).await?;
        Ok(())
    }

    /// Waits until nothing of it is left, the object included.
    pub async fn wait_until_gone(&self) -> anyhow::Result<()> {
        wait_for(&self.shop.environments(), &self.name(), "gone", |e: Option<&PreviewEnvironment>| e.is_none()).await?;
        anyhow::ensure!(!self.has_namespace().await?, "its namespace is left");
        Ok(())
    }

    /// How many comments it has, of whomever.
    pub fn comments(&self) -> usize {
        self.shop.world.github.comments(&self.shop.repository, self.number).len()
    }
}
