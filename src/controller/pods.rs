//! Why a workload does not start, as its pods say: an image that cannot be pulled, a Secret that is not there, no node
//! that fits. The client is used here.
//!
//! No watch follows the pods of all environments, which would cost memory and events for what is right almost always. One
//! list of the pods that are pending is asked for where a workload is not ready some seconds after it was applied, and
//! again after half as much time more.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};

use super::late::{Key, Late};
use super::logs;
use super::requests::{RequestError, within_deadline};
use crate::api::PreviewEnvironmentStatus;
use crate::api::names::LABEL_ENVIRONMENT_UID;
use crate::domain::ImageRef;

/// How long a workload may take before its pods are looked at. Most images are pulled and started within it.
const FIRST_LOOK: Duration = Duration::from_secs(5);
/// The longest time between two looks.
const LAST_PAUSE: Duration = Duration::from_secs(300);
/// Pods that are looked at; more have the same reason.
const PODS: u32 = 200;
/// Workloads whose logs are read in one look: whoever reads about more than these knows enough.
const LOGS: usize = 3;
/// Longest reason, in characters.
const REASON_MAX: usize = 240;
/// What a container waits for on its way: no reason why it does not start.
const ON_ITS_WAY: [&str; 2] = ["ContainerCreating", "PodInitializing"];

/// What the pods said when they were last looked at, by the environment's UID.
#[derive(Debug, Default)]
pub struct Pods {
    looks: Mutex<HashMap<String, Look>>,
}

#[derive(Debug)]
struct Look {
    /// When what was looked at was applied.
    applied_at: DateTime<Utc>,
    next: DateTime<Utc>,
    /// What was late then.
    late: HashSet<Key>,
    said: HashMap<Key, Said>,
}

/// What the pods of a workload say.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Said {
    reason: String,
    /// The last lines of what fails, where they may be shown.
    log: Option<String>,
}

