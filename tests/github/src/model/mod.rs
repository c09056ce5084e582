//! GitHub's state and its rules. No IO, no clock: the time is an argument.

mod action;
mod app;
mod comment;
mod pull_request;
mod records;
mod repository;
mod setup;
mod token;
mod user;
mod webhook;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, SubsecRound, Utc};
use sha2::{Digest, Sha256};

pub use action::{Action, On, Open, on};
pub(crate) use action::{Event, Extra};
pub use app::{App, Grant, Installation, Permissions, Selection};
pub use comment::{Comment, LONGEST_BODY};
pub use pull_request::{Merge, PullRequest};
pub use records::{CheckAction, CheckRun, CommitStatus, Deployment, DeploymentStatus, IssueEvent, Reaction, Records};
pub use repository::{Permission, Repository};
pub use token::{REQUESTS_PER_HOUR, REQUESTS_PER_HOUR_WITHOUT_TOKEN, RateLimit, Token};
pub use user::{User, UserKind};
pub use webhook::{ContentType, Webhook};

/// Why GitHub would not do what a person asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No account of that login.
    #[error("cannot find the account {0}")]
    NoUser(String),
    /// No repository of that name.
    #[error("cannot find the repository {0}")]
    NoRepository(String),
    /// No such branch.
    #[error("cannot find the branch {branch} of {repo}")]
    NoBranch {
        /// The repository.
        repo: String,
        /// The branch.
        branch: String,
    },
    /// No pull request of that number.
    #[error("cannot find pull request {number} of {repo}")]
    NoPull {
        /// The repository.
        repo: String,
        /// The number.
        number: u64,
    },
    /// No comment of that id.
    #[error("cannot find comment {0}")]
    NoComment(u64),
    /// No App of that id.
    #[error("cannot find the App {0}")]
    NoApp(u64),
    /// No installation of that id.
    #[error("cannot find installation {0}")]
    NoInstallation(u64),
    /// No check run of that id.
    #[error("cannot find check run {0}")]
    NoCheck(u64),
    /// No webhook of that id.
    #[error("cannot find webhook {0}")]
    NoWebhook(u64),
    /// The account may not do that.
    #[error("cannot {what}: {login} has only the permission {role} on {repo}")]
    Forbidden {
        /// What was tried.
        what: &'static str,
        /// By whom.
        login: String,
        /// What the account may do.
        role: &'static str,
        /// The repository.
        repo: String,
    },
    /// The state does not allow it.
    #[error("cannot {what}: {why}")]
    State {
        /// What was tried.
        what: &'static str,
        /// What is in the way.
        why: String,
    },
}

/// Everything that GitHub holds.
#[derive(Default)]
pub struct Model {
    pub(crate) users: BTreeMap<u64, User>,
    pub(crate) tokens: Vec<Token>,
    pub(crate) repositories: BTreeMap<u64, Repository>,
    /// Repositories that were deleted, for the deliveries that say so.
    pub(crate) deleted: BTreeMap<u64, Repository>,
    pub(crate) apps: BTreeMap<u64, App>,
    pub(crate) installations: BTreeMap<u64, Installation>,
    pub(crate) webhooks: Vec<Webhook>,
    pub(crate) anonymous_rate: Option<RateLimit>,
    /// Names that repositories had before, for GitHub's redirects.
    pub(crate) former_names: Vec<(String, u64)>,
    last_id: u64,
    /// All commits that were ever made, in whatever repository.
    commits: BTreeSet<String>,
}

impl Model {
    /// The account of a login, without regard to case.
    pub fn user(&self, login: &str) -> Result<&User, Refusal> {
        let mut users = self.users.values();
        let found = users.find(|user| user.login.eq_ignore_ascii_case(login));
        found.ok_or_else(|| Refusal::NoUser(login.to_owned()))
    }

    /// The repository `owner/name`, without regard to case.
    pub fn repository(&self, full_name: &str) -> Result<&Repository, Refusal> {
        let mut all = self.repositories.values();
        let found = all.find(|repo| repo.full_name.eq_ignore_ascii_case(full_name));
        found.ok_or_else(|| Refusal::NoRepository(full_name.to_owned()))
    }

    /// A pull request.
    pub fn pull(&self, full_name: &str, number: u64) -> Result<&PullRequest, Refusal> {
        let missing = || Refusal::NoPull { repo: full_name.to_owned(), number };
        self.repository(full_name)?.pulls.get(&number).ok_or_else(missing)
    }

    /// All accounts.
    pub fn users(&self) -> impl Iterator<Item = &User> {
        self.users.values()
    }

    /// All repositories that were not deleted.
    pub fn repositories(&self) -> impl Iterator<Item = &Repository> {
        self.repositories.values()
    }

