//! The parts put together: GitHub's double, the client over it without a socket, the feedback, and the cluster's part.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use github_double::{Double, Key, NewApp, Open, Permission, on};
use preview_env::api;
use preview_env::config::{GithubConfig, GithubCredential};
use preview_env::domain::Baseline;
use preview_env::feedback::deliver::Deliverer;
use preview_env::feedback::{Driver, Sources, is_marked};
use preview_env::forge::github::GitHub;
use preview_env::forge::{Forge, Reaction};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::cluster::Cluster;

/// The repository of all pull requests.
pub const REPOSITORY: &str = "acme/web";
const TOKEN: &str = "a-token-of-the-storm";
const APP: u64 = 7;

/// As whom we write.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum As {
    /// A GitHub App, which writes check runs.
    App,
    /// An account with a token, which writes commit statuses.
    Account,
}

/// When each pull request was first told that a commit of it is ready: by number and commit.
pub type Told = Arc<Mutex<BTreeMap<(u64, String), Duration>>>;

/// Everything that a storm goes over.
pub struct World {
    pub double: Double,
    pub cluster: Arc<Cluster>,
    pub told: Told,
    pub began: Instant,
    github: Arc<GitHub>,
    driving: JoinHandle<()>,
    _folder: tempfile::TempDir,
}

impl World {
    /// Needs a runtime whose clock is paused.
    pub fn new(who: As) -> Self {
        let (double, folder) = (Double::in_process(), tempfile::tempdir().unwrap());
        // What is signed carries the machine's time, so the virtual one begins with it.
        let (began, first): (_, DateTime<Utc>) = (Instant::now(), Utc::now());
        double.follow_clock(move || first + TimeDelta::from_std(began.elapsed()).unwrap());
        double.add_user("ann");
        let repository = double.add_repository(REPOSITORY).unwrap();
        double.permit(REPOSITORY, "ann", Permission::Write).unwrap();
        let credential = who.sign_up(&double, folder.path());
        let config = GithubConfig::with(double.base_url(), credential).unwrap();
        let github = Arc::new(GitHub::over(config, double.service()).unwrap());

        let told = Told::default();
        let (cluster, store) = Cluster::new(repository, listener(double.clone(), Arc::clone(&told), began));
        let cluster = Arc::new(cluster);
        let (driver, notifier) = Driver::with(Deliverer::new(github.clone(), cluster.clone()), store, sources());
        cluster.tell(notifier);
        let driving = tokio::spawn(driver.run(std::future::pending()));
        Self { double, cluster, told, began, github, driving, _folder: folder }
    }

    /// Opens a pull request; returns its number.
    pub fn open(&self) -> u64 {
        let branch = format!("change-{}", self.double.repository(REPOSITORY).unwrap().pulls.len());
        let number = self.double.act(Open::new(REPOSITORY, &branch, "ann")).unwrap().number();
        self.cluster.record(number, &self.head(number));
        number
    }

    /// Pushes a commit to it.
    pub fn push(&self, number: u64) {
        self.double.act(on(REPOSITORY, number, "ann").push()).unwrap();
        self.cluster.record(number, &self.head(number));
    }

    /// Comments a command there, which is carried out at once, as `commands/pass.rs` does it: two signs, if the forge takes them, and
    /// what came of it.
    pub fn command(&self, number: u64) {
        self.double.act(on(REPOSITORY, number, "ann").comment("/preview extend 24h")).unwrap();
        let id = self.double.comments(REPOSITORY, number).last().unwrap().id;
        let github = Arc::clone(&self.github);
        tokio::spawn(async move {
            for sign in [Reaction::Seen, Reaction::Done] {
                let _ = github.react(&REPOSITORY.parse().unwrap(), id.cast_signed(), sign).await;
            }
        });
        let result = json!({"id": id.to_string(), "verb": "Extend", "args": ["24h"], "actor": "ann", "at": self.double.now(),
            "outcome": "Done", "mayCommand": true, "message": "It stays for 24 h more."});
        self.cluster.carried_out(number, serde_json::from_value(result).unwrap());
    }

    /// What we wrote on it.
    pub fn words(&self, number: u64) -> Vec<String> {
        let comments = self.double.comments(REPOSITORY, number).into_iter().map(|comment| comment.body);
        comments.filter(|body| is_marked(body)).collect()
    }

    /// The commit at its head.
    pub fn head(&self, number: u64) -> String {
        self.double.pull(REPOSITORY, number).unwrap().head_sha
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.driving.abort();
    }
}

impl As {
    fn sign_up(self, double: &Double, folder: &std::path::Path) -> GithubCredential {
        let file = folder.join("secret");
        match self {
            Self::Account => {
                double.add_user("robot");
                double.permit(REPOSITORY, "robot", Permission::Write).unwrap();
                double.add_token("robot", TOKEN).unwrap();
                std::fs::write(&file, TOKEN).unwrap();
                GithubCredential::Token(file)
            }
            Self::App => {
                let manifest: Value = serde_json::from_str(include_str!("../../deploy/github-app.json")).unwrap();
                let permissions = manifest["default_permissions"].as_object().unwrap();
                let permissions: Vec<_> = permissions.iter().map(|(name, level)| (name.as_str(), level.as_str().unwrap())).collect();
                double.add_app(NewApp::new(APP, "previews", &Key::shared().public).permissions(&permissions)).unwrap();
                double.install(APP, "acme", None).unwrap();
                std::fs::write(&file, Key::shared().private).unwrap();
                GithubCredential::App { id: APP.to_string().parse().unwrap(), key_file: file }
            }
        }
    }
}

/// Notes when a pull request is told for the first time that its head is ready.
fn listener(double: Double, told: Told, began: Instant) -> impl Fn(u64) + Send + Sync {
    move |number| {
        let head = double.pull(REPOSITORY, number).unwrap().head_sha;
        let comments = double.comments(REPOSITORY, number);
        if comments.iter().any(|comment| comment.body.contains(&format!("`{}` is ready", &head[..7]))) {
            told.lock().unwrap().entry((number, head)).or_insert_with(|| began.elapsed());
        }
    }
}

/// One Baseline, which says nothing of feedback, where somebody asks environments whether they answer.
fn sources() -> Sources {
    let spec = json!({"repositories": [{"name": REPOSITORY}]});
    let mut object = api::Baseline::new("shop", serde_json::from_value(spec).unwrap());
    object.metadata.namespace = Some("shop".into());
    let baseline = Arc::new(Baseline::try_from(&object).unwrap());
    Sources::new(Arc::new(move |_, _| Some(baseline.clone())), true)
}
