//! Whether pods reach a host outside, by what their NetworkPolicy opens. A policy knows addresses and the labels of
//! namespaces and pods, and no names: where a name alone does not tell, it depends.

use std::net::IpAddr;

use crate::api::baseline::isolation::PeerPort;
use crate::api::baseline::{ExternalKind, Reach};
use crate::api::names::LABEL_NAMESPACE_NAME;
use crate::domain::baseline::isolation::{Ends, Peer};
use crate::domain::cidr::Cidr;

/// A host to reach.
pub(super) struct Host<'a> {
    /// Its name or address.
    pub name: &'a str,
    /// The port, where it is known.
    pub port: Option<u16>,
    /// What it is.
    pub kind: ExternalKind,
    /// Its namespace, where it is a Service of one.
    pub namespace: &'a str,
}

/// Whether pods reach it that may connect to those peers; to everything, where there is no policy.
pub(super) fn of(host: &Host<'_>, egress: Option<&[Peer]>) -> Reach {
    let Some(peers) = egress else { return Reach::Open };
    peers.iter().map(|peer| by(peer, host)).max().unwrap_or(Reach::Closed)
}

fn by(peer: &Peer, host: &Host<'_>) -> Reach {
    let reach = match (&peer.ends, host.kind) {
        (Ends::Addresses { cidr, except }, ExternalKind::Address) => {
            let address = host.name.parse::<IpAddr>().ok().map(Cidr::from);
            let is_in = |cidr: &Cidr| address.is_some_and(|address| cidr.contains(&address));
            if is_in(cidr) && !except.iter().any(is_in) { Reach::Open } else { Reach::Closed }
        }
        (Ends::Pods { namespaces, pods }, ExternalKind::Namespace) => match namespaces.get(LABEL_NAMESPACE_NAME) {
            Some(name) if name != host.namespace => Reach::Closed,
            Some(_) if namespaces.len() == 1 && pods.is_empty() => Reach::Open,
            _ => Reach::Depends,
        },
        (Ends::Pods { .. }, ExternalKind::Public | ExternalKind::Database) => Reach::Closed,
        // A name leads to some address, and what nobody knows outside may lead to a Service of this cluster.
        (Ends::Addresses { .. }, _) | (Ends::Pods { .. }, ExternalKind::Private | ExternalKind::Address) => Reach::Depends,
    };
    reach.min(through(&peer.ports, host))
}

/// What the ports of a peer leave. A policy counts the ports of pods, which those of their Service need not be.
fn through(ports: &[PeerPort], host: &Host<'_>) -> Reach {
    let opens = |port: i32| ports.iter().any(|open| open.port <= port && port <= open.end_port.unwrap_or(open.port));
    match host.port.filter(|_| host.kind != ExternalKind::Namespace) {
        _ if ports.is_empty() => Reach::Open,
        None => Reach::Depends,
        Some(port) if opens(i32::from(port)) => Reach::Open,
        Some(_) => Reach::Closed,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::plan::sample::isolated;

    fn reach(host: (&str, Option<u16>, ExternalKind), egress: &Value) -> Reach {
        let network = isolated(json!({ "egress": egress })).network.unwrap();
        let (name, port, kind) = host;
        of(&Host { name, port, kind, namespace: "payments" }, Some(&network.egress))
    }

    #[test]
    fn a_policy_opens_addresses_and_namespaces_and_knows_no_names() {
        use ExternalKind::{Address, Database, Namespace, Private, Public};
        let (https, stripe) = (json!([{"port": 443}]), ("api.stripe.com", Some(443), Public));
        let ledger = ("ledger.payments.svc", Some(80), Namespace);
        for (host, egress, expected) in [
            (stripe, json!([]), Reach::Closed),
            (stripe, json!([{"cidr": "0.0.0.0/0"}]), Reach::Depends),
            (stripe, json!([{"cidr": "0.0.0.0/0", "ports": https}]), Reach::Depends),
            (("smtp.example.com", Some(25), Public), json!([{"cidr": "0.0.0.0/0", "ports": https}]), Reach::Closed),
            (("x.rds.amazonaws.com", None, Database), json!([{"namespace": "payments"}]), Reach::Closed),
            (("db.internal", None, Private), json!([{"namespace": "payments"}]), Reach::Depends),
            (("10.1.2.3", Some(443), Address), json!([{"cidr": "10.0.0.0/8", "ports": https}]), Reach::Open),
            (("10.1.2.3", Some(443), Address), json!([{"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}]), Reach::Closed),
            (("10.1.2.3", None, Address), json!([{"cidr": "10.0.0.0/8", "ports": https}]), Reach::Depends),
            (("2001:db8::1", None, Address), json!([{"cidr": "2001:db8::/32"}]), Reach::Open),
            (ledger, json!([{"namespace": "payments"}]), Reach::Open),
            (ledger, json!([{"namespace": "orders"}]), Reach::Closed),
            (ledger, json!([{"namespace": "payments", "podLabels": {"app": "ledger"}}]), Reach::Depends),
            (ledger, json!([{"namespace": "payments", "ports": [{"port": 8080}]}]), Reach::Depends),
            (ledger, json!([{"namespaceLabels": {"team": "money"}}]), Reach::Depends),
            (ledger, json!([{"namespace": "orders"}, {"namespace": "payments"}]), Reach::Open),
        ] {
            assert_eq!(reach(host, &egress), expected, "{host:?} {egress}");
        }
        let host = Host { name: "api.stripe.com", port: None, kind: Public, namespace: "" };
        assert_eq!(of(&host, None), Reach::Open, "there is no policy");
    }
}
