//! Whether what an environment is for may run: `trust` of the Baseline, for changes from outside. No client, no clock, no
//! logging.
//!
//! Whether a change comes from outside is what the forge says of it. Every foreign source counts, and nothing lifts this: no
//! wish, no label, no trigger.

use super::Before;
use crate::api::baseline::Forks;
use crate::api::conditions::{APPROVED, Observation};
use crate::api::status::{Right, Trusted};
use crate::domain::environment::Source;
use crate::domain::{Baseline, Environment, Revision};

/// What follows from trust.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Stance {
    /// It may run, by this right.
    Go(Trusted),
    /// What runs may go on, and nothing else may begin.
    Hold,
    /// What is there stays as it is, for a policy, and this decides nothing about it.
    Stay,
    /// Nothing of it may run.
    Stop,
}

/// Judges the environment, and says why where there is something to say.
pub(super) fn judge(environment: &Environment, baseline: Option<&Baseline>, before: &Before<'_>) -> (Option<Observation>, Stance) {
    match by_source(environment, baseline, before) {
        Some((_, Stance::Stop)) if is_kept(baseline, before) => (None, Stance::Stay),
        Some((approved, stance)) => (Some(approved), stance),
        None => (None, Stance::Stop),
    }
}

/// Whether a policy keeps what is there. What counted as a change of the repository itself until now only hid that it is none.
fn is_kept(baseline: Option<&Baseline>, before: &Before<'_>) -> bool {
    let hid = before.trusted.is_some_and(|trusted| trusted.right == Right::SameRepository);
    before.is_there && !hid && baseline.is_some_and(|b| b.policy.keeps_forks())
}

fn by_source(environment: &Environment, baseline: Option<&Baseline>, before: &Before<'_>) -> Option<(Observation, Stance)> {
    let main = environment.main_source()?;
    let foreign: Vec<&Source> = environment.sources.iter().filter(|s| s.foreign).collect();
    Some(match (foreign.first(), baseline.map(|b| b.trust.forks).unwrap_or_default()) {
        (None, _) => go(Right::SameRepository, &main.revision, before, "the change is in the repository itself".to_owned()),
        (Some(first), Forks::Deny) => (no("ForksDenied", format!("{}, and trust.forks is Deny", from_fork(first))), Stance::Stop),
        (Some(first), Forks::Approve) => by_approval(environment, (&foreign, first), before),
        (Some(first), Forks::Isolated) => {
            let how = "without the Secrets of clone.secrets, with no way out but DNS, and within half the quota";
            go(Right::Isolated, &first.revision, before, format!("{}, so it runs {how}", from_fork(first)))
        }
    })
}

/// The right to run. What is isolated and what is not never take each other's place: what is there goes first.
fn go(right: Right, revision: &Revision, before: &Before<'_>, why: String) -> (Observation, Stance) {
    let is_isolated = |right: Right| right == Right::Isolated;
    let there = before.trusted.map_or(Right::SameRepository, |t| t.right);
    let reason = match right {
        Right::SameRepository => "SameRepository",
        Right::Approved => "Approved",
        Right::Isolated => "Isolated",
    };
    if before.is_there && is_isolated(there) != is_isolated(right) {
        let why = format!("{why}; what is there was made otherwise and goes first");
        return (Observation::new(APPROVED, true, reason, why), Stance::Stop);
    }
    (Observation::new(APPROVED, true, reason, why), Stance::Go(Trusted { right, revision: revision.to_string() }))
}

/// One commit runs after somebody approved that very commit. What was approved goes on while the next one waits.
fn by_approval(environment: &Environment, (foreign, first): (&[&Source], &Source), before: &Before<'_>) -> (Observation, Stance) {
    let approval = environment.approval.as_ref();
    let waiting = foreign.iter().find(|s| approval.is_none_or(|a| a.revision != s.revision.as_str()));
    match (waiting, approval, before.trusted.filter(|t| t.right == Right::Approved)) {
        (None, Some(approval), _) => {
            let why = format!("{} approved {}", approval.actor, first.revision.short());
            go(Right::Approved, &first.revision, before, why)
        }
        (Some(waiting), _, Some(runs)) => {
            let (waits, runs) = (waiting.revision.short(), runs.revision.chars().take(7).collect::<String>());
            let how = format!("/preview approve {waits}");
            let why = format!("{waits} comes from a fork and waits until somebody who may comments {how}; what runs is {runs}");
            (no("Fork", why), Stance::Hold)
        }
        (waiting, ..) => {
            let waits = waiting.unwrap_or(&first).revision.short();
            let how = format!("nothing of it runs until somebody who may comments /preview approve {waits}");
            (no("Fork", format!("{}, and {how}", from_fork(first))), Stance::Stop)
        }
    }
}

