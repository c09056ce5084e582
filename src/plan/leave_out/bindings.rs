//! `RoleBinding`s that are not for ServiceAccounts of the baseline's namespace, or neither to one of its Roles nor to the
//! `ClusterRole` `view`: any other can hold rights that nobody sees here, and people get theirs by `access` of the Baseline.
//! <https://kubernetes.io/docs/reference/access-authn-authz/rbac/#user-facing-roles>

use serde_json::Value;

use super::{Facts, because};
use crate::api::names::ROLE_BINDING;
use crate::plan::decision::LeftOutReason;
use crate::plan::kinds::is_kind;
use crate::plan::manifest::Manifest;
use crate::plan::pods::text;

pub(super) fn reason(object: &Manifest, facts: &Facts<'_>) -> Option<LeftOutReason> {
    if !is_kind(object, "rbac.authorization.k8s.io", "RoleBinding") {
        return None;
    }
    if object.text("/metadata/name") == Some(ROLE_BINDING) {
        return because("has the name of the RoleBinding by which this service works in an environment");
    }
    let role = object.text("/roleRef/name").unwrap_or_default();
    if object.text("/roleRef/kind") == Some("ClusterRole") && role != "view" {
        return because(format!("gives the rights of ClusterRole/{role}; of those only view is copied"));
    }
    let stays = object.items("/subjects").any(|subject| is_account(subject, &facts.target.baseline.namespace));
    if stays { None } else { because("is for nobody of the namespace: people get rights by access of the Baseline") }
}

/// Whether a subject is a ServiceAccount of that namespace. One without a namespace is of the binding's own (`appliesToUser`
/// of the API server's authorizer).
pub(in crate::plan) fn is_account(subject: &Value, namespace: &str) -> bool {
    text(subject, "kind") == Some("ServiceAccount") && text(subject, "namespace").is_none_or(|own| own.is_empty() || own == namespace)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::api::baseline::Rbac;
    use crate::plan::sample::{World, object};

    fn said(role: Value, subject: &Value) -> String {
        let version = "rbac.authorization.k8s.io/v1";
        let binding = object(version, "RoleBinding", "b").with("/roleRef", role).with("/subjects", json!([subject]));
        World::of([object(version, "Role", "api"), binding]).baseline(|b| b.choices.rbac = Rbac::Clone).plan().said().remove(1)
    }

    #[test]
    fn only_rights_that_can_be_seen_are_copied() {
        let role = || json!({"kind": "Role", "name": "api"});
        let account = || json!({"kind": "ServiceAccount", "name": "api", "namespace": "shop"});
        let wide = json!({"kind": "ClusterRole", "name": "edit"});
        assert_eq!(said(wide, &account()), "RoleBinding/b left out: gives the rights of ClusterRole/edit; of those only view is copied");
        let person = json!({"kind": "User", "name": "ann"});
        let nobody = "RoleBinding/b left out: is for nobody of the namespace: people get rights by access of the Baseline";
        assert_eq!(said(role(), &person), nobody);
        assert_eq!(
            said(role(), &json!({"kind": "ServiceAccount", "name": "api"})),
            "RoleBinding/b subjects[0].namespace: shop -> shop-web-pr-42 (the environment has an account of its own)"
        );
        assert!(said(json!({"kind": "ClusterRole", "name": "view"}), &account()).contains("shop -> shop-web-pr-42"));
    }
}
