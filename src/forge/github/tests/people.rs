//! Who may do what: a doubt is an error.

use super::*;
use crate::forge::{Permission, Turns};

const ANN: &str = "GET /repos/acme/web/collaborators/ann/permission";

fn held(permission: &str, role: &str, login: &str) -> Value {
    json!({"permission": permission, "role_name": role, "user": {"login": login, "id": 1}})
}

#[tokio::test]
async fn what_somebody_may_do_is_their_role() {
    for (answer, expected) in [
        (held("admin", "admin", "ann"), Permission::Admin),
        (held("write", "maintain", "Ann"), Permission::Maintain),
        (held("write", "deployer", "ann"), Permission::Write),
        (held("read", "triage", "ann"), Permission::Triage),
        (json!({"permission": "none", "role_name": "none", "user": null}), Permission::None),
    ] {
        let world = Double::default().on(ANN, 200, answer).start().await;
        assert_eq!(world.github.permission(&web(), "ann").await.unwrap(), expected);
    }
}

#[tokio::test]
async fn an_apps_login_is_asked_for_whole() {
    let line = "GET /repos/acme/web/collaborators/renovate%5Bbot%5D/permission";
    let world = Double::default().on(line, 200, held("write", "write", "renovate[bot]")).start().await;
    assert_eq!(world.github.permission(&web(), "renovate[bot]").await.unwrap(), Permission::Write);
}

#[tokio::test]
async fn somebody_who_is_not_there_may_nothing_and_every_doubt_is_an_error() {
    let message = |text: &str| json!({"message": text});
    let world = Double::default().on(ANN, 404, message("ann is not a user")).start().await;
    assert_eq!(world.github.permission(&web(), "ann").await.unwrap(), Permission::None);
    for (status, answer) in [
        (404, message("Not Found")),
        (404, json!("<html>")),
        (403, message("Must have push access to view collaborator permission.")),
        (200, json!("<html>")),
        (200, json!([])),
        (200, held("owner", "boss", "ann")),
        (200, held("admin", "admin", "eve")),
        (500, message("oops")),
    ] {
        let world = Double::default().on(ANN, status, answer.clone()).start().await;
        let error = world.github.permission(&web(), "ann").await.unwrap_err();
        assert!(!matches!(error, ForgeError::NotFound(_)), "{answer}: {error}");
    }
}

fn event(kind: &str, label: &str, actor: &str) -> Value {
    json!({"id": 1, "event": kind, "actor": {"login": actor, "id": 1}, "label": {"name": label, "color": "fff"}})
}

#[tokio::test]
async fn a_label_was_given_by_the_one_who_gave_it_last() {
    let (labeled, unlabeled) = (|who| event("labeled", "preview", who), |who| event("unlabeled", "Preview", who));
    let closed = json!({"id": 2, "event": "closed", "actor": null});
    for (events, expected) in [
        (json!([]), None),
        (json!([labeled("ann")]), Some("ann")),
        (json!([labeled("ann"), unlabeled("bob")]), None),
        (json!([labeled("ann"), unlabeled("bob"), labeled("eve"), closed]), Some("eve")),
        (json!([labeled("ann"), event("labeled", "other", "eve")]), Some("ann")),
        (json!([{"id": 1, "event": "labeled", "actor": null, "label": {"name": "preview"}}]), None),
    ] {
        let world = Double::default().on("GET /repos/acme/web/issues/42/events?per_page=100&page=1", 200, events.clone()).start().await;
        assert_eq!(world.github.labelled_by(&web(), 42, "preview").await.unwrap().as_deref(), expected, "{events}");
    }
}

#[tokio::test]
async fn a_pull_request_was_closed_or_reopened_when_that_last_happened() {
    let turn = |kind: &str, at: &str| json!({"id": 3, "event": kind, "actor": null, "created_at": at});
    let (opened, closed) = (event("labeled", "preview", "ann"), turn("closed", "2026-01-02T03:04:05Z"));
    for (events, expected) in [
        (json!([]), (None, None)),
        (json!([opened]), (None, None)),
        (json!([closed]), (Some("2026-01-02T03:04:05Z"), None)),
        (json!([closed, turn("reopened", "2026-01-03T03:04:05Z"), opened]), (Some("2026-01-02T03:04:05Z"), Some("2026-01-03T03:04:05Z"))),
        (json!([turn("merged", "2026-01-03T03:04:05Z"), turn("closed", "2026-01-03T03:04:06Z")]), (Some("2026-01-03T03:04:06Z"), None)),
    ] {
        let world = Double::default().on("GET /repos/acme/web/issues/42/events?per_page=100&page=1", 200, events.clone()).start().await;
        let at = |text: Option<&str>| text.map(|at| at.parse().unwrap());
        let expected = Turns { closed_at: at(expected.0), reopened_at: at(expected.1) };
        assert_eq!(world.github.closed_or_reopened_at(&web(), 42).await.unwrap(), expected, "{events}");
    }
}

#[tokio::test]
async fn the_last_page_of_events_counts() {
    let path = |page| format!("GET /repos/acme/web/issues/42/events?per_page=100&page={page}");
    let first: Vec<Value> = std::iter::repeat_n(event("labeled", "preview", "ann"), 100).collect();
    let world =
        Double::default().on(&path(1), 200, json!(first)).on(&path(2), 200, json!([event("unlabeled", "preview", "ann")])).start().await;
    assert_eq!(world.github.labelled_by(&web(), 42, "preview").await.unwrap(), None);
}
