//! The service: webhook server, controller, look-ups and feedback, put together in one place.

use std::sync::Arc;

use futures::channel::mpsc::{UnboundedSender, unbounded};
use futures::future::OptionFuture;
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::api::rbac::v1::Subject;
use kube::api::PostParams;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Api, Client, ResourceExt};
use tokio::net::TcpListener;

use crate::api::PreviewEnvironment;
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
use crate::lookup;
use crate::metrics::Metrics;
use crate::record::Coalescing;
use crate::registry::{Registry, RegistryConfig};
use crate::server::{self, Gate, Limits, Readiness, Server, WebhookSecrets};

/// Whether somebody asks environments whether they answer: then one counts as ready only once it did.
const PROBED: bool = false;

/// Everything that the service is told at its start.
pub struct Options {
    /// The webhook's secrets.
    pub secrets: WebhookSecrets,
    /// The webhook server.
    pub server: ServerConfig,
    /// The controller.
    pub controller: ControllerConfig,
    /// The registries.
    pub registry: RegistryConfig,
    /// What generated values of Secrets follow from, where one is given.
    pub seed: Option<Seed>,
    /// GitHub; without a token no pull request is read and no comment is written.
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
        address: std::net::SocketAddr,
        /// What the system says.
        why: std::io::Error,
    },
    /// Who the service is.
    #[error("cannot ask the API server who the service is: {0}")]
    Identity(#[from] RequestError),
}

/// Runs the service until `shutdown` ends; deliveries that are under way then are answered first.
pub async fn run(client: Client, options: Options, shutdown: impl Future<Output = ()>) -> Result<(), StartError> {
    let metrics = Metrics::new();
    let forge = github(options.github, &metrics)?;
    let identity = identity(&client).await?;
    let address = options.server.listen;
    let listener = TcpListener::bind(address).await.map_err(|why| StartError::Listen { address, why })?;
    tracing::info!(%address, identity = identity.name, "listening");

    let mut environments = Environments::default();
    let baselines = Arc::<Baselines>::default();
    let (driver, notifier) = feedback(&client, forge.clone(), &environments, baselines.clone());
    let (sender, changes) = unbounded();
    let lookups = Arc::new(lookup::Context::new(client.clone(), forge.clone(), baselines.clone()));
    environments.listen(tell(sender, lookups.clone(), notifier.clone()));
    let store = environments.store();
    let parts = Parts {
        client: client.clone(),
        config: options.controller,
        seed: options.seed,
        identity,
        environments,
        baselines: baselines.clone(),
        registry: Registry::new(options.registry).with_metrics(metrics.clone()),
        forge,
        feedback: Arc::new(notifier),
        metrics: metrics.clone(),
    };
    let controller = Controller::new(parts);

    let readiness = Readiness::new(&Gate::ALL);
    let server = Server {
        secrets: options.secrets,
        baselines: {
            let baselines = baselines.clone();
            Arc::new(move || baselines.all())
        },
        environments: existing(store.clone()),
        recorder: Arc::new(Coalescing::new(Arc::new(client.clone()))),
        readiness: readiness.clone(),
        metrics,
        limits: Limits { body: options.server.body_limit, ..Limits::default() },
    };
    let background = async {
        let listed = move || Gate::ALL.into_iter().for_each(|gate| readiness.open(gate));
        let feedback = OptionFuture::from(driver.map(|driver| async {
            // What is shown depends on what the Baselines say.
            baselines.wait_until_listed().await;
            driver.run(std::future::pending()).await;
        }));
        futures::join!(controller.run(listed), lookup::run(lookups, store, changes), feedback);
    };
    tokio::select! {
        () = server::serve(listener, server::router(server), shutdown) => Ok(()),
        () = background => Ok(()),
    }
}

/// The environments for the webhook server: as fresh as the watch.
fn existing(store: Store<PreviewEnvironment>) -> Arc<dyn server::Environments> {
    Arc::new(move |about: &About| -> Vec<Existing> { store.state().iter().flat_map(|object| Existing::of(object, about)).collect() })
}

fn github(config: Option<GithubConfig>, metrics: &Metrics) -> Result<Option<Arc<dyn Forge>>, StartError> {
    let Some(config) = config else {
        tracing::warn!("no GitHub token: pull requests are not read, and no comment is written; set --github-token-file");
        return Ok(None);
    };
    Ok(Some(Arc::new(GitHub::new(config)?.with_metrics(metrics.clone()))))
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
            let sources = feedback::Sources::new(Arc::new(move |namespace, name| baselines.get(namespace, name)), PROBED);
            let (driver, notifier) = feedback::Driver::new(client.clone(), forge, environments.store(), sources);
            (Some(driver), notifier)
        }
    }
}

impl FeedbackState for feedback::Notifier {
    fn is_told(&self, environment: &PreviewEnvironment) -> bool {
        self.nothing_left_to_say(environment)
    }
}

/// Tells look-ups and feedback of every change.
fn tell(changed: UnboundedSender<ObjectRef<PreviewEnvironment>>, lookups: Arc<lookup::Context>, notifier: feedback::Notifier) -> Listener {
    Box::new(move |change| match change {
        Change::Applied(object) => {
            let reference = ObjectRef::new(&object.name_any()).within(&object.namespace().unwrap_or_default());
            // The receiver is gone only when the program ends.
            let _ = changed.unbounded_send(reference);
            notifier.changed(object);
        }
        Change::Deleted(object) => {
            lookups.forget(&object.uid().unwrap_or_default());
            notifier.changed(object);
        }
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
