//! Plain values that say how the service runs, one struct for each concern. The command line fills them in.

mod controller;
mod github;
mod server;

pub use controller::{ControllerConfig, DEFAULT_IN_FLIGHT};
pub use github::{AppId, DEFAULT_API_URL, GithubConfig, GithubCredential, InvalidAppId, InvalidGithubConfig};
pub use server::{DEFAULT_BODY_LIMIT, ServerConfig};
