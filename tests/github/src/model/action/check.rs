//! Buttons of check runs.

use chrono::DateTime;

use super::{At, Event, Extra, Refusal};
use crate::model::{CheckRun, Model, Permission};

impl Model {
    /// Presses a button, or GitHub's own "Re-run".
    pub(super) fn press(&self, (repo, id): (&str, u64), by: &str, button: Option<&String>) -> Result<Vec<Event>, Refusal> {
        self.require(At { repo, number: 0, by, now: DateTime::UNIX_EPOCH }, Permission::Write, "press a button")?;
        let run = self.repository(repo)?.records.checks.get(&id).ok_or(Refusal::NoCheck(id))?;
        let there = |button: &&String| run.actions.iter().any(|action| action.identifier == **button);
        if button.is_some_and(|button| !there(&button)) {
            return Err(Refusal::State { what: "press a button", why: "the check run has none of that identifier".to_owned() });
        }
        let action = if button.is_some() { "requested_action" } else { "rerequested" };
        let sender = self.user(by)?.id;
        Ok(vec![self.check_event(repo, (action, run), sender, button.cloned())?])
    }

    /// Presses GitHub's "Re-run all checks".
    pub(super) fn press_all(&self, check: (&str, u64), by: &str) -> Result<Vec<Event>, Refusal> {
        let again = self.press(check, by, None)?;
        Ok(again.into_iter().map(|event| Event { name: "check_suite", ..event }).collect())
    }

    /// The event of a check run.
    pub(crate) fn check_event(
        &self,
        repo: &str,
        (action, run): (&'static str, &CheckRun),
        sender: u64,
        button: Option<String>,
    ) -> Result<Event, Refusal> {
        Ok(Event {
            name: "check_run",
            action: Some(action),
            repository: Some(self.repository(repo)?.id),
            installation: None,
            number: None,
            sender,
            extra: Extra::Check(run.id, button),
        })
    }
}
