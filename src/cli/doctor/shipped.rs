//! What `deploy/` grants the service and forbids it, as values, for a service of any namespace. No client, no clock, no
//! logging.

use std::fmt;

use k8s_openapi::api::admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding};
use k8s_openapi::api::rbac::v1::PolicyRule;
use kube::Resource;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The rights of the service, and the admission policies. The chart has the same file.
const RIGHTS: &str = include_str!("../../../deploy/rbac.yaml");
/// Whose rights the file is about.
const WRITTEN_FOR: &str = "preview-env";

/// The ClusterRole that the service holds everywhere.
pub const CONTROLLER: &str = "preview-env:controller";
/// The Role that it holds in its own namespace.
const LEADER: &str = "preview-env:leader";
/// What it holds in a baseline's namespace.
const READER: &str = "preview-env:baseline-reader-kinds";
/// What it holds in an environment's namespace, and where that is written.
pub const ENVIRONMENT: &str = "preview-env:environment";
const ENVIRONMENT_KINDS: &str = "preview-env:environment-kinds";

/// As whom the service runs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Identity {
    /// Its namespace.
    pub namespace: String,
    /// Its ServiceAccount.
    pub account: String,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "system:serviceaccount:{}:{}", self.namespace, self.account)
    }
}

impl Identity {
    /// The groups that the API server puts it into.
    pub fn groups(&self) -> Vec<String> {
        let own = format!("system:serviceaccounts:{}", self.namespace);
        vec!["system:serviceaccounts".to_owned(), own, "system:authenticated".to_owned()]
    }
}

/// One verb on one resource.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Right {
    /// The verb.
    pub verb: String,
    /// The API group.
    pub group: String,
    /// The resource, with its subresource behind a slash.
    pub resource: String,
    /// Only on the object of that name.
    pub name: Option<String>,
    /// The namespace, or all of them.
    pub namespace: Option<String>,
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let group = if self.group.is_empty() { String::new() } else { format!(".{}", self.group) };
        let name = self.name.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
        write!(f, "{} {}{group}{name}", self.verb, self.resource)
    }
}

impl Right {
    /// A right everywhere.
    pub fn everywhere(verb: &str, group: &str, resource: &str) -> Self {
        Self { verb: verb.to_owned(), group: group.to_owned(), resource: resource.to_owned(), name: None, namespace: None }
    }
}

/// Each right that rules give, in a namespace or in all.
pub fn rights_of(rules: &[PolicyRule], namespace: Option<&str>) -> Vec<Right> {
    let mut rights = Vec::new();
    for rule in rules {
        let names: Vec<Option<&String>> = match &rule.resource_names {
            Some(names) if !names.is_empty() => names.iter().map(Some).collect(),
            _ => vec![None],
        };
        for group in rule.api_groups.iter().flatten() {
            for resource in rule.resources.iter().flatten() {
                for (verb, name) in rule.verbs.iter().flat_map(|verb| names.iter().map(move |name| (verb, *name))) {
                    let namespace = namespace.map(str::to_owned);
                    rights.push(Right { name: name.cloned(), namespace, ..Right::everywhere(verb, group, resource) });
                }
            }
        }
    }
    rights
}

/// The objects of the file.
pub struct Shipped(Vec<Value>);

impl Shipped {
    /// As they are for a service of that identity.
    pub fn to(identity: &Identity) -> Self {
        // That it can be read, a test says.
        Self(serde_saphyr::from_multiple(&written_for(identity)).unwrap_or_default())
    }

    /// What the service needs wherever its Baselines are.
    pub fn own_rights(&self, identity: &Identity) -> Vec<Right> {
        let mut rights = rights_of(&self.rules(CONTROLLER), None);
        rights.extend(rights_of(&self.rules(LEADER), Some(&identity.namespace)));
        rights
    }

