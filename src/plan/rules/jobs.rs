//! Jobs that go by themselves when they are done: what is gone in an environment is made again, so the copy stays and runs once.
//! <https://kubernetes.io/docs/concepts/workloads/controllers/ttlafterfinished/>

use super::Notes;
use crate::plan::context::Context;
use crate::plan::kinds::is_kind;
use crate::plan::manifest::Manifest;

pub(super) fn apply(manifest: &mut Manifest, _: &Context<'_>, notes: &mut Notes) {
    if is_kind(manifest, "batch", "Job") {
        notes.take(manifest, "/spec", "ttlSecondsAfterFinished", "it stays when it is done, or it would be made and run again");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::domain::baseline::ObjectMatch;
    use crate::plan::sample::{World, cron_job, object};

    #[test]
    fn a_job_that_is_done_stays() {
        let jobs = ObjectMatch { kind: "Job".into(), name: None, labels: [].into() };
        let fill = object("batch/v1", "Job", "fill").with("/spec/ttlSecondsAfterFinished", json!(0));
        let nightly = cron_job("nightly").with("/spec/jobTemplate/spec/ttlSecondsAfterFinished", json!(60));
        let plan = World::of([fill, nightly]).baseline(|b| b.selection.include = vec![jobs]).plan();
        assert!(plan.find("Job/fill").get("/spec/ttlSecondsAfterFinished").is_none());
        let said = "Job/fill spec.ttlSecondsAfterFinished: 0 -> (none) (it stays when it is done, or it would be made and run again)";
        assert!(plan.said().iter().any(|line| line == said), "{:?}", plan.said());
        let runs = plan.find("CronJob/nightly").get("/spec/jobTemplate/spec/ttlSecondsAfterFinished");
        assert_eq!(runs, Some(&json!(60)), "its runs are none of ours");
    }
}
