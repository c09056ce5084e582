//! Which kinds the API server serves. No client, no clock, no logging.

use std::collections::HashMap;

use kube::core::discovery::v2::{APIGroupDiscoveryList, APIResourceDiscovery, APIVersionDiscovery};

use crate::kinds::{Kind, Known};

/// One kind in one version, as the API server serves it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Served {
    /// The kind.
    pub kind: Kind,
    /// Whether its objects are in namespaces.
    pub namespaced: bool,
    /// Whether its objects are kept, so that they can be listed and watched.
    pub watchable: bool,
}

/// Everything that the API server serves.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Catalogue {
    /// By group and kind; the version that the API server prefers comes first.
    served: HashMap<(String, String), Vec<Served>>,
}

impl Catalogue {
    /// From the API server's own lists. Of a group that could not be asked just now, what was known before stays: a list
    /// in which something is missing is no proof that it is gone.
    pub fn of(lists: &[APIGroupDiscoveryList], before: &Self) -> Self {
        let mut catalogue = Self::default();
        for group in lists.iter().flat_map(|list| &list.items) {
            let name = group.metadata.as_ref().and_then(|m| m.name.as_deref()).unwrap_or_default();
            for version in &group.versions {
                let api_version = api_version(name, version.version.as_deref().unwrap_or_default());
                let is_stale = version.freshness.as_deref() == Some("Stale");
                let read = if is_stale { before.of_version(&api_version) } else { resources(version, &api_version) };
                for served in read {
                    catalogue.add(served);
                }
            }
        }
        catalogue
    }

    fn add(&mut self, served: Served) {
        let key = (served.kind.group().to_owned(), served.kind.kind.to_string());
        self.served.entry(key).or_default().push(served);
    }

    fn of_version(&self, api_version: &str) -> Vec<Served> {
        let all = self.served.values().flatten();
        all.filter(|served| served.kind.api_version == api_version).cloned().collect()
    }

    /// Whether nothing at all is served: then the answer was none.
    pub fn is_empty(&self) -> bool {
        self.served.is_empty()
    }

    /// A kind in the version that the API server prefers.
    pub fn preferred(&self, group: &str, kind: &str) -> Option<&Served> {
        self.served.get(&(group.to_owned(), kind.to_owned()))?.first()
    }

    /// A kind in exactly that version.
    pub fn exact(&self, api_version: &str, kind: &str) -> Option<&Served> {
        let key = (crate::kinds::group_of(api_version).to_owned(), kind.to_owned());
        self.served.get(&key)?.iter().find(|served| served.kind.api_version == api_version)
    }

    /// Every kind, in the version that the API server prefers.
    pub fn all(&self) -> impl Iterator<Item = &Served> {
        self.served.values().filter_map(|versions| versions.first())
    }

    /// The kinds that are not in the table of kinds and whose objects are kept in namespaces.
    pub fn custom(&self) -> impl Iterator<Item = &Kind> {
        let kept = self.all().filter(|served| served.namespaced && served.watchable).map(|served| &served.kind);
        kept.filter(|kind| Known::find(kind.group(), &kind.kind).is_none())
    }
}

fn api_version(group: &str, version: &str) -> String {
    if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
}

fn resources(version: &APIVersionDiscovery, api_version: &str) -> Vec<Served> {
    version.resources.iter().filter_map(|resource| served(resource, api_version)).collect()
}

fn served(resource: &APIResourceDiscovery, api_version: &str) -> Option<Served> {
    let kind = resource.response_kind.as_ref()?.kind.clone()?;
    let may = |verb: &str| resource.verbs.iter().any(|v| v == verb);
    Some(Served {
        kind: Kind { api_version: api_version.to_owned().into(), kind: kind.into(), plural: resource.resource.clone()?.into() },
        namespaced: resource.scope.as_deref() == Some("Namespaced"),
        watchable: may("list") && may("watch"),
    })
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A resource as the API server lists it.
    pub(in crate::controller) fn resource(kind: &str, plural: &str, scope: &str) -> Value {
        json!({"resource": plural, "responseKind": {"kind": kind}, "scope": scope, "verbs": ["list", "watch", "get"]})
    }

    /// A catalogue of groups: name, version and resources.
    pub(in crate::controller) fn catalogue(groups: &[(&str, &str, Value)]) -> Catalogue {
        Catalogue::of(&[list(groups, "Current")], &Catalogue::default())
    }

    fn list(groups: &[(&str, &str, Value)], freshness: &str) -> APIGroupDiscoveryList {
        let group = |(name, version, resources): &(&str, &str, Value)| json!({"metadata": {"name": name}, "versions": [{"version": version, "freshness": freshness, "resources": resources}]});
        serde_json::from_value(json!({"items": groups.iter().map(group).collect::<Vec<_>>()})).unwrap()
    }

    fn database() -> (&'static str, &'static str, Value) {
        ("db.example.com", "v1", json!([resource("Database", "databases", "Namespaced"), resource("Class", "classes", "Cluster")]))
    }

    #[test]
    fn kinds_are_found_by_group_and_kind() {
        let catalogue = catalogue(&[("", "v1", json!([resource("ConfigMap", "configmaps", "Namespaced")])), database()]);
        let found = catalogue.preferred("db.example.com", "Database").unwrap();
        assert_eq!(found.kind.path("shop"), "/apis/db.example.com/v1/namespaces/shop/databases");
        assert!(!catalogue.preferred("db.example.com", "Class").unwrap().namespaced);
        assert!(catalogue.exact("v1", "ConfigMap").is_some() && catalogue.exact("v2", "ConfigMap").is_none());
        assert_eq!(catalogue.custom().map(ToString::to_string).collect::<Vec<_>>(), ["databases.db.example.com"]);
    }

    #[test]
    fn a_group_that_cannot_be_asked_keeps_its_kinds() {
        let before = catalogue(&[database()]);
        let stale = list(&[("db.example.com", "v1", json!([]))], "Stale");
        assert_eq!(Catalogue::of(&[stale], &before), before);
        let gone = list(&[], "Current");
        assert!(Catalogue::of(&[gone], &before).is_empty());
    }
}
