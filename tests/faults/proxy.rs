//! Stands before a server and passes on what it is asked, but for what the rules say.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Display;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, RETRY_AFTER, TRANSFER_ENCODING};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};

use crate::old;
use crate::rules::{Asked, Before, Fault, Rules};

/// Why a connection ends without the whole of an answer.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Failure(String);

impl Failure {
    fn of(why: impl Display) -> Self {
        Self(why.to_string())
    }

    fn wanted() -> Self {
        Self("the connection is cut, as a test asked for".to_owned())
    }
}

type Answer = Response<UnsyncBoxBody<Bytes, Failure>>;

/// What the API server says to a watch that missed something.
const EXPIRED: &str = concat!(
    r#"{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","#,
    r#""message":"too old resource version","reason":"Expired","code":410}}"#,
    "\n"
);

/// The server behind a proxy.
pub enum Server {
    /// The API server, asked in the service's name; how one object was, which it may not list, in an administrator's.
    Cluster(kube::Client, kube::Client),
    /// GitHub, at that address.
    Forge(String, hyper_util::client::legacy::Client<HttpConnector, Full<Bytes>>),
}

impl Server {
    /// GitHub at that address.
    pub fn forge(address: &str) -> Self {
        Self::Forge(address.to_owned(), hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build_http())
    }

    const fn before(&self) -> Before {
        match self {
            Self::Cluster(..) => Before::Cluster,
            Self::Forge(..) => Before::Forge,
        }
    }

    async fn ask(&self, head: Head, body: Bytes) -> Result<Answer, Failure> {
        let Head { method, uri, headers } = head;
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let mut request = Request::builder().method(method);
        for (name, value) in headers.iter().filter(|(name, _)| ![HOST, CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING].contains(name)) {
            request = request.header(name, value);
        }
        match self {
            Self::Cluster(client, _) => {
                Ok(boxed(client.send(request.uri(path).body(body.into()).map_err(Failure::of)?).await.map_err(Failure::of)?))
            }
            Self::Forge(address, client) => Ok(boxed(
                client
                    .request(request.uri(format!("{address}{path}")).body(Full::new(body)).map_err(Failure::of)?)
                    .await
                    .map_err(Failure::of)?,
            )),
        }
    }
}

/// A request without its body.
#[derive(Clone)]
struct Head {
    method: Method,
    uri: Uri,
    headers: http::HeaderMap,
}

impl From<Parts> for Head {
    fn from(parts: Parts) -> Self {
        Self { method: parts.method, uri: parts.uri, headers: parts.headers }
    }
}

impl Head {
    fn is_watch(&self) -> bool {
        self.uri.query().is_some_and(|query| query.contains("watch=true"))
    }
}

fn boxed<B>(answer: Response<B>) -> Answer
where
    B: Body<Data = Bytes, Error: Display> + Send + 'static,
{
    let (mut parts, body) = answer.into_parts();
    for name in [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
        parts.headers.remove(name);
    }
    Response::from_parts(parts, body.map_err(Failure::of).boxed_unsync())
}

/// What stands before a server.
struct Proxy {
    server: Server,
    rules: Arc<Rules>,
    /// What GitHub answered first to each question.
    first: Mutex<HashMap<String, (http::response::Parts, Bytes)>>,
}

/// Puts a proxy before a server, for as long as the runtime lasts, and gives its address.
pub async fn put_before(server: Server, rules: Arc<Rules>) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await.context("no free port")?;
    let address = listener.local_addr()?;
    let proxy = Arc::new(Proxy { server, rules, first: Mutex::default() });
    tokio::spawn(async move {
        loop {
            if let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(Arc::clone(&proxy).serve(socket));
            }
        }
    });
    Ok(address)
}

impl Proxy {
    async fn serve(self: Arc<Self>, socket: TcpStream) {
        let service = service_fn(move |request| {
            let proxy = Arc::clone(&self);
            async move { proxy.answer(request).await.map(|answer| proxy.dated(answer)) }
        });
        // It ends with an error where the client is gone, or where it is cut.
        let _ = http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
    }

