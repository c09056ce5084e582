//! Accounts at the forge, each with its limits: a forge that asks one of them to wait lets the others go on. No client, no
//! clock, no logging.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

/// Whose limits count for a pull request: that of an installation, or of all that we write.
pub(super) type Account = Arc<str>;

/// Deliveries of one account at the same time: GitHub asks not to be written to in parallel, and one slow pull request is not
/// to hold up the others.
const FLIGHTS: usize = 4;
/// The same where the forge takes less than there is to say: one waits for its turn while another one writes. More would be
/// told to come again, after they asked for what they need to know first.
const THRIFTY_FLIGHTS: usize = 2;
/// Deliveries of all accounts at the same time: so many that busy ones hold up no other, and no more than we have connections
/// to spare for.
const FLIGHTS_IN_ALL: usize = 64;
/// How long after the forge asked somebody to wait we are thrifty with what it takes.
const THRIFT: Duration = Duration::from_secs(60);

/// All accounts that something is delivered for, or that the forge asked to wait.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    lanes: HashMap<Account, Lane>,
    flying: usize,
}

/// One of them.
#[derive(Clone, Copy, Debug, Default)]
struct Lane {
    /// The forge asked for silence until then.
    quiet: Option<Instant>,
    /// Until then what matters most goes first, and one thing at a time.
    thrifty: Option<Instant>,
    /// Deliveries that are under way.
    flying: usize,
}

impl Lanes {
    /// When something that is due then may be delivered; None while there is no room for it.
    pub(super) fn opens(&self, account: &str, due: Instant, now: Instant) -> Option<Instant> {
        let lane = self.lane(account);
        let room = self.flying < FLIGHTS_IN_ALL && lane.flying < lane.flights(now);
        room.then(|| lane.quiet.map_or(due, |quiet| quiet.max(due)))
    }

    /// Until when the forge takes less than there is to say.
    pub(super) fn thrifty_until(&self, account: &str, now: Instant) -> Option<Instant> {
        self.lane(account).thrifty.filter(|until| now < *until)
    }

    /// A delivery begins.
    pub(super) fn take_off(&mut self, account: &Account) {
        self.lanes.entry(Arc::clone(account)).or_default().flying += 1;
        self.flying += 1;
    }

    /// One ended, and was asked to wait so long, or was not.
    pub(super) fn land(&mut self, account: &Account, asked: Option<Duration>, now: Instant) {
        let lane = self.lanes.entry(Arc::clone(account)).or_default();
        lane.flying = lane.flying.saturating_sub(1);
        self.flying = self.flying.saturating_sub(1);
        if let Some(asked) = asked {
            // Whoever is asked to wait less knows better when it is the next one's turn.
            let before = lane.quiet.filter(|quiet| *quiet > now);
            lane.quiet = Some(before.map_or(now + asked, |before| before.min(now + asked)));
            lane.thrifty = lane.thrifty.max(Some(now + asked + THRIFT));
        }
    }

    /// Forgets those that nothing is delivered for any more.
    pub(super) fn retain(&mut self, used: &HashSet<Account>) {
        self.lanes.retain(|account, lane| lane.flying > 0 || used.contains(account));
    }

    fn lane(&self, account: &str) -> Lane {
        self.lanes.get(account).copied().unwrap_or_default()
    }
}

impl Lane {
    fn flights(&self, now: Instant) -> usize {
        if self.thrifty.is_some_and(|until| now < until) { THRIFTY_FLIGHTS } else { FLIGHTS }
    }
}
