//! What the pull request shows: one comment, edited in place, a deployment for each environment and commit, and a check
//! beside each commit.
//!
//! ```text
//! all environments of one pull request --> show (pure) > deliver (IO)
//! ```
//!
//! What is shown is a pure function of the objects and names no moment that passes, so an unchanged state gives the same
//! bytes and nothing is sent. A failure of the forge is a condition on the environments and never holds one up.

mod asked;
mod begun;
mod brake;
mod check;
mod commands;
pub mod deliver;
mod deployment;
mod digest;
pub mod driver;
mod end;
mod facts;
pub mod group;
mod heads;
mod hooks;
mod lanes;
mod markdown;
mod marker;
mod render;
mod results;
mod rules;
mod schedule;
mod section;
mod services;
pub mod show;
pub mod sources;
mod state;
pub mod status;
#[cfg(test)]
pub(crate) mod tests;
mod trouble;
mod urgency;

pub use driver::{Driver, Notifier};
pub use group::{Group, PullKey};
pub use heads::Heads;
pub use marker::{MARKER, Marker, is_marked};
pub use rules::is_check_of;
pub use sources::{FindBaseline, Sources};
