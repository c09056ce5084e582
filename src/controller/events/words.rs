//! What events say. No client, no clock, no logging.

use std::time::Duration;

use super::Told;
use crate::api::conditions::{APPROVED, Condition, ConditionStatus, READY, STALLED, WANTED, find};
use crate::api::{BaselineStatus, PreviewEnvironmentStatus};
use crate::controller::happened::Happened;

/// As many bytes an event may say (`note` of `events.k8s.io/v1`: less than 1 kB).
const NOTE_MAX: usize = 1000;

/// Of an environment: one for each thing that has happened, so long after it was asked for, and one where it may not run. That
/// a commit is applied is told with what comes of it: an environment that goes well costs one event.
pub(in crate::controller) fn of_environment(
    happened: &[Happened],
    (before, after): (&PreviewEnvironmentStatus, &PreviewEnvironmentStatus),
    asked: Option<Duration>,
) -> Vec<Told> {
    let mut told: Vec<Told> = happened.iter().filter_map(|happened| one(*happened, (before, after), asked)).collect();
    let refused =
        |status: &PreviewEnvironmentStatus| find(&status.conditions, APPROVED).filter(|c| c.status == ConditionStatus::False).cloned();
    if let Some(condition) = refused(after).filter(|_| refused(before).is_none()) {
        told.push(warning("Refused", condition.message));
    }
    told
}

fn one(
    happened: Happened,
    (before, after): (&PreviewEnvironmentStatus, &PreviewEnvironmentStatus),
    asked: Option<Duration>,
) -> Option<Told> {
    let revision = after.revision.as_deref().map(|revision| revision.get(..7).unwrap_or(revision)).unwrap_or_default();
    let took = asked.map(|asked| format!(", {} s after it was asked for", asked.as_secs())).unwrap_or_default();
    let url = after.urls.first().map(|url| format!(": {}", url.url)).unwrap_or_default();
    let message = |type_| find(&after.conditions, type_).map(|c| c.message.clone()).unwrap_or_default();
    let namespace = |status: &PreviewEnvironmentStatus| status.namespace.clone().unwrap_or_default();
    let told = match happened {
        Happened::Applied { .. } => return None,
        Happened::Ready { again: false } => normal("Ready", format!("{revision} is ready in namespace {}{took}{url}", namespace(after))),
        Happened::Ready { again: true } => normal("Ready", format!("{revision} is ready again{url}")),
        Happened::Degraded => warning("Degraded", message(READY)),
        Happened::Stalled => {
            let reason = find(&after.conditions, STALLED).map(|c| c.reason.as_str()).unwrap_or_default();
            warning("Stalled", format!("{reason}: {}", message(STALLED)))
        }
        Happened::Removing if after.lapsed.is_some() => normal("Expired", message(WANTED)),
        Happened::Removing => normal("Removing", message(WANTED)),
        Happened::Removed => normal("Removed", format!("nothing is left of namespace {}", namespace(before))),
    };
    Some(told)
}

/// Of a Baseline: that no environments can be made from it any more, or for another reason than before, and that they can
/// again. That it can be used at first, nobody has to be told.
pub(in crate::controller) fn of_baseline(before: Option<&BaselineStatus>, after: &BaselineStatus) -> Option<Told> {
    let ready = |status: &BaselineStatus| find(&status.conditions, READY).cloned();
    let (before, after) = (before.and_then(ready), ready(after)?);
    let is_same = |before: &Condition| before.status == after.status && before.reason == after.reason;
    let was_wrong = before.as_ref().is_some_and(|before| before.status == ConditionStatus::False);
    match after.status {
        _ if before.as_ref().is_some_and(is_same) => None,
        ConditionStatus::False => Some(warning("NotReady", format!("{}: {}", after.reason, after.message))),
        ConditionStatus::True if was_wrong => Some(normal("Ready", after.message)),
        ConditionStatus::True | ConditionStatus::Unknown => None,
    }
}

/// Of a Baseline: that a namespace is removed whose environment was gone already.
pub(in crate::controller) fn orphan(namespace: &str) -> Told {
    normal(
        "OrphanRemoved",
        format!("namespace {namespace} is removed: its environment was gone already, and what it was made for has ended"),
    )
}

/// Of a Baseline: that so many removals wait for a person, and what there is to do.
pub(crate) fn held(message: &str) -> Told {
    warning("RemovalsHeld", message.to_owned())
}

