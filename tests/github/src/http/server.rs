//! The skin: connections, bodies, the failures that tests ask for, the log.

use std::convert::Infallible;
use std::sync::Arc;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Bytes};
use hyper::header::{DATE, Entry};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::access::whose;
use super::answer::Answer;
use super::api::{Here, respond};
use super::request::Request;
use crate::admin;
use crate::faults::Failure;
use crate::limits::Asked;
use crate::log::Logged;
use crate::model::whole_seconds;
use crate::state::{Shared, State};

/// The greatest body that the double reads, in bytes.
const LARGEST_BODY: usize = 2 * 1024 * 1024;

/// The connection is to be cut without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is cut, as a test asked for")]
pub(crate) struct Cut;

type Response = hyper::Response<Full<Bytes>>;

/// Serves until the task is dropped; connections end with it.
pub(crate) async fn serve(shared: Arc<Shared>, listener: TcpListener) -> Infallible {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((stream, _)) = listener.accept() => {
                connections.spawn(connection(Arc::clone(&shared), stream));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(shared: Arc<Shared>, stream: TcpStream) {
    let service = service_fn(move |request| exchange(Arc::clone(&shared), request));
    let served = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service);
    if let Err(error) = served.await {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Answers a request, from a connection or without one.
pub(crate) async fn exchange<B>(shared: Arc<Shared>, request: hyper::Request<B>) -> Result<Response, Cut>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, LARGEST_BODY).collect().await.map_err(|_| Cut)?.to_bytes();
    let request = Request::new(&parts, body);
    if request.path.starts_with(admin::ROOT) {
        return Ok(response(admin::answer(&shared, &request).await));
    }
    let (status, answer) = match api(&shared, &request).await {
        Ok((answer, who)) => (Some((answer.status, who)), Ok(response(answer))),
        Err(cut) => (None, Err(cut)),
    };
    let (status, who) = status.unzip();
    let path = parts.uri.path_and_query().map_or_else(String::new, ToString::to_string);
    shared.log(Logged { method: request.method, path, status, who: who.flatten() });
    answer.map(|answer| dated(&shared, answer))
}

/// With the time by GitHub's clock, unless a test says another.
fn dated(shared: &Shared, mut answer: Response) -> Response {
    let now = shared.lock().now().format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    if let (Entry::Vacant(free), Ok(now)) = (answer.headers_mut().entry(DATE), now.parse()) {
        free.insert(now);
    }
    answer
}

/// The answer of the API and whose request it was, through the failures that wait for it.
async fn api(shared: &Arc<Shared>, request: &Request) -> Result<(Answer, Option<String>), Cut> {
    if shared.is_down() {
        return Err(Cut);
    }
    let who = shared.change(|state| arrived(state, request));
    let answered = through_faults(shared, request).await;
    if let (Some(who), Ok((answer, _))) = (who, &answered) {
        shared.change(|state| {
            let now = state.now();
            state.limits.answered(&who, now, &answer.headers);
        });
    }
    answered
}

/// Counts the request for the limits of whose it is.
fn arrived(state: &mut State, request: &Request) -> Option<String> {
    let at = state.now();
    let who = whose(&state.model, request, at).filter(|_| !state.unchecked)?;
    state.limits.arrived(Asked { who: &who, method: &request.method, path: &request.path, at });
    Some(who)
}

async fn through_faults(shared: &Arc<Shared>, request: &Request) -> Result<(Answer, Option<String>), Cut> {
    match shared.fault(&request.method, &request.path) {
        Some(Failure::Answer { status, headers, message }) => Ok((Answer::injected(status, headers, &message), None)),
        Some(Failure::Body { status, content_type, body }) => {
            let answer = Answer { body: body.into_bytes(), ..Answer::empty(status) };
            Ok((answer.header("content-type", content_type), None))
        }
        Some(Failure::Delay { milliseconds }) => {
            tokio::time::sleep(std::time::Duration::from_millis(milliseconds)).await;
            Ok(real(shared, request))
        }
        Some(Failure::LateAnswer { milliseconds }) => {
            let answer = real(shared, request);
            tokio::time::sleep(std::time::Duration::from_millis(milliseconds)).await;
            Ok(answer)
        }
        Some(Failure::CutBefore) => Err(Cut),
        Some(Failure::CutAfter) => {
            real(shared, request);
            Err(Cut)
        }
        None => Ok(real(shared, request)),
    }
}

fn real(shared: &Arc<Shared>, request: &Request) -> (Answer, Option<String>) {
    let (answered, deliveries) = shared.change(|state| {
        let now = whole_seconds(state.now());
        let here = Here { api: &shared.api, now, deliveries: &state.deliveries, checked: !state.unchecked };
        let answered = respond(&mut state.model, request, here);
        state.violations.extend(answered.violations.iter().cloned());
        let mut deliveries = state.compose(&shared.api, &answered.events);
        deliveries.extend(answered.repeat.and_then(|id| state.repeat(id)));
        (answered, deliveries)
    });
    for delivery in deliveries {
        let shared = Arc::clone(shared);
        tokio::spawn(async move { shared.send(&delivery).await });
    }
    (answered.answer, answered.who)
}

fn response(answer: Answer) -> Response {
    let mut builder = hyper::Response::builder()
        .status(answer.status)
        .header("server", "github.com")
        .header("x-github-media-type", "github.v3; format=json");
    if !answer.body.is_empty() && !answer.headers.iter().any(|(name, _)| name == "content-type") {
        builder = builder.header("content-type", "application/json; charset=utf-8");
    }
    for (name, value) in answer.headers {
        builder = builder.header(name, value);
    }
    builder.body(Full::new(Bytes::from(answer.body))).unwrap_or_else(|_| {
        let mut wrong = Response::new(Full::new(Bytes::from_static(b"{\"message\":\"a header is malformed\"}")));
        *wrong.status_mut() = hyper::StatusCode::INTERNAL_SERVER_ERROR;
        wrong
    })
}
