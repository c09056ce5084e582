//! What people do to a pull request that is there.

use serde_json::json;

use super::{Action, At, Event, Extra, Pushed, Refusal};
use crate::model::{Merge, Model, Permission};

impl Model {
    pub(super) fn set_draft(&mut self, at: At<'_>, draft: bool) -> Result<Vec<Event>, Refusal> {
        self.require_author_or(at, Permission::Write, "change the draft mark")?;
        let pull = self.touch(at)?;
        refuse_if(pull.draft == draft, "change the draft mark", "it is already so")?;
        pull.draft = draft;
        self.noted(at, if draft { "convert_to_draft" } else { "ready_for_review" }, None)?;
        let action = if draft { "converted_to_draft" } else { "ready_for_review" };
        self.told(at, action, Extra::None)
    }

    pub(super) fn close(&mut self, at: At<'_>) -> Result<Vec<Event>, Refusal> {
        self.require_author_or(at, Permission::Triage, "close")?;
        let pull = self.touch(at)?;
        refuse_if(!pull.is_open(), "close", "it is closed")?;
        pull.closed_at = Some(at.now);
        self.noted(at, "closed", None)?;
        self.told(at, "closed", Extra::None)
    }

    pub(super) fn merge(&mut self, at: At<'_>) -> Result<Vec<Event>, Refusal> {
        self.require(at, Permission::Write, "merge")?;
        let by = self.user(at.by)?.id;
        let sha = self.next_sha();
        let pull = self.touch(at)?;
        refuse_if(!pull.is_open(), "merge", "it is closed")?;
        refuse_if(pull.draft, "merge", "it is a draft")?;
        pull.closed_at = Some(at.now);
        pull.merged = Some(Merge { at: at.now, by, sha: sha.clone() });
        let base = pull.base_ref.clone();
        self.noted(at, "merged", None)?;
        self.noted(at, "closed", None)?;
        let repository = self.repository_mut(at.repo)?;
        repository.pushed_at = at.now;
        let before = repository.branches.insert(base.clone(), sha.clone());
        let mut events = self.told(at, "closed", Extra::None)?;
        events.push(self.pushed(at, Pushed { branch: base, before, after: Some(sha), forced: false })?);
        Ok(events)
    }

    pub(super) fn reopen(&mut self, at: At<'_>) -> Result<Vec<Event>, Refusal> {
        self.require_author_or(at, Permission::Triage, "reopen")?;
        let pull = self.pull(at.repo, at.number)?;
        refuse_if(pull.is_open(), "reopen", "it is open")?;
        refuse_if(pull.merged.is_some(), "reopen", "it is merged")?;
        let head = pull.head_repo.and_then(|repo| self.repositories.get(&repo));
        let sha = head.and_then(|repo| repo.branches.get(&pull.head_ref)).cloned();
        let gone = || Refusal::State { what: "reopen", why: "its branch is gone".to_owned() };
        let sha = sha.ok_or_else(gone)?;
        let pull = self.touch(at)?;
        pull.closed_at = None;
        pull.head_sha = sha;
        self.noted(at, "reopened", None)?;
        self.told(at, "reopened", Extra::None)
    }

    pub(super) fn label(&mut self, at: At<'_>, label: &str, on: bool) -> Result<Vec<Event>, Refusal> {
        self.require(at, Permission::Triage, "label")?;
        let pull = self.touch(at)?;
        let held = pull.labels.iter().any(|own| own == label);
        refuse_if(held == on, "label", "it is already so")?;
        if on {
            pull.labels.push(label.to_owned());
        } else {
            pull.labels.retain(|own| own != label);
        }
        let action = if on { "labeled" } else { "unlabeled" };
        self.noted(at, action, Some(label))?;
        self.told(at, action, Extra::Label(label.to_owned()))
    }

    pub(super) fn lock(&mut self, at: At<'_>) -> Result<Vec<Event>, Refusal> {
        self.require(at, Permission::Triage, "lock")?;
        self.touch(at)?.locked = true;
        Ok(Vec::new())
    }

    pub(super) fn edit(&mut self, at: At<'_>, action: &Action) -> Result<Vec<Event>, Refusal> {
        let Action::Edit { title, body, base, .. } = action else {
            return Ok(Vec::new());
        };
        self.require_author_or(at, Permission::Write, "edit")?;
        let base = base.as_deref().map(|branch| self.base_of(at.repo, branch)).transpose()?;
        let pull = self.touch(at)?;
        let mut changes = json!({});
        if let Some(title) = title {
            changes["title"] = json!({ "from": std::mem::replace(&mut pull.title, title.clone()) });
        }
        if let Some(body) = body {
            changes["body"] = json!({ "from": pull.body.replace(body.clone()).unwrap_or_default() });
        }
        if let Some((branch, sha)) = base {
            let from = std::mem::replace(&mut pull.base_ref, branch);
            let from_sha = std::mem::replace(&mut pull.base_sha, sha);
            changes["base"] = json!({ "ref": { "from": from }, "sha": { "from": from_sha } });
        }
        self.told(at, "edited", Extra::Changes(changes))
    }
}

pub(super) fn refuse_if(yes: bool, what: &'static str, why: &str) -> Result<(), Refusal> {
    if yes { Err(Refusal::State { what, why: why.to_owned() }) } else { Ok(()) }
}
