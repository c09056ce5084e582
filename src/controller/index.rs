//! What the watches say about the environments' workloads and namespaces: exactly the fields that are used.
//! No client, no clock, no logging.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{PoisonError, RwLock};

use chrono::{DateTime, Utc};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use tokio::sync::Notify;

use crate::api::names::{LABEL_BASELINE_NAMESPACE, LABEL_ENVIRONMENT, LABEL_ENVIRONMENT_UID, LABEL_MANAGED_BY, POD_SECURITY_PREFIX};
use crate::kinds::KINDS;

/// How one workload is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WorkloadState {
    /// The hash that it was applied with, as its annotation says.
    pub applied_hash: Option<String>,
    /// Whether it is up to date and ready.
    pub ready: bool,
    /// Why not, in words.
    pub reason: Option<String>,
    /// Whether its own controller says that it took longer than it may (`ProgressDeadlineExceeded`).
    pub overdue: bool,
}

/// A namespace that carries an environment's UID.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NamespaceState {
    /// UID of the namespace, for preconditions.
    pub uid: String,
    /// UID of the environment that it belongs to.
    pub environment_uid: String,
    /// Whether it is being deleted.
    pub terminating: bool,
    /// Its labels that say whose it is and what may run in it.
    pub marks: BTreeMap<String, String>,
    /// When it was made, by the API server's clock.
    pub created_at: Option<DateTime<Utc>>,
}

impl NamespaceState {
    /// What is used of a namespace's metadata.
    pub fn of(there: &ObjectMeta) -> Self {
        let marks: BTreeMap<String, String> =
            there.labels.iter().flatten().filter(|(name, _)| is_mark(name)).map(|(name, value)| (name.clone(), value.clone())).collect();
        Self {
            uid: there.uid.clone().unwrap_or_default(),
            environment_uid: marks.get(LABEL_ENVIRONMENT_UID).cloned().unwrap_or_default(),
            terminating: there.deletion_timestamp.is_some(),
            marks,
            created_at: there.creation_timestamp.as_ref().and_then(|at| DateTime::from_timestamp(at.0.as_second(), 0)),
        }
    }
}

fn is_mark(label: &str) -> bool {
    let ours = [LABEL_MANAGED_BY, LABEL_ENVIRONMENT, LABEL_ENVIRONMENT_UID, LABEL_BASELINE_NAMESPACE];
    ours.contains(&label) || label.starts_with(POD_SECURITY_PREFIX)
}

/// API versions and kinds of the workloads: what is followed because an environment's readiness depends on it.
pub const WORKLOADS: [(&str, &str); 4] =
    [("apps/v1", "Deployment"), ("apps/v1", "StatefulSet"), ("apps/v1", "DaemonSet"), ("batch/v1", "Job")];

/// Kinds that are followed beside them, so that what somebody deletes comes back at once.
pub const OTHERS: [&str; 4] = ["Service", "PersistentVolumeClaim", "NetworkPolicy", "Ingress"];

/// The same of the Gateway API, which not every cluster has.
pub const ROUTES: [&str; 2] = ["HTTPRoute", "GRPCRoute"];

/// The key of a workload of that kind and name, if the kind is one.
pub fn workload_key(kind: &str, name: &str) -> Option<WorkloadKey> {
    WORKLOADS.into_iter().find(|(_, workload)| *workload == kind).map(|(_, workload)| (workload, name.to_owned()))
}

/// The key of an object of that kind and name, if watches follow the kind.
pub fn watched_key(kind: &str, name: &str) -> Option<WorkloadKey> {
    let other = || OTHERS.into_iter().chain(ROUTES).find(|other| *other == kind).map(|other| (other, name.to_owned()));
    workload_key(kind, name).or_else(other)
}

