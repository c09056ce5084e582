//! An HTTP server that answers as a test says.

use std::future::IntoFuture;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::AUTHORIZATION;
use axum::response::Response;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A request as it came.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Seen {
    /// The method.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// The header `Authorization`.
    pub authorization: Option<String>,
}

/// A server that runs until this value is dropped.
#[derive(Debug)]
pub struct Strange {
    host: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
}

impl Strange {
    /// Starts one on a free port.
    pub async fn start(answer: impl Fn(&Seen) -> Response<Body> + Clone + Send + Sync + 'static) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("no free port")?;
        let host = listener.local_addr()?.to_string();
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let notes = seen.clone();
        let router = Router::new().fallback(move |request: Request| {
            let seen = note(&request);
            notes.lock().unwrap_or_else(PoisonError::into_inner).push(seen.clone());
            let answer = answer.clone();
            async move { answer(&seen) }
        });
        // It ends only when it is aborted.
        let task = tokio::spawn(async move { drop(axum::serve(listener, router).into_future().await) });
        Ok(Self { host, seen, task })
    }

    /// Address and port.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Every request so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Strange {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn note(request: &Request) -> Seen {
    let authorization = request.headers().get(AUTHORIZATION).and_then(|v| v.to_str().ok()).map(str::to_owned);
    Seen { method: request.method().to_string(), path: request.uri().to_string(), authorization }
}
