//! Plain values that say how the service runs, one struct for each concern. The command line fills them in.

mod controller;

pub use controller::{ControllerConfig, DEFAULT_IN_FLIGHT};
