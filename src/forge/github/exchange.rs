//! One request to GitHub and its answer, with every failure as a [`ForgeError`].

use std::error::Error;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use http_body_util::{BodyExt, Limited};
use hyper::body::Bytes;
use hyper::header::{DATE, ETAG, HeaderName, IF_NONE_MATCH, LOCATION, RETRY_AFTER};
use hyper::http::request::Builder;
use hyper::{HeaderMap, Method, StatusCode, Uri};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::session::Session;
use super::wire::{self, Refusal};
use crate::domain::RepoName;
use crate::forge::{ForgeError, Validator};

/// Largest answer that is read, in bytes. A hundred comments of GitHub's largest size, 256 KiB, are 25 MiB.
const ANSWER_LIMIT: usize = 32 * 1024 * 1024;
/// How often a repository may have moved.
const MOVES_MAX: usize = 3;
/// Longest sentence of GitHub's that we repeat, in characters.
const MESSAGE_MAX: usize = 200;
/// What GitHub tells clients to wait where it does not say how long, in seconds ("Rate limits for the REST API").
const UNSAID_WAIT: u64 = 60;
/// Longest wait that we believe, in seconds: GitHub's limits are counted by the hour.
pub(super) const LONGEST_WAIT: u64 = 3_600;

/// What we ask.
#[derive(Clone)]
pub(super) struct Request {
    /// For the metrics.
    pub(super) operation: &'static str,
    /// For errors: `read`.
    pub(super) verb: &'static str,
    /// For errors: `acme/web#42`.
    pub(super) thing: String,
    /// The pull request that it is about, which has one place in the line for all that is written about it. A thing that
    /// belongs to none has one of its own.
    pub(super) about: Option<Arc<str>>,
    pub(super) method: Method,
    /// Below the API's address.
    pub(super) path: String,
    pub(super) body: Option<Value>,
    /// By what the answer is known that we have already.
    pub(super) known: Option<Validator>,
    /// GitHub's sentence where there is no such thing, if another 404 says that we may not look.
    pub(super) absent: Option<String>,
}

/// What GitHub answers.
pub(super) struct Reply<T> {
    pub(super) content: T,
    pub(super) headers: HeaderMap,
    /// Where it was found: another path than was asked for where the repository moved.
    pub(super) path: String,
}

struct Raw {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Request {
    /// A GET of something in a repository. The path is below that of the repository.
    pub(super) fn get(operation: &'static str, repository: &RepoName, thing: String, path: &str) -> Self {
        let path = format!("/repos/{repository}{path}");
        Self { thing, path, ..Self::get_own(operation, "", "") }
    }

    /// A GET of what belongs to no repository.
    pub(super) fn get_own(operation: &'static str, thing: &str, path: &str) -> Self {
        Self {
            operation,
            verb: "read",
            thing: thing.to_owned(),
            about: None,
            method: Method::GET,
            path: path.to_owned(),
            body: None,
            known: None,
            absent: None,
        }
    }

    /// The same with another word for errors.
    pub(super) fn verb(self, verb: &'static str) -> Self {
        Self { verb, ..self }
    }

    /// The same as one that writes.
    pub(super) fn writing(self, method: Method, body: Value) -> Self {
        Self { method, body: Some(body), ..self }
    }

    pub(super) fn what(&self) -> String {
        format!("{} {}", self.verb, self.thing)
    }

    pub(super) fn unavailable(&self, why: impl Into<String>) -> ForgeError {
        ForgeError::Unavailable { what: self.what(), why: why.into() }
    }

    pub(super) fn unreadable(&self, why: impl Into<String>) -> ForgeError {
        ForgeError::Unreadable { what: self.what(), why: why.into() }
    }

    /// Sends it once, and again only where GitHub says that the repository moved: then nothing was done yet. Nothing comes
    /// back where the answer is the one that is known already.
    pub(super) async fn send<T: DeserializeOwned>(&self, session: &Session, host: &Uri) -> Result<Option<Reply<T>>, ForgeError> {
        let mut path = self.path.clone();
        let mut raw = self.send_to(session, &path).await?;
        for _ in 0..MOVES_MAX {
            let Some(next) = self.moved_to(&raw, host)? else { break };
            path = next;
            raw = self.send_to(session, &path).await?;
        }
        if self.known.is_some() && raw.status == StatusCode::NOT_MODIFIED {
            return Ok(None);
        }
        if !raw.status.is_success() {
            return Err(self.failure(&raw));
        }
        // "No content" is the one answer without a body, and stands for nothing.
        let body: &[u8] = if raw.status == StatusCode::NO_CONTENT { b"null" } else { &raw.body };
        let content = wire::read(body).map_err(|(field, why)| self.unreadable(format!("{field}: {why}")))?;
        Ok(Some(Reply { content, headers: raw.headers, path }))
    }

    async fn send_to(&self, session: &Session, path: &str) -> Result<Raw, ForgeError> {
        let mut builder = Builder::new().method(self.method.clone()).uri(path);
        if let Some(Validator(known)) = &self.known {
            builder = builder.header(IF_NONE_MATCH, known);
        }
        let request = session.client.build_request(builder, self.body.as_ref()).map_err(|e| self.unreadable(e.to_string()))?;
        let answer = session.client.execute(request).await.map_err(|e| self.unavailable(cause(&e)))?;
        let (parts, body) = answer.into_parts();
        session.hear(parts.status, &parts.headers);
        let body = Limited::new(body, ANSWER_LIMIT).collect().await.map_err(|e| self.unavailable(cause(e.as_ref())))?;
        Ok(Raw { status: parts.status, headers: parts.headers, body: body.to_bytes() })
    }

