//! Step 0 of 5, settle: is the environment wanted, may it run, and until when? No client, no clock, no logging.
//!
//! Spec holds facts and wishes, and status what the forge answered; this is where they become an intent. Closed takes down;
//! a wish for Absent holds until the pull request is closed or a later wish; expiry is undone only by newer activity or a
//! wish. `trigger.rs` says whether the Baseline asks for it, `trust.rs` whether it may run.

mod ceiling;
pub mod trigger;
mod trust;

use chrono::{DateTime, TimeDelta, Utc};

use self::trust::Stance;
use crate::api::PreviewEnvironmentStatus;
use crate::api::conditions::{ConditionStatus, Observation, WANTED};
use crate::api::environment::{SourceState, WishState};
use crate::api::status::{Lookup, Right, Trusted};
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
    /// By what right it runs, where it is to run.
    pub trusted: Option<Trusted>,
    /// When it is taken down unless something happens before.
    pub expires_at: Option<DateTime<Utc>>,
}

impl Settled {
    /// Whether it runs apart from everything, as what nobody approved.
    pub fn is_isolated(&self) -> bool {
        self.trusted.as_ref().is_some_and(|t| t.right == Right::Isolated)
    }

    /// What is waited for, where it is [`Course::Wait`].
    pub fn awaits(&self) -> &Observation {
        let unapproved = self.approved.as_ref().filter(|_| self.wanted.status == ConditionStatus::True);
        unapproved.unwrap_or(&self.wanted)
    }
}

/// What status said before.
#[derive(Clone, Copy, Debug, Default)]
pub struct Before<'a> {
    /// When it was to expire, which holds while the Baseline cannot be read.
    pub expires_at: Option<DateTime<Utc>>,
    /// What the forge answered.
    pub lookup: Option<&'a Lookup>,
    /// By what right what is there was made; absent where nothing is there.
    pub trusted: Option<&'a Trusted>,
    /// Whether something of it is there, or may be.
    pub is_there: bool,
}

impl<'a> Before<'a> {
    /// That of a status.
    pub fn of(status: &'a PreviewEnvironmentStatus) -> Self {
        let is_there = status.namespace.is_some();
        let trusted = status.trusted.as_ref().filter(|_| is_there);
        Self { expires_at: status.expires_at, lookup: status.lookup.as_ref(), trusted, is_there }
    }
}

/// Settles one environment. `baseline` is absent where there is none that could be used.
pub fn settle(environment: &Environment, baseline: Option<&Baseline>, before: &Before<'_>, now: DateTime<Utc>) -> Settled {
    let expires_at = if environment.pinned { None } else { expiry(environment, baseline).or(before.expires_at) };
    let (expires_at, ceiling) = ceiling::held(expires_at, environment, baseline);
    let (course, mut wanted) = want(environment, baseline, (before, expires_at), now);
    if let ("Expired", Some(at)) = (wanted.reason, ceiling) {
        wanted.message = format!("nothing happened for the longest time that {at} allows");
    }
    let trust = trust::judge(environment, baseline, before);
    let (approved, stance) = trust.map_or((None, Stance::Stop), |(approved, stance)| (Some(approved), stance));
    let (course, trusted) = match (course, stance) {
        (Course::Run, Stance::Go(trusted)) => (Course::Run, Some(trusted)),
        (Course::Run, Stance::Hold) => (Course::Wait, None),
        (Course::Run, Stance::Stop) => (Course::TakeDown, None),
        (other, _) => (other, None),
    };
    let expires_at = expires_at.filter(|_| matches!(course, Course::Run | Course::Wait));
    Settled { course, wanted, approved, trusted, expires_at }
}

/// The time to live after the last activity, and not before what somebody extended it to.
fn expiry(environment: &Environment, baseline: Option<&Baseline>) -> Option<DateTime<Utc>> {
    let after_activity = || {
        let ttl = environment.ttl.or(baseline.map(|b| b.ttl))?;
        let start = environment.last_activity().or(environment.created_at)?;
        start.checked_add_signed(TimeDelta::from_std(ttl).ok()?)
    };
    // Without the time to live an extension says nothing: what was recorded holds.
    after_activity().map(|at| environment.extended_until.map_or(at, |until| until.max(at)))
}

type Verdict = (Course, Observation);

