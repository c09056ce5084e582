//! What the pull request shows: one comment, edited in place.
//!
//! ```text
//! all environments of one pull request --> render (pure) > deliver (IO)
//! ```
//!
//! The text is a pure function of the objects and names no moment that passes, so an unchanged state gives the same
//! bytes and nothing is sent. A failure of the forge is a condition on the environments and never holds one up.

mod commands;
pub mod deliver;
mod digest;
pub mod driver;
pub mod group;
mod markdown;
mod render;
mod schedule;
mod section;
mod services;
mod state;
pub mod status;
#[cfg(test)]
mod tests;

pub use driver::{Driver, Notifier};
pub use group::{Group, Letter, PullKey};

/// First line of the comment: by it, and by our own login, the comment is found again.
pub const MARKER: &str = "<!-- preview-env -->";
