//! States and what happens to them, and what follows.

use super::*;
use crate::api;
use chrono::TimeDelta;
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
    let before = Before { pin_holds: true, ..Before::default() };
    let settled = settle(&pinned, Some(&baseline(false)), &before, at(100_000));
    assert_eq!((settled.course, settled.expires_at), (Course::Run, None));
    let closed = environment(|s| {
        s["lifetime"] = json!({"pinned": true});
        s["sources"][0]["state"] = json!("Closed");
    });
    assert_eq!(verdict(&closed, 1), (Course::Remove, "Closed"));
}

#[test]
fn what_cannot_be_read_whole_ends_by_a_close_or_a_wish_and_by_no_time() {
    let read_in_part = |change: fn(&mut Value)| {
        let whole = environment(|s| {
            s["wish"] = wish("Present", 1);
            change(s);
        });
        let settled = settle(&Environment { timeless: true, ..whole }, living("").as_ref(), &Before::default(), at(100_000));
        (settled.course, settled.wanted.reason, settled.expires_at)
    };
    let begun = Before { is_there: true, started_at: Some(at(5)), ..Before::default() };
    let held = settle(&Environment { timeless: true, ..environment(|_| ()) }, living("max=30m").as_ref(), &begun, at(100_000));
    assert_eq!(held.course, Course::TakeDown, "the most that one may live holds all the same");
    assert_eq!(read_in_part(|_| ()), (Course::Run, "Wished", None));
    assert_eq!(read_in_part(|s| s["sources"][0]["state"] = json!("Merged")), (Course::Remove, "Merged", None));
    assert_eq!(read_in_part(|s| s["wish"]["state"] = json!("Absent")), (Course::TakeDown, "DeletedByWish", None));
}

