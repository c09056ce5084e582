//! When to deliver to which pull request. No client, no clock of its own, no logging.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::deliver::{Memory, Outcome};
use super::group::PullKey;
use super::urgency::Urgency;

/// How long a change waits for others that come with it.
const DEBOUNCE: Duration = Duration::from_millis(300);
/// Shortest time between two edits of one comment: forges limit what is written, and nobody reads faster.
const PACE: Duration = Duration::from_millis(1_500);
/// Shortest time between two deliveries of which the second says nothing that a reader waits for, such as how many services
/// are up.
const CALM: Duration = Duration::from_secs(10);
/// How long after the forge asked somebody to wait we are thrifty with what it takes.
const THRIFT: Duration = Duration::from_secs(60);
/// First wait after a failure; it doubles with each further one.
const BACKOFF: Duration = Duration::from_secs(1);
/// Longest wait after failures that can pass.
const BACKOFF_MAX: Duration = Duration::from_secs(300);
/// Wait after a refusal of the same text, which only a person can change.
const REFUSED_WAIT: Duration = Duration::from_secs(600);

/// The pull requests that we know, and when each is due.
#[derive(Default)]
pub(super) struct Schedule {
    slots: HashMap<PullKey, Slot>,
    /// The forge asked for silence until then. It limits us as a whole, not a pull request.
    quiet: Option<Instant>,
    /// Until then what matters most goes first, and one thing at a time.
    thrifty: Option<Instant>,
}

#[derive(Default)]
struct Slot {
    /// When to look at it next.
    due: Option<Instant>,
    /// Not before this, whatever changes.
    held: Option<Instant>,
    /// Failures in a row.
    failures: u32,
    /// Digest of what the forge refuses, and when to offer it again.
    refused: Option<(String, Instant)>,
    /// Gist of what was last shown, and until when it is not worth another delivery.
    told: Option<(String, Instant)>,
    /// Empty while a delivery has it.
    memory: Memory,
    /// Whether the forge told it when to come.
    called: bool,
    /// How much what is to be said matters, where that was looked at since it last changed.
    urgency: Option<Urgency>,
    /// Whether a delivery is under way.
    flying: bool,
    /// Whether something changed since it began.
    changed_in_flight: bool,
}

impl Schedule {
    /// Something about the pull request changed. The first time it is due at once.
    pub(super) fn changed(&mut self, key: PullKey, now: Instant) {
        let known = self.slots.contains_key(&key);
        let slot = self.slots.entry(key).or_default();
        slot.urgency = None;
        if slot.flying {
            slot.changed_in_flight = true;
        } else {
            slot.due_by(if known { now + DEBOUNCE } else { now });
        }
    }

