//! Opening a pull request.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{At, Event, Extra, Pushed, Refusal};
use crate::model::{Model, Permission, PullRequest};

/// A pull request to open. The branch is made, with a commit of its own, if it is new.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Open {
    /// The repository that it is for.
    pub repo: String,
    /// Who opens it.
    pub by: String,
    /// The branch.
    pub branch: String,
    /// The fork that the branch is in, if it is not in `repo` itself.
    #[serde(default)]
    pub from: Option<String>,
    /// The title; by default made from the branch.
    #[serde(default)]
    pub title: Option<String>,
    /// The description.
    #[serde(default)]
    pub body: Option<String>,
    /// The branch that it is for; by default the default branch.
    #[serde(default)]
    pub base: Option<String>,
    /// Opened as a draft.
    #[serde(default)]
    pub draft: bool,
    /// The files that it changes; by default one.
    #[serde(default)]
    pub files: Vec<String>,
}

impl Open {
    /// A pull request of `branch` for the default branch of the same repository.
    pub fn new(repo: &str, branch: &str, by: &str) -> Self {
        Self {
            repo: repo.to_owned(),
            by: by.to_owned(),
            branch: branch.to_owned(),
            from: None,
            title: None,
            body: None,
            base: None,
            draft: false,
            files: Vec::new(),
        }
    }

    /// That changes those files.
    #[must_use]
    pub fn files(mut self, files: &[&str]) -> Self {
        self.files = files.iter().map(|&file| file.to_owned()).collect();
        self
    }

    /// From a fork.
    #[must_use]
    pub fn from_fork(mut self, fork: &str) -> Self {
        self.from = Some(fork.to_owned());
        self
    }

    /// With a title.
    #[must_use]
    pub fn title(mut self, title: &str) -> Self {
        self.title = Some(title.to_owned());
        self
    }

    /// With a description.
    #[must_use]
    pub fn body(mut self, body: &str) -> Self {
        self.body = Some(body.to_owned());
        self
    }

    /// For another branch.
    #[must_use]
    pub fn base(mut self, base: &str) -> Self {
        self.base = Some(base.to_owned());
        self
    }

    /// As a draft.
    #[must_use]
    pub fn draft(mut self) -> Self {
        self.draft = true;
        self
    }
}

impl Model {
    pub(super) fn open(&mut self, open: &Open, now: DateTime<Utc>) -> Result<Vec<Event>, Refusal> {
        let head = open.from.as_deref().unwrap_or(&open.repo);
        let target = At { repo: &open.repo, number: 0, by: &open.by, now };
        self.require(target, Permission::Read, "open a pull request")?;
        self.require(At { repo: head, ..target }, Permission::Write, "push the branch")?;
        self.refuse_second(open, head)?;
        let made = self.ensure_branch(At { repo: head, ..target }, &open.branch)?;
        let number = self.repository(&open.repo)?.next_number();
        let pull = self.new_pull(open, number, now)?;
        self.repository_mut(&open.repo)?.pulls.insert(number, pull);
        let mut events = self.told(At { number, ..target }, "opened", Extra::None)?;
        events.extend(made);
        Ok(events)
    }

    /// GitHub allows one open pull request for each pair of branches.
    fn refuse_second(&self, open: &Open, head: &str) -> Result<(), Refusal> {
        let head = self.repository(head)?.id;
        let repository = self.repository(&open.repo)?;
        let base = open.base.as_ref().unwrap_or(&repository.default_branch);
        let same =
            |pull: &&PullRequest| pull.is_open() && pull.head_repo == Some(head) && pull.head_ref == open.branch && pull.base_ref == *base;
        match repository.pulls.values().find(same) {
            Some(pull) => Err(Refusal::State {
                what: "open a pull request",
                why: format!("{} has {} for it already", repository.full_name, pull.number),
            }),
            None => Ok(()),
        }
    }

    /// Makes the branch if it is new, and says so.
    fn ensure_branch(&mut self, at: At<'_>, branch: &str) -> Result<Option<Event>, Refusal> {
        if self.repository(at.repo)?.branches.contains_key(branch) {
            return Ok(None);
        }
        let sha = self.next_sha();
        let repository = self.repository_mut(at.repo)?;
        repository.branches.insert(branch.to_owned(), sha.clone());
        repository.pushed_at = at.now;
        let pushed = Pushed { branch: branch.to_owned(), before: None, after: Some(sha), forced: false };
        self.pushed(at, pushed).map(Some)
    }

    fn new_pull(&mut self, open: &Open, number: u64, now: DateTime<Utc>) -> Result<PullRequest, Refusal> {
        let id = self.next_id();
        let target = self.repository(&open.repo)?;
        let head = self.repository(open.from.as_deref().unwrap_or(&open.repo))?;
        let base = open.base.as_deref().unwrap_or(&target.default_branch);
        let (base_ref, base_sha) = self.base_of(&open.repo, base)?;
        let (head_ref, head_sha) = self.base_of(&head.full_name, &open.branch)?;
        Ok(PullRequest {
            id,
            number,
            title: open.title.clone().unwrap_or_else(|| open.branch.replace(['-', '/', '_'], " ")),
            body: open.body.clone(),
            author: self.user(&open.by)?.id,
            head_repo: Some(head.id),
            head_owner: head.owner,
            head_ref,
            head_sha,
            base_ref,
            base_sha,
            draft: open.draft,
            locked: false,
            labels: Vec::new(),
            files: if open.files.is_empty() {
                vec![("README.md".to_owned(), None)]
            } else {
                open.files.iter().map(|f| (f.clone(), None)).collect()
            },
            commits: 1,
            created_at: now,
            updated_at: now,
            closed_at: None,
            merged: None,
        })
    }
}
