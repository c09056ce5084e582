//! A webhook to configure.

use serde::{Deserialize, Serialize};

use crate::model::{ContentType, Model, Refusal, Webhook};

/// What a person fills in when adding a webhook. Without more it is for `pull_request` events of
/// all repositories, in JSON, unsigned. It has no `Debug`, so that the secret cannot end in a log.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hook {
    /// Where deliveries go; `http://` only.
    pub url: String,
    /// The secret to sign with.
    #[serde(default)]
    pub secret: Option<String>,
    /// How bodies are written.
    #[serde(default = "json")]
    pub content_type: ContentType,
    /// The events that it wants; `*` is all.
    #[serde(default = "pull_requests")]
    pub events: Vec<String>,
    /// The one repository that it is for.
    #[serde(default)]
    pub repo: Option<String>,
}

fn json() -> ContentType {
    ContentType::Json
}

fn pull_requests() -> Vec<String> {
    vec!["pull_request".to_owned()]
}

impl Hook {
    /// A webhook to an address.
    pub fn to(url: &str) -> Self {
        Self { url: url.to_owned(), secret: None, content_type: json(), events: pull_requests(), repo: None }
    }

    /// Signed with a secret.
    #[must_use]
    pub fn secret(mut self, secret: &str) -> Self {
        self.secret = Some(secret.to_owned());
        self
    }

    /// With bodies as forms.
    #[must_use]
    pub fn form(mut self) -> Self {
        self.content_type = ContentType::Form;
        self
    }

    /// For these events.
    #[must_use]
    pub fn events(mut self, events: &[&str]) -> Self {
        self.events = events.iter().map(|event| (*event).to_owned()).collect();
        self
    }

    /// For one repository.
    #[must_use]
    pub fn only(mut self, repo: &str) -> Self {
        self.repo = Some(repo.to_owned());
        self
    }

    pub(crate) fn add_to(self, model: &mut Model) -> Result<u64, Refusal> {
        let repository = self.repo.map(|repo| model.repository(&repo).map(|repo| repo.id)).transpose()?;
        let webhook = Webhook::new(&self.url, self.secret.as_deref(), repository);
        Ok(model.add_webhook(Webhook { content_type: self.content_type, events: self.events, ..webhook }))
    }
}
