//! All rules of a plan as one value, so that a test can take one away and see what it was good for.

use super::leave_out::dangling::{DANGLING, Dangling};
use super::leave_out::{LEAVE_OUT, LeaveOut};
use super::rules::{RULES, Rule};

/// The rules that a plan is made by.
pub(super) struct RuleBook {
    /// Which objects are not in an environment.
    pub leave_out: Vec<&'static LeaveOut>,
    /// Which of the rest are not, since they would refer to nothing.
    pub dangling: Vec<&'static Dangling>,
    /// How the others change, in this order.
    pub change: Vec<&'static Rule>,
}

impl RuleBook {
    /// Every rule that there is.
    pub fn all() -> Self {
        Self { leave_out: LEAVE_OUT.iter().collect(), dangling: DANGLING.iter().collect(), change: RULES.iter().collect() }
    }
}
