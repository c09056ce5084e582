//! How much the controller does at once, how often, and how long it waits.

use std::time::Duration;

/// Most applies in flight, over all environments.
pub const DEFAULT_IN_FLIGHT: usize = 32;

/// Most environments that are worked on at once.
const CONCURRENCY: u16 = 32;

/// How often an environment is looked over at most.
const LOOK_OVER_EVERY: Duration = Duration::from_secs(300);

/// How long a namespace without its environment is left alone, from one look to the next.
pub const DEFAULT_ORPHAN_AFTER: Duration = Duration::from_secs(300);

/// How much the controller does at once, how often, and how long it waits.
#[derive(Clone, Copy, Debug)]
pub struct ControllerConfig {
    /// Most applies in flight, over all environments.
    pub in_flight: usize,
    /// Most environments that are worked on at once.
    pub concurrency: u16,
    /// How often an environment is looked over at most for what somebody deleted and no watch follows; all of them together
    /// cost a hundred requests in that time.
    pub look_over_every: Duration,
    /// How long a namespace without its environment is left alone, from one look to the next.
    pub orphan_after: Duration,
}

impl Default for ControllerConfig {
    fn default() -> Self {
        Self {
            in_flight: DEFAULT_IN_FLIGHT,
            concurrency: CONCURRENCY,
            look_over_every: LOOK_OVER_EVERY,
            orphan_after: DEFAULT_ORPHAN_AFTER,
        }
    }
}
