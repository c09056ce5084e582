//! The API server's and the controller's part in it: environments in memory, which move as the controller would move them.

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock};

use futures::future::BoxFuture;
use kube::runtime::reflector::{Store, store, store::Writer};
use kube::runtime::watcher::Event;
use preview_env::api::PreviewEnvironment;
use preview_env::api::status::{CommandResult, PreviewEnvironmentStatus};
use preview_env::feedback::Notifier;
use preview_env::feedback::status::{Report, StatusError, Statuses, patch};
use serde_json::{Value, json};

/// What an environment comes to, one after the other.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum State {
    /// It is wanted, and nothing of it is there.
    Prepared,
    /// So many of its three services are up.
    Starting(usize),
    /// All are, and nobody heard of the address yet.
    Up,
    /// The address answered.
    Ready,
    /// One of its services went down again.
    Degraded,
    /// The pull request was merged, and it is being taken down.
    Removing,
    /// Nothing of it is left.
    Removed,
}

/// All environments, by the number of their pull request.
pub struct Cluster {
    /// The repository's number.
    repository: u64,
    environments: Mutex<BTreeMap<u64, PreviewEnvironment>>,
    writer: Mutex<Writer<PreviewEnvironment>>,
    notifier: OnceLock<Notifier>,
    /// Called with every record of what was delivered.
    heard: Box<dyn Fn(u64) + Send + Sync>,
}

impl Cluster {
    /// An empty one, and what its watch fills.
    pub fn new(repository: u64, heard: impl Fn(u64) + Send + Sync + 'static) -> (Self, Store<PreviewEnvironment>) {
        let (store, mut writer) = store();
        writer.apply_watcher_event(&Event::Init);
        writer.apply_watcher_event(&Event::InitDone);
        let (environments, notifier) = (Mutex::default(), OnceLock::new());
        (Self { repository, environments, writer: Mutex::new(writer), notifier, heard: Box::new(heard) }, store)
    }

    /// From now on changes are told there.
    pub fn tell(&self, notifier: Notifier) {
        assert!(self.notifier.set(notifier).is_ok(), "told once");
    }

    /// The forge stated the head of a pull request.
    pub fn record(&self, number: u64, revision: &str) {
        let mut environments = self.environments.lock().unwrap();
        let environment = environments.entry(number).or_insert_with(|| recorded(self.repository, number, revision));
        environment.spec.sources[0].revision = revision.to_owned();
        self.watch(environment);
    }

    /// The controller brought the environment to that state.
    pub fn becomes(&self, number: u64, state: State) {
        let mut environments = self.environments.lock().unwrap();
        let environment = environments.get_mut(&number).expect("an environment that was recorded");
        let before = environment.status.take().unwrap_or_default();
        let mut status: PreviewEnvironmentStatus = serde_json::from_value(status(number, state, &before, revision(environment))).unwrap();
        (status.feedback, status.commands) = (before.feedback, before.commands);
        status.conditions.extend(before.conditions.into_iter().filter(|c| c.type_ == "FeedbackDelivered"));
        environment.status = Some(status);
        self.watch(environment);
    }

    /// A command was carried out there.
    pub fn carried_out(&self, number: u64, result: CommandResult) {
        let mut environments = self.environments.lock().unwrap();
        let environment = environments.get_mut(&number).expect("an environment that was recorded");
        environment.status.get_or_insert_default().commands.push(result);
        self.watch(environment);
    }

    /// Those that the controller may not forget yet, since the forge does not show their end.
    pub fn unfinished(&self) -> Vec<u64> {
        let environments = self.environments.lock().unwrap();
        let notifier = self.notifier.get().expect("a driver");
        environments.iter().filter(|(_, environment)| !notifier.nothing_left_to_say(environment)).map(|(number, _)| *number).collect()
    }

    fn watch(&self, environment: &PreviewEnvironment) {
        self.writer.lock().unwrap().apply_watcher_event(&Event::Apply(environment.clone()));
        self.notifier.get().expect("a driver").changed(environment);
    }

