//! Runs the Jobs of hooks and looks at how they ended. The client is used here.

use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, ResourceExt};

use super::Context;
use super::hook_jobs::JobState;
use super::logs;
use super::requests::{self, Place, RequestError, within_deadline};
use crate::api::status::{HookState, HookStatus};
use crate::kinds::Kind;
use crate::plan::PlannedHook;

/// What hooks run as.
static JOB: Kind = Kind::new("batch/v1", "Job", "jobs");

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

/// Why a Job failed, in words.
pub(crate) fn explain(reason: &str, message: &str) -> String {
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
    logs::last_lines((&context.client, namespace), &newest, logs::HOOK).await
}
