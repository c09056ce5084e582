//! Answers, and GitHub's words for each way to say no.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::model::Refusal;

/// Where GitHub's errors point to.
const DOCUMENTATION: &str = "https://docs.github.com/rest";

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    /// JSON text, or nothing.
    pub body: Vec<u8>,
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        Self::error(422, &refusal.to_string())
    }
}

impl Answer {
    pub fn json(status: u16, value: &Value) -> Self {
        Self { status, headers: Vec::new(), body: value.to_string().into_bytes() }
    }

    pub fn ok(value: &Value) -> Self {
        Self::json(200, value)
    }

    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// GitHub's usual error body.
    pub fn error(status: u16, message: &str) -> Self {
        Self::error_at(status, message, DOCUMENTATION)
    }

    fn error_at(status: u16, message: &str, documentation: &str) -> Self {
        let body = json!({ "message": message, "documentation_url": documentation, "status": status.to_string() });
        Self::json(status, &body)
    }

    pub fn not_found() -> Self {
        Self::error(404, "Not Found")
    }

    pub fn bad_credentials() -> Self {
        Self::error(401, "Bad credentials")
    }

    pub fn requires_authentication() -> Self {
        Self::error(401, "Requires authentication")
    }

    pub fn forbidden(message: &str) -> Self {
        Self::error(403, message)
    }

    /// An App's token that was not made for this.
    pub fn not_for_apps() -> Self {
        Self::error(403, "Resource not accessible by integration")
    }

    /// The installation was suspended.
    pub fn suspended() -> Self {
        Self::error(403, "This installation has been suspended")
    }

    /// A body that GitHub does not take.
    pub fn invalid(why: &str) -> Self {
        Self::error(422, &format!("Invalid request.\n\n{why}"))
    }

    pub fn gone() -> Self {
        Self::error(410, "This issue was deleted")
    }

    /// The repository has another name now.
    pub fn moved(to: &str) -> Self {
        let body = json!({
            "message": "Moved Permanently",
            "url": to,
            "documentation_url": "https://docs.github.com/rest/guides/best-practices-for-using-the-rest-api#follow-redirects",
        });
        Self::json(301, &body).header("location", to)
    }

    pub fn no_user_agent() -> Self {
        let text = "Request forbidden by administrative rules. Please make sure your request has a User-Agent header.";
        Self { status: 403, headers: Vec::new(), body: json!({ "message": text }).to_string().into_bytes() }
    }

    pub fn bad_json() -> Self {
        Self::error(400, "Problems parsing JSON")
    }

    /// A field that has to be there.
    pub fn missing_field(field: &str) -> Self {
        Self::error(422, &format!("Invalid request.\n\n\"{field}\" wasn't supplied."))
    }

    /// A comment whose text GitHub does not take.
    pub fn unprocessable_comment(why: &str) -> Self {
        let body = json!({
            "message": "Validation Failed",
            "errors": [{ "resource": "IssueComment", "code": "unprocessable", "field": "data", "message": why }],
            "documentation_url": format!("{DOCUMENTATION}/issues/comments"),
            "status": "422",
        });
        Self::json(422, &body)
    }

    pub fn limit_exceeded(whose: &str, reset: Option<DateTime<Utc>>) -> Self {
        let at = "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api";
        let answer = Self::error_at(403, &format!("API rate limit exceeded for {whose}."), at);
        let reset = reset.map_or(0, |reset| reset.timestamp());
        answer.header("x-ratelimit-remaining", "0").header("x-ratelimit-reset", reset.to_string())
    }

    /// An error as a test asked for it.
    pub fn injected(status: u16, headers: Vec<(String, String)>, message: &str) -> Self {
        let message = if message.is_empty() { "Server Error" } else { message };
        Self { headers, ..Self::error(status, message) }
    }
}
