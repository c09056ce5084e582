//! The Baselines that can be used, each with the cache of its namespace. Follows the Baseline objects and writes their
//! status. One Baseline that is wrong holds up no other.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use kube::{Client, ResourceExt};
use tokio::sync::{Notify, watch};

use super::baseline_cache::{BaselineCache, Contents};
use super::baseline_reader::{Reader, Task, follow};
use super::discovery::Discovery;
use super::repositories::Repositories;
use crate::api;
use crate::domain::baseline::GroupKind;
use crate::domain::{Baseline, InvalidBaseline, Policy};

/// Every Baseline of the cluster.
#[derive(Default)]
pub struct Baselines {
    inner: Mutex<Inner>,
    /// Told whenever a status may have to be written.
    pub changed: Arc<Notify>,
    /// Which kinds there are.
    pub discovery: Arc<Discovery>,
    /// What the forge said of their repositories.
    pub repositories: Repositories,
    listed: Notify,
}

#[derive(Default)]
struct Inner {
    namespaces: HashMap<String, Namespace>,
    listed: bool,
    policies: Policies,
    /// What their namespaces are read with; nothing where they are not read.
    client: Option<Client>,
}

/// The PreviewPolicies of the cluster.
#[derive(Debug, Default)]
struct Policies {
    /// Absent before they were listed.
    known: Option<Vec<Arc<Policy>>>,
    /// Why they were not.
    error: Option<String>,
}

#[derive(Debug, Default)]
struct Namespace {
    objects: BTreeMap<String, Arc<api::Baseline>>,
    reader: Option<Reading>,
}

/// The namespace as it is being read.
#[derive(Debug)]
struct Reading {
    cache: Arc<BaselineCache>,
    custom: watch::Sender<Vec<GroupKind>>,
    _task: Task,
}

/// One Baseline with everything that its status follows from.
pub struct Seen {
    /// The object.
    pub object: Arc<api::Baseline>,
    /// What it says, under the policies of the cluster, or what is wrong with it.
    pub parsed: Result<Arc<Baseline>, InvalidBaseline>,
    /// Why the policies of the cluster are not known, where that was tried.
    pub policies_error: Option<String>,
    /// The Baseline that speaks for the namespace, where it is not this one.
    pub other: Option<String>,
    /// What the namespace holds, once it was read.
    pub contents: Option<Contents>,
    /// Kinds that cannot be read.
    pub errors: Vec<String>,
    /// Custom resources that are asked for and cannot be cloned.
    pub problems: Vec<String>,
    /// How many kinds of custom resources there are whose objects may not be listed.
    pub unlisted: usize,
}

impl Namespace {
    /// The Baseline that speaks for the namespace: the oldest.
    fn speaker(&self) -> Option<&Arc<api::Baseline>> {
        let age = |o: &&Arc<api::Baseline>| (o.creation_timestamp().map(|t| t.0), o.name_any());
        self.objects.values().min_by_key(age)
    }

    fn parsed(&self, policies: &Policies) -> Option<Arc<Baseline>> {
        self.read(self.speaker()?, policies).ok()
    }

    /// What a Baseline says, under the policies of the cluster.
    fn read(&self, object: &api::Baseline, policies: &Policies) -> Result<Arc<Baseline>, InvalidBaseline> {
        let baseline = Baseline::try_from(object)?;
        let labels = self.reader.as_ref().and_then(|reader| reader.cache.labels());
        Ok(Arc::new(baseline.under(policies.known.as_deref(), labels.as_ref())))
    }

    /// What was read, where that is what the Baseline asks for.
    fn contents(&self) -> Option<Contents> {
        let cache = &self.reader.as_ref()?.cache;
        cache.contents(&self.custom_resources()?)
    }

    /// Tells the reader what is asked for. A Baseline that cannot be used asks for nothing new.
    fn ask(&self) {
        if let (Some(reader), Some(custom)) = (&self.reader, self.custom_resources()) {
            reader.custom.send_if_modified(|asked| {
                let is_new = *asked != custom;
                *asked = custom;
                is_new
            });
        }
    }

    fn custom_resources(&self) -> Option<Vec<GroupKind>> {
        Baseline::try_from(self.speaker()?.as_ref()).ok().map(|baseline| baseline.selection.custom_resources)
    }
}

