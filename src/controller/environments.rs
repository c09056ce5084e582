//! Follows the environments and the Baselines, and tells whoever has to act on a change. Every replica does, whether it leads
//! or not. An object that cannot be read stops no watch: it is logged and passed over.

use std::collections::{HashMap, HashSet};
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt;
use futures::stream::BoxStream;
use kube::api::ObjectMeta;
use kube::core::DeserializeGuard;
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::time::Instant;

use super::baselines::Baselines;
use super::light::in_pages;
use super::watch::log_errors;
use crate::api::{Baseline, PreviewEnvironment};

/// What became of something.
#[derive(Clone, Copy, Debug)]
pub enum Change<'a> {
    /// An environment is new or different.
    Applied(&'a PreviewEnvironment),
    /// An environment is gone.
    Deleted(&'a PreviewEnvironment),
    /// The Baselines of that namespace say something else than before.
    Baselines(&'a str),
}

/// Told of every change.
pub type Listener = Box<dyn Fn(Change<'_>) + Send + Sync>;

/// The environments and the Baselines, as the watches bring them. Clones share them.
#[derive(Clone)]
pub struct View {
    /// Every environment.
    pub environments: Store<PreviewEnvironment>,
    /// Every Baseline.
    pub baselines: Arc<Baselines>,
    listeners: Arc<Mutex<Vec<Listener>>>,
    /// Lists that began before that moment do not count.
    wanted: watch::Sender<Option<Instant>>,
    /// When the last complete lists began: of environments, and of Baselines.
    listed: watch::Sender<(Option<Instant>, Option<Instant>)>,
}

/// Somebody is told of changes until this is dropped.
pub struct Listening(Arc<Mutex<Vec<Listener>>>);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// Follows the watches.
pub struct Follower {
    view: View,
    writer: Writer<PreviewEnvironment>,
}

/// The environments that listeners were told of, by UID: a list that does not name one, and names nothing of its UID that
/// cannot be read, says that it is gone.
#[derive(Default)]
struct Known {
    told: HashMap<String, Arc<PreviewEnvironment>>,
    /// UIDs of the list that is read, or was read last, of objects that cannot be read.
    unread: Arc<Mutex<HashSet<String>>>,
}

impl Known {
    /// Notes objects that cannot be read.
    fn note(&self) -> impl Fn(&ObjectMeta) + Clone + Send + Sync + 'static {
        let unread = Arc::clone(&self.unread);
        move |object| unread.lock().unwrap_or_else(PoisonError::into_inner).extend(object.uid.clone())
    }

    fn begin(&self) {
        self.unread.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn put(&mut self, object: &Arc<PreviewEnvironment>) {
        self.told.insert(object.uid().unwrap_or_default(), Arc::clone(object));
    }

    /// Those that a whole list does not name any more: they went while nothing was watched.
    fn missing(&mut self, there: &[Arc<PreviewEnvironment>]) -> Vec<Arc<PreviewEnvironment>> {
        let listed: HashSet<String> = there.iter().filter_map(|object| object.uid()).collect();
        let unread = self.unread.lock().unwrap_or_else(PoisonError::into_inner);
        self.told.extract_if(|uid, _| !listed.contains(uid) && !unread.contains(uid)).map(|(_, object)| object).collect()
    }
}

impl Follower {
    /// Nothing was listed yet.
    pub fn new() -> Self {
        let writer = Writer::new(());
        let view = View {
            environments: writer.as_reader(),
            baselines: Arc::default(),
            listeners: Arc::default(),
            wanted: watch::Sender::new(None),
            listed: watch::Sender::new((None, None)),
        };
        Self { view, writer }
    }

    /// What it sees.
    pub fn view(&self) -> View {
        self.view.clone()
    }

    /// Follows them until it is dropped.
    pub async fn follow(self, client: Client) {
        let Self { view, writer } = self;
        futures::join!(environments(&view, writer, &client), baselines(&view, &client));
    }
}

impl Default for Follower {
    fn default() -> Self {
        Self::new()
    }
}

impl View {
    /// Waits until both are known as they were at that moment or later: what was heard before may be old.
    pub async fn as_of(&self, moment: Instant) {
        self.wanted.send_replace(Some(moment));
        let mut listed = self.listed.subscribe();
        // The sender is here, so it is not gone.
        let _ = listed.wait_for(|(environments, baselines)| environments.min(baselines).is_some_and(|began| began >= moment)).await;
    }

    /// Tells these listeners of everything that is there, and then of every change. Who was told before is not any more.
    #[must_use = "dropped, it tells nobody"]
    pub fn tell(&self, listeners: Vec<Listener>) -> Listening {
        let mut told = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        *told = listeners;
        for object in self.environments.state() {
            told.iter().for_each(|listener| listener(Change::Applied(&object)));
        }
        Listening(Arc::clone(&self.listeners))
    }

    fn changed(&self, change: Change<'_>) {
        let told = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        told.iter().for_each(|listener| listener(change));
    }

    /// Events of a watch, which begins with a list again where one is wanted that is newer. Each comes with when its list began.
    /// Objects that cannot be read are noted.
    fn events<K>(
        &self,
        client: &Client,
        what: &'static str,
        note: impl Fn(&ObjectMeta) + Clone + Send + Sync + 'static,
    ) -> BoxStream<'static, (Instant, watcher::Event<K>)>
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
    {
        let (client, wanted) = (client.clone(), self.wanted.subscribe());
        let begin = move |mut wanted: watch::Receiver<Option<Instant>>| {
            let (api, began) = (Api::all(client.clone()), Instant::now());
            // Not seen as changed where it is satisfied by the list that begins now.
            wanted.borrow_and_update();
            let next = wanted.clone();
            let newer = async move { wanted.wait_for(|moment| moment.is_some_and(|moment| moment > began)).await.map(drop) };
            let events = readable::<K>(api, what, note.clone()).map(move |event| (began, event));
            Some((events.take_until(newer), next))
        };
        let watches = futures::stream::unfold(wanted, move |wanted| futures::future::ready(begin(wanted)));
        watches.flatten().boxed()
    }
}

/// The namespace and the name of an object.
fn key<K: Resource>(object: &K) -> (String, String) {
    (object.namespace().unwrap_or_default(), object.name_any())
}

async fn environments(view: &View, mut writer: Writer<PreviewEnvironment>, client: &Client) {
    let mut known = Known::default();
    let mut events = view.events(client, "PreviewEnvironment", known.note());
    while let Some((began, event)) = events.next().await {
        take(view, (&mut writer, &mut known), event, began);
    }
}

/// Takes a step of the watch, and tells everybody of what it changes.
fn take(
    view: &View,
    (writer, known): (&mut Writer<PreviewEnvironment>, &mut Known),
    event: watcher::Event<PreviewEnvironment>,
    began: Instant,
) {
    writer.apply_watcher_event(&event);
    match event {
        watcher::Event::Init => known.begin(),
        watcher::Event::InitApply(_) => {}
        watcher::Event::InitDone => {
            let there = view.environments.state();
            known.missing(&there).iter().for_each(|object| view.changed(Change::Deleted(object)));
            for object in &there {
                known.put(object);
                view.changed(Change::Applied(object));
            }
            view.listed.send_modify(|(environments, _)| *environments = Some(began));
        }
        watcher::Event::Apply(object) => {
            if let Some(shared) = view.environments.get(&ObjectRef::from_obj(&object)) {
                known.put(&shared);
            }
            view.changed(Change::Applied(&object));
        }
        watcher::Event::Delete(object) => {
            known.told.remove(&object.uid().unwrap_or_default());
            view.changed(Change::Deleted(&object));
        }
    }
}

async fn baselines(view: &View, client: &Client) {
    let mut events = view.events::<Baseline>(client, "Baseline", |_| ());
    let mut listed = Vec::new();
    while let Some((began, event)) = events.next().await {
        match event {
            watcher::Event::Init => listed.clear(),
            watcher::Event::InitApply(object) => {
                listed.push(key(&object));
                put(view, object);
            }
            watcher::Event::InitDone => {
                view.baselines.keep(&std::mem::take(&mut listed));
                view.listed.send_modify(|(_, baselines)| *baselines = Some(began));
            }
            watcher::Event::Apply(object) => put(view, object),
            watcher::Event::Delete(object) => {
                let (namespace, name) = key(&object);
                view.baselines.remove(&namespace, &name);
                view.changed(Change::Baselines(&namespace));
            }
        }
    }
}

/// A Baseline whose spec is new changes what its environments should be; most of a new status changes nothing.
fn put(view: &View, object: Baseline) {
    let (namespace, name) = key(&object);
    let before = view.baselines.get(&namespace, &name);
    view.baselines.put(object);
    if view.baselines.get(&namespace, &name) != before {
        view.changed(Change::Baselines(&namespace));
    }
}

fn readable<K>(
    api: Api<DeserializeGuard<K>>,
    what: &'static str,
    note: impl Fn(&ObjectMeta) + Send + 'static,
) -> BoxStream<'static, watcher::Event<K>>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let events = log_errors(watcher(api, in_pages()).default_backoff(), what);
    events.filter_map(move |event| futures::future::ready(unguarded(event, what, &note))).boxed()
}

fn unguarded<K: Resource<DynamicType = ()> + Debug>(
    event: watcher::Event<DeserializeGuard<K>>,
    what: &'static str,
    note: &impl Fn(&ObjectMeta),
) -> Option<watcher::Event<K>> {
    let read = |guarded: DeserializeGuard<K>| {
        let object = guarded.0.inspect_err(|error| {
            note(&error.metadata);
            tracing::warn!(kind = what, object = error.metadata.name, %error, "an object cannot be read and is passed over");
        });
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
    use super::*;
    use serde_json::json;

    fn environment(uid: &str) -> Arc<PreviewEnvironment> {
        let mut object = PreviewEnvironment::new(uid, serde_json::from_value(json!({"baseline": "main"})).unwrap());
        object.metadata.uid = Some(uid.to_owned());
        Arc::new(object)
    }

    type Guarded = watcher::Event<DeserializeGuard<PreviewEnvironment>>;

    fn object(name: &str, uid: &str, spec: &serde_json::Value) -> Guarded {
        let metadata = json!({"name": name, "namespace": "shop", "uid": uid});
        Guarded::InitApply(serde_json::from_value(json!({"metadata": metadata, "spec": spec})).unwrap())
    }

    fn readable(name: &str, uid: &str) -> Guarded {
        object(name, uid, &json!({"baseline": "main"}))
    }

    #[test]
    fn what_a_list_does_not_name_any_more_is_told_as_gone() {
        let (view, mut writer, mut known) = {
            let Follower { view, writer } = Follower::new();
            (view, writer, Known::default())
        };
        let heard = Arc::new(Mutex::new(Vec::new()));
        let hear = Arc::clone(&heard);
        let _listening = view.tell(vec![Box::new(move |change| {
            let (uid, what) = match change {
                Change::Applied(object) => (object.uid().unwrap(), "there"),
                Change::Deleted(object) => (object.uid().unwrap(), "gone"),
                Change::Baselines(_) => return,
            };
            hear.lock().unwrap().push(format!("{uid} is {what}"));
        })]);
        let note = known.note();
        let mut told = |objects: Vec<Guarded>| {
            for event in [Guarded::Init].into_iter().chain(objects).chain([Guarded::InitDone]) {
                let Some(event) = unguarded(event, "PreviewEnvironment", &note) else { continue };
                take(&view, (&mut writer, &mut known), event, Instant::now());
            }
            let mut told = std::mem::take(&mut *heard.lock().unwrap());
            told.sort();
            told
        };
        let first = vec![readable("web-pr-1", "u-1"), readable("web-pr-2", "u-2"), readable("web-pr-3", "u-3")];
        assert_eq!(told(first), ["u-1 is there", "u-2 is there", "u-3 is there"]);
        // Made again under the same name, or changed into something that this version cannot read.
        let second = vec![readable("web-pr-2", "u-4"), object("web-pr-3", "u-3", &json!({"baseline": 1}))];
        assert_eq!(told(second), ["u-1 is gone", "u-2 is gone", "u-4 is there"]);
        assert_eq!(told(vec![readable("web-pr-2", "u-4")]), ["u-3 is gone", "u-4 is there"]);
    }

    #[test]
    fn listeners_hear_of_what_is_there_and_of_changes_until_they_leave() {
        let mut follower = Follower::new();
        let view = follower.view();
        follower.writer.apply_watcher_event(&watcher::Event::Apply(environment("a").as_ref().clone()));
        let heard = Arc::new(Mutex::new(Vec::new()));
        let note = Arc::clone(&heard);
        let listener: Listener =
            Box::new(move |change| note.lock().unwrap().push(format!("{change:?}").split('(').next().unwrap().to_owned()));
        let listening = view.tell(vec![listener]);
        view.changed(Change::Baselines("shop"));
        drop(listening);
        view.changed(Change::Baselines("shop"));
        assert_eq!(*heard.lock().unwrap(), ["Applied", "Baselines"]);
    }
}
