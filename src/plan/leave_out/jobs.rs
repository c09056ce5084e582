//! Jobs. One that a `CronJob` started is a run of it. Any other one ran, or runs, once, often as the hook of a deployment:
//! a copy would do its work a second time, at a moment that nobody chose. What an environment needs done is a hook.
//! <https://kubernetes.io/docs/concepts/workloads/controllers/job/#job-termination-and-cleanup> and
//! <https://helm.sh/docs/topics/charts_hooks/>

use serde_json::Value;

use super::{Facts, because};
use crate::plan::chosen::is_included;
use crate::plan::decision::LeftOutReason;
use crate::plan::kinds::is_kind;
use crate::plan::manifest::Manifest;
use crate::plan::select::controller;

pub(super) fn reason(object: &Manifest, facts: &Facts<'_>) -> Option<LeftOutReason> {
    if !is_kind(object, "batch", "Job") || is_included(object, facts.target.baseline) {
        return None;
    }
    if let Some(owner) = controller(object) {
        return because(format!("is a run of {owner}"));
    }
    because(match ended(object) {
        Some("Failed") => "has failed in the baseline and is not run again",
        Some(_) => "has run in the baseline: what it did there is not copied (a hook or clone.include runs it here)",
        None => "runs once, in the baseline (a hook or clone.include runs it here)",
    })
}

fn ended(job: &Manifest) -> Option<&str> {
    let is_true = |condition: &&Value| condition.get("status").and_then(Value::as_str) == Some("True");
    let kinds = job.items("/status/conditions").filter(is_true).filter_map(|c| c.get("type")?.as_str());
    kinds.filter(|kind| matches!(*kind, "Complete" | "Failed")).last()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::plan::sample::{World, controlled_by, object};

    #[test]
    fn what_runs_once_is_not_run_twice() {
        let job = |name: &str| object("batch/v1", "Job", name);
        let ended = |name: &str, kind: &str| job(name).with("/status/conditions", json!([{"type": kind, "status": "True"}]));
        let said = World::of([
            ended("done", "Complete"),
            ended("lost", "Failed"),
            job("now"),
            controlled_by(job("nightly-1"), "batch/v1", "CronJob/nightly"),
        ])
        .plan()
        .said();
        assert_eq!(
            said,
            [
                "Job/done left out: has run in the baseline: what it did there is not copied (a hook or clone.include runs it here)",
                "Job/lost left out: has failed in the baseline and is not run again",
                "Job/nightly-1 left out: is a run of CronJob/nightly",
                "Job/now left out: runs once, in the baseline (a hook or clone.include runs it here)",
            ]
        );
    }
}
