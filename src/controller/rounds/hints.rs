//! What the reasons of services say about objects that are gone. No client, no clock, no logging.

use crate::api::PreviewEnvironmentStatus;

/// Whether a service is not ready for a reason that names an object of the environment as not found, in the words that kubelet
/// has for ConfigMaps and Secrets, and the controllers of workloads for ServiceAccounts.
pub fn names_what_is_gone(status: &PreviewEnvironmentStatus) -> bool {
    let reasons = status.services.iter().filter(|s| !s.ready).filter_map(|s| s.reason.as_deref());
    let names = |reason: &str| status.inventory.iter().any(|entry| reason.contains(&format!("\"{}\" not found", entry.name)));
    reasons.filter(|reason| reason.contains("not found")).any(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn hints(ready: bool, reason: &str) -> bool {
        let status = json!({
            "inventory": [{"apiVersion": "v1", "kind": "Secret", "name": "db"}],
            "services": [{"kind": "Deployment", "name": "web", "image": "i", "from": "Baseline", "ready": ready, "reason": reason}],
        });
        names_what_is_gone(&serde_json::from_value(status).unwrap())
    }

    #[test]
    fn only_what_the_environment_should_have_is_a_hint() {
        assert!(hints(false, "CreateContainerConfigError: secret \"db\" not found"));
        assert!(hints(false, "pods \"web-1-\" is forbidden: error looking up service account a/db: serviceaccount \"db\" not found"));
        assert!(!hints(true, "CreateContainerConfigError: secret \"db\" not found"), "it is over");
        assert!(!hints(false, "CreateContainerConfigError: secret \"stripe\" not found"), "it was never there");
        assert!(!hints(false, "couldn't find key password in Secret a/db"));
    }
}
