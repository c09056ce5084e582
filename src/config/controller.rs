//! How much the controller does at once.

/// Most applies in flight, over all environments.
pub const DEFAULT_IN_FLIGHT: usize = 32;

/// Most environments that are worked on at once.
const CONCURRENCY: u16 = 32;

/// How much the controller does at once.
#[derive(Clone, Copy, Debug)]
pub struct ControllerConfig {
    /// Most applies in flight, over all environments.
    pub in_flight: usize,
    /// Most environments that are worked on at once.
    pub concurrency: u16,
}

impl Default for ControllerConfig {
    fn default() -> Self {
        Self { in_flight: DEFAULT_IN_FLIGHT, concurrency: CONCURRENCY }
    }
}
