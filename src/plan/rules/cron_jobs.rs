//! `CronJob`s are there and do not run: what they do by the clock (bills, mails, clean-ups) is not for a copy to do again.
//! `kubectl create job --from` runs one by hand. `clone.cronJobs` says otherwise.
//! <https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#schedule-suspension>

use serde_json::{Value, json};

use super::Notes;
use crate::api::baseline::CronJobs;
use crate::plan::context::Context;
use crate::plan::kinds::is_kind;
use crate::plan::manifest::Manifest;

pub(super) fn apply(manifest: &mut Manifest, context: &Context<'_>, notes: &mut Notes) {
    if !is_kind(manifest, "batch", "CronJob") || context.target.baseline.choices.cron_jobs == CronJobs::Run {
        return;
    }
    if manifest.get("/spec/suspend") != Some(&Value::Bool(true)) {
        notes.changed("spec.suspend", ("false", "true"), "clone.cronJobs: Suspended");
        manifest.set(&["spec"], "suspend", json!(true));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::api::baseline::CronJobs;
    use crate::plan::sample::{World, cron_job};

    #[test]
    fn nothing_runs_by_the_clock() {
        let world = || World::of([cron_job("nightly"), cron_job("off").with("/spec/suspend", json!(true))]);
        assert_eq!(world().plan().said(), ["CronJob/nightly spec.suspend: false -> true (clone.cronJobs: Suspended)", "CronJob/off kept"]);
        let run = world().baseline(|b| b.choices.cron_jobs = CronJobs::Run).plan();
        assert_eq!(run.said(), ["CronJob/nightly kept", "CronJob/off kept"]);
    }

    #[test]
    fn pods_of_jobs_are_like_all_others() {
        let plan = World::of([cron_job("nightly")]).plan();
        let copy = plan.find("CronJob/nightly").value();
        for labels in
            [&copy["spec"]["jobTemplate"]["metadata"]["labels"], &copy["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["labels"]]
        {
            assert_eq!(labels["preview-env.dev/environment-uid"], "uid-42");
        }
    }
}
