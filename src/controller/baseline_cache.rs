//! What the namespace of one Baseline holds, kept by watches in that namespace alone.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::StreamExt;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::{DynamicObject, PartialObjectMeta};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use tokio::sync::Notify;

use crate::api::names::LABEL_POD_SECURITY;
use crate::kinds::{KINDS, Kind, Known, Reading};
use crate::plan::{Manifest, ObjectName};

/// A watch that fails is tried again at least twice a minute. One that says nothing for longer has got through: a watch
/// that goes on where it was interrupted gives no sign of it.
const ERROR_LIFE: Duration = Duration::from_secs(90);

/// The objects of a baseline's namespace.
#[derive(Debug, Default)]
pub struct BaselineCache {
    inner: Mutex<Inner>,
    changed: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Inner {
    whole: HashMap<&'static Kind, BTreeMap<String, Manifest>>,
    names: HashMap<&'static Kind, HashSet<String>>,
    listed: HashSet<&'static Kind>,
    namespace_listed: bool,
    errors: BTreeMap<&'static Kind, (String, Instant)>,
    pod_security: Option<String>,
    /// Counts the changes of what is cloned.
    version: u64,
}

/// What a cache holds at one moment.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// Objects of the kinds that are cloned.
    pub objects: Vec<Manifest>,
    /// Objects of other kinds that nothing else controls.
    pub others: Vec<ObjectName>,
}

impl Inner {
    fn is_complete(&self) -> bool {
        self.namespace_listed && watched().all(|kind| self.listed.contains(kind))
    }

    /// The objects of a kind, which are about to change.
    fn moving(&mut self, kind: &'static Kind) -> &mut BTreeMap<String, Manifest> {
        self.version += 1;
        self.whole.entry(kind).or_default()
    }
}

impl BaselineCache {
    /// A cache that says so whenever a first list is complete or a watch fails.
    pub fn new(changed: Arc<Notify>) -> Self {
        Self { inner: Mutex::default(), changed }
    }

    fn lock<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        work(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Everything, once every kind was listed.
    pub fn contents(&self) -> Option<Contents> {
        self.lock(|i| {
            i.is_complete().then(|| Contents {
                objects: i.whole.values().flat_map(BTreeMap::values).cloned().collect(),
                others: other_names(&i.names),
            })
        })
    }

    /// A number that changes with everything that is cloned; absent before all of it was listed.
    pub fn version(&self) -> Option<u64> {
        self.lock(|i| i.is_complete().then_some(i.version))
    }

    /// The Pod Security level that the namespace enforces, if it enforces one.
    pub fn pod_security(&self) -> Option<String> {
        self.lock(|i| i.pod_security.clone())
    }

    /// The kinds that cannot be watched, with the API server's reason.
    pub fn errors(&self) -> Vec<String> {
        let recent =
            |(kind, (error, at)): (&&Kind, &(String, Instant))| (at.elapsed() < ERROR_LIFE).then(|| format!("{}: {error}", kind.kind));
        self.lock(|i| i.errors.iter().filter_map(recent).collect())
    }

    fn listed(&self, kind: &'static Kind) {
        self.lock(|i| {
            i.listed.insert(kind);
            i.errors.remove(kind);
        });
        self.changed.notify_one();
    }

    fn failed(&self, kind: &'static Kind, error: &watcher::Error) {
        let text = error.to_string();
        let before = self.lock(|i| i.errors.insert(kind, (text.clone(), Instant::now())));
        let news = before.is_none_or(|(known, _)| known != text);
        if news {
            self.changed.notify_one();
        }
    }
}

fn watched() -> impl Iterator<Item = &'static Kind> {
    let is_read = |known: &&Known| matches!(known.treatment.reading(), Reading::Whole | Reading::NameOnly) && !known.installed;
    KINDS.iter().filter(is_read).map(|known| &known.kind)
}

fn other_names(names: &HashMap<&'static Kind, HashSet<String>>) -> Vec<ObjectName> {
    let of_kind = |kind: &'static Kind| {
        let names = names.get(kind).into_iter().flatten();
        names.map(|name| ObjectName { api_version: kind.api_version.to_string(), kind: kind.kind.to_string(), name: name.clone() })
    };
    let mut others: Vec<_> = watched().flat_map(of_kind).collect();
    others.sort();
    others
}

/// Keeps the cache of a namespace up to date until it is dropped.
pub async fn follow(client: Client, namespace: String, cache: Arc<BaselineCache>) {
    let watches = watched().map(|kind| follow_kind(client.clone(), namespace.clone(), kind, cache.clone()));
    let follow_label = follow_label(Api::all(client.clone()), &namespace, &cache);
    futures::join!(futures::future::join_all(watches), follow_label);
}

