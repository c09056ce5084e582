//! Against a server that checks signatures and tokens as GitHub does, below `/api/v3` as a GitHub Enterprise Server, with a
//! clock of its own.

mod access;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{Request, Response};
use chrono::{TimeDelta, Utc};
use futures::future::join_all;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use pem::Pem;
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::GithubError;
use crate::config::{GithubConfig, GithubCredential};
use crate::domain::RepoName;
use crate::forge::github::GitHub;
use crate::forge::{Access, FailedDeliveries, Forge, ForgeError};

/// What the server knows, and what it was asked.
struct Model {
    public_key: Vec<u8>,
    /// By how many seconds its clock is ahead.
    ahead: i64,
    /// Answers to look-ups of the installation, the last one again and again: its id, or none.
    installations: Vec<Option<i64>>,
    /// What they are granted.
    granted: Value,
    /// Where it leads look-ups of the installation.
    moved: bool,
    tokens: Vec<String>,
    token_lasts: TimeDelta,
    /// Answers before any other rule: the start of the line, status, body.
    forced: Vec<(&'static str, u16, &'static str)>,
    /// The same for this line alone.
    exact: Option<(&'static str, u16, &'static str)>,
    asked: Vec<String>,
    scopes: Vec<Value>,
}

#[derive(Deserialize)]
struct Claims {
    iat: i64,
    exp: i64,
    iss: Value,
}

type Answer = (u16, Value);

impl Model {
    fn now(&self) -> i64 {
        Utc::now().timestamp() + self.ahead
    }

    /// As GitHub words it.
    fn signed(&self, bearer: &str) -> Result<(), Answer> {
        let refused = |message: &str| (401, json!({"message": message}));
        let mut rules = Validation::new(Algorithm::RS256);
        rules.validate_exp = false;
        let token = jsonwebtoken::decode::<Claims>(bearer, &DecodingKey::from_rsa_der(&self.public_key), &rules);
        let claims = token.map_err(|_| refused("A JSON web token could not be decoded"))?.claims;
        match () {
            () if claims.iss != json!(123_456) => Err(refused("Integration not found")),
            () if claims.iat > self.now() + 5 => Err(refused("'Issued at' claim ('iat') must be an Integer in the past")),
            () if claims.exp <= self.now() => Err(refused("'Expiration time' claim ('exp') must be in the future")),
            () if claims.exp > self.now() + 600 => Err(refused("'Expiration time' claim ('exp') is too far in the future")),
            () => Ok(()),
        }
    }

    fn answer(&mut self, line: &str, bearer: &str, body: &Value) -> Result<Answer, Answer> {
        let exact = self.exact.as_ref().filter(|(whole, ..)| line == *whole);
        if let Some((_, status, body)) = exact.or_else(|| self.forced.iter().find(|(start, ..)| line.starts_with(start))) {
            return Ok((*status, (*body).into()));
        }
        match line {
            "GET /app" => {
                let count = usize::from(self.installations[0].is_some());
                self.signed(bearer).map(|()| (200, json!({"slug": "preview-acme", "installations_count": count})))
            }
            "GET /app/installations" => {
                let installed = self.installations[0].map(|id| json!({"id": id, "suspended_at": null}));
                self.signed(bearer).map(|()| (200, installed.into_iter().collect()))
            }
            line if line.ends_with("/installation") => {
                self.signed(bearer)?;
                if self.moved && line.starts_with("GET /repos/") {
                    return Ok((301, "/api/v3/repositories/7/installation".into()));
                }
                let id = if self.installations.len() > 1 { self.installations.remove(0) } else { self.installations[0] };
                let found = |id| json!({"id": id, "permissions": self.granted});
                id.map(|id| (200, found(id))).ok_or((404, json!({"message": "Not Found"})))
            }
            line if line.starts_with("POST /app/installations/") => {
                self.signed(bearer)?;
                let id = self.installations[0].unwrap_or_default();
                if line != format!("POST /app/installations/{id}/access_tokens") {
                    return Ok((404, json!({"message": "Not Found"})));
                }
                self.scopes.push(body.clone());
                self.tokens.push(format!("ghs_{}", self.scopes.len()));
                let ends = Utc::now() + TimeDelta::seconds(self.ahead) + self.token_lasts;
                let ends = ends.format("%Y-%m-%dT%H:%M:%SZ").to_string();
                let reached = json!([{"id": 7, "full_name": "acme/site", "private": true}]);
                Ok((201, json!({"token": self.tokens.last(), "expires_at": ends, "repositories": reached})))
            }
            _ if self.tokens.iter().any(|token| token == bearer) => Ok((200, json!({"id": 7, "full_name": "acme/web", "private": true}))),
            _ => Err((401, json!({"message": "Bad credentials"}))),
        }
    }
}

