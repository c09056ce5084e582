//! The answer to commands on a pull request without an environment.

use std::sync::Arc;

use serde_json::json;

use super::double::{Double, Records};
use super::fixtures::*;
use crate::api::PreviewEnvironment;
use crate::api::environment::{Command, SourceState, Verb};
use crate::api::status::CommandResult;
use crate::feedback::deliver::{Deliverer, Measure, Memory, Outcome};
use crate::feedback::{Group, PullKey, Sources, group};

/// An object that holds that command, with what came of it.
fn only(name: &str, command: &Command, result: Option<CommandResult>) -> PreviewEnvironment {
    let spec = serde_json::from_value(json!({"baseline": "shop", "commands": [command]})).unwrap();
    let mut object = PreviewEnvironment::new("web-pr-42", spec);
    (object.metadata.namespace, object.metadata.uid) = (Some(name.into()), Some(format!("uid-of-{name}")));
    object.status().commands.extend(result);
    object
}

fn asked(verb: Verb, args: &[&str]) -> PreviewEnvironment {
    let command = asks("105.1", verb, args);
    only("shop", &command, Some(comes_to(&command, None, SourceState::Open)))
}

fn comments() -> Sources {
    plain().on(&Double::plain())
}

async fn deliver(forge: &Arc<Double>, members: &Arc<Records>) -> Option<Outcome> {
    let all = members.members();
    let group = Group::of(PullKey::of(&all[0])?, all)?;
    let show = comments().show(&group, early())?;
    let deliverer = Deliverer::new(forge.clone(), members.clone());
    Some(deliverer.deliver(&group, (&show, Measure::All), &mut Memory::default()).await)
}

fn text(members: impl IntoIterator<Item = PreviewEnvironment>) -> Option<String> {
    let members = all(members);
    let group = Group::of(PullKey::of(&members[0])?, members)?;
    Some(comments().show(&group, early())?.letter?.text)
}

#[test]
fn each_command_has_its_answer() {
    for (name, verb, args, state) in [
        ("asked_for_logs", Verb::Logs, vec!["web"], SourceState::Open),
        ("asked_with_a_typo", Verb::Unknown, vec!["craete"], SourceState::Open),
        ("asked_for_help", Verb::Help, vec![], SourceState::Open),
        ("asked_how_it_is", Verb::Status, vec![], SourceState::Open),
        ("asked_after_the_merge", Verb::Extend, vec!["24h"], SourceState::Merged),
        ("asked_after_the_close", Verb::Create, vec![], SourceState::Closed),
    ] {
        let command = asks("105.1", verb, &args);
        insta::assert_snapshot!(name, text([only("shop", &command, Some(comes_to(&command, None, state)))]).unwrap());
    }
}

#[tokio::test]
async fn it_is_told_in_one_comment_and_the_object_is_needed_until_then() {
    let (forge, records) = (Arc::new(Double::plain()), Records::of([asked(Verb::Logs, &["web"])]));
    let is_told = || group::nothing_left_to_say(&records.members()[0], &records.members(), &comments(), early());
    assert!(!is_told());
    assert_eq!(deliver(&forge, &records).await, Some(Outcome::Delivered));
    assert_eq!(forge.calls(), ["find", "create"]);
    assert!(is_told());

    // It is gone, and the next command makes another one.
    let records = Records::of([asked(Verb::Help, &[])]);
    assert_eq!(deliver(&forge, &records).await, Some(Outcome::Delivered));
    assert_eq!(forge.calls(), ["find", "edit"], "the comment is found again");
}

#[test]
fn a_stranger_makes_nobody_post() {
    let command = asks("105.1", Verb::Help, &[]);
    let by_stranger = CommandResult { may_command: false, ..comes_to(&command, None, SourceState::Open) };
    let object = only("shop", &command, Some(by_stranger.clone()));
    assert_eq!(text([object.clone()]), None);
    assert!(group::nothing_left_to_say(&object, &[], &comments(), early()), "so it goes");
    assert_eq!(text([only("shop", &command, None)]), None, "nothing came of it yet");

    // Nor where an environment is recorded that nobody wanted.
    let opens = |result| {
        let mut object = recorded().unwanted("NotTriggered", "Waiting");
        object.status().commands = vec![result];
        let members = all([object]);
        let group = Group::of(PullKey::of(&members[0]).unwrap(), members).unwrap();
        comments().show(&group, early()).unwrap().letter.unwrap().opens
    };
    assert!(!opens(by_stranger.clone()));
    assert!(opens(CommandResult { may_command: true, ..by_stranger }));
}

#[test]
fn of_two_baselines_the_answer_is_one_and_stays_while_one_after_the_other_goes() {
    let command = asks("105.1", Verb::Logs, &["web"]);
    let of = |name| only(name, &command, Some(comes_to(&command, None, SourceState::Open)));
    let both = text([of("shop"), of("shop-eu")]).unwrap();
    assert_eq!(text([of("shop-eu")]).unwrap(), both);
    assert_eq!(both.matches("/preview logs web").count(), 1);
}

#[tokio::test]
async fn beside_an_environment_it_is_silent_and_goes() {
    let (forge, records) = (Arc::new(Double::plain()), Records::of([asked(Verb::Logs, &["web"]), second(ready())]));
    assert_eq!(deliver(&forge, &records).await, Some(Outcome::Delivered));
    let body = forge.body();
    assert!(body.contains("is ready") && !body.contains("No preview") && !body.contains("/preview logs web` by"), "{body}");
    let members = records.members();
    assert!(group::nothing_left_to_say(&members[0], &members, &comments(), early()));
}

#[test]
fn a_baseline_that_wants_no_comment_gets_none() {
    let members = all([asked(Verb::Help, &[])]);
    let group = Group::of(PullKey::of(&members[0]).unwrap(), members.clone()).unwrap();
    let never = by(shop(&json!({"comment": "Never"}), false));
    assert_eq!(never.show(&group, early()), None);
    assert!(group::nothing_left_to_say(&members[0], &[], &never, early()));
}
