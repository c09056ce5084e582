//! When to deliver to which pull request. No client, no clock of its own, no logging.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;

use super::brake::{Brake, Gist};
use super::deliver::{Memory, Outcome};
use super::group::PullKey;
use super::lanes::{Account, Lanes};
use super::urgency::Urgency;

/// How long a change waits for others that come with it.
const DEBOUNCE: Duration = Duration::from_millis(300);
/// Shortest time between two edits of one comment: forges limit what is written, and nobody reads faster.
const PACE: Duration = Duration::from_millis(1_500);
/// Shortest time between two deliveries of which the second says nothing that a reader waits for, such as how many services
/// are up.
const CALM: Duration = Duration::from_secs(10);
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
    lanes: Lanes,
}

#[derive(Default)]
struct Slot {
    /// Whose limits count for it.
    account: Account,
    /// When to look at it next.
    due: Option<Instant>,
    /// Not before this, whatever changes.
    held: Option<Instant>,
    /// Failures in a row.
    failures: u32,
    /// Digest of what the forge refuses, and when to offer it again.
    refused: Option<(String, Instant)>,
    /// What a reader waited for and was last shown, and until when it is not worth another delivery.
    told: Option<(String, Instant)>,
    /// How often it was told of late.
    brake: Brake,
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
    /// Something about the pull request changed, for which the limits of that account count. The first time it is due at once.
    pub(super) fn changed(&mut self, key: PullKey, account: Account, now: Instant) {
        let known = self.slots.contains_key(&key);
        let slot = self.slots.entry(key).or_default();
        slot.urgency = None;
        if slot.flying {
            slot.changed_in_flight = true;
        } else {
            slot.account = account;
            slot.due_by(if known { now + DEBOUNCE } else { now });
        }
    }

    /// When the next one can be delivered; None while none is due or there is no room.
    pub(super) fn next_due(&self, now: Instant) -> Option<Instant> {
        self.slots.values().filter_map(|slot| self.lanes.opens(&slot.account, slot.due?, now)).min()
    }

    /// Those that can be delivered now; none of them is being delivered. Where the forge takes all, the longest overdue is the
    /// first. After these come those whose accounts are short of writes, as `weigh` says: see [`Self::by_urgency`].
    pub(super) fn due(&mut self, now: Instant, weigh: impl Fn(&PullKey, &Memory) -> Option<Urgency>) -> Vec<PullKey> {
        let is_open = |slot: &Slot, due| self.lanes.opens(&slot.account, due, now).is_some_and(|opens| opens <= now);
        let is_due = |(key, slot): (&PullKey, &Slot)| Some((slot.due.filter(|due| is_open(slot, *due))?, key.clone()));
        let mut due: Vec<(Instant, PullKey)> = self.slots.iter().filter_map(is_due).collect();
        due.sort();
        let (thrifty, mut all): (Vec<_>, Vec<_>) = due.into_iter().map(|(_, key)| key).partition(|key| self.is_thrifty(key, now));
        all.extend(self.by_urgency(thrifty, now, weigh));
        all
    }

    /// Whether there is room to deliver to it, where it is due.
    pub(super) fn has_room(&self, key: &PullKey, now: Instant) -> bool {
        self.slots.get(key).is_some_and(|slot| self.lanes.opens(&slot.account, now, now).is_some())
    }

    /// Whether the forge takes less of its account than there is to say.
    pub(super) fn is_thrifty(&self, key: &PullKey, now: Instant) -> bool {
        self.slots.get(key).is_some_and(|slot| self.lanes.thrifty_until(&slot.account, now).is_some())
    }

