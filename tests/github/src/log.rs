//! What was asked of the double. Never a token, never a header.

use serde::Serialize;

/// A request and how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Logged {
    /// The method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The status; none if the connection was cut.
    pub status: Option<u16>,
    /// The login whose token it was, if it was a good one.
    pub who: Option<String>,
}
