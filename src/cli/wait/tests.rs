use super::*;
use futures::stream;
use serde_json::json;
use std::sync::{Arc, Mutex};

/// A screen that can be read afterwards.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    fn screen(&self, terminal: bool) -> Screen {
        Screen { out: Box::new(self.clone()), terminal }
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn environment(generation: i64, status: &serde_json::Value) -> PreviewEnvironment {
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
    let asked = environment(1, &json!({}));
    let changes = [environment(1, &json!({})), environment(1, &status(None, false)), environment(1, &status(None, true))];
    let ready = until_ready(
        stream::iter(changes.map(|e| Ok(Some(e)))),
        &asked,
        Limit::from_now(Duration::from_secs(60)),
        &mut Shared::default().screen(false),
    )
    .await
    .unwrap();
    assert!(ready.status.unwrap().services[0].ready);
}

#[tokio::test]
async fn a_wait_ends_when_the_object_goes_or_the_cluster_refuses() {
    let (asked, limit) = (environment(1, &json!({})), Limit::from_now(Duration::from_secs(60)));
    let gone = until_ready(stream::iter([Ok(None)]), &asked, limit, &mut Shared::default().screen(false)).await.unwrap_err();
    assert_eq!(gone.exit, Exit::CannotBeReady);
    let refused = Failure::failed("you may not watch");
    assert_eq!(
        until_ready(stream::iter([Err(refused.clone())]), &asked, limit, &mut Shared::default().screen(false)).await.unwrap_err(),
        refused
    );
}

#[tokio::test]
async fn a_wait_ends_with_its_time() {
    let asked = environment(1, &status(None, false));
    let changes = stream::iter([Ok(Some(asked.clone()))]).chain(stream::pending());
    let late =
        until_ready(changes, &asked, Limit::from_now(Duration::from_millis(20)), &mut Shared::default().screen(false)).await.unwrap_err();
    insta::assert_snapshot!(late, @r"
    error: web-pr-42 is not ready after 20ms: waiting for acme/web:pr-42
      it goes on without this command; why it takes long: preview describe web-pr-42
    ");
    assert_eq!(late.exit, Exit::TimedOut);
}

#[tokio::test]
async fn gone_means_this_object_not_its_successor() {
    let (asked, limit) = (environment(1, &json!({})), Limit::from_now(Duration::from_secs(60)));
    let mut successor = asked.clone();
    successor.metadata.uid = Some("u-2".into());
    until_gone(stream::iter([Ok(Some(asked.clone())), Ok(Some(successor))]), &asked, limit, &mut Shared::default().screen(false))
        .await
        .unwrap();
    until_gone(stream::iter([Ok(None)]), &asked, limit, &mut Shared::default().screen(false)).await.unwrap();
}

/// What a wait over these changes shows, without the times.
async fn shown(terminal: bool) -> String {
    let (old, new) = (Some("2026-01-01T00:00:00Z"), Some("2026-01-01T00:01:00Z"));
    let asked = environment(1, &status(old, false));
    let changes = [status(old, false), status(old, false), status(new, false), status(new, true)].map(|s| environment(1, &s));
    let (out, limit) = (Shared::default(), Limit::from_now(Duration::from_secs(60)));
    Box::pin(until_ready(stream::iter(changes.map(|e| Ok(Some(e)))), &asked, limit, &mut out.screen(terminal))).await.unwrap();
    let text = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
    text.lines().map(|line| line.rsplit_once("  ").map_or(line, |(left, _)| left).trim_end().to_owned() + "\n").collect()
}

#[tokio::test]
async fn a_pipe_gets_a_line_per_change_and_an_old_apply_is_no_news() {
    insta::assert_snapshot!(Box::pin(shown(false)).await, @r"
    web-pr-42  waiting for acme/web:pr-42
    web-pr-42  1 object applied
    web-pr-42  waiting for acme/web:pr-42
    web-pr-42  1 of 1 services ready
    ");
}

#[tokio::test]
async fn a_terminal_gets_one_line_that_changes() {
    let text = Box::pin(shown(true)).await;
    assert_eq!((text.matches("\r\u{1b}[2K").count(), text.lines().count()), (4, 1), "{text:?}");
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