    /// The login of an account, or GitHub's stand-in for a deleted one.
    pub fn login(&self, user: u64) -> &str {
        self.users.get(&user).map_or("ghost", |user| &user.login)
    }

    pub(crate) fn repository_mut(&mut self, full_name: &str) -> Result<&mut Repository, Refusal> {
        let mut all = self.repositories.values_mut();
        let found = all.find(|repo| repo.full_name.eq_ignore_ascii_case(full_name));
        found.ok_or_else(|| Refusal::NoRepository(full_name.to_owned()))
    }

    pub(crate) fn pull_mut(&mut self, full_name: &str, number: u64) -> Result<&mut PullRequest, Refusal> {
        let missing = || Refusal::NoPull { repo: full_name.to_owned(), number };
        self.repository_mut(full_name)?.pulls.get_mut(&number).ok_or_else(missing)
    }

    /// The next id. They start high, as on GitHub, so that an id and a number are never confused.
    pub(crate) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        1_000_000_000 + self.last_id
    }

    /// The next commit: 40 hexadecimal digits, the same in each run.
    pub(crate) fn next_sha(&mut self) -> String {
        let digest = Sha256::digest(format!("commit {}", self.commits.len() + 1));
        let sha: String = hex::encode(digest).chars().take(40).collect();
        self.commits.insert(sha.clone());
        sha
    }

    /// The commit that a branch, a ref or the commit itself names. The double tells commits of forks apart as little as
    /// GitHub does, where all of a network can be named in each.
    pub(crate) fn commit_of(&self, repository: &Repository, git_ref: &str) -> Option<String> {
        let branch = git_ref.trim_start_matches("refs/").strip_prefix("heads/").unwrap_or(git_ref);
        repository.branches.get(branch).or_else(|| self.commits.get(git_ref)).cloned()
    }

    /// The installation of an App on that repository, suspended or not.
    pub(crate) fn installation_on(&self, app: u64, repository: &Repository) -> Option<&Installation> {
        self.installations.values().find(|installation| installation.app == app && installation.covers(repository))
    }

    /// The repositories that an installation was told of.
    pub(crate) fn covered(&self, installation: &Installation) -> impl Iterator<Item = &Repository> {
        self.repositories.values().filter(|repository| installation.covers(repository))
    }

    /// Writes a comment. The pull request's `updated_at` moves with it, as on GitHub.
    pub(crate) fn comment(&mut self, new: NewComment<'_>) -> Result<Comment, Refusal> {
        let id = self.next_id();
        let at = new.now;
        self.pull_mut(new.repo, new.number)?.updated_at = at;
        let comment =
            Comment { id, number: new.number, author: new.author, app: new.app, body: new.body.to_owned(), created_at: at, updated_at: at };
        self.repository_mut(new.repo)?.comments.insert(id, comment.clone());
        Ok(comment)
    }

    /// Edits a comment.
    pub(crate) fn edit_comment(&mut self, edit: CommentEdit<'_>) -> Result<Comment, Refusal> {
        let repository = self.repository_mut(edit.repo)?;
        let comment = repository.comments.get_mut(&edit.id).ok_or(Refusal::NoComment(edit.id))?;
        edit.body.clone_into(&mut comment.body);
        comment.updated_at = edit.now;
        let comment = comment.clone();
        if let Some(pull) = repository.pulls.get_mut(&comment.number) {
            pull.updated_at = edit.now;
        }
        Ok(comment)
    }

    /// Deletes a comment.
    pub(crate) fn delete_comment(&mut self, edit: CommentEdit<'_>) -> Result<Comment, Refusal> {
        let repository = self.repository_mut(edit.repo)?;
        let comment = repository.comments.remove(&edit.id).ok_or(Refusal::NoComment(edit.id))?;
        if let Some(pull) = repository.pulls.get_mut(&comment.number) {
            pull.updated_at = edit.now;
        }
        Ok(comment)
    }
}

/// A comment to write.
#[derive(Clone, Copy)]
pub(crate) struct NewComment<'a> {
    pub repo: &'a str,
    pub number: u64,
    pub author: u64,
    /// The App that it is written by.
    pub app: Option<u64>,
    pub body: &'a str,
    pub now: DateTime<Utc>,
}

/// A comment to edit or delete.
#[derive(Clone, Copy)]
pub(crate) struct CommentEdit<'a> {
    pub repo: &'a str,
    pub id: u64,
    pub body: &'a str,
    pub now: DateTime<Utc>,
}

/// GitHub's times have whole seconds.
pub(crate) fn whole_seconds(at: DateTime<Utc>) -> DateTime<Utc> {
    at.trunc_subsecs(0)
}
