//! The hooks of an environment: which has to run now, and how each ended. No client, no clock, no logging; `hook_runs.rs`
//! acts on what is decided here.
//!
//! One hook runs at a time, in the Baseline's order. What ran is recorded in status by the name of its Job, so that a Job
//! that somebody cleans up is not run again.

use std::collections::HashSet;

use super::status::Progress;
use crate::api::baseline::{HookMoment, OnFailure};
use crate::api::status::{HookState, HookStatus};
use crate::domain::baseline::Hook;
use crate::plan::{ObjectName, Plan, PlannedHook};

/// What is to be done about hooks now.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Next {
    /// Nothing: all of them are done, or there are none.
    Nothing,
    /// The hook of that name starts.
    Start(String),
    /// Something has to happen first, with its reason.
    Wait(&'static str, String),
    /// One failed, and nothing goes on until a person has done something.
    Failed(String),
}

impl Next {
    /// What a pass has to say of it, where that is more than that everything is applied.
    pub fn progress(&self) -> Option<Progress> {
        match self {
            Self::Nothing | Self::Start(_) => None,
            Self::Wait(reason, why) => Some(Progress::Waiting(reason, why.clone())),
            Self::Failed(why) => Some(Progress::Stalled("HookFailed", why.clone())),
        }
    }
}

/// The record of the hooks of a plan, after what was recorded before, in the plan's order. `updates` says whether the
/// environment was ready with another revision before.
pub fn record(planned: &[PlannedHook], before: &[HookStatus], updates: bool) -> Vec<HookStatus> {
    planned.iter().map(|planned| record_one(planned, before, updates)).collect()
}

fn record_one(planned: &PlannedHook, before: &[HookStatus], updates: bool) -> HookStatus {
    let PlannedHook { hook, job } = planned;
    let job = job.manifest.name().name;
    let known = before.iter().find(|record| record.name == hook.name);
    let once = |record: &&HookStatus| hook.when == HookMoment::AfterReady && record.state == HookState::Succeeded;
    if let Some(known) = known.filter(|record| record.job == job || once(record)) {
        return known.clone();
    }
    let needed = hook.when != HookMoment::OnUpdate || updates;
    let state = if needed { HookState::Waiting } else { HookState::NotNeeded };
    HookStatus { name: hook.name.clone(), job, state, message: None, log: None }
}

/// Jobs that were recorded and are no longer: their revision is over.
pub fn outlived<'a>(before: &'a [HookStatus], now: &[HookStatus]) -> Vec<&'a str> {
    let made = before.iter().filter(|r| !matches!(r.state, HookState::Waiting | HookState::NotNeeded));
    made.map(|r| r.job.as_str()).filter(|job| now.iter().all(|r| r.job != *job)).collect()
}

/// What is to be done before the workloads. `is_ready` says whether the workload of that name is.
pub fn before_workloads<'a>(hooks: impl IntoIterator<Item = &'a Hook>, records: &[HookStatus], is_ready: impl Fn(&str) -> bool) -> Next {
    next(hooks.into_iter().filter(|h| h.when == HookMoment::BeforeWorkloads), records, is_ready)
}

/// What is to be done once everything is ready.
pub fn when_ready<'a>(hooks: impl IntoIterator<Item = &'a Hook>, records: &[HookStatus]) -> Next {
    match next(hooks.into_iter().filter(|h| h.when != HookMoment::BeforeWorkloads), records, |_| true) {
        // The environment is as it should be already.
        Next::Wait(..) => Next::Nothing,
        other => other,
    }
}

fn next<'a>(hooks: impl Iterator<Item = &'a Hook>, records: &[HookStatus], is_ready: impl Fn(&str) -> bool) -> Next {
    for hook in hooks {
        let Some(record) = records.iter().find(|r| r.name == hook.name) else { continue };
        match (record.state, hook.on_failure) {
            (HookState::Succeeded | HookState::NotNeeded, _) | (HookState::Failed, OnFailure::Continue) => {}
            (HookState::Failed, OnFailure::Stall) => return Next::Failed(failure(record)),
            (HookState::Running, _) => return Next::Wait("HookRunning", format!("hook {} is running", hook.name)),
            (HookState::Waiting, _) => {
                return match hook.after.iter().find(|name| !is_ready(name)) {
                    Some(name) => Next::Wait("HookWaiting", format!("hook {} runs once {name} is ready", hook.name)),
                    None => Next::Start(hook.name.clone()),
                };
            }
        }
    }
    Next::Nothing
}

/// A failure as a sentence. Without what was logged: this is shown on the pull request.
pub fn failure(record: &HookStatus) -> String {
    format!("hook {} failed: {}", record.name, record.message.as_deref().unwrap_or("its Job failed"))
}

