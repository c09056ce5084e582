//! Installing Apps and taking them away.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::{Action, Event, Extra, Refusal};
use crate::model::{Installation, Model, REQUESTS_PER_HOUR, RateLimit, Selection};

impl Model {
    pub(super) fn install(
        &mut self,
        (app, owner): (u64, &str),
        repositories: Option<&[String]>,
        by: &str,
        now: DateTime<Utc>,
    ) -> Result<Vec<Event>, Refusal> {
        self.apps.get(&app).ok_or(Refusal::NoApp(app))?;
        let account = self.user(owner)?.id;
        let mut there = self.installations.values();
        if there.any(|old| old.app == app && old.account == account && !old.deleted) {
            return Err(Refusal::State { what: "install the App", why: format!("it is installed on {owner}") });
        }
        let chosen = repositories.map(|names| self.ids_of(names)).transpose()?;
        let selection = chosen.map_or(Selection::All, |ids| Selection::Selected(ids.into_iter().collect()));
        let id = self.next_id();
        let rate = RateLimit::new(REQUESTS_PER_HOUR);
        let new = Installation { id, app, account, selection, suspended: None, deleted: false, created_at: now, rate };
        let covered = self.covered(&new).map(|repository| repository.id).collect();
        self.installations.insert(id, new);
        self.about_installation((id, by), "created", Some(covered))
    }

    pub(super) fn act_on_installation(
        &mut self,
        (id, by): (u64, &str),
        action: &Action,
        now: DateTime<Utc>,
    ) -> Result<Vec<Event>, Refusal> {
        let sender = self.user(by)?.id;
        let covered: Vec<_> = self.covered(self.installation(id)?).map(|repository| repository.id).collect();
        match action {
            Action::Uninstall { .. } => {
                self.installation_mut(id)?.deleted = true;
                self.about_installation((id, by), "deleted", Some(covered))
            }
            Action::Suspend { .. } => {
                self.installation_mut(id)?.suspended = Some((now, sender));
                self.about_installation((id, by), "suspend", None)
            }
            Action::Unsuspend { .. } => {
                self.installation_mut(id)?.suspended = None;
                self.about_installation((id, by), "unsuspend", None)
            }
            Action::AddRepositories { repositories, .. } => self.reselect((id, by), repositories, true),
            Action::RemoveRepositories { repositories, .. } => self.reselect((id, by), repositories, false),
            _ => Ok(Vec::new()),
        }
    }

    fn reselect(&mut self, (id, by): (u64, &str), names: &[String], add: bool) -> Result<Vec<Event>, Refusal> {
        let ids = self.ids_of(names)?;
        let selected: BTreeSet<_> = self.covered(self.installation(id)?).map(|repository| repository.id).collect();
        let changed = ids.iter().copied();
        let selected = if add { selected.into_iter().chain(changed).collect() } else { &selected - &changed.collect() };
        self.installation_mut(id)?.selection = Selection::Selected(selected);
        let events = self.about_installation((id, by), if add { "added" } else { "removed" }, Some(ids))?;
        Ok(events.into_iter().map(|event| Event { name: "installation_repositories", ..event }).collect())
    }

    fn about_installation(
        &self,
        (id, by): (u64, &str),
        action: &'static str,
        repositories: Option<Vec<u64>>,
    ) -> Result<Vec<Event>, Refusal> {
        Ok(vec![Event {
            name: "installation",
            action: Some(action),
            repository: None,
            installation: Some(id),
            number: None,
            sender: self.user(by)?.id,
            extra: repositories.map_or(Extra::None, Extra::Repositories),
        }])
    }

    fn ids_of(&self, names: &[String]) -> Result<Vec<u64>, Refusal> {
        names.iter().map(|name| self.repository(name).map(|repository| repository.id)).collect()
    }

    pub(crate) fn installation(&self, id: u64) -> Result<&Installation, Refusal> {
        let found = self.installations.get(&id).filter(|installation| !installation.deleted);
        found.ok_or(Refusal::NoInstallation(id))
    }

    fn installation_mut(&mut self, id: u64) -> Result<&mut Installation, Refusal> {
        let found = self.installations.get_mut(&id).filter(|installation| !installation.deleted);
        found.ok_or(Refusal::NoInstallation(id))
    }
}
