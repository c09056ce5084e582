//! Sees what happens, by watches at the API server and at the double, each sight with its time.

use std::fmt::Debug;
use std::pin::pin;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures::StreamExt;
use github_double::{Delivery, Double};
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{Config, Event, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use preview_env::api::PreviewEnvironment;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

/// Far longer than a demo takes; somebody who keeps it may leave it overnight.
const FOR_EVER: Duration = Duration::from_secs(60 * 60 * 24 * 7);

/// A pull request.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PullName {
    /// `owner/name`.
    pub repository: String,
    /// Its number.
    pub number: u64,
}

/// Something that was seen, and when.
#[derive(Debug)]
pub struct Seen {
    /// When.
    pub at: Instant,
    /// What.
    pub what: Sight,
}

/// What can be seen.
#[derive(Debug)]
pub enum Sight {
    /// An environment as it is now.
    Environment(Box<PreviewEnvironment>),
    /// An environment's object is gone.
    EnvironmentGone(String),
    /// A namespace that the service made is there.
    Namespace(String),
    /// It is gone.
    NamespaceGone(String),
    /// A pod as it is now.
    Pod(Box<Pod>),
    /// A pod is gone.
    PodGone(Box<Pod>),
    /// The service answered a delivery.
    Answered(PullName, u16),
    /// What a pull request's comment says now.
    Comment(PullName, String),
}

/// All watches. Dropped, they end.
pub struct Watches {
    seen: UnboundedReceiver<Seen>,
    sender: UnboundedSender<Seen>,
    tasks: JoinSet<()>,
}

impl Watches {
    /// Starts them, for the environments beside that Baseline, and returns once all of them see.
    pub async fn start(client: &Client, namespace: &str) -> Result<Self> {
        let (sender, seen) = unbounded_channel();
        let mut watches = Self { seen, sender, tasks: JoinSet::new() };
        let (ready, mut listed) = unbounded_channel();
        let made = Config::default().labels("app.kubernetes.io/managed-by=preview-env");
        watches.follow(Api::namespaced(client.clone(), namespace), Config::default(), ready.clone(), environment);
        watches.follow(Api::all(client.clone()), made, ready.clone(), |object: Namespace, gone| {
            let name = object.name_any();
            if gone { Sight::NamespaceGone(name) } else { Sight::Namespace(name) }
        });
        watches.follow(Api::all(client.clone()), Config::default(), ready, pod);
        for _ in 0..3 {
            listed.recv().await.context("a watch ended")?;
        }
        Ok(watches)
    }

    fn follow<K>(&mut self, api: Api<K>, config: Config, listed: UnboundedSender<()>, sight: fn(K, bool) -> Sight)
    where
        K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
    {
        let sender = self.sender.clone();
        self.tasks.spawn(async move {
            let mut events = pin!(watcher(api, config).default_backoff());
            while let Some(event) = events.next().await {
                let what = match event {
                    Ok(Event::Apply(object) | Event::InitApply(object)) => sight(object, false),
                    Ok(Event::Delete(object)) => sight(object, true),
                    Ok(Event::InitDone) => {
                        let _ = listed.send(());
                        continue;
                    }
                    Ok(Event::Init) | Err(_) => continue,
                };
                let _ = sender.send(Seen { at: Instant::now(), what });
            }
        });
    }

    /// Sees every change of the first comment on a pull request.
    pub fn follow_comment(&mut self, github: &Double, pull: PullName) {
        let (sender, github) = (self.sender.clone(), github.clone());
        self.tasks.spawn(async move {
            let mut known = None;
            loop {
                let look = |double: &Double| {
                    let first = double.comments(&pull.repository, pull.number).into_iter().next();
                    first.map(|comment| comment.body).filter(|body| known.as_ref() != Some(body))
                };
                let Ok(body) = github.wait_until("other comment", FOR_EVER, look).await else { return };
                known = Some(body.clone());
                let what = Sight::Comment(pull.clone(), body);
                let _ = sender.send(Seen { at: Instant::now(), what });
            }
        });
    }

    /// Sends deliveries as GitHub does, and sees the answers.
    pub fn deliver(&mut self, github: &Double, pull: PullName, deliveries: Vec<Delivery>) {
        let (sender, github) = (self.sender.clone(), github.clone());
        self.tasks.spawn(async move {
            for delivery in deliveries {
                let status = github.send(&delivery).await.status().unwrap_or_default();
                let what = Sight::Answered(pull.clone(), status);
                let _ = sender.send(Seen { at: Instant::now(), what });
            }
        });
    }

    /// What is seen next.
    pub async fn next(&mut self) -> Result<Seen> {
        self.seen.recv().await.context("the watches ended")
    }
}

fn environment(object: PreviewEnvironment, gone: bool) -> Sight {
    if gone { Sight::EnvironmentGone(object.name_any()) } else { Sight::Environment(Box::new(object)) }
}

fn pod(object: Pod, gone: bool) -> Sight {
    if gone { Sight::PodGone(Box::new(object)) } else { Sight::Pod(Box::new(object)) }
}
