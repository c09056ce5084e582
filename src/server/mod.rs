//! The HTTP side: webhooks in, health and metrics out.

mod answer;
mod baselines;
mod delivery;
mod environments;
mod health;
mod intake;
mod listen;
mod readiness;
mod signature;
mod traced;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::CONNECTION;
use axum::middleware::map_response_with_state;
use axum::response::Response;
use axum::routing::post;
use chrono::{DateTime, Utc};
use futures::future::BoxFuture;

pub use baselines::Baselines;
pub use environments::Environments;
pub use health::router as health;
pub use listen::serve;
pub use readiness::{Gate, Readiness};
pub use signature::{SecretsError, SignatureError, WebhookSecrets};

use self::intake::Intake;
use crate::config::DEFAULT_BODY_LIMIT;
use crate::domain::{Baseline, Instance};
use crate::forge::{Hook, github};
use crate::metrics::Metrics;
use crate::record::{RecordError, Recorded, Recorder};
use crate::traces::Traces;

/// What the server takes, and how long it waits.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Largest delivery, in bytes.
    pub body: usize,
    /// Deliveries in progress at once, from the moment that their signature is found right; more are told to come again.
    pub deliveries: usize,
    /// Bytes of all deliveries in progress, so that many large ones cannot fill the memory.
    pub bytes_in_progress: usize,
    /// Longest time for a body to arrive. Short, since whoever is slow has proved nothing yet and takes up memory.
    pub read: Duration,
    /// Longest time from the arrival of a delivery to its answer. GitHub gives up after 10 s ("Best practices for
    /// using webhooks").
    pub answer: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: DEFAULT_BODY_LIMIT,
            deliveries: 256,
            bytes_in_progress: 10 * DEFAULT_BODY_LIMIT,
            read: Duration::from_secs(3),
            answer: Duration::from_secs(8),
        }
    }
}

/// Has whoever leads look at the repositories of a Baseline soon.
pub type LookSoon = Arc<dyn Fn(Arc<Baseline>) -> BoxFuture<'static, Result<Recorded, RecordError>> + Send + Sync>;

/// The time, for what a delivery says none of.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// Everything that the server needs.
pub struct Server {
    /// The webhook's secrets; without them no delivery is taken.
    pub secrets: Option<WebhookSecrets>,
    /// What the service is called among those that write under the same account.
    pub instance: Option<Instance>,
    /// The Baselines that there are.
    pub baselines: Arc<dyn Baselines>,
    /// The environments that there are.
    pub environments: Arc<dyn Environments>,
    /// Has the repositories of Baselines looked at that the forge says are out of our sight.
    pub look_soon: LookSoon,
    /// The time.
    pub clock: Clock,
    /// Where facts are recorded: a [`kube::Client`] that does not retry by itself.
    pub recorder: Arc<dyn Recorder>,
    /// What `/readyz` waits for.
    pub readiness: Readiness,
    /// What `/metrics` shows.
    pub metrics: Metrics,
    /// What traces show.
    pub traces: Traces,
    /// What is taken.
    pub limits: Limits,
}

struct Shared {
    server: Server,
    intake: Intake,
    hook: Hook,
}

/// All of the service's routes.
pub fn router(server: Server) -> Router {
    let health = health(server.readiness.clone(), server.metrics.clone());
    webhooks(server).merge(health)
}

/// The routes that GitHub delivers to.
pub fn webhooks(server: Server) -> Router {
    webhooks_of(server, github::HOOK)
}

/// The routes that a forge delivers to.
pub fn webhooks_of(server: Server, hook: Hook) -> Router {
    let (intake, readiness) = (Intake::new(&server.limits), server.readiness.clone());
    Router::new()
        .route(hook.path, post(webhook::receive))
        .with_state(Arc::new(Shared { server, intake, hook }))
        .layer(map_response_with_state(readiness, part_when_stopping))
}

/// Whoever keeps a connection for its next delivery is told to make another one, to another replica.
async fn part_when_stopping(State(readiness): State<Readiness>, mut response: Response) -> Response {
    if readiness.is_stopping() {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

#[cfg(test)]
mod tests;
