//! The service, put together in one place: what every replica does here, and what the one does that leads in `replica.rs`.

mod beside;
mod replica;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::OptionFuture;
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::rbac::v1::Subject;
use kube::api::PostParams;
use kube::runtime::reflector::Store;
use kube::{Api, Client, Config};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use self::replica::Work;

use self::replica::Replica;
use crate::api::PreviewEnvironment;
use crate::clock::Clock;
use crate::config::ServerConfig;
use crate::controller::baselines::Baselines;
use crate::controller::environments::{Follower, View};
use crate::controller::requests::{RequestError, within_deadline};
use crate::domain::Instance;
use crate::forge::github::GithubError;
use crate::forge::spent::Spent;
use crate::intent::{About, Existing};
use crate::lease::{Election, Place, Role, Timing};
use crate::metrics::Metrics;
use crate::probe::ProbeError;
use crate::record::{Coalescing, doubt};
use crate::server::{self, Gate, Limits, LookSoon, Readiness, Server, WebhookSecrets};
use crate::traces::Traces;

/// How long it is waited for the word whether this replica leads, before it lists what there is.
const FIRST_ROLE: Duration = Duration::from_secs(2);
/// The namespace that every cluster has from its first to its last day.
const CLUSTERS_OWN: &str = "kube-system";

/// Everything that the service is told at its start.
pub struct Options {
    /// The webhook's secrets; without them no delivery is taken, and the forge is asked every so often.
    pub secrets: Option<WebhookSecrets>,
    /// The webhook server.
    pub server: ServerConfig,
    /// Which Lease decides who leads, and who we are.
    pub lease: Place,
    /// What is done by the replica that leads.
    pub work: Work,
    /// Where traces go, where anybody wants them.
    pub traces: Traces,
}