    /// When the next one is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let next = self.slots.values().filter_map(|slot| slot.due).min()?;
        Some(self.quiet.map_or(next, |quiet| quiet.max(next)))
    }

    /// Those that are due, the longest overdue first; none of them is being delivered to.
    pub(super) fn due(&self, now: Instant) -> Vec<PullKey> {
        if self.quiet.is_some_and(|quiet| now < quiet) {
            return Vec::new();
        }
        let mut due: Vec<_> = self.slots.iter().filter_map(|(key, slot)| Some((slot.due.filter(|due| *due <= now)?, key))).collect();
        due.sort();
        due.into_iter().map(|(_, key)| key.clone()).collect()
    }

    /// Whether the forge takes less than there is to say.
    pub(super) fn is_thrifty(&self, now: Instant) -> bool {
        self.thrifty.is_some_and(|until| now < until)
    }

    /// Those that are due: whoever was told to come now, then what matters most, and the longest overdue of these. `weigh` is asked for those that changed;
    /// what it gives no urgency for goes first, since there is nothing to deliver. What will be something else before long
    /// waits until there is room again.
    pub(super) fn due_by_urgency(&mut self, now: Instant, weigh: impl Fn(&PullKey, &Memory) -> Option<Urgency>) -> Vec<PullKey> {
        let mut weighed = Vec::new();
        for key in self.due(now) {
            let Some(slot) = self.slots.get_mut(&key) else { continue };
            let urgency = slot.urgency.or_else(|| weigh(&key, &slot.memory));
            slot.urgency = urgency;
            if urgency == Some(Urgency::Passing) {
                slot.due = self.thrifty;
            } else {
                weighed.push(((!slot.called, urgency), key));
            }
        }
        // Stable: those of one urgency stay in the order in which they were due.
        weighed.sort_by_key(|(order, _)| *order);
        weighed.into_iter().map(|(_, key)| key).collect()
    }

    /// What is known of the comment of a pull request that is not being delivered to.
    pub(super) fn memory(&self, key: &PullKey) -> Option<&Memory> {
        self.slots.get(key).map(|slot| &slot.memory)
    }

    /// There is nothing to deliver until something changes, or until that moment.
    pub(super) fn rest(&mut self, key: &PullKey, until: Option<Instant>) {
        if let Some(slot) = self.slots.get_mut(key) {
            slot.due = until;
        }
    }

    /// Hands the memory out for a delivery; None if the forge refused this very thing, or if it says nothing new that a
    /// reader waits for, and it is too early for it.
    pub(super) fn start(&mut self, key: &PullKey, (digest, gist): (&str, &str), now: Instant) -> Option<Memory> {
        let slot = self.slots.get_mut(key)?;
        let early = |told: &Option<(String, Instant)>, text: &str| {
            told.as_ref().filter(|(told, until)| told == text && now < *until).map(|(_, until)| *until)
        };
        if let Some(again) = early(&slot.refused, digest).or(early(&slot.told, gist)) {
            slot.due = Some(again);
            return None;
        }
        (slot.due, slot.flying) = (None, true);
        Some(std::mem::take(&mut slot.memory))
    }

    /// A delivery of the text with that digest ended.
    pub(super) fn done(&mut self, key: &PullKey, landed: Landed, now: Instant) {
        if let Outcome::Retry(Some(asked)) = landed.outcome {
            // Whoever is asked to wait less knows better when it is the next one's turn.
            let before = self.quiet.filter(|quiet| *quiet > now);
            self.quiet = Some(before.map_or(now + asked, |before| before.min(now + asked)));
            self.thrifty = self.thrifty.max(Some(now + asked + THRIFT));
        }
        let Some(slot) = self.slots.get_mut(key) else { return };
        (slot.flying, slot.urgency) = (false, None);
        slot.settle(&landed, now);
        slot.memory = landed.memory;
        if std::mem::take(&mut slot.changed_in_flight) {
            slot.due_by(now + DEBOUNCE);
        }
    }

    /// Forgets those that are not known elsewhere any more.
    pub(super) fn retain(&mut self, known: impl Fn(&PullKey) -> bool) {
        self.slots.retain(|key, slot| slot.flying || known(key));
    }

    /// How many are known.
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }
}

/// A delivery that ended.
pub(super) struct Landed {
    pub(super) memory: Memory,
    pub(super) outcome: Outcome,
    /// What tells what was to be shown from another.
    pub(super) digest: String,
    /// The same of what a reader waits for.
    pub(super) gist: String,
    /// When what is shown changes by itself.
    pub(super) changes_at: Option<Instant>,
}

