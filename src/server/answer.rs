//! What a delivery is answered. The texts are for whoever looks at the webhook's page on the forge, so they say what
//! to do and show nothing of the cluster but the names of environments.

use axum::Json;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// When to come again, in seconds.
const COME_AGAIN: HeaderValue = HeaderValue::from_static("5");

/// An answer, and what the log says beside it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// The label of the metric.
    pub(super) result: &'static str,
    pub(super) message: String,
    /// Environments whose facts are held.
    pub(super) environments: Vec<String>,
    /// For the log alone.
    pub(super) detail: Option<String>,
}

#[derive(Serialize)]
struct Body {
    message: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    environments: Vec<String>,
}

impl Answer {
    fn new(status: StatusCode, result: &'static str, message: impl Into<String>) -> Self {
        Self { status, result, message: message.into(), environments: Vec::new(), detail: None }
    }

    pub(super) fn with_environments(self, environments: Vec<String>) -> Self {
        Self { environments, ..self }
    }

    pub(super) fn with_detail(self, detail: String) -> Self {
        Self { detail: Some(detail), ..self }
    }

    pub(super) fn pong() -> Self {
        Self::new(StatusCode::OK, "pong", "pong: deliveries of pull_request events reach this service")
    }

    pub(super) fn ignored(why: &str) -> Self {
        Self::new(StatusCode::ACCEPTED, "ignored", format!("ignored: {why}"))
    }

    pub(super) fn accepted() -> Self {
        Self::new(StatusCode::ACCEPTED, "accepted", "accepted")
    }

    pub(super) fn older() -> Self {
        Self::new(StatusCode::ACCEPTED, "older", "accepted: older than what is recorded")
    }

    /// Sending it again would not help sooner: comments are looked at every few minutes, and one that found no room is found then.
    pub(super) fn full() -> Self {
        let message = "not held yet: as many commands of this environment wait as it takes; the comment is found again within minutes, \
                       and nobody has to write or deliver it again";
        Self::new(StatusCode::ACCEPTED, "full", message)
    }

    /// Nobody finds a pressed button again but the forge, which delivers again what was not taken.
    pub(super) fn full_of_commands(environment: &str) -> Self {
        Self::not_held(environment, "as many commands wait as it takes")
    }

    pub(super) fn too_large(limit: usize) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", format!("the delivery is larger than {limit} bytes"))
    }

    pub(super) fn slow() -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "slow", "the delivery did not arrive in time")
    }

    pub(super) fn broken() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "broken", "the delivery broke off")
    }

    pub(super) fn unsigned(why: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unsigned", format!("nothing of the delivery was read: {why}"))
    }

    pub(super) fn polls() -> Self {
        let message = "this service takes no deliveries: it was started with --poll";
        Self::new(StatusCode::NOT_FOUND, "polls", message)
    }

    pub(super) fn not_json() -> Self {
        let message = "the delivery is not JSON: set the webhook's content type to application/json";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", message)
    }

    pub(super) fn malformed(why: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", why.to_string())
    }

    pub(super) fn busy() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "too many deliveries at once; deliver it again")
    }

    pub(super) fn starting() -> Self {
        let message = "the service has only just started and does not know the Baselines yet; deliver it again";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "starting", message)
    }

    pub(super) fn not_held(environment: &str, why: &str) -> Self {
        let message = format!("{environment} is not recorded: {why}; deliver it again");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "not_held", message)
    }

    pub(super) fn refused(environment: &str) -> Self {
        let message = format!("{environment} cannot be recorded: the cluster refuses it; the log of this service says why");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "refused", message)
    }

    /// Sent again it would be the same, so it is nothing that a forge's log of failed deliveries should be read for.
    pub(super) fn invalid(environment: &str) -> Self {
        let message = format!("{environment} cannot be recorded: what the delivery says is not valid; the log of this service says why");
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "refused", message)
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let body = Json(Body { message: self.message, environments: self.environments });
        let mut response = (self.status, body).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, COME_AGAIN);
        }
        response
    }
}
