//! GitHub's secondary limits, which it keeps by refusing: here, each time that a client goes beyond one is kept. By the
//! double's clock alone. No IO.

use std::collections::{HashMap, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

/// The least time between two changes by one token or installation, as GitHub's best practices have it.
pub const BETWEEN_CHANGES: TimeDelta = TimeDelta::seconds(1);

/// By how much two changes may come closer: they leave a second apart, and not all take as long to arrive.
pub const TOLERANCE: TimeDelta = TimeDelta::milliseconds(100);

/// Requests that make content, in a minute and in an hour, as GitHub documents them.
pub const CONTENT_A_MINUTE: usize = 80;
/// See [`CONTENT_A_MINUTE`].
pub const CONTENT_AN_HOUR: usize = 500;

/// How long after an answer that asks to wait another request is no fault: it was on its way.
pub const ON_ITS_WAY: TimeDelta = TimeDelta::milliseconds(250);

/// A limit that was not kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LimitViolation {
    /// Whose token it was: a login, or `installation` with its id.
    pub who: String,
    /// When.
    pub at: DateTime<Utc>,
    /// The request.
    pub what: String,
    /// The limit, and by how much it was missed.
    pub why: String,
}

/// What a client did.
#[derive(Debug, Default)]
struct Client {
    changed: Option<DateTime<Utc>>,
    content: VecDeque<DateTime<Utc>>,
    /// Told to wait: since when, and until when.
    told: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// None of its requests are left: since when, and until when.
    spent: Option<(DateTime<Utc>, DateTime<Utc>)>,
}

/// A request, as far as the limits look at it.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub who: &'a str,
    pub method: &'a str,
    pub path: &'a str,
    pub at: DateTime<Utc>,
}

/// All clients and what they did wrong.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    clients: HashMap<String, Client>,
    pub violations: Vec<LimitViolation>,
}

impl Limits {
    /// A request arrived.
    pub fn arrived(&mut self, asked: Asked<'_>) {
        if asked.path == "/rate_limit" {
            return;
        }
        let client = self.clients.entry(asked.who.to_owned()).or_default();
        let wrong = client.ask(asked);
        let (who, what) = (asked.who.to_owned(), format!("{} {}", asked.method, asked.path));
        self.violations.extend(wrong.into_iter().map(|why| LimitViolation { who: who.clone(), at: asked.at, what: what.clone(), why }));
    }

    /// It was answered with these headers.
    pub fn answered(&mut self, who: &str, at: DateTime<Utc>, headers: &[(String, String)]) {
        let number = |name: &str| headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).and_then(|(_, value)| value.parse().ok());
        let client = self.clients.entry(who.to_owned()).or_default();
        if let Some(seconds) = number("retry-after").and_then(TimeDelta::try_seconds) {
            client.told = Some((at, at + seconds));
        }
        let reset = number("x-ratelimit-reset").and_then(|reset| DateTime::from_timestamp(reset, 0));
        client.spent = reset.filter(|_| number("x-ratelimit-remaining") == Some(0)).map(|reset| (at, reset));
    }
}

impl Client {
    fn ask(&mut self, asked: Asked<'_>) -> Vec<String> {
        let during = |told: Option<(DateTime<Utc>, DateTime<Utc>)>| {
            told.filter(|(since, until)| asked.at > *since + ON_ITS_WAY && asked.at < *until).map(|(_, until)| until)
        };
        let mut wrong = Vec::new();
        wrong.extend(during(self.told).map(|until| format!("told to wait until {until}")));
        wrong.extend(during(self.spent).map(|until| format!("no request was left until {until}")));
        let signing_in = asked.path.ends_with("/access_tokens");
        if !matches!(asked.method, "GET" | "HEAD") && !signing_in {
            wrong.extend(self.change(asked));
        }
        wrong
    }

