//! The API server's time, as its answers tell it: what it and the forge stamp is compared with that and never with this
//! machine's clock, which may be hours off. No logging.
//!
//! Between two answers this machine's monotonic clock counts on, so a wall clock that is set changes nothing. Go's HTTP
//! server, and with it every API server, dates each answer to the second (RFC 9110, 6.6.1).

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use http::header::{DATE, HeaderMap};
use kube::client::{ClientBuilder, DynBody};
use kube::{Client, Config};
use tower::util::MapResponseLayer;

/// A difference above this is believed once answers agree on it for [`AGREED`]: one of several API servers, or a proxy, may
/// have a wrong clock, and what has expired does not come back.
const JUMP: TimeDelta = TimeDelta::minutes(5);
/// How long answers have to agree.
pub const AGREED: Duration = Duration::from_secs(30);
/// Differences up to this are the way of an answer and its whole seconds.
const TOLERANCE: TimeDelta = TimeDelta::seconds(2);

/// So much later than the present may something be dated that is recorded: no further are the clocks of people, forge and API
/// server apart. What is dated later would stand over everything that comes until then.
pub const AHEAD: TimeDelta = TimeDelta::minutes(1);

/// The API server's clock.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    heard: Arc<Mutex<Times>>,
}

/// The time that counts, and one that does not yet.
#[derive(Clone, Copy, Debug, Default)]
struct Times {
    counts: Option<Heard>,
    doubted: Option<Heard>,
    /// Whether something else than one answer says so too.
    sure: bool,
}

/// A time that an answer named, and when that was.
#[derive(Clone, Copy, Debug)]
struct Heard {
    date: DateTime<Utc>,
    at: Instant,
}

impl Heard {
    /// How far it is from what another answer had said.
    fn off(self, from: Self) -> TimeDelta {
        (self.date - from.time_at(self.at)).abs()
    }

    fn time_at(self, at: Instant) -> DateTime<Utc> {
        let since = at.checked_duration_since(self.at).unwrap_or(Duration::ZERO);
        TimeDelta::from_std(since).ok().and_then(|since| self.date.checked_add_signed(since)).unwrap_or(self.date)
    }
}

impl Times {
    /// `here` is this machine's time.
    fn hear(&mut self, new: Heard, here: DateTime<Utc>) {
        if !self.sure {
            return self.hear_first(new, here);
        }
        let off = |from: Option<Heard>| from.map(|from| new.off(from));
        match off(self.counts) {
            Some(off) if off <= TOLERANCE => self.doubted = None,
            Some(jump) if jump > JUMP => match self.doubted.filter(|_| off(self.doubted).is_some_and(|off| off <= TOLERANCE)) {
                Some(doubted) if new.at.saturating_duration_since(doubted.at) < AGREED => {}
                Some(_) => self.count(new),
                None => self.doubted = Some(new),
            },
            _ => self.count(new),
        }
    }

    /// The last answer counts until one is near this machine's time, or until all agree for [`AGREED`].
    fn hear_first(&mut self, new: Heard, here: DateTime<Utc>) {
        let agreed = self.counts.filter(|first| new.off(*first) <= TOLERANCE);
        let is_old = |first: Heard| new.at.saturating_duration_since(first.at) >= AGREED;
        self.sure = (new.date - here).abs() <= JUMP || agreed.is_some_and(is_old);
        self.counts = agreed.or(Some(new));
    }

    fn count(&mut self, new: Heard) {
        (self.counts, self.doubted) = (Some(new), None);
    }
}

impl Clock {
    /// The API server's time; this machine's before the first answer.
    pub fn now(&self) -> DateTime<Utc> {
        self.lock(|times| times.counts.map_or_else(Utc::now, |heard| heard.time_at(Instant::now())))
    }

    /// Whether that can be relied on. One answer alone may come from a server or a proxy with a wrong clock, so it takes this
    /// machine's clock or a second answer to say so too. Until then nothing is to end for its time: what has ended is gone.
    pub fn is_sure(&self) -> bool {
        self.lock(|times| times.sure)
    }

    /// By how much that clock is ahead of the time given, which is this machine's; nothing before the first answer.
    pub fn ahead_of(&self, here: DateTime<Utc>) -> Option<TimeDelta> {
        self.lock(|times| times.counts.map(|heard| heard.time_at(Instant::now()) - here))
    }

    /// A client whose answers tell the time.
    pub fn client(&self, config: Config) -> kube::Result<Client> {
        let clock = self.clone();
        let hear = MapResponseLayer::new(move |response: http::Response<Box<DynBody>>| {
            clock.hear(response.headers(), Instant::now(), Utc::now());
            response
        });
        Ok(ClientBuilder::try_from(config)?.with_layer(&hear).build())
    }

    fn hear(&self, headers: &HeaderMap, at: Instant, here: DateTime<Utc>) {
        let Some(date) = date(headers) else { return };
        self.lock(|times| times.hear(Heard { date, at }, here));
    }

