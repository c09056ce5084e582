//! How the webhook server runs.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Largest delivery that is read, in bytes: GitHub sends none above 25 MiB ("Webhook events and payloads").
pub const DEFAULT_BODY_LIMIT: usize = 25 * 1024 * 1024;

/// Where the server listens, and what it takes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServerConfig {
    /// Address and port.
    pub listen: SocketAddr,
    /// Files with the webhook's secret: one, or two while a secret is being replaced.
    pub webhook_secret_files: Vec<PathBuf>,
    /// Largest delivery that is read, in bytes.
    pub body_limit: usize,
}

impl ServerConfig {
    /// With the largest delivery that GitHub sends.
    pub fn new(listen: SocketAddr, webhook_secret_files: Vec<PathBuf>) -> Self {
        Self { listen, webhook_secret_files, body_limit: DEFAULT_BODY_LIMIT }
    }

    /// With another limit, in bytes.
    pub fn with_body_limit(self, body_limit: usize) -> Self {
        Self { body_limit, ..self }
    }
}
