//! Watches for changes and delivers what is shown, some pull requests at a time, one delivery to each at a time. Nothing waits for
//! this, and it waits for nothing but the forge and the API server.

use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use kube::Client;
use kube::runtime::reflector::Store;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep_until, timeout};

use super::deliver::{Deliverer, Measure, Outcome};
use super::group::{self, Group, PullKey, pull_source};
use super::heads::Heads;
use super::lanes::Account;
use super::schedule::{Landed, Schedule};
use super::sources::Sources;
use super::status::ClusterStatuses;
use super::urgency::Urgency;
use crate::api::PreviewEnvironment;
use crate::api::environment::SourceState;
use crate::clock::Clock;
use crate::forge::Forge;
use crate::traces::{self, Span, Traces};

/// How often everything is looked at again: a Baseline may say something else, and a change may have got lost.
const SWEEP: Duration = Duration::from_secs(600);
/// For how long before somebody else stopped leading he may have delivered what he could not record any more: two answers of the
/// forge, and what clocks are apart.
const UNRECORDED: TimeDelta = TimeDelta::minutes(3);
/// How long deliveries may go on after the shutdown began.
const LANDING: Duration = Duration::from_secs(5);

/// Tells the driver of changes, and the controller whether an environment may be forgotten.
#[derive(Clone)]
pub struct Notifier {
    on: Option<On>,
}

/// A pull request of which something changed, and whose limits count for it.
type Change = (PullKey, Account);

/// What a driver and its notifier share.
#[derive(Clone)]
struct On {
    changes: UnboundedSender<Change>,
    store: Store<PreviewEnvironment>,
    sources: Sources,
    clock: Clock,
}

impl Notifier {
    /// For a service without a forge: it tells nobody, and nothing is left to say.
    pub fn off() -> Self {
        Self { on: None }
    }

    /// Something about the environment changed, or may have. Cheap; called for every change and for a deletion.
    pub fn changed(&self, environment: &PreviewEnvironment) {
        if let Some(on) = &self.on
            && let Some(change) = on.sources.change_of(environment)
        {
            // The driver is gone only while the service shuts down.
            on.changes.send(change).ok();
        }
    }

    /// The Baselines of a namespace say something else, so what is shown of their environments may be another.
    pub fn baselines_changed(&self, namespace: &str) {
        let Some(on) = &self.on else { return };
        for environment in on.store.state_filter(|environment| environment.metadata.namespace.as_deref() == Some(namespace)) {
            self.changed(&environment);
        }
    }

    /// Whether an environment that is gone may be forgotten, as far as its pull request is concerned:
    /// see [`group::nothing_left_to_say`].
    pub fn nothing_left_to_say(&self, environment: &PreviewEnvironment) -> bool {
        let is_over = |on: &On| group::nothing_left_to_say(environment, &on.store.state(), &on.sources, on.clock.now());
        self.on.as_ref().is_none_or(is_over)
    }
}

/// Delivers until the service ends.
pub struct Driver {
    deliverer: Arc<Deliverer>,
    clock: Clock,
    traces: Traces,
    sources: Sources,
    store: Store<PreviewEnvironment>,
    changes: UnboundedReceiver<Change>,
    schedule: Schedule,
    flights: FuturesUnordered<BoxFuture<'static, (PullKey, Landed)>>,
    sweep_at: Instant,
    /// What changed since then may be shown otherwise than it is recorded. None where nobody delivered before.
    doubts_since: Option<DateTime<Utc>>,
}

impl Driver {
    /// Over the environments in the store, which may be a little behind. By that clock, since what is shown of times is
    /// compared with what the API server stamps.
    pub fn new(
        (client, clock): (Client, Clock),
        forge: Arc<dyn Forge>,
        store: Store<PreviewEnvironment>,
        sources: Sources,
    ) -> (Self, Notifier) {
        let statuses = ClusterStatuses::new(client, clock.clone());
        Self::timed((Deliverer::new(forge, Arc::new(statuses)), clock), store, sources)
    }

    /// The same with records kept elsewhere, by a clock that no API server has told the time yet.
    pub fn with(deliverer: Deliverer, store: Store<PreviewEnvironment>, sources: Sources) -> (Self, Notifier) {
        Self::timed((deliverer, Clock::default()), store, sources)
    }

    /// The same by that clock.
    pub fn timed((deliverer, clock): (Deliverer, Clock), store: Store<PreviewEnvironment>, sources: Sources) -> (Self, Notifier) {
        let (sender, changes) = unbounded_channel();
        let sources = sources.on(deliverer.forge());
        let on = On { changes: sender, store: store.clone(), sources: sources.clone(), clock: clock.clone() };
        let notifier = Notifier { on: Some(on) };
        let (schedule, flights) = (Schedule::default(), FuturesUnordered::new());
        let sweep_at = Instant::now() + SWEEP;
        let traces = Traces::default();
        let doubts_since = None;
        let deliverer = Arc::new(deliverer);
        (Self { deliverer, clock, traces, sources, store, changes, schedule, flights, sweep_at, doubts_since }, notifier)
    }

    /// The same after somebody else who led until then, as far as is known.
    pub fn following(self, led_before: Option<DateTime<Utc>>) -> Self {
        let until = led_before.unwrap_or_else(|| self.clock.now());
        Self { doubts_since: Some(until - UNRECORDED), ..self }
    }

    /// The same with traces of what it delivers.
    pub fn traced(self, traces: Traces) -> Self {
        Self { traces, ..self }
    }