    /// With the time that the API server is to say.
    fn dated(&self, mut answer: Answer) -> Answer {
        let ahead = self.rules.ahead();
        if self.server.before() == Before::Cluster && !ahead.is_zero() {
            let date = (chrono::Utc::now() + ahead).format("%a, %d %b %Y %H:%M:%S GMT").to_string();
            if let Ok(date) = date.parse() {
                answer.headers_mut().insert(http::header::DATE, date);
            }
        }
        answer
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Answer, Failure> {
        let (parts, body) = request.into_parts();
        let (head, body) = (Head::from(parts), body.collect().await.map_err(Failure::of)?.to_bytes());
        let before = self.server.before();
        if !self.rules.answers(before).await {
            return Err(Failure::wanted());
        }
        if head.is_watch() {
            return self.watch(head).await;
        }
        let asked = Asked { writes: head.method != Method::GET, path: head.uri.path(), body: &body };
        match self.rules.fault_of(before, &asked) {
            None => self.pass(head, body).await,
            Some((fault, began)) => self.go_wrong(fault, (head, body), began).await,
        }
    }

    async fn pass(&self, mut head: Head, body: Bytes) -> Result<Answer, Failure> {
        let may_be_old = self.server.before() == Before::Cluster && head.method == Method::GET && old::may_be_old(&head.uri);
        let version = if may_be_old { self.rules.old_version(head.uri.path()) } else { None };
        if let Some(uri) = version.and_then(|version| old::as_of(&head.uri, &version)) {
            head.uri = uri;
        }
        let question = (head.method == Method::GET).then(|| head.uri.to_string());
        let (parts, body) = self.whole(head, body).await?;
        if let Some(question) = question.filter(|_| self.server.before() == Before::Forge && parts.status == StatusCode::OK) {
            self.remembered().entry(question).or_insert_with(|| (parts.clone(), body.clone()));
        }
        Ok(Response::from_parts(parts, full(body)))
    }

    fn remembered(&self) -> MutexGuard<'_, HashMap<String, (http::response::Parts, Bytes)>> {
        self.first.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An answer that has arrived to its end.
    async fn whole(&self, head: Head, body: Bytes) -> Result<(http::response::Parts, Bytes), Failure> {
        let (parts, body) = self.server.ask(head, body).await?.into_parts();
        Ok((parts, body.collect().await?.to_bytes()))
    }

    async fn go_wrong(&self, fault: Fault, (head, body): (Head, Bytes), began: String) -> Result<Answer, Failure> {
        match fault {
            Fault::Refused(status) => Ok(refusal(self.server.before(), status)),
            Fault::Lost => {
                self.whole(head, body).await?;
                Err(Failure::wanted())
            }
            Fault::Cut => self.whole(head, body).await.map(|(parts, body)| cut(parts, &body)),
            Fault::Late(time) => {
                tokio::time::sleep(time).await;
                self.pass(head, body).await
            }
            Fault::Ends | Fault::EndsUnanswered | Fault::EndsAndListsOld => self.end(fault, (head, body), began).await,
            Fault::Old => self.as_it_was(head, body, &began).await,
            Fault::Down(time) => {
                let (rules, before) = (Arc::clone(&self.rules), self.server.before());
                tokio::spawn(async move { rules.take_down(before, time).await });
                self.rules.goes_down(before).await;
                Err(Failure::wanted())
            }
            Fault::Missed => self.pass(head, body).await,
        }
    }

    /// The last request of a service. It takes effect, and no other one that comes after it.
    async fn end(&self, fault: Fault, (head, body): (Head, Bytes), began: String) -> Result<Answer, Failure> {
        self.rules.stop_passing();
        let answer = self.whole(head, body).await;
        if fault == Fault::EndsAndListsOld {
            self.rules.list_old(began);
        }
        self.rules.end_service();
        let (parts, body) = answer?;
        if fault == Fault::EndsUnanswered { Err(Failure::wanted()) } else { Ok(Response::from_parts(parts, full(body))) }
    }

    /// An answer from the state at that version; of GitHub, the one that it gave first.
    async fn as_it_was(&self, head: Head, body: Bytes, version: &str) -> Result<Answer, Failure> {
        if self.server.before() == Before::Forge {
            let first = self.remembered().get(&head.uri.to_string()).cloned();
            return match first {
                Some((parts, body)) => Ok(Response::from_parts(parts, full(body))),
                None => self.pass(head, body).await,
            };
        }
        let (what, uri) = (old::what(head.uri.path()), old::as_of(&head.uri, version));
        let Some(uri) = uri else { return self.pass(head, body).await };
        let is_object = matches!(what, Some(old::What::Object(_)));
        let (mut parts, body) = match &self.server {
            Server::Cluster(_, administrator) if is_object => {
                let request = Request::get(uri).body(kube::client::Body::empty()).map_err(Failure::of)?;
                let (parts, body) = boxed(administrator.send(request).await.map_err(Failure::of)?).into_parts();
                (parts, body.collect().await?.to_bytes())
            }
            _ => self.whole(Head { uri, ..head }, body).await?,
        };
        if !is_object || !parts.status.is_success() {
            return Ok(Response::from_parts(parts, full(body)));
        }
        let (status, object) = old::only(&serde_json::from_slice::<Value>(&body).map_err(Failure::of)?);
        parts.status = StatusCode::from_u16(status).map_err(Failure::of)?;
        Ok(Response::from_parts(parts, full(object.to_string().into())))
    }

    /// What a watch brings, until it misses something or the server goes down.
    async fn watch(&self, head: Head) -> Result<Answer, Failure> {
        let (parts, body) = self.server.ask(head, Bytes::new()).await?.into_parts();
        if !parts.status.is_success() {
            return Ok(Response::from_parts(parts, body));
        }
        let rules = Arc::clone(&self.rules);
        let down = {
            let rules = Arc::clone(&rules);
            async move { rules.goes_down(Before::Cluster).await }
        };
        let brought = lines(body.into_data_stream().boxed()).map_ok(move |lines| judged(&rules, &lines));
        let brought = until_missed(brought).map_ok(Frame::data).take_until(down);
        Ok(Response::from_parts(parts, StreamBody::new(brought).boxed_unsync()))
    }
}

fn full(body: Bytes) -> UnsyncBoxBody<Bytes, Failure> {
    Full::new(body).map_err(Failure::of).boxed_unsync()
}

/// Whole lines, as many at a time as there are.
fn lines(body: impl Stream<Item = Result<Bytes, Failure>> + Unpin + Send) -> impl Stream<Item = Result<Bytes, Failure>> + Send {
    stream::try_unfold((body, Vec::new()), async |(mut body, mut held): (_, Vec<u8>)| {
        while let Some(chunk) = body.try_next().await? {
            held.extend_from_slice(&chunk);
            if let Some(last) = held.iter().rposition(|byte| *byte == b'\n') {
                let rest = held.split_off(last + 1);
                return Ok(Some((Bytes::from(held), (body, rest))));
            }
        }
        Ok::<_, Failure>(None)
    })
}

/// What is brought of these lines, and whether the watch ends there.
fn judged(rules: &Rules, lines: &Bytes) -> (Bytes, bool) {
    let seen = match rules.without_hidden(lines) {
        Cow::Borrowed(_) => lines.clone(),
        Cow::Owned(seen) => seen.into(),
    };
    match rules.judge(&seen) {
        (brought, true) => ([brought, EXPIRED.as_bytes()].concat().into(), true),
        (_, false) => (seen, false),
    }
}

fn until_missed(brought: impl Stream<Item = Result<(Bytes, bool), Failure>> + Send) -> impl Stream<Item = Result<Bytes, Failure>> + Send {
    brought.scan(false, |ended, next| {
        let was_ended = *ended;
        *ended = was_ended || matches!(next, Ok((_, true)));
        futures::future::ready((!was_ended).then(|| next.map(|(lines, _)| lines)))
    })
}

/// Half of an answer that says that it is whole.
fn cut(mut parts: http::response::Parts, body: &Bytes) -> Answer {
    parts.headers.insert(CONTENT_LENGTH, body.len().into());
    let half = body.slice(..body.len() / 2);
    let broken = stream::iter([Ok(Frame::data(half)), Err(Failure::wanted())]);
    Response::from_parts(parts, StreamBody::new(broken).boxed_unsync())
}

fn refusal(before: Before, status: u16) -> Answer {
    let reason = match status {
        409 => "Conflict",
        429 => "TooManyRequests",
        _ => "InternalError",
    };
    let message = "it is refused, as a test asked for";
    let body = match before {
        Before::Cluster => json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "reason": reason, "message": message, "code": status}),
        Before::Forge => json!({"message": message, "documentation_url": "https://docs.github.com/rest"}),
    };
    let mut answer = Response::new(full(body.to_string().into()));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    answer.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    if status == 429 {
        answer.headers_mut().insert(RETRY_AFTER, http::HeaderValue::from_static("1"));
    }
    answer
}
