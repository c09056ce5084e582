//! What we know of an environment from before: its status, as we last wrote it. No client, no clock, no logging.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use kube::ResourceExt;

use super::status::derived;
use crate::api::status::InventoryEntry;
use crate::api::{PreviewEnvironment, PreviewEnvironmentStatus};
use crate::plan::{ObjectName, Plan};

/// The status that the next step builds on.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    /// As last written, or as read where this run of the program wrote nothing yet.
    pub status: PreviewEnvironmentStatus,
    /// When this run of the program last wrote it.
    pub written_at: Option<DateTime<Utc>>,
}

impl Recorded {
    /// What the inventory says of an object.
    pub fn entry(&self, object: &ObjectName) -> Option<&InventoryEntry> {
        self.status.inventory.iter().find(|entry| names(entry, object))
    }

    /// The hash that an object was last applied with.
    pub fn hash_of(&self, object: &ObjectName) -> Option<&str> {
        self.entry(object)?.hash.as_deref()
    }

    /// The status once nothing of what was applied is there: all of it is to be applied again.
    pub fn without_objects(&self) -> PreviewEnvironmentStatus {
        let mut status = PreviewEnvironmentStatus { plan_digest: None, ..self.status.clone() };
        status.inventory.iter_mut().for_each(|entry| entry.hash = None);
        status
    }

    /// The status once nothing of it is there, volumes and what hooks did to them included.
    pub fn emptied(&self) -> PreviewEnvironmentStatus {
        PreviewEnvironmentStatus { hooks: Vec::new(), ready_revision: None, ..self.without_objects() }
    }

    /// Whether something was applied to the recorded namespace.
    pub fn is_in_use(&self) -> bool {
        self.status.plan_digest.is_some() || self.status.inventory.iter().any(|entry| entry.hash.is_some())
    }

    /// Whether the rights in the namespace may not be there: nothing was completely applied yet, or something is missing,
    /// and the rights may be what it is missing for.
    pub fn needs_rights(&self) -> bool {
        self.status.plan_digest.is_none() || self.is_incomplete()
    }

    /// Whether an object is not there that should be. A workload that waits for its image should not.
    pub fn is_incomplete(&self) -> bool {
        let waiting = self.status.services.iter().filter(|s| s.waits_for.is_some()).map(|s| (s.kind.as_str(), s.name.as_str()));
        let waiting: HashSet<_> = waiting.collect();
        self.status.inventory.iter().any(|e| e.hash.is_none() && !waiting.contains(&(e.kind.as_str(), e.name.as_str())))
    }

    /// What is known for that namespace: nothing of what was applied to another one counts there.
    pub fn in_namespace(&self, name: &str) -> Self {
        let same = self.status.namespace.as_deref().is_none_or(|recorded| recorded == name);
        let status = if same { self.status.clone() } else { self.emptied() };
        Self { status, written_at: self.written_at }
    }

    /// The inventory that covers both what is there and what a plan is about to make, so that a crash between the two
    /// leaves nothing that nobody knows of. Objects that the plan changes lose their hash.
    pub fn inventory_with(&self, plan: &Plan) -> Vec<InventoryEntry> {
        let mut inventory = self.status.inventory.clone();
        for planned in plan.stages.iter().flatten() {
            let object = planned.manifest.name();
            match inventory.iter_mut().find(|entry| names(entry, &object)) {
                Some(entry) if entry.hash.as_deref() == Some(&planned.hash) => {}
                Some(_) if plan.holds_back(&object) => {}
                Some(entry) => entry.hash = None,
                None => {
                    let ObjectName { api_version, kind, name } = object;
                    inventory.push(InventoryEntry { api_version, kind, name, hash: None, source: None });
                }
            }
        }
        inventory.sort();
        inventory
    }
}

fn names(entry: &InventoryEntry, object: &ObjectName) -> bool {
    entry.name == object.name && entry.kind == object.kind && entry.api_version == object.api_version
}

/// Statuses that were written and that the watch did not bring back yet. Without it a reconcile that runs in between
/// would do its work twice.
#[derive(Debug, Default)]
pub struct Memory {
    written: Mutex<HashMap<String, Written>>,
}

#[derive(Clone, Debug)]
struct Written {
    at: DateTime<Utc>,
    status: Option<Arc<PreviewEnvironmentStatus>>,
}

impl Memory {
    fn lock<T>(&self, work: impl FnOnce(&mut HashMap<String, Written>) -> T) -> T {
        work(&mut self.written.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What is known of an environment: what we derived, as last written, and what others wrote, as last read.
    pub fn recall(&self, object: &PreviewEnvironment) -> Recorded {
        let read = object.status.clone().unwrap_or_default();
        self.lock(|all| match all.get_mut(&object.uid().unwrap_or_default()) {
            None => Recorded { status: read, written_at: None },
            Some(written) => {
                if written.status.as_deref() == Some(&derived(&read)) {
                    written.status = None;
                }
                let status = match &written.status {
                    Some(ours) => PreviewEnvironmentStatus {
                        lookup: read.lookup,
                        feedback: read.feedback,
                        probe: read.probe,
                        commands: read.commands,
                        ..(**ours).clone()
                    },
                    None => read,
                };
                Recorded { status, written_at: Some(written.at) }
            }
        })
    }

    /// Looks at what we derived, as last written, else as read.
    pub fn look<T>(&self, object: &PreviewEnvironment, look: impl FnOnce(Option<&PreviewEnvironmentStatus>) -> T) -> T {
        let uid = object.metadata.uid.as_deref().unwrap_or_default();
        self.lock(|all| look(all.get(uid).and_then(|written| written.status.as_deref()).or(object.status.as_ref())))
    }

    /// Keeps what was just written.
    pub fn remember(&self, uid: &str, status: &PreviewEnvironmentStatus, at: DateTime<Utc>) {
        let written = Written { at, status: Some(Arc::new(derived(status))) };
        self.lock(|all| all.insert(uid.to_owned(), written));
    }

    /// Forgets an environment that is gone.
    pub fn forget(&self, uid: &str) {
        self.lock(|all| all.remove(uid));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::status::Feedback;

    fn object(status: PreviewEnvironmentStatus) -> PreviewEnvironment {
        let spec = serde_json::from_value(serde_json::json!({"baseline": "shop"})).unwrap();
        let mut object = PreviewEnvironment::new("web-pr-42", spec);
        object.metadata.uid = Some("u-1".into());
        object.status = Some(status);
        object
    }

    #[test]
    fn what_was_written_stands_before_what_the_watch_still_says() {
        let memory = Memory::default();
        let written = PreviewEnvironmentStatus { plan_digest: Some("new".into()), ..Default::default() };
        memory.remember("u-1", &written, DateTime::UNIX_EPOCH);
        let stale =
            PreviewEnvironmentStatus { feedback: Some(Feedback { comment_id: Some(1), ..Feedback::default() }), ..Default::default() };
        let recorded = memory.recall(&object(stale));
        assert_eq!(recorded.status.plan_digest.as_deref(), Some("new"));
        assert_eq!(recorded.status.feedback.unwrap().comment_id, Some(1), "what others write is taken as it is read");
    }

    #[test]
    fn once_the_watch_caught_up_it_is_believed_again() {
        let memory = Memory::default();
        let written = PreviewEnvironmentStatus { plan_digest: Some("new".into()), ..Default::default() };
        memory.remember("u-1", &written, DateTime::UNIX_EPOCH);
        memory.recall(&object(written));
        let cleared_by_hand = memory.recall(&object(PreviewEnvironmentStatus::default()));
        assert_eq!(cleared_by_hand.status.plan_digest, None);
    }
}
