//! One pool of connections for all sessions, with octocrab's layers over it.

use std::io;
use std::sync::Arc;

use http_body_util::BodyExt;
use http_body_util::combinators::BoxBody;
use hyper::body::{Body, Bytes};
use hyper::header::{ACCEPT, HeaderValue, InvalidHeaderValue, USER_AGENT};
use hyper::{Request, Response, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use octocrab::service::middleware::auth_header::AuthHeaderLayer;
use octocrab::service::middleware::base_uri::BaseUriLayer;
use octocrab::service::middleware::extra_headers::ExtraHeadersLayer;
use octocrab::{AuthState, OctoBody, Octocrab, OctocrabBuilder};
use secrecy::{ExposeSecret, SecretString};
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Service, ServiceExt};

use super::GithubError;
use crate::config::GithubConfig;
use crate::lease::{Fence, behind};

/// A body on its way to GitHub or back.
pub type Content = BoxBody<Bytes, BoxError>;

/// Connections to GitHub's API. Clones share them.
#[derive(Clone)]
pub(in crate::forge::github) struct Transport {
    service: BoxCloneSyncService<Request<OctoBody>, Response<Content>, BoxError>,
    url: Uri,
}

impl Transport {
    /// None is opened yet.
    pub(in crate::forge::github) fn new(config: &GithubConfig) -> Result<Self, GithubError> {
        let connector = with_tls(http(config)).map_err(|error| GithubError::Client(error.to_string()))?;
        let client: Client<_, Content> = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self::over(config, client))
    }

    /// The same, and nothing is sent once the fence is shut.
    pub(in crate::forge::github) fn behind(config: &GithubConfig, fence: &Fence) -> Result<Self, GithubError> {
        let connector = with_tls(behind(http(config), fence)).map_err(|error| GithubError::Client(error.to_string()))?;
        let client: Client<_, Content> = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self::over(config, client))
    }

    /// Over whatever answers requests as GitHub does.
    pub(in crate::forge::github) fn over<S, B>(config: &GithubConfig, service: S) -> Self
    where
        S: Service<Request<Content>, Response = Response<B>, Error: Into<BoxError>, Future: Send> + Clone + Send + Sync + 'static,
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + Sync + 'static,
    {
        let service = service
            .map_request(|request: Request<OctoBody>| request.map(boxed))
            .map_response(|response: Response<B>| response.map(boxed))
            .map_err(Into::into);
        Self { service: BoxCloneSyncService::new(service), url: config.api_url.clone() }
    }

    /// Octocrab's layers over it, as its documentation shows for clients of one's own. The ready-made client tries writing
    /// requests again, sends a second `User-Agent` and logs failures that the caller logs too. Needs a runtime.
    pub(super) fn client(&self, token: &SecretString) -> Result<Octocrab, GithubError> {
        let authorization = authorization(token).map_err(|error| GithubError::Client(error.to_string()))?;
        let headers =
            vec![(USER_AGENT, HeaderValue::from_static("preview-env")), (ACCEPT, HeaderValue::from_static("application/vnd.github+json"))];
        let built = OctocrabBuilder::new_empty()
            .with_service(self.service.clone())
            .with_layer(&ExtraHeadersLayer::new(Arc::new(headers)))
            .with_layer(&BaseUriLayer::new(self.url.clone()))
            .with_layer(&AuthHeaderLayer::new(Some(authorization), self.url.clone(), self.url.clone()))
            .with_auth(AuthState::None)
            .build();
        let Ok(octocrab) = built;
        Ok(octocrab)
    }
}

fn boxed<B>(body: B) -> Content
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + Sync + 'static,
{
    body.map_err(Into::into).boxed()
}

fn authorization(token: &SecretString) -> Result<HeaderValue, InvalidHeaderValue> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()))?;
    value.set_sensitive(true);
    Ok(value)
}

fn http(config: &GithubConfig) -> HttpConnector {
    let mut http = HttpConnector::new();
    http.set_connect_timeout(Some(config.timeout));
    http.enforce_http(false);
    http
}

/// Both schemes, since a GitHub Enterprise Server may be behind a proxy in the cluster.
fn with_tls<C>(http: C) -> io::Result<HttpsConnector<C>> {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let builder = HttpsConnectorBuilder::new().with_provider_and_native_roots(provider)?;
    Ok(builder.https_or_http().enable_http1().wrap_connector(http))
}
