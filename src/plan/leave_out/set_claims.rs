//! Claims that the copy of a StatefulSet makes anew. It names them `<template>-<set>-<ordinal>`.
//! <https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#stable-storage>

use super::{Facts, LEAVE_OUT, because};
use crate::plan::decision::LeftOutReason;
use crate::plan::kinds::is_kind;
use crate::plan::manifest::Manifest;

pub(super) fn reason(object: &Manifest, facts: &Facts<'_>) -> Option<LeftOutReason> {
    if !is_kind(object, "", "PersistentVolumeClaim") {
        return None;
    }
    let name = object.name().name;
    let is_ordinal = |rest: &str| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit());
    let (_, set) = facts.claims.iter().find(|(prefix, _)| name.strip_prefix(prefix.as_str()).is_some_and(is_ordinal))?;
    let is_left_out = LEAVE_OUT.iter().any(|rule| (rule.reason)(set, facts).is_some());
    let set = set.name().to_string();
    if is_left_out { because(format!("belongs to {set}, which is left out")) } else { Some(LeftOutReason::MadeBy(set)) }
}

/// Beginnings of the names of the claims of a StatefulSet, with it.
pub(super) fn of(set: &Manifest) -> impl Iterator<Item = (String, &Manifest)> {
    let name = set.name().name;
    let templates = set.items("/spec/volumeClaimTemplates").filter_map(|t| t.pointer("/metadata/name")?.as_str());
    templates.map(move |template| (format!("{template}-{name}-"), set))
}

#[cfg(test)]
mod tests {
    use crate::plan::sample::{World, object, stateful_set};

    #[test]
    fn claims_of_a_set_come_with_it() {
        let claim = |name: &str| object("v1", "PersistentVolumeClaim", name);
        let said = World::of([stateful_set("db").claim("data"), claim("data-db-0"), claim("data-db-x")]).plan().said();
        let set = "is made anew by StatefulSet/db";
        assert_eq!(said[..2], [format!("PersistentVolumeClaim/data-db-0 left out: {set}"), "PersistentVolumeClaim/data-db-x kept".into()]);
    }
}
