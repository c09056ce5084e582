//! What has happened to an environment between two statuses, for whoever counts it or tells of it. No client, no clock, no
//! logging.

use crate::api::PreviewEnvironmentStatus;
use crate::api::conditions::{Condition, READY, STALLED, find, is_true};

/// Something that happens once, however often it is looked at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Happened {
    /// All of a commit is applied that was not before.
    Applied {
        /// Whether nothing of the environment was there before.
        first: bool,
    },
    /// All of it is up.
    Ready {
        /// Whether this commit was ready before.
        again: bool,
    },
    /// It was ready, runs the same commit, and is not ready any more.
    Degraded,
    /// It needs a person, who was not told so before, or not of this.
    Stalled,
    /// It is being taken down.
    Removing,
    /// Nothing of it is left.
    Removed,
}

/// What has happened, in order. `before` is the status that was on record, `after` the one that was written then.
pub(super) fn happened(before: &PreviewEnvironmentStatus, after: &PreviewEnvironmentStatus) -> Vec<Happened> {
    let was = |type_| is_true(&before.conditions, type_);
    let is = |type_| is_true(&after.conditions, type_);
    let enters = |phase| after.phase.as_deref() == Some(phase) && before.phase.as_deref() != Some(phase);
    let is_new = before.namespace.is_none();
    let applied = after.namespace.is_some() && after.revision.is_some() && (after.revision != before.revision || is_new);
    let was_ready = after.revision == before.ready_revision && !is_new;
    let removing = enters("Removing");
    let all = [
        applied.then_some(Happened::Applied { first: is_new || before.revision.is_none() }),
        (is(READY) && (!was(READY) || !was_ready)).then_some(Happened::Ready { again: was_ready }),
        (was(READY) && !is(READY) && is_unready(after) && !applied).then_some(Happened::Degraded),
        (is(STALLED) && (!was(STALLED) || is_otherwise(before, after))).then_some(Happened::Stalled),
        removing.then_some(Happened::Removing),
        (before.namespace.is_some() && after.namespace.is_none()).then_some(Happened::Removed),
    ];
    all.into_iter().flatten().collect()
}

/// Whether everything is applied and not everything is up.
fn is_unready(status: &PreviewEnvironmentStatus) -> bool {
    find(&status.conditions, READY).is_some_and(|ready| ready.reason == "NotReady")
}

/// Whether it stalls for another reason than before.
fn is_otherwise(before: &PreviewEnvironmentStatus, after: &PreviewEnvironmentStatus) -> bool {
    let reason = |c: &[Condition]| find(c, STALLED).map(|stalled| stalled.reason.clone());
    reason(&before.conditions) != reason(&after.conditions)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::conditions::Observation;
    use chrono::DateTime;

    /// Phase, commit, commit that was ready, and the reasons of Ready and Stalled, where they are of interest.
    fn status(phase: &str, revisions: (&str, &str), ready: &'static str, stalled: &'static str) -> PreviewEnvironmentStatus {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let observations =
            [Observation::new(READY, ready == "Ready", ready, ""), Observation::new(STALLED, !stalled.is_empty(), stalled, "")];
        PreviewEnvironmentStatus {
            phase: some(phase),
            namespace: some("shop-web-1").filter(|_| !matches!(phase, "" | "Pending" | "Removed")),
            revision: some(revisions.0),
            ready_revision: some(revisions.1),
            conditions: observations.into_iter().map(|o| o.dated(&[], None, DateTime::UNIX_EPOCH)).collect(),
            ..PreviewEnvironmentStatus::default()
        }
    }

    #[test]
    fn a_life_is_told_once_and_in_order() {
        use Happened::{Applied, Degraded, Ready, Removed, Removing, Stalled};
        let nothing: &[Happened] = &[];
        let life = [
            (("Pending", ("", ""), "Queued", ""), nothing),
            (("Creating", ("a", ""), "NotReady", ""), &[Applied { first: true }]),
            (("Creating", ("a", ""), "NotReady", ""), &[]),
            (("Ready", ("a", "a"), "Ready", ""), &[Ready { again: false }]),
            (("Updating", ("a", "a"), "NotReady", ""), &[Degraded]),
            (("Ready", ("a", "a"), "Ready", ""), &[Ready { again: true }]),
            (("Updating", ("b", "a"), "NotReady", ""), &[Applied { first: false }]),
            (("Stalled", ("b", "a"), "Refused", "Refused"), &[Stalled]),
            (("Stalled", ("b", "a"), "Refused", "Refused"), &[]),
            (("Stalled", ("b", "a"), "Policy", "Policy"), &[Stalled]),
            (("Ready", ("c", "c"), "Ready", ""), &[Applied { first: false }, Ready { again: false }]),
            (("Removing", ("c", "c"), "Removing", ""), &[Removing]),
            (("Removed", ("c", ""), "Removed", ""), &[Removed]),
            (("Removed", ("c", ""), "Removed", ""), &[]),
            (("Ready", ("c", "c"), "Ready", ""), &[Applied { first: true }, Ready { again: false }]),
        ];
        let mut before = PreviewEnvironmentStatus::default();
        for (step, ((phase, revisions, ready, stalled), expected)) in life.into_iter().enumerate() {
            let after = status(phase, revisions, ready, stalled);
            assert_eq!(happened(&before, &after), expected, "step {step}");
            before = after;
        }
    }
}
