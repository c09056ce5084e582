//! Apps and installations.

use serde_json::{Value, json};

use super::{Render, node_id, overlay, time};
use crate::model::{App, Installation, UserKind};

impl Render<'_> {
    /// An App as everything refers to it; null for none.
    pub fn app(&self, id: Option<u64>) -> Value {
        id.and_then(|id| self.model.apps.get(&id)).map_or(Value::Null, |app| self.known_app(app))
    }

    fn known_app(&self, app: &App) -> Value {
        let page = format!("https://github.com/apps/{}", app.slug);
        json!({
            "id": app.id,
            "slug": app.slug,
            "node_id": node_id("A", app.id),
            "owner": self.user(app.owner),
            "name": app.slug,
            "description": "",
            "external_url": page,
            "html_url": page,
            "created_at": time(app.created_at),
            "updated_at": time(app.created_at),
            "permissions": app.permissions,
            "events": app.events,
        })
    }

    /// The answer of GET /app.
    pub fn own_app(&self, app: &App) -> Value {
        let own = |one: &&Installation| one.app == app.id && !one.deleted;
        let count = self.model.installations.values().filter(own).count();
        overlay(self.known_app(app), json!({ "client_id": format!("Iv1.{:016x}", app.id), "installations_count": count }))
    }

    /// An installation as deliveries carry it.
    pub fn told_installation(&self, installation: &Installation) -> Value {
        let app = self.model.apps.get(&installation.app);
        let account = self.model.users.get(&installation.account);
        let organization = account.is_some_and(|account| account.kind == UserKind::Organization);
        let login = self.model.login(installation.account);
        let page = if organization { format!("organizations/{login}/settings") } else { "settings".to_owned() };
        json!({
            "id": installation.id,
            "account": self.user(installation.account),
            "repository_selection": installation.selection(),
            "access_tokens_url": format!("{}/app/installations/{}/access_tokens", self.api, installation.id),
            "repositories_url": format!("{}/installation/repositories", self.api),
            "html_url": format!("https://github.com/{page}/installations/{}", installation.id),
            "app_id": installation.app,
            "app_slug": app.map(|app| &app.slug),
            "target_id": installation.account,
            "target_type": if organization { "Organization" } else { "User" },
            "permissions": app.map(|app| &app.permissions),
            "events": app.map(|app| &app.events),
            "created_at": time(installation.created_at),
            "updated_at": time(installation.created_at),
            "single_file_name": null,
            "has_multiple_single_files": false,
            "single_file_paths": [],
            "suspended_at": installation.suspended.map(|(at, _)| time(at)),
            "suspended_by": installation.suspended.map(|(_, by)| self.user(by)),
        })
    }

    /// An installation in answers.
    pub fn installation(&self, installation: &Installation) -> Value {
        self.told_installation(installation)
    }
}
