//! Step 0 of 5, settle: is the environment wanted, may it run, and until when? No client, no clock, no logging.
//!
//! Spec holds facts and wishes, and status what the forge answered; this is where they become an intent. Closed takes down,
//! at once or after the Baseline's grace; a wish for Absent holds until the pull request is closed or a later wish; expiry is
//! undone only by newer activity or a wish. `life.rs` says until when it lives, `ending.rs` what becomes of it once its pull
//! request has ended, `trigger.rs` whether the Baseline asks for it, `trust.rs` whether it may run.

mod ceiling;
mod ending;
pub(super) mod life;
pub mod trigger;
mod trust;

use chrono::{DateTime, Utc};

use self::ending::Ending;
use self::trust::Stance;
use crate::api::PreviewEnvironmentStatus;
use crate::api::conditions::{CLOSING, ConditionStatus, Observation, READY, WANTED, find};
use crate::api::environment::{SourceState, WishState};
use crate::api::status::{Lapse, Lapsed, Lookup, Queue, Right, Trusted};
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
    /// When what is there was begun, or is begun now.
    pub started_at: Option<DateTime<Utc>>,
    /// That it has ended because nobody used it.
    pub lapsed: Option<Lapsed>,
    /// Its place in the queue, where it waits for one.
    pub queue: Option<Queue>,
    /// When its place has to be looked at again, although nothing else happens.
    pub again_at: Option<DateTime<Utc>>,
    /// Whether its pin holds; absent where nobody asked for one.
    pub pinned: Option<bool>,
    /// When its pull request ended last.
    pub ended_at: Option<DateTime<Utc>>,
}

impl Settled {
    /// Whether it runs apart from everything, as what nobody approved.
    pub fn is_isolated(&self) -> bool {
        self.trusted.as_ref().is_some_and(|t| t.right == Right::Isolated)
    }

    /// What is waited for, where it is [`Course::Wait`].
    pub fn awaits(&self) -> Observation {
        if let Some(queue) = &self.queue {
            return Observation::new(READY, false, "Queued", queue.why.clone());
        }
        let unapproved = self.approved.as_ref().filter(|_| self.wanted.status == ConditionStatus::True);
        unapproved.unwrap_or(&self.wanted).clone()
    }

    /// The same for one that has to wait until there is room for it.
    pub fn queued(self, queue: Queue) -> Self {
        Self { course: Course::Wait, trusted: None, expires_at: None, started_at: None, queue: Some(queue), ..self }
    }

    /// The same for one that gives way to another of that name.
    pub fn evicted(self, (environment, baseline): (&Environment, &Baseline), to: &str, now: DateTime<Utc>) -> Self {
        let lapsed = Lapsed { gave_way_to: Some(to.to_owned()), ..life::lapsed(environment, Lapse::Evicted, (now, now)) };
        let (course, wanted) = ended_by_itself((environment, Some(baseline)), &lapsed, None);
        Self { course, wanted, trusted: None, expires_at: None, started_at: None, lapsed: Some(lapsed), pinned: None, ..self }
    }
}

/// What status said before, and what else is known beside the environment and its Baseline.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is recorded by itself, and none excludes another")]
pub struct Before<'a> {
    /// When what is there was begun.
    pub started_at: Option<DateTime<Utc>>,
    /// That it had ended because nobody used it.
    pub lapsed: Option<&'a Lapsed>,
    /// Whether it waited for a place.
    pub queued: bool,
    /// Whether its pin holds, if it has one.
    pub pin_holds: bool,
    /// Whether it was being taken down already since its pull request had ended.
    pub is_ending: bool,
    /// When its pull request ended last, if it ended before.
    pub ended_at: Option<DateTime<Utc>>,
    /// Until when it was to stay although its pull request had ended, which holds while the Baseline cannot be read.
    pub stays_until: Option<DateTime<Utc>>,
    /// What the forge answered.
    pub lookup: Option<&'a Lookup>,
    /// By what right what is there was made; absent where nothing is there.
    pub trusted: Option<&'a Trusted>,
    /// Whether something of it is there, or may be.
    pub is_there: bool,
    /// Whether nobody can say for sure yet what time it is. Then nothing ends for its time.
    pub time_is_unsure: bool,
}

impl<'a> Before<'a> {
    /// That of a status.
    pub fn of(status: &'a PreviewEnvironmentStatus) -> Self {
        let is_there = status.namespace.is_some();
        let wanted = find(&status.conditions, WANTED);
        let reason = |value| wanted.filter(|c| c.status == value).map(|c| c.reason.as_str());
        Self {
            started_at: status.started_at,
            lapsed: status.lapsed.as_ref(),
            queued: status.queue.is_some(),
            pin_holds: status.pinned == Some(true),
            is_ending: reason(ConditionStatus::False).is_some_and(|reason| ending::REASONS.contains(&reason)),
            ended_at: status.ended_at,
            stays_until: status.expires_at.filter(|_| reason(ConditionStatus::True) == Some(CLOSING)),
            lookup: status.lookup.as_ref(),
            trusted: status.trusted.as_ref().filter(|_| is_there),
            is_there,
            time_is_unsure: false,
        }
    }
}

