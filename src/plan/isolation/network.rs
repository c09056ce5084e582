//! The NetworkPolicy of an environment: nothing in or out but DNS, the environment's own pods, whatever lets requests in,
//! and what the Baseline opens. Policies only ever add to each other, so this one stands alone: a copy of one of the
//! baseline's could only open more.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Extra, object};
use crate::api::baseline::isolation::PeerPort;
use crate::api::names::{LABEL_INGRESS, LABEL_NAMESPACE_NAME, OWN_OBJECT};
use crate::domain::baseline::isolation::{Ends, Network, Peer};
use crate::plan::context::Context;
use crate::plan::manifest::Manifest;
use crate::plan::pods::text;
use crate::plan::types::Target;

/// Values of `k8s-app` on the pods that answer DNS: kube-dns is CoreDNS's too, for the sake of those who look for it.
const DNS_APPS: [&str; 3] = ["kube-dns", "coredns", "node-local-dns"];
/// Where NodeLocal DNSCache listens on every node (its own default). The one link-local address that is open, for DNS.
const NODE_LOCAL_DNS: &str = "169.254.20.10/32";
/// Namespaces in which ingress controllers and gateways are put by their own charts and by the distributions of
/// Kubernetes that bring one.
const USUAL_INGRESS: [&str; 13] = [
    "app-routing-system",
    "cilium-gateway",
    "envoy-gateway-system",
    "haproxy-controller",
    "ingress-nginx",
    "istio-ingress",
    "istio-system",
    "kong",
    "kube-system",
    "nginx-ingress",
    "openshift-ingress",
    "projectcontour",
    "traefik",
];

/// What pods may connect to beside each other and DNS, where that is limited: nothing, for what nobody approved.
pub fn egress<'a>(target: &Target<'a>) -> Option<&'a [Peer]> {
    let network = target.baseline.isolation.network.as_ref();
    if target.isolated { Some(&[]) } else { network.map(|network| network.egress.as_slice()) }
}

/// The policy, where the Baseline wants one.
pub fn policy(planned: &[&Manifest], context: &Context<'_>) -> Option<Extra> {
    let (isolated, closed) = (context.target.isolated, Network::default());
    let network = context.target.baseline.isolation.network.as_ref().or(isolated.then_some(&closed))?;
    let opened = egress(context.target)?;
    let gateways = gateways(planned, &context.target.baseline.namespace);
    let is_served = planned.iter().any(|o| is_route(o));
    let usual = is_served && network.ingress_from.is_empty();
    let mut ingress = vec![json!({"from": [{"podSelector": {}}]})];
    ingress.extend(network.ingress_from.iter().map(|peer| rule("from", peer)));
    if !gateways.is_empty() {
        ingress.push(json!({"from": [named(&gateways)]}));
    }
    if usual {
        let names = USUAL_INGRESS.map(str::to_owned).into_iter().collect();
        ingress.push(json!({"from": [named(&names), {"namespaceSelector": {"matchLabels": {LABEL_INGRESS: "true"}}}]}));
    }
    let mut out = vec![json!({"to": [{"podSelector": {}}]}), dns()];
    out.extend(opened.iter().map(|peer| rule("to", peer)));
    let mut manifest = object("networking.k8s.io/v1", "NetworkPolicy", OWN_OBJECT);
    let spec = json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "ingress": ingress, "egress": out});
    manifest.set(&[], "spec", spec);
    let within = match () {
        () if usual => "requests come from the usual ingress namespaces (isolation.ingressFrom names others)",
        () if network.ingress_from.is_empty() && gateways.is_empty() => "no requests come from outside",
        () => "requests come from where isolation.ingressFrom or the gateway says",
    };
    let beyond = match () {
        () if isolated => "nothing else, since the change comes from a fork (trust.forks: Isolated)",
        () if opened.is_empty() => "nothing else",
        () => "what isolation.egress opens",
    };
    Some(Extra { manifest, why: format!("pods reach each other, DNS and {beyond}; {within}") })
}

/// Pods of kube-system that answer DNS, and the cache of the node.
fn dns() -> Value {
    let pods = json!({"matchExpressions": [{"key": "k8s-app", "operator": "In", "values": DNS_APPS}]});
    let kube_system = json!({"matchLabels": {LABEL_NAMESPACE_NAME: "kube-system"}});
    json!({
        "to": [{"namespaceSelector": kube_system, "podSelector": pods}, {"ipBlock": {"cidr": NODE_LOCAL_DNS}}],
        "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}],
    })
}

fn named(names: &BTreeSet<String>) -> Value {
    json!({"namespaceSelector": {"matchExpressions": [{"key": LABEL_NAMESPACE_NAME, "operator": "In", "values": names}]}})
}

fn rule(direction: &str, peer: &Peer) -> Value {
    let mut rule = json!({direction: [ends(&peer.ends)]});
    if !peer.ports.is_empty() {
        rule["ports"] = peer.ports.iter().map(port).collect();
    }
    rule
}

