//! One HTTP request and its answer, within the limits: which addresses, how long, how much. No redirect is followed.

use std::error::Error;
use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, HeaderValue, USER_AGENT};
use hyper::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::address::{Guard, Refused};
use super::{RegistryConfig, Unknown};

/// Longest time until a connection stands.
const CONNECT: Duration = Duration::from_secs(3);
/// Most bytes of an answer's head. Registries send below 4 KiB.
const HEAD_LIMIT: usize = 32 * 1024;
/// Most header lines of an answer.
const HEADERS: usize = 100;
/// Most bytes of an answer that is a failure: read only so that the connection can be used again.
const FAILURE_LIMIT: usize = 64 * 1024;
/// How long a connection without a request is kept.
const IDLE: Duration = Duration::from_secs(30);
/// Pause before a request is sent a second time.
const AGAIN: Duration = Duration::from_millis(300);

/// The client for all registries.
pub(super) struct Http {
    client: Client<HttpsConnector<HttpConnector<Guard>>, Empty<Bytes>>,
    guard: Guard,
    timeout: Duration,
}

/// What is asked.
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    pub(super) uri: &'a Uri,
    pub(super) accept: &'static str,
    pub(super) authorization: Option<&'a HeaderValue>,
    /// Most bytes of a good answer that are read.
    pub(super) cap: usize,
}

/// What came back.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Http {
    /// Reads the system's root certificates.
    pub(super) fn new(config: &RegistryConfig) -> Result<Self, String> {
        let guard = Guard::new(&config.private);
        let mut http = HttpConnector::new_with_resolver(guard.clone());
        http.enforce_http(false);
        http.set_connect_timeout(Some(CONNECT));
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let builder = HttpsConnectorBuilder::new().with_provider_and_native_roots(provider);
        let builder = builder.map_err(|error| format!("cannot read the system's root certificates: {error}"))?;
        let connector = builder.https_or_http().enable_http1().wrap_connector(http);
        let mut client = Client::builder(TokioExecutor::new());
        client.pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE).pool_max_idle_per_host(4);
        client.http1_max_buf_size(HEAD_LIMIT).http1_max_headers(HEADERS);
        Ok(Self { client: client.build(connector), guard, timeout: config.timeout })
    }

    /// Sends it, and once more where the other side says that it cannot just now.
    pub(super) async fn send(&self, ask: &Ask<'_>) -> Result<Reply, Unknown> {
        let reply = self.send_once(ask).await?;
        if !matches!(reply.status.as_u16(), 429 | 500 | 502..=504) {
            return Ok(reply);
        }
        tokio::time::sleep(AGAIN).await;
        self.send_once(ask).await
    }

    async fn send_once(&self, ask: &Ask<'_>) -> Result<Reply, Unknown> {
        let host = ask.uri.host().unwrap_or_default();
        self.guard.check_literal(host).map_err(|refused| Unknown::NotAllowed(refused.to_string()))?;
        let request = request(ask).map_err(|error| Unknown::Failed(format!("{host}: {error}")))?;
        let exchange = async {
            let answer = self.client.request(request).await.map_err(|error| unanswered(host, &error))?;
            read(host, answer, ask).await
        };
        let late = || Unknown::Unreachable(format!("{host} did not answer within {} s", self.timeout.as_secs_f32()));
        tokio::time::timeout(self.timeout, exchange).await.unwrap_or_else(|_| Err(late()))
    }
}

fn request(ask: &Ask<'_>) -> Result<Request<Empty<Bytes>>, hyper::http::Error> {
    let mut request = Request::builder().method(ask.method.clone()).uri(ask.uri.clone());
    request = request.header(USER_AGENT, "preview-env").header(ACCEPT, ask.accept);
    if let Some(authorization) = ask.authorization {
        request = request.header(AUTHORIZATION, authorization);
    }
    request.body(Empty::new())
}

async fn read(host: &str, answer: Response<Incoming>, ask: &Ask<'_>) -> Result<Reply, Unknown> {
    let (parts, body) = answer.into_parts();
    let (status, headers) = (parts.status, parts.headers);
    if !status.is_success() {
        let body = Limited::new(body, FAILURE_LIMIT).collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        return Ok(Reply { status, headers, body });
    }
    let too_much = || Unknown::Failed(format!("{host} sends more than {} bytes", ask.cap));
    let announced = headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    // What a HEAD announces is not sent.
    if ask.method != Method::HEAD && announced.is_some_and(|length| length > ask.cap) {
        return Err(too_much());
    }
    match Limited::new(body, ask.cap).collect().await {
        Ok(body) => Ok(Reply { status, headers, body: body.to_bytes() }),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(too_much()),
        Err(error) => Err(Unknown::Unreachable(format!("{host} breaks off: {}", innermost(error.as_ref())))),
    }
}

fn unanswered(host: &str, error: &hyper_util::client::legacy::Error) -> Unknown {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(refused) = error.downcast_ref::<Refused>() {
            return Unknown::NotAllowed(refused.to_string());
        }
        next = error.source();
    }
    let why = innermost(error);
    // A head that is no HTTP, or too long, is an answer.
    if error.is_connect() {
        Unknown::Unreachable(format!("cannot connect to {host}: {why}"))
    } else {
        Unknown::Failed(format!("{host}: {why}"))
    }
}

/// The innermost reason, which says what happened; the outer ones say only where.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
