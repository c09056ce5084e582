//! When each environment was asked last, and what: every record of an answer comes back as a change, and what answers otherwise
//! each time must not be asked at that pace. No client, no clock, no logging.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The last question to each environment, by its UID, and when it was asked.
#[derive(Debug, Default)]
pub(super) struct Asked(Mutex<HashMap<String, (String, Instant)>>);

impl Asked {
    /// How long an environment has to be left alone before the same question is asked again; none, where it is asked now.
    pub(super) fn rest(&self, uid: &str, question: &str, pause: Duration, now: Instant) -> Option<Duration> {
        let mut asked = self.lock();
        match asked.get(uid) {
            Some((before, at)) if before == question && now < *at + pause => Some(*at + pause - now),
            _ => {
                asked.insert(uid.to_owned(), (question.to_owned(), now));
                None
            }
        }
    }

    /// Forgets an environment that is gone.
    pub(super) fn forget(&self, uid: &str) {
        self.lock().remove(uid);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, (String, Instant)>> {
        // What is in it is whole after every use, so one that panicked elsewhere harms nobody.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(5);

    #[test]
    fn the_same_question_rests_and_another_one_does_not() {
        let (asked, start) = (Asked::default(), Instant::now());
        let second = Duration::from_secs(1);
        for (uid, question, after, rests) in [
            ("a", "commit 1", 0, None),
            ("a", "commit 1", 1, Some(4)),
            ("b", "commit 1", 1, None),
            ("a", "commit 2", 2, None),
            ("a", "commit 2", 3, Some(4)),
            ("a", "commit 1", 3, None),
            ("a", "commit 1", 8, None),
            ("a", "commit 1", 9, Some(4)),
        ] {
            let rest = asked.rest(uid, question, PAUSE, start + after * second);
            assert_eq!(rest.map(|rest| rest.as_secs()), rests, "{uid} {question} after {after} s");
        }
    }

    #[test]
    fn whoever_comes_while_it_rests_does_not_put_it_off() {
        let (asked, start) = (Asked::default(), Instant::now());
        asked.rest("a", "commit 1", PAUSE, start);
        for millis in [1_000, 2_000, 4_999] {
            assert!(asked.rest("a", "commit 1", PAUSE, start + Duration::from_millis(millis)).is_some());
        }
        assert_eq!(asked.rest("a", "commit 1", PAUSE, start + PAUSE), None);
    }

    #[test]
    fn one_that_was_forgotten_is_asked_at_once() {
        let (asked, now) = (Asked::default(), Instant::now());
        asked.rest("a", "commit 1", PAUSE, now);
        asked.forget("a");
        assert_eq!(asked.rest("a", "commit 1", PAUSE, now), None);
    }
}
