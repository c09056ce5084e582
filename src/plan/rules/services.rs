//! Services are reached inside the cluster only: no load balancer, no port on the nodes, no address of the baseline's.
//! Fields that only other types have are refused by the API server where the type is `ClusterIP`.
//! <https://kubernetes.io/docs/reference/kubernetes-api/service-resources/service-v1/>

use serde_json::{Value, json};

use super::Notes;
use crate::plan::context::Context;
use crate::plan::kinds::is_kind;
use crate::plan::manifest::Manifest;

const INSIDE: &str = "Services are reached inside the cluster only";

/// Fields of the other types.
const FIELDS: [&str; 7] = [
    "healthCheckNodePort",
    "externalTrafficPolicy",
    "loadBalancerIP",
    "loadBalancerClass",
    "loadBalancerSourceRanges",
    "allocateLoadBalancerNodePorts",
    "externalName",
];

pub(super) fn apply(manifest: &mut Manifest, _: &Context<'_>, notes: &mut Notes) {
    if !is_kind(manifest, "", "Service") || manifest.text("/spec/type") == Some("ExternalName") {
        return;
    }
    if let Some(before) = manifest.text("/spec/type").filter(|t| *t != "ClusterIP").map(str::to_owned) {
        notes.changed("spec.type", (&before, "ClusterIP"), INSIDE);
        manifest.set(&["spec"], "type", json!("ClusterIP"));
    }
    notes.take(manifest, "/spec", "externalIPs", INSIDE);
    for field in FIELDS {
        manifest.remove("/spec", field);
    }
    drop_addresses(manifest);
    reach_the_one_pod(manifest, notes);
}

/// Addresses are given by the API server. Families of addresses are too, unless somebody asked for more than one.
fn drop_addresses(service: &mut Manifest) {
    if service.text("/spec/clusterIP") != Some("None") {
        service.remove("/spec", "clusterIP");
        service.remove("/spec", "clusterIPs");
    }
    if service.text("/spec/ipFamilyPolicy").is_none_or(|policy| policy == "SingleStack") {
        service.remove("/spec", "ipFamilies");
        service.remove("/spec", "ipFamilyPolicy");
    }
    for port in service.items_mut("/spec/ports").filter_map(Value::as_object_mut) {
        port.remove("nodePort");
    }
}

/// `Local` drops what does not come from the pod's own node, and there is one pod (KEP-2086).
fn reach_the_one_pod(service: &mut Manifest, notes: &mut Notes) {
    if service.text("/spec/internalTrafficPolicy") == Some("Local") {
        notes.changed("spec.internalTrafficPolicy", ("Local", "Cluster"), "one pod must be reached from every node");
        service.set(&["spec"], "internalTrafficPolicy", json!("Cluster"));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::plan::sample::{World, service};

    #[test]
    fn a_load_balancer_becomes_an_inner_service() {
        let gateway = service("gateway").with(
            "/spec",
            json!({
                "type": "LoadBalancer", "selector": {"app": "gateway"}, "clusterIP": "10.0.0.7", "clusterIPs": ["10.0.0.7"],
                "ports": [{"port": 80, "targetPort": "http", "nodePort": 30080}], "healthCheckNodePort": 31000,
                "externalIPs": ["1.2.3.4"], "externalTrafficPolicy": "Local", "internalTrafficPolicy": "Local",
                "loadBalancerIP": "1.2.3.4", "loadBalancerClass": "x", "loadBalancerSourceRanges": ["10.0.0.0/8"],
                "allocateLoadBalancerNodePorts": true, "sessionAffinity": "ClientIP", "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack",
            }),
        );
        let plan = World::of([gateway]).plan();
        assert_eq!(
            plan.find("Service/gateway").get("/spec").unwrap(),
            &json!({
                "type": "ClusterIP", "selector": {"app": "gateway"}, "ports": [{"port": 80, "targetPort": "http"}],
                "internalTrafficPolicy": "Cluster", "sessionAffinity": "ClientIP",
            })
        );
        assert_eq!(plan.said().len(), 3);
    }

    #[test]
    fn a_headless_service_stays_headless() {
        let plan = World::of([service("db").with("/spec/clusterIP", json!("None")).with("/spec/clusterIPs", json!(["None"]))]).plan();
        let copy = plan.find("Service/db");
        assert_eq!(copy.text("/spec/clusterIP"), Some("None"));
        assert_eq!(copy.text("/spec/clusterIPs/0"), Some("None"));
        assert_eq!(plan.said(), ["Service/db kept"]);
    }

    #[test]
    fn two_families_of_addresses_stay_as_asked_for() {
        let dual = service("web").with("/spec/ipFamilyPolicy", json!("RequireDualStack")).with("/spec/ipFamilies", json!(["IPv6", "IPv4"]));
        let plan = World::of([dual]).plan();
        assert_eq!(plan.find("Service/web").get("/spec/ipFamilies"), Some(&json!(["IPv6", "IPv4"])));
    }

    #[test]
    fn what_follows_a_client_stays() {
        let sticky = service("web")
            .with("/spec/sessionAffinity", json!("ClientIP"))
            .with("/spec/sessionAffinityConfig", json!({"clientIP": {"timeoutSeconds": 60}}))
            .with("/spec/publishNotReadyAddresses", json!(true));
        assert_eq!(World::of([sticky]).plan().said(), ["Service/web kept"]);
    }
}
