//! How fast a forge may be asked on behalf of one account: its own word on what is left and when to come again, and the
//! limits on writes that it publishes. No client, no clock, no logging: every question brings the time.
//!
//! A forge tells what is left of all requests and nothing of writes, so a new term goes on from what the one before counted
//! (`spent`).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How late somebody may come to the time that he was told, and still be waited for. A refusal is told in whole seconds.
const GRACE: Duration = Duration::from_secs(2);
/// A place is kept for those whose turn comes within that time. Whoever has to wait longer comes again, and is let in by
/// whoever knows then what matters most: places of hundreds that are held for an hour would keep everybody from writing.
const LINE: Duration = Duration::from_secs(10);
/// How long somebody who did not come keeps his place in the order.
const FORGOTTEN: Duration = Duration::from_secs(600);

/// The part of an hour's writes that each has for sure, and the most that one gets once half of them are used: a twentieth, so that
/// whoever makes us write without an end leaves room for others.
const SHARES: usize = 20;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

/// What a forge allows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Between two writes.
    pub apart: Duration,
    /// Most writes within any minute.
    pub per_minute: usize,
    /// Most writes within any hour.
    pub per_hour: usize,
    /// Requests that writes leave to reads: who may do what, and whether a pull request is closed, matters more than a
    /// comment.
    pub reserve: u64,
}

impl Limits {
    /// GitHub's for each installation of an App and each account: "Best practices for using the REST API", "Pause between
    /// mutative requests", and "Rate limits for the REST API", "About secondary rate limits". The reserve is ours.
    pub const GITHUB: Self = Self { apart: Duration::from_secs(1), per_minute: 80, per_hour: 500, reserve: 100 };

    /// None of ours: for a GitHub Enterprise Server, whose limits are off unless its administrator turned them on. What an answer
    /// says of limits counts all the same.
    pub const NONE: Self = Self { apart: Duration::ZERO, per_minute: usize::MAX, per_hour: usize::MAX, reserve: 0 };

    fn windows(&self) -> [(usize, Duration); 3] {
        [(1, self.apart), (self.per_minute, MINUTE), (self.per_hour, HOUR)]
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind<'a> {
    /// A request that changes nothing.
    Read,
    /// A request that changes something.
    Write {
        /// Whose it is, such as a pull request: between these it is fair.
        of: &'a str,
    },
}

/// What an answer says of the limits.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Heard {
    /// Nothing may be asked for so long.
    pub wait: Option<Duration>,
    /// What is left.
    pub quota: Option<Quota>,
}

/// What is left of all requests.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Quota {
    /// So many requests.
    pub left: u64,
    /// Until it is full again.
    pub renewed_in: Duration,
}

/// How things stand, for metrics.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Standing {
    /// Requests that are left, where the forge said so.
    pub requests: Option<u64>,
    /// Writes that are left in this hour.
    pub writes: u64,
    /// How many wait for a write.
    pub waiting: u64,
}

/// The limits of one account, and what was used of them.
#[derive(Clone, Debug)]
pub struct Pace {
    limits: Limits,
    /// When each write of the last hour was allowed.
    writes: VecDeque<Instant>,
    /// Whose they were, as far as that is known: not of what was written in an earlier term.
    writers: VecDeque<(Instant, String)>,
    quota: Option<(u64, Instant)>,
    closed_until: Option<Instant>,
    /// Who waits longest stands first.
    waiting: Vec<Waiter>,
}

#[derive(Clone, Debug)]
struct Waiter {
    of: String,
    /// When he was told to come.
    at: Instant,
}

impl Pace {
    /// Nothing was asked yet.
    pub const fn new(limits: Limits) -> Self {
        Self { limits, writes: VecDeque::new(), writers: VecDeque::new(), quota: None, closed_until: None, waiting: Vec::new() }
    }

    /// The same after those writes, the oldest first.
    pub fn after_writes(self, writes: VecDeque<Instant>) -> Self {
        Self { writes, ..self }
    }

    /// Whether it may be sent now, which then counts as sent, or how long to wait before asking again. Whoever has to wait
    /// keeps his place: nobody who came later gets a write before him, unless he stays away when his time has come.
    pub fn ask(&mut self, now: Instant, kind: Kind<'_>) -> Result<(), Duration> {
        self.expire(now);
        let at = match kind {
            Kind::Read => self.open_at(now, 1),
            Kind::Write { of } => self.turn(now, of),
        };
        if at > now {
            return Err(at - now);
        }
        if let Kind::Write { of } = kind {
            self.waiting.retain(|waiter| waiter.of != of);
            self.writes.push_back(now);
            self.writers.push_back((now, of.to_owned()));
        }
        if let Some((left, _)) = &mut self.quota {
            *left = left.saturating_sub(1);
        }
        Ok(())
    }

