//! Connections that carry nothing any more once the term has ended, and a Kubernetes client over them.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use http::{Method, Request};
use hyper::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo};
use kube::client::{Body, ClientBuilder, ConfigExt};
use kube::{Client, Config};
use tokio::net::TcpStream;
use tower::timeout::Timeout;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Layer, Service, ServiceBuilder, ServiceExt};

use super::{Ended, Fence};

/// Longest time until a connection is there, where the configuration says nothing.
const CONNECT: Duration = Duration::from_secs(5);

/// A connection behind a fence. It is asked with every piece that is handed to the system, so that what waited in this
/// process while it stood still is not sent afterwards.
#[derive(Debug)]
pub struct Fenced<Io> {
    io: Io,
    fence: Fence,
}

/// Connections behind the fence, over TCP.
pub fn behind(
    http: HttpConnector,
    fence: &Fence,
) -> impl Service<Uri, Response = Fenced<TokioIo<TcpStream>>, Error: Into<BoxError>, Future: Send> + Clone + Send + Sync + 'static {
    let fence = fence.clone();
    http.map_response(move |io| Fenced { io, fence })
}

/// A client of the API server for one term. A write that would begin while the term is being brought to its end never does.
pub fn client(config: &Config, fence: &Fence) -> kube::Result<Client> {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    let tls = config.rustls_https_connector_with_connector(behind(http, fence))?;
    let connector = BoxCloneSyncService::new(Timeout::new(tls, config.connect_timeout.unwrap_or(CONNECT)));
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build::<_, Body>(connector));
    Ok(ClientBuilder::new(service, config.default_namespace.clone()).with_layer(&Counted(fence.clone())).build())
}

impl<Io: Write + Unpin> Fenced<Io> {
    /// The connection, while the term lasts.
    fn open(self: Pin<&mut Self>) -> io::Result<Pin<&mut Io>> {
        let this = self.get_mut();
        if this.fence.is_open() { Ok(Pin::new(&mut this.io)) } else { Err(io::Error::new(io::ErrorKind::ConnectionAborted, Ended)) }
    }
}

impl<Io: Read + Unpin> Read for Fenced<Io> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<Io: Write + Unpin> Write for Fenced<Io> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.open()?.poll_write(cx, buf)
    }

    fn poll_write_vectored(self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.open()?.poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

impl<Io: Connection> Connection for Fenced<Io> {
    fn connected(&self) -> Connected {
        self.io.connected()
    }
}

/// Counts the writes that are under way in a term, and lets none begin when it ends.
#[derive(Clone, Debug)]
struct Counted(Fence);

#[derive(Clone, Debug)]
struct Counting<S> {
    service: S,
    fence: Fence,
}

impl<S> Layer<S> for Counted {
    type Service = Counting<S>;

    fn layer(&self, service: S) -> Counting<S> {
        Counting { service, fence: self.0.clone() }
    }
}

impl<S> Service<Request<Body>> for Counting<S>
where
    S: Service<Request<Body>, Error: Into<BoxError>, Future: Send> + Clone + Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<S::Response, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.service.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // The one that is ready is used up, and a fresh one stays.
        let fresh = self.service.clone();
        let mut ready = std::mem::replace(&mut self.service, fresh);
        let fence = self.fence.clone();
        Box::pin(async move {
            let _pass = if writes(request.method()) { Some(fence.enter().await?) } else { None };
            ready.call(request).await.map_err(Into::into)
        })
    }
}

fn writes(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lease::Moment;
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::Api;
    use kube::api::PostParams;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
    const LASTS: Duration = Duration::from_secs(60);

    /// A server that says how many bytes came, and a client of it for that term.
    async fn server(fence: &Fence) -> (TcpListener, Client) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        (listener, client(&Config::new(url.parse().unwrap()), fence).unwrap())
    }

    async fn answer_one(listener: &TcpListener) -> TcpStream {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut taken = [0; 4096];
        assert!(stream.read(&mut taken).await.unwrap() > 0);
        stream.write_all(ANSWER).await.unwrap();
        stream
    }

    #[tokio::test]
    async fn once_the_term_has_ended_no_byte_goes_out_on_its_connections() {
        let fence = Fence::new(Moment::now(), LASTS);
        let (listener, client) = server(&fence).await;
        let api: Api<ConfigMap> = Api::namespaced(client, "shop");
        let (first, mut stream) = tokio::join!(api.get("a"), answer_one(&listener));
        first.unwrap();
        fence.shut();
        // Reading too, on the connection that is there.
        assert!(api.get("a").await.is_err());
        assert!(api.create(&PostParams::default(), &ConfigMap::default()).await.is_err());
        assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0, "it was closed with nothing sent");
    }

    #[tokio::test]
    async fn a_term_ends_with_the_answer_to_its_last_write() {
        let fence = Fence::new(Moment::now(), LASTS);
        let (listener, client) = server(&fence).await;
        let api: Api<ConfigMap> = Api::namespaced(client, "shop");
        let params = PostParams::default();
        let object = ConfigMap::default();
        let write = api.create(&params, &object);
        let end = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
            let mut finish = Box::pin(fence.finish(LASTS));
            assert!(futures::poll!(finish.as_mut()).is_pending());
            stream.write_all(ANSWER).await.unwrap();
            finish.await;
            stream
        };
        let (written, _stream) = tokio::join!(write, end);
        written.unwrap();
        assert!(!fence.is_open());
    }
}
