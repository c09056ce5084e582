//! The last lines that a pod logged, fit to be shown: of its container that fails, else of one that is not ready, else of its
//! first. The client is used here.

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::api::LogParams;
use kube::{Api, Client, ResourceExt};

use super::requests::{RequestError, within_deadline};
use crate::commands::mask;

/// How much of a log is read and kept. Status is stored with every change.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Extent {
    /// Lines that are read.
    pub lines: i64,
    /// Bytes that are kept, the last ones.
    pub bytes: usize,
}

/// Of a hook that failed: enough for the exception, little for etcd.
pub(super) const HOOK: Extent = Extent { lines: 10, bytes: 2_048 };
/// Of a service that crashes.
pub(super) const CRASH: Extent = Extent { lines: 20, bytes: 4_096 };
/// Most bytes that are read of a log, for each of its last lines. A kubelet stops where the limit is reached, so the lines that
/// matter most would be missing. Container runtimes part longer lines into pieces of this, each of which counts as a line
/// (containerd: `max_container_log_line_size`).
const LINE_BYTES: i64 = 16_384;

/// A container of a pod that has something to say.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Speaker {
    /// The pod.
    pub pod: String,
    /// The container.
    pub container: Option<String>,
    /// Whether it is the container before the last restart that has something to say.
    pub previous: bool,
}

impl Speaker {
    /// The container that fails, and where it has been started again, the one before; else the one that runs and is not
    /// ready, else the first.
    pub fn of(pod: &Pod) -> Self {
        let failing = failing(pod);
        let first = || unready(pod).map(|c| c.name.clone()).or_else(|| Some(pod.spec.as_ref()?.containers.first()?.name.clone()));
        let is_up_again = |c: &ContainerStatus| c.restart_count > 0 && c.state.as_ref().is_none_or(|s| s.terminated.is_none());
        Self { pod: pod.name_any(), container: failing.map(|c| c.name.clone()).or_else(first), previous: failing.is_some_and(is_up_again) }
    }

    /// Reads what it logged last, as it stands there; see [`shown`].
    ///
    /// # Errors
    /// Where the API server or the node's kubelet does not give it.
    pub async fn read(&self, (client, namespace): (&Client, &str), lines: i64) -> Result<String, RequestError> {
        let params = LogParams {
            container: self.container.clone(),
            previous: self.previous,
            tail_lines: Some(lines),
            limit_bytes: Some(lines * LINE_BYTES),
            ..LogParams::default()
        };
        let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
        within_deadline(&format!("read the log of pod {}", self.pod), api.logs(&self.pod, &params)).await
    }
}

/// The first container of a pod that ended badly, or that was started again and is not ready.
pub fn failing(pod: &Pod) -> Option<&ContainerStatus> {
    let status = pod.status.as_ref()?;
    let mut containers = status.init_container_statuses.iter().chain(&status.container_statuses).flatten();
    containers.find(|container| {
        let then = [&container.state, &container.last_state];
        let ended_badly = then.into_iter().flatten().any(|s| s.terminated.as_ref().is_some_and(|t| t.exit_code != 0));
        !container.ready && (ended_badly || container.restart_count > 0)
    })
}

/// The first container of a pod that runs and is not ready.
pub fn unready(pod: &Pod) -> Option<&ContainerStatus> {
    let status = pod.status.as_ref()?;
    let mut containers = status.init_container_statuses.iter().chain(&status.container_statuses).flatten();
    containers.find(|c| !c.ready && c.state.as_ref().is_some_and(|s| s.running.is_some()))
}

/// The end of what a pod logged as it can be shown. A help and no more, so a failure to read it is none.
pub(super) async fn last_lines((client, namespace): (&Client, &str), pod: &Pod, extent: Extent) -> Option<String> {
    let speaker = Speaker::of(pod);
    let answer = speaker.read((client, namespace), extent.lines).await;
    let text = answer.inspect_err(|error| tracing::debug!(namespace, pod = speaker.pod, %error, "there is no log")).ok()?;
    shown(&text, extent.bytes)
}

/// The end of a log as it can be shown: without passwords that can be told as such and without what moves a terminal's
/// cursor, in whole lines, as many as fit.
pub fn shown(text: &str, bytes: usize) -> Option<String> {
    let shown = mask::shown(text);
    let mut room = bytes;
    let mut lines: Vec<&str> = Vec::new();
    for line in shown.trim_end().lines().rev() {
        let Some(left) = room.checked_sub(line.len() + 1) else { break };
        room = left;
        lines.push(line);
    }
    lines.reverse();
    let text = lines.join("\n");
    let text = if text.is_empty() { end_of(shown.trim_end(), bytes) } else { text };
    Some(text).filter(|text| !text.trim().is_empty())
}

/// The end of a line that is longer than everything that fits.
fn end_of(line: &str, bytes: usize) -> String {
    let start = (line.len().saturating_sub(bytes)..=line.len()).find(|at| line.is_char_boundary(*at)).unwrap_or_default();
    line[start..].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn the_end_is_kept_in_whole_lines_and_masked() {
        let long = (0..500).map(|n| format!("line {n} of many\n")).collect::<Vec<_>>().concat();
        let end = shown(&long, 1_000).unwrap();
        assert!(end.len() <= 1_000 && end.starts_with("line ") && end.ends_with("line 499 of many"), "{end}");
        assert_eq!(shown(&"\u{e9}".repeat(1_000), 1_000).map(|text| text.len()), Some(1_000));
        assert_eq!(shown("token=abc\n", 1_000).as_deref(), Some("token=***"));
        assert_eq!(shown("cannot reach postgres://app:s3cret@db/shop\nat db.rs:7", 1_000).unwrap().matches("s3cret").count(), 0);
        assert_eq!(shown("a\u{1b}[2Jb\n", 1_000).as_deref(), Some("ab"));
        assert_eq!(shown(" \n\n", 1_000), None);
    }

    fn status(name: &str, ready: bool, restarts: i32, states: &(Value, Value)) -> Value {
        json!({"name": name, "image": "", "imageID": "", "ready": ready, "restartCount": restarts, "state": states.0, "lastState": states.1})
    }

    #[test]
    fn the_container_that_fails_speaks_of_its_end() {
        let ended = |code: i32| json!({"terminated": {"exitCode": code}});
        let (runs, waits) = (json!({"running": {}}), json!({"waiting": {"reason": "CrashLoopBackOff"}}));
        for (statuses, says) in [
            (json!([]), ("a", false)),
            (json!([status("a", false, 0, &(ended(0), json!({}))), status("b", false, 0, &(ended(1), json!({})))]), ("b", false)),
            (json!([status("a", true, 0, &(runs.clone(), json!({}))), status("b", false, 3, &(waits, ended(1)))]), ("b", true)),
            (json!([status("b", false, 1, &(runs.clone(), ended(1)))]), ("b", true)),
            (json!([status("b", true, 4, &(runs.clone(), ended(1)))]), ("a", false)),
            (json!([status("a", true, 0, &(runs.clone(), json!({}))), status("b", false, 0, &(runs, json!({})))]), ("b", false)),
        ] {
            let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "a"}, {"name": "b"}]},
                "status": {"containerStatuses": statuses}});
            let speaker = Speaker::of(&serde_json::from_value(pod).unwrap());
            assert_eq!((speaker.container.as_deref(), speaker.previous), (Some(says.0), says.1), "{statuses}");
        }
    }
}
