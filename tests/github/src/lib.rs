//! A double of GitHub: an in-memory model with GitHub's REST API and webhooks, for tests and by hand.
//!
//! A test starts a [`Double`], sets up accounts, repositories and a webhook, and then does what people
//! do: an [`Action`] changes the model and sends the signed deliveries that GitHub would send. The
//! program under test talks to [`Double::base_url`] with its real client.
//!
//! - `model/`: the state and its rules, pure.
//! - `render/`, `payload.rs`: the model in GitHub's JSON, from GitHub's published examples.
//! - `http/`: the endpoints and the server.
//! - `contract/`: every request, answer and delivery is checked against what GitHub publishes;
//!   [`Double::contract_violations`] has what did not fit.
//! - `deliveries.rs`: signing and sending. `faults.rs`: failures on request. `admin.rs`: all of this by HTTP.

mod admin;
mod contract;
mod deliveries;
mod double;
mod faults;
mod hook;
mod http;
mod log;
mod model;
mod payload;
mod render;
mod state;
mod waits;

pub use contract::{Violation, check_payload};
pub use deliveries::{Delivery, Outcome, TIME_OUT, signature};
pub use double::{Done, Double};
pub use faults::{Failure, Fault};
pub use hook::Hook;
pub use log::Logged;
pub use model::{
    Action, Comment, ContentType, LONGEST_BODY, Merge, On, Open, Permission, PullRequest, Refusal, Repository, User, UserKind, on,
};
