//! Which environment is to be asked, and what its answer means. No client, no clock, no logging.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::ask::NoAnswer;
use crate::api::PreviewEnvironment;
use crate::api::baseline::Probe;
use crate::api::conditions::{READY, find, is_true};
use crate::api::status::ProbeStatus;

/// Shortest and longest pause between two questions.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));
/// A question comes again after that part of the time since the first.
const PART: i32 = 4;

/// A question that is due.
#[derive(Debug, PartialEq)]
pub(crate) struct Due {
    /// The whole address.
    pub(super) address: String,
    /// The commit that runs.
    revision: Option<String>,
    /// The status that is right; any good one, where there is none.
    expected: Option<i32>,
    /// Since when the environment is ready.
    pub(super) since: DateTime<Utc>,
    /// What it said before, of the same address and commit.
    before: Option<ProbeStatus>,
}

/// What is to be asked: an environment that is ready, has an address, and did not answer yet as it runs now.
pub(crate) fn due(object: &PreviewEnvironment, rule: &Probe) -> Option<Due> {
    let status = object.status.as_ref().filter(|s| is_true(&s.conditions, READY))?;
    let since = find(&status.conditions, READY)?.last_transition_time;
    let address = format!("{}{}", status.urls.first()?.url.trim_end_matches('/'), rule.path.as_deref().unwrap_or("/"));
    let same = |probe: &&ProbeStatus| probe.url == address && probe.revision == status.revision;
    let before = status.probe.as_ref().filter(same).cloned();
    let asks = before.as_ref().is_none_or(|probe| !probe.answered) && object.metadata.deletion_timestamp.is_none();
    let (revision, expected) = (status.revision.clone(), rule.status);
    asks.then_some(Due { address, revision, expected, since, before })
}

/// How long after a question in vain the next one comes, by the time since the environment is ready: often at first, and
/// every five minutes in the end, since a record or a certificate may take its time.
pub(super) fn pause(waited: TimeDelta) -> Duration {
    (waited / PART).to_std().unwrap_or_default().clamp(PAUSES.0, PAUSES.1)
}

impl Due {
    /// What tells one question from another.
    pub(super) fn question(&self) -> String {
        format!("{} at {}", self.address, self.revision.as_deref().unwrap_or_default())
    }

    /// What is recorded of an answer.
    pub(crate) fn status(&self, answer: &Result<u16, NoAnswer>, now: DateTime<Utc>) -> ProbeStatus {
        let (code, why) = match answer {
            Ok(code) => (Some(i32::from(*code)), self.complaint(i32::from(*code))),
            Err(NoAnswer::Unasked(why) | NoAnswer::Failed(why)) => (None, Some(why.clone())),
        };
        let answered = why.is_none();
        let before = self.before.as_ref().filter(|probe| probe.answered == answered);
        let since = before.map_or(now, |probe| probe.since);
        ProbeStatus { url: self.address.clone(), revision: self.revision.clone(), status: code, answered, why, since }
    }

    /// What is wrong with a status.
    fn complaint(&self, code: i32) -> Option<String> {
        let good = match self.expected {
            Some(expected) => code == expected,
            None => matches!(code, 200..=399 | 401 | 403),
        };
        let mend = "where that is right, name it in hosts.probe.status, or another path in hosts.probe.path";
        (!good).then(|| format!("{} answers {code}; {mend}", self.address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(ready: &str, probe: &serde_json::Value) -> PreviewEnvironment {
        let condition = |status| json!({"type": "Ready", "status": status, "reason": "x", "lastTransitionTime": "2026-01-02T03:04:05Z"});
        serde_json::from_value(json!({
            "apiVersion": "preview-env.dev/v1alpha1", "kind": "PreviewEnvironment",
            "metadata": {"name": "web-pr-42", "namespace": "shop"}, "spec": {"baseline": "main"},
            "status": {"revision": "abc", "urls": [{"host": "w.example.com", "url": "https://w.example.com"}],
                       "conditions": [condition(ready)], "probe": probe},
        }))
        .unwrap()
    }

    fn said(revision: &str, answered: bool) -> serde_json::Value {
        json!({"url": "https://w.example.com/", "revision": revision, "answered": answered, "since": "2026-01-02T03:05:00Z"})
    }

    fn now() -> DateTime<Utc> {
        "2026-01-02T03:06:00Z".parse().unwrap()
    }

    #[test]
    fn an_environment_is_asked_once_it_is_ready_and_until_it_answers() {
        for (ready, probe, asked) in [
            ("True", json!(null), true),
            ("False", json!(null), false),
            ("True", said("abc", true), false),
            ("True", said("abc", false), true),
            ("True", said("older", true), true),
        ] {
            assert_eq!(due(&object(ready, &probe), &Probe::default()).is_some(), asked, "{ready} {probe}");
        }
    }

    #[test]
    fn a_status_is_good_or_it_is_said_how_to_make_it_count() {
        let due_by = |rule: &Probe| due(&object("True", &json!(null)), rule).unwrap();
        for code in [200, 204, 302, 401, 403] {
            assert!(due_by(&Probe::default()).status(&Ok(code), now()).answered, "{code}");
        }
        for code in [404, 500, 503] {
            let status = due_by(&Probe::default()).status(&Ok(code), now());
            assert!(!status.answered && status.why.unwrap().contains("hosts.probe.status"), "{code}");
        }
        let rule = Probe { path: Some("/healthz".into()), status: Some(404) };
        let due = due_by(&rule);
        assert_eq!(due.address, "https://w.example.com/healthz");
        assert!(due.status(&Ok(404), now()).answered && !due.status(&Ok(200), now()).answered);
    }

    #[test]
    fn the_first_time_stays_while_the_answer_does() {
        let again = due(&object("True", &said("abc", false)), &Probe::default()).unwrap();
        assert_eq!(again.status(&Ok(503), now()).since.to_rfc3339(), "2026-01-02T03:05:00+00:00");
        assert_eq!(again.status(&Ok(200), now()).since, now());
    }

    #[test]
    fn pauses_grow_with_the_time_waited() {
        for (waited, paused) in [(0, 1), (20, 5), (400, 100), (1_000_000, 300), (-5, 1)] {
            assert_eq!(pause(TimeDelta::seconds(waited)).as_secs(), paused, "{waited}");
        }
    }
}
