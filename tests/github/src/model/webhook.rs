//! Webhooks as they are configured at GitHub.

use serde::{Deserialize, Serialize};

/// How GitHub writes the body of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ContentType {
    /// `application/json`.
    Json,
    /// `application/x-www-form-urlencoded`, the JSON in the field `payload`. GitHub's own default.
    Form,
}

impl ContentType {
    /// The word in the webhook's configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Form => "form",
        }
    }
}

/// A webhook. It has no `Debug` and no `Serialize`, so that its secret cannot end in a log.
#[derive(Clone)]
pub struct Webhook {
    /// GitHub's id of the webhook, sent as `X-GitHub-Hook-ID`.
    pub id: u64,
    /// Where deliveries go; plain HTTP, since the receiver is on this machine.
    pub url: String,
    /// The secret that deliveries are signed with; unsigned without one.
    pub(crate) secret: Option<String>,
    /// How bodies are written.
    pub content_type: ContentType,
    /// The events that it wants; `*` is all.
    pub events: Vec<String>,
    /// The one repository that it belongs to, or all of them.
    pub repository: Option<u64>,
    /// The App whose own webhook it is.
    pub app: Option<u64>,
}

impl Webhook {
    /// Whether it is for events of that name.
    pub fn subscribes(&self, event: &str) -> bool {
        self.events.iter().any(|wanted| wanted == "*" || wanted == event)
    }

    /// Whether it belongs to that repository, or to all.
    pub fn is_of(&self, repository: u64) -> bool {
        self.repository.is_none_or(|own| own == repository)
    }
}
