//! The controller: one level-triggered loop that makes every environment what it should be.
//!
//! ```text
//! settle > observe (IO) > resolve (images.rs: IO) > plan > apply (IO) > status          driver.rs calls them in this order
//! ```
//!
//! The watches feed three in-memory views, so that a reconcile asks the API server nothing that it was told already:
//! the environments (a reflector), their workloads and namespaces ([`index`]) and each baseline's namespace
//! ([`baseline_cache`]). The first of them every replica has; all else is made when a replica begins to lead, and gone when it
//! does not any more.

pub mod apply;
pub mod availability;
pub mod baseline_cache;
pub mod baseline_externals;
pub mod baseline_reader;
pub mod baseline_status;
pub mod baselines;
pub mod behind;
pub mod catalogue;
pub mod changes;
pub mod clean_up;
pub mod digest;
pub mod discovery;
pub mod driver;
pub mod environments;
pub mod events;
pub mod explain;
mod happened;
pub mod healing;
pub mod hook_jobs;
pub(crate) mod hook_runs;
pub(crate) mod hooks;
pub mod hosts;
pub mod images;
pub mod index;
pub mod inquiry;
pub mod late;
mod light;
pub mod logs;
mod namespace;
pub mod nodes;
pub mod observe;
mod orphans;
mod outcome;
pub mod pods;
pub mod policy;
pub mod queue;
mod reactions;
pub mod recorded;
pub mod repositories;
pub mod requests;
pub mod resolve;
pub mod retries;
pub mod rounds;
mod routes;
pub mod scope;
pub mod settle;
pub mod status;
pub mod stuck;
mod traced;
mod upkeep;
pub mod wake;
pub mod watch;
pub mod workload;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use k8s_openapi::api::rbac::v1::Subject;
use kube::Client;
use kube::runtime::controller::{Action, Config};
use kube::runtime::reflector::Store;
use kube::runtime::{applier, reflector};
use tokio::sync::Semaphore;

use self::baselines::Baselines;
use self::behind::Behind;
use self::changes::Changes;
use self::environments::{Listener, View};
use self::events::Events;
use self::healing::Healing;
use self::hook_jobs::HookJobs;
use self::hosts::HostClaims;
use self::images::{Around, Images};
use self::index::{Index, WORKLOADS};
use self::pods::Pods;
use self::queue::Queue;
use self::recorded::Memory;
use self::requests::RequestError;
use self::retries::Retries;
use self::rounds::Rounds;
use self::wake::Wake;
use crate::api::PreviewEnvironment;
use crate::clock::Clock;
use crate::config::ControllerConfig;
use crate::domain::Seed;
use crate::forge::Forge;
use crate::kinds::Kind;
use crate::metrics::Metrics;
use crate::registry::Registry;
use crate::resync::brake::Ledger;
use crate::traces::Traces;

/// What the pull request shows, as far as the controller must know.
pub trait FeedbackState: Send + Sync {
    /// Whether the pull request of an environment that is gone says so, or never will.
    fn is_told(&self, environment: &PreviewEnvironment) -> bool;
}

/// Everything that a reconcile works with.
pub struct Context {
    /// The client, with the rights of the service.
    pub client: Client,
    /// The API server's time.
    pub clock: Clock,
    /// How much is done at once.
    pub config: ControllerConfig,
    /// What generated values of Secrets follow from, where the service has it.
    pub seed: Option<Seed>,
    /// Who the service is: the subject of the RoleBindings that it makes.
    pub identity: Subject,
    /// Workloads and namespaces of the environments.
    pub index: Arc<Index>,
    /// The Baselines and their namespaces.
    pub baselines: Arc<Baselines>,
    /// Statuses that the watch did not bring back yet.
    pub memory: Memory,
    /// Who waits for a place, and who has one.
    pub queue: Queue,
    /// Host names that are given away.
    pub hosts: Arc<HostClaims>,
    /// How far each environment is behind its baseline.
    pub behind: Behind,
    /// The Jobs of hooks.
    pub hook_jobs: Arc<HookJobs>,
    /// When environments were last mended.
    pub healing: Healing,
    /// What is missing in environments of the kinds that no watch follows.
    pub rounds: Rounds,
    /// Pauses after failures.
    pub retries: Retries,
    /// One permit for each apply in flight, over all environments.
    pub permits: Semaphore,
    /// The registries and what they are asked.
    pub images: Arc<Images>,
    /// What pull requests change.
    pub changes: Arc<Changes>,
    /// What pods said that do not start.
    pub pods: Pods,
    /// What the pull requests show.
    pub feedback: Arc<dyn FeedbackState>,
    /// What may be removed that nobody asked to remove.
    pub brake: Arc<Ledger>,
    /// Every environment, as the watch brings them.
    pub environments: Store<PreviewEnvironment>,
    /// What is counted.
    pub metrics: Metrics,
    /// What traces show.
    pub traces: Traces,
    /// What `kubectl describe` shows below the objects.
    pub events: Events,
    /// Wakes reconciles.
    pub wake: Wake,
}

