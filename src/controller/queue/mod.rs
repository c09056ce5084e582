//! The queue of each Baseline: environments for which there is no room wait for their turn, and never fail. No client, no
//! clock, no logging.
//!
//! `contenders.rs` reads who has a place and who wants one out of what is recorded and what the watches saw, `order.rs`
//! decides over all of them at once, and this remembers what a watch may not have brought back yet: a place that was given
//! away counts from that moment, so that two passes never take the same one.

mod contenders;
pub mod order;
mod total;

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use self::contenders::{Seen, read};
use self::order::{Decision, Verdict};
use super::Context;
use super::recorded::Recorded;
use super::settle::{Course, Settled};
use crate::api::PreviewEnvironmentStatus;
use crate::api::baseline::Limits;
use crate::api::status;
use crate::domain::{Baseline, Environment};

/// How often it is looked whether others left a place, where a PreviewPolicy counts those of several Baselines: what is looked
/// at is in memory.
const LOOK_AGAIN: TimeDelta = TimeDelta::seconds(5);

/// What is remembered of all Baselines' queues.
#[derive(Debug, Default)]
pub struct Queue {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// The environments that took a place since the service started, by UID, until they give it back.
    places: HashSet<String>,
    /// The same of pins.
    pins: HashSet<String>,
    /// What each environment that does not simply run was told last, by UID.
    told: HashMap<String, Told>,
}

/// What an environment was told.
#[derive(Clone, Debug, PartialEq)]
struct Told {
    verdict: Verdict,
    /// Namespace and name of its Baseline.
    baseline: (String, String),
}

/// One environment that wants a place or has one.
#[derive(Clone, Copy)]
pub struct Asking<'a> {
    /// The environment.
    pub environment: &'a Environment,
    /// Its Baseline.
    pub baseline: &'a Baseline,
    /// What is recorded of it.
    pub recorded: &'a Recorded,
}

impl Queue {
    fn lock<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        work(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What becomes of an environment that is to run: it does, or it waits, or it gives way.
    pub fn place(&self, context: &Context, asking: Asking<'_>, settled: Settled, now: DateTime<Utc>) -> Settled {
        let Asking { environment, baseline, recorded } = asking;
        let uid = environment.uid.as_str();
        let (verdict, again_at, ceiling) = self.lock(|inner| {
            let has_place = inner.has_place(context, uid, recorded);
            if has_place && !inner.told.contains_key(uid) {
                inner.places.insert(uid.to_owned());
                return (Verdict::Runs, None, None);
            }
            let (decision, ceiling) = inner.decide(context, baseline, now);
            inner.tell(context, baseline, &decision, Some(uid));
            // Whoever is not among those that want a place gets none.
            let of = decision.verdicts.values().filter(|v| matches!(v, Verdict::Waits { .. })).count() + 1;
            let verdict = decision.verdicts.get(uid).cloned().unwrap_or(Verdict::Waits { position: of, of, own: false });
            if verdict == Verdict::Runs {
                inner.places.insert(uid.to_owned());
            }
            (verdict, decision.again_at, ceiling)
        });
        match verdict {
            Verdict::Runs | Verdict::Goes => settled,
            Verdict::GivesWay(to) => settled.evicted((environment, baseline), &to, now),
            Verdict::Waits { position, of, own } => {
                let count = |count: usize| i32::try_from(count).unwrap_or(i32::MAX);
                let since = contenders::since(environment, &recorded.status, now);
                let why = match ceiling.filter(|_| !own) {
                    Some(at) => format!("as many previews run as {at} lets run in all of its namespaces"),
                    None => why(environment, baseline, own),
                };
                let queue = status::Queue { position: count(position), of: count(of), since, why };
                Settled { again_at, ..settled.queued(queue) }
            }
        }
    }

    /// Whether an environment's pin holds. Those that hold keep doing so; a new one does while there are not too many.
    pub fn may_pin(&self, context: &Context, asking: Asking<'_>) -> bool {
        let Asking { environment, recorded, .. } = asking;
        let uid = environment.uid.as_str();
        if !environment.pinned {
            self.unpin(context, environment);
            return false;
        }
        self.lock(|inner| {
            let holds = recorded.status.pinned == Some(true) || inner.pins.contains(uid) || inner.has_room_for_pin(context, asking);
            if holds {
                inner.pins.insert(uid.to_owned());
            }
            holds
        })
    }

    /// Takes note of an environment that is not to run now. One that is going keeps its place until its workloads are gone;
    /// then whoever waits for it is told.
    pub fn leave(&self, context: &Context, (environment, recorded): (&Environment, &Recorded), course: Course, now: DateTime<Utc>) {
        let uid = environment.uid.as_str();
        let is_going = matches!(course, Course::TakeDown | Course::Remove);
        if is_going {
            self.unpin(context, environment);
        }
        let key = (environment.baseline_namespace.clone(), environment.baseline.clone());
        let is_waited_for = self.lock(|inner| {
            let was_told = inner.told.remove(uid).is_some();
            let has_place = inner.has_place(context, uid, recorded);
            let gives_back = is_going && has_place && !takes_room(context, uid);
            if gives_back {
                inner.places.remove(uid);
            } else if has_place {
                inner.places.insert(uid.to_owned());
            }
            (was_told || gives_back) && inner.told.values().any(|told| told.baseline == key)
        });
        if is_waited_for {
            self.look(context, &key, now);
        }
    }

    /// Forgets an environment whose object is gone.
    pub fn forget(&self, context: &Context, (namespace, baseline, uid): (&str, &str, &str), now: DateTime<Utc>) {
        let key = (namespace.to_owned(), baseline.to_owned());
        let is_waited_for = self.lock(|inner| {
            inner.pins.remove(uid);
            inner.places.remove(uid);
            inner.told.remove(uid);
            inner.told.values().any(|told| told.baseline == key)
        });
        if is_waited_for {
            self.look(context, &key, now);
        }
    }

    /// Decides anew over one Baseline and wakes whoever it means something else for.
    fn look(&self, context: &Context, (namespace, name): &(String, String), now: DateTime<Utc>) {
        let Some(baseline) = context.baselines.get(namespace, name) else { return };
        self.lock(|inner| {
            let (decision, _) = inner.decide(context, &baseline, now);
            inner.tell(context, &baseline, &decision, None);
        });
    }

    /// Gives a pin back, and wakes those of the Baseline whose pin does not hold.
    fn unpin(&self, context: &Context, environment: &Environment) {
        if !self.lock(|inner| inner.pins.remove(&environment.uid)) {
            return;
        }
        let (namespace, baseline) = (&environment.baseline_namespace, &environment.baseline);
        for (name, other) in contenders::of(context, namespace, baseline) {
            if context.memory.look(&other, |status| status.is_some_and(|s| s.pinned == Some(false))) {
                context.wake.environment(namespace, &name);
            }
        }
    }
}

impl Inner {
    /// Whether an environment has a place. A namespace that is on its way out and has no workloads takes none, also where it
    /// is still recorded: its place was given to the next one.
    fn has_place(&self, context: &Context, uid: &str, recorded: &Recorded) -> bool {
        self.places.contains(uid) || context.index.stands(uid).unwrap_or(recorded.status.namespace.is_some())
    }

