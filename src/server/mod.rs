//! The HTTP side: webhooks in, health and metrics out.

mod answer;
mod baselines;
mod delivery;
mod environments;
mod intake;
mod listen;
mod readiness;
mod signature;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use chrono::{DateTime, Utc};

pub use baselines::Baselines;
pub use environments::Environments;
pub use listen::serve;
pub use readiness::{Gate, Readiness};
pub use signature::{SecretsError, SignatureError, WebhookSecrets};

use self::intake::Intake;
use crate::config::DEFAULT_BODY_LIMIT;
use crate::metrics::{self, Metrics};
use crate::record::Recorder;

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

/// Has repositories looked at soon, by their numbers.
pub type LookSoon = Arc<dyn Fn(&[i64]) + Send + Sync>;

/// The time by the forge's clock, for what a delivery says no time of.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// Everything that the server needs.
pub struct Server {
    /// The webhook's secrets; without them no delivery is taken.
    pub secrets: Option<WebhookSecrets>,
    /// The Baselines that there are.
    pub baselines: Arc<dyn Baselines>,
    /// The environments that there are.
    pub environments: Arc<dyn Environments>,
    /// Has repositories looked at, by their numbers, that the forge says are out of our sight.
    pub look_soon: LookSoon,
    /// The time by the forge's clock.
    pub clock: Clock,
    /// Where facts are recorded: a [`kube::Client`] that does not retry by itself.
    pub recorder: Arc<dyn Recorder>,
    /// What `/readyz` waits for.
    pub readiness: Readiness,
    /// What `/metrics` shows.
    pub metrics: Metrics,
    /// What is taken.
    pub limits: Limits,
}

struct Shared {
    server: Server,
    intake: Intake,
}

/// The service's routes.
pub fn router(server: Server) -> Router {
    let intake = Intake::new(&server.limits);
    Router::new()
        .route("/webhooks/github", post(webhook::receive))
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(show_metrics))
        .with_state(Arc::new(Shared { server, intake }))
}

async fn ready(State(shared): State<Arc<Shared>>) -> Response {
    let waits_for = shared.server.readiness.waits_for();
    if waits_for.is_empty() {
        return "ok\n".into_response();
    }
    let lines: Vec<String> = waits_for.iter().map(|gate| format!("waits for {gate}\n")).collect();
    (StatusCode::SERVICE_UNAVAILABLE, lines.concat()).into_response()
}

async fn show_metrics(State(shared): State<Arc<Shared>>) -> Response {
    match shared.server.metrics.text() {
        Ok(text) => ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[cfg(test)]
mod tests;
