//! What is recorded of waiting for a place, and of an end that nobody asked for.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A place in the queue of a Baseline.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Queue {
    /// The next one is at 1.
    pub position: i32,
    /// How many wait.
    pub of: i32,
    /// Since when it waits: among those whose authors have as many places, the longest waiting is the next.
    pub since: DateTime<Utc>,
    /// What it waits for, as a sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// An end that nobody asked for, and what was known then. It holds until something newer is known, whatever else is
/// changed: a longer time to live brings nothing back.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Lapsed {
    /// Why it ended.
    pub why: Lapse,
    /// When, by the API server's clock.
    pub at: DateTime<Utc>,
    /// The last activity that was known then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activity: Option<DateTime<Utc>>,
    /// The time of the last wish that was known then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wish: Option<DateTime<Utc>>,
    /// The environment that it gave way to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gave_way_to: Option<String>,
}

/// Why an environment ended that nobody asked to end.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum Lapse {
    /// Nothing happened to it for its time to live.
    Expired,
    /// It was there for as long as `lifetime.max` of its Baseline lets one be.
    MaxReached,
    /// It gave way to one that waited.
    Evicted,
}
