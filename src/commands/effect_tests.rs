use super::super::order::tests::{command, result};
use super::*;
use crate::api::status::CommandOutcome;
use crate::forge::{PullRequest, fixtures};

/// The second 1,800,000,000 is 15 January 2027, 08:00 UTC.
const HEAD: &str = "3f9c2ab0123456789012345678901234567890ab";

pub(in crate::commands) fn baseline(change: impl FnOnce(&mut Value)) -> Baseline {
    let mut spec = json!({"repositories": [{"name": "acme/web", "images": [{"name": "r.example.com/acme/web"}, {"name": "acme/api"}]}],
        "lifetime": {"ttl": "5d"}});
    change(&mut spec);
    let mut object = api::Baseline::new("main", serde_json::from_value(spec).unwrap());
    object.metadata.namespace = Some("shop".into());
    Baseline::try_from(&object).unwrap()
}

fn source(state: &str, head: i64) -> Value {
    json!({"forge": "github", "repositoryId": 7, "repository": "acme/web", "pull": 42, "state": state, "revision": HEAD,
        "observedAt": "2027-01-15T07:00:00Z", "headRepositoryId": head})
}

fn environment(change: impl FnOnce(&mut Value)) -> PreviewEnvironment {
    let mut object = json!({"apiVersion": "preview-env.dev/v1alpha1", "kind": "PreviewEnvironment",
        "metadata": {"name": "web-pr-42", "namespace": "shop", "uid": "u-1"},
        "spec": {"baseline": "main", "sources": [source("Open", 7)]}});
    change(&mut object);
    serde_json::from_value(object).unwrap()
}

fn fork() -> PreviewEnvironment {
    environment(|object| object["spec"]["sources"] = json!([source("Open", 8)]))
}

fn pull(head: i64, state: SourceState) -> PullRequest {
    PullRequest { state, revision: HEAD.parse().unwrap(), head_repository_id: Some(head), ..fixtures::pull() }
}

/// Ten seconds after the command was given.
fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_010, 0).unwrap()
}

/// What is written, and what is said.
fn come_to(case: &Case<'_>) -> String {
    match effect(case) {
        Err(Refusal(why)) => format!("refused: {why}"),
        Ok(effect) => {
            let parts: Vec<String> = effect.parts.iter().map(|p| format!("[{}] {}={} ", p.manager, p.field, p.value)).collect();
            format!("{}{}", parts.concat(), effect.message)
        }
    }
}

fn of(verb: Verb, args: &[&str], object: &PreviewEnvironment) -> String {
    let (command, baseline) = (command("1001.1", 0, verb, args), baseline(|_| ()));
    let head = object.spec.sources.first().and_then(|s| s.head_repository_id).unwrap_or(7);
    let pull = needs_pull(&command, object).then(|| pull(head, SourceState::Open));
    come_to(&Case { command: &command, object, baseline: &baseline, results: &[], pull: pull.as_ref(), now: now() })
}

