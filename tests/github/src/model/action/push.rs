//! Pushing, and deleting branches: what happens to a head moves its pull requests.

use chrono::{DateTime, Utc};

use super::{At, Event, Extra, Pushed, Refusal};
use crate::model::{Model, Permission};

/// A branch and who does something to it.
#[derive(Clone, Copy)]
pub(super) struct To<'a> {
    pub repo: &'a str,
    pub branch: &'a str,
    pub by: &'a str,
    /// Replaces the commits instead of adding one.
    pub force: bool,
    pub now: DateTime<Utc>,
}

impl<'a> To<'a> {
    /// The same place, for the checks that actions on pull requests share.
    fn at(self) -> At<'a> {
        At { repo: self.repo, number: 0, by: self.by, now: self.now }
    }
}

impl Model {
    pub(super) fn push(&mut self, to: To<'_>) -> Result<Vec<Event>, Refusal> {
        self.require(to.at(), Permission::Write, "push")?;
        let sha = self.next_sha();
        let repository = self.repository_mut(to.repo)?;
        repository.pushed_at = to.now;
        let before = repository.branches.insert(to.branch.to_owned(), sha.clone());
        let forced = to.force && before.is_some();
        let mut events = Vec::new();
        for (repo, number) in self.open_pulls_of(to)? {
            let at = At { repo: &repo, number, ..to.at() };
            events.extend(self.synchronize(at, to.force, &sha)?);
        }
        events.push(self.pushed(to.at(), Pushed { branch: to.branch.to_owned(), before, after: Some(sha), forced })?);
        Ok(events)
    }

    /// Pushes to the branch of a pull request.
    pub(super) fn push_to(&mut self, at: At<'_>, force: bool) -> Result<Vec<Event>, Refusal> {
        let pull = self.pull(at.repo, at.number)?;
        let branch = pull.head_ref.clone();
        let head = pull.head_repo.and_then(|id| self.repositories.get(&id));
        let gone = || Refusal::State { what: "push", why: "the repository of the branch is gone".to_owned() };
        let repo = head.map(|repository| repository.full_name.clone()).ok_or_else(gone)?;
        self.push(To { repo: &repo, branch: &branch, by: at.by, force, now: at.now })
    }

    /// The event of a branch that was made, moved or deleted. GitHub keeps no order between it and the pull
    /// requests that follow; here it comes last.
    pub(super) fn pushed(&self, at: At<'_>, pushed: Pushed) -> Result<Event, Refusal> {
        Ok(Event {
            name: "push",
            action: None,
            repository: Some(self.repository(at.repo)?.id),
            installation: None,
            number: None,
            sender: self.user(at.by)?.id,
            extra: Extra::Pushed(pushed),
        })
    }

    fn synchronize(&mut self, at: At<'_>, force: bool, sha: &str) -> Result<Vec<Event>, Refusal> {
        let pull = self.touch(at)?;
        let before = std::mem::replace(&mut pull.head_sha, sha.to_owned());
        pull.commits = if force { 1 } else { pull.commits + 1 };
        self.told(at, "synchronize", Extra::Moved { before, after: sha.to_owned() })
    }

    pub(super) fn delete_branch(&mut self, to: To<'_>) -> Result<Vec<Event>, Refusal> {
        self.require(to.at(), Permission::Write, "delete the branch")?;
        let pulls = self.open_pulls_of(to)?;
        let missing = || Refusal::NoBranch { repo: to.repo.to_owned(), branch: to.branch.to_owned() };
        let repository = self.repository_mut(to.repo)?;
        let before = repository.branches.remove(to.branch).ok_or_else(missing)?;
        repository.pushed_at = to.now;
        let mut events = Vec::new();
        for (repo, number) in &pulls {
            let at = At { repo, number: *number, ..to.at() };
            self.touch(at)?.closed_at = Some(to.now);
            self.noted(at, "closed", None)?;
            events.extend(self.told(at, "closed", Extra::None)?);
        }
        let gone = Pushed { branch: to.branch.to_owned(), before: Some(before), after: None, forced: false };
        events.push(self.pushed(to.at(), gone)?);
        Ok(events)
    }

    /// Open pull requests whose head is that branch, in whatever repository.
    fn open_pulls_of(&self, to: To<'_>) -> Result<Vec<(String, u64)>, Refusal> {
        let head = self.repository(to.repo)?.id;
        let mut found = Vec::new();
        for repository in self.repositories.values() {
            let pulls = repository.pulls.values();
            let ours = pulls.filter(|pull| pull.is_open() && pull.head_repo == Some(head) && pull.head_ref == to.branch);
            found.extend(ours.map(|pull| (repository.full_name.clone(), pull.number)));
        }
        Ok(found)
    }
}
