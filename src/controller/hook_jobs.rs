//! What a watch says about the Jobs of hooks: cluster-wide, selected by our label, in no more than how each ended.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt;
use k8s_openapi::api::batch::v1::Job;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use tokio::sync::Notify;

use super::wake::Wake;
use super::watch::log_errors;
use crate::api::names::LABEL_HOOK;

/// How a Job is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum JobState {
    /// It has not ended.
    Running,
    /// It is complete.
    Succeeded,
    /// It failed for good.
    Failed {
        /// The Job controller's word for it.
        reason: String,
        /// Its sentence.
        message: String,
    },
}

impl JobState {
    fn of(job: &Job) -> Self {
        let conditions = job.status.iter().flat_map(|s| s.conditions.iter().flatten());
        let mut so = conditions.filter(|c| c.status == "True");
        so.find_map(|c| match c.type_.as_str() {
            "Complete" => Some(Self::Succeeded),
            "Failed" => Some(Self::Failed { reason: c.reason.clone().unwrap_or_default(), message: c.message.clone().unwrap_or_default() }),
            _ => None,
        })
        .unwrap_or(Self::Running)
    }
}

type Key = (String, String);

/// The Jobs of all hooks, by namespace and name.
#[derive(Debug, Default)]
pub struct HookJobs {
    inner: Mutex<Inner>,
    listed: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    jobs: HashMap<Key, JobState>,
    listed: bool,
}

impl HookJobs {
    fn lock<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        work(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How a Job is, if the watch saw it.
    pub fn get(&self, namespace: &str, name: &str) -> Option<JobState> {
        self.lock(|i| i.jobs.get(&(namespace.to_owned(), name.to_owned())).cloned())
    }

    /// Waits until the first list is complete.
    pub async fn wait_until_listed(&self) {
        loop {
            let listed = self.listed.notified();
            if self.lock(|i| i.listed) {
                return;
            }
            listed.await;
        }
    }

    /// Records a Job; whether that is news.
    fn put(&self, job: &Job) -> bool {
        let state = JobState::of(job);
        self.lock(|i| i.jobs.insert(key(job), state.clone())) != Some(state)
    }

    fn keep(&self, listed: &HashSet<Key>) {
        self.lock(|i| {
            i.jobs.retain(|key, _| listed.contains(key));
            i.listed = true;
        });
        self.listed.notify_waiters();
    }
}

fn key(job: &Job) -> Key {
    (job.namespace().unwrap_or_default(), job.name_any())
}

/// Follows the Jobs until it is dropped.
pub async fn follow(client: Client, jobs: Arc<HookJobs>, wake: Wake) {
    let selected = watcher::Config::default().labels(LABEL_HOOK);
    let mut events = log_errors(watcher(Api::<Job>::all(client), selected).default_backoff(), "Job");
    let mut listed = HashSet::new();
    while let Some(event) = events.next().await {
        match event {
            watcher::Event::Init => listed.clear(),
            watcher::Event::InitApply(job) => {
                listed.insert(key(&job));
                put(&jobs, &job, &wake);
            }
            watcher::Event::InitDone => jobs.keep(&std::mem::take(&mut listed)),
            watcher::Event::Apply(job) => put(&jobs, &job, &wake),
            watcher::Event::Delete(job) => {
                jobs.lock(|i| i.jobs.remove(&key(&job)));
                wake.owner_of(&job.metadata);
            }
        }
    }
}

fn put(jobs: &HookJobs, job: &Job, wake: &Wake) {
    if jobs.put(job) {
        wake.owner_of(&job.metadata);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn state(conditions: &serde_json::Value) -> JobState {
        JobState::of(&serde_json::from_value(json!({"metadata": {}, "status": {"conditions": conditions}})).unwrap())
    }

    #[test]
    fn a_job_ends_with_its_own_word() {
        assert_eq!(state(&json!([])), JobState::Running);
        assert_eq!(state(&json!([{"type": "SuccessCriteriaMet", "status": "True"}])), JobState::Running);
        assert_eq!(state(&json!([{"type": "Complete", "status": "True"}])), JobState::Succeeded);
        let failed = json!([{"type": "FailureTarget", "status": "True"},
            {"type": "Failed", "status": "True", "reason": "DeadlineExceeded", "message": "too long"}]);
        assert_eq!(state(&failed), JobState::Failed { reason: "DeadlineExceeded".into(), message: "too long".into() });
    }
}