    /// What it needs in the namespace of a Baseline, with the Secrets that it copies.
    pub fn rights_in(&self, namespace: &str, secrets: &[&str]) -> Vec<Right> {
        let mut rights = rights_of(&self.rules(READER), Some(namespace));
        let secret = |name: &&str| Right {
            name: Some((*name).to_owned()),
            namespace: Some(namespace.to_owned()),
            ..Right::everywhere("get", "", "secrets")
        };
        rights.extend(secrets.iter().map(secret));
        rights
    }

    /// What it needs inside environments.
    pub fn rights_in_environments(&self) -> Vec<Right> {
        rights_of(&self.rules(ENVIRONMENT_KINDS), None)
    }

    /// The admission policies.
    pub fn policies(&self) -> Vec<ValidatingAdmissionPolicy> {
        self.of_kind()
    }

    /// What puts them into force.
    pub fn bindings(&self) -> Vec<ValidatingAdmissionPolicyBinding> {
        self.of_kind()
    }

    fn of_kind<T: DeserializeOwned + Resource<DynamicType = ()>>(&self) -> Vec<T> {
        let kind = T::kind(&());
        self.0.iter().filter(|object| object["kind"] == *kind).filter_map(|object| serde_json::from_value(object.clone()).ok()).collect()
    }

    fn rules(&self, role: &str) -> Vec<PolicyRule> {
        let is_it = |object: &&Value| object["metadata"]["name"] == role && object.get("rules").is_some();
        let rules = self.0.iter().find(is_it).map(|object| object["rules"].clone());
        rules.and_then(|rules| serde_json::from_value(rules).ok()).unwrap_or_default()
    }
}

/// The text with the service's identity wherever it is meant, as the chart does it.
fn written_for(identity: &Identity) -> String {
    let Identity { namespace, account } = identity;
    let mut text = RIGHTS
        .replace(&format!("system:serviceaccount:{WRITTEN_FOR}:{WRITTEN_FOR}"), &format!("system:serviceaccount:{namespace}:{account}"))
        .replace(&format!("system:serviceaccounts:{WRITTEN_FOR}'"), &format!("system:serviceaccounts:{namespace}'"));
    for sign in ["==", "!="] {
        let of = |namespace: &str| format!("s.?namespace.orValue('') {sign} '{namespace}'");
        text = text.replace(&of(WRITTEN_FOR), &of(namespace));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity { namespace: "previews".into(), account: "preview-env".into() }
    }

    #[test]
    fn what_is_shipped_can_be_read() {
        let shipped = Shipped::to(&identity());
        let own: Vec<String> = shipped.own_rights(&identity()).iter().map(Right::to_string).collect();
        for right in [
            "list nodes",
            "patch baselines/status.preview-env.dev",
            "bind clusterroles.rbac.authorization.k8s.io preview-env:environment",
            "update leases.coordination.k8s.io preview-env",
        ] {
            assert!(own.iter().any(|own| own == right), "{right}: {own:?}");
        }
        assert!(own.len() > 40 && shipped.rights_in_environments().len() > 40, "{own:?}");
        assert_eq!((shipped.policies().len(), shipped.bindings().len()), (5, 5));
    }

    #[test]
    fn the_rights_in_a_namespace_name_each_secret() {
        let rights = Shipped::to(&identity()).rights_in("shop", &["db"]);
        assert!(rights.len() > 30 && rights.iter().all(|right| right.namespace.as_deref() == Some("shop")));
        let secrets: Vec<String> = rights.iter().filter(|right| right.resource == "secrets").map(Right::to_string).collect();
        assert_eq!(secrets, ["get secrets db"]);
    }

    #[test]
    fn policies_are_those_of_the_identity() {
        let text = written_for(&identity());
        assert!(text.contains("system:serviceaccount:previews:preview-env") && !text.contains("system:serviceaccount:preview-env:"));
        assert!(!text.contains("orValue('') == 'preview-env')"), "as the chart replaces it");
    }
}
