//! People, bots and organisations.

use serde::{Deserialize, Serialize};

/// What an account is, in GitHub's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum UserKind {
    /// A person.
    User,
    /// The account of a GitHub App, or a machine account marked as one.
    Bot,
    /// An organisation; it owns repositories and does nothing itself.
    Organization,
}

impl UserKind {
    /// The word that GitHub writes in `type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Bot => "Bot",
            Self::Organization => "Organization",
        }
    }
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct User {
    /// GitHub's numeric id; never reused.
    pub id: u64,
    /// The login; GitHub compares logins without regard to case.
    pub login: String,
    /// Person, bot or organisation.
    pub kind: UserKind,
}
