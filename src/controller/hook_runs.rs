//! Runs the Jobs of hooks and looks at how they ended. The client is used here.

use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, LogParams};
use kube::{Api, ResourceExt};

use super::Context;
use super::hook_jobs::JobState;
use super::requests::{self, Place, RequestError, within_deadline};
use crate::api::status::{HookState, HookStatus};
use crate::kinds::Kind;
use crate::plan::PlannedHook;

/// What hooks run as.
static JOB: Kind = Kind::new("batch/v1", "Job", "jobs");

/// How much of a failed Job's log is kept, in lines and bytes: enough for the exception, little for etcd.
const LOG_LINES: i64 = 10;
const LOG_BYTES: i64 = 4_096;
const LOG_CHARACTERS: usize = 2_000;

/// Brings the records up to what the watch saw. `sure` says whether the watch had time to see what was made last: then a
/// Job that it does not know is gone, and runs again.
pub async fn look(context: &Context, namespace: &str, records: &mut [HookStatus], sure: bool) {
    for record in records.iter_mut().filter(|r| r.state == HookState::Running) {
        match context.hook_jobs.get(namespace, &record.job) {
            Some(JobState::Running) => {}
            None if !sure => {}
            None => record.state = HookState::Waiting,
            Some(JobState::Succeeded) => record.state = HookState::Succeeded,
            Some(JobState::Failed { reason, message }) => {
                record.state = HookState::Failed;
                record.message = Some(explain(&reason, &message));
                record.log = last_lines(context, namespace, &record.job).await;
            }
        }
    }
}

fn explain(reason: &str, message: &str) -> String {
    match reason {
        "DeadlineExceeded" => "it did not end within its timeout".to_owned(),
        "BackoffLimitExceeded" => "every try of its Job failed".to_owned(),
        _ if message.is_empty() => reason.to_owned(),
        _ => message.to_owned(),
    }
}

/// Makes the Job of a hook. One that is there already is the same: its name says so.
pub async fn start(context: &Context, namespace: &str, planned: &PlannedHook) -> Result<(), RequestError> {
    tracing::info!(namespace, job = planned.job.manifest.name().name, "starting a hook");
    requests::create(&context.client, Place { kind: &JOB, namespace }, &planned.job.manifest).await
}

/// Deletes the Job of a revision that is over, running or not: two migrations at once help nobody.
pub async fn stop(context: &Context, namespace: &str, job: &str, environment_uid: &str) -> Result<(), RequestError> {
    requests::delete_ours(&context.client, Place { kind: &JOB, namespace }, job, environment_uid).await
}

/// The end of what the newest pod of a Job logged. A help and no more: whatever fails here, the hook has failed anyway.
async fn last_lines(context: &Context, namespace: &str, job: &str) -> Option<String> {
    let api: Api<Pod> = Api::namespaced(context.client.clone(), namespace);
    let of_job = ListParams::default().labels(&format!("batch.kubernetes.io/job-name={job}"));
    let pods = within_deadline("list the pods of a hook", api.list(&of_job)).await.ok()?;
    let newest = pods.items.into_iter().max_by_key(|pod| pod.creation_timestamp().map(|t| t.0))?;
    let params = LogParams {
        container: failed_container(&newest),
        tail_lines: Some(LOG_LINES),
        limit_bytes: Some(LOG_BYTES),
        ..LogParams::default()
    };
    let name = newest.name_any();
    let answer = within_deadline("read the log of a hook", api.logs(&name, &params)).await;
    let text = answer.inspect_err(|error| tracing::debug!(namespace, job, %error, "the log of a hook is not there")).ok()?;
    Some(shortened(&text)).filter(|text| !text.is_empty())
}

/// The container that ended badly, else the first.
fn failed_container(pod: &Pod) -> Option<String> {
    let statuses = pod.status.iter().flat_map(|s| s.init_container_statuses.iter().chain(&s.container_statuses).flatten());
    let failed = |c: &&k8s_openapi::api::core::v1::ContainerStatus| {
        c.state.as_ref().and_then(|s| s.terminated.as_ref()).is_some_and(|t| t.exit_code != 0)
    };
    let named = statuses.into_iter().find(failed).map(|c| c.name.clone());
    named.or_else(|| Some(pod.spec.as_ref()?.containers.first()?.name.clone()))
}

/// The last characters, without what would move a terminal's cursor.
fn shortened(text: &str) -> String {
    let plain: Vec<char> = text.chars().filter(|c| *c == '\n' || *c == '\t' || !c.is_control()).collect();
    plain[plain.len().saturating_sub(LOG_CHARACTERS)..].iter().collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_end_of_a_log_is_kept_without_controls() {
        assert_eq!(shortened("a\u{1b}[2Jb\n"), "a[2Jb");
        assert_eq!(shortened(&"x".repeat(5_000)).len(), LOG_CHARACTERS);
    }

    #[test]
    fn the_container_that_failed_speaks() {
        let ended = |name: &str, code: i32| {
            json!({"name": name, "image": "", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"terminated": {"exitCode": code}}})
        };
        let pod = |statuses: serde_json::Value| {
            let pod = json!({"spec": {"containers": [{"name": "a"}, {"name": "b"}]}, "status": {"containerStatuses": statuses}});
            failed_container(&serde_json::from_value(pod).unwrap())
        };
        assert_eq!(pod(json!([ended("a", 0), ended("b", 1)])).as_deref(), Some("b"));
        assert_eq!(pod(json!([])).as_deref(), Some("a"));
    }
}
