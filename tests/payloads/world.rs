//! The endpoint in this process, before a notebook.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use futures::FutureExt;
use futures::future::BoxFuture;
use hmac::{Hmac, KeyInit, Mac};
use http_body_util::BodyExt;
use preview_env::api;
use preview_env::domain::Baseline;
use preview_env::intent::{About, CommandFact, Existing, Fact};
use preview_env::metrics::Metrics;
use preview_env::record::{RecordError, Recorded, Recorder};
use preview_env::server::{Gate, Limits, Readiness, Server, WebhookSecrets, router};
use preview_env::traces::Traces;
use serde_json::{Value, json};
use sha2::Sha256;
use tower::ServiceExt;

const SECRET: &str = "It's a Secret to Everybody";

/// One example of GitHub's.
pub struct Example {
    pub event: String,
    pub payload: Value,
}

/// All of them, in the order of the file.
pub fn examples() -> Vec<Example> {
    let line = |line: &str| {
        let mut parsed: Value = serde_json::from_str(line).unwrap();
        Example { event: parsed["event"].as_str().unwrap().to_owned(), payload: parsed["payload"].take() }
    };
    include_str!("examples.jsonl").lines().map(line).collect()
}

/// What was to be recorded.
#[derive(Default)]
pub struct Notebook {
    pub facts: Mutex<Vec<Fact>>,
    pub commands: Mutex<Vec<CommandFact>>,
}

impl Notebook {
    pub fn writes(&self) -> usize {
        self.facts.lock().unwrap().len() + self.commands.lock().unwrap().len()
    }

    /// What was to be recorded since the last look.
    pub fn take(&self) -> (Vec<Fact>, Vec<CommandFact>) {
        (std::mem::take(&mut self.facts.lock().unwrap()), std::mem::take(&mut self.commands.lock().unwrap()))
    }
}

impl Recorder for Notebook {
    fn record<'a>(&'a self, fact: &'a Fact) -> BoxFuture<'a, Result<Recorded, RecordError>> {
        self.facts.lock().unwrap().push(fact.clone());
        std::future::ready(Ok(Recorded::Held)).boxed()
    }

    fn command<'a>(&'a self, command: &'a CommandFact) -> BoxFuture<'a, Result<Recorded, RecordError>> {
        self.commands.lock().unwrap().push(command.clone());
        std::future::ready(Ok(Recorded::Held)).boxed()
    }
}

pub struct World {
    pub notebook: Arc<Notebook>,
    router: Router,
    _folder: tempfile::TempDir,
}

impl World {
    /// With one Baseline of that spec, made long ago, and an environment that there is for each of the objects.
    pub fn new(spec: Value, environments: Vec<api::PreviewEnvironment>) -> Self {
        Self::knowing(&BTreeMap::new(), spec, environments)
    }

    /// The same where the forge has told the numbers of these repositories.
    pub fn knowing(numbers: &BTreeMap<String, i64>, spec: Value, environments: Vec<api::PreviewEnvironment>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), SECRET).unwrap();
        let mut object = api::Baseline::new("main", serde_json::from_value(spec).unwrap());
        object.metadata.namespace = Some("shop".to_owned());
        object.metadata.creation_timestamp = serde_json::from_value(json!("2010-01-01T00:00:00Z")).unwrap();
        let known = |(name, id): (&String, &i64)| json!({"forge": "github", "name": name, "id": id, "private": false});
        let repositories: Vec<Value> = numbers.iter().map(known).collect();
        object.status = Some(serde_json::from_value(json!({ "repositories": repositories })).unwrap());
        let baselines = vec![Arc::new(Baseline::try_from(&object).unwrap())];
        let notebook = Arc::<Notebook>::default();
        let server = Server {
            secrets: Some(WebhookSecrets::from_files(&[folder.path().join("secret")]).unwrap()),
            instance: None,
            baselines: Arc::new(move || Some(baselines.clone())),
            look_soon: Arc::new(|_| std::future::ready(Ok(Recorded::Held)).boxed()),
            clock: Arc::new(chrono::Utc::now),
            environments: Arc::new(move |about: &About| environments.iter().flat_map(|e| Existing::of(e, about)).collect::<Vec<_>>()),
            recorder: notebook.clone(),
            readiness: Readiness::new(&Gate::ALL),
            metrics: Metrics::new(),
            traces: Traces::default(),
            limits: Limits::default(),
        };
        Self { notebook, router: router(server), _folder: folder }
    }

    /// Sends a body as GitHub does, signed; status and answer.
    pub async fn deliver(&self, event: &str, body: Vec<u8>) -> (u16, Value) {
        let signature = signature(&body);
        self.send(event, body, &signature).await
    }

    /// Sends a body with that signature.
    pub async fn send(&self, event: &str, body: Vec<u8>, signature: &str) -> (u16, Value) {
        let request = Request::post("/webhooks/github")
            .header("content-type", "application/json")
            .header("x-github-event", event)
            .header("x-github-delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958")
            .header("x-hub-signature-256", signature)
            .body(Body::from(body))
            .unwrap();
        let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (parts.status.as_u16(), serde_json::from_slice(&body).unwrap())
    }
}

/// As in `X-Hub-Signature-256`.
pub fn signature(body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}