impl Context {
    /// Wakes the reconcile of every environment of a Baseline's namespace.
    pub fn wake_namespace(&self, namespace: &str) {
        let there = self.environments.state_filter(|e| e.metadata.namespace.as_deref() == Some(namespace));
        there.iter().filter_map(|e| e.metadata.name.as_deref()).for_each(|name| self.wake.environment(namespace, name));
    }
}

/// The controller before it runs.
pub struct Controller {
    context: Arc<Context>,
    events: events::Writer,
    forge: Option<Arc<dyn Forge>>,
    wakeups: futures::channel::mpsc::UnboundedReceiver<reflector::ObjectRef<PreviewEnvironment>>,
}

/// What a controller is made of.
pub struct Parts {
    /// The client, with the rights of the service.
    pub client: Client,
    /// The API server's time, by the client's answers.
    pub clock: Clock,
    /// How much is done at once.
    pub config: ControllerConfig,
    /// What generated values of Secrets follow from, where one is given.
    pub seed: Option<Seed>,
    /// Who the service is.
    pub identity: Subject,
    /// Every environment and every Baseline.
    pub view: View,
    /// The registries.
    pub registry: Registry,
    /// Says what pull requests change, and what became of them, if anybody does.
    pub forge: Option<Arc<dyn Forge>>,
    /// What the pull requests show.
    pub feedback: Arc<dyn FeedbackState>,
    /// What is counted.
    pub metrics: Metrics,
    /// What traces show.
    pub traces: Traces,
}

impl Controller {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        let (wake, wakeups) = Wake::channel();
        let permits = Semaphore::new(parts.config.in_flight);
        let (events, writer) = Events::new(parts.client.clone());
        let index: Arc<Index> = Arc::default();
        let told = (parts.metrics.clone(), events.clone());
        let brake = Ledger::new((parts.client.clone(), parts.clock.clone()), (&parts.view, index.clone()), told);
        let context = Context {
            client: parts.client.clone(),
            clock: parts.clock,
            config: parts.config,
            seed: parts.seed,
            identity: parts.identity,
            index,
            baselines: parts.view.baselines,
            memory: Memory::default(),
            queue: Queue::default(),
            hosts: Arc::default(),
            behind: Behind::default(),
            hook_jobs: Arc::default(),
            healing: Healing::new(parts.config.look_over_every),
            rounds: Rounds::default(),
            retries: Retries::default(),
            permits,
            images: Arc::new(Images::new(parts.registry, Around { wake: wake.clone(), client: Some(parts.client) })),
            changes: Arc::new(Changes::new(parts.forge.clone(), wake.clone())),
            pods: Pods::default(),
            feedback: parts.feedback,
            brake: Arc::new(brake),
            environments: parts.view.environments,
            metrics: parts.metrics,
            traces: parts.traces,
            events,
            wake,
        };
        Self { context: Arc::new(context), forge: parts.forge, events: writer, wakeups }
    }

    /// Wakes reconciles whenever something changes.
    pub fn listener(&self) -> Listener {
        reactions::listener(self.context.clone())
    }

    /// What may be removed that nobody asked to remove.
    pub fn brake(&self) -> Arc<Ledger> {
        self.context.brake.clone()
    }

    /// Runs until it is dropped. `listed` is called once everything was listed and reconciles start.
    pub async fn run(self, listed: impl FnOnce() + Send) {
        let Self { context, forge, events, wakeups } = self;
        let store = context.environments.clone();
        let work = async {
            wait_for_lists(&context, &store).await;
            claim_recorded_hosts(&context, &store);
            listed();
            let orphans = orphans::run(context.clone(), forge);
            let beside = async { futures::join!(behind::run(context.clone()), rounds::run(context.clone()), orphans) };
            futures::join!(reconcile_all(context.clone(), store.clone(), wakeups), beside);
        };
        futures::join!(
            policy::follow(context.clone()),
            discovery::run(context.client.clone(), context.baselines.discovery.clone()),
            watches(&context),
            baseline_status::run(context.clone()),
            events.run(),
            work
        );
    }
}

