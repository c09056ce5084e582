//! One request to GitHub and its answer, with every failure as a [`ForgeError`].

use std::error::Error;

use chrono::{DateTime, Utc};
use http_body_util::{BodyExt, Limited};
use hyper::body::Bytes;
use hyper::header::{DATE, HeaderName, LOCATION, RETRY_AFTER};
use hyper::http::request::Builder;
use hyper::{HeaderMap, Method, StatusCode, Uri};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::session::Session;
use super::wire::{self, Refusal};
use crate::forge::ForgeError;

/// Largest answer that is read, in bytes. A hundred comments of GitHub's largest size, 256 KiB, are 25 MiB.
const ANSWER_LIMIT: usize = 32 * 1024 * 1024;
/// How often a repository may have moved.
const MOVES_MAX: usize = 3;
/// Longest sentence of GitHub's that we repeat, in characters.
const MESSAGE_MAX: usize = 200;
/// What GitHub tells clients to wait where it does not say how long, in seconds ("Rate limits for the REST API").
const UNSAID_WAIT: u64 = 60;
/// Longest wait that we believe, in seconds: GitHub's limits are counted by the hour.
const LONGEST_WAIT: u64 = 3_600;

/// What we ask.
pub(super) struct Request {
    /// For the metrics.
    pub(super) operation: &'static str,
    /// For errors: `read`.
    pub(super) verb: &'static str,
    /// For errors: `acme/web#42`.
    pub(super) thing: String,
    pub(super) method: Method,
    /// Below the API's address.
    pub(super) path: String,
    pub(super) body: Option<Value>,
}

/// What GitHub answers.
pub(super) struct Reply<T> {
    pub(super) content: T,
    pub(super) headers: HeaderMap,
}

struct Raw {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Request {
    /// A GET.
    pub(super) fn get(operation: &'static str, thing: String, path: String) -> Self {
        Self { operation, verb: "read", thing, method: Method::GET, path, body: None }
    }

    fn what(&self) -> String {
        format!("{} {}", self.verb, self.thing)
    }

    pub(super) fn unavailable(&self, why: impl Into<String>) -> ForgeError {
        ForgeError::Unavailable { what: self.what(), why: why.into() }
    }

    pub(super) fn unreadable(&self, why: impl Into<String>) -> ForgeError {
        ForgeError::Unreadable { what: self.what(), why: why.into() }
    }

    /// Sends it once, and again only where GitHub says that the repository moved: then nothing was done yet.
    pub(super) async fn send<T: DeserializeOwned>(&self, session: &Session) -> Result<Reply<T>, ForgeError> {
        let mut raw = self.send_to(session, &self.path).await?;
        for _ in 0..MOVES_MAX {
            let Some(path) = moved_to(&raw) else { break };
            raw = self.send_to(session, &path).await?;
        }
        if !raw.status.is_success() {
            return Err(self.failure(&raw));
        }
        let content = wire::read(&raw.body).map_err(|(field, why)| self.unreadable(format!("{field}: {why}")))?;
        Ok(Reply { content, headers: raw.headers })
    }

    async fn send_to(&self, session: &Session, path: &str) -> Result<Raw, ForgeError> {
        let builder = Builder::new().method(self.method.clone()).uri(path);
        let request = session.client.build_request(builder, self.body.as_ref()).map_err(|e| self.unreadable(e.to_string()))?;
        let answer = session.client.execute(request).await.map_err(|e| self.unavailable(cause(&e)))?;
        let (parts, body) = answer.into_parts();
        let body = Limited::new(body, ANSWER_LIMIT).collect().await.map_err(|e| self.unavailable(cause(e.as_ref())))?;
        Ok(Raw { status: parts.status, headers: parts.headers, body: body.to_bytes() })
    }

