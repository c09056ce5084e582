//! Condition types and reasons. Both are part of the API: scripts read them, so they never change.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Does somebody want this environment to exist?
pub const WANTED: &str = "Wanted";
/// The reason of [`WANTED`] where its pull request was closed and all of it stays for the Baseline's grace.
pub const CLOSING: &str = "Closing";
/// May the revision run here? False for a pull request from a fork.
pub const APPROVED: &str = "Approved";
/// Are the images there that run instead of the baseline's?
pub const IMAGES_AVAILABLE: &str = "ImagesAvailable";
/// Is the cluster being changed towards what is wanted?
pub const PROGRESSING: &str = "Progressing";
/// For an environment: are its workloads ready? For a Baseline: can environments be made from it?
pub const READY: &str = "Ready";
/// Does the pull request show the present state?
pub const FEEDBACK_DELIVERED: &str = "FeedbackDelivered";
/// Has the forge told us what the wished-for pull request or branch is?
pub const LOOKED_UP: &str = "LookedUp";
/// Does it answer where people open it?
pub const REACHABLE: &str = "Reachable";
/// Does something need a person before it can go on?
pub const STALLED: &str = "Stalled";
/// The reason of [`STALLED`] where all that is left of an environment is a namespace that is not provably its own any more.
pub const NAMESPACE_KEPT: &str = "NamespaceKept";
/// Did the Baseline's hooks run well for this revision?
pub const HOOKS_SUCCEEDED: &str = "HooksSucceeded";
/// Do removals of a Baseline's environments wait until a person confirms them?
pub const REMOVALS_HELD: &str = "RemovalsHeld";
/// Something that works and is probably not meant: in a Baseline, or that happens to an environment again and again.
pub const WARNING: &str = "Warning";

/// True, False or not known.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum ConditionStatus {
    /// It is so.
    True,
    /// It is not so.
    False,
    /// Nobody can say yet.
    Unknown,
}

impl From<bool> for ConditionStatus {
    fn from(value: bool) -> Self {
        if value { Self::True } else { Self::False }
    }
}

/// One observation, shaped as Kubernetes' `metav1.Condition`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What is observed.
    #[serde(rename = "type")]
    pub type_: String,
    /// Whether it is so.
    pub status: ConditionStatus,
    /// Why, as one word for scripts.
    pub reason: String,
    /// Why, as a sentence for people.
    #[serde(default)]
    pub message: String,
    /// Since when the status is what it is.
    pub last_transition_time: DateTime<Utc>,
    /// The generation that was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

/// A condition without its times: what a pure step says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Observation {
    /// What is observed: one of the constants above.
    pub type_: &'static str,
    /// Whether it is so.
    pub status: ConditionStatus,
    /// Why, as one word.
    pub reason: &'static str,
    /// Why, as a sentence.
    pub message: String,
}

impl Observation {
    /// An observation with its reason.
    pub fn new(type_: &'static str, status: impl Into<ConditionStatus>, reason: &'static str, message: impl Into<String>) -> Self {
        Self { type_, status: status.into(), reason, message: message.into() }
    }

    /// Dates the observation, keeping the time of the last change where the status did not change.
    pub fn dated(self, before: &[Condition], generation: Option<i64>, now: DateTime<Utc>) -> Condition {
        let since = find(before, self.type_).filter(|c| c.status == self.status).map_or(now, |c| c.last_transition_time);
        Condition {
            type_: self.type_.to_owned(),
            status: self.status,
            reason: self.reason.to_owned(),
            message: self.message,
            last_transition_time: since,
            observed_generation: generation,
        }
    }
}

/// The condition of that type, if it was ever set.
pub fn find<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    conditions.iter().find(|c| c.type_ == type_)
}

/// Whether the condition of that type is True.
pub fn is_true(conditions: &[Condition], type_: &str) -> bool {
    find(conditions, type_).is_some_and(|c| c.status == ConditionStatus::True)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_moves_only_with_the_status() {
        let early = DateTime::from_timestamp(1_000, 0).unwrap();
        let late = DateTime::from_timestamp(2_000, 0).unwrap();
        let first = Observation::new(READY, false, "Creating", "0 of 2").dated(&[], None, early);
        let same = Observation::new(READY, false, "Creating", "1 of 2").dated(std::slice::from_ref(&first), None, late);
        let other = Observation::new(READY, true, "Ready", "2 of 2").dated(&[first], None, late);
        assert_eq!((same.last_transition_time, other.last_transition_time), (early, late));
    }
}
