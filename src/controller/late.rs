//! Which workloads have had the time that they may take to get ready. No client, no clock, no logging.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::index::{Index, workload_key};
use crate::api::PreviewEnvironmentStatus;
use crate::api::conditions::{Condition, ConditionStatus, READY, find};

/// How long a workload may take that has no deadline of its own, in minutes: as long as a Deployment that does not name one
/// (`progressDeadlineSeconds`, 600).
const DEADLINE_MINUTES: i64 = 10;

/// Kind and name of a workload.
pub type Key = (String, String);

/// What is late, and what will be.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Late {
    /// The workloads that are not ready although their time is over.
    pub workloads: HashSet<Key>,
    /// When others are, that have no deadline of their own; absent where that is past, or where there are none.
    pub next: Option<DateTime<Utc>>,
}

impl Late {
    /// Of services that were just looked at. A Deployment's own controller says so; the others have ten minutes from the last
    /// apply, or from the moment at which the environment was ready no more.
    pub fn of(status: &PreviewEnvironmentStatus, index: &Index, now: DateTime<Utc>) -> Self {
        let Some(applied_at) = status.applied_at else { return Self::default() };
        // What is recorded as ready was so until this very look.
        let unready_since = |ready: &Condition| if ready.status == ConditionStatus::True { now } else { ready.last_transition_time };
        let since = find(&status.conditions, READY).map_or(applied_at, |ready| unready_since(ready).max(applied_at));
        let deadline = since + TimeDelta::minutes(DEADLINE_MINUTES);
        let namespace = status.namespace.as_deref().unwrap_or_default();
        let says_so = |kind: &str, name: &str| {
            workload_key(kind, name).and_then(|key| index.workload(namespace, &key)).is_some_and(|state| state.overdue)
        };
        let unready = || status.services.iter().filter(|s| !s.ready && s.waits_for.is_none());
        let is_late = |kind: &str, name: &str| if kind == "Deployment" { says_so(kind, name) } else { deadline <= now };
        let workloads = unready().filter(|s| is_late(&s.kind, &s.name)).map(|s| (s.kind.clone(), s.name.clone())).collect();
        let next = Some(deadline).filter(|at| *at > now && unready().any(|s| s.kind != "Deployment"));
        Self { workloads, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::status::{ImageOrigin, ServiceStatus};
    use crate::controller::index::WorkloadState;

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minute)
    }

    fn service(kind: &str, name: &str) -> ServiceStatus {
        let (kind, name, image) = (kind.into(), name.into(), "web:1".into());
        ServiceStatus { kind, name, image, from: ImageOrigin::Branch, ready: false, reason: None, log: None, waits_for: None }
    }

    /// Applied at minute 0, and not ready since that minute.
    fn status(unready_since: i64, services: Vec<ServiceStatus>) -> PreviewEnvironmentStatus {
        let ready = Condition {
            type_: READY.into(),
            status: ConditionStatus::False,
            reason: "NotReady".into(),
            message: String::new(),
            last_transition_time: at(unready_since),
            observed_generation: None,
        };
        let (namespace, applied_at) = (Some("ns".into()), Some(at(0)));
        PreviewEnvironmentStatus { namespace, applied_at, services, conditions: vec![ready], ..Default::default() }
    }

    fn late(late: &Late) -> Vec<&str> {
        let mut names: Vec<_> = late.workloads.iter().map(|(_, name)| name.as_str()).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn a_deployment_is_late_when_its_controller_says_so_and_at_no_other_time() {
        let index = Index::default();
        let status = status(0, vec![service("Deployment", "web"), service("Deployment", "api")]);
        assert_eq!(Late::of(&status, &index, at(60)), Late::default());
        index.put_workload("ns", ("Deployment", "web".into()), WorkloadState { overdue: true, ..WorkloadState::default() });
        assert_eq!(late(&Late::of(&status, &index, at(1))), ["web"]);
    }

    #[test]
    fn what_has_no_deadline_of_its_own_is_late_after_ten_minutes_without_being_ready() {
        let index = Index::default();
        for (unready_since, minute, is_late, next) in
            [(0, 9, false, Some(10)), (0, 10, true, None), (60, 61, false, Some(70)), (60, 70, true, None)]
        {
            let status = status(unready_since, vec![service("StatefulSet", "db"), service("DaemonSet", "logs")]);
            let found = Late::of(&status, &index, at(minute));
            assert_eq!(late(&found), if is_late { vec!["db", "logs"] } else { vec![] }, "{unready_since} {minute}");
            assert_eq!(found.next, next.map(at), "{unready_since} {minute}");
        }
    }

    #[test]
    fn what_was_ready_until_now_has_its_time_from_now_on() {
        let mut status = status(0, vec![service("StatefulSet", "db")]);
        status.conditions[0].status = ConditionStatus::True;
        assert_eq!(Late::of(&status, &Index::default(), at(60)), Late { next: Some(at(70)), ..Late::default() });
    }

    #[test]
    fn what_is_ready_or_waits_for_its_image_is_never_late() {
        let ready = ServiceStatus { ready: true, ..service("StatefulSet", "db") };
        let waits = ServiceStatus { waits_for: Some("web:2".into()), ..service("StatefulSet", "web") };
        assert_eq!(Late::of(&status(0, vec![ready, waits]), &Index::default(), at(60)), Late::default());
    }
}
