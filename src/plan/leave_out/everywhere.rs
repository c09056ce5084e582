//! What is there in every namespace, made by Kubernetes or by a mesh: the roots of certificates, the ServiceAccount
//! `default`, the Service `kubernetes`. A copy would be fought over with the controller that makes it.
//! <https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/>

use super::Facts;
use crate::plan::decision::LeftOutReason;
use crate::plan::kinds::is_kind;
use crate::plan::manifest::Manifest;

/// ConfigMaps that a controller makes in every namespace: of Kubernetes (KEP-1205), Istio and OpenShift.
const CONFIG_MAPS: [&str; 5] =
    ["kube-root-ca.crt", "istio-ca-root-cert", "istio-ca-crl", "openshift-service-ca.crt", "config-service-cabundle"];

pub(super) fn reason(object: &Manifest, _: &Facts<'_>) -> Option<LeftOutReason> {
    let name = object.name().name;
    let is_made = match object.kind() {
        "ConfigMap" => is_kind(object, "", "ConfigMap") && CONFIG_MAPS.contains(&name.as_str()),
        "ServiceAccount" => name == "default" && is_plain(object),
        "Service" => name == "kubernetes" && object.text("/metadata/labels/provider") == Some("kubernetes"),
        _ => false,
    };
    is_made.then_some(LeftOutReason::MadeByKubernetes)
}

/// What people add to the account `default` is worth copying.
fn is_plain(account: &Manifest) -> bool {
    account.items("/imagePullSecrets").next().is_none() && account.get("/automountServiceAccountToken").is_none()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::plan::sample::{World, object, service};

    #[test]
    fn what_is_there_anyway_is_not_copied() {
        let objects = [
            object("v1", "ConfigMap", "kube-root-ca.crt"),
            object("v1", "ServiceAccount", "default"),
            service("kubernetes").label("provider", "kubernetes"),
        ];
        let said = World::of(objects).plan().said();
        assert!(said.iter().all(|line| line.ends_with("left out: is there in every namespace anyway")), "{said:?}");
        let pulls = object("v1", "ServiceAccount", "default").with("/imagePullSecrets", json!([{"name": "registry"}]));
        assert_eq!(World::of([pulls, object("v1", "Secret", "registry")]).plan().said()[1], "ServiceAccount/default kept");
    }
}
