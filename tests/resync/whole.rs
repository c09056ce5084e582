//! From a delivery of the tiny forge to its comment: nothing on the way knows of GitHub.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use futures::FutureExt;
use futures::future::BoxFuture;
use hmac::{Hmac, KeyInit, Mac};
use preview_env::api::PreviewEnvironment;
use preview_env::api::environment::SourceState;
use preview_env::feedback::deliver::{Deliverer, Measure, Memory, Outcome};
use preview_env::feedback::status::{Report, StatusError, Statuses};
use preview_env::feedback::{Group, PullKey, Sources};
use preview_env::metrics::Metrics;
use preview_env::record::Recorded;
use preview_env::server::{Baselines, Gate, Limits, Readiness, Server, WebhookSecrets, webhooks_of};
use serde_json::json;
use sha2::Sha256;
use tower::ServiceExt;

use crate::cluster::Cluster;
use crate::forge::{HOOK, Tiny};
use crate::rounds::now;

const SECRET: &str = "a secret of the tiny forge";

/// The service's parts about that forge.
struct World {
    forge: Arc<Tiny>,
    cluster: Arc<Cluster>,
    secrets: std::path::PathBuf,
    _folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let secrets = folder.path().join("secret");
        std::fs::write(&secrets, SECRET).unwrap();
        let cluster = Cluster::with(json!({"repositories": [{"name": "acme/web"}]}), "2026-01-02T00:00:00Z");
        Self { forge: Arc::default(), cluster, secrets, _folder: folder }
    }

    fn server(&self) -> Server {
        Server {
            secrets: Some(WebhookSecrets::from_files(std::slice::from_ref(&self.secrets)).unwrap()),
            instance: None,
            baselines: self.cluster.clone(),
            environments: self.cluster.clone(),
            look_soon: Arc::new(|_| std::future::ready(Ok(Recorded::Held)).boxed()),
            clock: Arc::new(now),
            recorder: self.cluster.clone(),
            readiness: Readiness::new(&Gate::ALL),
            metrics: Metrics::new(),
            traces: preview_env::traces::Traces::default(),
            limits: Limits::default(),
        }
    }

    /// Delivers it as the forge does; the status of the answer.
    async fn deliver(&self, body: &str, secret: &str) -> u16 {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(body.as_bytes());
        let request = Request::post(HOOK.path)
            .header("content-type", "application/json")
            .header(HOOK.event, "change")
            .header(HOOK.signature, format!("sha256={}", hex::encode(mac.finalize().into_bytes())));
        let request = request.body(Body::from(body.to_owned())).unwrap();
        webhooks_of(self.server(), HOOK).oneshot(request).await.unwrap().status().as_u16()
    }

    /// The controller says so of the only environment, and the forge is told.
    async fn becomes(&self, memory: &mut Memory, status: serde_json::Value) {
        let object = {
            let mut environments = self.cluster.environments.lock().unwrap();
            let object = environments.get_mut("web-pr-1").unwrap();
            object.status = Some(serde_json::from_value(status).unwrap());
            Arc::new(object.clone())
        };
        let baseline = self.cluster.list().unwrap().remove(0);
        let sources = Sources::new(Arc::new(move |_, _| Some(baseline.clone())), false).on(&*self.forge);
        let group = Group::of(PullKey::of(&object).unwrap(), vec![object]).unwrap();
        let show = sources.show(&group, now()).unwrap();
        let deliverer = Deliverer::new(self.forge.clone(), Arc::new(Unkept));
        assert_eq!(deliverer.deliver(&group, (&show, Measure::All), memory).await, Outcome::Delivered);
    }

    /// Number of the pull request and text of each comment of ours.
    fn comments(&self) -> Vec<(i64, String)> {
        self.forge.0.lock().unwrap().ours.values().cloned().collect()
    }
}

/// Records that nobody reads again: what was delivered is in memory.
struct Unkept;

impl Statuses for Unkept {
    fn write<'a>(&'a self, _: &'a PreviewEnvironment, _: &'a Report) -> BoxFuture<'a, Result<(), StatusError>> {
        std::future::ready(Ok(())).boxed()
    }
}

fn wanted(is: &str, reason: &str) -> serde_json::Value {
    json!([{"type": "Wanted", "status": is, "reason": reason, "message": "", "lastTransitionTime": "2026-01-02T12:00:00Z"}])
}

fn change(state: &str) -> String {
    json!({"change": format!("1 {state} faster {} ann", "b".repeat(40))}).to_string()
}

#[tokio::test]
async fn a_forge_that_is_not_github_delivers_and_is_told() {
    let (world, mut memory) = (World::new(), Memory::default());
    assert_eq!(world.deliver(&change("open"), "another secret").await, 401);
    assert_eq!(world.deliver(&change("ajar"), SECRET).await, 400);
    assert_eq!(world.cluster.names(), [""; 0]);
    assert_eq!(world.deliver(&change("open"), SECRET).await, 202);
    let source = world.cluster.source("web-pr-1").unwrap();
    assert_eq!((source.state, source.revision, source.sender), (SourceState::Open, "b".repeat(40), Some("ann".to_owned())));
    world.becomes(&mut memory, json!({"namespace": "shop-web-pr-1", "phase": "Creating", "conditions": wanted("True", "Triggered")})).await;
    let comments = world.comments();
    assert!(comments.len() == 1 && comments[0].0 == 1 && comments[0].1.contains("Creating the preview"), "{comments:?}");
    assert_eq!(world.deliver(&change("over"), SECRET).await, 202);
    assert_eq!(world.cluster.source("web-pr-1").unwrap().state, SourceState::Merged);
    world.becomes(&mut memory, json!({"phase": "Removed", "conditions": wanted("False", "Merged")})).await;
    let comments = world.comments();
    assert!(comments.len() == 1 && comments[0].1.contains("was merged"), "in place: {comments:?}");
}
