//! What of a baseline's namespace is read. No client, no clock, no logging.

use k8s_openapi::api::authorization::v1::ResourceRule;

use super::catalogue::Catalogue;
use crate::domain::baseline::GroupKind;
use crate::kinds::{KINDS, Kind, Known, Reading};

/// One kind to read in a namespace.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Watch {
    /// The kind, in the version that is served.
    pub kind: Kind,
    /// How much of each object.
    pub reading: Reading,
    /// Whether the namespace counts as read only with it.
    pub required: bool,
}

/// Everything to read in a namespace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scope {
    /// The custom resources that were asked for.
    pub custom: Vec<GroupKind>,
    /// The kinds to read.
    pub watches: Vec<Watch>,
    /// Custom resources that were asked for and cannot be cloned: the path of the field, and why.
    pub problems: Vec<String>,
    /// How many kinds of custom resources are served that may not be listed here.
    pub unlisted: usize,
}

impl Scope {
    /// What to read where these custom resources are asked for and `may_list` tells of which others names can be had.
    pub fn of(catalogue: &Catalogue, custom: &[GroupKind], may_list: impl Fn(&Kind) -> bool) -> Self {
        let mut scope = Self { custom: custom.to_vec(), ..Self::default() };
        scope.watches.extend(KINDS.iter().filter_map(|known| of_table(known, catalogue)));
        for (index, wanted) in custom.iter().enumerate() {
            match find(catalogue, wanted) {
                Ok(kind) => scope.watches.push(Watch { kind, reading: Reading::Whole, required: true }),
                Err(why) => scope.problems.push(format!("spec.clone.customResources[{index}]: {why}")),
            }
        }
        let is_asked_for = |kind: &Kind| custom.iter().any(|c| c.group == kind.group() && c.kind == kind.kind);
        for kind in catalogue.custom().filter(|kind| !is_asked_for(kind)) {
            if may_list(kind) {
                scope.watches.push(Watch { kind: kind.clone(), reading: Reading::NameOnly, required: false });
            } else {
                scope.unlisted += 1;
            }
        }
        scope
    }
}

/// A kind of the table where it is served. In another version than the one that we know its objects are only named.
fn of_table(known: &Known, catalogue: &Catalogue) -> Option<Watch> {
    let reading = known.treatment.reading();
    if !matches!(reading, Reading::Whole | Reading::NameOnly) {
        return None;
    }
    if catalogue.exact(&known.kind.api_version, &known.kind.kind).is_some_and(|served| served.watchable) {
        return Some(Watch { kind: known.kind.clone(), reading, required: true });
    }
    let other = catalogue.preferred(known.kind.group(), &known.kind.kind).filter(|served| served.watchable)?;
    Some(Watch { kind: other.kind.clone(), reading: Reading::NameOnly, required: true })
}

fn find(catalogue: &Catalogue, wanted: &GroupKind) -> Result<Kind, String> {
    let GroupKind { group, kind } = wanted;
    match catalogue.preferred(group, kind) {
        None => Err(format!("the API server serves no kind {kind} in the group {group}; is its CustomResourceDefinition installed?")),
        Some(served) if !served.namespaced => {
            Err(format!("a {kind} of {group} belongs to the whole cluster, and only what is in namespaces can be cloned"))
        }
        Some(served) if !served.watchable => Err(format!("a {kind} of {group} cannot be listed and watched")),
        Some(served) => Ok(served.kind.clone()),
    }
}

