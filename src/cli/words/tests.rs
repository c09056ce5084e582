use super::*;
use serde_json::{Value, json};

const NOW: &str = "2026-01-03T00:00:00Z";

fn condition(type_: &str, status: &str, reason: &str, message: &str) -> Value {
    json!({"type": type_, "status": status, "reason": reason, "message": message, "lastTransitionTime": "2026-01-02T23:58:00Z", "observedGeneration": 3})
}

/// An environment of generation 3 whose pull request the forge has described.
fn environment(seen: i64, conditions: &[Value]) -> PreviewEnvironment {
    let value = json!({
        "apiVersion": "preview-env.dev/v1alpha1", "kind": "PreviewEnvironment",
        "metadata": {"name": "web-pr-42", "namespace": "shop", "uid": "u-1", "generation": 3},
        "spec": {"baseline": "shop",
            "sources": [{"forge": "github", "repositoryId": 7, "repository": "acme/web", "pull": 42, "state": "Open",
                "revision": "a".repeat(40), "observedAt": "2026-01-01T00:00:00Z"}],
            "wish": {"state": "Present", "actor": "ann", "at": "2026-01-02T00:00:00Z", "target": {"repository": "acme/web", "pull": 42}}},
        "status": {"observedGeneration": seen, "conditions": conditions, "namespace": "shop-web-pr-42",
            "services": [{"kind": "Deployment", "name": "web", "from": "Branch", "ready": false}]}
    });
    serde_json::from_value(value).unwrap()
}

/// The same before the forge has spoken.
fn asked(conditions: &[Value]) -> PreviewEnvironment {
    let mut environment = environment(3, conditions);
    environment.spec.sources.clear();
    environment
}

