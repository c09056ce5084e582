//! The stories and the faults. Each story meets each fault; another one of either is one line here.

use std::time::Duration;

use serde_json::{Value, json};

use crate::rules::Before::{Cluster, Forge};
use crate::rules::Of::{Events, Reads, Writes};
use crate::rules::{Before, Fault, Mishap, Of};
use crate::stories::{
    Telling, approve, baseline_change, close_during_create, create, expire, extend, push, push_during_create, reopen_during_close,
};
use crate::tale::Tale;

/// A story, and the lifetime that its Baseline gives.
pub struct Story {
    /// What it is called.
    pub name: &'static str,
    /// Tells it.
    pub tell: fn(&Tale) -> Telling<'_>,
    /// `spec.lifetime` of its Baseline.
    pub lifetime: fn() -> Value,
}

const fn story(name: &'static str, tell: fn(&Tale) -> Telling<'_>, lifetime: fn() -> Value) -> Story {
    Story { name, tell, lifetime }
}

/// Long enough for every story but the one of an expiry.
fn long() -> Value {
    json!({})
}

/// Short enough to be waited for, and long enough to be there first while the service ends now and then.
fn short() -> Value {
    json!({"ttl": "30s"})
}

fn following() -> Value {
    json!({"follow": "Always"})
}

/// The stories, the slowest first.
pub static STORIES: [Story; 9] = [
    story("expire", expire, short),
    story("create", create, long),
    story("push", push, long),
    story("push during create", push_during_create, long),
    story("reopen during close", reopen_during_close, long),
    story("close during create", close_during_create, long),
    story("approve", approve, long),
    story("extend", extend, long),
    story("baseline change", baseline_change, following),
];

/// With which messages of a story something goes wrong, each time in a story of its own.
#[derive(Clone, Copy, Debug)]
pub enum Nth {
    /// With each one, as many as there are where nothing goes wrong.
    Each,
    /// With these.
    These(&'static [usize]),
}

/// A fault, and when it happens.
pub struct Line {
    /// What it is called.
    pub name: &'static str,
    /// What goes wrong.
    pub mishap: Mishap,
    /// With which messages, in the whole of the table.
    pub nth: Nth,
    /// With which one, in the part of it that is always run.
    pub part: usize,
}

const fn line(name: &'static str, (before, of, fault): (Before, Of, Fault), part: usize, nth: Nth) -> Line {
    Line { name, mishap: Mishap { before, of, fault }, nth, part }
}

/// How late something comes: later than what was sent after it.
const LATE: Duration = Duration::from_secs(3);
/// How long a server is down.
pub const OUTAGE: Duration = Duration::from_secs(60);
/// The same, where it has to be quick: longer than a term without a renewal.
const SHORT_OUTAGE: Duration = Duration::from_secs(11);

const SOME: Nth = Nth::These(&[1, 2, 3, 5, 8, 13]);
const FEW: Nth = Nth::These(&[1, 3]);

/// What goes wrong for one story alone.
pub static ALONE: [Line; 16] = [
    line("a write is answered with 409", (Cluster, Writes, Fault::Refused(409)), 3, SOME),
    line("a write is answered with 429", (Cluster, Writes, Fault::Refused(429)), 4, SOME),
    line("a write is answered with 500", (Cluster, Writes, Fault::Refused(500)), 5, SOME),
    line("the answer to a write is lost", (Cluster, Writes, Fault::Lost), 2, Nth::Each),
    line("the answer to a write is cut", (Cluster, Writes, Fault::Cut), 6, SOME),
    line("a write is late", (Cluster, Writes, Fault::Late(LATE)), 7, SOME),
    line("a read is answered with 500", (Cluster, Reads, Fault::Refused(500)), 1, FEW),
    line("the answer to a read is cut", (Cluster, Reads, Fault::Cut), 1, FEW),
    line("a read is answered from before", (Cluster, Reads, Fault::Old), 1, FEW),
    line("a watch misses something", (Cluster, Events, Fault::Missed), 5, SOME),
    line("GitHub answers a write with 500", (Forge, Writes, Fault::Refused(500)), 1, FEW),
    line("GitHub's answer to a write is lost", (Forge, Writes, Fault::Lost), 1, SOME),
    line("GitHub's answer to a write is cut", (Forge, Writes, Fault::Cut), 2, FEW),
    line("GitHub answers a read with 429", (Forge, Reads, Fault::Refused(429)), 1, FEW),
    line("GitHub's answer to a read is cut", (Forge, Reads, Fault::Cut), 2, FEW),
    line("GitHub answers a read as it did first", (Forge, Reads, Fault::Old), 6, Nth::These(&[3, 6, 9, 12])),
];

/// What goes wrong for all stories that are told at the time.
pub static FOR_ALL: [Line; 7] = [
    line("the service ends after a write", (Cluster, Writes, Fault::Ends), 8, Nth::Each),
    line("the service ends before the answer to a write", (Cluster, Writes, Fault::EndsUnanswered), 3, SOME),
    line("the service ends, and lists what was before", (Cluster, Writes, Fault::EndsAndListsOld), 9, SOME),
    line("the service ends before GitHub's answer", (Forge, Writes, Fault::EndsUnanswered), 1, FEW),
    line("the API server is away for 11 s", (Cluster, Writes, Fault::Down(SHORT_OUTAGE)), 4, Nth::These(&[6])),
    line("the API server is away for a minute", (Cluster, Writes, Fault::Down(OUTAGE)), 0, FEW),
    line("GitHub is away for a minute", (Forge, Writes, Fault::Down(OUTAGE)), 0, FEW),
];
