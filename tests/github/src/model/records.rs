//! What GitHub keeps beside pull requests: who labelled them, and what programs write on comments and commits.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The records of one repository.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Records {
    /// What happened to pull requests, oldest first.
    pub issue_events: Vec<IssueEvent>,
    /// Reactions to comments, by id.
    pub reactions: BTreeMap<u64, Reaction>,
    /// Deployments, by id.
    pub deployments: BTreeMap<u64, Deployment>,
    /// Check runs, by id.
    pub checks: BTreeMap<u64, CheckRun>,
    /// Commit statuses, oldest first.
    pub statuses: Vec<CommitStatus>,
}

impl Records {
    /// The statuses of a commit, newest first.
    pub fn statuses_of<'a>(&'a self, sha: &'a str) -> impl Iterator<Item = &'a CommitStatus> {
        self.statuses.iter().rev().filter(move |status| status.sha == sha)
    }

    /// The newest status of each context of a commit.
    pub fn combined<'a>(&'a self, sha: &'a str) -> BTreeMap<&'a str, &'a CommitStatus> {
        let mut newest = BTreeMap::new();
        for status in self.statuses_of(sha) {
            newest.entry(status.context.as_str()).or_insert(status);
        }
        newest
    }
}

/// Something that happened to a pull request, as `GET .../issues/{number}/events` tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IssueEvent {
    /// GitHub's numeric id.
    pub id: u64,
    /// The pull request.
    pub number: u64,
    /// GitHub's word for it, such as `labeled`.
    pub event: &'static str,
    /// Who did it.
    pub actor: u64,
    /// The label, where it is about one.
    pub label: Option<String>,
    /// When.
    pub at: DateTime<Utc>,
}

/// A reaction to a comment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reaction {
    /// GitHub's numeric id.
    pub id: u64,
    /// The comment.
    pub comment: u64,
    /// Whose it is.
    pub user: u64,
    /// GitHub's word for it, such as `eyes`.
    pub content: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// A deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Deployment {
    /// GitHub's numeric id.
    pub id: u64,
    /// The commit.
    pub sha: String,
    /// What was asked for: a branch or the commit.
    pub git_ref: String,
    /// The task, by default `deploy`.
    pub task: String,
    /// What its maker put in.
    pub payload: Value,
    /// The environment's name.
    pub environment: String,
    /// A line about it.
    pub description: Option<String>,
    /// It will be gone at some time.
    pub transient: bool,
    /// Users use it.
    pub production: bool,
    /// Who made it.
    pub creator: u64,
    /// The App that it was made by.
    pub app: Option<u64>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Its statuses, oldest first.
    pub statuses: Vec<DeploymentStatus>,
}

impl Deployment {
    /// The state of the newest status.
    pub fn state(&self) -> Option<&str> {
        self.statuses.last().map(|status| status.state.as_str())
    }

    /// Whether it may be deleted beside others: it was set inactive, or it failed.
    pub fn is_inactive(&self) -> bool {
        matches!(self.state(), Some("inactive" | "failure" | "error"))
    }
}

/// A status of a deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeploymentStatus {
    /// GitHub's numeric id.
    pub id: u64,
    /// GitHub's word for it.
    pub state: String,
    /// Who wrote it.
    pub creator: u64,
    /// The App that it was written by.
    pub app: Option<u64>,
    /// A line about it.
    pub description: String,
    /// Where the environment is.
    pub environment_url: String,
    /// Where its log is.
    pub log_url: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// A check run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckRun {
    /// GitHub's numeric id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// The commit.
    pub head_sha: String,
    /// The App that made it.
    pub app: u64,
    /// `queued`, `in_progress` or `completed`.
    pub status: String,
    /// How it ended.
    pub conclusion: Option<String>,
    /// The maker's own id.
    pub external_id: String,
    /// Where more of it is.
    pub details_url: Option<String>,
    /// The headline.
    pub title: Option<String>,
    /// Markdown below it.
    pub summary: Option<String>,
    /// Markdown below that.
    pub text: Option<String>,
    /// The buttons.
    pub actions: Vec<CheckAction>,
    /// When it was made.
    pub started_at: DateTime<Utc>,
    /// When it was completed.
    pub completed_at: Option<DateTime<Utc>>,
}

/// A button of a check run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckAction {
    /// What stands on it; 20 characters at most.
    pub label: String,
    /// What it does; 40 characters at most.
    pub description: String,
    /// What its maker calls it; 20 characters at most.
    pub identifier: String,
}

/// A status of a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CommitStatus {
    /// GitHub's numeric id.
    pub id: u64,
    /// The commit.
    pub sha: String,
    /// `error`, `failure`, `pending` or `success`.
    pub state: String,
    /// What it is of.
    pub context: String,
    /// A line about it.
    pub description: Option<String>,
    /// Where more of it is.
    pub target_url: Option<String>,
    /// Who wrote it.
    pub creator: u64,
    /// When.
    pub at: DateTime<Utc>,
}
