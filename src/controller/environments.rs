//! Follows the environments and the Baselines, and tells whoever has to act on a change. An object that cannot be read
//! stops no watch: it is logged and passed over.

use std::collections::{HashMap, HashSet};
use std::fmt::Debug;
use std::sync::Arc;

use futures::StreamExt;
use kube::core::DeserializeGuard;
use kube::runtime::reflector::Store;
use kube::runtime::reflector::store::Writer;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use super::Context;
use super::watch::log_errors;
use crate::api::{Baseline, PreviewEnvironment};

/// What became of an environment.
#[derive(Clone, Copy, Debug)]
pub enum Change<'a> {
    /// It is new or different.
    Applied(&'a PreviewEnvironment),
    /// It is gone.
    Deleted(&'a PreviewEnvironment),
}

/// Told of every change of an environment.
pub type Listener = Box<dyn Fn(Change<'_>) + Send + Sync>;

/// The environments as the watch brings them.
pub struct Environments {
    writer: Writer<PreviewEnvironment>,
    listeners: Vec<Listener>,
    phases: HashMap<String, &'static str>,
}

impl Default for Environments {
    fn default() -> Self {
        Self { writer: Writer::new(()), listeners: Vec::new(), phases: HashMap::new() }
    }
}

impl Environments {
    /// All of them, as far as they were listed.
    pub fn store(&self) -> Store<PreviewEnvironment> {
        self.writer.as_reader()
    }

    /// Adds somebody to be told of every change.
    pub fn listen(&mut self, listener: Listener) {
        self.listeners.push(listener);
    }

    /// Follows them until it is dropped.
    pub async fn follow(mut self, context: Arc<Context>) {
        let api: Api<DeserializeGuard<PreviewEnvironment>> = Api::all(context.client.clone());
        let mut events = readable(api, "PreviewEnvironment");
        while let Some(event) = events.next().await {
            self.writer.apply_watcher_event(&event);
            let store = self.writer.as_reader();
            match event {
                watcher::Event::Init | watcher::Event::InitApply(_) => {}
                watcher::Event::InitDone => {
                    let there = store.state();
                    self.count_only(&context, &there);
                    for object in &there {
                        self.applied(&context, object);
                    }
                }
                watcher::Event::Apply(object) => self.applied(&context, &object),
                watcher::Event::Delete(object) => self.deleted(&context, &object),
            }
        }
    }

    /// A list may have left out what was counted before.
    fn count_only(&mut self, context: &Context, there: &[Arc<PreviewEnvironment>]) {
        let listed: HashSet<String> = there.iter().filter_map(|object| object.uid()).collect();
        self.phases.retain(|uid, phase| {
            let is_there = listed.contains(uid);
            if !is_there {
                context.metrics.environment_moved(Some(phase), None);
            }
            is_there
        });
    }

    fn count(&mut self, context: &Context, object: &PreviewEnvironment, now: Option<&'static str>) {
        let uid = object.uid().unwrap_or_default();
        let before = match now {
            Some(phase) => self.phases.insert(uid, phase),
            None => self.phases.remove(&uid),
        };
        context.metrics.environment_moved(before, now);
    }

    fn applied(&mut self, context: &Context, object: &PreviewEnvironment) {
        self.count(context, object, Some(phase_of(object)));
        context.wake.environment(&object.namespace().unwrap_or_default(), &object.name_any());
        self.listeners.iter().for_each(|listener| listener(Change::Applied(object)));
    }

    fn deleted(&mut self, context: &Context, object: &PreviewEnvironment) {
        self.count(context, object, None);
        let uid = object.uid().unwrap_or_default();
        context.memory.forget(&uid);
        context.hosts.release(&uid);
        context.retries.forget(&uid);
        context.images.keep_only(&uid, &[]);
        context.pods.forget(&uid);
        context.healing.forget(&uid);
        context.behind.forget(&uid);
        let namespace = object.namespace().unwrap_or_default();
        context.queue.forget(context, (&namespace, &object.spec.baseline, &uid), context.clock.now());
        self.listeners.iter().for_each(|listener| listener(Change::Deleted(object)));
    }
}

/// The phase as a word for metrics, of which there are few.
fn phase_of(object: &PreviewEnvironment) -> &'static str {
    let phase = object.status.as_ref().and_then(|s| s.phase.as_deref());
    super::status::PHASES.into_iter().find(|known| Some(*known) == phase).unwrap_or("New")
}

/// Follows the Baselines until it is dropped.
pub async fn baselines(context: Arc<Context>) {
    let mut events = readable::<Baseline>(Api::all(context.client.clone()), "Baseline");
    let mut listed = Vec::new();
    let key = |object: &Baseline| (object.namespace().unwrap_or_default(), object.name_any());
    while let Some(event) = events.next().await {
        match event {
            watcher::Event::Init => listed.clear(),
            watcher::Event::InitApply(object) => {
                listed.push(key(&object));
                put(&context, &context.client, object);
            }
            watcher::Event::InitDone => context.baselines.keep(&std::mem::take(&mut listed)),
            watcher::Event::Apply(object) => put(&context, &context.client, object),
            watcher::Event::Delete(object) => {
                let (namespace, name) = key(&object);
                context.baselines.remove(&namespace, &name);
                context.wake_namespace(&namespace);
            }
        }
    }
}

/// A Baseline whose spec is new changes what its environments should be; a new status changes nothing.
fn put(context: &Context, client: &Client, object: Baseline) {
    let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
    let before = context.baselines.get(&namespace, &name);
    context.baselines.put(client, object);
    if context.baselines.get(&namespace, &name) != before {
        context.wake_namespace(&namespace);
    }
}

fn readable<K>(api: Api<DeserializeGuard<K>>, what: &'static str) -> impl futures::Stream<Item = watcher::Event<K>> + Unpin
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let events = log_errors(watcher(api, watcher::Config::default()).default_backoff(), what);
    Box::pin(events.filter_map(move |event| async move { unguarded(event, what) }))
}

fn unguarded<K: Resource<DynamicType = ()> + Debug>(
    event: watcher::Event<DeserializeGuard<K>>,
    what: &'static str,
) -> Option<watcher::Event<K>> {
    let read = |guarded: DeserializeGuard<K>| {
        let object = guarded.0.inspect_err(
            |error| tracing::warn!(kind = what, object = error.metadata.name, %error, "an object cannot be read and is passed over"),
        );
        object.ok().map(|mut object| {
            object.meta_mut().managed_fields = None;
            object
        })
    };
    match event {
        watcher::Event::Init => Some(watcher::Event::Init),
        watcher::Event::InitDone => Some(watcher::Event::InitDone),
        watcher::Event::InitApply(guarded) => read(guarded).map(watcher::Event::InitApply),
        watcher::Event::Apply(guarded) => read(guarded).map(watcher::Event::Apply),
        watcher::Event::Delete(guarded) => read(guarded).map(watcher::Event::Delete),
    }
}