async fn serve(State(model): State<Arc<Mutex<Model>>>, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().strip_prefix("/api/v3").unwrap_or("outside").to_owned();
    let bearer = parts.headers.get("authorization").and_then(|v| v.to_str().ok()?.strip_prefix("Bearer ")).unwrap_or_default();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let mut model = model.lock().unwrap();
    let line = format!("{} {path}", parts.method);
    model.asked.push(line.clone());
    let (Ok((status, body)) | Err((status, body))) = model.answer(&line, bearer, &serde_json::from_slice(&body).unwrap_or_default());
    let date = (Utc::now() + TimeDelta::seconds(model.ahead)).format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let response = Response::builder().status(status).header("date", date);
    match body {
        Value::String(to) if status == 301 => response.header("location", to).body(Body::empty()),
        Value::String(text) if matches!(status, 403 | 429) => response.header("retry-after", "30").body(text.into()),
        Value::String(text) => response.body(text.into()),
        json => response.body(json.to_string().into()),
    }
    .unwrap()
}

struct World {
    github: GitHub,
    model: Arc<Mutex<Model>>,
    key_file: PathBuf,
    config: GithubConfig,
    _folder: TempDir,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key_file = folder.path().join("key.pem");
        let key = Key::new();
        std::fs::write(&key_file, key.pkcs1()).unwrap();
        let model = Model {
            public_key: key.public(),
            ahead: 0,
            installations: vec![Some(5)],
            granted: json!({"metadata": "read", "pull_requests": "write", "actions": "write"}),
            moved: false,
            tokens: vec![],
            token_lasts: TimeDelta::hours(1),
            forced: vec![],
            exact: None,
            asked: vec![],
            scopes: vec![],
        };
        let model = Arc::new(Mutex::new(model));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/api/v3", listener.local_addr().unwrap());
        let router = Router::new().fallback(serve).with_state(Arc::clone(&model));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let credential = GithubCredential::App { id: "123456".parse().unwrap(), key_file: key_file.clone() };
        let config = GithubConfig::with(&url, credential).unwrap().with_second_look(Duration::from_millis(10));
        Self { github: GitHub::new(config.clone()).unwrap(), model, key_file, config, _folder: folder }
    }

    fn model(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap()
    }

    /// What was asked since the last time.
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.model().asked)
    }

    async fn read(&self) -> Result<i64, ForgeError> {
        self.github.repository(&web()).await.map(|facts| facts.id)
    }
}

struct Key(KeyPair);

impl Key {
    fn new() -> Self {
        Self(KeyPair::generate(KeySize::Rsa2048).unwrap())
    }

    fn public(&self) -> Vec<u8> {
        self.0.public_key().as_ref().to_vec()
    }

    fn pkcs8(&self) -> String {
        pem::encode(&Pem::new("PRIVATE KEY", self.der()))
    }

    /// PKCS#8 is a header of 26 bytes around it, for a key of this size.
    fn pkcs1(&self) -> String {
        pem::encode(&Pem::new("RSA PRIVATE KEY", &self.der()[26..]))
    }

    fn der(&self) -> Vec<u8> {
        let der: Pkcs8V1Der<'_> = self.0.as_der().unwrap();
        der.as_ref().to_vec()
    }
}

fn web() -> RepoName {
    "acme/web".parse().unwrap()
}

const INSTALLATION: &str = "GET /repos/acme/web/installation";
const TOKEN: &str = "POST /app/installations/5/access_tokens";
const READ: &str = "GET /repos/acme/web";

#[tokio::test]
async fn all_who_ask_at_once_share_one_token_for_that_repository_alone() {
    let world = World::new().await;
    assert!(join_all((0..10).map(|_| world.read())).await.into_iter().all(|read| read == Ok(7)));
    let asked = world.asked();
    assert_eq!(asked[..2], [INSTALLATION, TOKEN]);
    assert!(asked.len() == 12 && asked[2..].iter().all(|line| line == READ), "{asked:?}");
    let scope = json!({"repositories": ["web"], "permissions": {"metadata": "read", "pull_requests": "write"}});
    assert_eq!(world.model().scopes, [scope], "no more than we need, and than was granted");
    world.github.repository(&"acme/api".parse().unwrap()).await.unwrap();
    assert_eq!(world.model().scopes.len(), 2);
}

#[tokio::test]
async fn clocks_that_differ_cost_one_request() {
    for ahead in [-7_200, -45, 45, 7_200] {
        let world = World::new().await;
        world.model().ahead = ahead;
        assert_eq!(world.read().await, Ok(7), "{ahead}");
        assert_eq!(world.read().await, Ok(7), "{ahead}");
        let asked = world.asked();
        let expected = [INSTALLATION, TOKEN, READ, READ];
        assert_eq!(asked[asked.len() - 4..], expected, "{ahead}");
        assert_eq!(asked.len() - 4, usize::from(ahead.abs() > 60), "{ahead}: {asked:?}");
    }
}

