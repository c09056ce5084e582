//! A command that was given long before its object was made: what came of it may have gone with the object before.

use super::*;
use crate::api::environment::SourceState;
use crate::commands::heard::Heard;

/// Ten minutes after the command was given, an object is made that holds it and nothing else.
fn found(verb: Verb) -> PreviewEnvironment {
    let mut object = environment(&given(verb, &[]), false);
    object.metadata.creation_timestamp = serde_json::from_value(json!("2027-01-15T08:10:00Z")).unwrap();
    object
}

fn later() -> DateTime<Utc> {
    now() + TimeDelta::minutes(10)
}

fn closed(at: &str) -> Turns {
    Turns { closed_at: Some(at.parse().unwrap()), reopened_at: None }
}

fn reopened(at: &str) -> Turns {
    Turns { reopened_at: Some(at.parse().unwrap()), ..closed("2027-01-15T06:00:00Z") }
}

#[tokio::test]
async fn what_was_written_before_a_close_or_a_reopening_is_passed_over_without_a_word() {
    for (case, turned, state, acts) in [
        ("its delivery was lost", Ok(Turns::default()), SourceState::Open, true),
        ("closed and reopened before it was written", Ok(reopened("2027-01-15T07:59:59Z")), SourceState::Open, true),
        ("closed and reopened since, and what came of it is forgotten", Ok(reopened("2027-01-15T08:05:00Z")), SourceState::Open, false),
        ("closed since", Ok(closed("2027-01-15T08:05:00Z")), SourceState::Closed, false),
        ("closed a second later", Ok(closed("2027-01-15T08:00:01Z")), SourceState::Closed, false),
        ("written with the reopening", Ok(reopened("2027-01-15T08:00:05Z")), SourceState::Open, true),
        ("reopened a moment later", Ok(reopened("2027-01-15T08:00:06Z")), SourceState::Open, false),
        ("a forge that tells no ends, of what is open", Err(ForgeError::Unsupported("ends")), SourceState::Open, true),
        ("a forge that tells no ends, of what is closed", Err(ForgeError::Unsupported("ends")), SourceState::Closed, false),
    ] {
        let (world, context) = world(vec![]);
        *world.pull.lock().unwrap() = Some(PullRequest { state, ..fixtures::pull() });
        world.turns.lock().unwrap().push_back(turned);
        pass(&found(Verb::Create), &context, later()).await.unwrap();
        let done = world.done();
        assert_eq!(done.iter().any(|what| what.starts_with("apply preview-env/wish")), acts, "{case}: {done:?}");
        assert_eq!(done == ["remove"], !acts, "{case}: {done:?}");
        let text = context.metrics.text().unwrap();
        let line = r#"preview_commands_total{baseline="shop/main",verb="create",result="too_old"} 1"#;
        assert_eq!(text.lines().any(|l| l == line), !acts, "{case}");
    }
}

#[tokio::test]
async fn what_was_written_after_the_close_is_answered_however_late_it_is_found() {
    let (world, context) = world(vec![]);
    world.untold.store(true, Ordering::Relaxed);
    *world.pull.lock().unwrap() = Some(PullRequest { state: SourceState::Merged, ..fixtures::pull() });
    world.turns.lock().unwrap().push_back(Ok(closed("2027-01-15T07:00:00Z")));
    let mut object = found(Verb::Create);
    object.metadata.creation_timestamp = serde_json::from_value(json!("2027-01-15T10:00:00Z")).unwrap();
    let found_at = now() + TimeDelta::hours(2);
    let waits = pass(&object, &context, found_at).await.unwrap();
    let done = world.done().join("\n");
    assert!(done.contains("results 1, Refused: The pull request is merged.") && !done.contains("apply"), "{done}");
    assert!(!done.contains("remove"), "it waits until it is told: {done}");
    assert_eq!(waits, Action::requeue(Duration::from_secs(3_590)), "an hour after it was found");
    object.status.get_or_insert_default().commands = context.memory.results(&object);
    world.untold.store(false, Ordering::Relaxed);
    pass(&object, &context, found_at).await.unwrap();
    assert_eq!(world.done(), ["remove"]);
}

#[tokio::test]
async fn what_carries_our_sign_from_before_this_term_is_passed_over() {
    for (case, led_before, signed, acts) in [
        ("answered by whoever led before", Some(30), Some(true), false),
        ("heard by nobody", Some(30), Some(false), true),
        ("given while nobody led, so that the sign is another service's", Some(-3_600), Some(true), true),
        ("nobody led before", None, Some(true), true),
        ("a forge that cannot tell", Some(30), None, true),
    ] {
        let (world, mut context) = world(vec![]);
        let given_at = given(Verb::Create, &[]).at;
        context.heard = Arc::new(Heard::new(led_before.map(|seconds| given_at + TimeDelta::seconds(seconds))));
        *world.signed.lock().unwrap() = signed;
        world.turns.lock().unwrap().push_back(Ok(Turns::default()));
        pass(&found(Verb::Create), &context, later()).await.unwrap();
        let done = world.done();
        assert_eq!(done.iter().any(|what| what.starts_with("apply preview-env/wish")), acts, "{case}: {done:?}");
        assert_eq!(done == ["remove"], !acts, "{case}: {done:?}");
    }
}