fn no(reason: &'static str, why: String) -> Observation {
    Observation::new(APPROVED, false, reason, why)
}

fn from_fork(source: &Source) -> String {
    format!("{} comes from a fork or a repository that is gone", source.display())
}

#[cfg(test)]
mod tests {
    use super::super::{Course, settle};
    use super::*;
    use crate::api;
    use crate::api::PreviewEnvironmentStatus;
    use crate::domain::Policy;
    use chrono::Utc;
    use serde_json::{Value, json};
    use std::sync::Arc;

    const FIRST: char = 'a';
    const SECOND: char = 'b';

    fn environment(head: Option<i64>, revision: char, approved: Option<char>) -> Environment {
        let sha = |c: char| c.to_string().repeat(40);
        let now = Utc::now().to_rfc3339();
        let spec = json!({"baseline": "shop", "sources": [{
            "forge": "github", "repositoryId": 7, "repository": "acme/web", "pull": 42, "state": "Open",
            "revision": sha(revision), "observedAt": now, "headRepositoryId": head}],
            "approval": approved.map(|c| json!({"revision": sha(c), "actor": "ann", "at": now})),
            "wish": {"state": "Present", "actor": "ann", "at": now}});
        read(spec)
    }

    fn read(spec: Value) -> Environment {
        let mut object = api::PreviewEnvironment::new("web-pr-42", serde_json::from_value(spec).unwrap());
        object.metadata.namespace = Some("shop".into());
        object.metadata.uid = Some("u-1".into());
        Environment::try_from(&object).unwrap()
    }

    fn baseline(forks: &str) -> Baseline {
        let spec = json!({"repositories": [{"name": "acme/web"}], "trust": {"forks": forks}});
        let mut object = api::Baseline::new("shop", serde_json::from_value(spec).unwrap());
        object.metadata.namespace = Some("shop".into());
        Baseline::try_from(&object).unwrap()
    }

    fn there(right: Right, revision: char) -> PreviewEnvironmentStatus {
        let trusted = Some(Trusted { right, revision: revision.to_string().repeat(40) });
        PreviewEnvironmentStatus { namespace: Some("shop-web-pr-42".into()), trusted, ..Default::default() }
    }

    fn verdict(environment: &Environment, forks: &str, status: &PreviewEnvironmentStatus) -> (Course, &'static str) {
        let settled = settle(environment, Some(&baseline(forks)), &Before::of(status), Utc::now());
        (settled.course, settled.approved.unwrap().reason)
    }

    #[test]
    fn trust_decides_over_what_comes_from_outside() {
        let nothing = PreviewEnvironmentStatus::default();
        for head in [Some(8), None] {
            let fork = |approved| environment(head, FIRST, approved);
            for (forks, approved, expected) in [
                ("Deny", None, (Course::TakeDown, "ForksDenied")),
                ("Deny", Some(FIRST), (Course::TakeDown, "ForksDenied")),
                ("Approve", None, (Course::TakeDown, "Fork")),
                ("Approve", Some(SECOND), (Course::TakeDown, "Fork")),
                ("Approve", Some(FIRST), (Course::Run, "Approved")),
                ("Isolated", None, (Course::Run, "Isolated")),
            ] {
                assert_eq!(verdict(&fork(approved), forks, &nothing), expected, "{forks}, {approved:?} approved, from {head:?}");
            }
        }
        for forks in ["Deny", "Approve", "Isolated"] {
            assert_eq!(verdict(&environment(Some(7), FIRST, None), forks, &nothing), (Course::Run, "SameRepository"), "{forks}");
        }
    }

    #[test]
    fn a_push_after_an_approval_waits_and_what_was_approved_goes_on() {
        let pushed = environment(Some(8), SECOND, Some(FIRST));
        let settled = settle(&pushed, Some(&baseline("Approve")), &Before::of(&there(Right::Approved, FIRST)), Utc::now());
        assert_eq!((settled.course, settled.trusted.as_ref()), (Course::Wait, None));
        let why = "bbbbbbb comes from a fork and waits until somebody who may comments /preview approve bbbbbbb; what runs is aaaaaaa";
        assert_eq!((settled.awaits().reason, settled.awaits().message.as_str()), ("Fork", why));
        let approved = environment(Some(8), SECOND, Some(SECOND));
        assert_eq!(verdict(&approved, "Approve", &there(Right::Approved, FIRST)), (Course::Run, "Approved"));
        assert_eq!(verdict(&pushed, "Deny", &there(Right::Approved, FIRST)), (Course::TakeDown, "ForksDenied"));
    }

