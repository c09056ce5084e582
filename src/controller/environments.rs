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
    /// UIDs of the list that is read, or was read last.
    listed: HashSet<String>,
}

impl Default for Environments {
    fn default() -> Self {
        Self { writer: Writer::new(()), listeners: Vec::new(), phases: HashMap::new(), listed: HashSet::new() }
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
        let mut events = Box::pin(guarded(api, "PreviewEnvironment"));
        while let Some(event) = events.next().await {
            self.take(event, &|told| tell(&context, told));
        }
    }

    /// Takes a step of the watch, and tells everybody of what it changes.
    fn take(&mut self, event: watcher::Event<DeserializeGuard<PreviewEnvironment>>, tell: &impl Fn(&Told<'_>)) {
        self.note_listed(&event);
        let Some(event) = unguarded(event, "PreviewEnvironment") else { return };
        let store = self.writer.as_reader();
        let before = if matches!(event, watcher::Event::InitDone) { store.state() } else { Vec::new() };
        self.writer.apply_watcher_event(&event);
        match event {
            watcher::Event::Init | watcher::Event::InitApply(_) => {}
            watcher::Event::InitDone => {
                // What went away while nobody watched.
                let gone: Vec<String> = self.phases.keys().filter(|uid| !self.listed.contains(*uid)).cloned().collect();
                for uid in gone {
                    let object = before.iter().find(|object| object.metadata.uid.as_ref() == Some(&uid));
                    self.deleted(&uid, object.map(Arc::as_ref), tell);
                }
                store.state().iter().for_each(|object| self.applied(object, tell));
            }
            watcher::Event::Apply(object) => self.applied(&object, tell),
            watcher::Event::Delete(object) => self.deleted(&object.uid().unwrap_or_default(), Some(&object), tell),
        }
    }

    /// Keeps the UIDs of a list, those of objects that cannot be read included: they are there.
    fn note_listed(&mut self, event: &watcher::Event<DeserializeGuard<PreviewEnvironment>>) {
        match event {
            watcher::Event::Init => self.listed.clear(),
            watcher::Event::InitApply(object) => self.listed.extend(object.meta().uid.clone()),
            _ => {}
        }
    }

    fn applied(&mut self, object: &PreviewEnvironment, tell: &impl Fn(&Told<'_>)) {
        let (uid, now) = (object.uid().unwrap_or_default(), phase_of(object));
        let before = self.phases.insert(uid.clone(), now);
        tell(&Told { uid: &uid, object: Some(object), before, now: Some(now) });
        self.listeners.iter().for_each(|listener| listener(Change::Applied(object)));
    }

    fn deleted(&mut self, uid: &str, object: Option<&PreviewEnvironment>, tell: &impl Fn(&Told<'_>)) {
        tell(&Told { uid, object, before: self.phases.remove(uid), now: None });
        if let Some(object) = object {
            self.listeners.iter().for_each(|listener| listener(Change::Deleted(object)));
        }
    }
}

/// What became of an environment, as the controller is told it.
#[derive(Debug)]
struct Told<'a> {
    uid: &'a str,
    /// As far as it could be read.
    object: Option<&'a PreviewEnvironment>,
    before: Option<&'static str>,
    /// Its phase; absent where it is gone.
    now: Option<&'static str>,
}

/// Has the controller act on a change.
fn tell(context: &Context, told: &Told<'_>) {
    context.metrics.environment_moved(told.before, told.now);
    match (told.now, told.object) {
        (Some(_), Some(object)) => context.wake.environment(&object.namespace().unwrap_or_default(), &object.name_any()),
        (Some(_), None) => {}
        (None, object) => forget(context, told.uid, object),
    }
}

fn forget(context: &Context, uid: &str, object: Option<&PreviewEnvironment>) {
    context.memory.forget(uid);
    context.hosts.release(uid);
    context.retries.forget(uid);
    context.images.keep_only(uid, &[]);
    context.pods.forget(uid);
    context.healing.forget(uid);
    context.behind.forget(uid);
    if let Some(object) = object {
        let namespace = object.namespace().unwrap_or_default();
        context.queue.forget(context, (&namespace, &object.spec.baseline, uid), context.clock.now());
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
    Box::pin(guarded(api, what).filter_map(move |event| async move { unguarded(event, what) }))
}

fn guarded<K>(api: Api<DeserializeGuard<K>>, what: &'static str) -> impl futures::Stream<Item = watcher::Event<DeserializeGuard<K>>>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
{
    log_errors(watcher(api, watcher::Config::default()).default_backoff(), what)
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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use serde_json::json;

    use super::*;

    type Event = watcher::Event<DeserializeGuard<PreviewEnvironment>>;

    fn object(name: &str, uid: &str) -> DeserializeGuard<PreviewEnvironment> {
        let metadata = json!({"name": name, "namespace": "shop", "uid": uid});
        serde_json::from_value(json!({"metadata": metadata, "spec": {"baseline": "main"}})).unwrap()
    }

    fn unreadable(name: &str, uid: &str) -> DeserializeGuard<PreviewEnvironment> {
        serde_json::from_value(json!({"metadata": {"name": name, "namespace": "shop", "uid": uid}, "spec": {"baseline": 1}})).unwrap()
    }

    fn list(objects: Vec<DeserializeGuard<PreviewEnvironment>>) -> Vec<Event> {
        let listed = objects.into_iter().map(Event::InitApply);
        [Event::Init].into_iter().chain(listed).chain([Event::InitDone]).collect()
    }

    /// What listeners were told after these events.
    fn told(environments: &mut Environments, events: Vec<Event>) -> Vec<String> {
        let told = Mutex::new(Vec::new());
        let tell = |one: &Told<'_>| {
            assert!(one.now.is_some() || one.before.is_some(), "what goes was counted: {one:?}");
            told.lock().unwrap().push(format!("{} is {}", one.uid, if one.now.is_some() { "there" } else { "gone" }));
        };
        for event in events {
            environments.take(event, &tell);
        }
        let mut told = told.into_inner().unwrap();
        told.sort();
        told
    }

    #[test]
    fn what_a_list_does_not_have_any_more_is_told_as_deleted() {
        let mut environments = Environments::default();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let listening = Arc::clone(&heard);
        environments.listen(Box::new(move |change| {
            if let Change::Deleted(object) = change {
                listening.lock().unwrap().push(object.uid().unwrap());
            }
        }));
        let first = vec![object("web-pr-1", "u-1"), object("web-pr-2", "u-2"), object("web-pr-3", "u-3")];
        assert_eq!(told(&mut environments, list(first)), ["u-1 is there", "u-2 is there", "u-3 is there"]);
        // Made again under the same name, or changed into something that this version cannot read.
        let second = vec![object("web-pr-2", "u-4"), unreadable("web-pr-3", "u-3")];
        assert_eq!(told(&mut environments, list(second)), ["u-1 is gone", "u-2 is gone", "u-4 is there"]);
        heard.lock().unwrap().sort();
        assert_eq!(*heard.lock().unwrap(), ["u-1", "u-2"]);
        let mut counted: Vec<&str> = environments.phases.keys().map(String::as_str).collect();
        counted.sort_unstable();
        assert_eq!(counted, ["u-3", "u-4"]);
        assert_eq!(told(&mut environments, list(vec![object("web-pr-2", "u-4")])), ["u-3 is gone", "u-4 is there"]);
    }
}