impl Slot {
    fn due_by(&mut self, at: Instant) {
        let at = self.held.map_or(at, |held| held.max(at));
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    fn settle(&mut self, landed: &Landed, now: Instant) {
        let outcome = landed.outcome;
        self.told = matches!(outcome, Outcome::Delivered | Outcome::Refused).then(|| (landed.gist.clone(), now + CALM));
        (self.failures, self.refused) = match outcome {
            Outcome::Delivered | Outcome::Partly => (0, None),
            Outcome::Refused => (0, Some((landed.digest.clone(), now + REFUSED_WAIT))),
            // Whoever has to wait for his turn did not fail, and would lose it if he waited longer.
            Outcome::Retry(Some(_)) => (self.failures, None),
            Outcome::Retry(None) => (self.failures.saturating_add(1), None),
        };
        self.called = matches!(outcome, Outcome::Retry(Some(_)));
        let wait = match outcome {
            Outcome::Retry(asked) => asked.unwrap_or_else(|| backoff(self.failures)),
            Outcome::Delivered | Outcome::Partly | Outcome::Refused => PACE,
        };
        self.held = Some(now + wait);
        self.due = match outcome {
            Outcome::Delivered => landed.changes_at,
            Outcome::Retry(_) | Outcome::Partly => self.held,
            Outcome::Refused => Some(now + REFUSED_WAIT),
        };
    }
}

fn backoff(failures: u32) -> Duration {
    BACKOFF.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(BACKOFF_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::baseline::ForgeKind;

    fn key() -> PullKey {
        PullKey { forge: ForgeKind::Github, repository_id: 7, number: 42 }
    }

    fn landed(outcome: Outcome) -> Landed {
        Landed { memory: Memory::default(), outcome, digest: "a".into(), gist: "a".into(), changes_at: None }
    }

    /// A schedule whose first delivery ended so, at the moment given with it.
    fn after(outcome: Outcome) -> (Schedule, Instant) {
        let (mut schedule, now) = (Schedule::default(), Instant::now());
        schedule.changed(key(), now);
        assert_eq!(schedule.due(now), [key()], "the first is due at once");
        assert!(schedule.start(&key(), ("a", "a"), now).is_some());
        schedule.done(&key(), landed(outcome), now);
        (schedule, now)
    }

    #[test]
    fn edits_keep_their_distance() {
        let (mut schedule, now) = after(Outcome::Delivered);
        assert_eq!(schedule.next_due(), None);
        schedule.changed(key(), now);
        assert_eq!(schedule.next_due(), Some(now + PACE));
        schedule.changed(key(), now + DEBOUNCE);
        assert_eq!(schedule.next_due(), Some(now + PACE), "later changes do not put it off");
    }

    #[test]
    fn what_changes_in_flight_is_looked_at_after() {
        let (mut schedule, now) = after(Outcome::Delivered);
        schedule.changed(key(), now);
        assert!(schedule.start(&key(), ("b", "b"), now + PACE).is_some());
        schedule.changed(key(), now + PACE);
        assert!(schedule.due(now + BACKOFF_MAX).is_empty(), "one delivery at a time");
        schedule.done(&key(), landed(Outcome::Delivered), now + PACE);
        assert_eq!(schedule.next_due(), Some(now + PACE + PACE));
    }

    #[test]
    fn failures_wait_longer_each_time_and_changes_do_not_hurry_them() {
        let (mut schedule, mut now) = after(Outcome::Retry(None));
        for seconds in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
            schedule.changed(key(), now);
            assert_eq!(schedule.next_due(), Some(now + Duration::from_secs(seconds)));
            now += Duration::from_secs(seconds);
            assert!(schedule.start(&key(), ("a", "a"), now).is_some());
            schedule.done(&key(), landed(Outcome::Retry(None)), now);
        }
    }

    #[test]
    fn the_forge_is_left_alone_as_long_as_it_asks() {
        let (mut schedule, now) = after(Outcome::Retry(Some(Duration::from_secs(900))));
        schedule.changed(PullKey { number: 43, ..key() }, now);
        assert_eq!(schedule.next_due(), Some(now + Duration::from_secs(900)), "by all");
        assert!(schedule.due(now).is_empty());
    }

    #[test]
    fn the_next_ones_turn_is_the_shortest_wait_that_was_asked_for() {
        let (mut schedule, now) = after(Outcome::Retry(Some(Duration::from_secs(9))));
        let other = PullKey { number: 43, ..key() };
        schedule.slots.entry(other.clone()).or_default().flying = true;
        schedule.done(&other, landed(Outcome::Retry(Some(Duration::from_secs(3)))), now);
        assert_eq!(schedule.next_due(), Some(now + Duration::from_secs(3)));
        assert_eq!(schedule.due(now + Duration::from_secs(3)), [other], "the first keeps its own wait");
    }

    #[test]
    fn what_nobody_waits_for_is_told_later() {
        let (mut schedule, now) = after(Outcome::Delivered);
        schedule.changed(key(), now);
        assert!(schedule.start(&key(), ("b", "a"), now + PACE).is_none(), "a count moved");
        assert_eq!(schedule.next_due(), Some(now + CALM));
        assert!(schedule.start(&key(), ("c", "c"), now + PACE).is_some(), "the state did");
        schedule.done(&key(), landed(Outcome::Delivered), now + PACE);
        schedule.changed(key(), now + PACE);
        assert!(schedule.start(&key(), ("d", "a"), now + PACE + CALM).is_some());
    }

    #[test]
    fn what_changes_by_itself_is_looked_at_then() {
        let (mut schedule, now) = after(Outcome::Delivered);
        let later = now + Duration::from_secs(3_600);
        schedule.changed(key(), now);
        assert!(schedule.start(&key(), ("b", "b"), now + PACE).is_some());
        schedule.done(&key(), Landed { changes_at: Some(later), ..landed(Outcome::Delivered) }, now + PACE);
        assert_eq!(schedule.next_due(), Some(later));
        schedule.rest(&key(), None);
        assert_eq!(schedule.next_due(), None);
    }

    #[test]
    fn a_refused_text_waits_and_another_one_does_not() {
        let (mut schedule, now) = after(Outcome::Refused);
        schedule.changed(key(), now);
        assert_eq!(schedule.next_due(), Some(now + PACE));
        assert!(schedule.start(&key(), ("a", "b"), now + PACE).is_none());
        assert_eq!(schedule.next_due(), Some(now + REFUSED_WAIT));
        assert!(schedule.start(&key(), ("b", "b"), now + PACE).is_some());
    }
}
