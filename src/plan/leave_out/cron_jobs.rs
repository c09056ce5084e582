//! `clone.cronJobs: Skip`. Ours: some teams want not even a suspended one.

use super::{Facts, because};
use crate::api::baseline::CronJobs;
use crate::plan::decision::LeftOutReason;
use crate::plan::kinds::is_kind;
use crate::plan::manifest::Manifest;

pub(super) fn reason(object: &Manifest, facts: &Facts<'_>) -> Option<LeftOutReason> {
    let is_skipped = is_kind(object, "batch", "CronJob") && facts.target.baseline.choices.cron_jobs == CronJobs::Skip;
    if is_skipped { because("clone.cronJobs: Skip") } else { None }
}

#[cfg(test)]
mod tests {
    use crate::api::baseline::CronJobs;
    use crate::plan::sample::{World, cron_job};

    #[test]
    fn a_baseline_can_skip_them() {
        let said = World::of([cron_job("nightly")]).baseline(|b| b.choices.cron_jobs = CronJobs::Skip).plan().said();
        assert_eq!(said, ["CronJob/nightly left out: clone.cronJobs: Skip"]);
    }
}
