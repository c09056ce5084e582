//! How many removals may follow from looking, before a person has to say that it is right. No client, no clock, no logging.
//!
//! More than [`AT_ONCE`] in ten minutes that are also more than a fifth of a Baseline's environments are held, all that were
//! found together; and so is all that is found after them. What is held goes once somebody confirms exactly that, and is held no
//! more once it turns out to be wrong.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

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
    /// UIDs of those that were seen not to have ended.
    pub standing: HashSet<String>,
}

/// What the judgement stands on beside that.
#[derive(Clone, Debug)]
pub struct Around {
    /// UIDs of all environments that the Baseline has on record.
    pub all: HashSet<String>,
    /// UIDs of what can still be removed: environments that count as open, and namespaces that are not going.
    pub there: HashSet<String>,
    /// The time that somebody confirmed.
    pub confirmed: Option<DateTime<Utc>>,
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
    removals.held.retain(|held| around.there.contains(&held.uid) && !looked.standing.contains(&held.uid));
    if removals.held_at.is_some() && around.confirmed == removals.held_at {
        confirm(&mut removals, now);
    }
    let known: HashSet<&String> = removals.passed.iter().map(|p| &p.uid).chain(removals.held.iter().map(|h| &h.uid)).collect();
    let new: Vec<_> = looked.ended.iter().filter(|(uid, _)| !known.contains(uid)).map(|(uid, name)| (uid.clone(), name.clone())).collect();
    if removals.held.is_empty() && counted(&removals) + new.len() <= limit(count(&around.all, &removals, looked)) {
        let pass = |(uid, name)| PassedRemoval { what: looked.what, name, uid, at: now, confirmed: false };
        removals.passed.extend(new.into_iter().map(pass));
    } else {
        hold(&mut removals, (looked.what, new), now);
    }
    removals.held_at = removals.held_at.filter(|_| !removals.held.is_empty());
    let passed: HashSet<&String> = removals.passed.iter().map(|p| &p.uid).collect();
    let go = looked.ended.keys().filter(|uid| passed.contains(uid)).cloned().collect();
    Judged { go, removals }
}

/// As many may be removed in ten minutes of so many.
pub fn limit(environments: usize) -> usize {
    AT_ONCE.max(environments / ONE_OF)
}

/// How many environments there are, with those that are going and those whose object is gone.
fn count(all: &HashSet<String>, removals: &Removals, looked: &Looked) -> usize {
    let others = removals.passed.iter().filter(|p| !p.confirmed).map(|p| &p.uid).chain(looked.ended.keys());
    all.iter().chain(others).collect::<HashSet<_>>().len()
}

fn counted(removals: &Removals) -> usize {
    removals.passed.iter().filter(|p| !p.confirmed).count()
}

fn confirm(removals: &mut Removals, now: DateTime<Utc>) {
    let held = std::mem::take(&mut removals.held);
    let pass = |held: HeldRemoval| PassedRemoval { what: held.what, name: held.name, uid: held.uid, at: now, confirmed: true };
    removals.passed.extend(held.into_iter().map(pass));
    removals.held_at = None;
}

/// Adds them to what is held. Whoever confirms has seen all of it: with each addition the time is another one, in whole seconds.
fn hold(removals: &mut Removals, (what, new): (Removed, Vec<(String, String)>), now: DateTime<Utc>) {
    let room = HELD_MAX.saturating_sub(removals.held.len());
    let new: Vec<_> = new.into_iter().take(room).map(|(uid, name)| HeldRemoval { what, name, uid }).collect();
    if !new.is_empty() {
        let later = removals.held_at.map(|at| at + TimeDelta::seconds(1));
        removals.held_at = later.max(Some(now.trunc_subsecs(0)));
        removals.held.extend(new);
    }
}

