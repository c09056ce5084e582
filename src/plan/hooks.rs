//! The Jobs of the Baseline's hooks, as the environment gets them.
//!
//! A Job cannot be changed, so it is made once, by a name that holds what it is for: the hook, the revision, and the
//! images that it runs. The same plan gives the same name, and a Job that is there is not made again.

use serde_json::{Value, json};

use super::admission::refusal;
use super::context::Context;
use super::decision::Decision;
use super::isolation::jobs_over_quota;
use super::kinds::is_workload;
use super::manifest::Manifest;
use super::pods::text;
use super::types::{Planned, PlannedHook, Snapshot};
use super::{hash, rules, sealed};
use crate::api::names::{LABEL_ENVIRONMENT, LABEL_ENVIRONMENT_UID, LABEL_HOOK};
use crate::domain::baseline::{Hook, JobSource};
use crate::domain::slug::hash8;

/// JSON pointer of the pod spec of a Job and of every workload.
const POD_SPEC: &str = "/spec/template/spec";
/// What a planned Job must not say: how it is selected and named is the Job controller's affair, and whether it ran has to
/// be seen by us before it goes.
const NOT_OURS: [&str; 4] = ["selector", "manualSelector", "ttlSecondsAfterFinished", "suspend"];
/// What the pod gets from the service's pod where it does not say it itself.
const LENT_TO_PODS: [&str; 2] = ["serviceAccountName", "imagePullSecrets"];
/// The same of containers that name no image.
const LENT_TO_CONTAINERS: [&str; 2] = ["env", "envFrom"];

/// What came of all hooks.
#[derive(Default)]
pub(super) struct Hooks {
    /// Those that can run, in their order.
    pub planned: Vec<PlannedHook>,
    /// What the rules changed in their Jobs.
    pub decisions: Vec<Decision>,
    /// Why others cannot run.
    pub stalled: Vec<String>,
}

/// Plans the Job of every hook of the Baseline.
pub(super) fn plan(snapshot: &Snapshot, stages: &[Vec<Planned>], context: &Context<'_>) -> Hooks {
    let mut stalled = Vec::new();
    let (mut planned, mut changed) = (Vec::new(), Vec::new());
    for hook in &context.target.baseline.hooks {
        let world = World { snapshot, stages, context };
        match world.job(hook) {
            Ok((job, decisions)) => {
                planned.push(PlannedHook { hook: hook.clone(), job: sealed(job) });
                changed.push(decisions);
            }
            Err(why) => stalled.push(cannot_run(hook, &why)),
        }
    }
    let without_room = jobs_over_quota(stages, &planned, context);
    let mut hooks = Hooks { stalled, ..Hooks::default() };
    for ((planned, decisions), without_room) in planned.into_iter().zip(changed).zip(without_room) {
        if let Some(why) = without_room {
            hooks.stalled.push(cannot_run(&planned.hook, &format!("it {why} beside the workloads")));
            continue;
        }
        hooks.planned.push(planned);
        hooks.decisions.extend(decisions.into_iter().filter(|d| matches!(d, Decision::Changed { .. })));
    }
    hooks
}

fn cannot_run(hook: &Hook, why: &str) -> String {
    format!("the hook {} cannot run: {why}", hook.name)
}

struct World<'a> {
    snapshot: &'a Snapshot,
    stages: &'a [Vec<Planned>],
    context: &'a Context<'a>,
}

impl World<'_> {
    fn job(&self, hook: &Hook) -> Result<(Manifest, Vec<Decision>), String> {
        if let Some(name) = hook.after.iter().find(|name| self.workload(name).is_none()) {
            return Err(format!("it runs after {name}, which is no workload of the environment"));
        }
        let object = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": hook.name}, "spec": self.spec(hook)?});
        let mut job = Manifest::new(object);
        complete(&mut job, hook);
        if let Some(service) = &hook.service {
            let lender = self.workload(service).ok_or_else(|| format!("{service} is no workload of the environment"))?;
            lend(&mut job, lender)?;
        }
        let (mut job, notes) = rules::apply_all(&job, self.context);
        if let Some(refusal) = refusal(&job, self.context) {
            return Err(format!("it {}", refusal.why));
        }
        if !notes.failures.is_empty() {
            return Err(notes.failures.join("; "));
        }
        self.mark(&mut job, hook);
        Ok((job, notes.decisions))
    }

    fn spec(&self, hook: &Hook) -> Result<Value, String> {
        let name = match &hook.source {
            JobSource::Spec(spec) => return Ok(spec.clone()),
            JobSource::CronJob(name) => name,
        };
        let cron_job = self.snapshot.objects.iter().find(|o| o.kind() == "CronJob" && o.group() == "batch" && o.name().name == *name);
        let spec = cron_job.and_then(|o| o.get("/spec/jobTemplate/spec"));
        spec.cloned().ok_or_else(|| format!("the baseline has no CronJob {name}"))
    }

    /// The planned workload of that name.
    fn workload(&self, name: &str) -> Option<&Manifest> {
        let mut planned = self.stages.iter().flatten().map(|p| &p.manifest);
        planned.find(|m| m.name().name == name && is_workload(m))
    }

    fn mark(&self, job: &mut Manifest, hook: &Hook) {
        let target = self.context.target;
        let name = format!("{}-{}", hook.name, self.run(job, hook));
        job.set(&["metadata"], "name", json!(name));
        let labels = [(LABEL_ENVIRONMENT, target.environment.as_str()), (LABEL_ENVIRONMENT_UID, target.uid), (LABEL_HOOK, &hook.name)];
        for (key, value) in labels {
            job.set(&["metadata", "labels"], key, json!(value));
            job.set(&["spec", "template", "metadata", "labels"], key, json!(value));
        }
    }

    /// What tells one run from another. Not the whole Job: a change of our rules must not run every hook again.
    fn run(&self, job: &Manifest, hook: &Hook) -> String {
        let images = ["containers", "initContainers"].into_iter().flat_map(|list| job.items(&format!("{POD_SPEC}/{list}")));
        let mut parts = vec![hook.name.as_str(), self.context.target.run];
        parts.extend(images.filter_map(|container| text(container, "image")));
        let own = match &hook.source {
            JobSource::Spec(spec) => hash(spec),
            JobSource::CronJob(name) => name.clone(),
        };
        parts.push(&own);
        hash8(&parts)
    }
}

