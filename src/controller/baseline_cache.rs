//! What the namespace of one Baseline holds. No client, no logging: the watches of `baseline_reader` fill it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::scope::{Scope, Watch};
use crate::api::names::{LABEL_AGGREGATE_READER, LABEL_POD_SECURITY};
use crate::domain::baseline::GroupKind;
use crate::kinds::{Kind, Known};
use crate::plan::{Controlled, Manifest, ObjectName};

/// A watch that fails is tried again at least twice a minute. One that says nothing for longer has got through: a watch
/// that goes on where it was interrupted gives no sign of it.
const ERROR_LIFE: Duration = Duration::from_secs(90);

/// The objects of a baseline's namespace.
#[derive(Debug, Default)]
pub struct BaselineCache {
    inner: Mutex<Inner>,
    changed: Arc<Notify>,
    /// Told when a kind can be read that could not be: somebody granted something.
    pub(super) recovered: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    scope: Option<Scope>,
    whole: HashMap<Kind, BTreeMap<String, Manifest>>,
    names: HashMap<Kind, Names>,
    listed: HashSet<Kind>,
    errors: BTreeMap<Kind, (String, Instant)>,
    namespace_listed: bool,
    labels: Option<BTreeMap<String, String>>,
    /// Counts the changes of what is cloned.
    version: u64,
}

/// Names of objects of one kind, each with what controls it.
pub type Names = BTreeMap<String, Option<ObjectName>>;

/// What a cache holds at one moment.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// Objects of the kinds that can be cloned.
    pub objects: Vec<Manifest>,
    /// Objects of other kinds that nothing else controls.
    pub others: Vec<ObjectName>,
    /// Objects of other kinds that another one controls.
    pub controlled: Vec<Controlled>,
}

impl BaselineCache {
    /// A cache that says so whenever a first list is complete or a watch fails.
    pub fn new(changed: Arc<Notify>) -> Self {
        Self { changed, ..Self::default() }
    }

