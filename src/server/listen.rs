//! Accepts connections until it is told to stop, and then lets the ones that are busy finish.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Longest time for the head of a request, and for a connection to stay idle.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// Longest time for requests in progress at the end: a delivery is answered within 8 s of its arrival.
const DRAIN_TIME: Duration = Duration::from_secs(12);
/// Connections at once, well below the usual limit of 1,024 open files a service.
const CONNECTIONS: usize = 512;
/// Rest after a failed accept, which mostly means that there are no more open files.
const REST: Duration = Duration::from_millis(100);

/// Serves until `shutdown` ends, then takes no new connection, answers what was asked, and returns.
pub async fn serve(listener: TcpListener, router: Router, shutdown: impl Future<Output = ()>) {
    serve_patiently(listener, router, shutdown, HEAD_TIME).await;
}

/// The same with so long a time for the head of a request.
async fn serve_patiently(listener: TcpListener, router: Router, shutdown: impl Future<Output = ()>, head_time: Duration) {
    let connections = Connections { router, head_time, stop: CancellationToken::new(), running: TaskTracker::new() };
    tokio::select! {
        () = connections.accept_all(&listener) => {}
        () = shutdown => {}
    }
    drop(listener);
    connections.drain().await;
}

struct Connections {
    router: Router,
    head_time: Duration,
    stop: CancellationToken,
    running: TaskTracker,
}

impl Connections {
    async fn accept_all(&self, listener: &TcpListener) {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        // The semaphore is never closed, so this goes on until it is dropped.
        while let Ok(place) = Arc::clone(&places).acquire_owned().await {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let connection = answer(stream, self.router.clone(), self.head_time, self.stop.clone());
                    self.running.spawn(async move {
                        connection.await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(REST).await;
                }
            }
        }
    }

    async fn drain(self) {
        self.stop.cancel();
        self.running.close();
        if tokio::time::timeout(DRAIN_TIME, self.running.wait()).await.is_err() {
            tracing::warn!("connections were still busy at the end: {}", self.running.len());
        }
    }
}

async fn answer(stream: TcpStream, router: Router, head_time: Duration, stop: CancellationToken) {
    // Answers are small and whole, so nothing is gained by waiting for more.
    let _ = stream.set_nodelay(true);
    let service = TowerToHyperService::new(tower::util::MapRequest::new(router, |request: hyper::Request<_>| request.map(Body::new)));
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(head_time);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended: Result<(), hyper::Error> = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::Notify;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";

    #[tokio::test]
    async fn what_was_asked_before_the_end_is_answered() {
        let (asked, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (tell, wait) = (Arc::clone(&asked), Arc::clone(&go));
        let slow = || async move {
            tell.notify_one();
            wait.notified().await;
            "done"
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let server = tokio::spawn(serve(listener, Router::new().route("/", get(slow)), stop.clone().cancelled_owned()));

        let mut idle = TcpStream::connect(address).await.unwrap();
        let mut busy = TcpStream::connect(address).await.unwrap();
        busy.write_all(REQUEST).await.unwrap();
        asked.notified().await;
        stop.cancel();
        // An idle connection ends at once, a busy one with its answer.
        assert_eq!(idle.read(&mut [0; 1]).await.unwrap(), 0);
        assert!(TcpStream::connect(address).await.is_err());
        go.notify_one();
        let mut answer = String::new();
        busy.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("done"), "{answer}");
        server.await.unwrap();
    }

    #[tokio::test]
    async fn a_connection_that_stays_idle_ends_before_and_after_a_request() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", get(|| async { "done" }));
        let idle = Duration::from_millis(100);
        tokio::spawn(serve_patiently(listener, router, std::future::pending(), idle));
        let mut silent = TcpStream::connect(address).await.unwrap();
        let mut kept = TcpStream::connect(address).await.unwrap();
        kept.write_all(REQUEST).await.unwrap();
        let mut answer = String::new();
        let both = async {
            let silence = silent.read(&mut [0; 1]).await.unwrap();
            kept.read_to_string(&mut answer).await.unwrap();
            silence
        };
        assert_eq!(tokio::time::timeout(HEAD_TIME / 2, both).await.unwrap(), 0);
        assert!(answer.ends_with("done"), "{answer}");
    }
}
