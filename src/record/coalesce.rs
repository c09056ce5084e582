//! Many facts of one pull request at once become one apply of the newest. Each is acknowledged by an apply that began
//! after it arrived, so nothing is acknowledged by luck.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::{Semaphore, oneshot};

use super::{RecordError, Recorded, Recorder};
use crate::api::baseline::ForgeKind;
use crate::api::environment::SourceState;
use crate::domain::EnvironmentName;
use crate::intent::{CommandFact, Fact};

/// Applies in flight at once, each of which holds a connection to the API server.
const APPLIES: usize = 32;
/// Longest time for one apply: nobody waits longer for it.
const APPLY_TIME: Duration = Duration::from_secs(8);

type End = Result<Recorded, RecordError>;

/// A [`Recorder`] that spares the one below it.
pub struct Coalescing(Arc<Shared>);

struct Shared {
    recorder: Arc<dyn Recorder>,
    applies: Semaphore,
    /// Who waits, by what they wait for. An entry is there as long as its task runs.
    lanes: Mutex<HashMap<Lane, Vec<Waiting>>>,
}

/// What one field manager owns: facts in one lane replace each other.
#[derive(Clone, Eq, Hash, PartialEq)]
struct Lane {
    baseline_namespace: String,
    environment: EnvironmentName,
    forge: ForgeKind,
    repository_id: i64,
}

struct Waiting {
    fact: Fact,
    answer: oneshot::Sender<End>,
}

impl Coalescing {
    /// Before that recorder.
    pub fn new(recorder: Arc<dyn Recorder>) -> Self {
        Self(Arc::new(Shared { recorder, applies: Semaphore::new(APPLIES), lanes: Mutex::default() }))
    }
}

impl Recorder for Coalescing {
    fn record<'a>(&'a self, fact: &'a Fact) -> BoxFuture<'a, End> {
        async move {
            let end = self.0.join(fact.clone());
            end.await.unwrap_or_else(|_| Err(unavailable(fact, "the service is ending")))
        }
        .boxed()
    }

    /// No two commands are the same, so there is nothing to spare.
    fn command<'a>(&'a self, command: &'a CommandFact) -> BoxFuture<'a, End> {
        self.0.recorder.command(command)
    }
}

impl Shared {
    /// The work is done by a task of its own, so that one who stops waiting does not end it for the others.
    fn join(self: &Arc<Self>, fact: Fact) -> oneshot::Receiver<End> {
        let (answer, end) = oneshot::channel();
        let lane = Lane::of(&fact);
        let waiting = Waiting { fact, answer };
        match self.lanes().entry(lane) {
            Entry::Occupied(mut there) => there.get_mut().push(waiting),
            Entry::Vacant(free) => {
                tokio::spawn(Arc::clone(self).run(free.key().clone()));
                free.insert(vec![waiting]);
            }
        }
        end
    }

    async fn run(self: Arc<Self>, lane: Lane) {
        // The semaphore is never closed. Who comes while there is no permit is taken along.
        while let Ok(_permit) = self.applies.acquire().await {
            let Some(batch) = self.take(&lane) else { return };
            self.apply(batch).await;
        }
    }

    fn take(&self, lane: &Lane) -> Option<Vec<Waiting>> {
        let mut lanes = self.lanes();
        let waiting = std::mem::take(lanes.get_mut(lane)?);
        if waiting.is_empty() {
            lanes.remove(lane);
            return None;
        }
        Some(waiting)
    }

    async fn apply(&self, batch: Vec<Waiting>) {
        let Some(newest) = newest(&batch).cloned() else { return };
        let end = tokio::time::timeout(APPLY_TIME, self.recorder.record(&newest)).await;
        let end = end.unwrap_or_else(|_| Err(unavailable(&newest, "it did not answer in time")));
        for waiting in batch {
            let replaced = waiting.fact.source.observed_at < newest.source.observed_at;
            let end = if replaced { end.clone().map(|_| Recorded::Older) } else { end.clone() };
            // Whoever does not wait any more needs no answer.
            let _ = waiting.answer.send(end);
        }
    }

    fn lanes(&self) -> MutexGuard<'_, HashMap<Lane, Vec<Waiting>>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lane {
    fn of(fact: &Fact) -> Self {
        Self {
            baseline_namespace: fact.baseline_namespace.clone(),
            environment: fact.environment.clone(),
            forge: fact.source.forge,
            repository_id: fact.source.repository_id,
        }
    }
}

/// As the API server would judge them one after the other: at the same time a close stands, else the last to come.
fn newest(batch: &[Waiting]) -> Option<&Fact> {
    let facts = batch.iter().map(|waiting| &waiting.fact);
    facts.max_by_key(|fact| (fact.source.observed_at, fact.source.state != SourceState::Open))
}