    /// Of those that are due: whoever was told to come now, then what matters most, and the longest overdue of these. `weigh` is
    /// asked for those that changed; what it gives no urgency for goes first, since there is nothing to deliver. What will be
    /// something else before long waits until there is room again.
    fn by_urgency(&mut self, due: Vec<PullKey>, now: Instant, weigh: impl Fn(&PullKey, &Memory) -> Option<Urgency>) -> Vec<PullKey> {
        let mut weighed = Vec::new();
        for key in due {
            let Some(slot) = self.slots.get_mut(&key) else { continue };
            let urgency = slot.urgency.or_else(|| weigh(&key, &slot.memory));
            slot.urgency = urgency;
            if urgency == Some(Urgency::Passing) {
                slot.due = self.lanes.thrifty_until(&slot.account, now);
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
            slot.memory.trust();
            slot.due = until;
        }
    }

    /// Hands the memory out for a delivery; None if the forge refused this very thing, or if it says nothing new and it is too
    /// early for it.
    pub(super) fn start(&mut self, key: &PullKey, gist: &Gist, now: Instant) -> Option<Memory> {
        let slot = self.slots.get_mut(key)?;
        if let Some(again) = slot.too_early(gist, now) {
            slot.due = Some(again);
            return None;
        }
        slot.brake.begin(gist, now);
        (slot.due, slot.flying) = (None, true);
        self.lanes.take_off(&slot.account);
        Some(std::mem::take(&mut slot.memory))
    }

    /// A delivery ended.
    pub(super) fn done(&mut self, key: &PullKey, landed: Landed, now: Instant) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        let asked = if let Outcome::Retry(asked) = landed.outcome { asked } else { None };
        self.lanes.land(&slot.account, asked, now);
        (slot.flying, slot.urgency) = (false, None);
        slot.settle(landed, now);
        if std::mem::take(&mut slot.changed_in_flight) {
            slot.due_by(now + DEBOUNCE);
        }
    }

    /// Forgets those that are not known elsewhere any more.
    pub(super) fn retain(&mut self, known: impl Fn(&PullKey) -> bool) {
        self.slots.retain(|key, slot| slot.flying || known(key));
        let used: HashSet<Account> = self.slots.values().map(|slot| slot.account.clone()).collect();
        self.lanes.retain(&used);
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
    /// What was to be shown.
    pub(super) gist: Gist,
    /// When what is shown changes by itself.
    pub(super) changes_at: Option<Instant>,
}

impl Slot {
    fn due_by(&mut self, at: Instant) {
        let at = self.held.map_or(at, |held| held.max(at));
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    /// When that can be delivered, where it is too early for it.
    fn too_early(&self, gist: &Gist, now: Instant) -> Option<Instant> {
        let early = |told: &Option<(String, Instant)>, text: &str| {
            told.as_ref().filter(|(told, until)| told == text && now < *until).map(|(_, until)| *until)
        };
        let again = early(&self.refused, &gist.digest).or_else(|| early(&self.told, &gist.awaited));
        again.max(self.brake.holds_until(gist, now))
    }

    fn settle(&mut self, landed: Landed, now: Instant) {
        let Landed { memory, outcome, gist, changes_at } = landed;
        self.memory = memory;
        self.told = matches!(outcome, Outcome::Delivered | Outcome::Refused).then(|| (gist.awaited, now + CALM));
        (self.failures, self.refused) = match outcome {
            Outcome::Delivered | Outcome::Partly => (0, None),
            Outcome::Refused => (0, Some((gist.digest, now + REFUSED_WAIT))),
            // Whoever has to wait for his turn did not fail, and would lose it if he waited longer.
            Outcome::Retry(Some(_)) | Outcome::Enough(_) => (self.failures, None),
            Outcome::Retry(None) => (self.failures.saturating_add(1), None),
        };
        if !matches!(outcome, Outcome::Retry(_) | Outcome::Enough(_)) {
            self.brake.tell(gist.news);
        }
        self.called = matches!(outcome, Outcome::Retry(Some(_)));
        let wait = match outcome {
            Outcome::Enough(wait) => wait,
            Outcome::Retry(asked) => asked.unwrap_or_else(|| backoff(self.failures)),
            Outcome::Delivered | Outcome::Partly | Outcome::Refused => PACE,
        };
        self.held = Some(now + wait);
        self.due = match outcome {
            Outcome::Delivered => changes_at,
            Outcome::Retry(_) | Outcome::Enough(_) | Outcome::Partly => self.held,
            Outcome::Refused => Some(now + REFUSED_WAIT),
        };
    }
}

fn backoff(failures: u32) -> Duration {
    BACKOFF.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(BACKOFF_MAX)
}

#[cfg(test)]
mod tests;
