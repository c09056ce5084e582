//! ServiceAccounts give their pods no token for the API server unless the baseline asks for one.

use serde_json::json;

use super::Notes;
use crate::plan::context::Context;
use crate::plan::manifest::Manifest;

/// A field that is set, in the account or in a pod, says what the baseline wants. So does a RoleBinding that is cloned.
pub(super) fn apply(manifest: &mut Manifest, context: &Context<'_>, notes: &mut Notes) {
    let is_account = manifest.group().is_empty() && manifest.kind() == "ServiceAccount";
    let says_itself = manifest.get("/automountServiceAccountToken").is_some_and(|v| !v.is_null());
    let is_bound = || context.bound_accounts.contains(&manifest.name().name);
    if !is_account || !context.target.baseline.isolation.withholds_tokens || says_itself || is_bound() {
        return;
    }
    manifest.set(&[], "automountServiceAccountToken", json!(false));
    notes.changed("automountServiceAccountToken", (super::ABSENT, "false"), "no token for the API server unless the baseline asks");
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::plan::sample::{World, isolated, object};

    #[test]
    fn a_token_is_only_for_those_that_ask() {
        let account = |name: &str| object("v1", "ServiceAccount", name);
        let asks = account("asks").with("/automountServiceAccountToken", json!(true));
        let made = World::of([account("web"), asks]).baseline(|b| b.isolation = isolated(json!({}))).plan();
        let token = |name: &str| made.find(&format!("ServiceAccount/{name}")).get("/automountServiceAccountToken").cloned();
        assert_eq!((token("web"), token("asks")), (Some(json!(false)), Some(json!(true))));
        let said = made.said();
        let line =
            "ServiceAccount/web automountServiceAccountToken: (none) -> false (no token for the API server unless the baseline asks)";
        assert!(said.contains(&line.to_owned()), "{said:?}");
    }

    #[test]
    fn a_team_can_leave_them_as_they_are() {
        let as_is = json!({"serviceAccountTokens": "AsInBaseline"});
        let made = World::of([object("v1", "ServiceAccount", "web")]).baseline(|b| b.isolation = isolated(as_is)).plan();
        assert!(made.find("ServiceAccount/web").get("/automountServiceAccountToken").is_none());
    }
}
