//! Everything that a story needs, for the tests, the demo and the benchmark: a real control plane, the double of
//! GitHub, the service as a process of its own under the rights that `deploy/` ships, and baselines to preview.

mod http;
mod install;
mod manifests;
mod routes;
mod service;
mod shown;
mod wait;
mod world;

pub use http::{Answer, get, post};
pub use install::{baseline_access, definitions, gateway_api, holds_rights, once as install, root};
pub use manifests::{apply, read, read_folder};
pub use routes::Routes;
pub use service::{Credential, Service, ServiceOptions};
pub use wait::{deadline, wait_for};
pub use world::{APP, BOT, Baseline, DEVELOPER, OWNER, SECRET, Setup, TOKEN, World};
