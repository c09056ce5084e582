//! PreviewPolicies whose every field was understood, and what they make of a Baseline. No client, no clock, no logging.
//!
//! What a Baseline says itself is refused where it is more than a ceiling, so that nobody wonders why what they wrote does
//! not count. What comes to be otherwise is held to the ceiling where it is decided: lifetimes when an environment is
//! settled; images, hosts, amounts and places of pods when it is planned, after the Baseline's patches.

mod ceilings;
mod judge;
mod ruling;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use ceilings::{Ceilings, Prefix};
pub use ruling::Ruling;

use kube::ResourceExt;
use kube::core::{Selector, SelectorExt};

use crate::api::PreviewPolicy;
use crate::domain::Baseline;

/// A policy, or what is wrong with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// What tells one state of it from another.
    pub version: String,
    selector: Selector,
    /// What it allows; where it cannot be read, the reason: it then binds every namespace and allows nothing.
    pub ceilings: Result<Ceilings, String>,
}

impl Policy {
    /// Reads an object.
    pub fn read(object: &PreviewPolicy) -> Self {
        let version = format!("{} {}", object.uid().unwrap_or_default(), object.metadata.generation.unwrap_or_default());
        let selector = object.spec.namespace_selector.clone().unwrap_or_default();
        let (selector, ceilings) = match Selector::try_from(selector) {
            Ok(selector) => (selector, Ceilings::read(&object.spec)),
            Err(why) => (Selector::default(), Err(format!("spec.namespaceSelector: {why}"))),
        };
        let selector = if ceilings.is_ok() { selector } else { Selector::default() };
        Self { name: object.name_any(), version, selector, ceilings }
    }

    /// An object that this program cannot read. Nobody knows what it forbids.
    pub fn unreadable(name: &str, why: &str) -> Self {
        Self { name: name.to_owned(), version: why.to_owned(), selector: Selector::default(), ceilings: Err(why.to_owned()) }
    }

    fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        self.selector.matches(labels)
    }

    /// The end of a sentence: which ceiling it is.
    fn at(&self, field: &str) -> String {
        format!("PreviewPolicy {} ({field})", self.name)
    }
}

impl Baseline {
    /// The Baseline under all policies of the cluster, once they are known. `labels` are those of its namespace, once they
    /// are.
    pub fn under(mut self, policies: Option<&[Arc<Policy>]>, labels: Option<&BTreeMap<String, String>>) -> Self {
        let Some(policies) = policies else {
            self.policy = Ruling::pending();
            return self;
        };
        if policies.is_empty() {
            return self;
        }
        let selects_by_labels = policies.iter().any(|p| !p.selector.selects_all());
        let none = BTreeMap::new();
        let labels = match labels {
            Some(labels) => labels,
            None if selects_by_labels => {
                self.policy = Ruling::pending();
                return self;
            }
            None => &none,
        };
        let binding: Vec<Arc<Policy>> = policies.iter().filter(|p| p.selects(labels)).cloned().collect();
        let refusals = judge::refusals(&self, &binding);
        let forks = self.trust.forks;
        judge::tighten(&mut self, &binding);
        self.policy = Ruling::of(refusals, binding, self.trust.forks != forks);
        self
    }
}

#[cfg(test)]
mod tests;
