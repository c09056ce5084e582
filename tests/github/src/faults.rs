//! Failures that a test asks for.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Failure {
    /// This answer instead of the real one; the request has no effect.
    Answer {
        /// The status.
        status: u16,
        /// Headers of the answer.
        #[serde(default)]
        headers: Vec<(String, String)>,
        /// GitHub's `message`.
        #[serde(default)]
        message: String,
    },
    /// This body instead of the real answer, whatever it is.
    Body {
        /// The status.
        status: u16,
        /// What it says it is.
        content_type: String,
        /// What it is.
        body: String,
    },
    /// The real answer, later.
    Delay {
        /// How much later, in milliseconds.
        milliseconds: u64,
    },
    /// The request takes effect at once, and its answer comes later.
    LateAnswer {
        /// How much later, in milliseconds.
        milliseconds: u64,
    },
    /// The connection is cut; the request has no effect.
    CutBefore,
    /// The connection is cut, but the request took effect.
    CutAfter,
}

/// A failure and the requests that it is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The method; none is any.
    #[serde(default)]
    pub method: Option<String>,
    /// The path: `*` stands for one segment, `**` at the end for all the rest.
    pub path: String,
    /// How many requests it is for.
    #[serde(default = "once")]
    pub times: u32,
    /// When it is over by itself, by the double's clock.
    #[serde(default)]
    pub until: Option<DateTime<Utc>>,
    /// What goes wrong.
    pub failure: Failure,
}

fn once() -> u32 {
    1
}

impl Fault {
    /// `failure` for the next request with this method and path.
    pub fn on(method: &str, path: &str, failure: Failure) -> Self {
        Self { method: Some(method.to_owned()), path: path.to_owned(), times: 1, until: None, failure }
    }

    /// `failure` for the next request of any kind.
    pub fn next(failure: Failure) -> Self {
        Self { method: None, path: "/**".to_owned(), times: 1, until: None, failure }
    }

    /// `failure` for all requests.
    pub fn always(failure: Failure) -> Self {
        Self::next(failure).times(u32::MAX)
    }

    /// Until a time, by the double's clock.
    #[must_use]
    pub fn until(mut self, at: DateTime<Utc>) -> Self {
        self.until = Some(at);
        self
    }

    /// For so many requests.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    fn fits(&self, method: &str, path: &str) -> bool {
        self.method.as_deref().is_none_or(|own| own.eq_ignore_ascii_case(method)) && path_fits(&self.path, path)
    }
}

impl Failure {
    /// An answer with a status alone.
    pub fn status(status: u16) -> Self {
        Self::Answer { status, headers: Vec::new(), message: String::new() }
    }

    /// A page in HTML with 200, as from a proxy that wants a login.
    pub fn page() -> Self {
        let body = "<!DOCTYPE html><html><head><title>Sign in</title></head><body>Sign in to continue</body></html>".to_owned();
        Self::Body { status: 200, content_type: "text/html; charset=utf-8".to_owned(), body }
    }

    /// An empty list with 200.
    pub fn empty_list() -> Self {
        Self::Body { status: 200, content_type: "application/json; charset=utf-8".to_owned(), body: "[]".to_owned() }
    }

    /// GitHub's secondary limit, with the time to wait: a 403 with `Retry-After`.
    pub fn secondary_limit(retry_after: Duration) -> Self {
        Self::Answer {
            status: 403,
            headers: vec![("retry-after".to_owned(), retry_after.as_secs().to_string())],
            message: "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.".to_owned(),
        }
    }

    /// The real answer after `delay`, to the millisecond.
    pub fn delay(delay: Duration) -> Self {
        Self::Delay { milliseconds: u64::try_from(delay.as_millis()).unwrap_or(u64::MAX) }
    }

    /// The effect at once and the real answer after `delay`, to the millisecond.
    pub fn late_answer(delay: Duration) -> Self {
        Self::LateAnswer { milliseconds: u64::try_from(delay.as_millis()).unwrap_or(u64::MAX) }
    }
}

/// The failures still to come, in the order in which they were asked for.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    waiting: Vec<Fault>,
}

impl Faults {
    pub fn add(&mut self, fault: Fault) {
        self.waiting.push(fault);
    }

    pub fn clear(&mut self) {
        self.waiting.clear();
    }

    pub fn clear_on(&mut self, path: &str) {
        self.waiting.retain(|fault| fault.path != path);
    }

    /// The failure for a request, if one is waiting for it.
    pub fn take(&mut self, method: &str, path: &str, now: DateTime<Utc>) -> Option<Failure> {
        self.waiting.retain(|fault| fault.until.is_none_or(|until| now < until));
        let index = self.waiting.iter().position(|fault| fault.times > 0 && fault.fits(method, path))?;
        let fault = &mut self.waiting[index];
        fault.times -= 1;
        let failure = fault.failure.clone();
        self.waiting.retain(|fault| fault.times > 0);
        Some(failure)
    }
}

fn path_fits(pattern: &str, path: &str) -> bool {
    let mut steps = path.trim_matches('/').split('/');
    for want in pattern.trim_matches('/').split('/') {
        match (want, steps.next()) {
            ("**", _) => return true,
            ("*", Some(_)) => {}
            (want, Some(step)) if want.eq_ignore_ascii_case(step) => {}
            _ => return false,
        }
    }
    steps.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_one_segment_and_two_are_the_rest() {
        assert!(path_fits("/repos/*/*/issues/*/comments", "/repos/acme/web/issues/7/comments"));
        assert!(!path_fits("/repos/*/*/issues/*/comments", "/repos/acme/web/issues/comments/7"));
        assert!(path_fits("/repos/**", "/repos/acme/web/pulls"));
        assert!(!path_fits("/repos/*", "/repos/acme/web"));
    }

    #[test]
    fn a_fault_is_spent() {
        let mut faults = Faults::default();
        faults.add(Fault::on("GET", "/user", Failure::status(502)).times(2));
        assert_eq!(faults.take("POST", "/user", DateTime::UNIX_EPOCH), None);
        assert!(faults.take("GET", "/user", DateTime::UNIX_EPOCH).is_some());
        assert!(faults.take("GET", "/user", DateTime::UNIX_EPOCH).is_some());
        assert_eq!(faults.take("GET", "/user", DateTime::UNIX_EPOCH), None);
    }

    #[test]
    fn failures_on_one_path_are_taken_back_alone() {
        let mut faults = Faults::default();
        faults.add(Fault::on("GET", "/user", Failure::status(502)));
        faults.add(Fault::on("GET", "/repos/**", Failure::status(502)));
        faults.clear_on("/user");
        assert_eq!(faults.take("GET", "/user", DateTime::UNIX_EPOCH), None);
        assert!(faults.take("GET", "/repos/acme/web", DateTime::UNIX_EPOCH).is_some());
    }

    #[test]
    fn a_fault_ends_with_its_time() {
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap_or_default();
        let mut faults = Faults::default();
        faults.add(Fault::always(Failure::status(500)).until(at(3_600)));
        assert!(faults.take("GET", "/user", at(0)).is_some());
        assert!(faults.take("POST", "/repos/acme/web/pulls", at(3_599)).is_some());
        assert_eq!(faults.take("GET", "/user", at(3_600)), None);
    }
}
