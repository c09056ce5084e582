//! Step 0 of 5, settle: is the environment wanted, may it run, and until when? No client, no clock, no logging.
//!
//! Spec holds facts and wishes; this is where they become an intent. Closed takes down; a wish for Absent holds until
//! the pull request is closed or a later wish; expiry is undone only by newer activity or a wish.

use chrono::{DateTime, TimeDelta, Utc};

use crate::api::conditions::{APPROVED, ConditionStatus, Observation, WANTED};
use crate::api::environment::{SourceState, WishState};
use crate::domain::environment::Source;
use crate::domain::{Baseline, Environment};

/// What to do with an environment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Course {
    /// Make it so, and keep it so.
    Run,
    /// Leave everything as it is: something has to be known first.
    Wait,
    /// Take everything down and keep the object, which records why.
    TakeDown,
    /// Take everything down, then the object too.
    Remove,
}

/// The intent for one environment.
#[derive(Clone, Debug, PartialEq)]
pub struct Settled {
    /// What to do.
    pub course: Course,
    /// The condition `Wanted`.
    pub wanted: Observation,
    /// The condition `Approved`, where there is a revision to speak of.
    pub approved: Option<Observation>,
    /// When it is taken down unless something happens before.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Settles one environment. `baseline` is absent where there is none that could be used; `recorded_expiry` is what
/// status said before, which holds while the Baseline cannot be read.
pub fn settle(
    environment: &Environment,
    baseline: Option<&Baseline>,
    recorded_expiry: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Settled {
    let expires_at = expiry(environment, baseline).or(recorded_expiry);
    let (course, wanted) = want(environment, baseline, expires_at, now);
    let approved = environment.main_source().map(approval);
    let course = match (&course, &approved) {
        (Course::Run, Some(a)) if a.status == ConditionStatus::False => Course::TakeDown,
        _ => course,
    };
    Settled { course, wanted, approved, expires_at: expires_at.filter(|_| matches!(course, Course::Run | Course::Wait)) }
}

fn expiry(environment: &Environment, baseline: Option<&Baseline>) -> Option<DateTime<Utc>> {
    let ttl = environment.ttl.or(baseline.map(|b| b.ttl))?;
    let start = environment.last_activity().or(environment.created_at)?;
    start.checked_add_signed(TimeDelta::from_std(ttl).ok()?)
}

type Verdict = (Course, Observation);

fn want(environment: &Environment, baseline: Option<&Baseline>, expires_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Verdict {
    let wish = environment.wish.as_ref();
    if environment.deleted {
        return no(Course::Remove, "Deleted", "the object is being deleted");
    }
    if let Some(ended) = ended(environment) {
        return ended;
    }
    if expires_at.is_some_and(|at| at <= now) {
        return no(Course::Remove, "Expired", "nothing happened for its time to live");
    }
    match wish.map(|w| w.state) {
        Some(WishState::Absent) => deleted_by_wish(environment),
        Some(WishState::Present) => wished(environment, baseline),
        None => triggered(environment, baseline),
    }
}

fn no(course: Course, reason: &'static str, message: impl Into<String>) -> Verdict {
    (course, Observation::new(WANTED, false, reason, message))
}

fn yes(reason: &'static str, message: impl Into<String>) -> Verdict {
    (Course::Run, Observation::new(WANTED, true, reason, message))
}

fn unknown(reason: &'static str, message: impl Into<String>) -> Verdict {
    (Course::Wait, Observation::new(WANTED, ConditionStatus::Unknown, reason, message))
}

/// The end of all sources, which no wish outlives.
fn ended(environment: &Environment) -> Option<Verdict> {
    if environment.sources.is_empty() || environment.sources.iter().any(|s| s.state == SourceState::Open) {
        return None;
    }
    let states = environment.sources.iter().map(|s| s.state);
    let last = states.max_by_key(|s| matches!(s, SourceState::Merged))?;
    let what = environment.main_source().map(Source::display).unwrap_or_default();
    Some(match last {
        SourceState::Merged => no(Course::Remove, "Merged", format!("{what} was merged")),
        SourceState::Gone => no(Course::Remove, "Gone", format!("{what} does not exist any more")),
        SourceState::Closed | SourceState::Open => no(Course::Remove, "Closed", format!("{what} was closed")),
    })
}

/// The object stays as the record of the wish while an event could bring the environment back.
fn deleted_by_wish(environment: &Environment) -> Verdict {
    let actor = environment.wish.as_ref().map(|w| w.actor.as_str()).unwrap_or_default();
    let open_pull = environment.sources.iter().any(|s| s.subject.is_pull());
    let course = if open_pull { Course::TakeDown } else { Course::Remove };
    no(course, "DeletedByWish", format!("{actor} asked for it to be gone"))
}

fn wished(environment: &Environment, baseline: Option<&Baseline>) -> Verdict {
    if baseline.is_none() {
        return no_baseline();
    }
    let actor = environment.wish.as_ref().map(|w| w.actor.as_str()).unwrap_or_default();
    match environment.main_source() {
        Some(_) => yes("Wished", format!("{actor} asked for it")),
        None => unknown("LookingUp", "asking the forge what the pull request or branch is"),
    }
}

fn triggered(environment: &Environment, baseline: Option<&Baseline>) -> Verdict {
    let Some(source) = environment.main_source() else {
        return unknown("NotTriggered", "no pull request, branch or person asked for it yet");
    };
    match baseline {
        None => no_baseline(),
        Some(baseline) if source.draft && !baseline.trigger.drafts => {
            no(Course::TakeDown, "Draft", format!("{} is a draft, and trigger.drafts is off", source.display()))
        }
        Some(_) => yes("Triggered", format!("{} is open", source.display())),
    }
}

fn no_baseline() -> Verdict {
    unknown("BaselineNotReady", "its Baseline cannot be used, so nothing is changed")
}

fn approval(source: &Source) -> Observation {
    if source.foreign {
        let message = "the pull request comes from a fork or a repository that is gone, and nothing of it runs without an approval";
        Observation::new(APPROVED, false, "Fork", message)
    } else {
        Observation::new(APPROVED, true, "SameRepository", "the change is in the repository itself")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api;
    use serde_json::{Value, json};

    const PUSHED: &str = "2026-01-01T00:00:00Z";

    fn environment(change: impl FnOnce(&mut Value)) -> Environment {
        let mut spec = json!({"baseline": "shop", "sources": [{
            "forge": "github", "repositoryId": 7, "repository": "acme/web", "pull": 42, "state": "Open",
            "revision": "a".repeat(40), "observedAt": PUSHED, "headRepositoryId": 7}]});
        change(&mut spec);
        let mut object = api::PreviewEnvironment::new("web-pr-42", serde_json::from_value(spec).unwrap());
        object.metadata.namespace = Some("shop".into());
        object.metadata.uid = Some("u-1".into());
        Environment::try_from(&object).unwrap()
    }

    fn baseline(drafts: bool) -> Baseline {
        let spec = json!({"repositories": [{"name": "acme/web"}], "trigger": {"drafts": drafts}, "lifetime": {"ttl": "1h"}});
        let mut object = api::Baseline::new("shop", serde_json::from_value(spec).unwrap());
        object.metadata.namespace = Some("shop".into());
        Baseline::try_from(&object).unwrap()
    }

    fn at(minutes: i64) -> DateTime<Utc> {
        PUSHED.parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(minutes)
    }

    fn verdict(environment: &Environment, minutes: i64) -> (Course, &'static str) {
        let settled = settle(environment, Some(&baseline(false)), None, at(minutes));
        (settled.course, settled.wanted.reason)
    }

    fn wish(state: &str, minutes: i64) -> Value {
        json!({"state": state, "actor": "ann", "at": at(minutes).to_rfc3339()})
    }

    #[test]
    fn an_open_pull_request_runs_and_a_closed_one_does_not() {
        assert_eq!(verdict(&environment(|_| ()), 1), (Course::Run, "Triggered"));
        for (state, reason) in [("Closed", "Closed"), ("Merged", "Merged"), ("Gone", "Gone")] {
            let closed = environment(|s| s["sources"][0]["state"] = json!(state));
            assert_eq!(verdict(&closed, 1), (Course::Remove, reason));
            let wished = environment(|s| {
                s["sources"][0]["state"] = json!(state);
                s["wish"] = wish("Present", 1);
            });
            assert_eq!(verdict(&wished, 1), (Course::Remove, reason), "no wish outlives the close");
        }
    }

    #[test]
    fn a_fork_never_runs() {
        for head in [json!(8), json!(null)] {
            let fork = environment(|s| {
                s["sources"][0]["headRepositoryId"] = head;
                s["wish"] = wish("Present", 1);
            });
            let settled = settle(&fork, Some(&baseline(true)), None, at(1));
            assert_eq!((settled.course, settled.approved.unwrap().reason), (Course::TakeDown, "Fork"));
        }
    }

    #[test]
    fn expiry_counts_from_the_last_activity() {
        assert_eq!(verdict(&environment(|_| ()), 60), (Course::Remove, "Expired"));
        let wished = environment(|s| s["wish"] = wish("Present", 30));
        assert_eq!(verdict(&wished, 60), (Course::Run, "Wished"));
        let longer = environment(|s| s["lifetime"] = json!({"ttl": "2h"}));
        assert_eq!(verdict(&longer, 60), (Course::Run, "Triggered"));
    }

    #[test]
    fn a_wish_for_absent_holds_while_the_pull_request_is_open() {
        assert_eq!(verdict(&environment(|s| s["wish"] = wish("Absent", 1)), 2), (Course::TakeDown, "DeletedByWish"));
        let branch = environment(|s| {
            s["sources"][0]["pull"] = json!(null);
            s["sources"][0]["branch"] = json!("login");
            s["wish"] = wish("Absent", 1);
        });
        assert_eq!(verdict(&branch, 2), (Course::Remove, "DeletedByWish"), "nothing would end a branch's record");
    }

    #[test]
    fn drafts_wait_unless_the_baseline_or_a_person_says_otherwise() {
        let draft = environment(|s| s["sources"][0]["draft"] = json!(true));
        assert_eq!(verdict(&draft, 1), (Course::TakeDown, "Draft"));
        assert_eq!(settle(&draft, Some(&baseline(true)), None, at(1)).course, Course::Run);
        let wished = environment(|s| {
            s["sources"][0]["draft"] = json!(true);
            s["wish"] = wish("Present", 1);
        });
        assert_eq!(verdict(&wished, 1), (Course::Run, "Wished"));
    }

    #[test]
    fn nothing_is_changed_while_something_is_unknown() {
        assert_eq!(settle(&environment(|_| ()), None, None, at(1)).course, Course::Wait);
        let asked = environment(|s| {
            s["sources"] = json!([]);
            s["wish"] = wish("Present", 0);
        });
        assert_eq!(verdict(&asked, 1), (Course::Wait, "LookingUp"));
    }

    #[test]
    fn a_close_takes_down_without_a_baseline_and_expiry_goes_by_what_was_recorded() {
        let closed = environment(|s| s["sources"][0]["state"] = json!("Closed"));
        assert_eq!(settle(&closed, None, None, at(1)).course, Course::Remove);
        assert_eq!(settle(&environment(|_| ()), None, Some(at(5)), at(5)).course, Course::Remove);
    }
}