    fn lock<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        work(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Everything, once every kind was listed and where exactly these custom resources are among what is read.
    pub fn contents(&self, custom: &[GroupKind]) -> Option<Contents> {
        self.lock(|i| i.is_complete(custom).then(|| i.contents()))
    }

    /// A number that changes with everything that is cloned; absent before all of it was listed.
    pub fn version(&self) -> Option<u64> {
        self.lock(|i| i.is_listed().then_some(i.version))
    }

    /// The labels of the namespace, once it was read.
    pub fn labels(&self) -> Option<BTreeMap<String, String>> {
        self.lock(|i| i.labels.clone())
    }

    /// The Pod Security level that the namespace enforces, if it enforces one.
    pub fn pod_security(&self) -> Option<String> {
        self.labels()?.get(LABEL_POD_SECURITY).cloned()
    }

    /// The kinds that cannot be watched, with the API server's reason.
    pub fn errors(&self) -> Vec<String> {
        self.lock(|i| {
            i.errors.iter().filter(|(_, (_, at))| at.elapsed() < ERROR_LIFE).map(|(kind, (why, _))| sentence(kind, why)).collect()
        })
    }

    /// Custom resources that were asked for and cannot be cloned, and why.
    pub fn problems(&self) -> Vec<String> {
        self.lock(|i| i.scope.as_ref().map(|s| s.problems.clone()).unwrap_or_default())
    }

    /// How many kinds of custom resources there are whose objects may not be listed.
    pub fn unlisted(&self) -> usize {
        self.lock(|i| i.scope.as_ref().map(|s| s.unlisted).unwrap_or_default())
    }

    /// From now on exactly this is read. What is known of other kinds is forgotten.
    pub(super) fn read_only(&self, scope: Scope) {
        self.lock(|i| {
            let stay: HashSet<Kind> = match &i.scope {
                Some(before) => scope.watches.iter().filter(|w| before.watches.contains(w)).map(|w| w.kind.clone()).collect(),
                None => HashSet::new(),
            };
            i.whole.retain(|kind, _| stay.contains(kind));
            i.names.retain(|kind, _| stay.contains(kind));
            i.listed.retain(|kind| stay.contains(kind));
            i.errors.retain(|kind, _| stay.contains(kind));
            i.scope = Some(scope);
            i.version += 1;
        });
        self.changed.notify_one();
    }

    /// A list is complete.
    pub(super) fn put_all(&self, watch: &Watch, objects: BTreeMap<String, Manifest>) {
        self.lock(|i| i.reads(watch).then(|| *i.moving(&watch.kind) = objects));
        self.listed(watch);
    }

    /// An object is new or changed.
    pub(super) fn put(&self, watch: &Watch, name: String, object: Manifest) {
        self.lock(|i| i.reads(watch).then(|| i.moving(&watch.kind).insert(name, object)));
    }

    /// A list of names is complete.
    pub(super) fn put_names(&self, watch: &Watch, names: Names) {
        self.lock(|i| i.reads(watch).then(|| i.names.insert(watch.kind.clone(), names)));
        self.listed(watch);
    }

    /// An object is gone.
    pub(super) fn remove(&self, watch: &Watch, name: &str) {
        self.lock(|i| {
            if i.whole.get_mut(&watch.kind).and_then(|objects| objects.remove(name)).is_some() {
                i.version += 1;
            }
        });
    }

    /// The namespace itself was read.
    pub(super) fn put_namespace(&self, labels: BTreeMap<String, String>) {
        self.lock(|i| i.labels = Some(labels));
        self.changed.notify_one();
    }

    /// A first look at the namespace itself is complete.
    pub(super) fn namespace_listed(&self) {
        self.lock(|i| i.namespace_listed = true);
        self.changed.notify_one();
    }

    fn listed(&self, watch: &Watch) {
        let recovered = self.lock(|i| {
            if i.reads(watch) {
                i.listed.insert(watch.kind.clone());
            }
            i.errors.remove(&watch.kind).is_some()
        });
        if recovered {
            self.recovered.notify_one();
        }
        self.changed.notify_one();
    }

    /// A watch failed. What is only named where it may be listed fails in silence.
    pub(super) fn failed(&self, watch: &Watch, why: &str) {
        let news = self.lock(|i| {
            let said = watch.required && i.reads(watch);
            let before = said.then(|| i.errors.insert(watch.kind.clone(), (why.to_owned(), Instant::now())));
            before.is_some_and(|before| before.is_none_or(|(known, _)| known != why))
        });
        if news {
            self.changed.notify_one();
        }
    }
}

impl Inner {
    /// Whether a watch is still one of those that fill the cache: one that ends may have one more thing to say.
    fn reads(&self, watch: &Watch) -> bool {
        self.scope.as_ref().is_some_and(|scope| scope.watches.contains(watch))
    }

    fn is_complete(&self, custom: &[GroupKind]) -> bool {
        let as_asked_for = self.scope.as_ref().is_some_and(|scope| scope.custom == custom && scope.problems.is_empty());
        as_asked_for && self.is_listed()
    }

    /// Whether everything was listed that is to be read.
    fn is_listed(&self) -> bool {
        let mut required = self.scope.iter().flat_map(|scope| &scope.watches).filter(|watch| watch.required);
        self.scope.is_some() && self.namespace_listed && required.all(|watch| self.listed.contains(&watch.kind))
    }

    /// The objects of a kind, which are about to change.
    fn moving(&mut self, kind: &Kind) -> &mut BTreeMap<String, Manifest> {
        self.version += 1;
        self.whole.entry(kind.clone()).or_default()
    }

