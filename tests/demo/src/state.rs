//! What was seen so far. Pure.

use std::collections::{BTreeMap, BTreeSet};

use kube::ResourceExt;
use preview_env::api::conditions::{READY, is_true};
use preview_env::api::{PreviewEnvironment, PreviewEnvironmentStatus};

use crate::watches::{PullName, Sight};

/// What there is, as the watches last saw it.
#[derive(Debug, Default)]
pub struct State {
    environments: BTreeMap<String, PreviewEnvironment>,
    namespaces: BTreeSet<String>,
    /// Per namespace: each pod's name, and whether it was told to stop.
    pods: BTreeMap<String, BTreeMap<String, bool>>,
    comments: BTreeMap<PullName, String>,
    answers: BTreeMap<PullName, Vec<u16>>,
}

impl State {
    /// Takes a sight in.
    pub fn see(&mut self, sight: Sight) {
        match sight {
            Sight::Environment(object) => {
                self.environments.insert(object.name_any(), *object);
            }
            Sight::EnvironmentGone(name) => {
                self.environments.remove(&name);
            }
            Sight::Namespace(name) => {
                self.namespaces.insert(name);
            }
            Sight::NamespaceGone(name) => {
                self.namespaces.remove(&name);
            }
            Sight::Pod(pod) => {
                let pods = self.pods.entry(pod.namespace().unwrap_or_default()).or_default();
                pods.insert(pod.name_any(), pod.metadata.deletion_timestamp.is_some());
            }
            Sight::PodGone(pod) => {
                if let Some(pods) = self.pods.get_mut(&pod.namespace().unwrap_or_default()) {
                    pods.remove(&pod.name_any());
                }
            }
            Sight::Answered(pull, status) => self.answers.entry(pull).or_default().push(status),
            Sight::Comment(pull, body) => {
                self.comments.insert(pull, body);
            }
        }
    }

    /// An environment by its name.
    pub fn environment(&self, name: &str) -> Option<&PreviewEnvironment> {
        self.environments.get(name)
    }

    /// All environments.
    pub fn environments(&self) -> impl Iterator<Item = &PreviewEnvironment> {
        self.environments.values()
    }

    /// Its status.
    pub fn status(&self, name: &str) -> Option<&PreviewEnvironmentStatus> {
        self.environment(name)?.status.as_ref()
    }

    /// Its status, once everything that follows from this commit is applied.
    pub fn applied(&self, name: &str, revision: &str) -> Option<&PreviewEnvironmentStatus> {
        self.status(name).filter(|status| status.plan_digest.is_some() && status.revision.as_deref() == Some(revision))
    }

    /// The same, once it is ready.
    pub fn ready(&self, name: &str, revision: &str) -> Option<&PreviewEnvironmentStatus> {
        let ready = |status: &&PreviewEnvironmentStatus| is_true(&status.conditions, READY) && status.ready_revision == status.revision;
        self.applied(name, revision).filter(ready)
    }

    /// Whether a namespace that the service made is there.
    pub fn has_namespace(&self, name: &str) -> bool {
        self.namespaces.contains(name)
    }

    /// How many pods a namespace has, and how many of them were not told to stop.
    pub fn pods(&self, namespace: &str) -> (usize, usize) {
        let pods = self.pods.get(namespace);
        let running = pods.map_or(0, |pods| pods.values().filter(|stopping| !**stopping).count());
        (pods.map_or(0, BTreeMap::len), running)
    }

    /// What the comment on a pull request says.
    pub fn comment(&self, pull: &PullName) -> Option<&str> {
        self.comments.get(pull).map(String::as_str)
    }

    /// How many deliveries about a pull request were answered, and the last answer.
    pub fn answers(&self, pull: &PullName) -> (usize, Option<u16>) {
        let answers = self.answers.get(pull).map(Vec::as_slice).unwrap_or_default();
        (answers.len(), answers.last().copied())
    }
}
