//! When what happened, from the API server's audit log: the same for both sides, and no polling is in it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, ensure};
use chrono::{DateTime, Utc};
use test_cluster::Event;

/// An object in a namespace: its plural and its name.
pub type Written = (String, String);

/// One environment's way, in milliseconds after its start.
#[derive(Clone, Debug, Default)]
pub struct Course {
    /// The first write reached the API server: for the service, the fact that the delivery states.
    pub first_write: f64,
    /// The delivery was answered; for the raw writer nothing.
    pub acknowledged: Option<f64>,
    /// The request that makes the namespace reached the API server.
    pub namespace: f64,
    /// The RoleBinding was there.
    pub bound: f64,
    /// The first object was there: the rights have arrived.
    pub first_object: f64,
    /// All objects were there.
    pub applied: f64,
    /// What was applied.
    pub objects: BTreeSet<Written>,
}

/// Reads the way of the environment in a namespace out of everything that its writer asked since the start.
pub fn course(events: &[Event], namespace: &str, start: DateTime<Utc>) -> Result<Course> {
    let after = |at: DateTime<Utc>| (at - start).as_seconds_f64() * 1e3;
    let writes = |e: &&Event| matches!(e.verb.as_str(), "create" | "patch") && e.received >= start;
    let first_write = events.iter().filter(writes).map(|e| after(e.received)).reduce(f64::min);
    let made = events.iter().find(|e| e.resource == "namespaces" && e.verb == "create" && e.name == namespace && e.code == 201);
    let bound = events.iter().find(|e| e.resource == "rolebindings" && e.namespace == namespace && e.code == 201);
    let mut ends: BTreeMap<Written, f64> = BTreeMap::new();
    for event in events.iter().filter(|e| e.verb == "patch" && e.namespace == namespace && (200..300).contains(&e.code)) {
        let end = after(event.answered);
        // A later apply of the same object is none of this.
        ends.entry((event.resource.clone(), event.name.clone())).and_modify(|first| *first = first.min(end)).or_insert(end);
    }
    let (Some(first_write), Some(made), Some(bound)) = (first_write, made, bound) else {
        anyhow::bail!("cannot time {namespace}: its namespace or its RoleBinding is not in the audit log");
    };
    ensure!(!ends.is_empty(), "cannot time {namespace}: no object of it is in the audit log");
    Ok(Course {
        first_write,
        acknowledged: None,
        namespace: after(made.received),
        bound: after(bound.answered),
        first_object: ends.values().copied().fold(f64::INFINITY, f64::min),
        applied: ends.values().copied().fold(0.0, f64::max),
        objects: ends.into_keys().collect(),
    })
}

/// How often each kind of request was made, by what was asked and how it was answered.
pub fn counts(events: &[Event]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for event in events {
        let slash = if event.subresource.is_empty() { "" } else { "/" };
        let refused = if event.code >= 400 { format!(", answered {}", event.code) } else { String::new() };
        let what = format!("{} {}{slash}{}{refused}", event.verb, event.resource, event.subresource);
        *counts.entry(what).or_default() += 1;
    }
    counts
}