fn want(
    environment: &Environment,
    baseline: Option<&Baseline>,
    (before, expires_at): (&Before<'_>, Option<DateTime<Utc>>),
    now: DateTime<Utc>,
) -> Verdict {
    let wish = environment.wish.as_ref();
    if environment.deleted {
        return no(Course::Remove, "Deleted", "the object is being deleted");
    }
    if let Some(ended) = ended(environment) {
        return ended;
    }
    if expires_at.is_some_and(|at| at <= now) {
        return no(without(environment, baseline), "Expired", "nothing happened for its time to live");
    }
    match wish.map(|w| w.state) {
        Some(WishState::Absent) => deleted_by_wish(environment, baseline),
        Some(WishState::Present) => wished(environment, baseline),
        None => triggered(environment, baseline, before.lookup),
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

/// How an environment goes that nobody wants now. The object stays as the record of that while its pull request or branch is
/// open: without it the next look at the forge would take what is open for new, and make it again.
fn without(environment: &Environment, baseline: Option<&Baseline>) -> Course {
    let is_found_again = |source: &Source| {
        let branch = source.branch.as_deref().unwrap_or_default();
        let repository = baseline.and_then(|b| Some((b, b.repository_by(source.forge, source.repository_id, &source.repository)?)));
        let is_triggered = || repository.is_some_and(|(b, repository)| b.trigger_of(repository).wants_branch(branch));
        source.state == SourceState::Open && (source.subject.is_pull() || is_triggered())
    };
    if environment.sources.iter().any(is_found_again) { Course::TakeDown } else { Course::Remove }
}

fn deleted_by_wish(environment: &Environment, baseline: Option<&Baseline>) -> Verdict {
    let actor = environment.wish.as_ref().map(|w| w.actor.as_str()).unwrap_or_default();
    no(without(environment, baseline), "DeletedByWish", format!("{actor} asked for it to be gone"))
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

fn triggered(environment: &Environment, baseline: Option<&Baseline>, lookup: Option<&Lookup>) -> Verdict {
    let Some(source) = environment.main_source() else {
        return unknown("NotTriggered", "no pull request, branch or person asked for it yet");
    };
    let Some(baseline) = baseline else { return no_baseline() };
    match trigger::judge(source, baseline, lookup) {
        trigger::Answer::Yes(why) => yes("Triggered", why),
        trigger::Answer::No(reason, why) => no(Course::TakeDown, reason, why),
        trigger::Answer::NotListed(why) => unknown("NotListed", why),
        trigger::Answer::Ask(ask) => unknown("LookingUp", ask.sentence()),
    }
}

fn no_baseline() -> Verdict {
    unknown("BaselineNotReady", "its Baseline cannot be used, so nothing is changed")
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
        let settled = settle(environment, Some(&baseline(false)), &Before::default(), at(minutes));
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
            let settled = settle(&fork, Some(&baseline(true)), &Before::default(), at(1));
            assert_eq!((settled.course, settled.approved.unwrap().reason), (Course::TakeDown, "Fork"));
        }
    }

    #[test]
    fn expiry_counts_from_the_last_activity() {
        assert_eq!(verdict(&environment(|_| ()), 60), (Course::TakeDown, "Expired"));
        let wished = environment(|s| s["wish"] = wish("Present", 30));
        assert_eq!(verdict(&wished, 60), (Course::Run, "Wished"));
        let longer = environment(|s| s["lifetime"] = json!({"ttl": "2h"}));
        assert_eq!(verdict(&longer, 60), (Course::Run, "Triggered"));
    }

    #[test]
    fn an_extension_lengthens_a_life_and_never_shortens_it() {
        let expires = |lifetime: Value, now: i64| {
            let environment = environment(|s| s["lifetime"] = lifetime);
            settle(&environment, Some(&baseline(false)), &Before::default(), at(now)).expires_at
        };
        for (until, expected) in [(30, 60), (90, 90)] {
            assert_eq!(expires(json!({"extendedUntil": at(until).to_rfc3339()}), 1), Some(at(expected)));
        }
        assert_eq!(expires(json!({"extendedUntil": at(90).to_rfc3339()}), 90), None, "then it is over");
    }

    #[test]
    fn what_is_pinned_expires_never_and_is_closed_like_any_other() {
        let pinned = environment(|s| s["lifetime"] = json!({"pinned": true}));
        let before = Before { expires_at: Some(at(5)), ..Before::default() };
        let settled = settle(&pinned, Some(&baseline(false)), &before, at(100_000));
        assert_eq!((settled.course, settled.expires_at), (Course::Run, None));
        let closed = environment(|s| {
            s["lifetime"] = json!({"pinned": true});
            s["sources"][0]["state"] = json!("Closed");
        });
        assert_eq!(verdict(&closed, 1), (Course::Remove, "Closed"));
    }

    #[test]
    fn what_somebody_does_on_the_forge_counts_as_activity() {
        let active = environment(|s| s["activity"] = json!({"at": at(30).to_rfc3339(), "by": "ann"}));
        assert_eq!(settle(&active, Some(&baseline(false)), &Before::default(), at(60)).expires_at, Some(at(90)));
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
        assert_eq!(settle(&draft, Some(&baseline(true)), &Before::default(), at(1)).course, Course::Run);
        let wished = environment(|s| {
            s["sources"][0]["draft"] = json!(true);
            s["wish"] = wish("Present", 1);
        });
        assert_eq!(verdict(&wished, 1), (Course::Run, "Wished"));
    }

    #[test]
    fn nothing_is_changed_while_something_is_unknown() {
        assert_eq!(settle(&environment(|_| ()), None, &Before::default(), at(1)).course, Course::Wait);
        let asked = environment(|s| {
            s["sources"] = json!([]);
            s["wish"] = wish("Present", 0);
        });
        assert_eq!(verdict(&asked, 1), (Course::Wait, "LookingUp"));
    }

    #[test]
    fn a_close_takes_down_without_a_baseline_and_expiry_goes_by_what_was_recorded() {
        let closed = environment(|s| s["sources"][0]["state"] = json!("Closed"));
        assert_eq!(settle(&closed, None, &Before::default(), at(1)).course, Course::Remove);
        let recorded = Before { expires_at: Some(at(5)), ..Before::default() };
        assert_eq!(settle(&environment(|_| ()), None, &recorded, at(5)).course, Course::TakeDown);
    }
}
