//! How the webhook server runs.

use std::net::SocketAddr;

/// Largest delivery that is read, in bytes: GitHub sends none above 25 MiB ("Webhook events and payloads").
pub const DEFAULT_BODY_LIMIT: usize = 25 * 1024 * 1024;

/// Where the server listens, and what it takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ServerConfig {
    /// Address and port.
    pub listen: SocketAddr,
    /// Largest delivery that is read, in bytes.
    pub body_limit: usize,
}
