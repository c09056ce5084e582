//! How much of a baseline a plan takes over, in numbers.

use std::collections::HashSet;

use super::is_missing;
use crate::plan::decision::Decision;

/// How many objects ended how. What Kubernetes or another object makes anew anyway does not count.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// Copied as they are.
    pub kept: usize,
    /// Copied and changed.
    pub changed: usize,
    /// Not copied.
    pub left_out: usize,
}

impl Counts {
    /// Counts each object once.
    pub fn of(decisions: &[Decision]) -> Self {
        let count = |fits: fn(&Decision) -> bool| decisions.iter().filter(|d| fits(d)).map(Decision::object).collect::<HashSet<_>>().len();
        Self {
            kept: count(|d| matches!(d, Decision::Kept(_))),
            changed: count(|d| matches!(d, Decision::Changed { .. })),
            left_out: count(|d| matches!(d, Decision::LeftOut { reason, .. } if is_missing(reason))),
        }
    }

    /// All of them.
    pub const fn objects(self) -> usize {
        self.kept + self.changed + self.left_out
    }
}
