//! Which events are written, and as what: the same one again counts up the first, and no object has more than a few a minute.
//! No client, no clock, no logging.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// What one object may have at once: enough for a whole life, and for it to come and go twice meanwhile.
const AT_ONCE: u32 = 10;
/// After so long it may have one more: three a minute.
const ONE_MORE: Duration = Duration::from_secs(20);
/// After so long the same event is a new one: an API server forgets events after an hour, unless it is told otherwise.
const FORGOTTEN: Duration = Duration::from_secs(30 * 60);

/// What makes an event the same: its reason and what it says.
type Said = (&'static str, String);

/// How an event is to be written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Turn<T> {
    /// What was noted with the first of its kind.
    pub(super) first: T,
    /// How often it has happened, this time included.
    pub(super) count: i32,
}

/// What was told of late, by the UID of the object.
#[derive(Debug)]
pub(super) struct Series<T>(HashMap<String, Object<T>>);

#[derive(Debug)]
struct Object<T> {
    left: u32,
    counted_at: Instant,
    told: HashMap<Said, (Turn<T>, Instant)>,
}

impl<T> Default for Series<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T: Copy> Series<T> {
    /// How it is written, or nothing where the object has had enough for now. `first` is noted where it is the first of its
    /// kind.
    pub(super) fn turn(&mut self, uid: &str, said: Said, first: T, now: Instant) -> Option<Turn<T>> {
        self.0.retain(|_, object| {
            object.told.retain(|_, (_, at)| now.saturating_duration_since(*at) < FORGOTTEN);
            !object.told.is_empty()
        });
        let object = self.0.entry(uid.to_owned()).or_insert_with(|| Object { left: AT_ONCE, counted_at: now, told: HashMap::new() });
        object.take(now)?;
        let (turn, at) = object.told.entry(said).or_insert((Turn { first, count: 0 }, now));
        (turn.count, *at) = (turn.count.saturating_add(1), now);
        Some(*turn)
    }
}

impl<T> Object<T> {
    fn take(&mut self, now: Instant) -> Option<()> {
        while self.left < AT_ONCE && now.saturating_duration_since(self.counted_at) >= ONE_MORE {
            self.left += 1;
            self.counted_at += ONE_MORE;
        }
        if self.left == AT_ONCE {
            self.counted_at = now;
        }
        self.left = self.left.checked_sub(1)?;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Said {
        ("Degraded", text.to_owned())
    }

    #[test]
    fn the_same_again_counts_up_the_first() {
        let (mut series, start) = (Series::default(), Instant::now());
        let mut turn = |text: &str, first: u8, after: u64| series.turn("a", said(text), first, start + Duration::from_secs(after));
        assert_eq!(turn("1 of 2", 1, 0), Some(Turn { first: 1, count: 1 }));
        assert_eq!(turn("0 of 2", 2, 1), Some(Turn { first: 2, count: 1 }));
        assert_eq!(turn("1 of 2", 3, 2), Some(Turn { first: 1, count: 2 }));
        assert_eq!(turn("1 of 2", 4, 3 + FORGOTTEN.as_secs()), Some(Turn { first: 4, count: 1 }), "it is gone by then");
    }

    #[test]
    fn one_object_has_no_more_than_three_a_minute_for_long_and_another_has_its_own() {
        let (mut series, start) = (Series::default(), Instant::now());
        let told = (0..600).filter(|second| series.turn("a", said("x"), (), start + Duration::from_secs(*second)).is_some()).count();
        assert!((30..=40).contains(&told), "{told} in ten minutes");
        assert!(series.turn("b", said("x"), (), start + Duration::from_secs(600)).is_some());
    }
}
