//! What was written to a forge within the last hour, of each account: by this replica, and by those that led before it. The
//! forge goes on counting when another replica leads. No client, no clock, no logging: every question brings the time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const HOUR: Duration = Duration::from_secs(3_600);
/// Writes are counted together in spans of ten seconds: shorter than a term as a rule, so that what is handed on from one short term
/// to the next grows older all the same.
const SPAN: Duration = Duration::from_secs(10);
const SPANS: usize = 360;
/// More than this, over all accounts, is not ours.
const MOST: usize = 100_000;
/// The longest text, in bytes: all annotations of an object may have 256 KiB.
const LONGEST: usize = 64 * 1024;

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
    /// where there were none, or too many accounts.
    pub fn to_text(&self, now: Instant) -> Option<String> {
        let mut all = self.lock();
        all.values_mut().for_each(|writes| expire(writes, now));
        all.retain(|_, writes| !writes.is_empty());
        let counts: BTreeMap<&String, Vec<usize>> = all.iter().map(|(whose, writes)| (whose, counted(writes, now))).collect();
        let text = if counts.is_empty() { None } else { serde_json::to_string(&counts).ok() };
        text.filter(|text| text.len() <= LONGEST)
    }

    /// Goes on from what another one left so long ago, which knows of all before it. Each write counts as new as it may be, so
    /// that no limit is passed. What cannot be read counts for nothing.
    pub fn follow(&self, text: &str, age: Duration, now: Instant) {
        if text.len() > LONGEST {
            return;
        }
        let Ok(counts) = serde_json::from_str::<BTreeMap<String, Vec<usize>>>(text) else { return };
        let all = counts.values().flatten().fold(0, |all: usize, count| all.saturating_add(*count));
        if all > MOST || counts.values().any(|spans| spans.len() > SPANS) {
            return;
        }
        let dated = |spans: &[usize]| {
            let mut writes = dated(spans, age, now);
            expire(&mut writes, now);
            writes
        };
        *self.lock() = counts.into_iter().map(|(whose, spans)| (whose, dated(&spans))).collect();
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
    let mut counts = vec![0; SPANS];
    for at in writes {
        let span = now.saturating_duration_since(*at).as_secs() / SPAN.as_secs();
        if let Some(count) = usize::try_from(span).ok().and_then(|span| counts.get_mut(span)) {
            *count += 1;
        }
    }
    counts.truncate(counts.iter().rposition(|count| *count > 0).map_or(0, |last| last + 1));
    counts
}

/// The oldest first, each as new as its span has it.
fn dated(spans: &[usize], age: Duration, now: Instant) -> VecDeque<Instant> {
    let begins = |span: usize| SPAN.saturating_mul(u32::try_from(span).unwrap_or(u32::MAX)).saturating_add(age);
    let at = |span: usize| now.checked_sub(begins(span));
    let dated = spans.iter().enumerate().rev().filter_map(|(span, count)| Some(std::iter::repeat_n(at(span)?, *count)));
    dated.flatten().collect()
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
        let counts: BTreeMap<String, Vec<usize>> = serde_json::from_str(&text).unwrap();
        let sums: Vec<usize> = counts.values().map(|spans| spans.iter().sum()).collect();
        let of_token = [vec![0; 6], vec![1]].concat();
        assert_eq!((sums, &counts["token"]), (vec![4, 1], &of_token), "one is older than an hour, and one as old as that");
        after.note("8", now);
        after.follow(&text, Duration::ZERO, now);
        assert!(after.of("8", now).is_empty(), "whoever led last knows best");
        for (known, told) in before.of("7", now).iter().zip(after.of("7", now)) {
            assert!(*known <= told && told <= now, "{known:?} {told:?}");
        }
        assert_eq!(after.of("7", now).len(), 4);
        assert_eq!(after.of("7", now + minutes(20)).len(), 3);
        assert_eq!(after.of("7", now + minutes(35)).len(), 2);
        assert_eq!(after.to_text(now + minutes(62)), None);
        after.follow(&text, minutes(35), now);
        assert_eq!(after.of("7", now).len(), 2, "nobody led for that long");
    }

    #[test]
    fn however_short_terms_are_a_write_is_forgotten_in_time() {
        let (start, term) = (Instant::now() + HOUR, Duration::from_secs(25));
        let (mut spent, mut now) = (Spent::default(), start);
        spent.note("7", now);
        for _ in 0..3 * HOUR.as_secs() / term.as_secs() {
            now += term;
            let Some(text) = spent.to_text(now) else { break };
            spent = Spent::default();
            spent.follow(&text, Duration::ZERO, now);
        }
        assert!(now >= start + HOUR && now < start + HOUR + minutes(20), "{:?}", now - start);
    }

    #[test]
    fn what_is_no_count_is_left_alone() {
        let (spent, now) = (Spent::default(), Instant::now() + HOUR);
        let longer = format!(r#"{{"7":[{}1]}}"#, "0,".repeat(SPANS));
        spent.note("7", now);
        for text in ["", "{", "[1]", r#"{"7":3}"#, r#"{"7":[-1]}"#, r#"{"7":[99999999]}"#, &longer, &" ".repeat(LONGEST + 1)] {
            spent.follow(text, Duration::ZERO, now);
            assert_eq!(spent.of("7", now).len(), 1, "{text}");
        }
        spent.follow("{}", Duration::ZERO, now);
        assert_eq!(spent.of("7", now).len(), 0);
    }
}
