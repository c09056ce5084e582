//! Small HTTP requests to the service.

use anyhow::{Context, Result};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Method, Request};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

/// What the service answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The text.
    pub body: String,
}

/// GETs an address.
pub async fn get(url: &str) -> Result<Answer> {
    send(Method::GET, url, &[], Bytes::new()).await
}

/// POSTs bytes with these headers.
pub async fn post(url: &str, headers: &[(String, String)], body: impl Into<Bytes>) -> Result<Answer> {
    send(Method::POST, url, headers, body.into()).await
}

async fn send(method: Method, url: &str, headers: &[(String, String)], body: Bytes) -> Result<Answer> {
    let mut request = Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let request = request.body(Full::new(body)).context("a request that cannot be")?;
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let answer = client.request(request).await.with_context(|| format!("{url} does not answer"))?;
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.context("the answer broke off")?.to_bytes();
    Ok(Answer { status, body: String::from_utf8_lossy(&body).into_owned() })
}