impl Pods {
    fn lock<T>(&self, work: impl FnOnce(&mut HashMap<String, Look>) -> T) -> T {
        work(&mut self.looks.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Forgets an environment that is gone.
    pub fn forget(&self, uid: &str) {
        self.lock(|looks| looks.remove(uid));
    }

    /// Puts what the pods say into the reasons of services that are not ready, and says when to look again. What is late
    /// now and was not before is looked at at once. `with_logs` says whether what fails may be quoted.
    pub async fn explain(
        &self,
        (client, uid): (&Client, &str),
        status: &mut PreviewEnvironmentStatus,
        (late, with_logs): (&Late, bool),
        now: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        let stuck = status.services.iter().any(|s| !s.ready && s.waits_for.is_none());
        let (Some(applied_at), Some(namespace), true) = (status.applied_at, status.namespace.clone(), stuck) else {
            self.forget(uid);
            return None;
        };
        let next = self.next_look(uid, applied_at, late);
        if now < next {
            self.put_reasons(uid, applied_at, status);
            return Some(late.next.map_or(next, |at| at.min(next)));
        }
        let said = match list(client, &namespace, uid).await {
            Ok(pods) => with_last_lines((client, &namespace), &pods, (&late.workloads, with_logs)).await,
            // The environment does not need them, only its reader does.
            Err(error) => {
                tracing::debug!(namespace, %error, "the pods cannot be looked at");
                HashMap::new()
            }
        };
        let half = (now - applied_at).to_std().unwrap_or_default() / 2;
        let next = now + half.clamp(FIRST_LOOK, LAST_PAUSE);
        self.lock(|looks| looks.insert(uid.to_owned(), Look { applied_at, next, late: late.workloads.clone(), said }));
        self.put_reasons(uid, applied_at, status);
        Some(late.next.map_or(next, |at| at.min(next)))
    }

    /// When to look: where something is late that was not, as soon as anything is looked at.
    fn next_look(&self, uid: &str, applied_at: DateTime<Utc>, late: &Late) -> DateTime<Utc> {
        let first = applied_at + FIRST_LOOK;
        let after = |look: &Look| if late.workloads.is_subset(&look.late) { look.next } else { first };
        self.lock(|looks| looks.get(uid).filter(|look| look.applied_at == applied_at).map_or(first, after))
    }

    fn put_reasons(&self, uid: &str, applied_at: DateTime<Utc>, status: &mut PreviewEnvironmentStatus) {
        self.lock(|looks| {
            let Some(look) = looks.get(uid).filter(|look| look.applied_at == applied_at) else { return };
            for service in status.services.iter_mut().filter(|s| !s.ready && s.waits_for.is_none()) {
                if let Some(said) = look.said.get(&(service.kind.clone(), service.name.clone())) {
                    service.reason = Some(said.reason.clone());
                    service.log.clone_from(&said.log);
                }
            }
        });
    }
}

async fn list(client: &Client, namespace: &str, uid: &str) -> Result<Vec<Pod>, RequestError> {
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    // What crashes counts as running in between.
    let alive = ListParams::default().labels(&format!("{LABEL_ENVIRONMENT_UID}={uid}")).fields("status.phase!=Succeeded").limit(PODS);
    Ok(within_deadline(&format!("list the pods of namespace {namespace}"), api.list(&alive)).await?.items)
}

/// What the pods say, and the last lines of those that fail.
async fn with_last_lines(
    (client, namespace): (&Client, &str),
    pods: &[Pod],
    (late, with_logs): (&HashSet<Key>, bool),
) -> HashMap<Key, Said> {
    let mut said: HashMap<Key, Said> = reasons(pods, late).into_iter().map(|(key, reason)| (key, Said { reason, log: None })).collect();
    let failing = pods.iter().filter(|pod| with_logs && fails(pod, late));
    let mut quoted: Vec<Key> = Vec::new();
    for pod in failing {
        let Some(key) = owner(pod).filter(|key| !quoted.contains(key)) else { continue };
        if quoted.len() == LOGS {
            break;
        }
        if let Some(entry) = said.get_mut(&key) {
            entry.log = logs::last_lines((client, namespace), pod, logs::CRASH).await;
        }
        quoted.push(key);
    }
    said
}

/// The digests that a baseline's pods run, one for each repository on which all of them agree.
pub struct Running {
    digests: HashMap<(String, String), Option<String>>,
}

impl Running {
    /// Lists the pods of a baseline's namespace. Who may not list them goes without.
    pub async fn list(client: &Client, namespace: &str) -> Self {
        let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
        let running = ListParams::default().fields("status.phase=Running");
        let listed = within_deadline(&format!("list the pods of namespace {namespace}"), api.list(&running)).await;
        let pods =
            listed.inspect_err(|error| tracing::debug!(namespace, %error, "images are not held to what runs")).map(|pods| pods.items);
        Self::of(&pods.unwrap_or_default())
    }

    fn of(pods: &[Pod]) -> Self {
        let mut digests: HashMap<(String, String), Option<String>> = HashMap::new();
        let statuses = pods.iter().filter_map(|pod| pod.status.as_ref()).flat_map(|s| s.container_statuses.iter().flatten());
        for container in statuses {
            // Of an image that was not pulled, the id is no digest of a repository.
            let Some((name, digest)) = container.image_id.rsplit_once('@') else { continue };
            let name = name.split_once("://").map_or(name, |(_, name)| name);
            let Some(repository) = name.parse().ok().map(|image: ImageRef| image.registry_and_path()) else { continue };
            let known = digests.entry(repository).or_insert_with(|| Some(digest.to_owned()));
            if known.as_deref() != Some(digest) {
                *known = None;
            }
        }
        Self { digests }
    }

    /// The digest that all pods of that repository run.
    pub fn digest(&self, repository: &ImageRef) -> Option<String> {
        self.digests.get(&repository.registry_and_path()).cloned().flatten()
    }
}

/// The first reason that the pods of each workload give.
fn reasons(pods: &[Pod], late: &HashSet<Key>) -> HashMap<Key, String> {
    let mut reasons = HashMap::new();
    for pod in pods {
        let Some(owner) = owner(pod) else { continue };
        if let Some(reason) = reason(pod, late.contains(&owner)) {
            reasons.entry(owner).or_insert(reason);
        }
    }
    reasons
}

/// Whether what a pod logged tells why its workload is not ready: it crashes, or it runs and its time to get ready is over.
fn fails(pod: &Pod, late: &HashSet<Key>) -> bool {
    crash(pod).is_some() || (logs::unready(pod).is_some() && owner(pod).is_some_and(|owner| late.contains(&owner)))
}

/// The workload that a pod is of. A Deployment's pods are a ReplicaSet's, which is called after it and the template's hash.
pub(crate) fn owner(pod: &Pod) -> Option<Key> {
    let owner = pod.owner_references().iter().find(|o| o.controller == Some(true))?;
    if owner.kind != "ReplicaSet" {
        return Some((owner.kind.clone(), owner.name.clone()));
    }
    let hash = pod.labels().get("pod-template-hash")?;
    Some(("Deployment".to_owned(), owner.name.strip_suffix(&format!("-{hash}"))?.to_owned()))
}

/// Why a pod is not ready. Of one that is late the words say so: it is not slow any more (`feedback/trouble.rs`).
pub(crate) fn reason(pod: &Pod, is_late: bool) -> Option<String> {
    if let Some(crash) = crash(pod) {
        return Some(crash);
    }
    let status = pod.status.as_ref()?;
    let containers = || status.init_container_statuses.iter().chain(&status.container_statuses).flatten();
    let mut waiting = containers().filter_map(|c| c.state.as_ref()?.waiting.as_ref());
    let stuck = waiting.find_map(|w| {
        let reason = w.reason.as_deref().filter(|r| !ON_ITS_WAY.contains(r))?;
        Some((reason.to_owned(), w.message.clone()))
    });
    let unscheduled = || {
        let condition = status.conditions.iter().flatten().find(|c| c.type_ == "PodScheduled" && c.status == "False")?;
        Some((condition.reason.clone()?, condition.message.clone()))
    };
    let unready = || {
        let how = if is_late { "does not get ready" } else { "is not ready" };
        Some((format!("{} runs and {how}", logs::unready(pod)?.name), None))
    };
    let (reason, message) = stuck.or_else(unscheduled).or_else(unready)?;
    let text = message.map_or(reason.clone(), |message| format!("{reason}: {message}"));
    Some(text.chars().filter(|c| !c.is_control()).take(REASON_MAX).collect())
}

/// How a container ends again and again: `exit 1, 3 restarts`.
fn crash(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    let containers = status.init_container_statuses.iter().chain(&status.container_statuses).flatten();
    containers.into_iter().find_map(|container| {
        let state = container.state.as_ref()?;
        let loops = state.waiting.as_ref().is_some_and(|w| w.reason.as_deref() == Some("CrashLoopBackOff"));
        let ended = state.terminated.as_ref().or_else(|| container.last_state.as_ref()?.terminated.as_ref());
        let ended = ended.filter(|t| loops || (state.terminated.is_some() && t.exit_code != 0))?;
        let of_memory = if ended.reason.as_deref() == Some("OOMKilled") { " (out of memory)" } else { "" };
        let restarts = match container.restart_count {
            1 => "1 restart".to_owned(),
            count => format!("{count} restarts"),
        };
        Some(format!("{} crashes: exit {}{of_memory}, {restarts}", container.name, ended.exit_code))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn pod(owner: &Value, status: &Value) -> Pod {
        let metadata = json!({"name": "p", "labels": {"pod-template-hash": "6f7"}, "ownerReferences": [owner]});
        serde_json::from_value(json!({"metadata": metadata, "status": status})).unwrap()
    }

    fn of(kind: &str, name: &str) -> Value {
        json!({"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": "u", "controller": true})
    }

    fn waits(reason: &str, message: &str) -> Value {
        json!({"containerStatuses": [{"name": "c", "image": "i", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"waiting": {"reason": reason, "message": message}}}]})
    }

    #[test]
    fn what_all_pods_run_is_what_the_baseline_runs() {
        let runs = |id: &str| {
            let container = json!({"name": "c", "image": "i", "imageID": id, "ready": true, "restartCount": 0});
            pod(&of("StatefulSet", "x"), &json!({"containerStatuses": [container]}))
        };
        let running = Running::of(&[
            runs("docker-pullable://nginx@sha256:aa"),
            runs("docker.io/library/nginx@sha256:aa"),
            runs("r.example.com:5000/acme/web@sha256:bb"),
            runs("r.example.com:5000/acme/web@sha256:cc"),
            runs("sha256:dd"),
            runs(""),
        ]);
        let digest = |image: &str| running.digest(&image.parse().unwrap());
        assert_eq!(digest("nginx").as_deref(), Some("sha256:aa"));
        assert_eq!(digest("r.example.com:5000/acme/web"), None, "they do not agree");
        assert_eq!(digest("acme/other"), None);
    }

    #[test]
    fn what_crashes_says_how_and_how_often() {
        let container = |state: Value, restarts: i32, last: Value| {
            let container = json!({"name": "app", "image": "i", "imageID": "", "ready": false, "restartCount": restarts,
                "state": state, "lastState": last});
            reason(&pod(&of("ReplicaSet", "web-6f7"), &json!({"containerStatuses": [container]})), false)
        };
        let ended = |code: i32, why: &str| json!({"terminated": {"exitCode": code, "reason": why}});
        let looping = json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}});
        for (state, restarts, last, said) in [
            (looping.clone(), 3, ended(1, "Error"), Some("app crashes: exit 1, 3 restarts")),
            (looping.clone(), 1, ended(137, "OOMKilled"), Some("app crashes: exit 137 (out of memory), 1 restart")),
            (looping, 2, ended(0, "Completed"), Some("app crashes: exit 0, 2 restarts")),
            (ended(2, "Error"), 0, json!({}), Some("app crashes: exit 2, 0 restarts")),
            (ended(0, "Completed"), 0, json!({}), None),
            (json!({"running": {}}), 4, ended(1, "Error"), Some("app runs and is not ready")),
        ] {
            assert_eq!(container(state.clone(), restarts, last).as_deref(), said, "{state}");
        }
    }

