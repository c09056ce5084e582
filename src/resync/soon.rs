//! Repositories in which something seems to have ended, until they are looked at. A stranger can have that seem so as often as
//! they open and close a pull request, so each is looked at once a minute at most; what is named meanwhile waits for that.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::api::baseline::ForgeKind;

/// The least time between two looks at one repository, beside those that come at their time.
const APART: Duration = Duration::from_secs(60);

/// A repository: its forge, and its number there.
pub type Place = (ForgeKind, i64);

/// What is to be looked at soon.
#[derive(Default)]
pub struct Soon {
    places: Mutex<Places>,
    named: Notify,
}

#[derive(Default)]
struct Places {
    wanted: HashSet<Place>,
    /// When those were given out that are not to be again yet.
    given: HashMap<Place, Instant>,
}

impl Soon {
    /// Has a repository looked at: at once, or a minute after it was last.
    pub fn look_at(&self, place: Place) {
        self.lock().wanted.insert(place);
        self.named.notify_one();
    }

    /// Waits for those whose turn it is. What is not given out yet stays, also where nobody waits any more.
    pub async fn due(&self) -> HashSet<Place> {
        loop {
            let next = {
                let mut places = self.lock();
                let due = places.take(Instant::now());
                if !due.is_empty() {
                    return due;
                }
                places.next()
            };
            match next {
                None => self.named.notified().await,
                Some(at) => tokio::select! {
                    () = self.named.notified() => {}
                    () = sleep_until(at) => {}
                },
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Places {
    fn take(&mut self, now: Instant) -> HashSet<Place> {
        self.given.retain(|_, at| now.saturating_duration_since(*at) < APART);
        let due: HashSet<Place> = self.wanted.iter().filter(|place| !self.given.contains_key(place)).copied().collect();
        self.wanted.retain(|place| !due.contains(place));
        self.given.extend(due.iter().map(|place| (*place, now)));
        due
    }

    /// When the next one may be given out.
    fn next(&self) -> Option<Instant> {
        self.wanted.iter().filter_map(|place| self.given.get(place)).min().map(|at| *at + APART)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::{advance, timeout};

    const WEB: Place = (ForgeKind::Github, 7);
    const API: Place = (ForgeKind::Github, 8);

    #[tokio::test(start_paused = true)]
    async fn however_often_one_is_named_it_is_looked_at_once_a_minute_and_the_last_time_is_not_lost() {
        let (soon, began) = (Soon::default(), Instant::now());
        for _ in 0..160 {
            soon.look_at(WEB);
        }
        assert_eq!(soon.due().await, HashSet::from([WEB]));
        assert_eq!(began.elapsed(), Duration::ZERO, "the first time at once");
        advance(Duration::from_secs(20)).await;
        soon.look_at(WEB);
        soon.look_at(API);
        assert_eq!((soon.due().await, began.elapsed().as_secs()), (HashSet::from([API]), 20), "one does not wait for another");
        assert!(timeout(Duration::from_secs(10), soon.due()).await.is_err());
        assert_eq!(soon.due().await, HashSet::from([WEB]), "nor is it lost where the one who waited went away");
        assert_eq!(began.elapsed().as_secs(), 60);
        assert!(timeout(Duration::from_secs(3_600), soon.due()).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_named_while_somebody_waits_is_given_out() {
        let soon = Soon::default();
        let (due, ()) = tokio::join!(soon.due(), async {
            tokio::task::yield_now().await;
            soon.look_at(API);
        });
        assert_eq!(due, HashSet::from([API]));
    }
}
