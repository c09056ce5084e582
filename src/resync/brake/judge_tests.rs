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
    Looked { what: Removed::Environment, ended, unwanted: HashSet::new(), unasked: BTreeMap::new(), standing: HashSet::new() }
}

fn of(all: &HashSet<String>, confirmed: Option<DateTime<Utc>>) -> Around {
    Around { all: all.clone(), there: all.clone(), namespaces_listed: true, confirmed, ..Around::default() }
}

fn after(before: &Removals, all: &HashSet<String>, ended: impl IntoIterator<Item = usize>, minute: i64) -> Judged {
    judge(before, &found(ended), &of(all, None), at(minute))
}

#[test]
fn up_to_three_or_a_fifth_go_and_one_more_holds_all_that_were_found_together() {
    for (environments, ended, go) in [(1, 1, 1), (3, 3, 3), (4, 4, 0), (19, 4, 0), (20, 4, 4), (20, 5, 0), (100, 20, 20), (100, 21, 0)] {
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
fn what_is_held_waits_for_its_confirmation_however_long_and_what_was_held_later_for_another() {
    let all = names(0..10);
    let held = after(&Removals::default(), &all, 0..5, 0).removals;
    let hours = after(&held, &all, 0..5, 600);
    assert_eq!((hours.go.len(), &hours.removals), (0, &held), "time confirms nothing");
    let more = after(&held, &all, 0..6, 1).removals;
    assert_eq!(more.held.len(), 6);
    let first = judge(&more, &found(0..6), &of(&all, held.held_at), at(2));
    assert_eq!(first.go, names(0..5).into_iter().collect(), "whoever confirmed did not see the sixth");
    assert_eq!((first.removals.held.len(), first.removals.held_at), (1, more.held_at));
    let confirmed = judge(&first.removals, &found(0..6), &of(&all, more.held_at), at(2));
    assert_eq!((confirmed.go.len(), confirmed.removals.held.len(), confirmed.removals.held_at), (6, 0, None));
    let next = judge(&confirmed.removals, &found(6..9), &of(&all, more.held_at), at(3));
    assert_eq!(next.go.len(), 3, "what was confirmed does not count");
    let beyond = judge(&next.removals, &found(9..10), &of(&all, more.held_at), at(4));
    assert!(beyond.go.is_empty(), "and the next brake wants another confirmation");
}

#[test]
fn a_time_to_come_confirms_what_is_held_and_nothing_that_is_held_later() {
    let all = names(0..20);
    let to_come = Some(at(100_000));
    let held = after(&Removals::default(), &all, 0..5, 0).removals;
    let confirmed = judge(&held, &found(0..5), &of(&all, to_come), at(1)).removals;
    assert_eq!(confirmed.held.len(), 0);
    let later = judge(&confirmed, &found(5..10), &of(&all, to_come), at(2)).removals;
    let again = judge(&later, &found(5..10), &of(&all, to_come), at(100_001));
    assert_eq!((later.held.len(), again.go.len(), &again.removals.held), (5, 0, &later.held));
}

#[test]
fn one_that_ends_later_goes_while_others_are_held() {
    let all = names(0..10);
    let held = after(&Removals::default(), &all, 0..5, 0).removals;
    assert!(after(&held, &all, 5..6, 9).go.is_empty(), "all of ten minutes is taken together");
    let later = after(&held, &all, 0..6, 10);
    assert_eq!((later.go, later.removals.held.len()), (names(5..6).into_iter().collect(), 5));
    assert_eq!(after(&later.removals, &all, 6..9, 11).removals.held.len(), 8, "as many as always");
    let full = after(&Removals::default(), &names(0..400), 0..250, 0).removals;
    let rest = after(&full, &names(0..400), 0..250, 11);
    assert_eq!((full.held.len(), rest.go.len()), (HELD_MAX, 0), "what found no room among them is none that ended later");
}

#[test]
fn what_a_release_before_held_is_confirmed_by_the_one_time_that_it_wrote() {
    let all = names(0..10);
    let mut held = after(&Removals::default(), &all, 0..5, 0).removals;
    held.held.iter_mut().for_each(|held| held.at = None);
    assert!(!is_confirmed(&held, at(-1)) && is_confirmed(&held, at(0)));
    assert!(judge(&held, &found(0..5), &of(&all, Some(at(-1))), at(60)).go.is_empty());
    assert_eq!(judge(&held, &found(0..5), &of(&all, Some(at(0))), at(60)).go.len(), 5);
}

#[test]
fn what_has_nothing_in_the_cluster_goes_and_counts_nowhere() {
    let (all, bare) = (names(0..4), names(10..40));
    let around = Around { bare: bare.clone(), ..of(&all, None) };
    let judged = judge(&Removals::default(), &found(10..40), &around, at(0));
    assert_eq!((judged.go, &judged.removals), (bare.into_iter().collect(), &Removals::default()));
    let both = judge(&Removals::default(), &found((0..4).chain(10..40)), &around, at(0));
    assert_eq!((both.go.len(), both.removals.held.len()), (30, 4), "four of four, not of forty");
    let few = judge(&Removals::default(), &found((0..3).chain(10..40)), &around, at(0));
    assert_eq!((few.go.len(), few.removals.passed.len()), (33, 3));
}

#[test]
fn an_environment_has_something_from_when_its_namespace_is_on_record() {
    let environment = |uid: &str, namespace: Option<&str>, state: &str| -> PreviewEnvironment {
        let source = serde_json::json!({"forge": "github", "repositoryId": 7, "repository": "acme/web", "pull": 1,
            "revision": "a".repeat(40), "state": state, "observedAt": "2026-01-02T03:04:05Z"});
        let mut object =
            PreviewEnvironment::new(uid, serde_json::from_value(serde_json::json!({"baseline": "main", "sources": [source]})).unwrap());
        object.metadata.uid = Some(uid.to_owned());
        object.status = Some(crate::api::PreviewEnvironmentStatus { namespace: namespace.map(str::to_owned), ..Default::default() });
        object
    };
    let all = [environment("runs", Some("n"), "Open"), environment("ends", Some("n"), "Closed"), environment("waits", None, "Open")];
    let around = Around::of(&all);
    let set = |uids: &[&str]| uids.iter().map(|uid| (*uid).to_owned()).collect::<HashSet<_>>();
    assert_eq!((around.all, around.there, around.bare), (set(&["runs", "ends"]), set(&["runs"]), set(&["waits"])));
}

#[test]
fn held_namespaces_are_kept_until_all_namespaces_are_known() {
    let namespaces = Looked { what: Removed::Namespace, ..found(0..5) };
    let held = judge(&Removals::default(), &namespaces, &of(&names(0..5), None), at(0)).removals;
    let started = Around { there: HashSet::new(), namespaces_listed: false, ..of(&names(10..12), None) };
    let kept = judge(&held, &found([]), &started, at(1)).removals;
    assert_eq!((held.held.len(), &kept), (5, &held));
    let listed = Around { namespaces_listed: true, ..started };
    assert_eq!(judge(&kept, &found([]), &listed, at(2)).removals.held.len(), 0, "they are gone");
    let environments = after(&Removals::default(), &names(0..5), 0..5, 0).removals;
    let gone = Around { there: HashSet::new(), namespaces_listed: false, ..of(&names(0..5), None) };
    assert_eq!(judge(&environments, &found([]), &gone, at(1)).removals.held.len(), 0, "environments are known");
}

#[test]
fn what_passes_again_after_ten_minutes_is_written_with_its_new_time() {
    let all = names(0..10);
    let first = after(&Removals::default(), &all, 0..1, 0).removals;
    let again = after(&first, &all, 0..1, 11).removals;
    assert_eq!(again.passed[0].at, at(11));
    assert!(is_news(&first, &again));
    assert!(!is_news(&first, &after(&first, &all, [], 11).removals), "that time passes is none");
}

#[test]
fn what_is_missing_and_not_asked_about_yet_is_held_with_what_ended_and_let_go_of_when_it_is_open() {
    let all = names(0..100);
    let portion = |ended: std::ops::Range<usize>, unasked: std::ops::Range<usize>| Looked { unasked: found(unasked).ended, ..found(ended) };
    let nothing = judge(&Removals::default(), &portion(0..0, 10..60), &of(&all, None), at(0));
    assert_eq!(nothing.removals, Removals::default(), "nothing has ended");
    let few = judge(&Removals::default(), &portion(0..10, 10..20), &of(&all, None), at(0));
    assert_eq!((few.go.len(), few.removals.held.len(), few.removals.passed.len()), (10, 0, 10));
    let many = judge(&Removals::default(), &portion(0..10, 10..60), &of(&all, None), at(0));
    assert_eq!((many.go.len(), many.removals.held.len()), (0, 60), "the portion hides how many");
    let asked = Looked { standing: names(10..60), ..found([]) };
    assert_eq!(judge(&many.removals, &asked, &of(&all, None), at(1)).removals.held.len(), 10);
    let confirmed = judge(&many.removals, &found(0..10), &of(&all, many.removals.held_at), at(1));
    assert_eq!((confirmed.go.len(), confirmed.removals.held.len()), (10, 0), "what nobody asked about goes nowhere");
}

#[test]
fn one_that_has_ended_in_one_place_and_stands_in_another_stays_held_as_of_then() {
    let all = names(0..10);
    let held = after(&Removals::default(), &all, 0..5, 0).removals;
    let both = Looked { standing: names(0..1), ..found(0..5) };
    assert_eq!(judge(&held, &both, &of(&all, None), at(1)).removals, held);
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
fn what_an_answer_has_held_is_not_let_go_of_by_a_look_that_finds_it_open() {
    let all = names(0..10);
    let unwanted = judge(&Removals::default(), &Looked { unwanted: names(0..5), ..found(0..5) }, &of(&all, None), at(0)).removals;
    let answered = judge(&unwanted, &Looked { what: Removed::Answered, ..found(5..8) }, &of(&all, None), at(0)).removals;
    let held = |removals: &Removals, what| removals.held.iter().filter(|h| h.what == what).count();
    assert_eq!((held(&answered, Removed::Unwanted), held(&answered, Removed::Answered)), (5, 3));
    let open = Looked { standing: all.clone(), ..found([]) };
    let looked = judge(&answered, &open, &of(&all, None), at(1)).removals;
    assert_eq!((held(&looked, Removed::Unwanted), held(&looked, Removed::Answered)), (0, 3));
    let stays = Looked { what: Removed::Answered, standing: names(5..8), ..found([]) };
    assert_eq!(judge(&looked, &stays, &of(&all, None), at(2)).removals.held, []);
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

    /// What is held later than somebody confirmed is none of what was confirmed, and what was held then goes.
    #[test]
    fn a_confirmation_is_for_what_was_held_then(second in 1usize..20, minute in 0i64..600) {
        let all = names(0..40);
        let held = judge(&Removals::default(), &found(0..20), &of(&all, None), at(0)).removals;
        let grown = judge(&held, &found(20..20 + second), &of(&all, None), at(minute)).removals;
        let may: BTreeSet<String> = held.held.iter().map(|h| &h.uid).chain(grown.passed.iter().map(|p| &p.uid)).cloned().collect();
        let judged = judge(&grown, &found(0..20 + second), &of(&all, held.held_at), at(minute));
        prop_assert_eq!(judged.go, may);
    }
}
