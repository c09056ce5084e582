//! How many signs and words are spent on comments of whoever may not command. No client, no clock, no logging.
//!
//! A forge takes few writes, and anybody can comment. So such a comment gets a sign, and words in the comment of the pull request,
//! only now and then, over all repositories, and what gets none is not made up for.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

/// Signs within [`WINDOW`]: 30 an hour and as many edits of comments, of the 500 writes that GitHub takes of an account.
const SPARED: usize = 5;
const WINDOW: TimeDelta = TimeDelta::minutes(10);

/// The signs that were spared lately.
#[derive(Debug, Default)]
pub struct Signs {
    given: Mutex<VecDeque<DateTime<Utc>>>,
}

impl Signs {
    /// Whether there is one to spare now, which then counts as given.
    pub fn spare(&self, now: DateTime<Utc>) -> bool {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        given.retain(|at| now - *at < WINDOW);
        let is_spared = given.len() < SPARED;
        if is_spared {
            given.push_back(now);
        }
        is_spared
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_gets_five_signs_in_ten_minutes() {
        let (signs, start) = (Signs::default(), DateTime::from_timestamp(1_800_000_000, 0).unwrap());
        let spared = (0..3_600).filter(|second| signs.spare(start + TimeDelta::seconds(*second))).count();
        assert_eq!(spared, 30, "of 3,600 within an hour");
    }
}
