//! Failures that a test asks for.

use std::time::Duration;

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
    /// The real answer, later.
    Delay {
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
    /// What goes wrong.
    pub failure: Failure,
}

fn once() -> u32 {
    1
}

impl Fault {
    /// `failure` for the next request with this method and path.
    pub fn on(method: &str, path: &str, failure: Failure) -> Self {
        Self { method: Some(method.to_owned()), path: path.to_owned(), times: 1, failure }
    }

    /// `failure` for the next request of any kind.
    pub fn next(failure: Failure) -> Self {
        Self { method: None, path: "/**".to_owned(), times: 1, failure }
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
    pub fn take(&mut self, method: &str, path: &str) -> Option<Failure> {
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
        assert_eq!(faults.take("POST", "/user"), None);
        assert!(faults.take("GET", "/user").is_some());
        assert!(faults.take("GET", "/user").is_some());
        assert_eq!(faults.take("GET", "/user"), None);
    }
}