    #[test]
    fn a_pod_s_reason_is_its_workload_s() {
        let pods = [
            pod(&of("ReplicaSet", "web-6f7"), &waits("ContainerCreating", "")),
            pod(&of("ReplicaSet", "web-6f7"), &waits("ImagePullBackOff", "Back-off pulling image \"acme/web:1\"")),
            pod(
                &of("StatefulSet", "db"),
                &json!({"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes are available"}]}),
            ),
            pod(&of("ReplicaSet", "api-6f7"), &waits("PodInitializing", "")),
        ];
        let said = reasons(&pods, &HashSet::new());
        let key = |kind: &str, name: &str| (kind.to_owned(), name.to_owned());
        assert_eq!(said[&key("Deployment", "web")], "ImagePullBackOff: Back-off pulling image \"acme/web:1\"");
        assert_eq!(said[&key("StatefulSet", "db")], "Unschedulable: 0/3 nodes are available");
        assert_eq!(said.len(), 2);
    }

    #[test]
    fn what_runs_past_its_time_fails_and_is_read() {
        let key = |kind: &str, name: &str| (kind.to_owned(), name.to_owned());
        let late = HashSet::from([key("Deployment", "web"), key("Deployment", "api")]);
        let runs = |ready: bool| json!({"containerStatuses": [{"name": "c", "image": "i", "imageID": "", "ready": ready, "restartCount": 0, "state": {"running": {}}}]});
        let web = pod(&of("ReplicaSet", "web-6f7"), &runs(false));
        for (pod, is_late, said, fails_) in [
            (&web, true, Some("c runs and does not get ready"), true),
            (&web, false, Some("c runs and is not ready"), false),
            (&pod(&of("ReplicaSet", "web-6f7"), &runs(true)), true, None, false),
            (&pod(&of("ReplicaSet", "api-6f7"), &waits("ContainerCreating", "")), true, None, false),
        ] {
            let late = if is_late { late.clone() } else { HashSet::new() };
            assert_eq!(reasons(std::slice::from_ref(pod), &late).into_values().next().as_deref(), said, "{is_late}");
            assert_eq!(fails(pod, &late), fails_, "{said:?}");
        }
    }

    #[test]
    fn what_is_late_since_the_last_look_is_looked_at_at_once() {
        let (pods, applied_at) = (Pods::default(), DateTime::UNIX_EPOCH);
        let later = applied_at + Duration::from_secs(900);
        let look = |late: HashSet<Key>| Look { applied_at, next: later, late, said: HashMap::new() };
        let late = Late { workloads: HashSet::from([("Deployment".to_owned(), "web".to_owned())]), next: None };
        pods.lock(|looks| looks.insert("u".into(), look(HashSet::new())));
        assert_eq!(pods.next_look("u", applied_at, &Late::default()), later);
        assert_eq!(pods.next_look("u", applied_at, &late), applied_at + FIRST_LOOK);
        pods.lock(|looks| looks.insert("u".into(), look(late.workloads.clone())));
        assert_eq!(pods.next_look("u", applied_at, &late), later, "it was looked at as what it is");
    }
}
