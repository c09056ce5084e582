//! How many objects each environment is behind its baseline.
//!
//! Counted for all environments of a Baseline at once when its namespace has come to rest, by comparing hashes with the
//! inventories: no environment is planned for it, and nothing is asked. A count that changed is written with the next
//! status that is written anyway; beyond that, environments are woken a few a second, so that a baseline which a
//! thousand environments follow makes no storm of writes.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kube::ResourceExt;
use tokio::time::Instant;

use super::Context;
use crate::api::PreviewEnvironment;
use crate::api::baseline::Follow;
use crate::domain::{Baseline, Environment};
use crate::plan::{Snapshot, Sources, Target};

/// How long a baseline must be quiet before it is compared.
const QUIET: Duration = Duration::from_secs(5);
/// How long it is not compared at most while it never is.
const LONGEST: Duration = Duration::from_secs(60);
const TICK: Duration = Duration::from_secs(1);
/// Environments that are woken for their count alone, at each tick.
const WOKEN_AT_ONCE: usize = 5;

/// The counts, by UID of the environment.
#[derive(Debug, Default)]
pub struct Behind {
    counts: Mutex<HashMap<String, i32>>,
}

impl Behind {
    fn lock<T>(&self, work: impl FnOnce(&mut HashMap<String, i32>) -> T) -> T {
        work(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How many objects an environment is behind, where that was counted.
    pub fn of(&self, uid: &str) -> Option<i32> {
        self.lock(|counts| counts.get(uid).copied())
    }

    /// Records a count.
    pub fn set(&self, uid: &str, count: i32) {
        self.lock(|counts| counts.insert(uid.to_owned(), count));
    }

    /// Forgets an environment that is gone.
    pub fn forget(&self, uid: &str) {
        self.lock(|counts| counts.remove(uid));
    }
}

/// When a baseline's namespace last changed.
#[derive(Debug)]
struct Movement {
    version: u64,
    last: Instant,
    /// Since when it has not been compared.
    open: Option<Instant>,
}

impl Movement {
    fn new(version: u64, now: Instant) -> Self {
        Self { version, last: now, open: Some(now) }
    }

    /// It could not be compared after all.
    fn postpone(&mut self, now: Instant) {
        self.open.get_or_insert(now);
    }

    /// Whether it has to be compared now.
    fn is_due(&mut self, version: u64, now: Instant) -> bool {
        if self.version != version {
            (self.version, self.last) = (version, now);
            self.open.get_or_insert(now);
        }
        let due = self.open.is_some_and(|since| now - self.last >= QUIET || now - since >= LONGEST);
        if due {
            self.open = None;
        }
        due
    }
}

/// Counts whenever a baseline moved, until it is dropped.
pub async fn run(context: Arc<Context>) {
    let mut movements: HashMap<String, Movement> = HashMap::new();
    let mut to_wake = VecDeque::new();
    let mut ticks = tokio::time::interval(TICK);
    loop {
        ticks.tick().await;
        let now = Instant::now();
        let versions = context.baselines.versions();
        movements.retain(|namespace, _| versions.contains_key(namespace));
        for (namespace, version) in versions {
            let movement = movements.entry(namespace.clone()).or_insert_with(|| Movement::new(version, now));
            if movement.is_due(version, now) && !count(&context, &namespace, &mut to_wake) {
                movement.postpone(now);
            }
        }
        for (namespace, name) in to_wake.drain(..to_wake.len().min(WOKEN_AT_ONCE)) {
            context.wake.environment(&namespace, &name);
        }
    }
}

/// Counts for all environments of a Baseline, and notes those whose status says otherwise. False where the Baseline or its
/// namespace could not be read.
fn count(context: &Context, namespace: &str, to_wake: &mut VecDeque<(String, String)>) -> bool {
    let baselines = context.baselines.all().unwrap_or_default();
    let Some(baseline) = baselines.into_iter().find(|b| b.namespace == namespace) else { return false };
    let Some(contents) = context.baselines.contents(namespace) else { return false };
    let snapshot = Snapshot { objects: contents.objects, others: contents.others, controlled: contents.controlled, ..Snapshot::default() };
    let there = context.environments.state_filter(|e| e.namespace().as_deref() == Some(namespace) && e.spec.baseline == baseline.name);
    let is_isolated = |object: &PreviewEnvironment| Environment::try_from(object).is_ok_and(|e| e.is_isolated(&baseline));
    let (isolated, usual): (Vec<_>, Vec<_>) = there.into_iter().partition(|object| is_isolated(object));
    // Custom resources are in the one and not in the other.
    let mut of_isolated = isolated.first().and_then(|first| sources(&snapshot, &baseline, first));
    let mut of_usual = usual.first().and_then(|first| sources(&snapshot, &baseline, first));
    let waiting: HashSet<String> = to_wake.iter().filter(|(n, _)| n == namespace).map(|(_, name)| name.clone()).collect();
    let isolated = isolated.into_iter().map(|object| (object, true));
    for (object, is_isolated) in isolated.chain(usual.into_iter().map(|object| (object, false))) {
        let Some(sources) = (if is_isolated { &mut of_isolated } else { &mut of_usual }) else { continue };
        let recorded = context.memory.recall(&object).status;
        if recorded.plan_digest.is_none() {
            continue;
        }
        let count = i32::try_from(sources.behind(&recorded.inventory)).unwrap_or(i32::MAX);
        context.behind.set(&object.uid().unwrap_or_default(), count);
        let follows = count > 0 && baseline.follow == Follow::Always;
        if (count != recorded.behind || follows) && !waiting.contains(&object.name_any()) {
            to_wake.push_back((namespace.to_owned(), object.name_any()));
        }
    }
    true
}

fn sources<'a>(snapshot: &'a Snapshot, baseline: &Baseline, any: &PreviewEnvironment) -> Option<Sources<'a>> {
    let environment = Environment::try_from(any).ok()?;
    let none = HashSet::new();
    let target = Target {
        environment: &environment.name,
        uid: &environment.uid,
        namespace: "",
        baseline,
        isolated: environment.is_isolated(baseline),
        source: None,
        seed: None,
        held_hosts: &none,
        recorded_hosts: &none,
        run: "",
    };
    Some(Sources::of(snapshot, &target))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_baseline_is_compared_when_it_is_quiet_and_once_a_minute_when_it_never_is() {
        let start = Instant::now();
        let mut movement = Movement::new(1, start);
        assert!(!movement.is_due(1, start + QUIET / 2));
        assert!(movement.is_due(1, start + QUIET), "also after a start");
        assert!(!movement.is_due(1, start + QUIET * 9), "nothing moved");
        let mut compared = 0;
        for second in 0..180 {
            compared += u32::from(movement.is_due(second + 2, start + Duration::from_secs(100 + second)));
        }
        assert_eq!(compared, 2);
        assert!(movement.is_due(181, start + Duration::from_secs(279) + QUIET));
    }
}
