//! What is kept beside pull requests and comments.

use serde_json::{Value, json};

use super::{Render, node_id, time};
use crate::model::{IssueEvent, Repository};

impl Render<'_> {
    /// An item of GET .../issues/{number}/events.
    pub fn issue_event(&self, repository: &Repository, event: &IssueEvent) -> Value {
        let mut value = json!({
            "id": event.id,
            "node_id": node_id("LE", event.id),
            "url": format!("{}/repos/{}/issues/events/{}", self.api, repository.full_name, event.id),
            "actor": self.user(event.actor),
            "event": event.event,
            "commit_id": null,
            "commit_url": null,
            "created_at": time(event.at),
            "performed_via_github_app": null,
        });
        if let Some(label) = &event.label {
            value["label"] = json!({ "name": label, "color": self.label(repository, label)["color"] });
        }
        value
    }
}
