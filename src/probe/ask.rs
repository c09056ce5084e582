//! One question by HTTP, of which only the status is read. No redirect is followed.

use std::error::Error;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::task::{Context, Poll};
use std::time::Duration;
use std::vec;

use futures::future::BoxFuture;
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::header::USER_AGENT;
use hyper::{Request, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::TokioExecutor;
use tower::Service;

/// Longest time for one question.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Longest time for the address of a name.
const RESOLVED_WITHIN: Duration = Duration::from_secs(3);
/// Most bytes of an answer's head.
const HEAD_LIMIT: usize = 32 * 1024;

/// Why probing cannot begin.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the system's root certificates, by which addresses are probed: {0}")]
pub struct ProbeError(io::Error);

/// Why there is no status.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum NoAnswer {
    /// From here the address cannot be asked; people may well be able to open it.
    Unasked(String),
    /// It was asked, and there was no answer.
    Failed(String),
}

/// Asks addresses.
pub(crate) struct Asker {
    client: Client<HttpsConnector<HttpConnector<Resolver>>, Empty<Bytes>>,
}

impl Asker {
    /// `through` is where all requests go.
    pub(crate) fn new(through: Option<SocketAddr>) -> Result<Self, ProbeError> {
        let mut http = HttpConnector::new_with_resolver(Resolver { through });
        http.enforce_http(false);
        http.set_connect_timeout(Some(TIMEOUT));
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let builder = HttpsConnectorBuilder::new().with_provider_and_native_roots(provider).map_err(ProbeError)?;
        let mut client = Client::builder(TokioExecutor::new());
        // The next question comes much later, and to somebody else.
        client.pool_max_idle_per_host(0).http1_max_buf_size(HEAD_LIMIT);
        Ok(Self { client: client.build(builder.https_or_http().enable_http1().wrap_connector(http)) })
    }

    /// The HTTP status that an address answers.
    pub(crate) async fn ask(&self, address: &str) -> Result<u16, NoAnswer> {
        let uri: Uri = address.parse().map_err(|_| NoAnswer::Unasked(format!("{address} is no address")))?;
        let host = uri.host().unwrap_or_default().to_owned();
        let request = Request::get(uri).header(USER_AGENT, "preview-env").body(Empty::new());
        let request = request.map_err(|error| NoAnswer::Unasked(format!("{address}: {error}")))?;
        match tokio::time::timeout(TIMEOUT, self.client.request(request)).await {
            Ok(Ok(answer)) => Ok(answer.status().as_u16()),
            Ok(Err(error)) => Err(no_answer(&host, &error)),
            Err(_) => Err(NoAnswer::Failed(format!("{host} did not answer within {} s", TIMEOUT.as_secs()))),
        }
    }
}

/// A name that cannot be resolved here says nothing of the environment.
fn no_answer(host: &str, error: &(dyn Error + 'static)) -> NoAnswer {
    let mut innermost = error;
    let mut unresolved = innermost.is::<Unresolved>();
    while let Some(source) = innermost.source() {
        unresolved |= source.is::<Unresolved>();
        innermost = source;
    }
    if unresolved { NoAnswer::Unasked(innermost.to_string()) } else { NoAnswer::Failed(format!("{host}: {innermost}")) }
}

/// A host that is not asked.
#[derive(Debug, thiserror::Error)]
enum Unresolved {
    #[error("{0} cannot be resolved where the service runs")]
    Unknown(String),
    #[error("{0} leads to {1}, which is not asked; name the way to the ingress controller with --probe-address")]
    Refused(String, IpAddr),
}

/// Resolves hosts, or leads all of them to one place.
#[derive(Clone, Debug)]
struct Resolver {
    through: Option<SocketAddr>,
}

impl Service<Name> for Resolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let through = self.through;
        Box::pin(async move {
            if let Some(address) = through {
                return Ok(vec![address].into_iter());
            }
            let unknown = || Unresolved::Unknown(name.to_string());
            let found = tokio::time::timeout(RESOLVED_WITHIN, tokio::net::lookup_host((name.as_str(), 0))).await;
            let found: Vec<SocketAddr> = found.map_err(|_| unknown())?.map_err(|_| unknown())?.collect();
            match found.iter().find(|address| is_ours(address.ip())) {
                Some(address) => Err(Unresolved::Refused(name.to_string(), address.ip()).into()),
                None => Ok(found.into_iter()),
            }
        })
    }
}

/// Whether an address is one of this machine or of its links, where the metadata of a cloud is: whoever chooses a domain
/// is not to look around there.
fn is_ours(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_link_local() || v4.is_unspecified() || v4.is_multicast() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unicast_link_local() || v6.is_unspecified() || v6.is_multicast(),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// Answers one request with that head, and gives what was asked.
    async fn answers(head: &'static str) -> (SocketAddr, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = vec![0; 4096];
            let length = stream.read(&mut asked).await.unwrap();
            stream.write_all(head.as_bytes()).await.unwrap();
            String::from_utf8_lossy(&asked[..length]).into_owned()
        });
        (address, task)
    }

    #[tokio::test]
    async fn the_host_is_asked_for_by_its_name_whatever_the_way() {
        let (address, task) = answers("HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n").await;
        let asker = Asker::new(Some(address)).unwrap();
        assert_eq!(asker.ask("http://web-pr-42.preview.example.com/healthz").await, Ok(302));
        let request = task.await.unwrap().to_ascii_lowercase();
        assert!(request.starts_with("get /healthz ") && request.contains("host: web-pr-42.preview.example.com"), "{request}");
    }

    #[tokio::test]
    async fn what_is_no_http_is_no_answer() {
        let (address, _task) = answers("SSH-2.0-x\r\n").await;
        let answer = Asker::new(Some(address)).unwrap().ask("http://w.example.com/").await;
        assert!(matches!(answer, Err(NoAnswer::Failed(_))), "{answer:?}");
    }

    #[tokio::test]
    async fn a_name_that_leads_home_is_not_asked() {
        for host in ["localhost", "nothing-of-that-name.invalid"] {
            let answer = Asker::new(None).unwrap().ask(&format!("http://{host}/")).await;
            assert!(matches!(answer, Err(NoAnswer::Unasked(ref why)) if why.contains(host)), "{answer:?}");
        }
    }

    #[test]
    fn the_metadata_of_a_cloud_is_not_looked_at() {
        for (address, ours) in [("169.254.169.254", true), ("127.0.0.1", true), ("fe80::1", true), ("10.1.2.3", false), ("8.8.8.8", false)]
        {
            assert_eq!(is_ours(address.parse().unwrap()), ours, "{address}");
        }
    }
}
