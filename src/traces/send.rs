//! How traces reach the collector: over the HTTP client that the rest of the service has. Who cannot reach it says so once a
//! minute at most.

use std::error::Error;
use std::fmt::Write;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use tokio::runtime::Handle;
use tower::BoxError;

/// How often it is said at most that the collector takes no traces.
const COMPLAINT: Duration = Duration::from_secs(60);
/// Most bytes of an answer: a collector says at most how many spans it did not take.
const ANSWER_LIMIT: usize = 64 * 1024;

/// Sends what the exporter gives it. That has a thread of its own, so what is sent is spawned where the connections are.
#[derive(Debug)]
pub(super) struct Sender {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    runtime: Handle,
    timeout: Duration,
    complained: Mutex<Option<Instant>>,
}

impl Sender {
    /// Reads the system's root certificates; connects to nobody yet.
    pub(super) fn new(runtime: Handle, timeout: Duration) -> io::Result<Self> {
        let mut http = HttpConnector::new();
        http.set_connect_timeout(Some(timeout));
        http.enforce_http(false);
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let builder = HttpsConnectorBuilder::new().with_provider_and_native_roots(provider)?;
        let connector = builder.https_or_http().enable_http1().wrap_connector(http);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { client, runtime, timeout, complained: Mutex::default() })
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let answer = self.client.request(request.map(Full::new));
        let exchange = self.runtime.spawn(async {
            let (parts, body) = answer.await?.into_parts();
            let body = Limited::new(body, ANSWER_LIMIT).collect().await?.to_bytes();
            Ok::<_, BoxError>(Response::from_parts(parts, body))
        });
        let task = exchange.abort_handle();
        let timeout = self.timeout;
        // The timer needs a runtime too.
        let timed = self.runtime.spawn(async move { tokio::time::timeout(timeout, exchange).await });
        if let Ok(answer) = timed.await? {
            answer?
        } else {
            task.abort();
            Err(format!("it did not answer within {} s", self.timeout.as_secs_f32()).into())
        }
    }

    /// Says that traces are lost, unless it was said just now. What the collector answers may repeat what it was sent, such as
    /// headers, so it is not quoted.
    fn complain(&self, collector: &str, why: &str) {
        let mut complained = self.complained.lock().unwrap_or_else(PoisonError::into_inner);
        if complained.is_none_or(|at| at.elapsed() >= COMPLAINT) {
            *complained = Some(Instant::now());
            tracing::warn!(collector, why, "traces are not taken; nothing waits for them");
        }
    }
}

type Sending<'a> = Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'a>>;

impl HttpClient for Sender {
    fn send_bytes<'sender, 'sending>(&'sender self, request: Request<Bytes>) -> Sending<'sending>
    where
        'sender: 'sending,
        Self: 'sending,
    {
        Box::pin(async move {
            // Without what may stand before it: a password.
            let (host, port) = (request.uri().host().unwrap_or_default(), request.uri().port_u16());
            let collector = port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
            let answer = self.send(request).await;
            match &answer {
                Ok(answer) if answer.status().is_success() => {}
                Ok(answer) => self.complain(&collector, &format!("it answers {}", answer.status())),
                Err(error) => self.complain(&collector, &causes(error.as_ref())),
            }
            answer
        })
    }
}

/// An error with what it comes from: hyper's own says no more than that it is one.
fn causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        // A String takes all that is written to it.
        let _ = write!(text, ": {cause}");
        next = cause.source();
    }
    text
}