/// Why the service does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The client for GitHub.
    #[error(transparent)]
    Github(#[from] GithubError),
    /// The address.
    #[error("cannot listen on {address}: {why}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        why: std::io::Error,
    },
    /// The client for environments.
    #[error(transparent)]
    Probe(#[from] ProbeError),
    /// The client for the API server.
    #[error("cannot use the kubeconfig: {0}")]
    Client(#[from] kube::Error),
    /// Who the service is.
    #[error("cannot ask the API server who the service is: {0}")]
    Identity(#[from] RequestError),
    /// Which cluster this is.
    #[error("cannot read the namespace kube-system, which tells this cluster from others; name the service with --instance instead: {0}")]
    Cluster(RequestError),
}

/// Runs the service until `stop` ends, which says how long deliveries are still taken then. What is under way comes to its
/// end first, and another replica leads before this returns.
pub async fn run(config: Config, options: Options, stop: impl Future<Output = Duration>) -> Result<(), StartError> {
    // The Lease alone has its client answered every few seconds.
    let clock = Clock::default();
    let client = clock.client(config.clone())?;
    let metrics = Metrics::new();
    let identity = identity(&client).await?;
    let instance = instance(&client, &options.work).await?;
    let (listener, health) = listen(&options.server).await?;
    let (follower, readiness) = (Follower::new(), Readiness::new(&Gate::ALL));
    let view = follower.view();
    let spent = Spent::default();
    let replica = Replica {
        config,
        clock: clock.clone(),
        identity,
        instance: instance.clone(),
        work: options.work,
        hears: options.secrets.is_some(),
        view: view.clone(),
        metrics: metrics.clone(),
        spent: spent.clone(),
        traces: options.traces.clone(),
        readiness: readiness.clone(),
    };
    replica.check()?;
    // Only now: what could not lead must not take the Lease.
    let election = Election::start(client.clone(), options.lease, Timing::DEFAULT, spent);
    let roles = election.roles();
    tracing::info!(address = %options.server.listen, identity = replica.identity.name, "listening");

    let taking = (options.secrets, instance, options.server.body_limit);
    let server = server((&client, &clock), &view, taking, (&readiness, &metrics, options.traces));
    let checks = server::health(readiness.clone(), metrics);
    let (webhooks, checks) = match health {
        Some(health) => (server::webhooks(server), Some((health, checks))),
        None => (server::router(server), None),
    };
    // Health is shown to the end.
    let stages = Stages::default();
    let checks = OptionFuture::from(checks.map(|(health, checks)| server::serve(health, checks, stages.ended.cancelled())));
    let deliveries = server::serve(listener, webhooks, stages.closing.cancelled());
    let lead = async {
        replica.take_turns(election.roles(), &stages.stopping).await;
        election.end().await;
    };
    let work = async {
        futures::join!(stages.pass(stop, &readiness), deliveries, lead);
        stages.ended.cancel();
    };
    let follow = async {
        first_role(roles).await;
        futures::join!(follower.follow(client), say_when_listed(&view, &readiness));
    };
    tokio::select! {
        _ = futures::future::join(Box::pin(work), checks) => Ok(()),
        () = follow => Ok(()),
    }
}

/// What takes deliveries, in every replica.
fn server(
    (client, clock): (&Client, &Clock),
    view: &View,
    (secrets, instance, body_limit): (Option<WebhookSecrets>, Option<Instance>, usize),
    (readiness, metrics, traces): (&Readiness, &Metrics, Traces),
) -> Server {
    Server {
        secrets,
        instance,
        baselines: all(view.baselines.clone()),
        environments: existing(view.environments.clone()),
        look_soon: look_soon(client, clock),
        clock: time(clock),
        recorder: Arc::new(Coalescing::new(Arc::new(client.clone()))),
        readiness: readiness.clone(),
        metrics: metrics.clone(),
        traces,
        limits: Limits { body: body_limit, ..Limits::default() },
    }
}

/// The end of a replica, in the order of what ends.
#[derive(Default)]
struct Stages {
    /// It is not to be given any more to do. It takes what comes, and who leads comes to an end.
    stopping: CancellationToken,
    /// No delivery is taken any more.
    closing: CancellationToken,
    /// All has ended.
    ended: CancellationToken,
}

impl Stages {
    /// From one to the next, but for the last.
    async fn pass(&self, stop: impl Future<Output = Duration>, readiness: &Readiness) {
        let linger = stop.await;
        readiness.stop();
        self.stopping.cancel();
        tokio::time::sleep(linger).await;
        self.closing.cancel();
    }
}

async fn listen(config: &ServerConfig) -> Result<(TcpListener, Option<TcpListener>), StartError> {
    let bind = async |address| TcpListener::bind(address).await.map_err(|why| StartError::Listen { address, why });
    let health = OptionFuture::from(config.health.map(bind)).await.transpose()?;
    Ok((bind(config.listen).await?, health))
}

/// Lists that begin once this replica leads need no second one. Whoever cannot find out whether it does follows without.
async fn first_role(mut roles: watch::Receiver<Role>) {
    let _ = tokio::time::timeout(FIRST_ROLE, roles.wait_for(|role| !matches!(role, Role::Unknown))).await;
}

async fn say_when_listed(view: &View, readiness: &Readiness) {
    view.baselines.wait_until_listed().await;
    readiness.open(Gate::BaselinesListed);
    if view.environments.wait_until_ready().await.is_ok() {
        readiness.open(Gate::EnvironmentsListed);
    }
}

/// The Baselines for the webhook server: as fresh as the watch.
fn all(baselines: Arc<Baselines>) -> Arc<dyn server::Baselines> {
    Arc::new(move || baselines.all())
}

/// The environments for the webhook server: as fresh as the watch.
fn existing(store: Store<PreviewEnvironment>) -> Arc<dyn server::Environments> {
    Arc::new(move |about: &About| -> Vec<Existing> { store.state().iter().flat_map(|object| Existing::of(object, about)).collect() })
}

fn time(clock: &Clock) -> server::Clock {
    let clock = clock.clone();
    Arc::new(move || clock.now())
}

fn look_soon(client: &Client, clock: &Clock) -> LookSoon {
    let (client, clock) = (client.clone(), clock.clone());
    Arc::new(move |baseline| {
        let (client, now) = (client.clone(), clock.now());
        async move { doubt(&client, &baseline, now).await }.boxed()
    })
}

/// Who the service is: the subject of the RoleBindings that give it its rights in environments.
async fn identity(client: &Client) -> Result<Subject, RequestError> {
    let api: Api<SelfSubjectReview> = Api::all(client.clone());
    let review = within_deadline("ask who we are", api.create(&PostParams::default(), &SelfSubjectReview::default())).await?;
    let username = review.status.and_then(|s| s.user_info).and_then(|u| u.username).unwrap_or_default();
    Ok(subject(&username))
}

/// What tells the service from others that write under the same account: its name, or else the cluster. That one's own namespace
/// lives as long as it does, whatever becomes of the service and the Baselines.
async fn instance(client: &Client, work: &Work) -> Result<Option<Instance>, StartError> {
    if work.github.is_none() || work.instance.is_some() {
        return Ok(work.instance.clone());
    }
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let own = within_deadline("tell this cluster from others", namespaces.get(CLUSTERS_OWN)).await.map_err(StartError::Cluster)?;
    Ok(own.metadata.uid.as_deref().map(Instance::of_cluster))
}

fn subject(username: &str) -> Subject {
    let account = username.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':'));
    match account {
        Some((namespace, name)) => {
            Subject { kind: "ServiceAccount".to_owned(), name: name.to_owned(), namespace: Some(namespace.to_owned()), api_group: None }
        }
        None => Subject {
            kind: "User".to_owned(),
            name: username.to_owned(),
            namespace: None,
            api_group: Some("rbac.authorization.k8s.io".to_owned()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_account_is_known_by_its_user_name() {
        let account = subject("system:serviceaccount:preview-env:preview-env");
        assert_eq!((account.kind.as_str(), account.namespace.as_deref()), ("ServiceAccount", Some("preview-env")));
        let user = subject("kubernetes-admin");
        assert_eq!((user.kind.as_str(), user.name.as_str()), ("User", "kubernetes-admin"));
    }
}
