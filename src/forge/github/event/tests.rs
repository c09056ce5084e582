//! One real payload for each event, cut to what is read, and what becomes of it whole and damaged.

use chrono::DateTime;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::api::environment::SourceState;
use crate::forge::event::{Press, PullAction};
use crate::forge::{CheckAction, PullRequest};

fn arrival(event: &str) -> Arrival<'_> {
    Arrival { event, at: "2026-01-02T04:00:00Z".parse().unwrap() }
}

fn parsed(event: &str, body: &Value) -> Result<Event, ParseError> {
    parse(&arrival(event), body.to_string().as_bytes())
}

fn repository() -> Value {
    json!({"id": 7, "full_name": "acme/web", "pushed_at": 1_767_323_045, "private": true})
}

fn pull(action: &str) -> Value {
    json!({
        "action": action,
        "number": 42,
        "pull_request": {
            "number": 42, "state": "open", "merged": false, "draft": false, "title": "Faster checkout",
            "user": {"login": "ann", "type": "User"}, "labels": [{"name": "preview"}],
            "created_at": "2026-01-02T03:00:00Z", "updated_at": "2026-01-02T03:04:05Z",
            "head": {"ref": "faster", "sha": "3f9c2ab".repeat(6)[..40], "repo": {"id": 7, "full_name": "acme/web"}},
            "base": {"ref": "main", "sha": "b".repeat(40), "repo": {"id": 7, "full_name": "acme/web"}},
        },
        "repository": repository(),
        "sender": {"login": "bob"},
    })
}

fn push(reference: &str) -> Value {
    json!({
        "ref": reference, "before": "b".repeat(40), "after": "a".repeat(40), "created": false, "deleted": false, "forced": false,
        "repository": repository(), "pusher": {"name": "ann"}, "sender": {"login": "ann"},
    })
}

fn comment(action: &str) -> Value {
    json!({
        "action": action,
        "issue": {"number": 42, "pull_request": {"url": "https://api.github.com/repos/acme/web/pulls/42"}},
        "comment": {
            "id": 9, "body": "/preview extend 24h", "user": {"login": "ann", "type": "User"}, "performed_via_github_app": null,
            "created_at": "2026-01-02T03:04:05Z", "updated_at": "2026-01-02T03:04:06Z",
            "html_url": "https://github.com/acme/web/pull/42#issuecomment-9",
        },
        "repository": repository(),
        "sender": {"login": "ann"},
    })
}

fn pulls(of: &[(i64, i64)]) -> Value {
    of.iter().map(|(number, repository)| json!({"number": number, "base": {"repo": {"id": repository}}})).collect()
}

fn check(identifier: &str) -> Value {
    json!({
        "action": "requested_action",
        "check_run": {"id": 3, "name": "preview / shop", "head_sha": "a".repeat(40), "external_id": "", "pull_requests": pulls(&[(42, 7)])},
        "requested_action": {"identifier": identifier},
        "repository": repository(),
        "sender": {"login": "ann"},
    })
}

fn suite(action: &str) -> Value {
    json!({
        "action": action,
        "check_suite": {"id": 4, "head_sha": "a".repeat(40), "pull_requests": []},
        "repository": repository(),
        "sender": {"login": "ann"},
    })
}

fn installation(action: &str) -> Value {
    json!({"action": action, "installation": {"id": 5}, "repositories": [{"id": 7}, {"id": 8}], "sender": {"login": "ann"}})
}

fn selection(action: &str) -> Value {
    json!({"action": action, "repositories_added": [], "repositories_removed": [{"id": 7}], "sender": {"login": "ann"}})
}

fn repository_event(action: &str) -> Value {
    json!({"action": action, "repository": repository(), "sender": {"login": "ann"}})
}

