//! The double without a socket: for tests that hold the time, where a real connection would stand still.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http_body_util::Full;
use hyper::body::{Body, Bytes};
use tokio::sync::oneshot;

use crate::deliveries::{Delivery, Outcome};
use crate::double::Double;
use crate::http::exchange;
use crate::state::Shared;

/// The address of a double that listens nowhere. Names below `invalid` are never resolved.
const NOWHERE: &str = "http://github.invalid";

/// Takes requests as a client's own transport does. Delays are tokio's, so they pass in virtual time.
#[derive(Clone)]
pub struct Service {
    shared: Arc<Shared>,
}

type Answering = Pin<Box<dyn Future<Output = Result<hyper::Response<Full<Bytes>>, io::Error>> + Send>>;

impl<B> tower::Service<hyper::Request<B>> for Service
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = hyper::Response<Full<Bytes>>;
    type Error = io::Error;
    type Future = Answering;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: hyper::Request<B>) -> Answering {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            let answer = exchange(shared, request).await;
            answer.map_err(|cut| io::Error::new(io::ErrorKind::ConnectionReset, cut))
        })
    }
}

/// Takes deliveries in place of an address, and says how they ended.
pub(crate) type Receiver = Arc<dyn Fn(Delivery) -> Pin<Box<dyn Future<Output = Outcome> + Send>> + Send + Sync>;

impl Double {
    /// A double that listens nowhere: ask [`Self::service`], and take deliveries with [`Self::deliver_to`].
    pub fn in_process() -> Self {
        let (alive, _) = oneshot::channel::<Infallible>();
        Self::of(Arc::new(Shared::new(NOWHERE.to_owned())), alive)
    }

    /// The double as a client's transport.
    pub fn service(&self) -> Service {
        Service { shared: Arc::clone(&self.shared) }
    }

    /// Gives deliveries to `receiver` from now on, whatever their address says. It answers with a status and a body.
    pub fn deliver_to<F>(&self, receiver: impl Fn(Delivery) -> F + Send + Sync + 'static)
    where
        F: Future<Output = (u16, String)> + Send + 'static,
    {
        let receiver: Receiver = Arc::new(move |delivery| {
            let answer = receiver(delivery);
            Box::pin(async move {
                let (status, body) = answer.await;
                Outcome::Answered { status, body }
            })
        });
        self.shared.set_receiver(receiver);
    }
}