/// What a Job needs and people leave out, and the limit of its time.
fn complete(job: &mut Manifest, hook: &Hook) {
    for field in NOT_OURS {
        job.remove("/spec", field);
    }
    if job.get(&format!("{POD_SPEC}/restartPolicy")).is_none() {
        job.set(&["spec", "template", "spec"], "restartPolicy", json!("Never"));
    }
    job.set(&["spec"], "activeDeadlineSeconds", json!(hook.timeout.as_secs()));
}

/// Gives a Job what it leaves open of the service's first container and pod.
fn lend(job: &mut Manifest, lender: &Manifest) -> Result<(), String> {
    let first = lender.items(&format!("{POD_SPEC}/containers")).next().ok_or_else(|| format!("{} has no container", lender.name()))?;
    let image = first.get("image").cloned().ok_or_else(|| format!("{} names no image", lender.name()))?;
    for list in ["containers", "initContainers"] {
        for container in job.items_mut(&format!("{POD_SPEC}/{list}")).filter_map(Value::as_object_mut) {
            if container.contains_key("image") {
                continue;
            }
            container.insert("image".to_owned(), image.clone());
            for field in LENT_TO_CONTAINERS {
                if let (Some(value), false) = (first.get(field), container.contains_key(field)) {
                    container.insert(field.to_owned(), value.clone());
                }
            }
        }
    }
    for field in LENT_TO_PODS {
        let path = format!("{POD_SPEC}/{field}");
        if let (Some(value), None) = (lender.get(&path), job.get(&path)) {
            job.set(&["spec", "template", "spec"], field, value.clone());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use crate::api::baseline::{HookMoment, OnFailure};
    use crate::api::names::{LABEL_BASELINE_NAMESPACE, LABEL_ENVIRONMENT_UID, LABEL_HOOK};
    use crate::domain::baseline::{Hook, JobSource};
    use crate::plan::sample::{World, deployment, isolated, object};
    use crate::plan::{Manifest, Plan};

    fn hook(source: JobSource) -> Hook {
        Hook {
            name: "migrate".into(),
            when: HookMoment::BeforeWorkloads,
            source,
            service: None,
            after: vec![],
            timeout: Duration::from_secs(600),
            on_failure: OnFailure::Stall,
        }
    }

    fn job(container: &Value) -> JobSource {
        JobSource::Spec(json!({"ttlSecondsAfterFinished": 5, "template": {"spec": {"containers": [container]}}}))
    }

    fn web() -> Manifest {
        let variables = json!([{"name": "DATABASE_URL", "value": "postgres://db/shop"}]);
        deployment("web")
            .image("acme/web:1")
            .with("/spec/template/spec/containers/0/env", variables)
            .with("/spec/template/spec/serviceAccountName", json!("web"))
    }

    fn planned(hook: Hook, tag: &str) -> Plan {
        World::of([web()]).branch("acme/web", tag).baseline(|b| b.hooks = vec![hook]).plan().plan
    }

    #[test]
    fn a_hook_runs_the_image_of_its_service_as_the_branch_builds_it() {
        let lent = Hook { service: Some("web".into()), ..hook(job(&json!({"name": "c", "command": ["migrate"]}))) };
        let plan = planned(lent, "2");
        let job = plan.hooks[0].job.manifest.value();
        let pod = &job["spec"]["template"]["spec"];
        assert_eq!(pod["containers"][0]["image"], "acme/web:2");
        assert_eq!(pod["containers"][0]["env"][0]["name"], "DATABASE_URL");
        assert_eq!((&pod["serviceAccountName"], &pod["restartPolicy"]), (&json!("web"), &json!("Never")));
        assert_eq!(job["spec"]["activeDeadlineSeconds"], 600);
        assert!(job["spec"].get("ttlSecondsAfterFinished").is_none());
        for labels in [&job["metadata"]["labels"], &job["spec"]["template"]["metadata"]["labels"]] {
            assert_eq!((&labels[LABEL_HOOK], &labels[LABEL_ENVIRONMENT_UID]), (&json!("migrate"), &json!("uid-42")));
        }
        assert_eq!(job["metadata"]["labels"][LABEL_BASELINE_NAMESPACE], "shop");
    }

    #[test]
    fn a_run_is_known_by_its_name() {
        let own = || hook(job(&json!({"name": "c", "image": "acme/web:1"})));
        let name = |hook: Hook, tag: &str| planned(hook, tag).hooks[0].job.manifest.name().name;
        assert_eq!(name(own(), "2"), name(own(), "2"));
        assert!(name(own(), "2").starts_with("migrate-"));
        assert_ne!(name(own(), "2"), name(own(), "3"), "another build");
        let other = hook(job(&json!({"name": "c", "image": "acme/web:1", "command": ["x"]})));
        assert_ne!(name(own(), "2"), name(other, "2"), "another command");
    }

    #[test]
    fn a_cron_job_lends_its_template() {
        let template =
            json!({"spec": {"template": {"spec": {"restartPolicy": "OnFailure", "containers": [{"name": "c", "image": "x:1"}]}}}});
        let nightly = object("batch/v1", "CronJob", "nightly").with("/spec", json!({"jobTemplate": template}));
        let from = |name: &str| hook(JobSource::CronJob(name.into()));
        let plan = World::of([nightly]).baseline(|b| b.hooks = vec![from("nightly"), from("weekly")]).plan().plan;
        assert_eq!(plan.hooks.len(), 1);
        assert_eq!(plan.hooks[0].job.manifest.text("/spec/template/spec/restartPolicy"), Some("OnFailure"));
        assert_eq!(plan.stalled, ["the hook migrate cannot run: the baseline has no CronJob weekly"]);
    }

    #[test]
    fn a_hook_that_the_quota_has_no_room_for_is_said() {
        let asks = json!({"name": "c", "image": "x:1", "resources": {"requests": {"cpu": "4"}}});
        let world = World::of([web()]).baseline(|b| b.isolation = isolated(json!({"quota": {"hard": {"requests.cpu": "2"}}})));
        let plan = world.baseline(|b| b.hooks = vec![hook(job(&asks))]).plan().plan;
        let why = "it asks for 4 of requests.cpu (resources of its containers), and isolation.quota has 1990m left beside the workloads";
        assert_eq!(plan.stalled, [format!("the hook migrate cannot run: {why}")]);
        assert!(plan.hooks.is_empty());
    }

    #[test]
    fn a_hook_counts_together_with_the_workloads_that_it_runs_beside() {
        let asks = |cpu: &str| json!({"name": "c", "image": "x:1", "resources": {"requests": {"cpu": cpu}}});
        let busy = || web().with("/spec/template/spec/containers/0/resources", json!({"requests": {"cpu": "1500m"}}));
        let with = |cpu: &str, isolation: Value| {
            let world = World::of([busy()]).baseline(|b| b.isolation = isolated(isolation));
            world.baseline(|b| b.hooks = vec![hook(job(&asks(cpu)))]).plan()
        };
        let given = || json!({"quota": {"hard": {"requests.cpu": "2"}}});
        assert_eq!((with("500m", given()).plan.hooks.len(), with("501m", given()).plan.hooks.len()), (1, 0));
        // A computed quota has room for it.
        let hard =
            |cpu: &str| with(cpu, json!({})).find("ResourceQuota/preview-env-isolation").value()["spec"]["hard"]["requests.cpu"].clone();
        assert_eq!((hard("500m"), hard("8")), (json!("7500m"), json!("15")));
    }

    #[test]
    fn what_cannot_run_is_said() {
        let privileged = json!({"name": "c", "image": "x:1", "securityContext": {"privileged": true}});
        let wrong = [
            (hook(job(&privileged)), "it asks for all rights on the node (spec.template.spec.containers[c].securityContext.privileged)"),
            (Hook { service: Some("none".into()), ..hook(job(&json!({"name": "c"}))) }, "none is no workload of the environment"),
            (
                Hook { after: vec!["db".into()], ..hook(job(&json!({"name": "c", "image": "x:1"}))) },
                "it runs after db, which is no workload of the environment",
            ),
        ];
        for (hook, why) in wrong {
            let plan = planned(hook, "2");
            assert_eq!((plan.hooks.len(), plan.stalled), (0, vec![format!("the hook migrate cannot run: {why}")]));
        }
    }
}