    fn lock<T>(&self, work: impl FnOnce(&mut Times) -> T) -> T {
        work(&mut self.heard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// When an answer was given, by the clock of whoever gave it.
pub fn date(headers: &HeaderMap) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc2822(headers.get(DATE)?.to_str().ok()?).ok().map(|date| date.to_utc())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// One that the API server told that time just now.
    pub(crate) fn told(date: DateTime<Utc>) -> Clock {
        let clock = Clock::default();
        clock.hear(&dated(date), Instant::now(), Utc::now());
        clock
    }

    fn dated(date: DateTime<Utc>) -> HeaderMap {
        [(DATE, date.to_rfc2822().parse().unwrap())].into_iter().collect()
    }

    fn server(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    /// What the clock says so many seconds after `start`, of which it is not asked before.
    fn said(clock: &Clock, at: Instant) -> DateTime<Utc> {
        clock.lock(|times| times.counts.unwrap().time_at(at))
    }

    #[test]
    fn before_the_first_answer_it_is_this_machines_time() {
        assert!((Clock::default().now() - Utc::now()).abs() < TimeDelta::seconds(1));
        assert_eq!(Clock::default().ahead_of(Utc::now()), None);
        let clock = Clock::default();
        clock.hear(&HeaderMap::new(), Instant::now(), Utc::now());
        assert!((clock.now() - Utc::now()).abs() < TimeDelta::seconds(1), "an answer without a date says nothing");
    }

    #[test]
    fn however_wrong_this_machines_time_is_the_answers_say_what_it_is() {
        for hours in [-2, 2, 24 * 365] {
            let clock = Clock::default();
            let true_time = Utc::now() + TimeDelta::hours(hours);
            clock.hear(&dated(true_time), Instant::now(), Utc::now());
            assert!((clock.now() - true_time).abs() <= TOLERANCE, "{hours}");
            let ahead = clock.ahead_of(Utc::now()).unwrap();
            assert!((ahead - TimeDelta::hours(hours)).abs() <= TOLERANCE, "{hours}: {ahead}");
        }
    }

    #[test]
    fn it_goes_on_between_answers_and_small_differences_do_not_move_it() {
        let (clock, start) = (Clock::default(), Instant::now());
        clock.hear(&dated(server(0)), start, server(0));
        let later = start + Duration::from_secs(100);
        assert_eq!(said(&clock, later), server(100));
        clock.hear(&dated(server(101)), later, server(100));
        assert_eq!(said(&clock, later), server(100), "a second is the way of an answer");
        clock.hear(&dated(server(161)), later, server(100));
        assert_eq!(said(&clock, later), server(161), "this machine stood still for a minute");
        assert_eq!(said(&clock, start), server(161), "time never goes back behind what was heard");
    }

    #[test]
    fn an_answer_that_is_far_off_counts_once_others_agree_with_it() {
        let (clock, start) = (Clock::default(), Instant::now());
        let hear = |clock: &Clock, ahead: i64, seconds: u64| {
            let true_seconds = i64::try_from(seconds).unwrap();
            clock.hear(&dated(server(true_seconds + ahead)), start + Duration::from_secs(seconds), server(0));
            said(clock, start + Duration::from_secs(seconds)) - server(true_seconds)
        };
        let (right, days) = (TimeDelta::zero(), 6 * 24 * 3600);
        assert_eq!(hear(&clock, 0, 0), right);
        for seconds in (1..200).step_by(2) {
            assert_eq!(hear(&clock, days, seconds), right, "one of two servers is six days ahead");
            assert_eq!(hear(&clock, 0, seconds + 1), right);
        }
        assert_eq!(hear(&clock, 3_600, 300), right);
        assert_eq!(hear(&clock, 3_600, 315), right);
        assert_eq!(hear(&clock, 3_600, 331), TimeDelta::hours(1), "this machine slept for an hour");
    }

    #[test]
    fn the_first_answer_is_sure_once_this_machine_or_another_answer_says_the_same() {
        const DAYS: i64 = 6 * 24 * 3600;
        // Of each answer: the second at which it came, and how far it was ahead; how far this machine is; when it is sure, and
        // of how much ahead.
        for (answers, here, sure_at, ahead) in [
            (vec![(0, 0)], 0, Some(0), 0),
            (vec![(0, 0)], 299, Some(0), 0),
            (vec![(0, DAYS)], 0, None, DAYS),
            (vec![(0, DAYS), (29, DAYS)], 0, None, DAYS),
            (vec![(0, DAYS), (10, 0)], 0, Some(10), 0),
            (vec![(0, 0), (15, 0), (30, 0)], DAYS, Some(30), 0),
            (vec![(0, 0), (15, DAYS), (30, 0), (45, 0)], -DAYS, None, 0),
            (vec![(0, 0), (15, DAYS), (30, 0), (60, 0)], -DAYS, Some(60), 0),
        ] {
            let (clock, start) = (Clock::default(), Instant::now());
            let mut became_sure = None;
            let mut last = start;
            for (seconds, ahead) in &answers {
                last = start + Duration::from_secs(u64::try_from(*seconds).unwrap());
                clock.hear(&dated(server(seconds + ahead)), last, server(seconds + here));
                became_sure = became_sure.or(clock.is_sure().then_some(*seconds));
            }
            assert_eq!(became_sure, sure_at, "{answers:?} here {here}");
            let true_time = server(answers.last().unwrap().0);
            assert_eq!((said(&clock, last) - true_time).num_seconds(), ahead, "{answers:?} here {here}");
        }
        assert!(!Clock::default().is_sure(), "before any answer");
    }
}