fn unavailable(fact: &Fact, why: &str) -> RecordError {
    RecordError::Unavailable { environment: fact.display(), why: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::future::join_all;
    use proptest::prelude::*;

    /// Lets one apply through for each permit.
    struct Gated {
        gate: Semaphore,
        applied: Mutex<Vec<Fact>>,
        end: End,
    }

    impl Recorder for Gated {
        fn record<'a>(&'a self, fact: &'a Fact) -> BoxFuture<'a, End> {
            self.applied.lock().unwrap().push(fact.clone());
            async {
                self.gate.acquire().await.unwrap().forget();
                self.end.clone()
            }
            .boxed()
        }

        fn command<'a>(&'a self, _: &'a CommandFact) -> BoxFuture<'a, End> {
            async { Ok(Recorded::Held) }.boxed()
        }
    }

    fn gated(end: End) -> (Arc<Gated>, Coalescing) {
        let gated = Arc::new(Gated { gate: Semaphore::new(0), applied: Mutex::default(), end });
        (Arc::clone(&gated), Coalescing::new(gated))
    }

    fn fact(pull: i64, second: i64, state: SourceState) -> Fact {
        let mut fact = super::super::tests::fact();
        fact.environment = EnvironmentName::recorded(&format!("web-pr-{pull}"));
        fact.source.observed_at = chrono::DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap();
        fact.source.state = state;
        fact
    }

    async fn until(condition: impl Fn() -> bool) {
        let wait = async {
            while !condition() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), wait).await.unwrap();
    }

    #[tokio::test]
    async fn those_who_come_meanwhile_share_one_later_apply() {
        let (gated, coalescing) = gated(Ok(Recorded::Held));
        let facts: Vec<Fact> = (0..20).map(|second| fact(1, second, SourceState::Open)).collect();
        let all = join_all(facts.iter().map(|f| coalescing.record(f)));
        let first = coalescing.record(&facts[3]);
        let open = async {
            until(|| gated.applied.lock().unwrap().len() == 1).await;
            gated.gate.add_permits(2);
        };
        // The first one's apply is under way when the others come, so it does not count for them.
        let (first, (ends, ())) = tokio::join!(first, async {
            until(|| gated.applied.lock().unwrap().len() == 1).await;
            tokio::join!(all, open)
        });
        assert_eq!(first, Ok(Recorded::Held));
        assert_eq!(ends.iter().filter(|end| **end == Ok(Recorded::Older)).count(), 19);
        assert_eq!(ends[19], Ok(Recorded::Held));
        let applied = gated.applied.lock().unwrap();
        assert_eq!(*applied, [facts[3].clone(), facts[19].clone()]);
    }

    #[tokio::test]
    async fn one_who_stops_waiting_takes_nothing_from_the_others() {
        let (gated, coalescing) = gated(Ok(Recorded::Held));
        let (fact, other) = (fact(1, 1, SourceState::Open), fact(2, 1, SourceState::Open));
        let given_up = tokio::time::timeout(Duration::from_millis(20), coalescing.record(&fact)).await;
        assert!(given_up.is_err());
        gated.gate.add_permits(3);
        assert_eq!(coalescing.record(&fact).await, Ok(Recorded::Held));
        assert_eq!(coalescing.record(&other).await, Ok(Recorded::Held));
        until(|| coalescing.0.lanes().is_empty()).await;
    }

    #[tokio::test]
    async fn nobody_is_told_that_a_failed_apply_holds() {
        let (gated, coalescing) = gated(Err(RecordError::Conflict("shop/web-pr-1".into())));
        gated.gate.add_permits(10);
        let facts = [fact(1, 1, SourceState::Open), fact(1, 2, SourceState::Open)];
        let ends = join_all(facts.iter().map(|f| coalescing.record(f))).await;
        assert!(ends.iter().all(Result::is_err), "{ends:?}");
    }

    proptest! {
        #[test]
        fn the_newest_is_what_the_rule_of_the_api_would_leave(seconds in prop::collection::vec((0i64..4, any::<bool>()), 1..8)) {
            let batch: Vec<Waiting> = seconds.iter().map(|(second, open)| {
                let state = if *open { SourceState::Open } else { SourceState::Closed };
                Waiting { fact: fact(1, *second, state), answer: oneshot::channel().0 }
            }).collect();
            let mut held = batch[0].fact.clone();
            for Waiting { fact, .. } in &batch {
                let (new, old) = (&fact.source, &held.source);
                let same_time = new.observed_at == old.observed_at && (new.state != SourceState::Open || old.state == SourceState::Open);
                if new.observed_at > old.observed_at || same_time {
                    held = fact.clone();
                }
            }
            prop_assert_eq!(newest(&batch), Some(&held));
        }
    }
}
