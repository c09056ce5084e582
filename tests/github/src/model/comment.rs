//! Comments on pull requests. To GitHub they are issue comments.

use chrono::{DateTime, Utc};
use serde::Serialize;

/// The longest body that GitHub takes, in characters.
pub const LONGEST_BODY: usize = 65_536;

/// A comment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Comment {
    /// GitHub's numeric id.
    pub id: u64,
    /// The pull request that it stands under.
    pub number: u64,
    /// Who wrote it.
    pub author: u64,
    /// The App that it was written by.
    pub app: Option<u64>,
    /// Its text, Markdown.
    pub body: String,
    /// When it was written.
    pub created_at: DateTime<Utc>,
    /// When it was last edited.
    pub updated_at: DateTime<Utc>,
}