    /// The decision, and whose ceiling it is where that leaves fewer places than the Baseline has. What gives a place back in
    /// another namespace wakes nobody here, so it is looked again then.
    fn decide(&self, context: &Context, baseline: &Baseline, now: DateTime<Utc>) -> (Decision, Option<String>) {
        let seen = read(context, baseline, &self.places, now);
        let contenders: Vec<_> = seen.iter().map(Seen::contender).collect();
        let (limits, ceiling) = total::limits(context, baseline, &self.places);
        let mut decision = order::decide(&contenders, &limits, now);
        if ceiling.is_some() {
            let again = now + LOOK_AGAIN;
            decision.again_at = Some(decision.again_at.map_or(again, |at| at.min(again)));
        }
        (decision, ceiling)
    }

    /// Remembers what is decided, and wakes those for whom it is new. `asking` is told by its own pass.
    fn tell(&mut self, context: &Context, baseline: &Baseline, decision: &Decision, asking: Option<&str>) {
        let key = (baseline.namespace.clone(), baseline.name.clone());
        let mut wake: HashSet<String> = HashSet::new();
        for (uid, verdict) in &decision.verdicts {
            let is_new = match verdict {
                Verdict::Runs | Verdict::Goes => self.told.remove(uid).is_some(),
                Verdict::Waits { .. } | Verdict::GivesWay(_) => {
                    let told = Told { verdict: verdict.clone(), baseline: key.clone() };
                    self.told.insert(uid.clone(), told.clone()).is_none_or(|before| before != told)
                }
            };
            if is_new && asking != Some(uid) {
                wake.insert(uid.clone());
            }
        }
        if !wake.is_empty() {
            let woken = contenders::of(context, &baseline.namespace, &baseline.name);
            let names = woken.iter().filter(|(_, object)| object.metadata.uid.as_ref().is_some_and(|uid| wake.contains(uid)));
            names.for_each(|(name, _)| context.wake.environment(&baseline.namespace, name));
        }
    }

    fn has_room_for_pin(&self, context: &Context, Asking { environment, baseline, .. }: Asking<'_>) -> bool {
        let holds = |object: &crate::api::PreviewEnvironment| {
            let uid = object.metadata.uid.as_deref().unwrap_or_default();
            let recorded = |status: Option<&PreviewEnvironmentStatus>| status.is_some_and(|s| s.pinned == Some(true));
            uid != environment.uid && (self.pins.contains(uid) || context.memory.look(object, recorded))
        };
        let held = contenders::of(context, &baseline.namespace, &baseline.name).into_iter().filter(|(_, object)| holds(object)).count();
        held < usize::try_from(baseline.limits.pinned).unwrap_or_default()
    }
}

/// Whether something of an environment is in the cluster that runs or may run.
fn takes_room(context: &Context, uid: &str) -> bool {
    context.index.stands(uid).unwrap_or_default()
}

/// What is waited for, as a sentence without numbers that move.
pub(crate) fn why(environment: &Environment, baseline: &Baseline, own: bool) -> String {
    let Limits { environments, per_author, .. } = baseline.limits;
    let name = &baseline.namespace;
    match environment.author().filter(|_| own) {
        Some(author) => format!("{author} runs {per_author} of {per_author} previews of {name} (limits.perAuthor)"),
        None if environments == 0 => format!("{name} takes no previews now (limits.environments is 0)"),
        None => format!("{name} runs {environments} of {environments} previews (limits.environments)"),
    }
}