/// The objects that wait for the hooks before them: everything that runs pods, but StatefulSets, which hold the data that
/// a migration is for, and what a hook names to run after.
pub fn held_back(plan: &Plan) -> HashSet<ObjectName> {
    let first: HashSet<&str> = plan.hooks.iter().flat_map(|h| h.hook.after.iter().map(String::as_str)).collect();
    let waits = |object: &ObjectName| {
        let runs_pods = object.api_version.starts_with("apps/") || object.api_version.starts_with("batch/");
        runs_pods && object.kind != "StatefulSet" && !first.contains(object.name.as_str())
    };
    plan.stages.iter().flatten().map(|planned| planned.manifest.name()).filter(waits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::baseline::JobSource;
    use crate::plan::{Manifest, Planned};
    use serde_json::json;
    use std::time::Duration;

    fn hook(name: &str, when: HookMoment) -> Hook {
        Hook {
            name: name.into(),
            when,
            source: JobSource::CronJob("x".into()),
            service: None,
            after: vec![],
            timeout: Duration::from_secs(60),
            on_failure: OnFailure::Stall,
        }
    }

    fn planned(hook: &Hook, job: &str) -> PlannedHook {
        let manifest = Manifest::new(json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": job}}));
        PlannedHook { hook: hook.clone(), job: Planned { manifest, hash: String::new(), source: None } }
    }

    fn ran(name: &str, job: &str, state: HookState) -> HookStatus {
        HookStatus { name: name.into(), job: job.into(), state, message: None, log: None }
    }

    #[test]
    fn a_migration_runs_for_every_revision_and_a_seed_once() {
        let (migrate, seed) = (hook("migrate", HookMoment::BeforeWorkloads), hook("seed", HookMoment::AfterReady));
        let before = [ran("migrate", "m-1", HookState::Succeeded), ran("seed", "s-1", HookState::Succeeded)];
        let now = record(&[planned(&migrate, "m-2"), planned(&seed, "s-2")], &before, true);
        assert_eq!(now, [ran("migrate", "m-2", HookState::Waiting), ran("seed", "s-1", HookState::Succeeded)]);
        assert_eq!(outlived(&before, &now), ["m-1"]);
        let failed = record(&[planned(&seed, "s-2")], &[ran("seed", "s-1", HookState::Failed)], true);
        assert_eq!(failed[0].state, HookState::Waiting, "a seed that failed gets another try with the next revision");
    }

    #[test]
    fn an_update_hook_has_nothing_to_do_in_a_new_environment() {
        let update = hook("warm", HookMoment::OnUpdate);
        let first = record(&[planned(&update, "w-1")], &[], false);
        assert_eq!(first, [ran("warm", "w-1", HookState::NotNeeded)]);
        assert_eq!(record(&[planned(&update, "w-1")], &first, true), first, "not for that revision later either");
        assert_eq!(record(&[planned(&update, "w-2")], &first, true)[0].state, HookState::Waiting);
    }

    #[test]
    fn one_runs_at_a_time_and_in_order() {
        let hooks = [hook("a", HookMoment::BeforeWorkloads), hook("b", HookMoment::BeforeWorkloads)];
        let next = |a, b| before_workloads(&hooks, &[ran("a", "a-1", a), ran("b", "b-1", b)], |_| true);
        assert_eq!(next(HookState::Waiting, HookState::Waiting), Next::Start("a".into()));
        assert!(matches!(next(HookState::Running, HookState::Waiting), Next::Wait("HookRunning", _)));
        assert_eq!(next(HookState::Succeeded, HookState::Waiting), Next::Start("b".into()));
        assert_eq!(next(HookState::Failed, HookState::Waiting), Next::Failed("hook a failed: its Job failed".into()));
        assert_eq!(next(HookState::Succeeded, HookState::Succeeded), Next::Nothing);
        assert_eq!(when_ready(&hooks, &[ran("a", "a-1", HookState::Waiting)]), Next::Nothing, "not their moment");
    }

    #[test]
    fn a_hook_waits_for_what_it_names_and_goes_on_where_it_may() {
        let mut migrate = hook("migrate", HookMoment::BeforeWorkloads);
        migrate.after = vec!["db".into()];
        let waiting = [ran("migrate", "m-1", HookState::Waiting)];
        assert!(matches!(before_workloads([&migrate], &waiting, |name| name != "db"), Next::Wait("HookWaiting", _)));
        assert_eq!(before_workloads([&migrate], &waiting, |_| true), Next::Start("migrate".into()));
        migrate.on_failure = OnFailure::Continue;
        assert_eq!(before_workloads([&migrate], &[ran("migrate", "m-1", HookState::Failed)], |_| true), Next::Nothing);
    }

    #[test]
    fn databases_are_made_before_the_hook_and_the_rest_after_it() {
        let object = |api: &str, kind: &str, name: &str| Planned {
            manifest: Manifest::new(json!({"apiVersion": api, "kind": kind, "metadata": {"name": name}})),
            hash: String::new(),
            source: None,
        };
        let mut migrate = hook("migrate", HookMoment::BeforeWorkloads);
        migrate.after = vec!["mysql".into()];
        let workloads = vec![
            object("v1", "Service", "web"),
            object("apps/v1", "StatefulSet", "db"),
            object("apps/v1", "Deployment", "mysql"),
            object("apps/v1", "Deployment", "web"),
        ];
        let plan = Plan { stages: vec![workloads], hooks: vec![planned(&migrate, "m-1")], ..Plan::default() };
        let held: Vec<String> = held_back(&plan).iter().map(ToString::to_string).collect();
        assert_eq!(held, ["Deployment/web"]);
    }
}
