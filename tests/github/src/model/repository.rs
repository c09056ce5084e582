//! Repositories, their branches and collaborators.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Comment, PullRequest, Records};

/// What a collaborator may do, from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Permission {
    /// Nothing; on a public repository everyone may still read.
    None,
    /// Read and comment.
    Read,
    /// Read, label, close.
    Triage,
    /// Push.
    Write,
    /// Push and manage, without the dangerous parts.
    Maintain,
    /// Everything.
    Admin,
}

impl Permission {
    /// GitHub's `permission`: the older scale, which knows neither maintain nor triage.
    pub fn legacy(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Read | Self::Triage => "read",
            Self::Write | Self::Maintain => "write",
            Self::Admin => "admin",
        }
    }

    /// GitHub's `role_name`.
    pub fn role(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Read => "read",
            Self::Triage => "triage",
            Self::Write => "write",
            Self::Maintain => "maintain",
            Self::Admin => "admin",
        }
    }
}

/// A repository.
#[derive(Debug, Clone, Serialize)]
pub struct Repository {
    /// GitHub's numeric id; it survives a rename.
    pub id: u64,
    /// The account that owns it.
    pub owner: u64,
    /// `owner/name`.
    pub full_name: String,
    /// Only those with a permission see it.
    pub private: bool,
    /// The repository that it was forked from.
    pub fork_of: Option<u64>,
    /// The branch that pull requests go to by default.
    pub default_branch: String,
    /// Branch names and the commits that they point at.
    pub branches: BTreeMap<String, String>,
    /// Accounts with a permission of their own; the owner is always an admin.
    pub collaborators: BTreeMap<u64, Permission>,
    /// Pull requests by number.
    pub pulls: BTreeMap<u64, PullRequest>,
    /// Comments by id.
    pub comments: BTreeMap<u64, Comment>,
    /// What is kept beside pull requests and comments.
    pub records: Records,
    /// Numbers whose issue was deleted: GitHub answers 410.
    pub gone: BTreeSet<u64>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When anyone last pushed.
    pub pushed_at: DateTime<Utc>,
}

impl Repository {
    /// The part after the slash.
    pub fn name(&self) -> &str {
        self.full_name.split_once('/').map_or("", |(_, name)| name)
    }

    /// The number that the next issue or pull request gets.
    pub fn next_number(&self) -> u64 {
        let highest = self.pulls.keys().chain(&self.gone).max();
        highest.map_or(1, |number| number + 1)
    }

    /// What an account may do, the public's right to read included.
    pub fn permission(&self, user: Option<u64>) -> Permission {
        let public = if self.private { Permission::None } else { Permission::Read };
        let own = user.and_then(|user| self.collaborators.get(&user)).copied();
        own.unwrap_or(Permission::None).max(public)
    }

    /// Comments of one pull request, oldest first.
    pub fn comments_on(&self, number: u64) -> Vec<&Comment> {
        self.comments.values().filter(|comment| comment.number == number).collect()
    }

    /// How many pull requests are open.
    pub fn open_pulls(&self) -> usize {
        self.pulls.values().filter(|pull| pull.is_open()).count()
    }
}
