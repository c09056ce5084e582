//! The octocrab client with our token, made anew when the token's file changes.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use hyper::header::{ACCEPT, HeaderValue, InvalidHeaderValue, USER_AGENT};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use octocrab::service::middleware::auth_header::AuthHeaderLayer;
use octocrab::service::middleware::base_uri::BaseUriLayer;
use octocrab::service::middleware::extra_headers::ExtraHeadersLayer;
use octocrab::{AuthState, Octocrab, OctocrabBuilder};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{Mutex, OnceCell};

use crate::config::GithubConfig;

/// Why we cannot talk to GitHub at all.
#[derive(Debug, thiserror::Error)]
pub enum GithubError {
    /// The token's file cannot be read.
    #[error("cannot read the GitHub token from {path}: {source}", path = .path.display())]
    TokenFile {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The token's file holds something that is not a token.
    #[error("cannot use the GitHub token in {path}: {why}", path = .path.display())]
    Token {
        /// The file.
        path: PathBuf,
        /// What is wrong with its content.
        why: &'static str,
    },
    /// The client cannot be made, for want of root certificates for example.
    #[error("cannot make a client for GitHub: {0}")]
    Client(String),
}

/// One token's client, and whose token it is.
pub(super) struct Session {
    token: SecretString,
    pub(super) client: Octocrab,
    /// Asked for once.
    pub(super) login: OnceCell<String>,
}

/// The present session.
pub(super) struct Sessions {
    config: GithubConfig,
    current: Mutex<Option<Arc<Session>>>,
}

impl Sessions {
    /// Checks the token's file. The client is made with the first request, since it needs a runtime.
    pub(super) fn new(config: GithubConfig) -> Result<Self, GithubError> {
        read_token(&config)?;
        Ok(Self { config, current: Mutex::new(None) })
    }

    /// A client with the token that the file holds now. While the file cannot be read, the one before stays.
    pub(super) async fn current(&self) -> Result<Arc<Session>, GithubError> {
        let mut current = self.current.lock().await;
        // A Secret's volume is in memory, so this small read does not wait.
        let session = match (read_token(&self.config), current.as_ref()) {
            (Ok(token), Some(held)) if held.token.expose_secret() == token.expose_secret() => Arc::clone(held),
            (Err(_), Some(held)) => Arc::clone(held),
            (Ok(token), _) => Arc::new(Session { client: client(&self.config, &token)?, token, login: OnceCell::new() }),
            (Err(error), None) => return Err(error),
        };
        *current = Some(Arc::clone(&session));
        Ok(session)
    }
}

fn read_token(config: &GithubConfig) -> Result<SecretString, GithubError> {
    let path = || config.token_file.clone();
    let text = std::fs::read_to_string(&config.token_file).map_err(|source| GithubError::TokenFile { path: path(), source })?;
    let token = text.trim();
    if token.is_empty() {
        return Err(GithubError::Token { path: path(), why: "the file is empty" });
    }
    if !token.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(GithubError::Token { path: path(), why: "it has spaces or characters that no token has" });
    }
    Ok(SecretString::from(token))
}

/// Octocrab's layers over a plain client, as its documentation shows for clients of one's own. The ready-made client
/// tries writing requests again, sends a second `User-Agent` and logs failures that the caller logs too.
fn client(config: &GithubConfig, token: &SecretString) -> Result<Octocrab, GithubError> {
    let failed = |error: &dyn std::error::Error| GithubError::Client(error.to_string());
    let authorization = authorization(token).map_err(|error| failed(&error))?;
    let headers =
        vec![(USER_AGENT, HeaderValue::from_static("preview-env")), (ACCEPT, HeaderValue::from_static("application/vnd.github+json"))];
    let url = &config.api_url;
    let client = Client::builder(TokioExecutor::new()).build(connector(config).map_err(|error| failed(&error))?);
    let built = OctocrabBuilder::new_empty()
        .with_service(client)
        .with_layer(&ExtraHeadersLayer::new(Arc::new(headers)))
        .with_layer(&BaseUriLayer::new(url.clone()))
        .with_layer(&AuthHeaderLayer::new(Some(authorization), url.clone(), url.clone()))
        .with_auth(AuthState::None)
        .build();
    let Ok(octocrab) = built;
    Ok(octocrab)
}

fn authorization(token: &SecretString) -> Result<HeaderValue, InvalidHeaderValue> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Both schemes, since a GitHub Enterprise Server may be behind a proxy in the cluster.
fn connector(config: &GithubConfig) -> io::Result<HttpsConnector<HttpConnector>> {
    let mut http = HttpConnector::new();
    http.set_connect_timeout(Some(config.timeout));
    http.enforce_http(false);
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let builder = HttpsConnectorBuilder::new().with_provider_and_native_roots(provider)?;
    Ok(builder.https_or_http().enable_http1().wrap_connector(http))
}