async fn watches(context: &Context) {
    let workloads = WORKLOADS.into_iter().filter_map(|(version, kind)| Kind::find(version, kind));
    let workloads = workloads.map(|kind| watch::workloads(context.client.clone(), kind, context.index.clone(), context.wake.clone()));
    let others = [("v1", "Service"), ("v1", "PersistentVolumeClaim"), ("networking.k8s.io/v1", "NetworkPolicy")];
    let objects = others.into_iter().filter_map(|(version, kind)| Kind::find(version, kind));
    let objects = objects.map(|kind| watch::objects(context.client.clone(), kind, context.index.clone(), context.wake.clone()));
    let namespaces = watch::namespaces(context.client.clone(), context.index.clone(), context.wake.clone());
    let jobs = hook_jobs::follow(context.client.clone(), context.hook_jobs.clone(), context.wake.clone());
    let (workloads, objects) = (futures::future::join_all(workloads), futures::future::join_all(objects));
    futures::join!(workloads, objects, routes::follow(context), namespaces, jobs);
}

/// A reconcile that ran on half a view would make again what is there.
async fn wait_for_lists(context: &Context, environments: &Store<PreviewEnvironment>) {
    let _ = environments.wait_until_ready().await;
    context.index.wait_until_listed().await;
    routes::wait_until_listed(context).await;
    context.hook_jobs.wait_until_listed().await;
    context.baselines.wait_until_listed().await;
    context.baselines.wait_for_policies().await;
}

/// A restart must not give a host to another environment than the one that has it.
fn claim_recorded_hosts(context: &Context, environments: &Store<PreviewEnvironment>) {
    for environment in environments.state() {
        let urls = environment.status.as_ref().map(|s| s.urls.as_slice()).unwrap_or_default();
        let hosts: Vec<&str> = urls.iter().map(|u| u.host.as_str()).collect();
        let uid = environment.metadata.uid.as_deref().unwrap_or_default();
        if !context.hosts.restore(uid, &hosts) {
            tracing::warn!(env = environment.metadata.name, "a host of this environment is recorded for another one too");
        }
    }
}

async fn reconcile_all(
    context: Arc<Context>,
    store: Store<PreviewEnvironment>,
    wakeups: futures::channel::mpsc::UnboundedReceiver<reflector::ObjectRef<PreviewEnvironment>>,
) {
    let config = Config::default().concurrency(context.config.concurrency);
    let reconcile = |object, context| driver::reconcile(object, context).boxed();
    let results = applier(
        reconcile,
        |object, error, context| retry(&object, error, &context),
        context,
        store,
        wakeups.map(Ok::<_, Infallible>),
        config,
    );
    results.for_each(|_| async {}).await;
}

fn retry(object: &PreviewEnvironment, error: &RequestError, context: &Context) -> Action {
    let pause = context.retries.next(object.metadata.uid.as_deref().unwrap_or_default());
    let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
    context.metrics.reconcile((namespace, &object.spec.baseline), "error", Duration::ZERO);
    tracing::warn!(env = object.metadata.name, %error, pause = ?pause, "a reconcile failed and is tried again");
    Action::requeue(pause)
}
