//! How the webhook server runs.

use std::net::SocketAddr;

/// Largest delivery that is read, in bytes. GitHub sends none above 25 MB ("Webhook events and payloads"), and those of
/// pull requests stay far below 1 MiB: a description has at most 65,536 characters.
pub const DEFAULT_BODY_LIMIT: usize = 5 * 1024 * 1024;

/// Where the server listens, and what it takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ServerConfig {
    /// Address and port.
    pub listen: SocketAddr,
    /// Those of health and metrics, where they are others.
    pub health: Option<SocketAddr>,
    /// Largest delivery that is read, in bytes.
    pub body_limit: usize,
}
