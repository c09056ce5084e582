//! Who is bound: ServiceAccounts of the baseline's namespace become those of the environment's, and nobody else comes
//! along. Whom people may look with is `access` of the Baseline.
//! <https://kubernetes.io/docs/reference/access-authn-authz/rbac/#referring-to-subjects>

use serde_json::{Value, json};

use super::{ABSENT, Notes};
use crate::plan::context::Context;
use crate::plan::kinds::is_kind;
use crate::plan::leave_out::is_account;
use crate::plan::manifest::Manifest;
use crate::plan::pods::text;

pub(super) fn apply(manifest: &mut Manifest, context: &Context<'_>, notes: &mut Notes) {
    if !is_kind(manifest, "rbac.authorization.k8s.io", "RoleBinding") {
        return;
    }
    let (before, after) = (context.target.baseline.namespace.as_str(), context.target.namespace);
    let Some(subjects) = manifest.get_mut("/subjects").and_then(Value::as_array_mut) else { return };
    let mut index = 0_usize..;
    subjects.retain_mut(|subject| {
        let path = format!("subjects[{}]", index.next().unwrap_or_default());
        if !is_account(subject, before) {
            let who = format!("{}/{}", text(subject, "kind").unwrap_or("?"), text(subject, "name").unwrap_or("?"));
            notes.changed(path, (&who, ABSENT), "only accounts of the namespace get rights in its copy");
            return false;
        }
        notes.changed(format!("{path}.namespace"), (before, after), "the environment has an account of its own");
        subject["namespace"] = json!(after);
        true
    });
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::api::baseline::Rbac;
    use crate::plan::sample::{World, object};

    #[test]
    fn accounts_are_the_environment_s_own_and_people_stay_out() {
        let version = "rbac.authorization.k8s.io/v1";
        let account = |namespace: &str| json!({"kind": "ServiceAccount", "name": "api", "namespace": namespace});
        let binding = object(version, "RoleBinding", "api")
            .with("/roleRef", json!({"kind": "Role", "name": "api"}))
            .with("/subjects", json!([account("shop"), account("monitoring"), {"kind": "Group", "name": "developers"}]));
        let plan = World::of([binding, object(version, "Role", "api")]).baseline(|b| b.choices.rbac = Rbac::Clone).plan();
        assert_eq!(plan.find("RoleBinding/api").get("/subjects"), Some(&json!([account("shop-web-pr-42")])));
        assert_eq!(plan.said().len(), 4, "{:?}", plan.said());
    }
}
