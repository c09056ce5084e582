//! How many removals may follow from looking, before a person has to say that it is right. No client, no clock, no logging.
//!
//! More than [`AT_ONCE`] in ten minutes that are also more than a fifth of a Baseline's environments are held, all that were
//! found together. Both what was let through and what was held counts for ten minutes, and for what is found later nothing else
//! does. What is held goes once somebody confirms the time that it was held or a later one, however much was held since, and is
//! held no more once it turns out to be wrong; time alone lets nothing of it go.
//!
//! An environment that has nothing in the cluster has nothing to lose: its end goes, and it does not count.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use kube::ResourceExt;

use crate::api::PreviewEnvironment;
use crate::api::baseline::{HeldRemoval, PassedRemoval, Removals, Removed};
use crate::api::conditions::{Condition, Observation, REMOVALS_HELD, find};
use crate::api::names::ANNOTATION_CONFIRM_REMOVALS;

/// As many are let through in ten minutes, however few environments there are.
pub const AT_ONCE: usize = 3;
/// Of so many environments one is let through in ten minutes: 20 %.
pub const ONE_OF: usize = 5;
/// The time in which removals are counted.
pub const WINDOW: TimeDelta = TimeDelta::minutes(10);
/// How long a confirmation holds: what is confirmed is asked about again before it goes, in several rounds where it is much.
const CONFIRMED_FOR: TimeDelta = TimeDelta::hours(1);
/// As many are held by name.
pub const HELD_MAX: usize = 200;
/// As many are named in the condition's message.
const NAMED: usize = 10;

/// What was looked at, and what was found.
#[derive(Clone, Debug)]
pub struct Looked {
    /// What it was looked for.
    pub what: Removed,
    /// What has ended, by its UID, with its name.
    pub ended: BTreeMap<String, String>,
    /// UIDs of those among them that are open and that no trigger wants any more.
    pub unwanted: HashSet<String>,
    /// What is missing where it should be, and was not asked about yet, the same way. It counts and is held with what has
    /// ended, and never goes.
    pub unasked: BTreeMap<String, String>,
    /// UIDs of those that were seen not to have ended, of what was looked for.
    pub standing: HashSet<String>,
}

impl Looked {
    /// Whether it was looked for those too. A look at the forge sees that something is open, and not what a label is worth.
    fn is_for(&self, what: Removed) -> bool {
        what == self.what || (self.what == Removed::Environment && what == Removed::Unwanted)
    }

    fn what(&self, uid: &String) -> Removed {
        if self.unwanted.contains(uid) { Removed::Unwanted } else { self.what }
    }
}

/// What the judgement stands on beside that.
#[derive(Clone, Debug, Default)]
pub struct Around {
    /// UIDs of the Baseline's environments that have something in the cluster.
    pub all: HashSet<String>,
    /// UIDs of its environments that have nothing there: they wait, or were taken down.
    pub bare: HashSet<String>,
    /// UIDs of what can still be removed: of those that have something the ones that count as open, and namespaces that are not
    /// going.
    pub there: HashSet<String>,
    /// Whether all namespaces are known. Until then none counts as gone.
    pub namespaces_listed: bool,
    /// The time that somebody confirmed.
    pub confirmed: Option<DateTime<Utc>>,
}

impl Around {
    /// A Baseline's environments. An environment's namespace is on record before it is made.
    pub fn of<'a>(environments: impl IntoIterator<Item = &'a PreviewEnvironment>) -> Self {
        let mut around = Self::default();
        for environment in environments {
            let Some(uid) = environment.uid() else { continue };
            if environment.status.as_ref().is_none_or(|status| status.namespace.is_none()) {
                around.bare.insert(uid);
                continue;
            }
            if environment.has_open_source() {
                around.there.insert(uid.clone());
            }
            around.all.insert(uid);
        }
        around
    }

    fn has(&self, held: &HeldRemoval) -> bool {
        self.there.contains(&held.uid) || (held.what == Removed::Namespace && !self.namespaces_listed)
    }
}

/// What may be removed, and what is known from then on.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// UIDs of what may be removed.
    pub go: BTreeSet<String>,
    /// What is to be recorded before anything of it is removed.
    pub removals: Removals,
}

/// Judges what was found.
pub fn judge(before: &Removals, looked: &Looked, around: &Around, now: DateTime<Utc>) -> Judged {
    let mut removals = before.clone();
    removals.passed.retain(|passed| now - passed.at < if passed.confirmed { CONFIRMED_FOR } else { WINDOW });
    let is_refuted =
        |held: &HeldRemoval| looked.is_for(held.what) && looked.standing.contains(&held.uid) && !looked.ended.contains_key(&held.uid);
    removals.held.retain(|held| around.has(held) && !is_refuted(held));
    confirm(&mut removals, around.confirmed, now);
    let known: HashSet<&String> = removals.passed.iter().map(|p| &p.uid).chain(removals.held.iter().map(|h| &h.uid)).collect();
    let is_new = |uid: &String| !known.contains(uid) && !around.bare.contains(uid);
    let new_of = |found: &BTreeMap<String, String>| found.clone().into_iter().filter(|(uid, _)| is_new(uid)).collect::<Vec<_>>();
    let (new, mut unasked) = (new_of(&looked.ended), new_of(&looked.unasked));
    // That something is missing says nothing by itself.
    unasked.retain(|(uid, _)| !new.is_empty() && !looked.ended.contains_key(uid));
    let is_much = lately(&removals, now) + new.len() + unasked.len() > limit(count(&around.all, &removals, looked, &around.bare));
    if is_much || removals.held.len() >= HELD_MAX {
        hold(&mut removals, (looked, new.into_iter().chain(unasked)), (around.confirmed, now));
    } else {
        let pass = |(uid, name)| PassedRemoval { what: looked.what(&uid), name, uid, at: now, confirmed: false };
        removals.passed.extend(new.into_iter().map(pass));
    }
    removals.held_at = removals.held_at.filter(|_| !removals.held.is_empty());
    let passed: HashSet<&String> = removals.passed.iter().map(|p| &p.uid).collect();
    let go = looked.ended.keys().filter(|uid| passed.contains(uid) || around.bare.contains(*uid)).cloned().collect();
    Judged { go, removals }
}

