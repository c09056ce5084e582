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
//! - `apps.rs`: GitHub Apps and keys for them. `limits.rs`: what a client may ask, and [`Double::limit_violations`] has
//!   what was beyond it. `in_process.rs`: all of it without a socket, for tests in virtual time.
//! - `deliveries.rs`: signing and sending. `faults.rs`: failures on request. `admin.rs`: all of this by HTTP.

mod admin;
mod apps;
mod contract;
mod deliveries;
mod double;
mod faults;
mod hook;
mod http;
mod in_process;
mod limits;
mod log;
mod model;
mod payload;
mod render;
mod state;
mod waits;

pub use apps::{Key, NewApp};
pub use contract::{Violation, check_payload};
pub use deliveries::{Delivery, Outcome, TIME_OUT, signature};
pub use double::{Done, Double};
pub use faults::{Failure, Fault};
pub use hook::Hook;
pub use in_process::Service;
pub use limits::{BETWEEN_CHANGES, CONTENT_A_MINUTE, CONTENT_AN_HOUR, LimitViolation, ON_ITS_WAY, TOLERANCE};
pub use log::Logged;
pub use model::{
    Action, CheckAction, CheckRun, Comment, CommitStatus, ContentType, Deployment, DeploymentStatus, Installation, IssueEvent,
    LONGEST_BODY, Merge, On, Open, Permission, PullRequest, Reaction, Records, Refusal, Repository, Selection, User, UserKind, on,
};
