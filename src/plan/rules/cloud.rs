//! Annotations of Services and Ingresses that ask a cloud for an address, a load balancer, or a name of the baseline's:
//! the copy would take it over, share the baseline's load balancer, or wait for it for ever.
//! AWS: <https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/ingress/annotations/>, Google:
//! <https://cloud.google.com/kubernetes-engine/docs/concepts/ingress>, Azure:
//! <https://cloud-provider-azure.sigs.k8s.io/topics/loadbalancer/>.

use super::Notes;
use super::keys::strip;
use crate::plan::context::Context;
use crate::plan::kinds::is_kind;
use crate::plan::manifest::Manifest;

const BALANCER: &str = "it asks for a load balancer or an address, and those are the baseline's";

const PREFIXES: &[(&str, &str)] = &[
    ("service.beta.kubernetes.io/", BALANCER),
    ("service.kubernetes.io/aws-load-balancer", BALANCER),
    ("service.kubernetes.io/local-svc-only-bind", BALANCER),
    ("alb.ingress.kubernetes.io/group.", BALANCER),
    ("alb.ingress.kubernetes.io/load-balancer-name", BALANCER),
    ("alb.ingress.kubernetes.io/certificate-arn", BALANCER),
    ("alb.ingress.kubernetes.io/customer-owned-ipv4-pool", BALANCER),
    ("cloud.google.com/neg", BALANCER),
    ("cloud.google.com/load-balancer-type", BALANCER),
    ("networking.gke.io/load-balancer", BALANCER),
    ("kubernetes.io/ingress.global-static-ip-name", BALANCER),
    ("kubernetes.io/ingress.regional-static-ip-name", BALANCER),
    ("ingress.gcp.kubernetes.io/pre-shared-cert", BALANCER),
    ("appgw.ingress.kubernetes.io/appgw-ssl-certificate", BALANCER),
    ("load-balancer.hetzner.cloud/", BALANCER),
    ("loadbalancer.openstack.org/", BALANCER),
    ("metallb.universe.tf/", BALANCER),
    ("metallb.io/", BALANCER),
    ("lbipam.cilium.io/", BALANCER),
    ("io.cilium/lb-ipam", BALANCER),
    ("kube-vip.io/", BALANCER),
    ("tailscale.com/", BALANCER),
];

pub(super) fn apply(manifest: &mut Manifest, _: &Context<'_>, notes: &mut Notes) {
    if is_kind(manifest, "", "Service") || is_kind(manifest, "networking.k8s.io", "Ingress") {
        strip(manifest, notes, |key| key.listed(PREFIXES));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::plan::sample::{World, object, service};

    #[test]
    fn no_copy_asks_for_what_is_the_baseline_s() {
        let gateway = service("gateway")
            .annotation("service.beta.kubernetes.io/azure-dns-label-name", "shop")
            .annotation("cloud.google.com/neg", "{}")
            .annotation("service.kubernetes.io/topology-mode", "Auto");
        let ingress = object("networking.k8s.io/v1", "Ingress", "shop")
            .with("/spec/rules", json!([{"host": "shop.io"}]))
            .annotation("alb.ingress.kubernetes.io/group.name", "shop")
            .annotation("alb.ingress.kubernetes.io/target-type", "ip")
            .annotation("kubernetes.io/ingress.global-static-ip-name", "shop");
        let plan = World::of([gateway, ingress]).plan();
        let left = |name: &str| plan.find(name).get("/metadata/annotations").unwrap().as_object().unwrap().len();
        assert_eq!((left("Service/gateway"), left("Ingress/shop")), (2, 2), "one of the team's and ours");
        assert!(plan.said().iter().filter(|line| line.contains("those are the baseline's")).count() == 4);
    }
}