    fn keep(&self, member: &PreviewEnvironment, report: &Report) -> u64 {
        let patch = patch(member, report, chrono::Utc::now());
        let number = number(member);
        let mut environments = self.environments.lock().unwrap();
        let environment = environments.get_mut(&number).expect("an environment that was recorded");
        let status = environment.status.get_or_insert_default();
        status.feedback = serde_json::from_value(patch["status"]["feedback"].clone()).unwrap();
        status.conditions.retain(|c| c.type_ != "FeedbackDelivered");
        status.conditions.push(serde_json::from_value(patch["status"]["conditions"][0].clone()).unwrap());
        self.watch(environment);
        number
    }
}

impl Statuses for Cluster {
    fn write<'a>(&'a self, member: &'a PreviewEnvironment, report: &'a Report) -> BoxFuture<'a, Result<(), StatusError>> {
        let number = self.keep(member, report);
        (self.heard)(number);
        Box::pin(std::future::ready(Ok(())))
    }
}

fn number(environment: &PreviewEnvironment) -> u64 {
    environment.spec.sources[0].pull.and_then(|pull| pull.try_into().ok()).expect("an environment of a pull request")
}

fn revision(environment: &PreviewEnvironment) -> &str {
    &environment.spec.sources[0].revision
}

fn recorded(repository: u64, number: u64, revision: &str) -> PreviewEnvironment {
    let source = json!({"forge": "github", "repositoryId": repository, "repository": "acme/web", "pull": number, "state": "Open",
        "revision": revision, "observedAt": "2026-11-28T12:00:00Z", "headRepositoryId": repository});
    let spec = serde_json::from_value(json!({"baseline": "shop", "sources": [source]})).unwrap();
    let mut object = PreviewEnvironment::new(&format!("web-pr-{number}"), spec);
    (object.metadata.namespace, object.metadata.uid) = (Some("shop".into()), Some(format!("uid-{number}")));
    object
}

/// The status that the controller writes, without what feedback writes.
fn status(number: u64, state: State, before: &PreviewEnvironmentStatus, head: &str) -> Value {
    if state == State::Removed {
        return json!({"phase": "Removed", "conditions": [condition("Wanted", "False", "Merged")]});
    }
    let address = format!("https://web-pr-{number}.preview.example.com");
    let (up, phase) = match state {
        State::Prepared => return json!({"phase": "Preparing", "conditions": [condition("Wanted", "True", "Triggered")]}),
        State::Starting(up) => (up, if before.ready_revision.is_some() { "Updating" } else { "Creating" }),
        State::Up | State::Ready => (3, "Ready"),
        State::Degraded => (2, "Ready"),
        State::Removing | State::Removed => (3, "Removing"),
    };
    let wanted = if state == State::Removing { condition("Wanted", "False", "Merged") } else { condition("Wanted", "True", "Triggered") };
    let ready = condition("Ready", if up == 3 { "True" } else { "False" }, phase);
    let services = ["web", "api", "db"].iter().enumerate().map(|(index, name)| {
        json!({"kind": "Deployment", "name": name, "image": format!("registry.example.com/acme/{name}:1.8.2"),
            "from": if *name == "web" { "Branch" } else { "Baseline" }, "ready": index < up, "reason": (index >= up).then_some("starting")})
    });
    let mut status = json!({"phase": phase, "namespace": format!("shop-web-pr-{number}"), "revision": head, "conditions": [wanted, ready],
        "urls": [{"host": format!("web-pr-{number}.preview.example.com"), "url": address}],
        "services": services.collect::<Vec<_>>(), "readyRevision": before.ready_revision, "probe": before.probe});
    if state == State::Ready {
        status["readyRevision"] = json!(head);
        status["probe"] = json!({"url": address, "revision": head, "status": 200, "answered": true, "since": "2026-11-28T12:00:09Z"});
    }
    status
}

fn condition(type_: &str, status: &str, reason: &str) -> Value {
    json!({"type": type_, "status": status, "reason": reason, "message": "", "lastTransitionTime": "2026-11-28T12:00:08Z"})
}
