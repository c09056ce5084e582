//! What GitHub keeps beside pull requests: who labelled them, and what programs write on comments and commits.

use chrono::{DateTime, Utc};
use serde::Serialize;

/// The records of one repository.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Records {
    /// What happened to pull requests, oldest first.
    pub issue_events: Vec<IssueEvent>,
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
