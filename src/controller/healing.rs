//! How often an environment is mended that others change. What somebody deleted comes back at once; where something takes
//! it away again and again, the pauses double. No client, no clock, no logging.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

const FIRST: TimeDelta = TimeDelta::seconds(5);
const LONGEST: TimeDelta = TimeDelta::minutes(10);

/// The last time that each environment was mended.
#[derive(Debug, Default)]
pub struct Healing {
    mended: Mutex<HashMap<String, Mended>>,
}

#[derive(Clone, Copy, Debug)]
struct Mended {
    at: DateTime<Utc>,
    pause: TimeDelta,
}

impl Healing {
    fn lock<T>(&self, work: impl FnOnce(&mut HashMap<String, Mended>) -> T) -> T {
        work(&mut self.mended.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How long an environment that needs mending has to wait for it; nothing where it may be mended now.
    pub fn wait(&self, uid: &str, now: DateTime<Utc>) -> Option<Duration> {
        let last = self.lock(|all| all.get(uid).copied())?;
        (last.at + last.pause - now).to_std().ok().filter(|left| !left.is_zero())
    }

    /// Records that it is mended now.
    pub fn mended(&self, uid: &str, now: DateTime<Utc>) {
        self.lock(|all| {
            let again = all.get(uid).filter(|last| now < last.at + last.pause * 2);
            let pause = again.map_or(FIRST, |last| (last.pause * 2).min(LONGEST));
            all.insert(uid.to_owned(), Mended { at: now, pause });
        });
    }

    /// Forgets an environment that is gone.
    pub fn forget(&self, uid: &str) {
        self.lock(|all| all.remove(uid));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_time_is_at_once_and_the_next_ones_wait_longer_each_time() {
        let (healing, mut now) = (Healing::default(), DateTime::UNIX_EPOCH);
        let mut waits = Vec::new();
        for _ in 0..9 {
            let wait = healing.wait("u", now).unwrap_or_default();
            waits.push(wait.as_secs());
            now += TimeDelta::from_std(wait).unwrap();
            healing.mended("u", now);
        }
        assert_eq!(waits, [0, 5, 10, 20, 40, 80, 160, 320, 600]);
        assert_eq!(healing.wait("u", now + TimeDelta::minutes(11)), None);
        healing.mended("u", now + TimeDelta::hours(1));
        assert_eq!(healing.wait("u", now + TimeDelta::hours(1)), Some(Duration::from_secs(5)), "it was quiet for long");
    }
}