    /// Where it is to be repeated as it is ("Best practices for using the REST API", "Follow redirects"). What leads to
    /// another host, such as a page to sign in, says nothing about what was asked for.
    fn moved_to(&self, raw: &Raw, host: &Uri) -> Result<Option<String>, ForgeError> {
        if !matches!(raw.status.as_u16(), 301 | 302 | 307 | 308) {
            return Ok(None);
        }
        let location = raw.headers.get(LOCATION).and_then(|to| to.to_str().ok()?.parse::<Uri>().ok());
        let Some(location) = location else { return Ok(None) };
        match location.host() {
            Some(other) if !host.host().is_some_and(|own| own.eq_ignore_ascii_case(other)) => {
                Err(self.unreadable(format!("it leads to another host, {other}; the API's address has to be GitHub's own")))
            }
            _ => Ok(location.path_and_query().map(ToString::to_string)),
        }
    }

    fn missing(&self, status: u16, message: String) -> ForgeError {
        match &self.absent {
            Some(absent) if !absent.eq_ignore_ascii_case(&message) => ForgeError::Refused { what: self.what(), status, message },
            _ => ForgeError::NotFound(self.thing.clone()),
        }
    }

    fn failure(&self, raw: &Raw) -> ForgeError {
        let status = raw.status.as_u16();
        let message = message(raw);
        let wait = wait(raw, &message, Utc::now()).filter(|_| matches!(status, 403 | 429));
        match (status, wait) {
            (_, Some(seconds)) => ForgeError::RateLimited { what: self.what(), seconds },
            (408 | 500.., _) => self.unavailable(format!("it answers {status}")),
            // A page that some other server answers with says nothing of what GitHub has or lets us do.
            (400.., _) if !is_githubs(raw) => self.unavailable(format!("it answers {status} and not as GitHub does")),
            (404 | 410, _) => self.missing(status, message),
            _ => ForgeError::Refused { what: self.what(), status, message },
        }
    }
}

fn refusal(raw: &Raw) -> Option<Refusal> {
    serde_json::from_slice(&raw.body).ok()
}

/// Whether an answer that is not a success is one of GitHub's: they all hold a sentence.
fn is_githubs(raw: &Raw) -> bool {
    refusal(raw).is_some()
}

/// GitHub's own sentence, never the rest of a body.
fn message(raw: &Raw) -> String {
    let text = refusal(raw).map_or_else(|| raw.status.canonical_reason().unwrap_or("no reason given").to_owned(), |r| r.message);
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

/// By what GitHub knows this answer again.
pub(super) fn validator(headers: &HeaderMap) -> Option<Validator> {
    headers.get(ETAG)?.to_str().ok().map(|tag| Validator(tag.to_owned()))
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

    fn request() -> Request {
        Request::get("pull_request", &"acme/web".parse().unwrap(), "acme/web#42".into(), "/pulls/42")
    }

    fn failure(raw: &Raw) -> ForgeError {
        request().failure(raw)
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
        assert_eq!(failure(&raw(410, &[], r#"{"message": "Gone"}"#)), ForgeError::NotFound("acme/web#42".into()));
        assert_eq!(failure(&raw(401, &[], r#"{"message": "Bad credentials"}"#)), refused(401, "Bad credentials"));
        assert_eq!(failure(&raw(403, &[], r#"{"message": "Forbidden"}"#)), refused(403, "Forbidden"));
        assert_eq!(failure(&raw(422, &[], r#"{"message": "Validation\u0000 Failed"}"#)), refused(422, "Validation Failed"));
        let away = |why: &str| ForgeError::Unavailable { what: "read acme/web#42".into(), why: why.into() };
        assert_eq!(failure(&raw(502, &[], "<html>")), away("it answers 502"));
        for status in [401, 403, 404, 410, 422] {
            for body in ["<html>sign in</html>", "", "{}", "[]", "null"] {
                assert_eq!(failure(&raw(status, &[], body)), away(&format!("it answers {status} and not as GitHub does")), "{body}");
            }
        }
    }

    #[test]
    fn only_githubs_own_sentence_says_that_somebody_is_not_there() {
        let absent = Request { absent: Some("eve is not a user".into()), ..request() };
        let missing = |body| absent.failure(&raw(404, &[], body));
        assert_eq!(missing(r#"{"message": "Eve is not a user"}"#).label(), "not_found");
        assert_eq!(missing(r#"{"message": "Not Found"}"#).label(), "refused");
        assert_eq!(missing("<html>eve is not a user</html>").label(), "unavailable");
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
    fn only_the_same_host_is_asked_again() {
        let host = Uri::from_static("https://api.github.com");
        let to = |status, location: &str| request().moved_to(&raw(status, &[("location", location)], ""), &host);
        let place = "/repositories/7/issues/42/comments?x=1";
        assert_eq!(to(307, &format!("https://API.github.com{place}")).unwrap().as_deref(), Some(place));
        assert_eq!(to(301, place).unwrap().as_deref(), Some(place));
        assert_eq!(to(200, place).unwrap(), None);
        let error = to(302, "https://login.example.com/sso").unwrap_err();
        assert!(error.label() == "unreadable" && error.to_string().contains("another host, login.example.com"), "{error}");
    }
}