/// The namespace itself, for the one label of it that its copies share.
async fn follow_label(api: Api<PartialObjectMeta<Namespace>>, namespace: &str, cache: &BaselineCache) {
    let one = watcher::Config::default().fields(&format!("metadata.name={namespace}"));
    let mut events = std::pin::pin!(watcher(api, one).default_backoff());
    while let Some(event) = events.next().await {
        match event {
            Ok(watcher::Event::InitApply(object) | watcher::Event::Apply(object)) => {
                cache.lock(|i| i.pod_security = object.labels().get(LABEL_POD_SECURITY).cloned());
            }
            Ok(watcher::Event::InitDone) => {
                cache.lock(|i| i.namespace_listed = true);
                cache.changed.notify_one();
            }
            Ok(watcher::Event::Init | watcher::Event::Delete(_)) => {}
            Err(error) => tracing::warn!(namespace, %error, "a watch was interrupted and goes on"),
        }
    }
}

async fn follow_kind(client: Client, namespace: String, kind: &'static Kind, cache: Arc<BaselineCache>) {
    match Known::find(kind.group(), &kind.kind).map(|known| known.treatment.reading()) {
        Some(Reading::Whole) => follow_whole(Api::namespaced_with(client, &namespace, &kind.resource()), kind, &cache).await,
        _ => follow_names(Api::namespaced_with(client, &namespace, &kind.resource()), kind, &cache).await,
    }
}

async fn follow_whole(api: Api<DynamicObject>, kind: &'static Kind, cache: &BaselineCache) {
    let mut fresh = BTreeMap::new();
    let mut events = std::pin::pin!(watcher(api, watcher::Config::default()).default_backoff());
    while let Some(event) = events.next().await {
        match event {
            Ok(watcher::Event::Init) => fresh = BTreeMap::new(),
            Ok(watcher::Event::InitApply(object)) => drop(fresh.insert(object.name_any(), manifest(kind, object))),
            Ok(watcher::Event::InitDone) => {
                let objects = std::mem::take(&mut fresh);
                cache.lock(|i| *i.moving(kind) = objects);
                cache.listed(kind);
            }
            Ok(watcher::Event::Apply(object)) => {
                let (name, manifest) = (object.name_any(), manifest(kind, object));
                cache.lock(|i| i.moving(kind).insert(name, manifest));
            }
            Ok(watcher::Event::Delete(object)) => cache.lock(|i| drop(i.moving(kind).remove(&object.name_any()))),
            Err(error) => cache.failed(kind, &error),
        }
    }
}

/// Lists leave out what each item is, so it is put back; who wrote which field is of no use to anybody here.
fn manifest(kind: &Kind, mut object: DynamicObject) -> Manifest {
    object.metadata.managed_fields = None;
    let mut value = serde_json::to_value(object).unwrap_or_default();
    value["apiVersion"] = kind.api_version.as_ref().into();
    value["kind"] = kind.kind.as_ref().into();
    Manifest::new(value)
}

async fn follow_names(api: Api<PartialObjectMeta<DynamicObject>>, kind: &'static Kind, cache: &BaselineCache) {
    let mut fresh = HashSet::new();
    let mut events = std::pin::pin!(watcher(api, watcher::Config::default()).default_backoff());
    while let Some(event) = events.next().await {
        match event {
            Ok(watcher::Event::Init) => fresh = HashSet::new(),
            Ok(watcher::Event::InitApply(object)) => {
                if stands_alone(&object.metadata) {
                    fresh.insert(object.name_any());
                }
            }
            Ok(watcher::Event::InitDone) => {
                let names = std::mem::take(&mut fresh);
                cache.lock(|i| i.names.insert(kind, names));
                cache.listed(kind);
            }
            Ok(watcher::Event::Apply(object)) => {
                if stands_alone(&object.metadata) {
                    cache.lock(|i| i.names.entry(kind).or_default().insert(object.name_any()));
                }
            }
            Ok(watcher::Event::Delete(object)) => {
                cache.lock(|i| i.names.entry(kind).or_default().remove(&object.name_any()));
            }
            Err(error) => cache.failed(kind, &error),
        }
    }
}

/// What another object controls is that object's affair: the Pods of a Deployment are not left out one by one. Nor are
/// the Roles and RoleBindings that let us read the namespace.
fn stands_alone(metadata: &ObjectMeta) -> bool {
    let controlled = metadata.owner_references.iter().flatten().any(|owner| owner.controller == Some(true));
    let grants_us = metadata.name.as_ref().is_some_and(|name| name.starts_with("preview-env:baseline-"));
    !controlled && !grants_us
}