#[tokio::test]
async fn a_sign_of_this_term_for_another_environment_or_line_is_no_answer() {
    let (world, mut context) = world(vec![]);
    context.heard = Arc::new(Heard::new(Some(now())));
    *world.signed.lock().unwrap() = Some(true);
    context.heard.end(("eu", "web-pr-42"), &given(Verb::Create, &[]), true);
    world.turns.lock().unwrap().push_back(Ok(Turns::default()));
    pass(&found(Verb::Create), &context, later()).await.unwrap();
    assert!(world.done().join("\n").contains("apply preview-env/wish"), "another Baseline's was answered first");

    let (world, mut context) = super::world(vec![]);
    context.heard = Arc::new(Heard::new(Some(now())));
    *world.signed.lock().unwrap() = Some(true);
    world.turns.lock().unwrap().push_back(Ok(Turns::default()));
    let mut object = found(Verb::Create);
    object.spec.commands[0].id = "1001.2".into();
    let before = CommandResult::of(&given(Verb::Help, &[]), CommandOutcome::Done);
    object.status.get_or_insert_default().commands = vec![before];
    pass(&object, &context, later()).await.unwrap();
    assert!(world.done().join("\n").contains("apply preview-env/wish"), "the first line of the comment was answered before a crash");
}

#[tokio::test]
async fn what_was_answered_where_no_environment_is_is_not_answered_again_for_another_object() {
    let (world, context) = world(vec![]);
    let mut object = environment(&given(Verb::Extend, &["1h", "2h"]), false);
    pass(&object, &context, now()).await.unwrap();
    assert!(world.done().join("\n").contains("results 1, Refused"));
    context.forget("u-1");
    object.metadata.uid = Some("u-2".into());
    pass(&object, &context, later()).await.unwrap();
    assert_eq!(world.done(), ["remove"]);
}

#[tokio::test]
async fn a_forge_that_cannot_say_is_asked_again_and_a_doubt_carries_nothing_out() {
    let away = || Err(ForgeError::Unavailable { what: "list".into(), why: "502".into() });
    let (world, context) = world(vec![]);
    world.turns.lock().unwrap().extend([away(), Ok(Turns::default())]);
    pass(&found(Verb::Create), &context, later()).await.unwrap();
    assert!(world.done().is_empty());
    pass(&found(Verb::Create), &context, later() + TimeDelta::minutes(1)).await.unwrap();
    assert!(world.done().join("\n").contains("apply preview-env/wish"), "it goes on once the forge is back");

    let (world, context) = super::world(vec![]);
    world.turns.lock().unwrap().push_back(Err(ForgeError::Refused { what: "list".into(), status: 403, message: "no".into() }));
    pass(&found(Verb::Create), &context, later()).await.unwrap();
    assert_eq!(world.done(), ["react 1001 Refused", "remove"]);
}

#[tokio::test]
async fn what_was_just_written_costs_no_question() {
    let (world, context) = world(vec![]);
    world.turns.lock().unwrap().push_back(Ok(closed("2027-01-15T08:05:00Z")));
    let mut object = found(Verb::Create);
    object.metadata.creation_timestamp = serde_json::from_value(json!("2027-01-15T08:01:00Z")).unwrap();
    object.spec.commands[0].delivery = Some("72d3162e-cc78".into());
    pass(&object, &context, now()).await.unwrap();
    assert_eq!(world.turns.lock().unwrap().len(), 1);
    assert!(world.done().join("\n").contains("apply preview-env/wish"));
}

#[tokio::test]
async fn what_was_found_beside_a_later_command_is_asked_about_however_young_it_is() {
    // The second time the API server's clock is behind the forge's.
    for made in ["2027-01-15T08:00:05Z", "2027-01-15T07:59:30Z"] {
        let (world, context) = world(vec![]);
        world.turns.lock().unwrap().push_back(Ok(closed("2027-01-15T08:00:03Z")));
        let mut object = found(Verb::Create);
        object.metadata.creation_timestamp = serde_json::from_value(json!(made)).unwrap();
        object.spec.commands.push(command("1002.1", 4, Verb::Pin, &[]));
        pass(&object, &context, now()).await.unwrap();
        assert_eq!(world.done(), ["prune 1001.1"], "{made}");
    }
}
