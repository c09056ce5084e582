//! What the service says of an environment, by the code that says it: a reviewer of the comments reads what people will read.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::fixtures::*;
use crate::api::PreviewEnvironment;
use crate::api::baseline::MissingImage;
use crate::api::conditions::{self, ConditionStatus};
use crate::api::environment::Command;
use crate::api::status::{CommandOutcome, CommandResult, HookState, HookStatus, ImageStatus, LeftOut};
use crate::commands::logs;
use crate::controller::resolve::{self, Known, News};
use crate::controller::workload::Workload;
use crate::controller::{hook_runs, hooks, pods, queue, status};
use crate::domain::{Baseline, Environment};
use crate::plan::sample::{World, autoscaler, deployment, object};
use crate::probe::due::due;
use crate::registry::Answer;

/// The Baseline `shop` whose rule gives acme/web its image, and what becomes of one that is not there.
fn building(missing: MissingImage) -> Baseline {
    let images = json!([{"name": "registry.example.com/acme/web", "tag": "pr-{{ pull }}-{{ revision_short }}"}]);
    let spec = json!({"repositories": [{"name": "acme/web", "images": images}], "images": {"missing": missing, "wait": "30m"}});
    let mut object = crate::api::Baseline::new("shop", serde_json::from_value(spec).unwrap());
    object.metadata.namespace = Some("shop".into());
    Baseline::try_from(&object).unwrap()
}

/// The image of the head, which the registry does not have; the present is so long after it was asked for first.
pub(super) fn missing_image(object: &PreviewEnvironment, missing: MissingImage, minutes: i64) -> ImageStatus {
    let (environment, baseline) = (Environment::try_from(object).unwrap(), building(missing));
    let wanted = resolve::wanted(&environment, &baseline).unwrap();
    let first = time("27T09:11");
    let looked = |recorded: &[ImageStatus], now: DateTime<Utc>| {
        let known = Known { recorded, policy: baseline.images, nodes: Vec::new(), now };
        resolve::resolution(&wanted, &known, |_| Some(News::Answered(Answer::Absent))).record
    };
    looked(&looked(&[], first), first + chrono::TimeDelta::minutes(minutes)).remove(0)
}

/// Why a workload is not ready, by what its own controller says of it.
pub(super) fn of_workload(status: &Value) -> String {
    let workload: Workload = serde_json::from_value(json!({"spec": {"replicas": 1}, "status": status})).unwrap();
    workload.state("Deployment").reason.unwrap()
}

/// Why a pod of `web` is not ready, by what the kubelet says of its container.
pub(super) fn of_pod(container: &str, state: &Value, restarts: i64) -> String {
    let exited = json!({"terminated": {"exitCode": 1}});
    let status = json!({"name": container, "image": "", "imageID": "", "ready": false, "restartCount": restarts, "state": state,
        "lastState": if restarts > 0 { exited } else { json!({}) }});
    let pod = json!({"metadata": {"name": "web-1"}, "status": {"containerStatuses": [status]}});
    pods::reason(&serde_json::from_value(pod).unwrap(), false).unwrap()
}

/// Why a container that ends again and again is not ready.
pub(super) fn crashes(container: &str) -> String {
    of_pod(container, &json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}}), 3)
}

/// What a plan leaves out of a copy.
pub(super) fn left_out() -> Vec<LeftOut> {
    let key = json!([{"name": "STRIPE_KEY", "valueFrom": {"secretKeyRef": {"name": "stripe-live", "key": "key"}}}]);
    let checkout = deployment("checkout").with("/spec/template/spec/containers/0/env", key);
    let disruption = object("policy/v1", "PodDisruptionBudget", "web").with("/spec", json!({"minAvailable": 1}));
    let world = World::of([deployment("web"), checkout, autoscaler("web", "web"), disruption]);
    status::left_out_of(&world.plan().plan)
}

/// Why nothing is made of a change whose workload asks for what a preview must not have.
pub(super) fn refused(spec: &Value) -> String {
    let mut web = deployment("web").image("registry.example.com/acme/web:1.8.2");
    for (field, value) in spec.as_object().unwrap() {
        web = web.with(&format!("/spec/template/spec/{field}"), value.clone());
    }
    World::of([web]).branch("registry.example.com/acme/web", "pr-42-3f9c2ab").plan().plan.stalled.join("; ")
}

/// A hook whose Job failed.
pub(super) fn failed_hook() -> HookStatus {
    HookStatus {
        name: "migrate".into(),
        job: "migrate-3f9c2ab".into(),
        state: HookState::Failed,
        message: Some(hook_runs::explain("BackoffLimitExceeded", "Job has reached the specified backoff limit")),
        log: crate::controller::logs::shown("connecting with password=hunter2\nERROR: no such table: `orders`\n", 2_048),
    }
}

/// One that is held up by it.
pub(super) fn stalled_by_a_hook(object: PreviewEnvironment) -> PreviewEnvironment {
    let hook = failed_hook();
    let object = object.phase("Stalled").condition(conditions::STALLED, ConditionStatus::True, "HookFailed", &hooks::failure(&hook));
    let mut object = object;
    object.status().hooks = vec![hook];
    object
}

/// Why there is no room.
pub(super) fn no_room(object: &PreviewEnvironment) -> String {
    queue::why(&Environment::try_from(object).unwrap(), &building(MissingImage::Wait), false)
}

/// What is wrong with an address that answers so.
pub(super) fn answers(object: &PreviewEnvironment, code: u16) -> Option<String> {
    due(object, &crate::api::baseline::Probe::default()).unwrap().status(&Ok(code), time("27T09:12")).why
}

/// What comes of asking for the lines of a service.
pub(super) fn logged(command: &Command, lines: &str) -> CommandResult {
    let output = logs::output(lines);
    let message = logs::said(&command.args[0], output.is_some());
    CommandResult { may_command: true, message, output, ..CommandResult::of(command, CommandOutcome::Done) }
}
