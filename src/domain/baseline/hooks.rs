//! Hooks whose every field was understood.

use std::time::Duration;

use serde_json::Value;

use super::{InvalidBaseline, invalid};
use crate::api;
use crate::api::baseline::{HookMoment, OnFailure};

/// Longest time that a hook may be given. Ours: whoever waits for a preview waits no longer.
const TIMEOUT_MAX: Duration = Duration::from_secs(24 * 3600);

/// A Job that runs in each environment.
#[derive(Clone, Debug, PartialEq)]
pub struct Hook {
    /// What it is called.
    pub name: String,
    /// When it runs.
    pub when: HookMoment,
    /// Where its Job comes from.
    pub source: JobSource,
    /// The workload whose image and variables its containers get.
    pub service: Option<String>,
    /// Workloads that have to be ready before it starts.
    pub after: Vec<String>,
    /// How long it may take.
    pub timeout: Duration,
    /// What becomes of the environment when it fails.
    pub on_failure: OnFailure,
}

/// Where a hook's Job comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum JobSource {
    /// This `spec` of a Job.
    Spec(Value),
    /// The template of that CronJob of the baseline.
    CronJob(String),
}

/// All hooks of a Baseline.
pub(super) fn read(listed: &[api::baseline::Hook]) -> Result<Vec<Hook>, InvalidBaseline> {
    listed.iter().enumerate().map(|(i, hook)| read_hook(&format!("spec.hooks[{i}]"), hook)).collect()
}

fn read_hook(path: &str, listed: &api::baseline::Hook) -> Result<Hook, InvalidBaseline> {
    let source = match (&listed.job, &listed.from_cron_job) {
        (Some(spec), None) => JobSource::Spec(checked(path, spec, listed.service.is_some())?.clone()),
        (None, Some(name)) => JobSource::CronJob(name.clone()),
        _ => return Err(invalid(path, &"give either job or fromCronJob")),
    };
    if listed.when != HookMoment::BeforeWorkloads && !listed.after.is_empty() {
        return Err(invalid(format!("{path}.after"), &"is for BeforeWorkloads alone: the others run when everything is ready"));
    }
    Ok(Hook {
        name: listed.name.clone(),
        when: listed.when,
        source,
        service: listed.service.clone(),
        after: listed.after.clone(),
        timeout: read_timeout(&listed.timeout).map_err(|why| invalid(format!("{path}.timeout"), &why))?,
        on_failure: listed.on_failure,
    })
}

fn read_timeout(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(timeout) if timeout.as_secs() > 0 && timeout <= TIMEOUT_MAX => Ok(timeout),
        _ => Err(format!("cannot read {text:?} as a time between a second and a day; write it like 90s or 10m")),
    }
}

/// What a Job cannot be without; the rest the API server judges.
fn checked<'a>(path: &str, spec: &'a Value, has_service: bool) -> Result<&'a Value, InvalidBaseline> {
    let path = format!("{path}.job.template.spec");
    let list = |name: &str| spec.pointer(&format!("/template/spec/{name}")).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if list("containers").is_empty() {
        return Err(invalid(format!("{path}.containers"), &"is missing: a Job runs at least one container"));
    }
    for name in ["containers", "initContainers"] {
        for (index, container) in list(name).iter().enumerate() {
            check_container(&format!("{path}.{name}[{index}]"), container, has_service)?;
        }
    }
    match spec.pointer("/template/spec/restartPolicy") {
        Some(policy) if !["Never", "OnFailure"].iter().any(|known| policy == known) => {
            Err(invalid(format!("{path}.restartPolicy"), &"is Never or OnFailure for a Job; without it, Never"))
        }
        _ => Ok(spec),
    }
}

fn check_container(path: &str, container: &Value, has_service: bool) -> Result<(), InvalidBaseline> {
    let is_text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    if !container.get("name").is_some_and(is_text) {
        return Err(invalid(format!("{path}.name"), &"is missing"));
    }
    match container.get("image") {
        None if !has_service => Err(invalid(format!("{path}.image"), &"is missing; give an image, or the service whose image it runs")),
        Some(image) if !is_text(image) => Err(invalid(format!("{path}.image"), &"is no image")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read_one(hook: Value) -> Result<Hook, InvalidBaseline> {
        read(&[serde_json::from_value(hook).unwrap()]).map(|mut all| all.remove(0))
    }

    fn hook(change: impl FnOnce(&mut Value)) -> Value {
        let job = json!({"template": {"spec": {"containers": [{"name": "c", "image": "acme/web:1"}]}}});
        let mut hook = json!({"name": "migrate", "when": "BeforeWorkloads", "job": job});
        change(&mut hook);
        hook
    }

    #[test]
    fn a_hook_has_ten_minutes_and_stalls_what_it_fails_in() {
        let read = read_one(hook(|_| ())).unwrap();
        assert_eq!((read.timeout, read.on_failure, read.after.len()), (Duration::from_secs(600), OnFailure::Stall, 0));
        let cron = read_one(json!({"name": "seed", "when": "AfterReady", "fromCronJob": "seed"})).unwrap();
        assert_eq!(cron.source, JobSource::CronJob("seed".into()));
    }

    #[test]
    fn what_is_wrong_is_named_by_its_path() {
        let bare = json!({"template": {"spec": {"containers": [{"name": "c"}]}}});
        let pod = |spec: Value| hook(|h| h["job"] = json!({"template": {"spec": spec}}));
        let wrong: [(Value, &str); 9] = [
            (pod(json!({"containers": [{"image": "x:1"}]})), "spec.hooks[0].job.template.spec.containers[0].name"),
            (pod(json!({"containers": [{"name": "c", "image": ""}]})), "spec.hooks[0].job.template.spec.containers[0].image"),
            (
                pod(json!({"containers": [{"name": "c", "image": "x:1"}], "initContainers": [{"name": "i"}]})),
                "spec.hooks[0].job.template.spec.initContainers[0].image",
            ),
            (
                pod(json!({"containers": [{"name": "c", "image": "x:1"}], "restartPolicy": "Always"})),
                "spec.hooks[0].job.template.spec.restartPolicy",
            ),
            (hook(|h| h["job"] = bare.clone()), "spec.hooks[0].job.template.spec.containers[0].image"),
            (hook(|h| h["job"] = json!({})), "spec.hooks[0].job.template.spec.containers"),
            (hook(|h| h["timeout"] = json!("0s")), "spec.hooks[0].timeout"),
            (hook(|h| h["fromCronJob"] = json!("x")), "spec.hooks[0]"),
            (
                hook(|h| {
                    h["when"] = json!("AfterReady");
                    h["after"] = json!(["db"]);
                }),
                "spec.hooks[0].after",
            ),
        ];
        for (hook, field) in wrong {
            assert_eq!(read_one(hook).unwrap_err().field, field);
        }
        let lent = hook(|h| {
            h["job"] = bare;
            h["service"] = json!("web");
        });
        assert!(read_one(lent).is_ok());
    }
}