/// Kind and name of a workload, or of another object that is watched; those are always ready.
pub type WorkloadKey = (&'static str, String);

/// The index that every reconcile reads instead of asking the API server.
#[derive(Debug, Default)]
pub struct Index {
    inner: RwLock<Inner>,
    listed: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    workloads: HashMap<String, HashMap<WorkloadKey, WorkloadState>>,
    namespaces: HashMap<String, NamespaceState>,
    listed: HashSet<&'static str>,
}

impl Inner {
    fn takes_room(&self, namespace: &str, state: &NamespaceState) -> bool {
        !state.terminating || self.has_workloads(namespace)
    }

    fn has_workloads(&self, namespace: &str) -> bool {
        let is_workload = |(kind, _): &WorkloadKey| WORKLOADS.iter().any(|(_, workload)| workload == kind);
        self.workloads.get(namespace).is_some_and(|objects| objects.keys().any(is_workload))
    }
}

impl Index {
    fn read<T>(&self, read: impl FnOnce(&Inner) -> T) -> T {
        read(&self.inner.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, write: impl FnOnce(&mut Inner) -> T) -> T {
        write(&mut self.inner.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Records a workload.
    pub fn put_workload(&self, namespace: &str, key: WorkloadKey, state: WorkloadState) {
        self.write(|i| i.workloads.entry(namespace.to_owned()).or_default().insert(key, state));
    }

    /// Forgets a workload.
    pub fn drop_workload(&self, namespace: &str, key: &WorkloadKey) {
        self.write(|i| {
            if let Some(workloads) = i.workloads.get_mut(namespace) {
                workloads.remove(key);
                if workloads.is_empty() {
                    i.workloads.remove(namespace);
                }
            }
        });
    }

    /// Forgets all workloads of a kind that a list did not name.
    pub fn keep_workloads(&self, kind: &'static str, listed: &HashSet<(String, String)>) {
        self.write(|i| {
            for (namespace, workloads) in &mut i.workloads {
                workloads.retain(|(k, name), _| *k != kind || listed.contains(&(namespace.clone(), name.clone())));
            }
            i.workloads.retain(|_, workloads| !workloads.is_empty());
            i.listed.insert(kind);
        });
        self.listed.notify_waiters();
    }

    /// Records a namespace.
    pub fn put_namespace(&self, name: &str, state: NamespaceState) {
        self.write(|i| i.namespaces.insert(name.to_owned(), state));
    }

    /// Forgets a namespace.
    pub fn drop_namespace(&self, name: &str) {
        self.write(|i| i.namespaces.remove(name));
    }

    /// Forgets all namespaces that a list did not name.
    pub fn keep_namespaces(&self, listed: &HashSet<String>) {
        self.write(|i| {
            i.namespaces.retain(|name, _| listed.contains(name));
            i.listed.insert("Namespace");
        });
        self.listed.notify_waiters();
    }

    /// Whether a first list of that kind is complete.
    pub fn is_listed(&self, kind: &str) -> bool {
        self.read(|i| i.listed.contains(kind))
    }

    /// Waits until a first list of every kind is complete that every cluster has.
    pub async fn wait_until_listed(&self) {
        let kinds: Vec<&str> = WORKLOADS.into_iter().map(|(_, kind)| kind).chain(OTHERS).chain(["Namespace"]).collect();
        self.wait_until_these_are_listed(&kinds).await;
    }

    /// Waits until a first list of each of these kinds is complete.
    pub async fn wait_until_these_are_listed(&self, kinds: &[&str]) {
        loop {
            let listed = self.listed.notified();
            if kinds.iter().all(|kind| self.is_listed(kind)) {
                return;
            }
            listed.await;
        }
    }

    /// How one workload is, if a watch saw it.
    pub fn workload(&self, namespace: &str, key: &WorkloadKey) -> Option<WorkloadState> {
        self.read(|i| i.workloads.get(namespace)?.get(key).cloned())
    }

    /// The objects of a kind that watches saw in a namespace, by the kind's plural and group; none where the kind is not watched.
    pub fn names_of(&self, namespace: &str, plural: &str, group: &str) -> Vec<String> {
        let known = KINDS.iter().find(|known| known.kind.plural == plural && known.kind.group() == group);
        let Some(kind) = known.map(|known| known.kind.kind.as_ref()) else { return Vec::new() };
        let of_kind = |objects: &HashMap<WorkloadKey, WorkloadState>| {
            objects.keys().filter(|(of, _)| *of == kind).map(|(_, name)| name.clone()).collect::<BTreeSet<_>>()
        };
        self.read(|i| i.workloads.get(namespace).map(of_kind)).into_iter().flatten().collect()
    }

    /// One namespace, if it carries an environment's UID.
    pub fn namespace(&self, name: &str) -> Option<NamespaceState> {
        self.read(|i| i.namespaces.get(name).cloned())
    }

    /// What the environments have in the cluster, by UID: whether any namespace of theirs is left that stays or still has
    /// workloads. One whose workloads are gone and that is on its way out takes no room.
    pub fn standing(&self) -> HashMap<String, bool> {
        self.read(|i| {
            let mut standing = HashMap::with_capacity(i.namespaces.len());
            for (name, state) in &i.namespaces {
                *standing.entry(state.environment_uid.clone()).or_default() |= i.takes_room(name, state);
            }
            standing
        })
    }

    /// The same of one environment; nothing where it has no namespace.
    pub fn stands(&self, environment_uid: &str) -> Option<bool> {
        self.read(|i| {
            let mut ours = i.namespaces.iter().filter(|(_, state)| state.environment_uid == environment_uid).peekable();
            ours.peek()?;
            Some(ours.any(|(name, state)| i.takes_room(name, state)))
        })
    }

    /// All namespaces that carry the UID of any environment.
    pub fn namespaces(&self) -> Vec<(String, NamespaceState)> {
        self.read(|i| i.namespaces.iter().map(|(name, state)| (name.clone(), state.clone())).collect())
    }

    /// All namespaces that carry this environment's UID.
    pub fn namespaces_of(&self, environment_uid: &str) -> Vec<(String, NamespaceState)> {
        let ours =
            |(name, state): (&String, &NamespaceState)| (state.environment_uid == environment_uid).then(|| (name.clone(), state.clone()));
        self.read(|i| i.namespaces.iter().filter_map(ours).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(ready: bool) -> WorkloadState {
        WorkloadState { ready, ..WorkloadState::default() }
    }

    fn namespace() -> NamespaceState {
        let labels = BTreeMap::from([(LABEL_ENVIRONMENT_UID.to_owned(), "u-1".to_owned())]);
        NamespaceState::of(&ObjectMeta { uid: Some("n".into()), labels: Some(labels), ..ObjectMeta::default() })
    }

    #[test]
    fn a_list_forgets_what_it_does_not_name() {
        let index = Index::default();
        index.put_workload("a", ("Deployment", "web".into()), state(true));
        index.put_workload("a", ("Deployment", "old".into()), state(true));
        index.put_workload("a", ("StatefulSet", "db".into()), state(true));
        assert!(!index.is_listed("Deployment"));
        index.keep_workloads("Deployment", &HashSet::from([("a".into(), "web".into())]));
        assert!(index.is_listed("Deployment"));
        assert!(index.workload("a", &("Deployment", "web".into())).is_some());
        assert!(index.workload("a", &("Deployment", "old".into())).is_none());
        assert!(index.workload("a", &("StatefulSet", "db".into())).is_some());
    }

    #[test]
    fn namespaces_are_found_by_the_uid_that_they_carry() {
        let index = Index::default();
        let ours = namespace();
        index.put_namespace("shop-web-pr-42", ours.clone());
        assert_eq!(index.namespaces_of("u-1"), [("shop-web-pr-42".to_owned(), ours)]);
        assert!(index.namespaces_of("u-2").is_empty());
        index.drop_namespace("shop-web-pr-42");
        assert!(index.namespaces_of("u-1").is_empty());
    }

    #[test]
    fn a_namespace_takes_room_until_it_goes_and_its_workloads_are_gone() {
        let index = Index::default();
        let mut namespace = namespace();
        index.put_namespace("a", namespace.clone());
        assert_eq!(index.standing(), HashMap::from([("u-1".to_owned(), true)]), "it is new and empty");
        assert_eq!(index.stands("u-1"), Some(true));
        index.put_workload("a", ("Deployment", "web".into()), state(true));
        index.put_workload("a", ("Service", "web".into()), state(true));
        namespace.terminating = true;
        index.put_namespace("a", namespace);
        assert_eq!(index.standing(), HashMap::from([("u-1".to_owned(), true)]), "it still runs something");
        index.drop_workload("a", &("Deployment", "web".into()));
        assert_eq!(index.standing(), HashMap::from([("u-1".to_owned(), false)]), "a Service runs nothing");
        assert_eq!((index.stands("u-1"), index.stands("u-2")), (Some(false), None));
    }
}
