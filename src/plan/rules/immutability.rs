//! `immutable: true` on ConfigMaps and Secrets: a later change of the baseline could not be applied over it.

use super::Notes;
use crate::plan::context::Context;
use crate::plan::manifest::Manifest;

pub(super) fn apply(manifest: &mut Manifest, _: &Context<'_>, notes: &mut Notes) {
    if manifest.group().is_empty() && matches!(manifest.kind(), "ConfigMap" | "Secret") {
        notes.take(manifest, "", "immutable", "later changes must be applicable");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::plan::sample::{World, object};

    #[test]
    fn copies_can_be_changed() {
        let plan = World::of([object("v1", "ConfigMap", "c").with("/immutable", json!(true))]).plan();
        assert!(plan.find("ConfigMap/c").get("/immutable").is_none());
        assert_eq!(plan.said(), ["ConfigMap/c immutable: true -> (none) (later changes must be applicable)"]);
    }
}
