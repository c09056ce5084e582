//! What was done and what the watch has not brought back yet. No client, no clock, no logging.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use kube::ResourceExt;

use super::order;
use crate::api::PreviewEnvironment;
use crate::api::status::CommandResult;

/// Commands of an environment that are known to have ended, whatever became of their results.
const ENDED: usize = 200;

/// Of each environment, by its UID.
#[derive(Debug, Default)]
pub struct Memory {
    of: Mutex<HashMap<String, Known>>,
}

#[derive(Debug, Default)]
struct Known {
    /// Results that this run of the program wrote.
    results: Vec<CommandResult>,
    /// Commands that are being carried out.
    begun: HashMap<String, Begun>,
    /// Commands that this run of the program brought to an end, the newest last: results of what anybody can write do not
    /// last.
    ended: VecDeque<String>,
}

#[derive(Debug)]
struct Begun {
    /// When it was first looked at.
    at: DateTime<Utc>,
    /// Whether whoever gave it was shown that it is seen.
    is_seen: bool,
}

impl Known {
    fn ends(&mut self, id: &str) {
        self.begun.remove(id);
        if self.ended.len() == ENDED {
            self.ended.pop_front();
        }
        self.ended.push_back(id.to_owned());
    }
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

    /// When a command was first looked at.
    pub fn begin(&self, uid: &str, id: &str, now: DateTime<Utc>) -> DateTime<Utc> {
        self.lock(|of| {
            let begun = &mut of.entry(uid.to_owned()).or_default().begun;
            begun.entry(id.to_owned()).or_insert(Begun { at: now, is_seen: false }).at
        })
    }

    /// Whether nobody said yet of a command that was begun that it is seen; from now on somebody did.
    pub fn is_seen_first(&self, uid: &str, id: &str) -> bool {
        let begun = |known: &mut Known| known.begun.get_mut(id).is_some_and(|begun| !std::mem::replace(&mut begun.is_seen, true));
        self.lock(|of| of.get_mut(uid).is_some_and(begun))
    }

    /// Whether a command came to its end.
    pub fn has_ended(&self, uid: &str, id: &str) -> bool {
        self.lock(|of| of.get(uid).is_some_and(|known| known.ended.iter().any(|ended| ended == id)))
    }

    /// Keeps what came of a command.
    pub fn end(&self, uid: &str, result: CommandResult) {
        self.lock(|of| {
            let known = of.entry(uid.to_owned()).or_default();
            known.ends(&result.id);
            known.results = order::with(&known.results, result);
        });
    }

    /// Keeps that nothing comes of a command.
    pub fn pass_over(&self, uid: &str, id: &str) {
        self.lock(|of| of.entry(uid.to_owned()).or_default().ends(id));
    }

    /// Forgets an environment that is gone.
    pub fn forget(&self, uid: &str) {
        self.lock(|of| of.remove(uid));
    }
}
