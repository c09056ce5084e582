//! Tokens and the limits that GitHub keeps for each.

use chrono::{DateTime, TimeDelta, Utc};

use super::Grant;

/// Requests an hour for a personal token, as GitHub documents it.
pub const REQUESTS_PER_HOUR: u32 = 5_000;

/// Requests an hour without a token, as GitHub documents it.
pub const REQUESTS_PER_HOUR_WITHOUT_TOKEN: u32 = 60;

/// The primary limit of one token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests allowed in the window.
    pub limit: u32,
    /// Requests made in the window.
    pub used: u32,
    /// When the window ends; none while no request was made.
    pub reset: Option<DateTime<Utc>>,
}

impl RateLimit {
    /// A fresh window of `limit` requests.
    pub fn new(limit: u32) -> Self {
        Self { limit, used: 0, reset: None }
    }

    /// Requests left in the window.
    pub fn remaining(&self) -> u32 {
        self.limit.saturating_sub(self.used)
    }

    /// Starts a new window of an hour when the last one is over.
    pub fn roll(&mut self, now: DateTime<Utc>) {
        if self.reset.is_none_or(|reset| reset <= now) {
            self.used = 0;
            self.reset = Some(now + TimeDelta::hours(1));
        }
    }

    /// Counts a request; false when none was left.
    pub fn spend(&mut self) -> bool {
        let allowed = self.remaining() > 0;
        if allowed {
            self.used += 1;
        }
        allowed
    }
}

/// A token and whose it is. It has no `Debug` and no `Serialize`, so that it cannot end in a log.
#[derive(Clone)]
pub struct Token {
    /// The secret itself.
    pub(crate) secret: String,
    /// Whose it is.
    pub user: u64,
    /// Classic scopes; `repo` is needed for private repositories, `repo` or `public_repo` for writing.
    pub scopes: Vec<String>,
    /// A revoked token gets 401 "Bad credentials".
    pub revoked: bool,
    /// What it was made for, if it is one of an installation.
    pub grant: Option<Grant>,
    /// Its primary limit; tokens of an installation share that of the installation.
    pub rate: RateLimit,
}

impl Token {
    /// Whether it may read private repositories.
    pub fn reads_private(&self) -> bool {
        self.grant.is_some() || self.has("repo")
    }

    /// Whether it may write to public repositories.
    pub fn writes(&self) -> bool {
        self.grant.is_some() || self.has("repo") || self.has("public_repo")
    }

    /// Whether it ended by itself.
    pub fn expired(&self, now: DateTime<Utc>) -> bool {
        self.grant.as_ref().is_some_and(|grant| grant.expires_at <= now)
    }

    fn has(&self, scope: &str) -> bool {
        self.scopes.iter().any(|held| held == scope)
    }
}