    #[test]
    fn what_was_never_approved_does_not_go_on() {
        let fork = environment(Some(8), SECOND, Some(FIRST));
        for right in [Right::SameRepository, Right::Isolated] {
            assert_eq!(verdict(&fork, "Approve", &there(right, FIRST)), (Course::TakeDown, "Fork"), "{right:?}");
        }
        let going = PreviewEnvironmentStatus { namespace: None, ..there(Right::Approved, FIRST) };
        assert_eq!(verdict(&fork, "Approve", &going), (Course::TakeDown, "Fork"), "nothing is there");
    }

    #[test]
    fn what_is_isolated_and_what_is_not_never_take_each_others_place() {
        let fork = environment(Some(8), FIRST, Some(FIRST));
        assert_eq!(verdict(&fork, "Isolated", &there(Right::Approved, FIRST)), (Course::TakeDown, "Isolated"));
        assert_eq!(verdict(&fork, "Isolated", &there(Right::Isolated, FIRST)), (Course::Run, "Isolated"));
        assert_eq!(verdict(&fork, "Approve", &there(Right::Isolated, FIRST)), (Course::TakeDown, "Approved"));
        let ours = environment(Some(7), FIRST, None);
        let unrecorded = PreviewEnvironmentStatus { trusted: None, ..there(Right::Approved, FIRST) };
        assert_eq!(verdict(&ours, "Isolated", &unrecorded), (Course::Run, "SameRepository"), "made before this was recorded");
    }

    #[test]
    fn a_policy_takes_nothing_down_and_lets_nothing_begin() {
        let policy = |forks: &str| {
            let spec = json!({"trust": {"forks": forks}});
            [Arc::new(Policy::read(&api::PreviewPolicy::new("default", serde_json::from_value(spec).unwrap())))]
        };
        let course = |own: &str, most: Option<&str>, status: &PreviewEnvironmentStatus| {
            let policies = most.map(policy);
            let under = baseline(own).under(policies.as_ref().map(<[_; 1]>::as_slice), None);
            let settled = settle(&environment(Some(8), FIRST, None), Some(&under), &Before::of(status), Utc::now());
            (settled.course, settled.trusted == status.trusted, settled.approved.is_some())
        };
        let stays = (Course::Run, true, false);
        for (own, most, right) in [
            ("Isolated", Some("Deny"), Right::Isolated),
            ("Isolated", Some("Deny"), Right::Approved),
            ("Isolated", Some("Approve"), Right::Isolated),
            ("Approve", Some("Deny"), Right::Approved),
            // Nobody knows yet what the policies say.
            ("Isolated", None, Right::Approved),
            ("Approve", None, Right::Isolated),
            ("Deny", None, Right::Approved),
        ] {
            assert_eq!(course(own, most, &there(right, FIRST)), stays, "{right:?} by {own} under {most:?}");
        }
        for most in [Some("Deny"), None] {
            let hid = there(Right::SameRepository, FIRST);
            assert_eq!(course("Approve", most, &hid).0, Course::TakeDown, "what hid that it is a fork under {most:?}");
        }
        assert_eq!(course("Deny", Some("Deny"), &there(Right::Approved, FIRST)).0, Course::TakeDown, "the Baseline says so itself");
        for most in [Some("Deny"), None] {
            assert_eq!(course("Approve", most, &PreviewEnvironmentStatus::default()).0, Course::TakeDown, "nothing is there");
        }
    }

    #[test]
    fn every_foreign_source_counts() {
        let source = |id: i64, head: i64, revision: &str| {
            json!({"forge": "github", "repositoryId": id, "repository": "acme/web", "pull": 42, "state": "Open",
                "revision": revision.repeat(40), "observedAt": Utc::now().to_rfc3339(), "headRepositoryId": head})
        };
        let approval = json!({"revision": "b".repeat(40), "actor": "ann", "at": Utc::now().to_rfc3339()});
        let two = |second: Value| read(json!({"baseline": "shop", "approval": approval, "sources": [source(7, 7, "a"), second]}));
        let nothing = PreviewEnvironmentStatus::default();
        assert_eq!(verdict(&two(source(9, 8, "b")), "Approve", &nothing), (Course::Run, "Approved"));
        assert_eq!(verdict(&two(source(9, 8, "c")), "Approve", &nothing), (Course::TakeDown, "Fork"));
        assert_eq!(verdict(&two(source(9, 8, "c")), "Isolated", &nothing), (Course::Run, "Isolated"));
    }
}