#[test]
fn nothing_ends_for_its_time_while_nobody_is_sure_what_time_it_is() {
    let unsure = |state: &str, events: &str, lifetime: &str| {
        let (status, environment) = (standing(state), environment(happening(events)));
        let before = Before { time_is_unsure: true, ..Before::of(&status) };
        let settled = settle(&environment, living(lifetime).as_ref(), &before, at(100_000));
        (settled.course, settled.wanted.reason)
    };
    assert_eq!(unsure("running", "", ""), (Course::Run, "Triggered"));
    assert_eq!(unsure("running", "", "max=30m"), (Course::Run, "Triggered"));
    assert_eq!(unsure("running", "close@1", "grace=30m"), (Course::Run, "Closing"));
    assert_eq!(unsure("expired", "", ""), (Course::TakeDown, "Expired"), "it is recorded");
    assert_eq!(unsure("running", "close@1", ""), (Course::Remove, "Closed"));
    assert_eq!(unsure("running", "delete@1", ""), (Course::TakeDown, "DeletedByWish"));
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
    let unusable = settle(&branch, None, &Before::default(), at(2));
    assert_eq!(unusable.course, Course::TakeDown, "nobody knows whether the Baseline would make it again");
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
fn a_close_takes_down_without_a_baseline() {
    let closed = environment(|s| s["sources"][0]["state"] = json!("Closed"));
    assert_eq!(settle(&closed, None, &Before::default(), at(1)).course, Course::Remove);
}

/// A status of an environment that stands so.
fn standing(state: &str) -> PreviewEnvironmentStatus {
    let wanted = |status: &str, reason: &str| json!([{"type": "Wanted", "status": status, "reason": reason, "message": "", "lastTransitionTime": PUSHED}]);
    let lapsed = |why: &str| json!({"why": why, "at": at(60), "activity": at(0)});
    let runs = json!({"namespace": "n", "startedAt": at(0), "expiresAt": at(60), "conditions": wanted("True", "Triggered")});
    let mut status = if matches!(state, "new" | "queued" | "expired" | "evicted" | "outlived") { json!({}) } else { runs };
    match state {
        "queued" => status["queue"] = json!({"position": 1, "of": 1, "since": at(0)}),
        "expired" => status["lapsed"] = lapsed("Expired"),
        "expiring" => {
            status["lapsed"] = lapsed("Expired");
            status["conditions"] = wanted("False", "Expired");
        }
        "evicted" => status["lapsed"] = lapsed("Evicted"),
        "outlived" => status["lapsed"] = lapsed("MaxReached"),
        "pinned" => status["pinned"] = json!(true),
        "late" => status["startedAt"] = json!(at(1_000)),
        "staying" => {
            status["conditions"] = wanted("True", "Closing");
            status["expiresAt"] = json!(at(90));
        }
        "ending" => status["conditions"] = wanted("False", "Closed"),
        "ended" => status = json!({"endedAt": at(10)}),
        _ => {}
    }
    serde_json::from_value(status).unwrap()
}

/// What happens: each word changes the spec, at the minute behind it.
fn happening(events: &str) -> impl FnOnce(&mut Value) {
    let events: Vec<(String, i64)> = events
        .split_whitespace()
        .map(|event| event.split_once('@').unwrap_or((event, "0")))
        .map(|(event, minute)| (event.to_owned(), minute.parse().unwrap()))
        .collect();
    move |spec| {
        for (event, minute) in events {
            let mut source = |state: &str| {
                spec["sources"][0]["state"] = json!(state);
                spec["sources"][0]["observedAt"] = json!(at(minute));
            };
            match event.as_str() {
                "push" | "reopen" => source("Open"),
                "close" => source("Closed"),
                "label" => {
                    source("Open");
                    spec["sources"][0]["activeAt"] = json!(PUSHED);
                }
                "merge" => source("Merged"),
                "command" => spec["activity"] = json!({"at": at(minute), "by": "ann"}),
                "create" => spec["wish"] = wish("Present", minute),
                "delete" => spec["wish"] = wish("Absent", minute),
                "draft" => spec["sources"][0]["draft"] = json!(true),
                "pin" => spec["lifetime"]["pinned"] = json!(true),
                "extend" => spec["lifetime"]["extendedUntil"] = json!(at(minute)),
                "ttl" => spec["lifetime"]["ttl"] = json!(format!("{minute}m")),
                other => panic!("{other}"),
            }
        }
    }
}

/// A Baseline with such a lifetime; none for nothing.
fn living(lifetime: &str) -> Option<Baseline> {
    let mut spec = json!({"repositories": [{"name": "acme/web"}], "lifetime": {"ttl": "1h"}});
    for (key, span) in lifetime.split_whitespace().filter_map(|word| word.split_once('=')) {
        spec["lifetime"][key] = json!(span);
    }
    let mut object = api::Baseline::new("shop", serde_json::from_value(spec).unwrap());
    object.metadata.namespace = Some("shop".into());
    (lifetime != "none").then(|| Baseline::try_from(&object).unwrap())
}

/// What follows, as `Course Reason minute-of-its-end`.
fn settled(state: &str, events: &str, lifetime: &str, minute: i64) -> String {
    let (status, environment) = (standing(state), environment(happening(events)));
    let settled = settle(&environment, living(lifetime).as_ref(), &Before::of(&status), at(minute));
    let end = settled.expires_at.map(|end| format!(" {}", (end - at(0)).num_minutes())).unwrap_or_default();
    format!("{:?} {}{end}", settled.course, settled.wanted.reason)
}

#[test]
fn every_state_and_what_happens_to_it_has_one_outcome() {
    for (state, events, lifetime, minute, expected) in [
        // A time to live counts from the last activity, of whatever kind.
        ("new", "", "", 1, "Run Triggered 60"),
        ("new", "", "", 60, "TakeDown Expired"),
        ("running", "", "", 59, "Run Triggered 60"),
        ("running", "", "", 60, "TakeDown Expired"),
        ("running", "push@30", "", 60, "Run Triggered 90"),
        ("running", "label@30", "", 60, "TakeDown Expired"),
        ("running", "command@30", "", 60, "Run Triggered 90"),
        ("running", "create@30", "", 60, "Run Wished 90"),
        ("running", "ttl@120", "", 60, "Run Triggered 120"),
        ("running", "extend@90", "", 60, "Run Triggered 90"),
        ("running", "extend@90", "", 90, "TakeDown Expired"),
        ("running", "extend@30", "", 1, "Run Triggered 60"),
        ("running", "", "ttl=2h", 60, "Run Triggered 120"),
        ("running", "", "ttl=30m", 30, "TakeDown Expired"),
        // What expired stays so until something newer, or a wish.
        ("expired", "", "", 61, "TakeDown Expired"),
        ("expired", "", "ttl=5d", 61, "TakeDown Expired"),
        ("expired", "ttl@600", "", 61, "TakeDown Expired"),
        ("expired", "extend@600", "", 61, "TakeDown Expired"),
        ("expired", "pin", "", 61, "TakeDown Expired"),
        ("expired", "", "none", 61, "TakeDown Expired"),
        ("expired", "push@70", "", 71, "Run Triggered 131"),
        ("expired", "label@70", "", 71, "TakeDown Expired"),
        ("expired", "command@70", "", 71, "Run Triggered 131"),
        ("expired", "create@70", "", 71, "Run Wished 131"),
        ("expired", "create@0", "", 71, "Run Wished 131"),
        ("expired", "push@30", "", 71, "Run Triggered 131"),
        ("expired", "delete@70", "", 71, "TakeDown DeletedByWish"),
        ("expired", "close@70", "grace=1h", 71, "Remove Closed"),
        ("expiring", "", "ttl=5d", 61, "TakeDown Expired"),
        ("expiring", "push@70", "", 71, "Run Triggered 131"),
        ("evicted", "", "ttl=5d", 61, "TakeDown Evicted"),
        ("evicted", "label@70", "ttl=5d", 71, "TakeDown Evicted"),
        ("evicted", "push@70", "", 71, "Run Triggered 131"),
        // Whatever happens, `max` after its start is the end.
        ("running", "", "max=30m", 1, "Run Triggered 30"),
        ("running", "push@29", "max=30m", 30, "TakeDown Expired"),
        ("running", "extend@90", "max=30m", 1, "Run Triggered 30"),
        ("running", "ttl@90", "max=30m", 1, "Run Triggered 30"),
        ("pinned", "pin", "max=30m", 1, "Run Triggered 30"),
        ("pinned", "pin", "max=30m", 30, "TakeDown Expired"),
        ("outlived", "", "max=5d", 61, "TakeDown Expired"),
        ("outlived", "push@70", "max=30m", 71, "Run Triggered 101"),
        // A pin that holds has no other end, and one that does not hold says nothing.
        ("pinned", "pin", "", 100_000, "Run Triggered"),
        ("pinned", "pin", "none", 100_000, "Wait BaselineNotReady"),
        ("running", "pin", "", 59, "Run Triggered 60"),
        ("pinned", "pin close@70", "", 71, "Remove Closed"),
        ("pinned", "pin delete@70", "", 71, "TakeDown DeletedByWish"),
        // What waits for a place does not run out of time, and has all of it once it has one.
        ("queued", "", "max=30m", 100_000, "Run Triggered"),
        ("late", "", "", 1_059, "Run Triggered 1060"),
        ("late", "", "max=30m", 1_029, "Run Triggered 1030"),
        ("queued", "close@70", "grace=1h", 71, "Remove Closed"),
        ("queued", "delete@70", "", 71, "TakeDown DeletedByWish"),
        // A deliberate end holds until the pull request ends or somebody wishes otherwise.
        ("running", "delete@1", "", 2, "TakeDown DeletedByWish"),
        ("running", "delete@1 push@3", "", 4, "TakeDown DeletedByWish"),
        ("running", "delete@1 command@3", "", 4, "TakeDown DeletedByWish"),
        ("running", "delete@1", "", 100, "TakeDown DeletedByWish"),
        ("running", "delete@1 close@3", "", 4, "Remove Closed"),
        ("running", "create@3", "", 4, "Run Wished 63"),
        // A close is at once, or after the grace, and a reopening within it finds all as it was.
        ("running", "close@1", "", 1, "Remove Closed"),
        ("running", "merge@1", "", 1, "Remove Merged"),
        ("running", "close@1", "none", 1, "Remove Closed"),
        // The forge's clock may be ahead.
        ("running", "close@5", "", 1, "Remove Closed"),
        ("running", "close@1", "grace=30m", 1, "Run Closing 31"),
        ("running", "merge@1", "grace=30m", 30, "Run Closing 31"),
        ("running", "merge@1", "grace=30m", 31, "Remove Merged"),
        ("running", "close@1", "grace=5h", 2, "Run Closing 61"),
        ("running", "close@1", "grace=5h", 61, "Remove Expired"),
        ("running", "close@1 delete@2", "grace=5h", 3, "Remove DeletedByWish"),
        ("running", "close@1 draft", "grace=30m", 2, "Run Closing 31"),
        ("new", "close@1", "grace=30m", 1, "Remove Closed"),
        ("staying", "close@1", "none", 80, "Run Closing 90"),
        ("staying", "close@1", "none", 90, "Remove Closed"),
        ("staying", "reopen@50", "grace=30m", 51, "Run Triggered 110"),
        ("ending", "close@1", "grace=5h", 2, "Remove Closed"),
        ("ending", "reopen@50", "grace=5h", 51, "Run Triggered 110"),
        // Neither a wish for it nor one against it outlives the end, whenever it is reopened.
        ("ended", "create@5 reopen@20", "", 21, "Run Triggered 80"),
        ("ended", "delete@5 reopen@20", "", 21, "Run Triggered 80"),
        ("ended", "create@30 reopen@20", "", 31, "Run Wished 90"),
        ("ended", "delete@30 reopen@20", "", 31, "TakeDown DeletedByWish"),
        ("staying", "create@5 reopen@50", "grace=30m", 51, "Run Wished 110"),
        // Nobody who is not wanted expires.
        ("new", "draft", "", 100, "TakeDown Draft"),
        ("expired", "draft", "", 100, "TakeDown Draft"),
        // Without a Baseline that can be used nothing ends for its time, and all that happened meanwhile counts afterwards.
        ("running", "", "none", 59, "Wait BaselineNotReady"),
        ("running", "", "none", 100_000, "Wait BaselineNotReady"),
        ("running", "ttl@30", "none", 60, "Wait BaselineNotReady"),
        ("running", "push@30", "none", 60, "Wait BaselineNotReady"),
        ("running", "extend@90", "none", 60, "Wait BaselineNotReady"),
        ("running", "pin", "none", 60, "Wait BaselineNotReady"),
        ("running", "create@3", "none", 100, "Wait BaselineNotReady"),
        ("running", "delete@1", "none", 100, "TakeDown DeletedByWish"),
    ] {
        assert_eq!(settled(state, events, lifetime, minute), expected, "{state}, {events:?}, {lifetime:?} at {minute}");
    }
}

#[test]
fn what_ended_by_itself_is_recorded_with_what_was_known_then() {
    let settled = |state: &str, events: &str, minute| {
        let (status, environment) = (standing(state), environment(happening(events)));
        settle(&environment, living("").as_ref(), &Before::of(&status), at(minute))
    };
    let expired = settled("running", "create@10", 70);
    let recorded = Lapsed { why: Lapse::Expired, at: at(70), activity: Some(at(10)), wish: Some(at(10)), gave_way_to: None };
    assert_eq!(expired.lapsed, Some(recorded));
    assert_eq!(settled("expired", "", 100).lapsed, standing("expired").lapsed, "it stays as it was recorded");
    assert_eq!(settled("expired", "push@70", 100).lapsed, None);
    assert_eq!(settled("expired", "draft", 100).lapsed, standing("expired").lapsed, "and while it would not be wanted anyway");
}

#[test]
fn an_evicted_one_says_for_whom_and_stays_so() {
    let (environment, baseline, status) = (environment(|_| ()), living("").unwrap(), standing("running"));
    let settled = settle(&environment, Some(&baseline), &Before::of(&status), at(5));
    let evicted = settled.evicted((&environment, &baseline), "web-pr-43", at(5));
    let why = "it gave way to web-pr-43, since nothing had happened to it for the longest time";
    assert_eq!((evicted.course, evicted.wanted.reason, evicted.wanted.message.as_str()), (Course::TakeDown, "Evicted", why));
    let recorded = PreviewEnvironmentStatus { lapsed: evicted.lapsed, ..PreviewEnvironmentStatus::default() };
    let again = settle(&environment, Some(&baseline), &Before::of(&recorded), at(6));
    assert_eq!((again.course, again.wanted.message.as_str()), (Course::TakeDown, why));
}

#[test]
fn a_start_is_recorded_once_and_anew_after_an_end() {
    let started = |state: &str, events: &str, minute| {
        let (status, environment) = (standing(state), environment(happening(events)));
        let settled = settle(&environment, living("").as_ref(), &Before::of(&status), at(minute));
        settled.started_at.map(|at_| (at_ - at(0)).num_minutes())
    };
    assert_eq!(started("new", "", 5), Some(5));
    assert_eq!(started("running", "", 5), Some(0));
    assert_eq!(started("expiring", "push@70", 71), Some(71));
    assert_eq!(started("expired", "", 71), None);
}
