//! What was done and what the watch has not brought back yet. No client, no clock, no logging.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use kube::ResourceExt;

use super::order;
use crate::api::PreviewEnvironment;
use crate::api::status::CommandResult;

/// Of each environment, by its UID.
#[derive(Debug, Default)]
pub struct Memory {
    of: Mutex<HashMap<String, Known>>,
}

#[derive(Debug, Default)]
struct Known {
    /// Results that this run of the program wrote.
    results: Vec<CommandResult>,
    /// Commands that are being carried out, and when each was first looked at.
    begun: HashMap<String, DateTime<Utc>>,
}

impl Memory {
    fn lock<T>(&self, work: impl FnOnce(&mut HashMap<String, Known>) -> T) -> T {
        work(&mut self.of.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What came of the last commands: as status says it, with what was written since.
    pub fn results(&self, object: &PreviewEnvironment) -> Vec<CommandResult> {
        let read = object.status.as_ref().map(|s| s.commands.clone()).unwrap_or_default();
        self.lock(|of| match of.get(&object.uid().unwrap_or_default()) {
            Some(known) => known.results.iter().fold(read, |results, new| order::with(&results, new.clone())),
            None => read,
        })
    }

    /// When a command was first looked at, and whether that is now.
    pub fn begin(&self, uid: &str, id: &str, now: DateTime<Utc>) -> (DateTime<Utc>, bool) {
        self.lock(|of| {
            let begun = &mut of.entry(uid.to_owned()).or_default().begun;
            let first = !begun.contains_key(id);
            (*begun.entry(id.to_owned()).or_insert(now), first)
        })
    }

    /// Keeps what came of a command.
    pub fn end(&self, uid: &str, result: CommandResult) {
        self.lock(|of| {
            let known = of.entry(uid.to_owned()).or_default();
            known.begun.remove(&result.id);
            known.results = order::with(&known.results, result);
        });
    }

    /// Forgets an environment that is gone.
    pub fn forget(&self, uid: &str) {
        self.lock(|of| of.remove(uid));
    }
}
