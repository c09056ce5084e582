//! ServiceAccounts: the names of token Secrets that are theirs in the baseline.

use super::Notes;
use crate::plan::context::Context;
use crate::plan::manifest::Manifest;

/// Set by the API server before tokens were issued on request (KEP-2799), so it goes without a word.
pub(super) fn apply(manifest: &mut Manifest, _: &Context<'_>, _: &mut Notes) {
    if manifest.group().is_empty() && manifest.kind() == "ServiceAccount" {
        manifest.remove("", "secrets");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::plan::sample::{World, object};

    #[test]
    fn tokens_stay_behind_and_pull_secrets_come_along() {
        let account = object("v1", "ServiceAccount", "api")
            .with("/secrets", json!([{"name": "api-token-x7"}]))
            .with("/imagePullSecrets", json!([{"name": "registry"}]));
        let plan = World::of([account]).plan();
        let copy = plan.find("ServiceAccount/api");
        assert!(copy.get("/secrets").is_none());
        assert_eq!(copy.text("/imagePullSecrets/0/name"), Some("registry"));
    }
}
