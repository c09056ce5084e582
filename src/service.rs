//! The service: webhook server, controller, what runs beside it, and feedback, put together in one place.

mod beside;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use futures::future::OptionFuture;
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::api::rbac::v1::Subject;
use kube::api::PostParams;
use kube::runtime::reflector::Store;
use kube::{Api, Client};
use tokio::net::TcpListener;

use self::beside::Beside;
use crate::api::PreviewEnvironment;
use crate::clock::Clock;
use crate::config::{ControllerConfig, GithubConfig, ServerConfig};
use crate::controller::baselines::Baselines;
use crate::controller::environments::{Change, Environments, Listener};
use crate::controller::requests::{RequestError, within_deadline};
use crate::controller::{Controller, FeedbackState, Parts};
use crate::domain::Seed;
use crate::feedback;
use crate::forge::Forge;
use crate::forge::github::{GitHub, GithubError};
use crate::intent::{About, Existing};
use crate::metrics::Metrics;
use crate::probe::ProbeError;
use crate::record::Coalescing;
use crate::registry::{Registry, RegistryConfig};
use crate::resync::{self, Resync};
use crate::server::{self, Gate, Limits, Readiness, Server, WebhookSecrets};

/// Everything that the service is told at its start.
pub struct Options {
    /// The webhook's secrets; without them no delivery is taken, and the forge is asked every so often.
    pub secrets: Option<WebhookSecrets>,
    /// How often the forge is asked for what no delivery told.
    pub look_every: Duration,
    /// Where environments are asked for an answer, whatever the hosts' names resolve to.
    pub probe_address: Option<SocketAddr>,
    /// The webhook server.
    pub server: ServerConfig,
    /// The controller.
    pub controller: ControllerConfig,
    /// The registries.
    pub registry: RegistryConfig,
    /// What generated values of Secrets follow from, where one is given.
    pub seed: Option<Seed>,
    /// GitHub; without an App or a token no pull request is read and no comment is written.
    pub github: Option<GithubConfig>,
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
    /// Who the service is.
    #[error("cannot ask the API server who the service is: {0}")]
    Identity(#[from] RequestError),
}

/// Runs the service until `shutdown` ends; deliveries that are under way then are answered first. `clock` hears the client's
/// answers.
pub async fn run((client, clock): (Client, Clock), options: Options, shutdown: impl Future<Output = ()>) -> Result<(), StartError> {
    let metrics = Metrics::new();
    let forge = github(options.github, options.secrets.is_some(), &metrics)?;
    let identity = identity(&client).await?;
    let address = options.server.listen;
    let listener = TcpListener::bind(address).await.map_err(|why| StartError::Listen { address, why })?;
    tracing::info!(%address, identity = identity.name, "listening");

    let mut environments = Environments::default();
    let baselines = Arc::<Baselines>::default();
    let (driver, notifier) = feedback(&client, forge.clone(), &environments, baselines.clone());
    environments.listen(tell(notifier.clone()));
    let around = (baselines.clone(), metrics.clone());
    let beside = Beside::new(((&client, &clock), forge.as_ref()), &around, options.probe_address)?.listening(&mut environments);
    let store = environments.store();
    let controller = Controller::new(Parts {
        client: client.clone(),
        clock,
        config: options.controller,
        seed: options.seed,
        identity,
        environments,
        baselines: baselines.clone(),
        registry: Registry::new(options.registry).with_metrics(metrics.clone()),
        forge: forge.clone(),
        feedback: Arc::new(notifier),
        metrics: metrics.clone(),
    });

    let readiness = Readiness::new(&Gate::ALL);
    let server = Server {
        secrets: options.secrets,
        baselines: all(baselines.clone()),
        environments: existing(store.clone()),
        look_soon: beside.hint(),
        clock: forge_time(forge.clone()),
        recorder: Arc::new(Coalescing::new(Arc::new(client.clone()))),
        readiness: readiness.clone(),
        metrics,
        limits: Limits { body: options.server.body_limit, ..Limits::default() },
    };
    let look = forge.map(|forge| look(forge, &server, (baselines.clone(), store.clone()), options.look_every));
    let background = async {
        let listed = move || Gate::ALL.into_iter().for_each(|gate| readiness.open(gate));
        let feedback = OptionFuture::from(driver.map(|driver| show(driver, &baselines)));
        futures::join!(controller.run(listed), beside.run(baselines.clone(), store), feedback, OptionFuture::from(look));
    };
    tokio::select! {
        () = server::serve(listener, server::router(server), shutdown) => Ok(()),
        () = background => Ok(()),
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

/// The forge's time, or ours where there is none.
fn forge_time(forge: Option<Arc<dyn Forge>>) -> server::Clock {
    Arc::new(move || forge.as_ref().map_or_else(Utc::now, |forge| forge.time()))
}

fn github(config: Option<GithubConfig>, hears: bool, metrics: &Metrics) -> Result<Option<Arc<dyn Forge>>, StartError> {
    let Some(config) = config else {
        tracing::warn!(
            "neither a GitHub App nor a token: pull requests are not read, and no comment is written; set --github-app-id and \
             --github-app-key-file, or --github-token-file"
        );
        return Ok(None);
    };
    let github = GitHub::new(config)?.with_metrics(metrics.clone());
    Ok(Some(Arc::new(if hears { github } else { github.without_deliveries() })))
}

fn feedback(
    client: &Client,
    forge: Option<Arc<dyn Forge>>,
    environments: &Environments,
    baselines: Arc<Baselines>,
) -> (Option<feedback::Driver>, feedback::Notifier) {
    match forge {
        None => (None, feedback::Notifier::off()),
        Some(forge) => {
            let sources = feedback::Sources::new(Arc::new(move |namespace, name| baselines.get(namespace, name)), true);
            let (driver, notifier) = feedback::Driver::new(client.clone(), forge, environments.store(), sources);
            (Some(driver), notifier)
        }
    }
}

/// Tells the forge, from when the Baselines are listed: what is shown depends on what they say.
async fn show(driver: feedback::Driver, baselines: &Baselines) {
    baselines.wait_until_listed().await;
    driver.run(std::future::pending()).await;
}

impl FeedbackState for feedback::Notifier {
    fn is_told(&self, environment: &PreviewEnvironment) -> bool {
        self.nothing_left_to_say(environment)
    }
}

/// Looks for what no delivery told, from when everything is listed: before, what is there would be taken for new.
fn look(
    forge: Arc<dyn Forge>,
    server: &Server,
    (baselines, store): (Arc<Baselines>, Store<PreviewEnvironment>),
    every: Duration,
) -> impl Future<Output = ()> + use<> {
    let context = resync::Context {
        forge,
        baselines: server.baselines.clone(),
        environments: server.environments.clone(),
        recorder: server.recorder.clone(),
        metrics: server.metrics.clone(),
    };
    async move {
        baselines.wait_until_listed().await;
        if store.wait_until_ready().await.is_ok() {
            Resync::new(context, Utc::now()).run(every).await;
        }
    }
}

/// Tells feedback of every change.
fn tell(notifier: feedback::Notifier) -> Listener {
    Box::new(move |change| match change {
        Change::Applied(object) | Change::Deleted(object) => notifier.changed(object),
    })
}

/// Who the service is: the subject of the RoleBindings that give it its rights in environments.
async fn identity(client: &Client) -> Result<Subject, RequestError> {
    let api: Api<SelfSubjectReview> = Api::all(client.clone());
    let review = within_deadline("ask who we are", api.create(&PostParams::default(), &SelfSubjectReview::default())).await?;
    let username = review.status.and_then(|s| s.user_info).and_then(|u| u.username).unwrap_or_default();
    Ok(subject(&username))
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
