//! Every payload that GitHub publishes for the events that we read, through the endpoint to a decision; and damaged ones.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use github_double::signature;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::SECRET;
use super::deliveries::{Notebook, routes};

/// One for each action.
const PUBLISHED: &str = include_str!("../github/contract/payloads.json");

/// How many damaged ones are delivered each time.
const DAMAGED: usize = 4_000;

/// The payloads by their event.
fn published() -> Vec<(String, Value)> {
    let all: serde_json::Map<String, Value> = serde_json::from_str(PUBLISHED).unwrap();
    let events = all.into_iter().filter(|(event, _)| event != "organization");
    events
        .flat_map(|(event, actions)| actions.as_object().unwrap().values().map(|p| (event.clone(), p.clone())).collect::<Vec<_>>())
        .collect()
}

async fn answered(routes: &Router, event: &str, body: Vec<u8>) -> (u16, String) {
    let request = Request::post("/webhooks/github")
        .header("content-type", "application/json")
        .header("x-github-event", event)
        .header("x-github-delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958")
        .header("x-hub-signature-256", signature(SECRET, &body));
    let answer = routes.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
    let status = answer.status().as_u16();
    let text = answer.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8_lossy(&text).into_owned())
}

/// What is decided of each: words of the answer, and the fact that is recorded.
const DECISIONS: [(&str, &str, &str, Option<&str>); 28] = [
    ("check_run", "completed", "the action completed", None),
    ("check_run", "created", "the action created", None),
    ("check_run", "requested_action", "none of ours", None),
    ("check_run", "rerequested", "the action rerequested", None),
    ("installation", "created", "the action created", None),
    ("installation", "deleted", "uninstalled, and no environment", None),
    ("installation", "suspend", "names no repository", None),
    ("installation", "unsuspend", "the action unsuspend", None),
    ("installation_repositories", "added", "the action added", None),
    ("installation_repositories", "removed", "taken out of the repository, and no environment", None),
    ("issue_comment", "created", "an issue that is no pull request", None),
    ("issue_comment", "deleted", "as it was written at first", None),
    ("issue_comment", "edited", "as it was written at first", None),
    ("ping", "", "pong", None),
    ("pull_request", "closed", "accepted", Some("shop/hello-world-pr-2 Closed bug")),
    ("pull_request", "converted_to_draft", "accepted", Some("shop/hello-world-pr-2 Open draft bug")),
    ("pull_request", "labeled", "accepted", Some("shop/hello-world-pr-2 Open bug")),
    ("pull_request", "opened", "accepted", Some("shop/hello-world-pr-2 Open bug")),
    ("pull_request", "ready_for_review", "accepted", Some("shop/hello-world-pr-2 Open bug")),
    ("pull_request", "reopened", "accepted", Some("shop/hello-world-pr-2 Open bug")),
    ("pull_request", "synchronize", "accepted", Some("shop/hello-world-pr-2 Open bug")),
    ("pull_request", "unlabeled", "accepted", Some("shop/hello-world-pr-2 Open bug")),
    ("push", "", "ignored: ", None),
    ("repository", "created", "the action created", None),
    ("repository", "privatized", "the action privatized", None),
    ("repository", "publicized", "the action publicized", None),
    ("repository", "renamed", "keep its number", None),
    ("repository", "transferred", "keep its number", None),
];

#[tokio::test]
async fn every_published_payload_ends_in_a_decision() {
    let (folder, notebook) = (tempfile::tempdir().unwrap(), Arc::new(Notebook::default()));
    let routes = routes(&folder, &notebook, "Codertocat/Hello-World");
    let mut decided = Vec::new();
    for (event, payload) in published() {
        let action = payload["action"].as_str().unwrap_or_default();
        let expected = DECISIONS.iter().find(|(e, a, ..)| (*e, *a) == (event.as_str(), action));
        let (_, _, words, fact) = *expected.unwrap_or_else(|| panic!("no decision is stated for {event} {action}"));
        let (status, text) = answered(&routes, &event, payload.to_string().into_bytes()).await;
        assert!(matches!(status, 200 | 202) && text.contains(words), "{event} {action}: {status} {text}");
        let facts: Vec<String> = notebook.facts().iter().map(|f| shown(&f.display(), &f.source)).collect();
        assert_eq!(facts, fact.into_iter().collect::<Vec<_>>(), "{event} {action}");
        decided.push((event, action.to_owned()));
    }
    let stated = DECISIONS.iter().map(|(event, action, ..)| ((*event).to_owned(), (*action).to_owned()));
    assert!(stated.eq(decided) && notebook.commands().is_empty());
}