    /// Delivers until `shutdown` completes, then lets what is under way come to its end for five seconds.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) {
        let mut shutdown = pin!(shutdown);
        tokio::select! {
            () = &mut shutdown => return,
            ready = self.store.wait_until_ready() => if ready.is_err() { return },
        }
        self.look_at_all();
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
        let due = self.schedule.next_due(Instant::now());
        tokio::select! {
            Some(change) = self.changes.recv() => self.take_changes(change),
            Some((key, landed)) = self.flights.next() => self.schedule.done(&key, landed, Instant::now()),
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => self.start_due(),
            () = sleep_until(self.sweep_at) => self.look_at_all(),
        }
    }

    fn look_at_all(&mut self) {
        let now = Instant::now();
        self.sweep_at = now + SWEEP;
        for (key, account) in self.store.state().iter().filter_map(|environment| self.sources.change_of(environment)) {
            self.schedule.changed(key, account, now);
        }
    }

    fn take_changes(&mut self, (key, account): Change) {
        let now = Instant::now();
        self.schedule.changed(key, account, now);
        while let Ok((key, account)) = self.changes.try_recv() {
            self.schedule.changed(key, account, now);
        }
    }

    fn start_due(&mut self) {
        let now = Instant::now();
        let all = self.store.state();
        let (heads, mut index) = (Heads::of(&all), Group::index(all.clone()));
        for key in self.due((&index, &heads), now) {
            if self.schedule.has_room(&key, now) {
                let members = index.remove(&key).unwrap_or_default();
                self.start(key, (members, &heads), now);
            }
        }
        self.forget_the_gone();
    }

    fn due(&mut self, (index, heads): (&HashMap<PullKey, Vec<Arc<PreviewEnvironment>>>, &Heads<'_>), now: Instant) -> Vec<PullKey> {
        let (sources, wall) = (&self.sources, self.clock.now());
        self.schedule.due(now, |key, memory| {
            let group = Group::of(key.clone(), index.get(key)?.clone())?.among(heads);
            let show = sources.show(&group, wall)?;
            (!memory.is_done(&group, &show)).then(|| Urgency::of(&show, &memory.feedbacks(&group)))
        })
    }

    fn start(&mut self, key: PullKey, (members, heads): (Vec<Arc<PreviewEnvironment>>, &Heads<'_>), now: Instant) {
        let wall = self.clock.now();
        let group = Group::of(key.clone(), members).map(|group| self.sources.named(group.among(heads)));
        let told = group.and_then(|group| self.sources.show(&group, wall).map(|show| (group, show)));
        let Some((group, show)) = told else { return self.schedule.rest(&key, None) };
        let changes_at = show.changes_at.and_then(|at| after(now, at - wall));
        let memory = self.schedule.memory(&key);
        let is_doubtful = memory.zip(self.doubts_since).is_some_and(|(memory, since)| memory.doubts(&group, since));
        if !is_doubtful && memory.is_some_and(|memory| memory.is_done(&group, &show)) {
            return self.schedule.rest(&key, changes_at);
        }
        let measure = if self.schedule.is_thrifty(&key, now) { Measure::Thrifty } else { Measure::All };
        let Some(mut memory) = self.schedule.start(&key, &show.gist, now) else { return };
        // A replica that begins to lead looks at all of them, finds most as they should be, and says some once more.
        let is_news = !show.is_shown(&memory.feedbacks(&group));
        if is_doubtful {
            memory.doubt(&group);
        }
        memory.trust();
        self.rename_after(&group, heads, now);
        let (deliverer, traces) = (self.deliverer.clone(), self.traces.clone());
        self.flights.push(Box::pin(async move {
            let outcome = deliverer.deliver(&group, (&show, measure), &mut memory).await;
            if is_news {
                trace(&traces, &group, outcome, now.elapsed());
            }
            (key, Landed { memory, outcome, gist: show.gist, changes_at })
        }));
    }

    /// Looks at the pull requests whose checks are called otherwise where this one has the same commit, and do not say so yet.
    fn rename_after(&mut self, group: &Group, heads: &Heads<'_>, now: Instant) {
        for other in group.members().iter().flat_map(|member| heads.after(member)) {
            let is_renamed = group::recorded(other).and_then(|feedback| feedback.check.as_ref()).is_none_or(|check| check.name.is_some());
            if let Some((key, account)) = self.sources.change_of(other).filter(|_| !is_renamed) {
                self.schedule.changed(key, account, now);
            }
        }
    }

    /// Now and then, so that what is known here does not grow for ever.
    fn forget_the_gone(&mut self) {
        if self.schedule.len() > 2 * self.store.len() + 64 {
            let known = Group::index(self.store.state());
            self.schedule.retain(|key| known.contains_key(key));
        }
    }
}

/// Tells of it in the trace of each commit that it was about. What has ended has no trace any more.
fn trace(traces: &Traces, group: &Group, outcome: Outcome, took: Duration) {
    for member in group.members() {
        let change = || {
            let source = pull_source(member).filter(|source| source.state == SourceState::Open)?;
            let (namespace, environment) = (member.metadata.namespace.as_deref()?, member.metadata.name.as_deref()?);
            Some(traces::Change { namespace, environment, source })
        };
        let Some(trace) = traces.of(change) else { continue };
        let span = Span::part("comment", took).asks();
        trace.tell(match outcome {
            Outcome::Delivered => span.with("preview.result", "delivered"),
            Outcome::Partly => span.with("preview.result", "partly"),
            Outcome::Retry(_) => span.with("preview.result", "retry").failed("Retrying"),
            Outcome::Enough(_) => span.with("preview.result", "enough").failed("Retrying"),
            Outcome::Refused => span.with("preview.result", "refused").failed("Refused"),
        });
    }
}

/// So long after a moment of the clock that only goes forward. A second more, so that what is to be so then is so.
fn after(now: Instant, wait: chrono::TimeDelta) -> Option<Instant> {
    now.checked_add(wait.to_std().ok()? + Duration::from_secs(1))
}