fn ends(ends: &Ends) -> Value {
    match ends {
        Ends::Addresses { cidr, except } if except.is_empty() => json!({"ipBlock": {"cidr": cidr.to_string()}}),
        Ends::Addresses { cidr, except } => {
            let except: Vec<String> = except.iter().map(ToString::to_string).collect();
            json!({"ipBlock": {"cidr": cidr.to_string(), "except": except}})
        }
        Ends::Pods { namespaces, pods } if pods.is_empty() => json!({"namespaceSelector": {"matchLabels": namespaces}}),
        Ends::Pods { namespaces, pods } => {
            json!({"namespaceSelector": {"matchLabels": namespaces}, "podSelector": {"matchLabels": pods}})
        }
    }
}

fn port(port: &PeerPort) -> Value {
    let mut value = json!({"port": port.port, "protocol": port.protocol.as_str()});
    if let Some(end) = port.end_port {
        value["endPort"] = json!(end);
    }
    value
}

fn is_gateway_route(object: &Manifest) -> bool {
    object.group() == "gateway.networking.k8s.io" && object.kind().ends_with("Route")
}

fn is_route(object: &Manifest) -> bool {
    is_gateway_route(object) || (object.group() == "networking.k8s.io" && object.kind() == "Ingress")
}

/// The namespaces of the Gateways that serve the planned routes, but for the baseline's own.
fn gateways(planned: &[&Manifest], baseline: &str) -> BTreeSet<String> {
    let routes = planned.iter().filter(|object| is_gateway_route(object));
    let namespaces = routes.flat_map(|route| route.items("/spec/parentRefs")).filter_map(|parent| text(parent, "namespace"));
    namespaces.filter(|namespace| *namespace != baseline).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::plan::sample::{World, deployment, isolated, object};

    fn policy(objects: Vec<crate::plan::Manifest>, isolation: Value) -> Value {
        let made = World::of(objects).baseline(|b| b.isolation = isolated(isolation)).plan();
        made.find("NetworkPolicy/preview-env-isolation").value()["spec"].clone()
    }

    fn ingress() -> crate::plan::Manifest {
        object("networking.k8s.io/v1", "Ingress", "web").with("/spec", json!({"rules": [{"host": "shop.example.com"}]}))
    }

    #[test]
    fn pods_reach_each_other_and_dns_and_nothing_else() {
        let spec = policy(vec![deployment("web")], json!({}));
        assert_eq!(spec["podSelector"], json!({}), "all pods");
        assert_eq!(spec["policyTypes"], json!(["Ingress", "Egress"]));
        assert_eq!(spec["ingress"], json!([{"from": [{"podSelector": {}}]}]), "nothing serves requests from outside");
        assert_eq!(spec["egress"].as_array().unwrap().len(), 2);
        assert_eq!(spec["egress"][1]["to"][1], json!({"ipBlock": {"cidr": "169.254.20.10/32"}}));
        assert!(spec["egress"][1]["ports"].as_array().unwrap().iter().all(|p| p["port"] == 53));
    }

    #[test]
    fn requests_come_from_the_usual_places_unless_others_are_named() {
        let spec = policy(vec![ingress()], json!({}));
        let usual = spec["ingress"][1].to_string();
        assert!(usual.contains("ingress-nginx") && usual.contains("preview-env.dev/ingress"), "{usual}");
        let spec = policy(
            vec![ingress()],
            json!({"ingressFrom": [{"namespace": "edge", "podLabels": {"app": "proxy"}, "ports": [{"port": 80}]}]}),
        );
        let named = json!({
            "from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "edge"}},
                "podSelector": {"matchLabels": {"app": "proxy"}}}],
            "ports": [{"port": 80, "protocol": "TCP"}],
        });
        assert_eq!(spec["ingress"], json!([{"from": [{"podSelector": {}}]}, named]));
    }

    #[test]
    fn what_is_opened_never_holds_the_addresses_of_credentials() {
        let spec = policy(vec![], json!({"egress": [{"cidr": "0.0.0.0/0", "ports": [{"port": 443, "endPort": 444}]}]}));
        let except = json!(["169.254.0.0/16", "100.100.100.200/32", "168.63.129.16/32"]);
        let ports = json!([{"port": 443, "endPort": 444, "protocol": "TCP"}]);
        assert_eq!(spec["egress"][2], json!({"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": except}}], "ports": ports}));
    }

    #[test]
    fn what_nobody_approved_reaches_itself_and_dns_whatever_the_baseline_opens() {
        let open = json!({"egress": [{"cidr": "0.0.0.0/0"}]});
        for isolation in [open, json!({"networkPolicy": "None"})] {
            let made = World::of([ingress()]).baseline(|b| b.isolation = isolated(isolation)).isolated().plan();
            let spec = &made.find("NetworkPolicy/preview-env-isolation").value()["spec"];
            assert_eq!(spec["egress"], json!([{"to": [{"podSelector": {}}]}, super::dns()]));
            assert_eq!(spec["ingress"].as_array().unwrap().len(), 2, "it can be looked at");
            assert!(made.said().iter().any(|line| line.contains("nothing else, since the change comes from a fork")), "{:?}", made.said());
        }
    }

    #[test]
    fn a_team_can_do_without() {
        let made = World::of([deployment("web")]).baseline(|b| b.isolation = isolated(json!({"networkPolicy": "None"}))).plan();
        assert!(made.objects().all(|o| o.kind() != "NetworkPolicy"));
    }
}