fn failure(environment: &PreviewEnvironment) -> Failure {
    match judge(environment, 3) {
        Verdict::Cannot(failure) => failure,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_place_in_the_queue_reads_as_people_say_it() {
    let mut environment = environment(3, &[condition("Ready", "False", "Queued", "shop runs 20 of 20 previews")]);
    let mut at = |position: i32| {
        let status = environment.status.as_mut().unwrap();
        let queue = json!({"position": position, "of": 120, "since": NOW, "why": "shop runs 20 of 20 previews"});
        (status.phase, status.queue, status.namespace) = (Some("Queued".into()), Some(serde_json::from_value(queue).unwrap()), None);
        (phase(&environment), progress(&environment, 3))
    };
    assert_eq!(at(2), ("Queued, 2nd".to_owned(), "in the queue, 2nd of 120: shop runs 20 of 20 previews".to_owned()));
    let said: Vec<String> = [1, 3, 4, 11, 12, 13, 21, 111, 112].into_iter().map(|n| at(n).0).collect();
    assert_eq!(said.join(" ").replace("Queued, ", ""), "1st 3rd 4th 11th 12th 13th 21st 111th 112th");
    assert_eq!(judge(&environment, 3), Verdict::Waiting, "it gets there by itself");
    assert_eq!(next_steps(&environment).len(), 1);
}

#[test]
fn ready_counts_only_for_the_spec_that_was_asked_for() {
    let ready = condition("Ready", "True", "Ready", "12 of 12 services ready");
    assert_eq!(judge(&environment(3, std::slice::from_ref(&ready)), 3), Verdict::Ready);
    assert_eq!(judge(&environment(2, std::slice::from_ref(&ready)), 3), Verdict::Waiting);
    assert_eq!(judge(&environment(3, std::slice::from_ref(&ready)), 4), Verdict::Waiting);
    assert_eq!(judge(&asked(&[ready]), 3), Verdict::Waiting);
    assert_eq!(judge(&environment(3, &[]), 3), Verdict::Waiting);
    assert_eq!(judge(&PreviewEnvironment { status: None, ..environment(3, &[]) }, 3), Verdict::Waiting);
}

#[test]
fn what_does_not_become_ready_ends_the_wait() {
    let one = |type_: &str, status: &str, reason: &str, message: &str| environment(3, &[condition(type_, status, reason, message)]);
    let shown = [
        failure(&one("Wanted", "False", "Merged", "")),
        failure(&one("Wanted", "False", "DeletedByWish", "bob took it down")),
        failure(&one("Approved", "False", "Fork", "")),
        failure(&one("Stalled", "True", "Refused", "Deployment/web mounts the host path /var/run")),
        failure(&asked(&[condition("LookedUp", "False", "NotFound", "")])),
        failure(&asked(&[condition("LookedUp", "False", "Refused", "GitHub answers 403 for acme/web")])),
    ];
    let lines = shown.iter().map(|f| format!("{} {f}", f.exit as u8)).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!(lines, @r"
    4 error: web-pr-42 is not wanted: the pull request was merged
      reopen the pull request, or preview a branch: preview create --branch NAME
    4 error: web-pr-42 is not wanted: bob took it down
      bring it back: preview create --repo acme/web --pull 42
    4 error: web-pr-42 does not run: the pull request comes from a fork
      look at the change, then let its commit run: preview approve web-pr-42
    4 error: web-pr-42 is stalled: Deployment/web mounts the host path /var/run
      mend what is named above; the service then goes on by itself
    3 error: web-pr-42 cannot be made: the forge knows no such pull request or branch
      check its number or name on the forge, and that a branch is pushed
    4 error: web-pr-42 cannot be made: GitHub answers 403 for acme/web
      the service needs access to the repository: check its token or app installation
    ");
}

#[test]
fn what_may_still_change_is_waited_for() {
    let waits = [
        environment(2, &[condition("Wanted", "False", "Merged", "")]),
        environment(3, &[condition("Wanted", "Unknown", "LookingUp", "")]),
        environment(3, &[condition("Stalled", "False", "Refused", "")]),
        asked(&[condition("LookedUp", "False", "Unavailable", "")]),
        asked(&[condition("Wanted", "False", "NotTriggered", "")]),
    ];
    for environment in waits {
        assert_eq!(judge(&environment, 3), Verdict::Waiting, "{environment:?}");
    }
    // The answer to an earlier wish.
    assert_eq!(judge(&asked(&[condition("LookedUp", "False", "NotFound", "")]), 4), Verdict::Waiting);
}

#[test]
fn an_object_that_is_deleted_never_becomes_ready() {
    let mut environment = environment(3, &[condition("Ready", "True", "Ready", "")]);
    environment.metadata.deletion_timestamp = Some(serde_json::from_value(json!(NOW)).unwrap());
    assert_eq!(failure(&environment).exit, Exit::CannotBeReady);
}

#[test]
fn progress_says_what_is_waited_for() {
    let ready = |status, message| condition("Ready", status, "R", message);
    assert_eq!(progress(&asked(&[]), 3), "looking up acme/web#42");
    assert_eq!(progress(&asked(&[condition("LookedUp", "False", "Unavailable", "GitHub answers 502")]), 3), "GitHub answers 502");
    assert_eq!(progress(&environment(3, &[ready("False", "waiting for acme/web:pr-42")]), 3), "waiting for acme/web:pr-42");
    assert_eq!(progress(&environment(3, &[ready("True", "")]), 3), "0 of 1 services ready");
    for unseen in [PreviewEnvironment { status: None, ..environment(3, &[]) }, environment(2, &[ready("True", "")])] {
        assert_eq!(progress(&unseen, 4), NOT_SEEN);
        assert_eq!(removal(&unseen, 4), NOT_SEEN);
    }
}

#[test]
fn what_holds_a_removal_up_is_said_while_it_is_waited_for() {
    let mut held = environment(3, &[condition("Wanted", "False", "Closed", ""), condition("Ready", "False", "Removing", "it is going")]);
    assert_eq!(removal(&held, 3), phase(&held));
    held.status.as_mut().unwrap().conditions[1].reason = "StuckRemoving".to_owned();
    assert_eq!(removal(&held, 3), "it is going");
    assert_eq!(next_steps(&held), ["mend what is named above; it then goes by itself"]);
}

#[test]
fn an_environment_is_gone_when_it_is_unwanted_and_has_no_namespace() {
    let mut gone = environment(3, &[condition("Wanted", "False", "DeletedByWish", "")]);
    assert!(!is_gone(&gone, 3));
    gone.status.as_mut().unwrap().namespace = None;
    assert!(is_gone(&gone, 3) && !is_gone(&gone, 4));
}

#[test]
fn conditions_read_as_answers() {
    let now = NOW.parse().unwrap();
    let line = |value: Value| condition_line(&serde_json::from_value(value).unwrap(), now).join(" | ");
    let lines = [
        line(condition("Wanted", "True", "Wished", "")),
        line(condition("Approved", "False", "Fork", "")),
        line(condition("Ready", "Unknown", "LookingUp", "")),
        line(condition("FeedbackDelivered", "True", "Delivered", "comment 7 is up to date")),
        line(condition("Later", "True", "SomethingNew", "")),
    ];
    insta::assert_snapshot!(lines.join("\n"), @r"
    wanted | yes, for 2m | somebody asked for it
    may run | no, for 2m | the pull request comes from a fork
    ready | not known yet, for 2m | the service is asking the forge
    shown on the pull request | yes, for 2m | comment 7 is up to date
    Later | yes, for 2m | SomethingNew
    ");
}

#[test]
fn the_next_step_fits_the_state() {
    let ready = environment(3, &[condition("Ready", "True", "Ready", "")]);
    assert_eq!(next_steps(&ready)[0], "kubectl -n shop-web-pr-42 describe deployment/web");
    let mut all_up = ready.clone();
    all_up.status.as_mut().unwrap().services[0].ready = true;
    assert_eq!(next_steps(&all_up), ["preview delete web-pr-42 takes it down"]);
    let unseen = PreviewEnvironment { status: None, ..ready };
    assert!(next_steps(&unseen)[0].contains("preview serve"));
}

#[test]
fn what_expires_is_said_from_now() {
    let with = |at: &str| {
        let mut environment = environment(3, &[]);
        environment.status.as_mut().unwrap().expires_at = Some(at.parse().unwrap());
        expires(&environment, NOW.parse().unwrap())
    };
    assert_eq!([with("2026-01-05T23:00:00Z"), with("2026-01-03T00:30:00Z"), with(NOW)], ["2d23h", "30m", "now"]);
    assert_eq!(expires(&environment(3, &[]), NOW.parse().unwrap()), "");
}
