//! The last lines that a pod logged, fit to be shown. The client is used here.

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::api::LogParams;
use kube::{Api, Client, ResourceExt};

use super::requests::within_deadline;
use crate::commands::mask;

/// Most bytes that are read of a log, for each of its last lines. A kubelet stops where the limit is reached, so the lines that
/// matter most would be missing. Container runtimes part longer lines into pieces of this, each of which counts as a line
/// (containerd: `max_container_log_line_size`).
pub const LINE_BYTES: i64 = 16_384;

/// How much of a log is kept: enough for the exception, little for etcd.
pub(super) struct Extent {
    lines: i64,
    characters: usize,
}

/// Of a hook that failed.
pub(super) const HOOK: Extent = Extent { lines: 10, characters: 2_000 };
/// Of a service that crashes.
pub(super) const CRASH: Extent = Extent { lines: 20, characters: 4_000 };

/// The end of what a pod's failing container logged, and where it has been started again, of what it logged before. A help
/// and no more, so a failure to read it is none.
pub(super) async fn last_lines((client, namespace): (&Client, &str), pod: &Pod, extent: &Extent) -> Option<String> {
    let failed = failed_container(pod);
    let params = LogParams {
        container: failed.map(|c| c.name.clone()).or_else(|| first_container(pod)),
        previous: failed.is_some_and(|c| c.restart_count > 0 && c.state.as_ref().is_some_and(|s| s.terminated.is_none())),
        tail_lines: Some(extent.lines),
        limit_bytes: Some(extent.lines * LINE_BYTES),
        ..LogParams::default()
    };
    let (api, name): (Api<Pod>, _) = (Api::namespaced(client.clone(), namespace), pod.name_any());
    let answer = within_deadline("read the log of a pod", api.logs(&name, &params)).await;
    let text = answer.inspect_err(|error| tracing::debug!(namespace, pod = name, %error, "there is no log")).ok()?;
    Some(shortened(&text, extent.characters)).filter(|text| !text.is_empty())
}

/// The container that ended badly, now or before its last start.
fn failed_container(pod: &Pod) -> Option<&ContainerStatus> {
    let status = pod.status.as_ref()?;
    let mut statuses = status.init_container_statuses.iter().chain(&status.container_statuses).flatten();
    statuses.find(|container| {
        let then = [&container.state, &container.last_state];
        !container.ready && then.into_iter().flatten().any(|s| s.terminated.as_ref().is_some_and(|t| t.exit_code != 0))
    })
}

fn first_container(pod: &Pod) -> Option<String> {
    Some(pod.spec.as_ref()?.containers.first()?.name.clone())
}

/// The last characters, without what would move a terminal's cursor and without passwords that can be told as such.
fn shortened(text: &str, characters: usize) -> String {
    let plain: String = text.chars().filter(|c| *c == '\n' || *c == '\t' || !c.is_control()).collect();
    let shown: Vec<char> = mask::shown(&plain).chars().collect();
    shown[shown.len().saturating_sub(characters)..].iter().collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn the_end_of_a_log_is_kept_without_controls() {
        assert_eq!(shortened("a\u{1b}[2Jb\n", 100), "a[2Jb");
        assert_eq!(shortened(&"x".repeat(5_000), 2_000).len(), 2_000);
    }

    #[test]
    fn passwords_do_not_show() {
        let shown = shortened("cannot connect to postgres://app:s3cret@db/shop\nat db.rs:7", 1_000);
        assert!(!shown.contains("s3cret") && shown.contains("db/shop\nat db.rs:7"), "{shown}");
    }

    #[test]
    fn the_container_that_failed_speaks() {
        let ended = |name: &str, code: i32| {
            json!({"name": name, "image": "", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"terminated": {"exitCode": code}}})
        };
        let named = |statuses: Value| {
            let pod = json!({"spec": {"containers": [{"name": "a"}, {"name": "b"}]}, "status": {"containerStatuses": statuses}});
            let pod: Pod = serde_json::from_value(pod).unwrap();
            failed_container(&pod).map(|c| c.name.clone()).or_else(|| first_container(&pod))
        };
        assert_eq!(named(json!([ended("a", 0), ended("b", 1)])).as_deref(), Some("b"));
        assert_eq!(named(json!([])).as_deref(), Some("a"));
    }
}
