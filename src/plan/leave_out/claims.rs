//! `clone.volumes: Skip`: no claims at all. Pods get an empty folder of their node where a claim was (`rules/volumes.rs`).
//! Ours: storage that takes minutes to provision, or that is billed by the claim, is not worth it to every team.

use super::{Facts, because};
use crate::api::baseline::Volumes;
use crate::plan::decision::LeftOutReason;
use crate::plan::kinds::is_kind;
use crate::plan::manifest::Manifest;

pub(super) fn reason(object: &Manifest, facts: &Facts<'_>) -> Option<LeftOutReason> {
    let is_skipped = is_kind(object, "", "PersistentVolumeClaim") && facts.target.baseline.choices.volumes == Volumes::Skip;
    if is_skipped { because("clone.volumes: Skip") } else { None }
}

#[cfg(test)]
mod tests {
    use crate::api::baseline::Volumes;
    use crate::plan::sample::{World, object};

    #[test]
    fn a_baseline_can_do_without() {
        let world = World::of([object("v1", "PersistentVolumeClaim", "uploads")]).baseline(|b| b.choices.volumes = Volumes::Skip);
        assert_eq!(world.plan().said(), ["PersistentVolumeClaim/uploads left out: clone.volumes: Skip"]);
    }
}