fn normal(reason: &'static str, note: String) -> Told {
    Told { type_: "Normal", reason, note: short(note) }
}

fn warning(reason: &'static str, note: String) -> Told {
    Told { type_: "Warning", reason, note: short(note) }
}

fn short(mut note: String) -> String {
    let end = (0..=NOTE_MAX.min(note.len())).rev().find(|end| note.is_char_boundary(*end)).unwrap_or_default();
    note.truncate(end);
    note
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::conditions::Observation;
    use crate::api::status::Url;
    use chrono::DateTime;

    fn conditions(observations: Vec<Observation>) -> Vec<Condition> {
        observations.into_iter().map(|o| o.dated(&[], None, DateTime::UNIX_EPOCH)).collect()
    }

    #[test]
    fn each_says_what_a_person_wants_to_know() {
        let before = PreviewEnvironmentStatus { namespace: Some("shop-web-1".into()), ..PreviewEnvironmentStatus::default() };
        let after = PreviewEnvironmentStatus {
            revision: Some("0123456789".into()),
            urls: vec![Url { host: "h".into(), url: "https://h".into() }],
            conditions: conditions(vec![
                Observation::new(READY, false, "NotReady", "1 of 2 services are up"),
                Observation::new(STALLED, true, "Policy", "beyond limits"),
                Observation::new(WANTED, false, "Closed", "its pull request is closed"),
                Observation::new(APPROVED, false, "Fork", "nobody approved it"),
            ]),
            ..before.clone()
        };
        let happened = [
            Happened::Applied { first: true },
            Happened::Applied { first: false },
            Happened::Ready { again: false },
            Happened::Ready { again: true },
            Happened::Degraded,
            Happened::Stalled,
            Happened::Removing,
            Happened::Removed,
        ];
        let told = of_environment(&happened, (&before, &after), Some(Duration::from_millis(34_500)));
        let told: Vec<String> = told.iter().map(|t| format!("{} {} {}", t.type_, t.reason, t.note)).collect();
        assert_eq!(
            told,
            [
                "Normal Ready 0123456 is ready in namespace shop-web-1, 34 s after it was asked for: https://h",
                "Normal Ready 0123456 is ready again: https://h",
                "Warning Degraded 1 of 2 services are up",
                "Warning Stalled Policy: beyond limits",
                "Normal Removing its pull request is closed",
                "Normal Removed nothing is left of namespace shop-web-1",
                "Warning Refused nobody approved it",
            ]
        );
        assert!(of_environment(&[], (&after, &after), None).is_empty(), "it was told before");
    }

    #[test]
    fn of_a_baseline_only_what_changes_is_told() {
        let status = |status: ConditionStatus, reason| BaselineStatus {
            conditions: conditions(vec![Observation::new(READY, status, reason, "why")]),
            ..BaselineStatus::default()
        };
        let (good, bad) = (status(ConditionStatus::True, "Ready"), status(ConditionStatus::False, "Invalid"));
        let other = status(ConditionStatus::False, "Policy");
        let told = |before: Option<&BaselineStatus>, after| of_baseline(before, after).map(|told| (told.reason, told.note));
        assert_eq!(told(None, &good), None);
        assert_eq!(told(Some(&good), &bad), Some(("NotReady", "Invalid: why".to_owned())));
        assert_eq!(told(Some(&bad), &bad), None);
        assert_eq!(told(Some(&bad), &other), Some(("NotReady", "Policy: why".to_owned())));
        assert_eq!(told(Some(&bad), &good), Some(("Ready", "why".to_owned())));
    }

    #[test]
    fn a_baseline_tells_of_what_went_and_of_what_waits_without_anybody_having_asked() {
        let told = [orphan("shop-web-pr-1"), held("4 environments seem to have ended")];
        let told: Vec<String> = told.iter().map(|t| format!("{} {} {}", t.type_, t.reason, t.note)).collect();
        assert_eq!(
            told,
            [
                "Normal OrphanRemoved namespace shop-web-pr-1 is removed: its environment was gone already, and what it was made for has ended",
                "Warning RemovalsHeld 4 environments seem to have ended",
            ]
        );
    }

    #[test]
    fn what_is_too_long_is_cut_between_characters() {
        assert_eq!(short("ä".repeat(600)).len(), NOTE_MAX);
        assert_eq!(short(format!("x{}", "ä".repeat(600))).len(), NOTE_MAX - 1);
    }
}
