//! GitHub Apps, and where they are installed.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{RateLimit, Repository};

/// What an App may do, by GitHub's names: `issues` to `write`.
pub type Permissions = BTreeMap<String, String>;

/// An App. It has no `Serialize`, since its rate limit and key are nobody's business.
#[derive(Debug, Clone)]
pub struct App {
    /// GitHub's numeric id, the issuer of its tokens.
    pub id: u64,
    /// The name in addresses; its account is `<slug>[bot]`.
    pub slug: String,
    /// The account that made it.
    pub owner: u64,
    /// Its own account.
    pub bot: u64,
    /// The public half of its key, PEM.
    pub public_key: String,
    /// What it asks for.
    pub permissions: Permissions,
    /// The events that it subscribes to.
    pub events: Vec<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Requests by its own token, not by those of installations.
    pub rate: RateLimit,
}

/// Which repositories of an account an App was installed on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Selection {
    /// All, also those to come.
    All,
    /// These.
    Selected(BTreeSet<u64>),
}

/// An App on an account.
#[derive(Debug, Clone)]
pub struct Installation {
    /// GitHub's numeric id.
    pub id: u64,
    /// The App.
    pub app: u64,
    /// The account that it is installed on.
    pub account: u64,
    /// On which of its repositories.
    pub selection: Selection,
    /// When and by whom it was suspended.
    pub suspended: Option<(DateTime<Utc>, u64)>,
    /// It was uninstalled, and is kept for the delivery that says so.
    pub deleted: bool,
    /// When it was installed.
    pub created_at: DateTime<Utc>,
    /// The primary limit of all its tokens together.
    pub rate: RateLimit,
}

impl Installation {
    /// Whether it was told of that repository.
    pub fn covers(&self, repository: &Repository) -> bool {
        let selected = match &self.selection {
            Selection::All => true,
            Selection::Selected(chosen) => chosen.contains(&repository.id),
        };
        selected && self.account == repository.owner && !self.deleted
    }

    /// Whether its tokens work.
    pub fn works(&self) -> bool {
        !self.deleted && self.suspended.is_none()
    }

    /// GitHub's `repository_selection`.
    pub fn selection(&self) -> &'static str {
        if self.selection == Selection::All { "all" } else { "selected" }
    }
}

/// What a token of an installation was made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The installation.
    pub installation: u64,
    /// The App.
    pub app: u64,
    /// The repositories that it was narrowed to.
    pub repositories: Option<BTreeSet<u64>>,
    /// What it may do.
    pub permissions: Permissions,
    /// When it ends: an hour after it was made.
    pub expires_at: DateTime<Utc>,
}

impl Grant {
    /// Whether it may do that: `write` includes `read`, and everyone may read metadata.
    pub fn allows(&self, permission: &str, level: &str) -> bool {
        match self.permissions.get(permission).map(String::as_str) {
            Some("write" | "admin") => true,
            Some(held) => held == level,
            None => permission == "metadata" && level == "read",
        }
    }
}
