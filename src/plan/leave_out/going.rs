//! What is being deleted in the baseline is not worth a copy, and a finalizer can keep it there for long.
//! <https://kubernetes.io/docs/concepts/overview/working-with-objects/finalizers/>

use super::{Facts, because};
use crate::plan::decision::LeftOutReason;
use crate::plan::manifest::Manifest;

pub(super) fn reason(object: &Manifest, _: &Facts<'_>) -> Option<LeftOutReason> {
    if is_being_deleted(object) { because("is being deleted") } else { None }
}

/// Whether somebody has deleted it already.
pub fn is_being_deleted(object: &Manifest) -> bool {
    object.text("/metadata/deletionTimestamp").is_some()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::plan::sample::{World, deployment};

    #[test]
    fn what_is_going_away_stays_behind() {
        let going = deployment("web").with("/metadata/deletionTimestamp", json!("2026-01-01T00:00:00Z"));
        assert_eq!(World::of([going]).plan().said(), ["Deployment/web left out: is being deleted"]);
    }
}