/// Whether rules of RBAC allow to list and watch a kind.
pub fn allow_reading(rules: &[ResourceRule], kind: &Kind) -> bool {
    let names = |list: &Option<Vec<String>>, wanted: &str| list.iter().flatten().any(|entry| entry == wanted || entry == "*");
    let verb = |rule: &ResourceRule, verb: &str| rule.verbs.iter().any(|v| v == verb || v == "*");
    let allows = |rule: &ResourceRule, wanted: &str| {
        let by_name = rule.resource_names.as_ref().is_some_and(|names| !names.is_empty());
        !by_name && verb(rule, wanted) && names(&rule.api_groups, kind.group()) && names(&rule.resources, &kind.plural)
    };
    ["list", "watch"].into_iter().all(|verb| rules.iter().any(|rule| allows(rule, verb)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::controller::catalogue::tests::{catalogue, resource};

    fn served() -> Catalogue {
        let group = |name, version, kind, plural, scope| (name, version, json!([resource(kind, plural, scope)]));
        catalogue(&[
            group("", "v1", "ConfigMap", "configmaps", "Namespaced"),
            group("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", "Namespaced"),
            group("gateway.networking.k8s.io", "v1beta1", "HTTPRoute", "httproutes", "Namespaced"),
            group("db.example.com", "v1", "Database", "databases", "Namespaced"),
            group("db.example.com", "v1", "Class", "classes", "Cluster"),
            group("preview-env.dev", "v1alpha1", "Baseline", "baselines", "Namespaced"),
        ])
    }

    fn wanted(group: &str, kind: &str) -> GroupKind {
        GroupKind { group: group.into(), kind: kind.into() }
    }

    fn read(scope: &Scope) -> Vec<(String, Reading, bool)> {
        let mut read: Vec<_> = scope.watches.iter().map(|w| (w.kind.to_string(), w.reading, w.required)).collect();
        read.sort_by(|a, b| a.0.cmp(&b.0));
        read
    }

    #[test]
    fn only_what_is_served_is_read() {
        let scope = Scope::of(&served(), &[], |_| false);
        assert_eq!(
            read(&scope),
            [
                ("configmaps".into(), Reading::Whole, true),
                ("httproutes.gateway.networking.k8s.io".into(), Reading::NameOnly, true),
                ("poddisruptionbudgets.policy".into(), Reading::NameOnly, true),
            ]
        );
        assert_eq!((scope.unlisted, scope.problems.len()), (1, 0));
    }

    #[test]
    fn custom_resources_are_read_whole_by_opt_in_and_named_otherwise() {
        let of = |custom: &[GroupKind]| read(&Scope::of(&served(), custom, |_| true))[1].clone();
        assert_eq!(of(&[wanted("db.example.com", "Database")]), ("databases.db.example.com".into(), Reading::Whole, true));
        assert_eq!(of(&[]), ("databases.db.example.com".into(), Reading::NameOnly, false));
    }

    #[test]
    fn what_cannot_be_cloned_is_named_by_its_path() {
        let custom = [wanted("db.example.com", "Database"), wanted("db.example.com", "Class"), wanted("db.example.com", "Databse")];
        let scope = Scope::of(&served(), &custom, |_| true);
        assert!(scope.problems[0].starts_with("spec.clone.customResources[1]: a Class of db.example.com belongs to the whole cluster"));
        assert!(scope.problems[1].starts_with("spec.clone.customResources[2]: the API server serves no kind Databse"));
    }

    #[test]
    fn rights_by_name_or_for_one_verb_are_not_enough() {
        let kind = Kind::new("db.example.com/v1", "Database", "databases");
        let allowed = |rules: Value| allow_reading(&serde_json::from_value::<Vec<ResourceRule>>(rules).unwrap(), &kind);
        let rule = |verbs: Value, names: Value| json!({"verbs": verbs, "apiGroups": ["db.example.com"], "resources": ["databases"], "resourceNames": names});
        assert!(allowed(json!([rule(json!(["list", "watch"]), json!([]))])));
        assert!(allowed(json!([rule(json!(["list"]), json!([])), rule(json!(["watch"]), json!([]))])));
        assert!(allowed(json!([{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}])));
        assert!(!allowed(json!([rule(json!(["list"]), json!([]))])));
        assert!(!allowed(json!([rule(json!(["list", "watch"]), json!(["main"]))])));
    }
}
