//! What people do to whole repositories.

use chrono::DateTime;
use serde_json::{Value, json};

use super::{At, Event, Extra, Refusal};
use crate::model::{Model, Permission, UserKind};

impl Model {
    /// Takes the repository away. GitHub tells nobody about the pull requests that came from it.
    pub(super) fn delete_repository(&mut self, repo: &str, by: &str) -> Result<Vec<Event>, Refusal> {
        self.require_admin(repo, by, "delete the repository")?;
        let events = self.about_repository(repo, by, ("deleted", json!(null)))?;
        let id = self.repository(repo)?.id;
        self.deleted.extend(self.repositories.remove(&id).map(|gone| (id, gone)));
        let pulls = self.repositories.values_mut().flat_map(|repo| repo.pulls.values_mut());
        pulls.filter(|pull| pull.head_repo == Some(id)).for_each(|pull| pull.head_repo = None);
        Ok(events)
    }

    pub(super) fn rename_repository(&mut self, repo: &str, to: &str, by: &str) -> Result<Vec<Event>, Refusal> {
        self.require_admin(repo, by, "rename the repository")?;
        let repository = self.repository(repo)?;
        let (owner, old) = (self.login(repository.owner).to_owned(), repository.name().to_owned());
        let new = format!("{owner}/{to}");
        self.rename(repo, &new)?;
        self.about_repository(&new, by, ("renamed", json!({ "repository": { "name": { "from": old } } })))
    }

    /// The number and the pull requests stay; the old name redirects.
    pub(super) fn transfer_repository(&mut self, repo: &str, to: &str, by: &str) -> Result<Vec<Event>, Refusal> {
        self.require_admin(repo, by, "transfer the repository")?;
        let name = self.repository(repo)?.name().to_owned();
        let owner = self.add_user(to, UserKind::Organization);
        let new = format!("{}/{name}", self.login(owner));
        let before = self.repository(repo)?;
        let from = before.owner;
        let told = self.installations.values().find(|installation| installation.covers(before)).map(|installation| installation.id);
        self.rename(repo, &new)?;
        let repository = self.repository_mut(&new)?;
        repository.collaborators.remove(&from);
        repository.collaborators.insert(owner, Permission::Admin);
        let sender = self.user(by)?.id;
        self.repository_mut(&new)?.collaborators.entry(sender).or_insert(Permission::Admin);
        let events = self.about_repository(&new, by, ("transferred", json!({ "from": from })))?;
        Ok(events.into_iter().map(|event| Event { installation: told, ..event }).collect())
    }

    pub(super) fn set_private(&mut self, repo: &str, private: bool, by: &str) -> Result<Vec<Event>, Refusal> {
        self.require_admin(repo, by, "change who sees the repository")?;
        self.repository_mut(repo)?.private = private;
        self.about_repository(repo, by, (if private { "privatized" } else { "publicized" }, json!(null)))
    }

    fn require_admin(&self, repo: &str, by: &str, what: &'static str) -> Result<(), Refusal> {
        self.require(At { repo, number: 0, by, now: DateTime::UNIX_EPOCH }, Permission::Admin, what)
    }

    fn about_repository(&self, repo: &str, by: &str, (action, changes): (&'static str, Value)) -> Result<Vec<Event>, Refusal> {
        Ok(vec![Event {
            name: "repository",
            action: Some(action),
            repository: Some(self.repository(repo)?.id),
            installation: None,
            number: None,
            sender: self.user(by)?.id,
            extra: if changes.is_null() { Extra::None } else { Extra::Changes(changes) },
        }])
    }
}