    fn change(&mut self, asked: Asked<'_>) -> Vec<String> {
        let mut wrong = Vec::new();
        let apart = self.changed.replace(asked.at).map(|before| asked.at - before);
        if let Some(apart) = apart.filter(|apart| *apart < BETWEEN_CHANGES - TOLERANCE) {
            wrong.push(format!("a change {} ms after another, not 1 s", apart.num_milliseconds()));
        }
        if asked.method == "DELETE" || asked.path.starts_with("/app/") {
            return wrong;
        }
        self.content.push_back(asked.at);
        while self.content.front().is_some_and(|first| asked.at - *first >= TimeDelta::hours(1)) {
            self.content.pop_front();
        }
        let minute = self.content.iter().rev().take_while(|one| asked.at - **one < TimeDelta::minutes(1)).count();
        if minute > CONTENT_A_MINUTE {
            wrong.push(format!("{minute} requests that make content within a minute, not {CONTENT_A_MINUTE}"));
        }
        if self.content.len() > CONTENT_AN_HOUR {
            wrong.push(format!("{} requests that make content within an hour, not {CONTENT_AN_HOUR}", self.content.len()));
        }
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::milliseconds(milliseconds)
    }

    fn asked(method: &'static str, milliseconds: i64) -> Asked<'static> {
        Asked { who: "ann", method, path: "/repos/a/b/issues/1/comments", at: at(milliseconds) }
    }

    fn after(asks: &[Asked<'_>]) -> Vec<String> {
        let mut limits = Limits::default();
        for one in asks {
            limits.arrived(*one);
        }
        limits.violations.into_iter().map(|one| one.why).collect()
    }

    #[test]
    fn changes_are_a_second_apart_and_reading_is_free() {
        let none: [&str; 0] = [];
        assert_eq!(after(&[asked("POST", 0), asked("GET", 1), asked("PATCH", 900)]), none);
        assert_eq!(after(&[asked("POST", 0), asked("DELETE", 899)]), ["a change 899 ms after another, not 1 s"]);
        let other = Asked { who: "bob", ..asked("POST", 1) };
        assert_eq!(after(&[asked("POST", 0), other]), none, "each for itself");
        let token = Asked { path: "/app/installations/7/access_tokens", ..asked("POST", 1) };
        assert_eq!(after(&[asked("POST", 0), token]), none, "signing in is no change");
    }

    #[test]
    fn content_has_a_limit_for_a_minute_and_for_an_hour() {
        let minute: Vec<_> = (0..81).map(|index| asked("POST", index * 730)).collect();
        assert_eq!(after(&minute).iter().filter(|why| why.contains("within a minute")).count(), 1);
        let spread: Vec<_> = (0..501).map(|index| asked("POST", index * 7_000)).collect();
        assert_eq!(after(&spread), ["501 requests that make content within an hour, not 500"]);
        let slow: Vec<_> = (0..1_000).map(|index| asked("POST", index * 7_200)).collect();
        assert_eq!(after(&slow), [""; 0]);
    }

    #[test]
    fn who_is_told_to_wait_waits() {
        let told = [("retry-after".to_owned(), "60".to_owned())];
        for (milliseconds, violations) in [(200, 0), (1_000, 1), (59_999, 1), (60_000, 0)] {
            let mut limits = Limits::default();
            limits.answered("ann", at(0), &told);
            limits.arrived(asked("GET", milliseconds));
            assert_eq!(limits.violations.len(), violations, "after {milliseconds} ms");
        }
    }

    #[test]
    fn who_has_no_request_left_asks_only_for_the_limit() {
        let spent = [("x-ratelimit-remaining".to_owned(), "0".to_owned()), ("x-ratelimit-reset".to_owned(), "3600".to_owned())];
        let mut limits = Limits::default();
        limits.answered("ann", at(0), &spent);
        limits.arrived(Asked { path: "/rate_limit", ..asked("GET", 5_000) });
        assert_eq!(limits.violations, []);
        limits.arrived(asked("GET", 5_000));
        limits.arrived(asked("GET", 3_600_000));
        assert_eq!(limits.violations.len(), 1);
    }
}
