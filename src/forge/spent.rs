//! What was written to a forge within the last hour, of each account: by this replica, and by those that led before it. The
//! forge goes on counting when another replica leads. No client, no clock, no logging: every question brings the time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const HOUR: Duration = Duration::from_secs(3_600);
/// Up to which age, in minutes, writes are counted together. By the first of them the limit of a minute can be told.
const SPANS: [u64; 13] = [1, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60];
/// More than any forge allows within an hour: what says more is not ours.
const MOST: usize = 10_000;

/// The writes of all accounts. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Spent(Arc<Mutex<BTreeMap<String, VecDeque<Instant>>>>);

impl Spent {
    /// Takes note of a write.
    pub fn note(&self, whose: &str, now: Instant) {
        let mut all = self.lock();
        let writes = all.entry(whose.to_owned()).or_default();
        expire(writes, now);
        writes.push_back(now);
    }

    /// When an account wrote within the last hour, the oldest first.
    pub fn of(&self, whose: &str, now: Instant) -> VecDeque<Instant> {
        let mut writes = self.lock().get(whose).cloned().unwrap_or_default();
        expire(&mut writes, now);
        writes
    }

    /// The same of all accounts, as text for whoever leads next: how many writes there were in each span of the hour. Absent
    /// where there were none.
    pub fn to_text(&self, now: Instant) -> Option<String> {
        let mut all = self.lock();
        all.values_mut().for_each(|writes| expire(writes, now));
        all.retain(|_, writes| !writes.is_empty());
        let counts: BTreeMap<&String, Vec<usize>> = all.iter().map(|(whose, writes)| (whose, counted(writes, now))).collect();
        if counts.is_empty() { None } else { serde_json::to_string(&counts).ok() }
    }

    /// Goes on from what another one left, which knows of all before it. Each write counts as new as it may be, so that no limit
    /// is passed. What cannot be read counts for nothing.
    pub fn follow(&self, text: &str, now: Instant) {
        let Ok(counts) = serde_json::from_str::<BTreeMap<String, Vec<usize>>>(text) else { return };
        if counts.values().any(|spans| spans.len() > SPANS.len() || spans.iter().any(|count| *count > MOST)) {
            return;
        }
        *self.lock() = counts.into_iter().map(|(whose, spans)| (whose, dated(&spans, now))).collect();
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, VecDeque<Instant>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn expire(writes: &mut VecDeque<Instant>, now: Instant) {
    while writes.front().is_some_and(|at| now >= *at + HOUR) {
        writes.pop_front();
    }
}

/// How many there are in each span, the newest first; those at the end without any are left out.
fn counted(writes: &VecDeque<Instant>, now: Instant) -> Vec<usize> {
    let mut counts = vec![0; SPANS.len()];
    for at in writes {
        let minutes = now.saturating_duration_since(*at).as_secs() / 60;
        if let Some(span) = SPANS.iter().position(|end| minutes < *end) {
            counts[span] += 1;
        }
    }
    counts.truncate(counts.iter().rposition(|count| *count > 0).map_or(0, |last| last + 1));
    counts
}

/// The oldest first, each as new as its span has it.
fn dated(spans: &[usize], now: Instant) -> VecDeque<Instant> {
    let begins = |span: usize| span.checked_sub(1).map_or(0, |before| SPANS[before]);
    let at = |span: usize| now.checked_sub(Duration::from_secs(60 * begins(span))).unwrap_or(now);
    spans.iter().enumerate().rev().flat_map(|(span, count)| std::iter::repeat_n(at(span), *count)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn minutes(count: u64) -> Duration {
        Duration::from_secs(60 * count)
    }

    #[test]
    fn whoever_leads_next_knows_of_every_write_of_the_last_hour_and_takes_it_for_no_older_than_it_is() {
        let start = Instant::now() + HOUR;
        let (before, after) = (Spent::default(), Spent::default());
        for minute in [0, 2, 3, 30, 61, 61] {
            before.note("7", start + minutes(minute));
        }
        before.note("token", start + minutes(61));
        let now = start + minutes(62);
        let text = before.to_text(now).unwrap();
        assert_eq!(text, r#"{"7":[0,2,0,0,0,0,0,1,0,0,0,0,1],"token":[0,1]}"#, "one is older than an hour, and one as old as that");
        after.note("8", now);
        after.follow(&text, now);
        assert!(after.of("8", now).is_empty(), "whoever led last knows best");
        for (known, told) in before.of("7", now).iter().zip(after.of("7", now)) {
            assert!(*known <= told && told <= now, "{known:?} {told:?}");
        }
        assert_eq!(after.of("7", now).len(), 4);
        assert_eq!(after.of("7", now + minutes(20)).len(), 3);
        assert_eq!(after.of("7", now + minutes(35)).len(), 2);
        assert_eq!(after.to_text(now + minutes(62)), None);
    }

    #[test]
    fn what_is_no_count_is_left_alone() {
        let (spent, now) = (Spent::default(), Instant::now() + HOUR);
        spent.note("7", now);
        for text in ["", "{", "[1]", r#"{"7":3}"#, r#"{"7":[-1]}"#, r#"{"7":[99999999]}"#, r#"{"7":[0,0,0,0,0,0,0,0,0,0,0,0,0,1]}"#] {
            spent.follow(text, now);
            assert_eq!(spent.of("7", now).len(), 1, "{text}");
        }
        spent.follow("{}", now);
        assert_eq!(spent.of("7", now).len(), 0);
    }
}
