//! Roles that could lift the environment's own isolation, or give themselves more: they are refused.
//! <https://kubernetes.io/docs/concepts/security/rbac-good-practices/#privilege-escalation-risks>

use serde_json::Value;

use super::Facts;
use crate::plan::decision::LeftOutReason;
use crate::plan::kinds::is_kind;
use crate::plan::manifest::Manifest;
use crate::plan::pods::list;

/// What keeps an environment apart, and the rights themselves.
const GUARDS: [&str; 6] = ["networkpolicies", "resourcequotas", "limitranges", "roles", "rolebindings", "serviceaccounts/token"];
/// Verbs that only look.
const READING: [&str; 3] = ["get", "list", "watch"];

pub(super) fn reason(object: &Manifest, _: &Facts<'_>) -> Option<LeftOutReason> {
    if !is_kind(object, "rbac.authorization.k8s.io", "Role") {
        return None;
    }
    let index = object.items("/rules").position(lifts_isolation)?;
    Some(LeftOutReason::Refused { path: format!("rules[{index}]"), what: "rights over what keeps the environment apart" })
}

fn lifts_isolation(rule: &Value) -> bool {
    let any = |key: &str, test: &dyn Fn(&str) -> bool| list(rule, key).filter_map(Value::as_str).any(test);
    any("verbs", &|verb| !READING.contains(&verb)) && any("resources", &is_guard)
}

/// The namespace is one of them, whose labels say what its pods may ask for. A RoleBinding reaches the namespace that it
/// is in.
fn is_guard(resource: &str) -> bool {
    resource.contains('*') || resource.split('/').next() == Some("namespaces") || GUARDS.contains(&resource)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::api::baseline::Rbac;
    use crate::plan::sample::{World, object};

    fn said(rules: Value) -> String {
        let role = object("rbac.authorization.k8s.io/v1", "Role", "api").with("/rules", rules);
        World::of([role]).baseline(|b| b.choices.rbac = Rbac::Clone).plan().said().remove(0)
    }

    #[test]
    fn no_role_lifts_isolation() {
        let rule = |resource: &str, verb: &str| json!([{"apiGroups": [""], "resources": [resource], "verbs": [verb]}]);
        assert_eq!(said(rule("pods", "delete")), "Role/api kept");
        assert_eq!(said(rule("networkpolicies", "get")), "Role/api kept");
        for (resource, verb) in [
            ("networkpolicies", "delete"),
            ("*", "*"),
            ("roles", "escalate"),
            ("namespaces", "patch"),
            ("namespaces/status", "update"),
            ("*/finalize", "update"),
        ] {
            let refused = "Role/api left out: asks for rights over what keeps the environment apart (rules[0])";
            assert_eq!(said(rule(resource, verb)), refused);
        }
    }
}
