//! Against a server that gives one prepared answer for each path and remembers what it was asked.

mod client;
mod lists;
mod people;
mod writes;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Request as HttpRequest, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::HeaderMap;
use serde_json::{Value, json};

use super::*;
use crate::api::environment::SourceState;
use crate::forge::Class;

type Headers = Vec<(&'static str, String)>;

#[derive(Default)]
struct Double {
    answers: HashMap<String, (u16, Headers, String)>,
    asked: Mutex<Vec<Asked>>,
}

#[derive(Clone, Debug)]
struct Asked {
    line: String,
    headers: HeaderMap,
    body: String,
}

impl Double {
    fn on(mut self, line: &str, status: u16, body: impl Into<Value>) -> Self {
        self.answers.insert(line.to_owned(), (status, vec![], text(&body.into())));
        self
    }

    fn on_with(mut self, line: &str, status: u16, headers: Headers) -> Self {
        self.answers.insert(line.to_owned(), (status, headers, "{}".to_owned()));
        self
    }

    /// With a validator: whoever names it is answered 304.
    fn tagged(mut self, line: &str, tag: &str, body: &Value) -> Self {
        self.answers.insert(line.to_owned(), (200, vec![("etag", tag.to_owned())], text(body)));
        self
    }

    /// Starts it, below `/api/v3` as a GitHub Enterprise Server.
    async fn start(self) -> World {
        let double = Arc::new(self);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/api/v3", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(Arc::clone(&double));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let folder = tempfile::tempdir().unwrap();
        let token = folder.path().join("token");
        std::fs::write(&token, "t0ken-1\n").unwrap();
        let config = GithubConfig::new(&url, token.clone()).unwrap().with_timeout(Duration::from_secs(5));
        World { github: GitHub::new(config).unwrap(), double, token, _folder: folder }
    }
}

/// A string stands for a body that is not JSON.
fn text(body: &Value) -> String {
    body.as_str().map_or_else(|| body.to_string(), str::to_owned)
}

struct World {
    github: GitHub,
    double: Arc<Double>,
    token: PathBuf,
    _folder: tempfile::TempDir,
}

impl World {
    fn lines(&self) -> Vec<String> {
        self.double.asked.lock().unwrap().iter().map(|a| a.line.clone()).collect()
    }

    fn last(&self) -> Asked {
        self.double.asked.lock().unwrap().last().unwrap().clone()
    }
}

async fn answer(State(double): State<Arc<Double>>, request: HttpRequest<Body>) -> Response<Body> {
    let path = request.uri().path_and_query().unwrap().as_str().strip_prefix("/api/v3").unwrap_or("outside").to_owned();
    let line = format!("{} {path}", request.method());
    let headers_asked = request.headers().clone();
    let body = String::from_utf8(request.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap();
    double.asked.lock().unwrap().push(Asked { line: line.clone(), headers: headers_asked.clone(), body });
    let missing = (404, vec![], json!({"message": "Not Found"}).to_string());
    let (status, headers, body) = double.answers.get(&line).cloned().unwrap_or(missing);
    let known = headers_asked.get("if-none-match").and_then(|tag| tag.to_str().ok());
    if known.is_some() && headers.iter().any(|(name, tag)| *name == "etag" && known == Some(tag)) {
        return Response::builder().status(StatusCode::NOT_MODIFIED).body(Body::empty()).unwrap();
    }
    if status == 0 {
        std::future::pending::<()>().await;
    }
    let mut response = Response::builder().status(StatusCode::from_u16(status).unwrap());
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response.body(Body::from(body)).unwrap()
}

fn web() -> RepoName {
    "acme/web".parse().unwrap()
}

fn pull() -> Value {
    json!({
        "number": 42, "state": "closed", "merged": true, "draft": false, "user": {"login": "ann"}, "created_at": "2026-01-02T03:00:00Z", "updated_at": "2026-01-02T03:04:05Z",
        "head": {"ref": "faster", "sha": "a".repeat(40), "repo": {"id": 8}},
        "base": {"ref": "main", "repo": {"id": 7, "full_name": "acme/web"}},
    })
}

fn comment(id: i64, login: &str, body: &str) -> Value {
    json!({"id": id, "user": {"login": login}, "body": body})
}
