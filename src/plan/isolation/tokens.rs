//! Which accounts get a token for the API server: a program that never asked for one is better off without, since
//! whoever gets into it has one thing less to try.

use std::collections::HashSet;

use serde_json::json;

use super::{Extra, object};
use crate::plan::admission::Template;
use crate::plan::context::Context;
use crate::plan::manifest::Manifest;
use crate::plan::pods::text;

/// The account of pods that name none.
const DEFAULT: &str = "default";

/// Names of the ServiceAccounts that hold rights by a RoleBinding which is cloned.
pub fn bound_accounts(cloned: &[&Manifest], namespace: &str) -> HashSet<String> {
    let bindings = cloned.iter().filter(|o| o.kind() == "RoleBinding" && o.group() == "rbac.authorization.k8s.io");
    let accounts = bindings.flat_map(|b| b.items("/subjects")).filter(|subject| text(subject, "kind") == Some("ServiceAccount"));
    let here = accounts.filter(|subject| text(subject, "namespace").is_none_or(|n| n == namespace));
    here.filter_map(|subject| text(subject, "name")).map(str::to_owned).collect()
}

/// The account `default` without a token, for pods that name no account. Kubernetes makes it in every namespace; this
/// takes the token away from it.
pub fn default_account(planned: &[&Manifest], context: &Context<'_>) -> Option<Extra> {
    let is_used = || planned.iter().any(|object| uses_default(object));
    let is_cloned = || planned.iter().any(|o| o.kind() == "ServiceAccount" && o.group().is_empty() && o.name().name == DEFAULT);
    let isolation = &context.target.baseline.isolation;
    if !isolation.withholds_tokens || context.bound_accounts.contains(DEFAULT) || is_cloned() || !is_used() {
        return None;
    }
    let mut manifest = object("v1", "ServiceAccount", DEFAULT);
    manifest.set(&[], "automountServiceAccountToken", json!(false));
    Some(Extra { manifest, why: "pods that name no account get no token for the API server".to_owned() })
}

/// Whether pods of the object would get the token of the account `default`.
fn uses_default(object: &Manifest) -> bool {
    let Some(template) = Template::of(object) else { return false };
    let account = text(template.spec, "serviceAccountName").unwrap_or(DEFAULT);
    let says_itself = template.spec.get("automountServiceAccountToken").is_some_and(|v| !v.is_null());
    (account == DEFAULT || account.is_empty()) && !says_itself
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::plan::sample::{World, deployment, isolated, object};

    #[test]
    fn pods_that_name_no_account_get_no_token() {
        let world = |objects: Vec<crate::plan::Manifest>| World::of(objects).baseline(|b| b.isolation = isolated(json!({})));
        let made = world(vec![deployment("web")]).plan();
        assert_eq!(made.find("ServiceAccount/default").get("/automountServiceAccountToken"), Some(&json!(false)));
        let own = deployment("web").with("/spec/template/spec/serviceAccountName", json!("web"));
        let asks = deployment("web").with("/spec/template/spec/automountServiceAccountToken", json!(true));
        for objects in [vec![own], vec![asks], vec![object("v1", "ConfigMap", "c")]] {
            assert!(world(objects).plan().objects().all(|o| o.kind() != "ServiceAccount"));
        }
    }

    #[test]
    fn an_account_that_the_baseline_set_up_is_cloned_instead() {
        let account = object("v1", "ServiceAccount", "default").with("/automountServiceAccountToken", json!(true));
        let made = World::of([deployment("web"), account]).baseline(|b| b.isolation = isolated(json!({}))).plan();
        assert_eq!(made.find("ServiceAccount/default").get("/automountServiceAccountToken"), Some(&json!(true)));
        assert_eq!(made.objects().filter(|o| o.kind() == "ServiceAccount").count(), 1);
    }
}