#[test]
fn each_command_writes_its_own_part_under_its_own_manager() {
    let there = environment(|_| ());
    let all: Vec<String> = [
        (Verb::Create, vec![]),
        (Verb::Delete, vec![]),
        (Verb::Update, vec![]),
        (Verb::Refresh, vec![]),
        (Verb::Refresh, vec!["--reset"]),
        (Verb::Extend, vec![]),
        (Verb::Extend, vec!["2h"]),
        (Verb::Extend, vec!["60d"]),
        (Verb::Pin, vec![]),
        (Verb::Unpin, vec![]),
        (Verb::Image, vec!["web=debug", "acme/api=2"]),
    ]
    .into_iter()
    .map(|(verb, args)| of(verb, &args, &there))
    .collect();
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn what_cannot_be_done_is_refused_with_the_way_out() {
    let there = environment(|_| ());
    let nothing = environment(|object| object["spec"]["sources"] = json!([]));
    let closed = environment(|object| object["spec"]["sources"] = json!([source("Closed", 7)]));
    let down = environment(|object| object["spec"]["wish"] = json!({"state": "Absent", "actor": "ann", "at": "2027-01-15T07:30:00Z"}));
    let all: Vec<String> = [
        (Verb::Unknown, vec!["delte"], &there),
        (Verb::Unknown, vec!["please"], &there),
        (Verb::Unknown, vec![], &there),
        (Verb::Delete, vec!["the", "cache"], &there),
        (Verb::Logs, vec![], &there),
        (Verb::Extend, vec!["soon"], &there),
        (Verb::Refresh, vec!["all"], &there),
        (Verb::Image, vec!["wbe=1"], &there),
        (Verb::Image, vec!["web"], &there),
        (Verb::Image, vec!["web=a b"], &there),
        (Verb::Approve, vec![], &there),
        (Verb::Extend, vec![], &nothing),
        (Verb::Extend, vec![], &closed),
        (Verb::Pin, vec![], &down),
        (Verb::Logs, vec!["web"], &down),
    ]
    .into_iter()
    .map(|(verb, args, object)| of(verb, &args, object))
    .collect();
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn a_pull_request_that_is_not_open_gets_nothing() {
    let object = environment(|object| object["spec"]["sources"] = json!([]));
    let (baseline, pull) = (baseline(|_| ()), pull(7, SourceState::Closed));
    for (verb, expected) in [
        (Verb::Create, "refused: The pull request is not open. Reopen it first."),
        (Verb::Delete, "there is nothing to take down: the pull request is not open."),
    ] {
        let command = command("1001.1", 0, verb, &[]);
        assert!(needs_pull(&command, &object));
        assert_eq!(
            come_to(&Case { command: &command, object: &object, baseline: &baseline, results: &[], pull: Some(&pull), now: now() }),
            expected
        );
    }
}

#[test]
fn what_stays_after_a_close_for_its_grace_is_taken_down_where_somebody_says_so() {
    let closing = environment(|object| {
        object["spec"]["sources"][0]["state"] = json!("Closed");
        object["status"]["conditions"] = json!([{"type": "Wanted", "status": "True", "reason": "Closing", "message": "",
            "lastTransitionTime": "2027-01-15T07:00:00Z"}]);
    });
    let (baseline, pull, command) = (baseline(|_| ()), pull(7, SourceState::Closed), command("1001.1", 0, Verb::Delete, &[]));
    let of = |object| come_to(&Case { command: &command, object, baseline: &baseline, results: &[], pull: Some(&pull), now: now() });
    let effect = of(&closing);
    assert!(effect.contains(r#""state":"Absent""#) && effect.contains("the rest of its grace"), "{effect}");
    let over = environment(|object| object["spec"]["sources"][0]["state"] = json!("Closed"));
    assert_eq!(of(&over), "there is nothing to take down: the pull request is not open.");
}

#[test]
fn a_wish_for_absent_is_recorded_before_there_is_anything() {
    let object = environment(|object| object["spec"]["sources"] = json!([]));
    assert!(of(Verb::Delete, &[], &object).contains(r#"wish={"actor":"github:ann","at":"2027-01-15T08:00:00Z","state":"Absent"}"#));
}

#[test]
fn exactly_the_commit_that_was_meant_is_approved() {
    let (at, before, after) = ("2027-01-15T08:00:00Z", "2027-01-15T07:59:55Z", "2027-01-15T07:59:56Z");
    let (another, twin) = ("a".repeat(40), format!("3f9c2ab{}", "f".repeat(33)));
    for (case, args, shown, done) in [
        ("twelve digits of it", vec!["3F9C2AB01234"], None, true),
        ("seven, and the comment showed it", vec!["3f9c2ab"], Some((HEAD, before)), true),
        ("seven, and nothing was shown", vec!["3f9c2ab"], None, false),
        ("eleven, and nothing was shown", vec!["3f9c2ab0123"], None, false),
        ("seven of one that was shown, and this one begins so too", vec!["3f9c2ab"], Some((twin.as_str(), before)), false),
        ("seven, and nobody can tell whether it was shown before", vec!["3f9c2ab"], Some((HEAD, after)), false),
        ("twelve of another one", vec!["3f9c2ab01235"], Some((HEAD, before)), false),
        ("the whole of it", vec![HEAD], None, true),
        ("what the comment showed", vec![], Some((HEAD, before)), true),
        ("six letters", vec!["3f9c2a"], None, false),
        ("another commit", vec!["3f9c2ac"], None, false),
        ("no commit", vec!["please!"], None, false),
        ("longer than a commit", vec![&format!("{HEAD}0")], None, false),
        ("nothing was shown", vec![], None, false),
        ("another one was shown", vec![], Some((another.as_str(), before)), false),
        ("nobody can tell whether it was shown before", vec![], Some((HEAD, after)), false),
    ] {
        let mut object = fork();
        let shows = shown.map(|(revision, since)| json!({"feedback": {"shows": {"revision": revision, "since": since}}}));
        object.status = shows.map(|status| serde_json::from_value(status).unwrap());
        let answer = of(Verb::Approve, &args, &object);
        assert_eq!(
            answer.contains(&format!(r#"[preview-env/approval] approval={{"actor":"github:ann","at":"{at}","revision":"{HEAD}"}}"#)),
            done,
            "{case}: {answer}"
        );
        assert!(done || answer.contains(&format!("/preview approve {HEAD}")), "{case}: {answer}");
    }
}

#[test]
fn forks_follow_the_baseline() {
    for (forks, verb, expected) in [
        ("Approve", Verb::Create, "look at it, and then /preview approve 3f9c2ab0123456789012345678901234567890ab"),
        ("Deny", Verb::Create, "refused: It comes from a fork"),
        ("Isolated", Verb::Create, "without Secrets"),
        ("Deny", Verb::Approve, "refused: The Baseline runs no forks"),
        ("Isolated", Verb::Approve, "refused: Forks run isolated"),
    ] {
        let (object, baseline) = (fork(), baseline(|spec| spec["trust"] = json!({"forks": forks})));
        let command = command("1001.1", 0, verb, &[]);
        let pull = pull(8, SourceState::Open);
        let answer =
            come_to(&Case { command: &command, object: &object, baseline: &baseline, results: &[], pull: Some(&pull), now: now() });
        assert!(answer.contains(expected), "{forks} {verb:?}: {answer}");
    }
}

#[test]
fn what_is_older_than_what_is_recorded_changes_nothing() {
    let object = environment(|object| {
        object["spec"]["wish"] = json!({"state": "Present", "actor": "ann", "at": "2027-01-15T08:00:01Z"});
        object["spec"]["refresh"] = json!({"actor": "ann", "at": "2027-01-15T08:00:01Z"});
    });
    for verb in [Verb::Create, Verb::Delete, Verb::Update, Verb::Refresh] {
        let answer = of(verb, &[], &object);
        assert!(answer.contains("stands") && !answer.contains('['), "{verb:?}: {answer}");
    }
}

#[test]
fn what_is_dated_in_the_future_is_overruled_and_what_somebodys_clock_is_ahead_stands() {
    for (recorded, expected) in [
        ("2027-01-15T08:01:10Z", None),
        ("2027-01-15T08:01:10.001Z", Some(r#""at":"2027-01-15T08:01:10.002Z""#)),
        ("2037-01-15T08:00:00Z", Some(r#""at":"2037-01-15T08:00:00.001Z""#)),
    ] {
        let object = environment(|object| {
            object["spec"]["wish"] = json!({"state": "Present", "actor": "ann", "at": recorded});
            object["spec"]["refresh"] = json!({"actor": "ann", "at": recorded});
        });
        for verb in [Verb::Create, Verb::Delete, Verb::Update, Verb::Refresh] {
            let answer = of(verb, &[], &object);
            match expected {
                Some(expected) => assert!(answer.contains(expected), "{verb:?} over {recorded}: {answer}"),
                None => assert!(answer.contains("stands") && !answer.contains('['), "{verb:?} over {recorded}: {answer}"),
            }
        }
    }
}

#[test]
fn what_was_asked_for_later_stands_over_what_is_dated_in_the_future_too() {
    let object = environment(|object| object["spec"]["wish"] = json!({"state": "Present", "actor": "ann", "at": "2037-01-15T08:00:00Z"}));
    let results = [result(&command("1002.1", 5, Verb::Create, &[]), CommandOutcome::Done)];
    let (command, baseline) = (command("1001.1", 0, Verb::Delete, &[]), baseline(|_| ()));
    let case = Case { command: &command, object: &object, baseline: &baseline, results: &results, pull: None, now: now() };
    assert_eq!(come_to(&case), "What was asked for after it stands.");
}

#[test]
fn a_reset_is_not_lost_between_refreshes() {
    let (at, second) = ("2027-01-15T08:00:00Z", "2027-01-15T07:59:59Z");
    for (case, held, done, verb, args, expected) in [
        ("a plain one after a reset that waits", (second, true), None, Verb::Update, vec![], r#""at":"2027-01-15T08:00:00Z","reset":true"#),
        ("after one that is done", (second, true), Some(second), Verb::Refresh, vec![], r#""at":"2027-01-15T08:00:00Z","reset":false"#),
        (
            "a reset in the same second",
            (at, false),
            Some(at),
            Verb::Refresh,
            vec!["reset"],
            r#""at":"2027-01-15T08:00:00.001Z","reset":true"#,
        ),
        ("the same once more", (at, true), None, Verb::Refresh, vec!["reset"], r#""at":"2027-01-15T08:00:00Z","reset":true"#),
    ] {
        let mut object = environment(|o| o["spec"]["refresh"] = json!({"at": held.0, "actor": "bob", "reset": held.1}));
        object.status = Some(serde_json::from_value(json!({"refreshedAt": done})).unwrap());
        let answer = of(verb, &args, &object);
        assert!(answer.contains(&format!(r#"refresh={{"actor":"github:ann",{expected}}}"#)), "{case}: {answer}");
    }
}

#[test]
fn no_pin_and_no_extension_outlives_a_close() {
    let baseline = baseline(|_| ());
    let before = [command("1.1", 0, Verb::Extend, &["20d"]), command("2.1", 0, Verb::Pin, &[])];
    let results = before.each_ref().map(|command| result(command, CommandOutcome::Done));
    let reopened = environment(|object| object["status"] = json!({"endedAt": before[0].at + TimeDelta::seconds(10)}));
    let parts = |command: &Command| {
        let case = Case { command, object: &reopened, baseline: &baseline, results: &results, pull: None, now: now() };
        effect(&case).unwrap().parts.into_iter().map(|part| part.value).collect::<Vec<_>>()
    };
    for late in &before {
        assert_eq!(parts(late), Vec::<Value>::new(), "it is heard of after the reopening");
    }
    let extended = command("3.1", 60, Verb::Extend, &["24h"]);
    let until = extended.at + TimeDelta::days(6);
    assert_eq!(parts(&extended), [json!({"extendedUntil": until})], "the one from before does not count");
    assert_eq!(parts(&command("4.1", 60, Verb::Pin, &[])), [json!({"pinned": true})]);
}

#[test]
fn the_same_commands_in_any_order_end_the_same() {
    let baseline = baseline(|_| ());
    let commands = [
        command("1.1", 0, Verb::Extend, &[]),
        command("2.1", 50_000, Verb::Extend, &["36h"]),
        command("3.1", 60_000, Verb::Pin, &[]),
        command("4.1", 70_000, Verb::Unpin, &[]),
        command("5.1", 80_000, Verb::Image, &["web=a"]),
        command("6.1", 90_000, Verb::Image, &["r.example.com/acme/web=b"]),
        command("7.1", 100_000, Verb::Extend, &["20d"]),
    ];
    let play = |order: &[usize], twice: bool| {
        let (mut object, mut results) = (environment(|_| ()), Vec::new());
        for command in order.iter().map(|i| &commands[*i]) {
            for _ in 0..if twice { 2 } else { 1 } {
                let case = Case { command, object: &object, baseline: &baseline, results: &results, pull: None, now: now() };
                let parts = effect(&case).unwrap().parts;
                for part in &parts {
                    write(&mut object, part);
                }
            }
            results = order::with(&results, result(command, CommandOutcome::Done));
        }
        (serde_json::to_value(&object.spec.lifetime).unwrap(), serde_json::to_value(&object.spec.images).unwrap())
    };
    let expected = play(&[0, 1, 2, 3, 4, 5, 6], false);
    assert_eq!(expected.0, json!({"extendedUntil": "2027-02-11T20:00:00Z", "pinned": false}));
    assert_eq!(expected.1, json!([{"name": "r.example.com/acme/web", "tag": "b"}]));
    for (a, b) in (0..7).flat_map(|a| (0..7).map(move |b| (a, b))) {
        let mut order: Vec<usize> = (0..7).collect();
        order.swap(a, b);
        assert_eq!(play(&order, false), expected, "{a} and {b} change places");
        assert_eq!(play(&order, true), expected, "{a} and {b} change places, and each is carried out twice");
    }
}

/// As a server-side apply under the part's own manager would.
pub(in crate::commands) fn write(object: &mut PreviewEnvironment, part: &Part) {
    let mut spec = serde_json::to_value(&object.spec).unwrap();
    match (part.field, part.value.as_object()) {
        ("lifetime", Some(fields)) => fields.iter().for_each(|(key, value)| spec["lifetime"][key] = value.clone()),
        _ => spec[part.field] = part.value.clone(),
    }
    object.spec = serde_json::from_value(spec).unwrap();
}

#[test]
fn how_it_is_stands_above_as_long_as_it_is_so_and_help_is_short() {
    let object = environment(|_| ());
    assert_eq!(of(Verb::Status, &[], &object), "how it is stands above, and is kept up to date.");
    assert!(of(Verb::Help, &["me"], &object).len() < 300);
}

#[test]
fn a_button_is_for_the_environment_that_it_was_shown_for_and_for_none_made_anew_since() {
    let made = |text: Option<&str>| environment(|object| object["status"] = json!({"startedAt": text}));
    let shown: DateTime<Utc> = "2027-01-14T10:00:00Z".parse().unwrap();
    for verb in [Verb::Update, Verb::Extend, Verb::Delete] {
        for (started_at, counts) in [
            (Some("2027-01-14T10:00:00.75Z"), true),
            (Some("2027-01-14T10:00:01Z"), false),
            (Some("2027-01-15T07:00:00Z"), false),
            (None, false),
        ] {
            let (press, object) = (Command { made_at: Some(shown), ..command("button.a", 0, verb, &[]) }, made(started_at));
            let (baseline, pull) = (baseline(|_| ()), pull(7, SourceState::Open));
            let said =
                come_to(&Case { command: &press, object: &object, baseline: &baseline, results: &[], pull: Some(&pull), now: now() });
            assert_eq!(
                !said.starts_with("refused: The environment that this button was shown for is gone."),
                counts,
                "{started_at:?} {said}"
            );
        }
    }
    assert!(of(Verb::Delete, &[], &made(Some("2027-01-15T07:00:00Z"))).starts_with('['), "a comment is for whatever is there");
}

#[test]
fn help_lists_what_is_of_use() {
    let help = |logs: &str, forks: &str| {
        let (command, object) = (command("1001.1", 0, Verb::Help, &[]), environment(|_| ()));
        let baseline = baseline(|spec| (spec["feedback"], spec["trust"]) = (json!({"logs": logs}), json!({"forks": forks})));
        come_to(&Case { command: &command, object: &object, baseline: &baseline, results: &[], pull: None, now: now() })
    };
    for (logs, forks, listed) in [
        ("Always", "Approve", [true, true]),
        ("Never", "Approve", [false, true]),
        ("Always", "Deny", [true, false]),
        ("Never", "Isolated", [false; 2]),
    ] {
        let said = help(logs, forks);
        assert_eq!(["logs", "approve"].map(|name| said.contains(name)), listed, "{said}");
        assert!(said.contains("create") && said.contains("extend"), "{said}");
    }
}
