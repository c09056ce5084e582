//! Registries for tests.
//!
//! | | |
//! |---|---|
//! | [`Registry`] | a real one, Debian's `docker-registry`, on a free port, with or without a login |
//! | [`Image`] | a small image to push there |
//! | [`Strange`] | an HTTP server that answers as a test says: what a registry should never do |

mod image;
mod real;
mod strange;

pub use image::Image;
pub use real::{PASSWORD, Registry, USER, tool};
pub use strange::{Seen, Strange};