    /// Takes note of what an answer said.
    pub fn learn(&mut self, now: Instant, heard: Heard) {
        if let Some(wait) = heard.wait {
            self.closed_until = self.closed_until.max(Some(now + wait));
        }
        if let Some(quota) = heard.quota {
            self.quota = Some((quota.left, now + quota.renewed_in));
        }
        // Nobody comes too late to a time at which nothing was open.
        let open = self.open_at(now, self.limits.reserve + 1);
        if open > now {
            self.waiting.iter_mut().for_each(|waiter| waiter.at = waiter.at.max(open));
        }
    }

    /// How things stand.
    pub fn standing(&mut self, now: Instant) -> Standing {
        self.expire(now);
        let count = |many: usize| u64::try_from(many).unwrap_or(u64::MAX);
        Standing {
            requests: self.quota.map(|(left, _)| left),
            writes: count(self.limits.per_hour.saturating_sub(self.writes.len())),
            waiting: count(self.waiting.iter().filter(|waiter| waiter.is_expected(now)).count()),
        }
    }

    fn expire(&mut self, now: Instant) {
        while self.writes.front().is_some_and(|at| now >= *at + HOUR) {
            self.writes.pop_front();
        }
        while self.writers.front().is_some_and(|(at, _)| now >= *at + HOUR) {
            self.writers.pop_front();
        }
        self.quota.take_if(|(_, renewed)| now >= *renewed);
        self.waiting.retain(|waiter| now < waiter.at + FORGOTTEN);
    }

    /// Whether it has to wait for itself alone: others may write while it waits.
    pub fn had_its_share(&self, now: Instant, kind: Kind<'_>) -> bool {
        matches!(kind, Kind::Write { of } if self.share_at(now, of) > now)
    }

    /// When that one may write again who had his share of the hour; now for whoever had less. Half of the hour's writes are for
    /// whoever comes, and of the rest each has his share.
    fn share_at(&self, now: Instant, of: &str) -> Instant {
        let own: Vec<Instant> = self.writers.iter().filter(|(_, who)| who == of).map(|(at, _)| *at).collect();
        let (half, share) = (self.limits.per_hour / 2, (self.limits.per_hour / SHARES).max(1));
        // When fewer than so many of them are within the hour.
        let own_fewer = own.len().checked_sub(share).map(|index| own[index] + HOUR);
        let all_fewer = self.writes.len().checked_sub(half).and_then(|index| self.writes.get(index)).map(|at| *at + HOUR);
        own_fewer.zip(all_fewer).map_or(now, |(own, all)| own.min(all).max(now))
    }

    /// When the next write of that one may be sent. He waits for it, if it is not now.
    fn turn(&mut self, now: Instant, of: &str) -> Instant {
        let place = self.waiting.iter().position(|waiter| waiter.of == of);
        let before = &self.waiting[..place.unwrap_or(self.waiting.len())];
        let at = self.slot(now, before.iter().filter(|waiter| waiter.is_expected(now)).count());
        let share = self.share_at(now, of);
        if share > now {
            // Whoever had his share stands in nobody's way.
            self.waiting.retain(|waiter| waiter.of != of);
            return at.max(share);
        }
        match place {
            Some(place) => self.waiting[place].at = at,
            None if at > now && at <= now + LINE => self.waiting.push(Waiter { of: of.to_owned(), at }),
            None => {}
        }
        at
    }

    /// When a write may be sent that comes after so many others, if those are sent as early as they may.
    fn slot(&self, now: Instant, ahead: usize) -> Instant {
        let open = self.open_at(now, self.limits.reserve + 1);
        let mut writes = self.writes.clone();
        for _ in 0..ahead {
            writes.push_back(self.after(&writes, open));
        }
        self.after(&writes, open)
    }

    /// The earliest time from `open` on that no window of writes forbids.
    fn after(&self, writes: &VecDeque<Instant>, open: Instant) -> Instant {
        let ends = |(most, window): (usize, Duration)| Some(*writes.get(writes.len().checked_sub(most)?)? + window);
        self.limits.windows().into_iter().filter_map(ends).fold(open, Instant::max)
    }

    /// When a request may be sent that needs so many to be left.
    fn open_at(&self, now: Instant, needed: u64) -> Instant {
        let renewed = self.quota.filter(|(left, _)| *left < needed).map(|(_, renewed)| renewed);
        renewed.max(self.closed_until).map_or(now, |at| at.max(now))
    }
}

impl Waiter {
    fn is_expected(&self, now: Instant) -> bool {
        now <= self.at + GRACE
    }
}

#[cfg(test)]
mod tests;
