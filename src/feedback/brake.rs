//! How often one pull request is written to, where nothing new happens to it. No client, no clock, no logging.
//!
//! What people did, and what came of it for the first time since, is told at once. What was told before, such as a service
//! that goes up and down, is told at once a few times and then with pauses that grow. Whatever is held back is not queued:
//! the newest state is told when the pause ends.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

/// After so many deliveries within a time, the next one waits for a pause since the last, or until there are fewer.
struct Rule {
    most: usize,
    within: Duration,
    pause: Duration,
}

/// Ours: a start with a few steps is told step by step, and at most 32 deliveries of an hour tell nothing new.
const RULES: [Rule; 2] = [
    Rule { most: 6, within: Duration::from_secs(600), pause: Duration::from_secs(60) },
    Rule { most: 20, within: Duration::from_secs(3_600), pause: Duration::from_secs(300) },
];

/// What is to be shown, as far as it decides on when.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Gist {
    /// What tells all of it from another.
    pub digest: String,
    /// The same of what a reader waits for, without what moves while workloads start.
    pub awaited: String,
    /// What may be new.
    pub news: News,
}

/// What may be new to whoever reads it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct News {
    /// What people did last: commits, commands and wishes.
    pub asked: Vec<String>,
    /// What came of it: states, and whatever fails. There are few of them, and none holds a number that moves.
    pub came: BTreeSet<String>,
}

/// What one pull request was told lately.
#[derive(Debug, Default)]
pub(super) struct Brake {
    /// When deliveries of something else than the one before began, the oldest first; no more of them than a rule needs.
    begun: VecDeque<Instant>,
    /// What the last of them told.
    digest: Option<String>,
    /// What was told since people did something.
    told: News,
}

impl Brake {
    /// When that may be told; None for at once.
    pub(super) fn holds_until(&self, gist: &Gist, now: Instant) -> Option<Instant> {
        let goes_on = self.digest.as_ref() == Some(&gist.digest);
        if goes_on || self.is_news(&gist.news) {
            return None;
        }
        let last = *self.begun.back()?;
        let ends = |rule: &Rule| {
            let oldest = self.begun.get(self.begun.len().checked_sub(rule.most)?)?;
            Some((last + rule.pause).min(*oldest + rule.within))
        };
        RULES.iter().filter_map(ends).max().filter(|end| now < *end)
    }

    /// A delivery of that begins.
    pub(super) fn begin(&mut self, gist: &Gist, now: Instant) {
        if self.digest.as_ref() != Some(&gist.digest) {
            self.digest = Some(gist.digest.clone());
            self.begun.push_back(now);
            let kept = RULES.iter().map(|rule| rule.most).max().unwrap_or_default();
            self.begun.drain(..self.begun.len().saturating_sub(kept));
        }
    }

    /// People can read it.
    pub(super) fn tell(&mut self, news: News) {
        if self.told.asked == news.asked {
            self.told.came.extend(news.came);
        } else {
            self.told = news;
        }
    }

    fn is_news(&self, news: &News) -> bool {
        self.told.asked != news.asked || !news.came.is_subset(&self.told.came)
    }
}
