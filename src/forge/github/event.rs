//! A GitHub delivery as an [`Event`]. No client, no clock, no logging.

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::wire::{self, Pull, User};
use crate::api::baseline::ForgeKind;
use crate::forge::event::{Event, ParseError, PullAction};

#[derive(Deserialize)]
struct Kind {
    action: String,
}

#[derive(Deserialize)]
struct PullEvent {
    pull_request: Pull,
    sender: User,
}

/// Reads a body by the name in `X-GitHub-Event`. The signature was checked before.
pub fn parse(event_header: &str, body: &[u8]) -> Result<Event, ParseError> {
    match event_header {
        "pull_request" => parse_pull(body),
        "ping" => read::<IgnoredAny>(body).map(|_| Event::Ping),
        "" => Err(ParseError { field: "X-GitHub-Event".to_owned(), why: "the header is missing or empty".to_owned() }),
        other => {
            read::<IgnoredAny>(body)?;
            let name = shown(other);
            Ok(Event::Ignored { why: format!("no environment depends on the event {name}; only pull_request and ping are read") })
        }
    }
}

fn parse_pull(body: &[u8]) -> Result<Event, ParseError> {
    let kind: Kind = read(body)?;
    let Some(action) = PullAction::named(&kind.action) else {
        let name = shown(&kind.action);
        return Ok(Event::Ignored { why: format!("no environment depends on the action {name} of a pull request") });
    };
    let event: PullEvent = read(body)?;
    Ok(Event::PullRequest { forge: ForgeKind::Github, action, pull: Box::new(event.pull_request.into()), sender: event.sender.login })
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, ParseError> {
    let wrong = |(field, why)| ParseError { field, why };
    // A list would be taken for the fields of an object in their order.
    if body.trim_ascii_start().first() != Some(&b'{') {
        wire::read::<IgnoredAny>(body).map_err(wrong)?;
        return Err(wrong(("body".to_owned(), "it is not a JSON object".to_owned())));
    }
    wire::read(body).map_err(wrong)
}

/// A name that somebody else chose, fit for a sentence and a log line.
fn shown(name: &str) -> String {
    name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::environment::SourceState;
    use crate::forge::PullRequest;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn payload(action: &str) -> Value {
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
            "repository": {"id": 7, "full_name": "acme/web"},
            "sender": {"login": "bob"},
        })
    }

    fn at<'a>(value: &'a mut Value, pointer: &str) -> &'a mut Value {
        value.pointer_mut(pointer).unwrap()
    }

    fn read_pull(payload: &Value) -> Result<PullRequest, ParseError> {
        match parse("pull_request", payload.to_string().as_bytes())? {
            Event::PullRequest { pull, .. } => Ok(*pull),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_action_that_matters_is_read() {
        for action in PullAction::ALL {
            let event = parse("pull_request", payload(action.as_str()).to_string().as_bytes()).unwrap();
            let Event::PullRequest { action: read, pull, sender, .. } = event else { panic!("{event:?}") };
            assert_eq!((read, pull.number, pull.repository_id, sender.as_str()), (action, 42, 7, "bob"));
            assert_eq!((pull.author.as_str(), pull.head_branch.as_str(), pull.base_branch.as_str()), ("ann", "faster", "main"));
            assert_eq!((pull.revision.short(), pull.updated_at.to_rfc3339().as_str()), ("3f9c2ab", "2026-01-02T03:04:05+00:00"));
        }
    }

    #[test]
    fn what_is_no_object_is_said_to_be_none() {
        for (body, why) in
            [("[\"opened\"]", "not a JSON object"), ("\"opened\"", "not a JSON object"), ("opened", "not JSON"), ("", "not JSON")]
        {
            let error = parse("pull_request", body.as_bytes()).unwrap_err();
            assert!(error.field == "body" && error.why.contains(why), "{error}");
        }
    }

    #[test]
    fn other_events_and_actions_are_ignored_with_a_reason() {
        for (header, body, word) in [
            ("push", json!({}), "push"),
            ("issue_comment", json!({"action": "created"}), "issue_comment"),
            ("pull_request", json!({"action": "assigned"}), "assigned"),
        ] {
            match parse(header, body.to_string().as_bytes()).unwrap() {
                Event::Ignored { why } => assert!(why.contains(word), "{why}"),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(parse("ping", br#"{"zen": "Keep it logically awesome."}"#).unwrap(), Event::Ping);
    }

    #[test]
    fn a_closed_pull_request_is_merged_or_not() {
        for (state, merged, expected) in [
            ("open", json!(false), SourceState::Open),
            ("closed", json!(false), SourceState::Closed),
            ("closed", json!(null), SourceState::Closed),
            ("closed", json!(true), SourceState::Merged),
        ] {
            let mut payload = payload("closed");
            *at(&mut payload, "/pull_request/state") = json!(state);
            *at(&mut payload, "/pull_request/merged") = merged;
            assert_eq!(read_pull(&payload).unwrap().state, expected);
        }
    }

    #[test]
    fn a_deleted_fork_and_a_deleted_author_are_understood() {
        let mut payload = payload("opened");
        *at(&mut payload, "/pull_request/head/repo") = json!(null);
        *at(&mut payload, "/pull_request/user") = json!(null);
        let pull = read_pull(&payload).unwrap();
        assert_eq!((pull.head_repository_id, pull.author.as_str()), (None, "ghost"));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (pointer, value, field) in [
            ("/pull_request/head/sha", json!("not a commit"), "pull_request.head.sha"),
            ("/pull_request/head/sha", json!(3), "pull_request.head.sha"),
            ("/pull_request/base/repo/full_name", json!("web"), "pull_request.base.repo.full_name"),
            ("/pull_request/base/repo/id", json!(0), "pull_request.base.repo.id"),
            ("/pull_request/updated_at", json!("yesterday"), "pull_request.updated_at"),
            ("/pull_request/state", json!("ajar"), "pull_request.state"),
            ("/pull_request/head", json!({"ref": "x"}), "pull_request.head.sha"),
            ("/pull_request", json!({}), "pull_request.number"),
            ("/sender", json!(null), "sender"),
            ("/action", json!(1), "action"),
        ] {
            let mut payload = payload("opened");
            *at(&mut payload, pointer) = value;
            assert_eq!(parse("pull_request", payload.to_string().as_bytes()).unwrap_err().field, field);
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
            ("push", "{", "body"),
            ("ping", "\u{0}", "body"),
            ("pull_request", "{}", "action"),
            ("pull_request", r#"{"action": "opened"}"#, "pull_request"),
            ("", "{}", "X-GitHub-Event"),
        ] {
            assert_eq!(parse(header, body.as_bytes()).unwrap_err().field, field, "{header} {body}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(header in "(ping|pull_request|[ -~]{0,20})", body in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = parse(&header, &body);
        }

        #[test]
        fn no_damage_to_a_real_payload_makes_it_panic(at in 0usize..600, byte in any::<u8>()) {
            let mut body = payload("opened").to_string().into_bytes();
            let at = at % body.len();
            body[at] = byte;
            let _ = parse("pull_request", &body);
            let _ = parse("pull_request", &body[..at]);
        }
    }
}