fn shown(name: &str, source: &preview_env::api::Source) -> String {
    let marks = source.draft.then_some("draft").into_iter().chain(source.labels.iter().map(String::as_str));
    marks.fold(format!("{name} {:?}", source.state), |text, mark| format!("{text} {mark}"))
}

/// A small generator that gives the same numbers each time (xorshift64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(below).unwrap()).unwrap()
    }
}

/// One value somewhere is another, or bytes are, or the end is missing.
fn damaged(payload: &Value, dice: &mut Dice) -> Vec<u8> {
    let mut payload = payload.clone();
    if dice.roll(2) == 0 {
        let strange =
            [json!(null), json!(-1), json!(i64::MAX), json!("\u{0}<!-- @everyone"), json!([]), json!({}), json!(1.5), json!(true)];
        let place = dice.roll(400);
        let strange = strange[dice.roll(strange.len())].clone();
        replace(&mut payload, &mut { place }, strange);
        return payload.to_string().into_bytes();
    }
    let mut bytes = payload.to_string().into_bytes();
    for _ in 0..=dice.roll(4) {
        let at = dice.roll(bytes.len());
        bytes[at] = u8::try_from(dice.roll(256)).unwrap();
    }
    if dice.roll(4) == 0 {
        bytes.truncate(dice.roll(bytes.len()));
    }
    bytes
}

/// Replaces the value at that place, counted in the order of the text, and gives nothing back; or what was to be put there.
fn replace(value: &mut Value, place: &mut usize, by: Value) -> Option<Value> {
    if *place == 0 {
        *value = by;
        return None;
    }
    *place -= 1;
    let mut inner: Box<dyn Iterator<Item = &mut Value>> = match value {
        Value::Object(fields) => Box::new(fields.values_mut()),
        Value::Array(items) => Box::new(items.iter_mut()),
        _ => return Some(by),
    };
    inner.try_fold(by, |by, value| replace(value, place, by))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_payload_is_refused_or_ignored_and_nothing_is_written() {
    deliver_damaged(DAMAGED).await;
}

/// `cargo test --test forge -- --ignored damaged`
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes"]
async fn a_hundred_thousand_damaged_payloads_are_refused_or_ignored() {
    deliver_damaged(100_000).await;
}

/// The Baseline lists none of the repositories that the payloads are of, so whatever is recorded is wrong.
async fn deliver_damaged(count: usize) {
    let (folder, notebook) = (tempfile::tempdir().unwrap(), Arc::new(Notebook::default()));
    let routes = routes(&folder, &notebook, "acme/web");
    let payloads = Arc::new(published());
    let refused = Arc::new(AtomicUsize::new(0));
    let tasks = (1..=4).map(|seed| {
        let (routes, payloads, refused) = (routes.clone(), Arc::clone(&payloads), Arc::clone(&refused));
        tokio::spawn(async move {
            let mut dice = Dice(0x9e37_79b9_7f4a_7c15 ^ seed);
            for _ in 0..count / 4 {
                let (event, payload) = &payloads[dice.roll(payloads.len())];
                let body = damaged(payload, &mut dice);
                let (status, text) = answered(&routes, event, body).await;
                assert!(matches!(status, 200 | 202 | 400), "{event}: {status} {text}");
                refused.fetch_add(usize::from(status == 400), Ordering::Relaxed);
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    assert_eq!((notebook.facts(), notebook.commands()), (vec![], vec![]));
    let refused = refused.load(Ordering::Relaxed);
    assert!(refused > count / 10 && refused < count, "{refused} were refused");
}
