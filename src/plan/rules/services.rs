//! Services are reached inside the cluster only: no load balancer, no port on the nodes, no address of the baseline's.

use serde_json::{Value, json};

use super::Notes;
use crate::plan::context::Context;
use crate::plan::manifest::Manifest;

const INSIDE: &str = "Services are reached inside the cluster only";

/// Fields that only other types have; left on, the API server answers 422. And the addresses, which it gives itself.
const FIELDS: [&str; 9] = [
    "healthCheckNodePort",
    "externalTrafficPolicy",
    "loadBalancerIP",
    "loadBalancerClass",
    "loadBalancerSourceRanges",
    "allocateLoadBalancerNodePorts",
    "externalName",
    "ipFamilies",
    "ipFamilyPolicy",
];

pub(super) fn apply(manifest: &mut Manifest, _: &Context<'_>, notes: &mut Notes) {
    if !manifest.group().is_empty() || manifest.kind() != "Service" {
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
    if manifest.text("/spec/clusterIP") != Some("None") {
        manifest.remove("/spec", "clusterIP");
        manifest.remove("/spec", "clusterIPs");
    }
    for port in manifest.items_mut("/spec/ports").filter_map(Value::as_object_mut) {
        port.remove("nodePort");
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
                "externalIPs": ["1.2.3.4"], "externalTrafficPolicy": "Local", "internalTrafficPolicy": "Cluster",
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
        assert_eq!(plan.said().len(), 2);
    }

    #[test]
    fn a_headless_service_stays_headless() {
        let plan = World::of([service("db").with("/spec/clusterIP", json!("None")).with("/spec/clusterIPs", json!(["None"]))]).plan();
        let copy = plan.find("Service/db");
        assert_eq!(copy.text("/spec/clusterIP"), Some("None"));
        assert_eq!(copy.text("/spec/clusterIPs/0"), Some("None"));
        assert_eq!(plan.said(), ["Service/db kept"]);
    }
}
