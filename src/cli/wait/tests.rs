use super::*;
use futures::stream;
use serde_json::json;

fn environment(generation: i64, status: serde_json::Value) -> PreviewEnvironment {
    serde_json::from_value(json!({
        "apiVersion": "preview-env.dev/v1alpha1", "kind": "PreviewEnvironment",
        "metadata": {"name": "web-pr-42", "namespace": "shop", "uid": "u-1", "generation": generation},
        "spec": {"baseline": "shop"}, "status": status
    }))
    .unwrap()
}

fn status(applied_at: Option<&str>, ready: bool) -> serde_json::Value {
    let condition = json!({"type": "Ready", "status": if ready { "True" } else { "False" }, "reason": "R",
        "message": if ready { "" } else { "waiting for acme/web:pr-42" }, "lastTransitionTime": "2026-01-01T00:00:00Z"});
    json!({"observedGeneration": 1, "appliedAt": applied_at, "conditions": [condition],
        "inventory": [{"apiVersion": "v1", "kind": "Service", "name": "web"}],
        "services": [{"kind": "Deployment", "name": "web", "from": "Branch", "ready": ready}]})
}

#[tokio::test]
async fn a_wait_ends_when_the_environment_is_ready() {
    let asked = environment(1, json!({}));
    let changes = [environment(1, json!({})), environment(1, status(None, false)), environment(1, status(None, true))];
    let ready = until_ready(stream::iter(changes.map(|e| Ok(Some(e)))), &asked, Limit::from_now(Duration::from_secs(60))).await.unwrap();
    assert!(ready.status.unwrap().services[0].ready);
}

#[tokio::test]
async fn a_wait_ends_when_the_object_goes_or_the_cluster_refuses() {
    let (asked, limit) = (environment(1, json!({})), Limit::from_now(Duration::from_secs(60)));
    let gone = until_ready(stream::iter([Ok(None)]), &asked, limit).await.unwrap_err();
    assert_eq!(gone.exit, Exit::CannotBeReady);
    let refused = Failure::failed("you may not watch");
    assert_eq!(until_ready(stream::iter([Err(refused.clone())]), &asked, limit).await.unwrap_err(), refused);
}

#[tokio::test]
async fn a_wait_ends_with_its_time() {
    let asked = environment(1, status(None, false));
    let changes = stream::iter([Ok(Some(asked.clone()))]).chain(stream::pending());
    let late = until_ready(changes, &asked, Limit::from_now(Duration::from_millis(20))).await.unwrap_err();
    insta::assert_snapshot!(late, @r"
    error: web-pr-42 is not ready after 20ms: waiting for acme/web:pr-42
      it goes on without this command; why it takes long: preview describe web-pr-42
    ");
    assert_eq!(late.exit, Exit::TimedOut);
}

#[tokio::test]
async fn gone_means_this_object_not_its_successor() {
    let (asked, limit) = (environment(1, json!({})), Limit::from_now(Duration::from_secs(60)));
    let mut successor = asked.clone();
    successor.metadata.uid = Some("u-2".into());
    until_gone(stream::iter([Ok(Some(asked.clone())), Ok(Some(successor))]), &asked, limit).await.unwrap();
    until_gone(stream::iter([Ok(None)]), &asked, limit).await.unwrap();
}

#[test]
fn progress_tells_an_apply_once_and_only_a_new_one() {
    let old = "2026-01-01T00:00:00Z";
    let mut progress = Progress::new(&environment(1, status(Some(old), false)), Instant::now());
    assert_eq!(progress.news(&environment(1, status(Some(old), false))), ["waiting for acme/web:pr-42"]);
    let now = environment(1, status(Some("2026-01-01T00:01:00Z"), true));
    assert_eq!(progress.news(&now), ["1 object applied", "1 of 1 services ready"]);
    assert_eq!(progress.news(&now), ["1 of 1 services ready"]);
}

#[test]
fn progress_lines_line_up() {
    let lines = [
        progress_line("web-pr-42", "41 objects applied", Duration::from_millis(210)),
        progress_line("web-pr-42", "waiting for acme/web:pr-42-3f9c2ab\u{1b}[2J", Duration::from_secs(42)),
        progress_line("web-pr-42", "12 of 12 services ready", Duration::from_secs(79)),
    ];
    insta::assert_snapshot!(lines.join("\n"), @r"
    web-pr-42  41 objects applied                        0.2 s
    web-pr-42  waiting for acme/web:pr-42-3f9c2ab[2J     42 s
    web-pr-42  12 of 12 services ready                   1m19s
    ");
}
