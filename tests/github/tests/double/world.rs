//! The world that the tests start from, and the client that the service uses.

use std::time::Duration;

use anyhow::Context;
use github_double::{Double, Open, Permission};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use octocrab::Octocrab;
use octocrab::models::CommentId;
use octocrab::models::issues::Comment;
use octocrab::service::middleware::retry::RetryConfig;
use serde_json::Value;
use tower::ServiceExt;

pub const TOKEN: &str = "a-token-of-the-bot";
pub const BOT: &str = "preview[bot]";
pub const DEADLINE: Duration = Duration::from_secs(10);

pub fn double() -> anyhow::Result<Double> {
    let double = Double::start()?;
    double.add_user("dev");
    double.add_bot(BOT);
    double.add_token(BOT, TOKEN)?;
    double.add_repository("acme/web")?;
    double.permit("acme/web", "dev", Permission::Maintain)?;
    double.permit("acme/web", BOT, Permission::Write)?;
    double.act(Open::new("acme/web", "feature/login", "dev").title("Add login"))?;
    Ok(double)
}

pub fn client(double: &Double, token: &str) -> anyhow::Result<Octocrab> {
    // Another test may have installed it already; it is the same one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let builder = Octocrab::builder().base_uri(double.base_url())?.add_retry_config(RetryConfig::None);
    Ok(builder.personal_token(token.to_owned()).build()?)
}

/// PATCH, as published; octocrab's own `update_comment` sends a POST.
pub async fn edit(client: &Octocrab, id: CommentId, body: &str) -> octocrab::Result<Comment> {
    let body = serde_json::json!({ "body": body });
    client.patch(format!("/repos/acme/web/issues/comments/{id}"), Some(&body)).await
}

/// What `login` may do; octocrab's own `get_contributor_permission` does not know GitHub's words for it.
pub async fn permission(client: &Octocrab, login: &str) -> octocrab::Result<serde_json::Value> {
    client.get(format!("/repos/acme/web/collaborators/{login}/permission"), None::<&()>).await
}

pub fn status(error: &octocrab::Error) -> Option<u16> {
    match error {
        octocrab::Error::GitHub { source, .. } => Some(source.status_code.as_u16()),
        _ => None,
    }
}

pub fn status_of<T>(result: octocrab::Result<T>) -> Option<u16> {
    result.err().as_ref().and_then(status)
}

/// An answer as it came, without a client that has a view of its own.
pub struct Answer {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub body: Value,
}

impl Answer {
    /// GitHub's `message`.
    pub fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// Asks the double without a socket; `line` is method and path.
pub async fn ask(double: &Double, token: &str, line: &str, body: Value) -> anyhow::Result<Answer> {
    let (method, path) = line.split_once(' ').context("a method and a path")?;
    let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
    let request = http::Request::builder()
        .method(method)
        .uri(path)
        .header("user-agent", "a-test")
        .header("authorization", format!("Bearer {token}"))
        .body(Full::new(body))?;
    let (parts, body) = double.service().oneshot(request).await?.into_parts();
    let bytes = body.collect().await?.to_bytes();
    let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes)? };
    Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
}
