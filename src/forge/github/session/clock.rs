//! GitHub's clock, as its answers tell it: what it signs and what it gives out ends by that clock and not by ours.

use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use hyper::HeaderMap;

use crate::forge::github::exchange;

/// Differences up to this many seconds are the way of an answer and its whole seconds.
const TOLERANCE: i64 = 2;

/// By how many seconds GitHub's clock is ahead of ours.
#[derive(Debug, Default)]
pub(super) struct Clock(AtomicI64);

impl Clock {
    /// GitHub's time.
    pub(super) fn now(&self) -> DateTime<Utc> {
        Utc::now() + TimeDelta::seconds(self.0.load(Ordering::Relaxed))
    }

    /// Takes note of the time that an answer names.
    pub(super) fn hear(&self, headers: &HeaderMap) {
        let Some(date) = exchange::date(headers) else { return };
        if (date - self.now()).num_seconds().abs() > TOLERANCE {
            self.0.store((date - Utc::now()).num_seconds(), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::DATE;

    use super::*;

    fn at(date: DateTime<Utc>) -> HeaderMap {
        [(DATE, date.to_rfc2822().parse().unwrap())].into_iter().collect()
    }

    #[test]
    fn the_difference_is_learned_and_small_ones_are_none() {
        let clock = Clock::default();
        let ahead = |clock: &Clock| (clock.now() - Utc::now()).num_minutes();
        clock.hear(&at(Utc::now() + TimeDelta::seconds(1)));
        assert_eq!(clock.0.load(Ordering::Relaxed), 0);
        clock.hear(&at(Utc::now() - TimeDelta::seconds(601)));
        assert_eq!(ahead(&clock), -10);
        clock.hear(&HeaderMap::new());
        assert_eq!(ahead(&clock), -10);
        clock.hear(&at(Utc::now()));
        assert_eq!(ahead(&clock), 0);
    }
}