#[tokio::test]
async fn a_refused_token_is_made_anew_once() {
    let world = World::new().await;
    world.read().await.unwrap();
    world.model().tokens.clear();
    assert_eq!(world.read().await, Ok(7));
    world.asked();
    world.model().exact = Some((READ, 401, r#"{"message": "Bad credentials"}"#));
    let refused = world.read().await.unwrap_err();
    assert_eq!(refused.label(), "refused");
    assert_eq!(world.asked(), [READ, INSTALLATION, TOKEN, READ]);
}

#[tokio::test]
async fn a_token_is_made_anew_before_its_end() {
    let world = World::new().await;
    world.model().token_lasts = TimeDelta::minutes(4);
    world.read().await.unwrap();
    world.model().token_lasts = TimeDelta::minutes(6);
    world.read().await.unwrap();
    world.read().await.unwrap();
    assert_eq!(world.asked(), [INSTALLATION, TOKEN, READ, INSTALLATION, TOKEN, READ, READ]);
}

#[tokio::test]
async fn what_is_granted_later_is_used_with_the_next_token() {
    let world = World::new().await;
    world.model().token_lasts = TimeDelta::minutes(4);
    world.read().await.unwrap();
    world.model().granted["checks"] = json!("write");
    world.read().await.unwrap();
    let asked_for: Vec<Value> = world.model().scopes.iter().map(|scope| scope["permissions"]["checks"].clone()).collect();
    assert_eq!(asked_for, [Value::Null, json!("write")]);
}

#[tokio::test]
async fn while_nobody_says_where_it_is_installed_the_known_installation_serves() {
    let world = World::new().await;
    world.model().token_lasts = TimeDelta::minutes(4);
    world.read().await.unwrap();
    world.model().exact = Some((INSTALLATION, 500, HTML));
    assert_eq!(world.read().await, Ok(7));
    world.model().installations = vec![Some(6)];
    let error = world.read().await.unwrap_err();
    assert_eq!(error.label(), "unavailable", "that it is gone is not known: {error}");
    world.model().exact = Some((INSTALLATION, 404, MISSING));
    let error = world.read().await.unwrap_err();
    assert!(error.to_string().contains("the App is not installed"), "{error}");
}

#[tokio::test]
async fn a_new_key_is_taken_up_and_an_unusable_one_is_not() {
    let world = World::new().await;
    let key = Key::new();
    std::fs::write(&world.key_file, key.pkcs8()).unwrap();
    world.model().public_key = key.public();
    assert_eq!(world.read().await, Ok(7));
    std::fs::write(&world.key_file, "nothing").unwrap();
    assert!(matches!(world.github.access(7, &web()).await, Ok(Access::Granted(_))));
    // Also where a new signature is needed.
    world.model().ahead = 3_600;
    assert_eq!(world.github.repository(&"acme/api".parse().unwrap()).await.unwrap().id, 7);
}

#[tokio::test]
async fn what_is_no_key_is_refused_by_the_name_of_its_file_and_without_its_content() {
    let world = World::new().await;
    let (key, other) = (Key::new(), "-----BEGIN EC PRIVATE KEY-----\nc2VjcmV0\n-----END EC PRIVATE KEY-----\n");
    let encrypted = key.pkcs8().replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let public = key.pkcs8().replace("PRIVATE KEY", "PUBLIC KEY");
    let cut = key.pkcs1()[..400].to_owned();
    let other_der = pem::encode(&Pem::new("RSA PRIVATE KEY", b"secret".to_vec()));
    for (text, why) in [
        ("", "the file is empty"),
        ("ghp_secret", "no private key in PEM"),
        (&public, "no private key in PEM"),
        (&encrypted, "it is encrypted"),
        (&cut, "cut short"),
        (other, "no RSA key"),
        (&other_der, "no "),
    ] {
        std::fs::write(&world.key_file, text).unwrap();
        let error = GitHub::new(world.config.clone()).unwrap_err();
        let (text, path) = (error.to_string(), world.key_file.display().to_string());
        assert!(matches!(error, GithubError::Key { .. }) && text.contains(why) && text.contains(&path), "{why}: {text}");
        assert!(!text.contains("secret") && !text.contains("c2Vj") && !text.contains("MII"), "{text}");
    }
    std::fs::remove_file(&world.key_file).unwrap();
    assert!(matches!(GitHub::new(world.config.clone()).unwrap_err(), GithubError::KeyFile { .. }));
    for text in [key.pkcs1(), key.pkcs8(), format!("\n{}\n\n", key.pkcs1())] {
        std::fs::write(&world.key_file, text).unwrap();
        assert!(GitHub::new(world.config.clone()).unwrap().is_app());
    }
}

#[tokio::test]
async fn an_app_writes_as_a_bot() {
    let world = World::new().await;
    assert_eq!(world.github.login().await.unwrap(), "preview-acme[bot]");
    assert_eq!(world.github.login().await.unwrap(), "preview-acme[bot]");
    assert_eq!(world.asked(), ["GET /app"]);
}

#[tokio::test]
async fn where_it_is_not_installed_nothing_counts_as_missing() {
    let world = World::new().await;
    world.model().installations = vec![None];
    let error = world.github.pull_request(&web(), 42).await.unwrap_err();
    assert!(matches!(error, ForgeError::Refused { status: 404, .. }), "{error}");
    assert!(error.to_string().contains("the App is not installed"), "{error}");
    world.model().installations = vec![Some(5)];
    assert_eq!(world.read().await, Ok(7), "nothing of a failure is kept");
}

#[tokio::test]
async fn an_installation_that_was_replaced_is_looked_up_again() {
    let world = World::new().await;
    world.read().await.unwrap();
    world.model().installations = vec![Some(6)];
    world.model().tokens.clear();
    assert_eq!(world.read().await, Ok(7));
    assert_eq!(world.asked()[3..], [READ, INSTALLATION, "POST /app/installations/6/access_tokens", READ]);
}

#[tokio::test]
async fn a_repository_that_was_renamed_keeps_its_token_by_its_number() {
    let world = World::new().await;
    world.model().moved = true;
    world.read().await.unwrap();
    assert_eq!(world.asked()[1], "GET /repositories/7/installation");
    assert_eq!(world.model().scopes[0]["repository_ids"], json!([7]));
}

const HTML: &str = "<html>sign in</html>";
const MISSING: &str = r#"{"message": "Not Found"}"#;

#[tokio::test]
async fn what_could_not_be_delivered_is_asked_for_again() {
    let world = World::new().await;
    world.model().forced = vec![("POST /app/hook/deliveries/", 202, "{}"), ("GET /app/hook/deliveries", 200, LOG)];
    let since = "2026-01-02T03:00:00Z".parse().unwrap();
    let deliveries = world.github.deliveries().unwrap();
    let newest = Some("2026-01-02T03:04:07Z".parse().unwrap());
    let failed = FailedDeliveries { deliveries: vec![12], newest, rest: None };
    assert_eq!(deliveries.failed_since(since, None).await, Ok(failed));
    assert_eq!(deliveries.redeliver(12).await, Ok(()));
    assert_eq!(world.asked(), ["GET /app/hook/deliveries", "POST /app/hook/deliveries/12/attempts"]);
    let polls = world.github.clone().without_deliveries();
    assert!(polls.deliveries().is_none(), "each would fail once more, and be asked for again without an end");
}

const LOG: &str = r#"[
    {"id": 13, "guid": "a", "delivered_at": "2026-01-02T03:04:07Z", "redelivery": false, "status": "OK", "status_code": 202},
    {"id": 12, "guid": "b", "delivered_at": "2026-01-02T03:04:06Z", "redelivery": false, "status": "timed out", "status_code": 504},
    {"id": 11, "guid": "c", "delivered_at": "2026-01-02T02:59:59Z", "redelivery": false, "status": "timed out", "status_code": 504}
]"#;

#[tokio::test]
async fn while_told_to_wait_nothing_is_sent_for_that_installation() {
    let world = World::new().await;
    world.read().await.unwrap();
    world.model().forced = vec![(READ, 403, r#"{"message": "You have exceeded a secondary rate limit"}"#)];
    let told = ForgeError::RateLimited { what: "read acme/web".into(), seconds: 30 };
    assert_eq!(world.read().await, Err(told.clone()));
    world.asked();
    assert_eq!(world.read().await, Err(told));
    assert_eq!(world.asked(), [""; 0]);
    assert_eq!(world.github.login().await.unwrap(), "preview-acme[bot]", "the App itself is counted apart");
}

#[tokio::test]
async fn no_secret_shows() {
    let world = World::new().await;
    world.read().await.unwrap();
    world.model().forced = vec![("POST", 500, "ghs_1"), (READ, 400, "{\"message\": \"no\"}")];
    let shown = format!("{:?} {:?} {}", world.github, world.config, world.read().await.unwrap_err());
    assert!(!shown.contains("ghs_") && !shown.contains("PRIVATE") && !shown.contains("eyJ"), "{shown}");
}