/// A payload of each event that is read.
fn payloads() -> [(&'static str, Value); 9] {
    [
        ("pull_request", pull("opened")),
        ("push", push("refs/heads/faster")),
        ("issue_comment", comment("created")),
        ("check_run", check("extend")),
        ("check_suite", suite("rerequested")),
        ("installation", installation("deleted")),
        ("installation_repositories", selection("removed")),
        ("repository", repository_event("deleted")),
        ("ping", json!({"zen": "Keep it logically awesome."})),
    ]
}

fn at<'a>(value: &'a mut Value, pointer: &str) -> &'a mut Value {
    value.pointer_mut(pointer).unwrap()
}

fn with(mut payload: Value, changes: &[(&str, Value)]) -> Value {
    for (pointer, value) in changes {
        *at(&mut payload, pointer) = value.clone();
    }
    payload
}

fn read_pull(payload: &Value) -> Result<PullRequest, ParseError> {
    match parsed("pull_request", payload)? {
        Event::PullRequest { pull, .. } => Ok(*pull),
        other => panic!("{other:?}"),
    }
}

fn why_ignored(event: &str, payload: &Value) -> String {
    match parsed(event, payload).unwrap() {
        Event::Ignored { why } => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_event_that_is_subscribed_to_is_read() {
    for event in SUBSCRIBED_EVENTS.iter().chain(&UNASKED_EVENTS) {
        let (_, payload) = payloads().into_iter().find(|(name, _)| name == event).unwrap();
        assert!(!matches!(parsed(event, &payload).unwrap(), Event::Ignored { .. }), "{event}");
    }
}

#[test]
fn every_action_of_a_pull_request_that_matters_is_read() {
    for action in PullAction::ALL {
        let event = parsed("pull_request", &pull(action.as_str())).unwrap();
        let Event::PullRequest { action: read, pull, sender, .. } = event else { panic!("{event:?}") };
        assert_eq!((read, pull.number, pull.repository_id, sender.as_str()), (action, 42, 7, "bob"));
        assert_eq!((pull.author.as_str(), pull.head_branch.as_str(), pull.base_branch.as_str()), ("ann", "faster", "main"));
        assert_eq!((pull.revision.short(), pull.updated_at.to_rfc3339().as_str()), ("3f9c2ab", "2026-01-02T03:04:05+00:00"));
        assert_eq!((pull.labels, pull.bot), (vec!["preview".to_owned()], false));
    }
}

#[test]
fn what_is_no_object_is_said_to_be_none() {
    for (body, why) in
        [("[\"opened\"]", "not a JSON object"), ("\"opened\"", "not a JSON object"), ("opened", "not JSON"), ("", "not JSON")]
    {
        for (event, _) in payloads() {
            let error = parse(&arrival(event), body.as_bytes()).unwrap_err();
            assert!(error.field == "body" && error.why.contains(why), "{event}: {error}");
        }
    }
}

#[test]
fn what_does_not_matter_is_ignored_with_a_reason() {
    let on_an_issue = with(comment("created"), &[("/issue", json!({"number": 42}))]);
    for (event, payload, words) in [
        ("star", json!({}), "the event star"),
        ("pull_request", json!({"action": "assigned"}), "the action assigned"),
        ("push", json!({"ref": "refs/tags/v1"}), "a tag"),
        ("push", push("refs/heads/gh-readonly-queue/main/pr-42-abc"), "merge queue"),
        ("issue_comment", json!({"action": "edited"}), "was edited"),
        ("issue_comment", json!({"action": "deleted"}), "was deleted"),
        ("issue_comment", json!({"action": "pinned"}), "the action pinned"),
        ("issue_comment", on_an_issue, "no pull request"),
        ("check_run", json!({"action": "completed"}), "the action completed"),
        ("check_run", check("fix-it!"), "the button fixit"),
        ("installation", json!({"action": "created"}), "the action created"),
        ("installation", installation("suspend"), "its environments stay"),
        ("installation_repositories", json!({"action": "added"}), "the action added"),
        ("repository", json!({"action": "renamed"}), "keep its number"),
        ("repository", json!({"action": "transferred"}), "keep its number"),
        ("repository", json!({"action": "archived"}), "the action archived"),
    ] {
        let why = why_ignored(event, &payload);
        assert!(why.contains(words), "{why}");
    }
    assert_eq!(parsed("ping", &json!({"zen": "Keep it logically awesome."})).unwrap(), Event::Ping);
}

#[test]
fn a_closed_pull_request_is_merged_or_not() {
    for (state, merged, expected) in [
        ("open", json!(false), SourceState::Open),
        ("closed", json!(false), SourceState::Closed),
        ("closed", json!(null), SourceState::Closed),
        ("closed", json!(true), SourceState::Merged),
    ] {
        let payload = with(pull("closed"), &[("/pull_request/state", json!(state)), ("/pull_request/merged", merged)]);
        assert_eq!(read_pull(&payload).unwrap().state, expected);
    }
}

#[test]
fn a_deleted_fork_and_a_deleted_author_are_understood() {
    let pull = read_pull(&with(pull("opened"), &[("/pull_request/head/repo", json!(null)), ("/pull_request/user", json!(null))])).unwrap();
    assert_eq!((pull.head_repository_id, pull.author.as_str()), (None, "ghost"));
}

#[test]
fn a_branch_is_made_pushed_to_and_deleted() {
    let nothing = json!("0".repeat(40));
    for (changes, exists, revision) in [
        (vec![], true, "a"),
        (vec![("/before", nothing.clone())], true, "a"),
        (vec![("/after", nothing.clone()), ("/deleted", json!(true))], false, "b"),
        (vec![("/after", nothing)], false, "b"),
    ] {
        let event = parsed("push", &with(push("refs/heads/feature/a b"), &changes)).unwrap();
        let Event::Branch { branch, exists: read, sender, .. } = event else { panic!("{event:?}") };
        assert_eq!((branch.name.as_str(), branch.repository_id, read, sender.as_str()), ("feature/a b", 7, exists, "ann"));
        assert_eq!((branch.revision.as_str(), branch.observed_at.timestamp()), (revision.repeat(40).as_str(), 1_767_323_045));
    }
    let as_text = with(push("refs/heads/x"), &[("/repository/pushed_at", json!("2026-01-02T03:04:05Z"))]);
    assert_eq!(parsed("push", &as_text), parsed("push", &push("refs/heads/x")));
}

#[test]
fn a_comment_is_read_with_the_one_who_wrote_it() {
    for (changes, author, by_bot) in [
        (vec![], "ann", false),
        (vec![("/comment/user/type", json!("Bot"))], "ann", true),
        (vec![("/comment/performed_via_github_app", json!({"id": 1}))], "ann", true),
        (vec![("/comment/user", json!(null))], "ghost", false),
    ] {
        let event = parsed("issue_comment", &with(comment("created"), &changes)).unwrap();
        let Event::Comment { comment, .. } = event else { panic!("{event:?}") };
        assert_eq!((comment.author.as_str(), comment.by_bot, comment.pull, comment.id, comment.repository_id), (author, by_bot, 42, 9, 7));
        assert_eq!((comment.body.as_str(), (comment.updated_at - comment.created_at).num_seconds()), ("/preview extend 24h", 1));
    }
}

fn pressed(payload: &Value) -> Option<Box<Press>> {
    match parsed("check_run", payload).unwrap() {
        Event::Button { press, .. } => Some(press),
        Event::Ignored { .. } => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_pressed_button_is_of_the_pull_request_that_its_check_names() {
    for action in CheckAction::ALL {
        let press = pressed(&check(action.as_str())).unwrap();
        assert_eq!((press.action, press.pull, press.sender.as_str()), (action, 42, "ann"));
        assert_eq!((press.repository_id, press.made_at, press.at), (7, None, arrival("").at));
        assert_eq!(press.check, "preview / shop");
    }
    for (external_id, named, expected) in [
        (json!("pull-43"), pulls(&[]), Some(43)),
        (json!("pull-43"), pulls(&[(43, 7)]), Some(43)),
        (json!("pull-43"), pulls(&[(42, 6)]), Some(43)),
        (json!("pull-43"), pulls(&[(42, 7)]), Some(43)),
        (json!("pull-43.made-1800000010"), pulls(&[(42, 7), (43, 7)]), Some(43)),
        (json!(null), pulls(&[(42, 7), (42, 7)]), Some(42)),
        (json!(null), pulls(&[(1, 6), (42, 7)]), Some(42)),
        (json!(""), pulls(&[(42, 7), (43, 7)]), None),
        (json!("pull-x"), pulls(&[(42, 6)]), None),
        (json!(""), json!(null), None),
    ] {
        let payload = with(check("delete"), &[("/check_run/external_id", external_id), ("/check_run/pull_requests", named)]);
        assert_eq!(pressed(&payload).map(|press| press.pull), expected, "{payload}");
    }
}

#[test]
fn a_check_that_is_to_run_again_is_a_rebuild() {
    let mut payload = check("delete");
    payload.as_object_mut().unwrap().remove("requested_action");
    payload["action"] = json!("rerequested");
    let press = pressed(&payload).unwrap();
    assert_eq!(
        (press.action, press.pull, press.sender.as_str(), press.check.as_str()),
        (CheckAction::Rebuild, 42, "ann", "preview / shop")
    );
    assert_ne!(press.id, pressed(&check("rebuild")).unwrap().id);
    payload["action"] = json!("completed");
    assert_eq!(pressed(&payload), None);
}

#[test]
fn all_checks_of_a_commit_that_are_to_run_again_are_known_by_the_commit() {
    let read = |action: &str| parsed("check_suite", &suite(action)).unwrap();
    let Event::Again { again, .. } = read("rerequested") else { panic!("{:?}", read("rerequested")) };
    assert_eq!((again.repository_id, again.revision.as_str(), again.sender.as_str()), (7, "a".repeat(40).as_str(), "ann"));
    assert!(matches!(read("completed"), Event::Ignored { .. }) && matches!(read("requested"), Event::Ignored { .. }));
}

#[test]
fn a_press_tells_which_environment_its_check_showed() {
    let of = |external_id: &str| pressed(&with(check("delete"), &[("/check_run/external_id", json!(external_id))])).unwrap().made_at;
    assert_eq!(of("pull-42.made-1800000010"), DateTime::from_timestamp(1_800_000_010, 0));
    assert_eq!((of("pull-42"), of("")), (None, None));
}

#[test]
fn a_press_tells_who_signed_its_check() {
    for (external_id, by) in [
        ("pull-42.made-1800000010.by-staging", Some("staging")),
        ("pull-42.by-eu-1", Some("eu-1")),
        ("pull-42.made-1800000010", None),
        ("pull-x.by-staging", None),
        ("", None),
    ] {
        let press = pressed(&with(check("delete"), &[("/check_run/external_id", json!(external_id))])).unwrap();
        assert_eq!((press.pull, press.by.as_deref()), (42, by), "{external_id}");
        let is_anothers = |own: Option<&str>| press.is_anothers(own.map(|own| own.parse().unwrap()).as_ref());
        assert_eq!((is_anothers(by), is_anothers(Some("production")), is_anothers(None)), (false, by.is_some(), by.is_some()));
    }
}

#[test]
fn the_same_press_under_another_delivery_is_the_same_and_one_of_a_later_check_is_another() {
    let id = |minute: i64, payload: &Value| {
        let Arrival { event, at } = arrival("check_run");
        let arrival = Arrival { event, at: at + chrono::TimeDelta::minutes(minute) };
        match parse(&arrival, payload.to_string().as_bytes()) {
            Ok(Event::Button { press, .. }) => press.id,
            other => panic!("{other:?}"),
        }
    };
    let first = id(0, &check("extend"));
    assert!(first.len() == 32 && first.bytes().all(|b| b.is_ascii_hexdigit()), "{first}");
    assert_eq!(id(1, &check("extend")), first, "only the body tells one press from another");
    assert_ne!(id(0, &check("delete")), first);
    assert_ne!(id(0, &with(check("extend"), &[("/check_run/id", json!(4))])), first);
}

#[test]
fn what_is_out_of_sight_is_gone_by_its_number() {
    for (event, payload, numbers, words) in [
        ("installation", installation("deleted"), vec![7, 8], "uninstalled"),
        ("installation_repositories", selection("removed"), vec![7], "taken out"),
        ("repository", repository_event("deleted"), vec![7], "deleted"),
    ] {
        let read = parsed(event, &payload).unwrap();
        let Event::Gone { repositories, why, for_good, .. } = read else { panic!("{read:?}") };
        assert!(repositories == numbers && why.contains(words), "{why}");
        assert_eq!(for_good, event == "repository", "an app can be installed again: {why}");
    }
}

#[test]
fn what_cannot_be_read_is_named() {
    for (event, pointer, value, field) in [
        ("pull_request", "/pull_request/head/sha", json!("not a commit"), "pull_request.head.sha"),
        ("pull_request", "/pull_request/head/sha", json!(3), "pull_request.head.sha"),
        ("pull_request", "/pull_request/base/repo/full_name", json!("web"), "pull_request.base.repo.full_name"),
        ("pull_request", "/pull_request/base/repo/id", json!(0), "pull_request.base.repo.id"),
        ("pull_request", "/pull_request/updated_at", json!("yesterday"), "pull_request.updated_at"),
        ("pull_request", "/pull_request/state", json!("ajar"), "pull_request.state"),
        ("pull_request", "/pull_request/state", json!(null), "pull_request.state"),
        ("pull_request", "/pull_request/head", json!({"ref": "x"}), "pull_request.head.sha"),
        ("pull_request", "/pull_request", json!({}), "pull_request.number"),
        ("pull_request", "/sender", json!(null), "sender"),
        ("pull_request", "/action", json!(1), "action"),
        ("push", "/ref", json!("refs/heads/"), "ref"),
        ("push", "/ref", json!(format!("refs/heads/{}", "x".repeat(256))), "ref"),
        ("pull_request", "/pull_request/head/ref", json!("x".repeat(256)), "pull_request.head.ref"),
        ("pull_request", "/pull_request/user/login", json!("x".repeat(101)), "pull_request.user.login"),
        ("issue_comment", "/comment/user/login", json!(""), "comment.user.login"),
        ("push", "/ref", json!(null), "ref"),
        ("push", "/after", json!("abc"), "after"),
        ("push", "/repository/pushed_at", json!(null), "repository.pushed_at"),
        ("push", "/repository/pushed_at", json!(1.5), "repository.pushed_at"),
        ("push", "/repository/pushed_at", json!(i64::MAX), "repository.pushed_at"),
        ("push", "/repository/id", json!("7"), "repository.id"),
        ("push", "/sender", json!({}), "sender.login"),
        ("issue_comment", "/issue/number", json!(0), "issue.number"),
        ("issue_comment", "/comment/id", json!("9"), "comment.id"),
        ("issue_comment", "/comment/created_at", json!(1), "comment.created_at"),
        ("issue_comment", "/repository/full_name", json!("a/b/c"), "repository.full_name"),
        ("check_run", "/requested_action", json!(null), "requested_action"),
        ("check_run", "/check_run/pull_requests/0/number", json!(-1), "check_run.pull_requests[0].number"),
        ("check_run", "/sender", json!({}), "sender.login"),
        ("check_suite", "/check_suite/head_sha", json!("abc"), "check_suite.head_sha"),
        ("installation", "/repositories/1/id", json!(null), "repositories[1].id"),
        ("installation_repositories", "/repositories_removed", json!(null), "repositories_removed"),
        ("repository", "/repository", json!({}), "repository.id"),
    ] {
        let (_, payload) = payloads().into_iter().find(|(name, _)| *name == event).unwrap();
        let error = parsed(event, &with(payload, &[(pointer, value)])).unwrap_err();
        assert_eq!(error.field, field, "{event} {pointer}");
    }
}

#[test]
fn a_push_between_no_commits_is_refused() {
    for (deleted, field) in [(true, "before"), (false, "before")] {
        let nothing = json!("0".repeat(40));
        let payload = with(push("refs/heads/x"), &[("/after", nothing.clone()), ("/before", nothing), ("/deleted", json!(deleted))]);
        assert_eq!(parsed("push", &payload).unwrap_err().field, field);
    }
}

#[test]
fn what_is_not_json_or_not_the_event_is_an_error() {
    for (header, body, field) in [
        ("pull_request", "payload=%7B%7D", "body"),
        ("pull_request", "", "body"),
        ("pull_request", "{} {}", "action"),
        ("pull_request", r#"{"action": "assigned"} x"#, "body"),
        ("pull_request", "[]", "body"),
        ("star", "{", "body"),
        ("push", "{", "body"),
        ("ping", "\u{0}", "body"),
        ("pull_request", "{}", "action"),
        ("pull_request", r#"{"action": "opened"}"#, "pull_request"),
        ("push", "{}", "ref"),
        ("issue_comment", r#"{"action": "created"}"#, "issue"),
        ("check_run", r#"{"action": "requested_action"}"#, "requested_action"),
        ("", "{}", "X-GitHub-Event"),
    ] {
        assert_eq!(parse(&arrival(header), body.as_bytes()).unwrap_err().field, field, "{header} {body}");
    }
}

/// Every place in a payload that holds something, as pointers.
fn places(value: &Value, here: &str, all: &mut Vec<String>) {
    let mut deeper = |key: &str, inner: &Value| {
        let pointer = format!("{here}/{key}");
        places(inner, &pointer, all);
        all.push(pointer);
    };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, inner)| deeper(key, inner)),
        Value::Array(items) => items.iter().enumerate().for_each(|(i, inner)| deeper(&i.to_string(), inner)),
        _ => {}
    }
}

fn any_scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
    ]
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(event in 0usize..10, header in "[ -~]{0,20}", body in prop::collection::vec(any::<u8>(), 0..400)) {
        let header = payloads().get(event).map_or(header, |(name, _)| (*name).to_owned());
        let _ = parse(&arrival(&header), &body);
    }

    #[test]
    fn no_damage_to_a_real_payload_makes_it_panic(event in 0usize..9, at in 0usize..1_000, byte in any::<u8>()) {
        let (event, payload) = &payloads()[event];
        let mut body = payload.to_string().into_bytes();
        let at = at % body.len();
        body[at] = byte;
        let _ = parse(&arrival(event), &body);
        prop_assert!(parse(&arrival(event), &body[..at]).is_err());
    }

    #[test]
    fn a_wrong_value_is_ignored_or_named_or_harmless(event in 0usize..9, place in any::<prop::sample::Index>(), value in any_scalar()) {
        let (event, payload) = &payloads()[event];
        let mut all = Vec::new();
        places(payload, "", &mut all);
        let pointer = &all[place.index(all.len())];
        let changed = with(payload.clone(), &[(pointer, value)]);
        if let Err(error) = parsed(event, &changed) {
            let first = pointer.trim_start_matches('/').split('/').next().unwrap();
            prop_assert!(error.field.starts_with(first) || (first == "before" && error.field == "after"), "{pointer}: {error}");
        }
    }
}
