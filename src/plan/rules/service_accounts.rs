//! ServiceAccounts: the names of token Secrets that are theirs in the baseline, set by the API server before tokens were
//! issued on request (KEP-2799), and of the pull secrets that OpenShift makes for each account. Both go without a word.

use serde_json::Value;

use super::Notes;
use crate::plan::context::Context;
use crate::plan::kinds::is_kind;
use crate::plan::manifest::Manifest;

pub(super) fn apply(manifest: &mut Manifest, _: &Context<'_>, _: &mut Notes) {
    if !is_kind(manifest, "", "ServiceAccount") {
        return;
    }
    manifest.remove("", "secrets");
    let account = manifest.name().name;
    let Some(pulls) = manifest.get_mut("/imagePullSecrets").and_then(Value::as_array_mut) else { return };
    pulls.retain(|pull| !pull.get("name").and_then(Value::as_str).is_some_and(|secret| is_made_for(&account, secret)));
}

/// Whether OpenShift makes a pull secret for that account by itself.
pub(in crate::plan) fn is_made_for(account: &str, secret: &str) -> bool {
    secret.strip_prefix(account).is_some_and(|rest| rest.starts_with("-dockercfg-"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::plan::sample::{World, object};

    #[test]
    fn tokens_stay_behind_and_pull_secrets_come_along() {
        let account = object("v1", "ServiceAccount", "api")
            .with("/secrets", json!([{"name": "api-token-x7"}]))
            .with("/imagePullSecrets", json!([{"name": "api-dockercfg-x7"}, {"name": "registry"}]));
        let plan = World::of([account]).plan();
        let copy = plan.find("ServiceAccount/api");
        assert!(copy.get("/secrets").is_none());
        assert_eq!(copy.text("/imagePullSecrets/0/name"), Some("registry"));
    }
}