    fn contents(&self) -> Contents {
        let mut contents = Contents { objects: self.whole.values().flat_map(BTreeMap::values).cloned().collect(), ..Contents::default() };
        for (kind, names) in &self.names {
            for (name, owner) in names {
                let object = ObjectName { api_version: kind.api_version.to_string(), kind: kind.kind.to_string(), name: name.clone() };
                match owner.clone() {
                    Some(owner) => contents.controlled.push(Controlled { object, owner }),
                    None => contents.others.push(object),
                }
            }
        }
        contents.others.sort();
        contents.controlled.sort();
        contents
    }
}

/// What is wrong with a kind, and for custom resources what grants the right that is probably missing.
fn sentence(kind: &Kind, why: &str) -> String {
    match Known::find(kind.group(), &kind.kind) {
        Some(_) => format!("{}: {why}", kind.kind),
        None => format!("{}: {why}; a ClusterRole with the label {LABEL_AGGREGATE_READER}: \"true\" grants it", kind.kind),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::Reading;

    fn watch(kind: Kind, reading: Reading, required: bool) -> Watch {
        Watch { kind, reading, required }
    }

    fn scope(watches: &[&Watch]) -> Scope {
        Scope { watches: watches.iter().map(|w| (*w).clone()).collect(), ..Scope::default() }
    }

    #[test]
    fn contents_are_complete_when_everything_that_is_required_was_listed() {
        let (cache, custom) = (BaselineCache::default(), []);
        let maps = watch(Kind::new("v1", "ConfigMap", "configmaps"), Reading::Whole, true);
        let other = watch(Kind::new("db.example.com/v1", "Database", "databases"), Reading::NameOnly, false);
        assert!(cache.contents(&custom).is_none());
        cache.read_only(scope(&[&maps, &other]));
        cache.namespace_listed();
        cache.failed(&other, "forbidden");
        assert!(cache.contents(&custom).is_none() && cache.errors().is_empty());
        cache.put_all(&maps, BTreeMap::new());
        assert!(cache.contents(&custom).is_some());
        let asked = [GroupKind { group: "db.example.com".into(), kind: "Database".into() }];
        assert!(cache.contents(&asked).is_none(), "another scope was asked for");
    }

    #[test]
    fn a_kind_that_is_read_otherwise_is_read_anew() {
        let cache = BaselineCache::default();
        let kind = || Kind::new("db.example.com/v1", "Database", "databases");
        let (named, whole) = (watch(kind(), Reading::NameOnly, false), watch(kind(), Reading::Whole, true));
        cache.read_only(scope(&[&named]));
        cache.namespace_listed();
        cache.put_names(&named, Names::from([("main".into(), None)]));
        assert_eq!(cache.contents(&[]).unwrap().others[0].name, "main");
        cache.read_only(scope(&[&whole]));
        cache.put_names(&named, Names::new());
        assert!(cache.contents(&[]).is_none(), "what an ended watch still says counts for nothing");
        cache.failed(&whole, "forbidden");
        assert!(cache.errors()[0].contains("preview-env.dev/aggregate-to-baseline-reader"), "{:?}", cache.errors());
        cache.put_all(&whole, BTreeMap::new());
        assert!(cache.contents(&[]).unwrap().others.is_empty() && cache.errors().is_empty());
    }

    #[test]
    fn what_another_object_controls_is_told_apart() {
        let cache = BaselineCache::default();
        let pods = watch(Kind::new("v1", "Pod", "pods"), Reading::NameOnly, true);
        cache.read_only(scope(&[&pods]));
        cache.namespace_listed();
        let owner = ObjectName { api_version: "apps/v1".into(), kind: "ReplicaSet".into(), name: "web".into() };
        cache.put_names(&pods, Names::from([("debug".into(), None), ("web-1".into(), Some(owner.clone()))]));
        let contents = cache.contents(&[]).unwrap();
        assert_eq!((contents.others[0].name.as_str(), &contents.controlled[0].owner), ("debug", &owner));
        cache.put_names(&pods, Names::new());
        assert!(cache.contents(&[]).unwrap().controlled.is_empty());
    }
}
