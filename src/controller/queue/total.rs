//! How many places a Baseline has, where a PreviewPolicy counts those of all Baselines together that it binds: as many as its own
//! limit says, and no more than the others leave. Who comes first takes them. No client, no clock, no logging.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::super::Context;
use crate::api::PreviewEnvironment;
use crate::api::baseline::Limits;
use crate::domain::Baseline;

/// The limits that hold now, and whose ceiling it is where the others leave fewer places than the Baseline has. `places` are
/// those that were given away.
pub(super) fn limits(context: &Context, baseline: &Baseline, places: &HashSet<String>) -> (Limits, Option<String>) {
    let own = baseline.limits;
    let mut totals = baseline.policy.totals().peekable();
    if totals.peek().is_none() {
        return (own, None);
    }
    let others = Others::with_a_place(context, baseline, places);
    let left = totals.map(|(policy, most, at)| (most.saturating_sub(others.under(policy)), at)).min_by_key(|(left, _)| *left);
    held_to(own, left)
}

fn held_to(own: Limits, left: Option<(usize, String)>) -> (Limits, Option<String>) {
    match left.and_then(|(left, at)| Some((i32::try_from(left).ok()?, at))) {
        Some((left, at)) if left < own.environments => (Limits { environments: left, ..own }, Some(at)),
        _ => (own, None),
    }
}

/// How many environments of each other Baseline have a place.
struct Others(Vec<(Option<Arc<Baseline>>, usize)>);

impl Others {
    fn with_a_place(context: &Context, baseline: &Baseline, places: &HashSet<String>) -> Self {
        let standing = context.index.standing();
        let has_place = |object: &PreviewEnvironment| {
            let uid = object.metadata.uid.as_deref().unwrap_or_default();
            let is_recorded = || context.memory.look(object, |status| status.is_some_and(|s| s.namespace.is_some()));
            places.contains(uid) || standing.get(uid).copied().unwrap_or_else(is_recorded)
        };
        let mut count = HashMap::<(String, String), usize>::new();
        for object in context.environments.state() {
            let of = (object.metadata.namespace.clone().unwrap_or_default(), object.spec.baseline.clone());
            let is_own = of.0 == baseline.namespace && of.1 == baseline.name;
            if !is_own && has_place(&object) {
                *count.entry(of).or_default() += 1;
            }
        }
        Self(count.into_iter().map(|((namespace, name), count)| (context.baselines.get(&namespace, &name), count)).collect())
    }

    /// Those of a Baseline that cannot be read count: nobody knows that they do not.
    fn under(&self, policy: &str) -> usize {
        let is_bound = |of: &Option<Arc<Baseline>>| of.as_ref().is_none_or(|of| of.policy.is_bound_by(policy));
        self.0.iter().filter(|(of, _)| is_bound(of)).map(|(_, count)| count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_baseline_has_what_the_others_leave_and_never_more_than_its_own() {
        let own = Limits { environments: 5, ..Limits::default() };
        for (left, places, whose) in
            [(Some(9), 5, None), (Some(5), 5, None), (Some(2), 2, Some("P")), (Some(0), 0, Some("P")), (None, 5, None)]
        {
            let (limits, at) = held_to(own, left.map(|left| (left, "P".to_owned())));
            assert_eq!((limits.environments, at.as_deref()), (places, whose), "{left:?}");
            assert_eq!(Limits { environments: 5, ..limits }, own);
        }
    }
}
