//! What a team chose by name, kind or label: `clone.include` and `clone.exclude`.

use super::decision::LeftOutReason;
use super::manifest::Manifest;
use crate::domain::Baseline;
use crate::domain::baseline::ObjectMatch;

/// Whether `clone.include` names the object: then neither `clone.exclude` nor the habit of its kind leaves it out.
pub(super) fn is_included(object: &Manifest, baseline: &Baseline) -> bool {
    baseline.selection.include.iter().any(|rule| matches(rule, object))
}

/// The reason, where `clone.exclude` names the object and `clone.include` does not.
pub(super) fn excluded(object: &Manifest, baseline: &Baseline) -> Option<LeftOutReason> {
    let index = baseline.selection.exclude.iter().position(|rule| matches(rule, object))?;
    (!is_included(object, baseline)).then(|| LeftOutReason::Because(format!("clone.exclude[{index}] names it")))
}

fn matches(rule: &ObjectMatch, object: &Manifest) -> bool {
    let has_label = |(key, value): (&String, &String)| {
        let labels = object.get("/metadata/labels").and_then(|labels| labels.get(key));
        labels.and_then(|label| label.as_str()) == Some(value)
    };
    object.kind() == rule.kind
        && rule.name.as_deref().is_none_or(|name| object.text("/metadata/name") == Some(name))
        && rule.labels.iter().all(has_label)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::domain::baseline::ObjectMatch;
    use crate::plan::sample::{World, deployment, object, stateful_set};

    fn matching(kind: &str, name: Option<&str>, labels: &[(&str, &str)]) -> ObjectMatch {
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        ObjectMatch { kind: kind.to_owned(), name: name.map(str::to_owned), labels }
    }

    #[test]
    fn what_is_excluded_is_left_out_but_for_what_is_included() {
        let world = World::of([deployment("web"), deployment("load").label("tier", "test"), deployment("load-2").label("tier", "test")])
            .baseline(|b| {
                b.selection.exclude = vec![matching("Deployment", None, &[("tier", "test")])];
                b.selection.include = vec![matching("Deployment", Some("load-2"), &[])];
            });
        assert_eq!(
            world.plan().said(),
            ["Deployment/load left out: clone.exclude[0] names it", "Deployment/load-2 kept", "Deployment/web kept"]
        );
    }

    #[test]
    fn all_labels_have_to_be_there() {
        let world = World::of([deployment("a").label("x", "1").label("y", "2"), deployment("b").label("x", "1")])
            .baseline(|b| b.selection.exclude = vec![matching("Deployment", None, &[("x", "1"), ("y", "2")])]);
        assert_eq!(world.plan().said(), ["Deployment/a left out: clone.exclude[0] names it", "Deployment/b kept"]);
    }

    #[test]
    fn what_is_left_out_by_habit_can_be_included() {
        let role = object("rbac.authorization.k8s.io/v1", "Role", "api").with("/rules", json!([]));
        let world = World::of([role]).baseline(|b| b.selection.include = vec![matching("Role", None, &[])]);
        assert_eq!(world.plan().said(), ["Role/api kept"]);
    }

    #[test]
    fn nothing_that_is_refused_can_be_included() {
        let agent = deployment("agent").with("/spec/template/spec/hostPID", json!(true));
        let world = World::of([agent]).baseline(|b| b.selection.include = vec![matching("Deployment", Some("agent"), &[])]);
        assert!(world.plan().said()[0].contains("left out"));
    }

    #[test]
    fn the_claims_of_a_set_that_is_excluded_stay_behind_too() {
        let world = World::of([stateful_set("db").claim("data"), object("v1", "PersistentVolumeClaim", "data-db-0")])
            .baseline(|b| b.selection.exclude = vec![matching("StatefulSet", Some("db"), &[])]);
        assert_eq!(
            world.plan().said(),
            [
                "PersistentVolumeClaim/data-db-0 left out: belongs to StatefulSet/db, which is left out",
                "StatefulSet/db left out: clone.exclude[0] names it",
            ]
        );
    }
}
