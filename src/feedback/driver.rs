//! Watches for changes and delivers, some pull requests at a time, one delivery to each at a time. Nothing waits for
//! this, and it waits for nothing but the forge and the API server.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use kube::Client;
use kube::runtime::reflector::Store;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep_until, timeout};

use super::deliver::Deliverer;
use super::group::{self, Group, PullKey};
use super::schedule::{Landed, Schedule};
use super::status::ClusterStatuses;
use crate::api::PreviewEnvironment;
use crate::forge::Forge;

/// Deliveries at the same time: GitHub asks not to be written to in parallel, and one slow pull request is not to
/// hold up the others.
const FLIGHTS: usize = 4;
/// How long deliveries may go on after the shutdown began.
const LANDING: Duration = Duration::from_secs(5);

/// Tells the driver of changes, and the controller whether an environment may be forgotten.
#[derive(Clone)]
pub struct Notifier {
    on: Option<(UnboundedSender<PullKey>, Store<PreviewEnvironment>)>,
}

impl Notifier {
    /// For a service without a forge: it tells nobody, and nothing is left to say.
    pub fn off() -> Self {
        Self { on: None }
    }

    /// Something about the environment changed, or may have. Cheap; called for every change and for a deletion.
    pub fn changed(&self, environment: &PreviewEnvironment) {
        if let (Some((changes, _)), Some(key)) = (&self.on, PullKey::of(environment)) {
            // The driver is gone only while the service shuts down.
            changes.send(key).ok();
        }
    }

    /// Whether an environment that is gone may be forgotten, as far as its pull request is concerned:
    /// see [`group::nothing_left_to_say`].
    pub fn nothing_left_to_say(&self, environment: &PreviewEnvironment) -> bool {
        self.on.as_ref().is_none_or(|(_, store)| group::nothing_left_to_say(environment, &store.state()))
    }
}

/// Delivers comments until the service ends.
pub struct Driver {
    deliverer: Arc<Deliverer>,
    store: Store<PreviewEnvironment>,
    changes: UnboundedReceiver<PullKey>,
    schedule: Schedule,
    flights: FuturesUnordered<BoxFuture<'static, (PullKey, Landed)>>,
}

impl Driver {
    /// Over the environments in the store, which may be a little behind.
    pub fn new(client: Client, forge: Arc<dyn Forge>, store: Store<PreviewEnvironment>) -> (Self, Notifier) {
        Self::with(Deliverer::new(forge, Arc::new(ClusterStatuses::new(client))), store)
    }

    /// The same with records kept elsewhere.
    pub fn with(deliverer: Deliverer, store: Store<PreviewEnvironment>) -> (Self, Notifier) {
        let (sender, changes) = unbounded_channel();
        let notifier = Notifier { on: Some((sender, store.clone())) };
        let (schedule, flights) = (Schedule::default(), FuturesUnordered::new());
        (Self { deliverer: Arc::new(deliverer), store, changes, schedule, flights }, notifier)
    }

    /// Delivers until `shutdown` completes, then lets what is under way come to its end for five seconds.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) {
        let mut shutdown = pin!(shutdown);
        tokio::select! {
            () = &mut shutdown => return,
            ready = self.store.wait_until_ready() => if ready.is_err() { return },
        }
        let now = Instant::now();
        self.store.state().iter().filter_map(|e| PullKey::of(e)).for_each(|key| self.schedule.changed(key, now));
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                () = self.step() => {}
            }
        }
        let landing = async { while self.flights.next().await.is_some() {} };
        timeout(LANDING, landing).await.ok();
    }

    /// The next thing that happens: a change, the end of a delivery, or one that is due.
    async fn step(&mut self) {
        let due = self.schedule.next_due().filter(|_| self.flights.len() < FLIGHTS);
        tokio::select! {
            Some(key) = self.changes.recv() => self.take_changes(key),
            Some((key, landed)) = self.flights.next() => self.schedule.done(&key, landed, Instant::now()),
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => self.start_due(),
            else => std::future::pending().await,
        }
    }

    fn take_changes(&mut self, first: PullKey) {
        let now = Instant::now();
        self.schedule.changed(first, now);
        while let Ok(key) = self.changes.try_recv() {
            self.schedule.changed(key, now);
        }
    }

    fn start_due(&mut self) {
        let now = Instant::now();
        let mut index = Group::index(self.store.state());
        for key in self.schedule.due(now) {
            if self.flights.len() == FLIGHTS {
                break;
            }
            let members = index.remove(&key).unwrap_or_default();
            self.start(key, members, now);
        }
        self.forget_the_gone();
    }

    fn start(&mut self, key: PullKey, members: Vec<Arc<PreviewEnvironment>>, now: Instant) {
        let told = Group::of(key.clone(), members).and_then(|group| group.letter().map(|letter| (group, letter)));
        let done = |(group, letter): &_| self.schedule.memory(&key).is_some_and(|memory| memory.is_done(group, letter));
        let Some((group, letter)) = told.filter(|told| !done(told)) else { return self.schedule.rest(&key) };
        let Some(mut memory) = self.schedule.start(&key, &letter.digest, now) else { return };
        let deliverer = self.deliverer.clone();
        self.flights.push(Box::pin(async move {
            let outcome = deliverer.deliver(&group, &letter, &mut memory).await;
            (key, Landed { memory, outcome, digest: letter.digest })
        }));
    }

    /// Now and then, so that what is known here does not grow for ever.
    fn forget_the_gone(&mut self) {
        if self.schedule.len() > 2 * self.store.len() + 64 {
            let known = Group::index(self.store.state());
            self.schedule.retain(|key| known.contains_key(key));
        }
    }
}
