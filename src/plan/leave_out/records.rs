//! Records that a tool or a controller keeps for itself in ConfigMaps and Secrets. The tool would take the copy for a
//! release of its own, or for the list of what it may prune; an application would wait for a leader that is elsewhere.
//! Helm: <https://helm.sh/docs/topics/advanced/#storage-backends>, kapp and cli-utils: the labels in their sources,
//! `ApplySet`s: KEP-3659.

use super::{Facts, because};
use crate::plan::decision::LeftOutReason;
use crate::plan::manifest::Manifest;

/// Labels of records, and whose they are.
const LABELS: [(&str, &str); 5] = [
    ("cli-utils.sigs.k8s.io~1inventory-id", "the list by which cli-utils prunes"),
    ("kapp.k14s.io~1is-app", "kapp's record of an app"),
    ("kapp.k14s.io~1is-app-change", "kapp's record of a change"),
    ("applyset.kubernetes.io~1id", "the list by which kubectl prunes"),
    ("OWNER", "Helm's record of a release"),
];
/// Where client-go elected leaders before Leases.
const LEADER: &str = "/metadata/annotations/control-plane.alpha.kubernetes.io~1leader";

pub(super) fn reason(object: &Manifest, _: &Facts<'_>) -> Option<LeftOutReason> {
    if !object.group().is_empty() || !matches!(object.kind(), "ConfigMap" | "Secret") {
        return None;
    }
    let labelled = LABELS.iter().find(|(label, _)| object.text(&format!("/metadata/labels/{label}")).is_some());
    let is_release = object.text("/type") == Some("helm.sh/release.v1") || object.name().name.starts_with("sh.helm.release.");
    let whose = match labelled {
        Some((_, whose)) => whose,
        None if is_release => "Helm's record of a release",
        None if object.get(LEADER).is_some() => "a leader's lock",
        None => return None,
    };
    because(format!("is {whose}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::plan::sample::{World, object};

    #[test]
    fn the_books_of_tools_stay_with_them() {
        let plan = World::of([
            object("v1", "ConfigMap", "a").label("cli-utils.sigs.k8s.io/inventory-id", "x"),
            object("v1", "ConfigMap", "b").annotation("control-plane.alpha.kubernetes.io/leader", "{}"),
            object("v1", "Secret", "c").with("/type", json!("helm.sh/release.v1")),
            object("v1", "ConfigMap", "sh.helm.release.v1.shop.v2"),
        ]);
        assert_eq!(
            plan.plan().said(),
            [
                "ConfigMap/a left out: is the list by which cli-utils prunes",
                "ConfigMap/b left out: is a leader's lock",
                "ConfigMap/sh.helm.release.v1.shop.v2 left out: is Helm's record of a release",
                "Secret/c left out: is Helm's record of a release",
            ]
        );
    }
}