/// Settles one environment. `baseline` is absent where there is none that could be used, `now` is the API server's time.
pub fn settle(environment: &Environment, baseline: Option<&Baseline>, before: &Before<'_>, now: DateTime<Utc>) -> Settled {
    let life = life::of(environment, baseline, before, now);
    let ending = ending::of(environment, baseline, before, now);
    let (course, wanted) = want(environment, baseline, (before, &ending));
    let lapse = life.lapse(environment, before, now).filter(|_| matches!(course, Course::Run | Course::Wait));
    let (course, wanted) = match &lapse {
        Some(lapsed) => ended_by_itself((environment, baseline), lapsed, life.ceiling.as_deref()),
        None => (course, wanted),
    };
    let (approved, stance) = trust::judge(environment, baseline, before);
    let (course, trusted) = match (course, stance) {
        (Course::Run, Stance::Go(trusted)) => (Course::Run, Some(trusted)),
        (Course::Run, Stance::Hold) => (Course::Wait, None),
        (Course::Run, Stance::Stay) => (Course::Run, before.trusted.cloned()),
        (Course::Run, Stance::Stop) => (Course::TakeDown, None),
        (other, _) => (other, None),
    };
    let is_wanted = matches!(course, Course::Run | Course::Wait);
    Settled {
        course,
        wanted,
        approved,
        trusted,
        expires_at: life::earlier(life.ends_at, ending.at()).filter(|_| is_wanted),
        started_at: match course {
            Course::Run => life.started_at.or(Some(now)),
            Course::Wait if before.is_there => life.started_at,
            Course::Wait | Course::TakeDown | Course::Remove => None,
        },
        lapsed: lapse.or(life.lapsed),
        queue: None,
        again_at: None,
        pinned: (environment.pinned && is_wanted).then_some(before.pin_holds),
        ended_at: ending.since(environment).or(before.ended_at),
    }
}

fn ended_by_itself((environment, baseline): (&Environment, Option<&Baseline>), lapsed: &Lapsed, ceiling: Option<&str>) -> Verdict {
    let (reason, why) = lapse_of(lapsed);
    let why = match ceiling.filter(|_| lapsed.why == Lapse::Expired) {
        Some(at) => format!("nothing happened for the longest time that {at} allows"),
        None => why,
    };
    no(without(environment, baseline), reason, why)
}

/// What is said of one that has ended by itself.
fn lapse_of(lapsed: &Lapsed) -> (&'static str, String) {
    match (lapsed.why, lapsed.gave_way_to.as_deref()) {
        (Lapse::Expired, _) => ("Expired", "nothing happened for its time to live".to_owned()),
        (Lapse::MaxReached, _) => ("Expired", "it was there for as long as lifetime.max lets one be".to_owned()),
        (Lapse::Evicted, to) => {
            let to = to.map(|name| format!(" to {name}")).unwrap_or_default();
            ("Evicted", format!("it gave way{to}, since nothing had happened to it for the longest time"))
        }
    }
}

type Verdict = (Course, Observation);

fn want(environment: &Environment, baseline: Option<&Baseline>, (before, ending): (&Before<'_>, &Ending)) -> Verdict {
    if environment.deleted {
        return no(Course::Remove, "Deleted", "the object is being deleted");
    }
    // Not even where its pull request is open again does a wish outlive the end of it.
    let wish = environment.wish.as_ref().filter(|w| before.ended_at.is_none_or(|ended| w.at > ended)).map(|w| w.state);
    match (ending, wish) {
        (Ending::Over(reason, message), _) => no(Course::Remove, reason, message.clone()),
        (_, Some(WishState::Absent)) => deleted_by_wish(environment, baseline),
        (Ending::Soon(_, message), _) => yes(CLOSING, message.clone()),
        (Ending::Open, Some(WishState::Present)) => wished(environment, baseline),
        (Ending::Open, None) => triggered(environment, baseline, before.lookup),
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

/// How an environment goes that nobody wants now. The object stays as the record of that while its pull request or branch is
/// open: without it the next look at the forge would take what is open for new, and make it again. Where the Baseline cannot be
/// used, nobody can say whether it would be.
fn without(environment: &Environment, baseline: Option<&Baseline>) -> Course {
    let is_found_again = |source: &Source| {
        let branch = source.branch.as_deref().unwrap_or_default();
        let repository = baseline.and_then(|b| Some((b, b.repository_by(source.forge, source.repository_id, &source.repository)?)));
        let is_triggered = || baseline.is_none() || repository.is_some_and(|(b, repository)| b.trigger_of(repository).wants_branch(branch));
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
mod tests;