impl Baselines {
    fn lock<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        work(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The Baseline of that name, if it can be used.
    pub fn get(&self, namespace: &str, name: &str) -> Option<Arc<Baseline>> {
        self.lock(|i| i.namespaces.get(namespace)?.parsed(&i.policies).filter(|b| b.name == name))
    }

    /// The object of that name, whether it can be used or not.
    pub fn object(&self, namespace: &str, name: &str) -> Option<Arc<api::Baseline>> {
        self.lock(|i| i.namespaces.get(namespace)?.objects.get(name).cloned())
    }

    /// The Baseline that speaks for a namespace, whether it can be used or not.
    pub fn speaker(&self, namespace: &str) -> Option<Arc<api::Baseline>> {
        self.lock(|i| i.namespaces.get(namespace)?.speaker().cloned())
    }

    /// Every object, whether it can be used or not.
    pub fn objects(&self) -> Vec<Arc<api::Baseline>> {
        self.lock(|i| i.namespaces.values().flat_map(|namespace| namespace.objects.values().cloned()).collect())
    }

    /// Every Baseline that can be used, or nothing before the first list.
    pub fn all(&self) -> Option<Vec<Arc<Baseline>>> {
        self.lock(|i| i.listed.then(|| i.namespaces.values().filter_map(|namespace| namespace.parsed(&i.policies)).collect()))
    }

    /// What a Baseline's namespace holds, once it was read completely.
    pub fn contents(&self, namespace: &str) -> Option<Contents> {
        self.lock(|i| i.namespaces.get(namespace)?.contents())
    }

    /// Of every namespace that was read completely, a number that changes with what is cloned of it.
    pub fn versions(&self) -> HashMap<String, u64> {
        let version = |(name, entry): (&String, &Namespace)| Some((name.clone(), entry.reader.as_ref()?.cache.version()?));
        self.lock(|i| i.namespaces.iter().filter_map(version).collect())
    }

    /// The Pod Security level that a Baseline's namespace enforces, if it enforces one.
    pub fn pod_security(&self, namespace: &str) -> Option<String> {
        let cache = self.lock(|i| Some(i.namespaces.get(namespace)?.reader.as_ref()?.cache.clone()));
        cache?.pod_security()
    }

    /// Every Baseline, usable or not.
    pub fn seen(&self) -> Vec<Seen> {
        self.lock(|i| i.namespaces.values().flat_map(|namespace| seen_in(namespace, &i.policies)).collect())
    }

    /// The policies of the cluster, all of them.
    pub fn set_policies(&self, policies: Vec<Arc<Policy>>) {
        self.lock(|i| i.policies = Policies { known: Some(policies), error: None });
        self.listed.notify_waiters();
        self.changed.notify_one();
    }

    /// That the policies of the cluster cannot be read. Those that are known hold.
    pub fn policies_failed(&self, why: &str) {
        self.lock(|i| i.policies.error = i.policies.known.is_none().then(|| why.to_owned()));
        self.listed.notify_waiters();
        self.changed.notify_one();
    }

    /// Records a Baseline, and starts to read its namespace where they are read.
    pub fn put(&self, object: api::Baseline) {
        let namespace = object.namespace().unwrap_or_default();
        self.lock(|i| {
            let entry = i.namespaces.entry(namespace.clone()).or_default();
            entry.objects.insert(object.name_any(), Arc::new(object));
            self.start_reading(i.client.as_ref(), namespace, entry);
        });
        self.changed.notify_one();
    }

    /// Starts to read their namespaces. Only who leads has to know what they hold.
    pub fn read_with(&self, client: Client) {
        self.lock(|i| {
            for (namespace, entry) in &mut i.namespaces {
                self.start_reading(Some(&client), namespace.clone(), entry);
            }
            i.client = Some(client);
        });
        self.changed.notify_one();
    }

    /// Reads nothing any more, and forgets what was read of the namespaces and heard from the forge.
    pub fn rest(&self) {
        self.lock(|i| {
            i.client = None;
            i.namespaces.values_mut().for_each(|entry| entry.reader = None);
        });
        self.repositories.forget();
    }

    /// Forgets a Baseline, and its namespace with the last one there.
    pub fn remove(&self, namespace: &str, name: &str) {
        self.lock(|i| {
            if let Some(entry) = i.namespaces.get_mut(namespace) {
                entry.objects.remove(name);
                entry.ask();
                if entry.objects.is_empty() {
                    i.namespaces.remove(namespace);
                }
            }
        });
        self.changed.notify_one();
    }

    /// Forgets every Baseline that a list did not name.
    pub fn keep(&self, listed: &[(String, String)]) {
        let all: Vec<_> = self.lock(|i| {
            i.listed = true;
            let names = |(namespace, entry): (&String, &Namespace)| {
                entry.objects.keys().map(|name| (namespace.clone(), name.clone())).collect::<Vec<_>>()
            };
            i.namespaces.iter().flat_map(names).collect()
        });
        for (namespace, name) in all.iter().filter(|key| !listed.contains(key)) {
            self.remove(namespace, name);
        }
        self.listed.notify_waiters();
        self.changed.notify_one();
    }

    fn start_reading(&self, client: Option<&Client>, namespace: String, entry: &mut Namespace) {
        if let (Some(client), None) = (client, &entry.reader) {
            entry.reader = Some(self.reading(client, namespace));
        }
        entry.ask();
    }

    fn reading(&self, client: &Client, namespace: String) -> Reading {
        let cache = Arc::new(BaselineCache::new(self.changed.clone()));
        let (custom, asked) = watch::channel(Vec::new());
        let (client, discovery) = (client.clone(), self.discovery.clone());
        let reader = Reader { client, namespace, cache: cache.clone(), discovery, custom: asked };
        Reading { cache, custom, _task: Task::spawn(follow(reader)) }
    }

    /// Waits until the first list is complete.
    pub async fn wait_until_listed(&self) {
        self.wait_until(|i| i.listed).await;
    }

    /// Waits until the policies of the cluster are known, or cannot be read: then nothing is begun, and what has to end
    /// still ends.
    pub async fn wait_for_policies(&self) {
        self.wait_until(|i| i.policies.known.is_some() || i.policies.error.is_some()).await;
    }

    async fn wait_until(&self, is_so: impl Fn(&Inner) -> bool) {
        loop {
            let listed = self.listed.notified();
            if self.lock(|i| is_so(i)) {
                return;
            }
            listed.await;
        }
    }
}

fn seen_in(namespace: &Namespace, policies: &Policies) -> Vec<Seen> {
    let speaker = namespace.speaker().map(|s| s.name_any());
    let cache = namespace.reader.as_ref().map(|r| &r.cache);
    let seen = |object: &Arc<api::Baseline>| Seen {
        object: object.clone(),
        parsed: namespace.read(object, policies),
        policies_error: policies.error.clone(),
        other: speaker.clone().filter(|name| *name != object.name_any()),
        contents: namespace.contents(),
        errors: cache.map(|c| c.errors()).unwrap_or_default(),
        problems: cache.map(|c| c.problems()).unwrap_or_default(),
        unlisted: cache.map(|c| c.unlisted()).unwrap_or_default(),
    };
    namespace.objects.values().map(seen).collect()
}
