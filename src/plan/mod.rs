//! Step 3 of 5, plan. The heart: what to make of the baseline for one environment, and why.
//! No client, no clock, no logging.

mod manifest;
mod types;

pub use manifest::{Manifest, ObjectName};
pub use types::{Decision, ImageSwap, LeftOutReason, Plan, Planned, ResolvedImages, Snapshot, Target, Workload};