/// As many may be removed in ten minutes of so many.
pub fn limit(environments: usize) -> usize {
    AT_ONCE.max(environments / ONE_OF)
}

/// How many environments have something in the cluster, with those that are going and those whose object is gone.
fn count(all: &HashSet<String>, removals: &Removals, looked: &Looked, bare: &HashSet<String>) -> usize {
    let ended = looked.ended.keys().filter(|uid| !bare.contains(*uid));
    let others = removals.passed.iter().filter(|p| !p.confirmed).map(|p| &p.uid).chain(ended);
    all.iter().chain(others).collect::<HashSet<_>>().len()
}

/// How many were let through or held in the last ten minutes. What was confirmed does not count.
fn lately(removals: &Removals, now: DateTime<Utc>) -> usize {
    let held = removals.held.iter().filter(|held| held.at.is_some_and(|at| now - at < WINDOW));
    removals.passed.iter().filter(|p| !p.confirmed).count() + held.count()
}

/// Lets through what was held at the time that somebody confirmed, or before.
fn confirm(removals: &mut Removals, confirmed: Option<DateTime<Utc>>, now: DateTime<Utc>) {
    for held in std::mem::take(&mut removals.held) {
        // A release before this one wrote one time for all.
        let at = held.at.or(removals.held_at);
        if confirmed.is_some_and(|confirmed| at.is_some_and(|at| at <= confirmed)) {
            let HeldRemoval { what, name, uid, .. } = held;
            removals.passed.push(PassedRemoval { what, name, uid, at: now, confirmed: true });
        } else {
            removals.held.push(HeldRemoval { at, ..held });
        }
    }
}

/// Adds them to what is held, with a time that is later than all before it and than what was confirmed, in whole seconds: whoever
/// confirms a time has seen all that was held until then.
fn hold(
    removals: &mut Removals,
    (looked, new): (&Looked, impl Iterator<Item = (String, String)>),
    (confirmed, now): (Option<DateTime<Utc>>, DateTime<Utc>),
) {
    let next = |at: DateTime<Utc>| at.checked_add_signed(TimeDelta::seconds(1)).map(|at| at.trunc_subsecs(0));
    let times = [Some(now.trunc_subsecs(0)), removals.held_at.and_then(next), confirmed.and_then(next)];
    let at = times.into_iter().flatten().max();
    let room = HELD_MAX.saturating_sub(removals.held.len());
    let before = removals.held.len();
    removals.held.extend(new.take(room).map(|(uid, name)| HeldRemoval { what: looked.what(&uid), name, uid, at }));
    if removals.held.len() > before {
        removals.held_at = at;
    }
}

/// Whether something is to be written: what is let through or held is another one, or is let through at another time. That time
/// passes is no reason.
pub fn is_news(before: &Removals, after: &Removals) -> bool {
    let passed = |removals: &Removals| removals.passed.iter().map(|p| (p.uid.clone(), p.at, p.confirmed)).collect::<BTreeSet<_>>();
    before.held != after.held || before.held_at != after.held_at || !passed(after).is_subset(&passed(before))
}

/// Whether that time confirms anything of what is held.
pub fn is_confirmed(removals: &Removals, confirmed: DateTime<Utc>) -> bool {
    removals.held.iter().any(|held| held.at.or(removals.held_at).is_some_and(|at| at <= confirmed))
}

/// The condition of the Baseline; nothing where it was never braked.
pub fn condition(
    removals: &Removals,
    (namespace, name): (&str, &str),
    (before, generation): (&[Condition], Option<i64>),
    now: DateTime<Utc>,
) -> Option<Condition> {
    let too_many = removals.held_at.map(|at| Observation::new(REMOVALS_HELD, true, "TooMany", sentence(removals, (namespace, name), at)));
    let over = || find(before, REMOVALS_HELD).map(|_| Observation::new(REMOVALS_HELD, false, "NoneHeld", ""));
    Some(too_many.or_else(over)?.dated(before, generation, now))
}

fn sentence(removals: &Removals, (namespace, name): (&str, &str), at: DateTime<Utc>) -> String {
    let held = &removals.held;
    let mut names: Vec<&str> = held.iter().take(NAMED).map(|h| h.name.as_str()).collect();
    let more = format!("{} more", held.len().saturating_sub(NAMED));
    names.extend((held.len() > NAMED).then_some(more.as_str()));
    format!(
        "{} seem to have ended at once, and nobody told of it, so none of them is removed: {}. Where that is right: kubectl -n \
         {namespace} annotate baseline {name} --overwrite {ANNOTATION_CONFIRM_REMOVALS}={}",
        held.len(),
        names.join(", "),
        stamp(at)
    )
}

/// A time as the annotation names it.
pub fn stamp(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
