//! Pull requests.

use chrono::{DateTime, Utc};
use serde::Serialize;

/// A pull request as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PullRequest {
    /// GitHub's numeric id, unlike `number` unique everywhere.
    pub id: u64,
    /// Its number within the repository.
    pub number: u64,
    /// The title.
    pub title: String,
    /// The description.
    pub body: Option<String>,
    /// Who opened it.
    pub author: u64,
    /// The repository of the branch; none once that repository is deleted.
    pub head_repo: Option<u64>,
    /// Login of the owner of the head repository, which outlives the repository in `head.label`.
    pub head_owner: u64,
    /// The branch.
    pub head_ref: String,
    /// The commit that the branch points at.
    pub head_sha: String,
    /// The branch that it is to be merged into.
    pub base_ref: String,
    /// The commit of the base branch when it was opened or its base changed.
    pub base_sha: String,
    /// Not ready for review.
    pub draft: bool,
    /// Conversation limited to collaborators.
    pub locked: bool,
    /// Names of its labels.
    pub labels: Vec<String>,
    /// The files that it changes, each with the name before where it was renamed.
    pub files: Vec<(String, Option<String>)>,
    /// How many commits it holds.
    pub commits: u64,
    /// When it was opened.
    pub created_at: DateTime<Utc>,
    /// When it last changed, a comment included.
    pub updated_at: DateTime<Utc>,
    /// When it was closed, merged or not.
    pub closed_at: Option<DateTime<Utc>>,
    /// When and by whom it was merged, and the commit that this made.
    pub merged: Option<Merge>,
}

/// How a pull request was merged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Merge {
    /// When.
    pub at: DateTime<Utc>,
    /// By whom.
    pub by: u64,
    /// The merge commit.
    pub sha: String,
}

impl PullRequest {
    /// Whether it is neither closed nor merged.
    pub fn is_open(&self) -> bool {
        self.closed_at.is_none()
    }

    /// GitHub's `state`.
    pub fn state(&self) -> &'static str {
        if self.is_open() { "open" } else { "closed" }
    }
}