    fn failure(&self, raw: &Raw) -> ForgeError {
        let status = raw.status.as_u16();
        let message = message(raw);
        match status {
            404 | 410 => ForgeError::NotFound(self.thing.clone()),
            403 | 429 => match wait(raw, &message, Utc::now()) {
                Some(seconds) => ForgeError::RateLimited { what: self.what(), seconds },
                None => ForgeError::Refused { what: self.what(), status, message },
            },
            408 | 500.. => self.unavailable(format!("it answers {status}")),
            _ => ForgeError::Refused { what: self.what(), status, message },
        }
    }
}

/// Where a request is to be repeated as it is ("Best practices for using the REST API", "Follow redirects"). Only the
/// path is taken, so that nothing goes to another host.
fn moved_to(raw: &Raw) -> Option<String> {
    if !matches!(raw.status.as_u16(), 301 | 302 | 307 | 308) {
        return None;
    }
    let location: Uri = raw.headers.get(LOCATION)?.to_str().ok()?.parse().ok()?;
    location.path_and_query().map(ToString::to_string)
}

/// GitHub's own sentence, never the rest of a body.
fn message(raw: &Raw) -> String {
    let refusal: Option<Refusal> = serde_json::from_slice(&raw.body).ok();
    let text = refusal.map_or_else(|| raw.status.canonical_reason().unwrap_or("no reason given").to_owned(), |r| r.message);
    text.chars().filter(|c| !c.is_control()).take(MESSAGE_MAX).collect()
}

/// How long to wait, in seconds, if the answer is about a rate limit at all ("Rate limits for the REST API",
/// "Exceeding the rate limit").
fn wait(raw: &Raw, message: &str, now: DateTime<Utc>) -> Option<u64> {
    let number = |name: &HeaderName| raw.headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    let exhausted = number(&HeaderName::from_static("x-ratelimit-remaining")) == Some(0);
    let reset = number(&HeaderName::from_static("x-ratelimit-reset")).filter(|_| exhausted);
    // By GitHub's own clock where it says the time.
    let now = date(&raw.headers).unwrap_or(now).timestamp();
    let until_reset = reset.map(|at| at.saturating_sub(u64::try_from(now).unwrap_or_default()));
    let text = message.to_ascii_lowercase();
    let limited = exhausted || raw.status == 429 || text.contains("rate limit") || text.contains("abuse detection");
    let seconds = number(&RETRY_AFTER).or(until_reset).or(limited.then_some(UNSAID_WAIT))?;
    Some(seconds.clamp(1, LONGEST_WAIT))
}

/// When GitHub answered, by its own clock.
pub(super) fn date(headers: &HeaderMap) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc2822(headers.get(DATE)?.to_str().ok()?).ok().map(|date| date.to_utc())
}

/// The innermost reason, which says what happened; the outer ones say only where.
fn cause(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(status: u16, headers: &[(&str, &str)], body: &str) -> Raw {
        let headers = headers.iter().map(|(k, v)| (k.parse::<HeaderName>().unwrap(), v.parse().unwrap())).collect();
        Raw { status: StatusCode::from_u16(status).unwrap(), headers, body: Bytes::copy_from_slice(body.as_bytes()) }
    }

    fn failure(raw: &Raw) -> ForgeError {
        Request::get("pull_request", "acme/web#42".into(), String::new()).failure(raw)
    }

    fn waits(raw: &Raw) -> u64 {
        match failure(raw) {
            ForgeError::RateLimited { seconds, .. } => seconds,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_status_has_a_meaning() {
        let refused = |status, message: &str| ForgeError::Refused { what: "read acme/web#42".into(), status, message: message.into() };
        assert_eq!(failure(&raw(404, &[], r#"{"message": "Not Found"}"#)), ForgeError::NotFound("acme/web#42".into()));
        assert_eq!(failure(&raw(410, &[], "")), ForgeError::NotFound("acme/web#42".into()));
        assert_eq!(failure(&raw(401, &[], r#"{"message": "Bad credentials"}"#)), refused(401, "Bad credentials"));
        assert_eq!(failure(&raw(403, &[], "<html>")), refused(403, "Forbidden"));
        assert_eq!(failure(&raw(422, &[], r#"{"message": "Validation\u0000 Failed"}"#)), refused(422, "Validation Failed"));
        let away = |why: &str| ForgeError::Unavailable { what: "read acme/web#42".into(), why: why.into() };
        assert_eq!(failure(&raw(502, &[], "<html>")), away("it answers 502"));
    }

    #[test]
    fn rate_limits_are_told_from_refusals() {
        let date = ("date", "Fri, 02 Jan 2026 03:04:05 GMT");
        let reset = ("x-ratelimit-reset", "1767323105");
        assert_eq!(waits(&raw(403, &[date, reset, ("x-ratelimit-remaining", "0")], "")), 60);
        assert_eq!(waits(&raw(403, &[("retry-after", "17")], "")), 17);
        assert_eq!(waits(&raw(429, &[], "")), UNSAID_WAIT);
        assert_eq!(waits(&raw(429, &[("retry-after", "999999")], "")), LONGEST_WAIT);
        assert_eq!(waits(&raw(403, &[], r#"{"message": "You have exceeded a secondary rate limit."}"#)), UNSAID_WAIT);
        let refused = failure(&raw(403, &[reset, ("x-ratelimit-remaining", "4999")], r#"{"message": "Resource not accessible"}"#));
        assert!(matches!(refused, ForgeError::Refused { status: 403, .. }), "{refused:?}");
    }

    #[test]
    fn only_the_path_of_a_new_place_is_taken() {
        let moved = raw(307, &[("location", "https://elsewhere.example.com/repositories/7/issues/42/comments?x=1")], "");
        assert_eq!(moved_to(&moved).as_deref(), Some("/repositories/7/issues/42/comments?x=1"));
        assert_eq!(moved_to(&raw(200, &[("location", "/x")], "")), None);
    }
}
