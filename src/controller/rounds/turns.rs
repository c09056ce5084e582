//! Whose turn it is to be looked over. No client, no logging, and by the clock that is given.
//!
//! An environment has its turn once in a round at most. All of them together may cost a hundred requests in that time; with
//! more than these the round takes longer, and whoever was looked over longest ago is the next.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;

/// Requests in the time of a round, over all environments: one in three seconds with the round of five minutes.
const REQUESTS: u32 = 100;
/// As many of them may be made ahead of their time for who is hurried.
const AHEAD: u32 = 20;
/// Part of a round that lies between two looks at one that is hurried again and again.
const PART: u32 = 20;

/// The turns of all environments.
#[derive(Debug)]
pub(super) struct Turns {
    /// How long a round takes at least.
    every: Duration,
    /// When each environment was last looked over, or first met, by its UID.
    last: HashMap<String, Instant>,
    /// When what was asked so far is paid for.
    free_at: Instant,
    /// Whether the last turn was that of one that was hurried.
    was_hurried: bool,
}

impl Turns {
    pub(super) fn new(every: Duration, now: Instant) -> Self {
        Self { every, last: HashMap::new(), free_at: now, was_hurried: false }
    }

    /// The UID of the environment whose turn it is among those that are there, if it is the time for any. Who is hurried comes
    /// first, but not twice in a row where others wait.
    pub(super) fn next<'a>(&mut self, there: impl Iterator<Item = &'a str>, hurried: &HashSet<String>, now: Instant) -> Option<String> {
        if now < self.free_at && hurried.is_empty() {
            return None;
        }
        self.meet(there, now);
        let usual = self.longest_ago(self.every, now, |_| true);
        let may_hurry = now + self.cost(AHEAD) >= self.free_at && !(self.was_hurried && usual.is_some());
        if let Some(uid) = self.longest_ago(self.every / PART, now, |uid| may_hurry && hurried.contains(uid)) {
            self.was_hurried = true;
            return Some(uid);
        }
        let uid = usual.filter(|_| now >= self.free_at)?;
        self.was_hurried = false;
        Some(uid)
    }

    /// An environment was looked over with so many requests.
    pub(super) fn looked(&mut self, uid: String, requests: u32, now: Instant) {
        self.free_at = self.free_at.max(now) + self.cost(requests);
        self.last.insert(uid, now);
    }

    fn cost(&self, requests: u32) -> Duration {
        self.every / REQUESTS * requests
    }

    fn meet<'a>(&mut self, there: impl Iterator<Item = &'a str>, now: Instant) {
        let there: HashSet<&str> = there.collect();
        self.last.retain(|uid, _| there.contains(uid.as_str()));
        for uid in there {
            if !self.last.contains_key(uid) {
                self.last.insert(uid.to_owned(), now);
            }
        }
    }

    fn longest_ago(&self, pause: Duration, now: Instant, fits: impl Fn(&str) -> bool) -> Option<String> {
        let due = self.last.iter().filter(|(uid, last)| now.duration_since(**last) >= pause && fits(uid));
        due.min_by_key(|(uid, last)| (**last, *uid)).map(|(uid, _)| uid.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUND: Duration = Duration::from_secs(300);

    /// Goes on for so many seconds, each look costing `requests`, and gives who was looked over at which second.
    fn looks(count: usize, requests: u32, seconds: u64, hurried: impl Fn(u64) -> Vec<&'static str>) -> Vec<(u64, String)> {
        let uids: Vec<String> = (0..count).map(|n| format!("u-{n:04}")).collect();
        let start = Instant::now();
        let mut turns = Turns::new(ROUND, start);
        let mut looks = Vec::new();
        for second in 0..seconds {
            let now = start + Duration::from_secs(second);
            let hurried = hurried(second).into_iter().map(str::to_owned).collect();
            if let Some(uid) = turns.next(uids.iter().map(String::as_str), &hurried, now) {
                turns.looked(uid.clone(), requests, now);
                looks.push((second, uid));
            }
        }
        looks
    }

    #[test]
    fn a_few_have_their_turn_once_a_round_and_nobody_in_the_first_one() {
        let seconds: Vec<u64> = looks(2, 7, 1_000, |_| vec![]).into_iter().map(|(second, _)| second).collect();
        assert_eq!(seconds, [300, 321, 600, 621, 900, 921]);
    }

    #[test]
    fn however_many_there_are_all_of_them_cost_a_hundred_requests_a_round() {
        let looks = looks(1_000, 7, 24 * 3_600, |_| vec![]);
        let in_a_round = |from: u64| looks.iter().filter(|(second, _)| (from..from + ROUND.as_secs()).contains(second)).count();
        assert!((0..24 * 3_600).step_by(60).all(|from| in_a_round(from) * 7 <= 100 + 7));
        let first: HashSet<&String> = looks.iter().take(1_000).map(|(_, uid)| uid).collect();
        assert_eq!(first.len(), 1_000, "each has its turn before any has a second one");
    }

    #[test]
    fn who_is_hurried_comes_at_once_and_no_one_else_has_to_wait_for_it_for_ever() {
        let all = looks(100, 7, 3_600, |second| if second > 1_000 { vec!["u-0000", "u-0001"] } else { vec![] });
        let (second, uid) = all.iter().find(|(second, _)| *second > 1_000).unwrap();
        assert!(*second <= 1_021 && uid.as_str() < "u-0002", "{second} {uid}");
        let later: Vec<&String> = all.iter().filter(|(second, _)| *second > 1_000).map(|(_, uid)| uid).collect();
        let others = later.iter().filter(|uid| uid.as_str() >= "u-0002").count();
        assert!(others * 2 + 1 >= later.len(), "{others} of {}", later.len());
        assert!(later.len() * 7 <= 2_600 / 3 + 20 + 7, "it costs no more: {}", later.len());
    }

    #[test]
    fn one_that_is_hurried_all_the_time_is_looked_over_twenty_times_a_round_at_most() {
        let seconds: Vec<u64> = looks(1, 1, 1_200, |_| vec!["u-0000"]).into_iter().map(|(second, _)| second).collect();
        assert!(seconds.len() > 60 && seconds.windows(2).all(|pair| pair[1] - pair[0] >= 15), "{seconds:?}");
    }
}
