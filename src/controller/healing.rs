//! How often an environment is mended that others change. What somebody deleted comes back at once; where something takes
//! it away again and again, the pauses double. No client, no clock, no logging.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::api::conditions::{Observation, WARNING};
use crate::plan::ObjectName;

const FIRST: TimeDelta = TimeDelta::seconds(5);
const LONGEST: TimeDelta = TimeDelta::hours(1);
/// So many times in a row, and it is said that something takes it away again and again.
const A_FEW: u32 = 4;
/// As many objects are named.
const NAMED: usize = 3;

/// The last time that each environment was mended.
#[derive(Debug, Default)]
pub struct Healing {
    mended: Mutex<HashMap<String, Mended>>,
    /// How long it may take until it is noticed that something is gone: the time of a round.
    notices: TimeDelta,
}

#[derive(Clone, Debug)]
struct Mended {
    at: DateTime<Utc>,
    pause: TimeDelta,
    /// How many times in a row.
    times: u32,
    what: Vec<ObjectName>,
}

impl Healing {
    /// Nothing was mended yet. What no watch follows is noticed in so much time.
    pub fn new(round: Duration) -> Self {
        Self { mended: Mutex::default(), notices: TimeDelta::from_std(round).unwrap_or_default() }
    }

    fn lock<T>(&self, work: impl FnOnce(&mut HashMap<String, Mended>) -> T) -> T {
        work(&mut self.mended.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How long an environment that needs mending has to wait for it; nothing where it may be mended now.
    pub fn wait(&self, uid: &str, now: DateTime<Utc>) -> Option<Duration> {
        let until = self.lock(|all| all.get(uid).map(|last| last.at + last.pause))?;
        (until - now).to_std().ok().filter(|left| !left.is_zero())
    }

    /// Records what of it is mended now.
    pub fn mended(&self, uid: &str, what: Vec<ObjectName>, now: DateTime<Utc>) {
        self.lock(|all| {
            let again = all.get(uid).filter(|last| now < self.over_at(last));
            let (pause, times) = again.map_or((FIRST, 1), |last| ((last.pause * 2).min(LONGEST), last.times.saturating_add(1)));
            all.insert(uid.to_owned(), Mended { at: now, pause, times, what });
        });
    }

    /// From then on it was quiet for so long that the next time is a first one.
    fn over_at(&self, last: &Mended) -> DateTime<Utc> {
        last.at + (last.pause + self.notices) * 2
    }

    /// What is said where something takes away again and again what is put back, and when that has to be looked at again.
    pub fn trouble(&self, uid: &str, now: DateTime<Utc>) -> Option<(Observation, DateTime<Utc>)> {
        let last = self.lock(|all| all.get(uid).filter(|last| last.times >= A_FEW).cloned())?;
        let over_at = self.over_at(&last);
        let mut names: Vec<String> = last.what.iter().take(NAMED).map(ToString::to_string).collect();
        if last.what.len() > NAMED {
            names.push(format!("{} more", last.what.len() - NAMED));
        }
        let message = format!(
            "something deletes or replaces {} again and again: put back {} times, the next time after {} at the earliest",
            names.join(", "),
            last.times,
            (last.at + last.pause).format("%-d %b, %H:%M UTC")
        );
        (now < over_at).then(|| (Observation::new(WARNING, true, "TakenAway", message), over_at))
    }

    /// Forgets an environment that is gone.
    pub fn forget(&self, uid: &str) {
        self.lock(|all| all.remove(uid));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn web() -> Vec<ObjectName> {
        vec![ObjectName { api_version: "apps/v1".into(), kind: "Deployment".into(), name: "web".into() }]
    }

    #[test]
    fn the_first_time_is_at_once_and_the_next_ones_wait_longer_each_time() {
        let (healing, mut now) = (Healing::default(), DateTime::UNIX_EPOCH);
        let mut waits = Vec::new();
        for _ in 0..13 {
            let wait = healing.wait("u", now).unwrap_or_default();
            waits.push(wait.as_secs());
            now += TimeDelta::from_std(wait).unwrap();
            healing.mended("u", web(), now);
        }
        assert_eq!(waits, [0, 5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600]);
        assert_eq!(healing.wait("u", now + TimeDelta::minutes(61)), None);
        healing.mended("u", web(), now + TimeDelta::hours(3));
        assert_eq!(healing.wait("u", now + TimeDelta::hours(3)), Some(Duration::from_secs(5)), "it was quiet for long");
    }

    #[test]
    fn what_only_a_round_notices_waits_longer_each_time_too() {
        let round = TimeDelta::minutes(10);
        let (healing, mut now) = (Healing::new(round.to_std().unwrap()), DateTime::UNIX_EPOCH);
        let mut mended = 0;
        // It is deleted right after it is put back. Each round sees that, and it is put back as soon as it may be.
        while now < DateTime::UNIX_EPOCH + TimeDelta::days(1) {
            now += round + TimeDelta::from_std(healing.wait("u", now + round).unwrap_or_default()).unwrap();
            healing.mended("u", web(), now);
            mended += 1;
        }
        assert_eq!(mended, 33, "there were 144 rounds");
    }

    #[test]
    fn after_a_few_times_it_is_said_until_it_was_quiet_for_long() {
        let (healing, mut now) = (Healing::default(), DateTime::UNIX_EPOCH);
        for _ in 0..3 {
            healing.mended("u", web(), now);
            now += TimeDelta::from_std(healing.wait("u", now).unwrap()).unwrap();
        }
        assert_eq!(healing.trouble("u", now), None, "somebody tries something out");
        let four = ["a", "b", "c", "d"].map(|name| ObjectName { name: name.into(), ..web().remove(0) });
        healing.mended("u", four.to_vec(), now);
        let (said, over_at) = healing.trouble("u", now).unwrap();
        assert_eq!((said.type_, said.reason), (WARNING, "TakenAway"));
        assert_eq!(
            said.message,
            "something deletes or replaces Deployment/a, Deployment/b, Deployment/c, 1 more again and again: put back 4 times, the next \
             time after 1 Jan, 00:01 UTC at the earliest"
        );
        assert_eq!((healing.trouble("u", over_at), healing.trouble("other", now)), (None, None));
    }
}