/// Whether something is to be written: what is let through or held is another one. That time passes is no reason.
pub fn is_news(before: &Removals, after: &Removals) -> bool {
    let passed = |removals: &Removals| removals.passed.iter().map(|p| (p.uid.clone(), p.confirmed)).collect::<BTreeSet<_>>();
    before.held != after.held || before.held_at != after.held_at || !passed(after).is_subset(&passed(before))
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
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap() + TimeDelta::minutes(minute)
    }

    fn names(numbers: impl IntoIterator<Item = usize>) -> HashSet<String> {
        numbers.into_iter().map(|n| format!("uid-{n}")).collect()
    }

    /// What a round finds.
    fn found(ended: impl IntoIterator<Item = usize>) -> Looked {
        let ended = names(ended).into_iter().map(|uid| (uid.clone(), uid.replace("uid", "web-pr"))).collect();
        Looked { what: Removed::Environment, ended, standing: HashSet::new() }
    }

    fn of(all: &HashSet<String>, confirmed: Option<DateTime<Utc>>) -> Around {
        Around { all: all.clone(), there: all.clone(), confirmed }
    }

    fn after(before: &Removals, all: &HashSet<String>, ended: impl IntoIterator<Item = usize>, minute: i64) -> Judged {
        judge(before, &found(ended), &of(all, None), at(minute))
    }

    #[test]
    fn up_to_three_or_a_fifth_go_and_one_more_holds_all_that_were_found_together() {
        for (environments, ended, go) in [(1, 1, 1), (3, 3, 3), (4, 4, 0), (19, 4, 0), (20, 4, 4), (20, 5, 0), (100, 20, 20), (100, 21, 0)]
        {
            let judged = after(&Removals::default(), &names(0..environments), 0..ended, 0);
            assert_eq!(judged.go.len(), go, "{ended} of {environments}");
            assert_eq!(judged.removals.held.len(), if go == 0 { ended } else { 0 }, "{ended} of {environments}");
        }
    }

    #[test]
    fn what_comes_bit_by_bit_counts_for_ten_minutes_and_once_each() {
        let all = names(0..10);
        let first = after(&Removals::default(), &all, 0..2, 0);
        let again = after(&first.removals, &all, 0..2, 1);
        assert_eq!((again.go.len(), is_news(&first.removals, &again.removals)), (2, false), "it was let through already");
        let third = after(&again.removals, &all, 2..3, 2);
        assert_eq!(third.go.len(), 1);
        assert_eq!(after(&third.removals, &all, 3..4, 9).go.len(), 0);
        assert_eq!(after(&third.removals, &all, 3..4, 10).go.len(), 1, "the first two are ten minutes ago");
    }

    #[test]
    fn what_is_held_waits_for_exactly_its_confirmation_however_long() {
        let all = names(0..10);
        let held = after(&Removals::default(), &all, 0..5, 0).removals;
        let hours = after(&held, &all, 0..1, 600);
        assert!(hours.go.is_empty(), "time confirms nothing");
        let more = after(&held, &all, 0..6, 1).removals;
        assert_eq!(more.held.len(), 6);
        let stale = judge(&more, &found(0..6), &of(&all, held.held_at), at(2));
        assert!(stale.go.is_empty(), "whoever confirmed did not see the sixth");
        let confirmed = judge(&more, &found(0..6), &of(&all, more.held_at), at(2));
        assert_eq!((confirmed.go.len(), confirmed.removals.held.len(), confirmed.removals.held_at), (6, 0, None));
        let next = judge(&confirmed.removals, &found(6..9), &of(&all, more.held_at), at(3));
        assert_eq!(next.go.len(), 3, "what was confirmed does not count");
        let beyond = judge(&next.removals, &found(9..10), &of(&all, more.held_at), at(4));
        assert!(beyond.go.is_empty(), "and the next brake wants another confirmation");
    }

    #[test]
    fn what_turns_out_to_be_wrong_or_ended_otherwise_is_held_no_more() {
        let all = names(0..10);
        let held = after(&Removals::default(), &all, 0..6, 0).removals;
        let some = Looked { standing: names(0..4), ..found([]) };
        let left = judge(&held, &some, &Around { there: names(0..5), ..of(&all, None) }, at(1)).removals;
        assert_eq!(left.held.iter().map(|h| h.uid.as_str()).collect::<Vec<_>>(), ["uid-4"]);
        assert_eq!(left.held_at, held.held_at);
        let none = judge(&left, &Looked { standing: all.clone(), ..some }, &of(&all, None), at(2)).removals;
        assert_eq!((none.held.len(), none.held_at), (0, None));
    }

    #[test]
    fn the_condition_says_what_is_held_and_how_to_confirm_it() {
        let all = names(0..12);
        let held = after(&Removals::default(), &all, 0..12, 0).removals;
        let shown = condition(&held, ("shop", "main"), (&[], Some(3)), at(0)).unwrap();
        insta::assert_snapshot!(shown.message, @"12 seem to have ended at once, and nobody told of it, so none of them is removed: web-pr-0, web-pr-1, web-pr-10, web-pr-11, web-pr-2, web-pr-3, web-pr-4, web-pr-5, web-pr-6, web-pr-7, 2 more. Where that is right: kubectl -n shop annotate baseline main --overwrite preview-env.dev/confirm-removals=2027-01-15T08:00:00Z");
        assert_eq!(held.held_at.map(stamp).and_then(|text| text.parse::<DateTime<Utc>>().ok()), held.held_at, "it can be typed");
        assert_eq!(condition(&Removals::default(), ("shop", "main"), (&[], None), at(0)), None);
        let over = condition(&Removals::default(), ("shop", "main"), (&[shown], None), at(1)).unwrap();
        assert_eq!((over.reason.as_str(), over.message.as_str()), ("NoneHeld", ""));
    }

    /// A round after so many minutes: which seem to have ended, and whether what is held is confirmed.
    fn rounds() -> impl Strategy<Value = (usize, Vec<(i64, BTreeSet<usize>, bool)>)> {
        (1usize..40).prop_flat_map(|count| {
            let round = (0i64..12, prop::collection::btree_set(0..count, 0..8), prop::bool::weighted(0.1));
            (Just(count), prop::collection::vec(round, 0..40))
        })
    }

    proptest! {
        /// Whatever is found when, and wherever the leader changes in between: without a confirmation no more go in ten
        /// minutes than a fifth of what there was, or three.
        #[test]
        fn never_do_more_go_in_ten_minutes_than_may((count, rounds) in rounds()) {
            let mut all = names(0..count);
            let (mut removals, mut minute, mut gone) = (Removals::default(), 0, Vec::new());
            for (pause, ended, confirms) in rounds {
                minute += pause;
                let confirmed = removals.held_at.filter(|_| confirms);
                let may_go: HashSet<String> = removals.held.iter().filter(|_| confirms).map(|h| h.uid.clone()).collect();
                // What goes is on record until it is gone, and what was let through may be removed later than that.
                let look = found(ended.iter().copied().filter(|n| all.contains(&format!("uid-{n}"))));
                let judged = judge(&removals, &look, &of(&all, confirmed), at(minute));
                // All that is known is what the API server holds.
                let held: Removals = serde_json::from_value(serde_json::to_value(&judged.removals).unwrap()).unwrap();
                prop_assert_eq!(&held, &judged.removals);
                let again = judge(&held, &look, &of(&all, None), at(minute));
                prop_assert_eq!(&again.go, &judged.go, "a second look says the same");
                prop_assert!(!is_news(&held, &again.removals));
                let is_confirmed = |uid: &String| held.passed.iter().any(|p| p.uid == *uid && p.confirmed);
                for uid in &judged.go {
                    prop_assert!(!held.held.iter().any(|h| h.uid == *uid));
                    if !is_confirmed(uid) {
                        gone.push(minute);
                    } else if removals.passed.iter().all(|p| p.uid != *uid) {
                        prop_assert!(may_go.contains(uid), "only what was held when it was confirmed");
                    }
                    all.remove(uid);
                }
                let lately = gone.iter().filter(|at| minute - **at < 10).count();
                prop_assert!(lately <= limit(count), "{} of {} in ten minutes", lately, count);
                removals = held;
            }
        }

        /// Whatever was confirmed once confirms nothing else.
        #[test]
        #[test]
        fn a_confirmation_is_for_what_was_held_then(second in 1usize..20, minute in 0i64..600) {
            let all = names(0..40);
            let held = judge(&Removals::default(), &found(0..20), &of(&all, None), at(0)).removals;
            let grown = judge(&held, &found(20..20 + second), &of(&all, None), at(minute)).removals;
            let judged = judge(&grown, &found(0..20 + second), &of(&all, held.held_at), at(minute));
            prop_assert!(judged.go.is_empty());
        }
    }
}
