//! A command that was given long before its object was made: what came of it may have gone with the object before.

use super::*;
use crate::api::environment::SourceState;

/// Ten minutes after the command was given, an object is made that holds it and nothing else.
fn found(verb: Verb) -> PreviewEnvironment {
    let mut object = environment(&given(verb, &[]), false);
    object.metadata.creation_timestamp = serde_json::from_value(json!("2027-01-15T08:10:00Z")).unwrap();
    object
}

fn later() -> DateTime<Utc> {
    now() + TimeDelta::minutes(10)
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

#[tokio::test]
async fn what_was_written_before_a_close_or_a_reopening_is_passed_over_without_a_word() {
    for (case, turned, state, acts) in [
        ("its delivery was lost", Ok(None), SourceState::Open, true),
        ("closed and reopened before it was written", Ok(Some(at("2027-01-15T07:59:59Z"))), SourceState::Open, true),
        ("closed and reopened since, and what came of it is forgotten", Ok(Some(at("2027-01-15T08:05:00Z"))), SourceState::Open, false),
        ("closed since", Ok(Some(at("2027-01-15T08:05:00Z"))), SourceState::Closed, false),
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
    *world.pull.lock().unwrap() = Some(PullRequest { state: SourceState::Merged, ..fixtures::pull() });
    world.turns.lock().unwrap().push_back(Ok(Some(at("2027-01-15T07:00:00Z"))));
    pass(&found(Verb::Create), &context, later()).await.unwrap();
    let done = world.done().join("\n");
    assert!(done.contains("results 1, Refused: The pull request is merged.") && !done.contains("apply"), "{done}");
}

#[tokio::test]
async fn a_forge_that_cannot_say_is_asked_again_and_a_doubt_carries_nothing_out() {
    let away = || Err(ForgeError::Unavailable { what: "list".into(), why: "502".into() });
    let (world, context) = world(vec![]);
    world.turns.lock().unwrap().extend([away(), Ok(None)]);
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
    world.turns.lock().unwrap().push_back(Ok(Some(at("2027-01-15T08:05:00Z"))));
    let mut object = found(Verb::Create);
    object.metadata.creation_timestamp = serde_json::from_value(json!("2027-01-15T08:01:00Z")).unwrap();
    object.spec.commands[0].delivery = Some("72d3162e-cc78".into());
    pass(&object, &context, now()).await.unwrap();
    assert_eq!(world.turns.lock().unwrap().len(), 1);
    assert!(world.done().join("\n").contains("apply preview-env/wish"));
}

#[tokio::test]
async fn what_was_found_beside_a_later_command_is_asked_about_however_young_it_is() {
    let (world, context) = world(vec![]);
    world.turns.lock().unwrap().push_back(Ok(Some(at("2027-01-15T08:00:03Z"))));
    let mut object = found(Verb::Create);
    object.metadata.creation_timestamp = serde_json::from_value(json!("2027-01-15T08:00:05Z")).unwrap();
    object.spec.commands.push(command("1002.1", 4, Verb::Pin, &[]));
    pass(&object, &context, now()).await.unwrap();
    assert_eq!(world.done(), ["prune 1001.1"]);
}
