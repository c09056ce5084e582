//! Which objects of the baseline are cloned: what `clone.customResources`, `clone.include` and `clone.exclude` say.

use std::collections::BTreeMap;

use super::{InvalidBaseline, invalid};
use crate::api::baseline::{CloneRules, CustomResourceRule, ObjectRule};
use crate::kinds::{KINDS, Known, Reading, Treatment};

/// What a team says about which objects are cloned.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selection {
    /// Kinds of custom resources that are cloned.
    pub custom_resources: Vec<GroupKind>,
    /// Objects that are cloned, although their kind or `exclude` would leave them out.
    pub include: Vec<ObjectMatch>,
    /// Objects that are left out.
    pub exclude: Vec<ObjectMatch>,
}

/// A kind of custom resource.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct GroupKind {
    /// The API group.
    pub group: String,
    /// The kind.
    pub kind: String,
}

/// Objects of one kind.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectMatch {
    /// The kind, in whatever group.
    pub kind: String,
    /// The name, where it is one object.
    pub name: Option<String>,
    /// Labels that it has.
    pub labels: BTreeMap<String, String>,
}

impl Selection {
    /// Whether objects of this custom kind are cloned.
    pub fn names_custom_resource(&self, group: &str, kind: &str) -> bool {
        self.custom_resources.iter().any(|c| c.group == group && c.kind == kind)
    }

    /// Reads what a Baseline says.
    pub(super) fn read(clone: &CloneRules) -> Result<Self, InvalidBaseline> {
        let custom = clone.custom_resources.iter().enumerate().map(|(index, rule)| custom_resource(index, rule));
        let custom_resources: Vec<_> = custom.collect::<Result<_, _>>()?;
        let list = |name: &str, rules: &[ObjectRule], check: Check| {
            let read = |(index, rule)| object_match(&format!("spec.clone.{name}[{index}].kind"), rule, (&custom_resources, check));
            rules.iter().enumerate().map(read).collect::<Result<Vec<_>, _>>()
        };
        let include = list("include", &clone.include, can_be_cloned)?;
        let exclude = list("exclude", &clone.exclude, |_| Ok(()))?;
        Ok(Self { custom_resources, include, exclude })
    }
}

/// Whether a kind of the table can be meant.
type Check = fn(&Known) -> Result<(), String>;

fn custom_resource(index: usize, rule: &CustomResourceRule) -> Result<GroupKind, InvalidBaseline> {
    let path = format!("spec.clone.customResources[{index}]");
    match Known::find(&rule.group, &rule.kind).map(|known| known.treatment) {
        None => Ok(GroupKind { group: rule.group.clone(), kind: rule.kind.clone() }),
        Some(Treatment::Cloned(_)) => Err(invalid(path, &format!("a {} is cloned without being listed", rule.kind))),
        Some(Treatment::OptIn(_, why) | Treatment::LeftOut(why) | Treatment::Unread(why)) => {
            Err(invalid(path, &format!("a {} is never cloned like this: it {why}", rule.kind)))
        }
        Some(Treatment::Listed(_)) => Err(invalid(path, &format!("a {} is listed in clone.secrets", rule.kind))),
    }
}

fn object_match(path: &str, rule: &ObjectRule, (custom, check): (&[GroupKind], Check)) -> Result<ObjectMatch, InvalidBaseline> {
    let known: Vec<&Known> = KINDS.iter().filter(|known| known.kind.kind == rule.kind).collect();
    if !custom.iter().any(|c| c.kind == rule.kind) {
        let unknown = || Err(format!("{} is no kind that is known, and clone.customResources does not name it", rule.kind));
        known.first().map_or_else(unknown, |first| check(first)).map_err(|why| invalid(path, &why))?;
    }
    Ok(ObjectMatch { kind: rule.kind.clone(), name: rule.name.clone(), labels: rule.labels.clone() })
}

fn can_be_cloned(known: &Known) -> Result<(), String> {
    let kind = &known.kind.kind;
    match known.treatment {
        Treatment::LeftOut(why) | Treatment::Unread(why) => Err(format!("a {kind} is never cloned: it {why}")),
        Treatment::Listed(_) => Err(format!("a {kind} is listed in clone.secrets")),
        Treatment::Cloned(_) | Treatment::OptIn(..) => {
            debug_assert_eq!(known.treatment.reading(), Reading::Whole);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(clone: Value) -> Result<Selection, InvalidBaseline> {
        Selection::read(&serde_json::from_value(clone).unwrap())
    }

    #[test]
    fn custom_kinds_are_custom() {
        let custom = |group: &str, kind: &str| read(json!({"customResources": [{"group": group, "kind": kind}]}));
        assert!(custom("db.example.com", "Database").unwrap().names_custom_resource("db.example.com", "Database"));
        assert!(custom("serving.knative.dev", "Service").is_ok(), "the group counts");
        for (group, kind, words) in [
            ("apps", "Deployment", "a Deployment is cloned without being listed"),
            ("policy", "PodDisruptionBudget", "never cloned"),
            ("preview-env.dev", "PreviewEnvironment", "never cloned"),
        ] {
            let error = custom(group, kind).unwrap_err();
            assert_eq!(error.field, "spec.clone.customResources[0]");
            assert!(error.why.contains(words), "{error}");
        }
    }

    #[test]
    fn kinds_that_cannot_be_meant_are_named_by_their_path() {
        let include = |kind: &str| json!({"include": [{"kind": "Role"}, {"kind": kind}]});
        for (clone, field) in [
            (include("Pod"), "spec.clone.include[1].kind"),
            (include("Secret"), "spec.clone.include[1].kind"),
            (include("Deploymnet"), "spec.clone.include[1].kind"),
            (json!({"exclude": [{"kind": "Database"}]}), "spec.clone.exclude[0].kind"),
        ] {
            assert_eq!(read(clone).unwrap_err().field, field);
        }
        let custom = json!([{"group": "db.example.com", "kind": "Database"}]);
        let both = json!({"customResources": custom, "include": [{"kind": "Job", "name": "seed"}], "exclude": [{"kind": "Database"}]});
        assert!(read(both).is_ok());
        assert!(read(json!({"exclude": [{"kind": "Secret"}, {"kind": "Pod"}]})).is_ok());
    }
}
