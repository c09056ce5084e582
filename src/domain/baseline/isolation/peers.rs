//! Who pods may talk to: ranges of addresses without those that hand out credentials, and namespaces.

use std::collections::BTreeMap;

use super::{InvalidBaseline, api, invalid, marks};
use crate::api::baseline::isolation::PeerPort;
use crate::api::names::LABEL_NAMESPACE_NAME;
use crate::domain::cidr::Cidr;

/// Where cloud providers serve a node's own identity to whoever asks, and what else they keep there: link-local addresses
/// (169.254.169.254 at most of them, pod identities of EKS at 169.254.170.23, `fe80::a9fe:a9fe` of OpenStack), Alibaba's
/// 100.100.100.200, Azure's wire server, EC2's `fd00:ec2::254` and its neighbours, and Google's `fd20:ce::254`.
const METADATA: [&str; 6] = ["169.254.0.0/16", "100.100.100.200/32", "168.63.129.16/32", "fe80::/10", "fd00:ec2::/64", "fd20:ce::254/128"];
/// The port of DNS, which some clouds and node-local caches serve at link-local addresses.
const DNS: i32 = 53;

/// The other end of a connection, with its ports: none for all of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Peer {
    /// Who.
    pub ends: Ends,
    /// The ports.
    pub ports: Vec<PeerPort>,
}

/// Who is at the other end.
#[derive(Clone, Debug, PartialEq)]
pub enum Ends {
    /// Addresses.
    Addresses {
        /// The range.
        cidr: Cidr,
        /// Ranges inside it that are not meant.
        except: Vec<Cidr>,
    },
    /// Pods in namespaces.
    Pods {
        /// Labels of the namespaces.
        namespaces: BTreeMap<String, String>,
        /// Labels of the pods, none for all of them.
        pods: BTreeMap<String, String>,
    },
}

/// Reads a list of peers at that path.
pub fn read(path: &str, listed: &[api::Peer]) -> Result<Vec<Peer>, InvalidBaseline> {
    listed.iter().enumerate().map(|(index, peer)| one(&format!("{path}[{index}]"), peer)).collect()
}

fn one(path: &str, peer: &api::Peer) -> Result<Peer, InvalidBaseline> {
    let ends = match (&peer.cidr, &peer.namespace, peer.namespace_labels.is_empty()) {
        (Some(cidr), None, true) => addresses(path, cidr, peer)?,
        (None, Some(name), true) => pods(path, &BTreeMap::from([(LABEL_NAMESPACE_NAME.to_owned(), name.clone())]), peer)?,
        (None, None, false) => pods(path, &peer.namespace_labels, peer)?,
        _ => return Err(invalid(path, &"give exactly one of cidr, namespace and namespaceLabels")),
    };
    Ok(Peer { ends, ports: peer.ports.clone() })
}

fn pods(path: &str, namespaces: &BTreeMap<String, String>, peer: &api::Peer) -> Result<Ends, InvalidBaseline> {
    if !peer.except.is_empty() {
        return Err(invalid(format!("{path}.except"), &"goes with cidr"));
    }
    marks::labels(&format!("{path}.namespaceLabels"), namespaces)?;
    marks::labels(&format!("{path}.podLabels"), &peer.pod_labels)?;
    Ok(Ends::Pods { namespaces: namespaces.clone(), pods: peer.pod_labels.clone() })
}

fn addresses(path: &str, cidr: &str, peer: &api::Peer) -> Result<Ends, InvalidBaseline> {
    let field = format!("{path}.cidr");
    if !peer.pod_labels.is_empty() {
        return Err(invalid(format!("{path}.podLabels"), &"goes with a namespace"));
    }
    let cidr: Cidr = cidr.parse().map_err(|e| invalid(&field, &e))?;
    let metadata: Vec<Cidr> = METADATA.iter().filter_map(|text| text.parse().ok()).collect();
    let is_dns = !peer.ports.is_empty() && peer.ports.iter().all(|p| p.port == DNS && p.end_port.is_none_or(|end| end == DNS));
    if metadata.iter().any(|blocked| blocked.contains(&cidr)) {
        if is_dns {
            return Ok(Ends::Addresses { cidr, except: exceptions(path, cidr, peer)? });
        }
        let why = format!("{cidr} is where cloud providers hand out a node's credentials; only DNS there, port {DNS}, can be opened");
        return Err(invalid(field, &why));
    }
    let mut except = exceptions(path, cidr, peer)?;
    let inside = metadata.into_iter().filter(|blocked| cidr.contains(blocked));
    let missing: Vec<Cidr> = inside.filter(|blocked| !except.iter().any(|e| e.contains(blocked))).collect();
    except.extend(missing);
    Ok(Ends::Addresses { cidr, except })
}

fn exceptions(path: &str, cidr: Cidr, peer: &api::Peer) -> Result<Vec<Cidr>, InvalidBaseline> {
    let read = |(index, text): (usize, &String)| {
        let field = format!("{path}.except[{index}]");
        let except: Cidr = text.parse().map_err(|e| invalid(&field, &e))?;
        let is_inside = cidr.contains(&except) && except != cidr;
        if is_inside { Ok(except) } else { Err(invalid(field, &format!("{except} is not a part of {cidr}"))) }
    };
    peer.except.iter().enumerate().map(read).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn peer(value: Value) -> Result<Peer, InvalidBaseline> {
        one("p", &serde_json::from_value(value).unwrap())
    }

    fn shown(value: Value) -> (String, Vec<String>) {
        match peer(value).unwrap().ends {
            Ends::Addresses { cidr, except } => (cidr.to_string(), except.iter().map(ToString::to_string).collect()),
            other @ Ends::Pods { .. } => panic!("{other:?}"),
        }
    }

    #[test]
    fn addresses_of_credentials_are_taken_out_of_every_range() {
        let (cidr, except) = shown(json!({"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}));
        assert_eq!(cidr, "0.0.0.0/0");
        assert_eq!(except, ["10.0.0.0/8", "169.254.0.0/16", "100.100.100.200/32", "168.63.129.16/32"]);
        assert_eq!(shown(json!({"cidr": "::/0"})).1, ["fe80::/10", "fd00:ec2::/64", "fd20:ce::254/128"]);
        assert_eq!(shown(json!({"cidr": "100.64.0.0/10"})).1, ["100.100.100.200/32"]);
        assert_eq!(shown(json!({"cidr": "0.0.0.0/0", "except": ["169.0.0.0/8"]})).1[0], "169.0.0.0/8");
        assert!(shown(json!({"cidr": "203.0.113.0/24"})).1.is_empty());
    }

    #[test]
    fn they_cannot_be_opened_themselves_but_for_dns() {
        for cidr in ["169.254.169.254/32", "169.254.0.0/16", "fd00:ec2::254/128", "100.100.100.200/32"] {
            assert_eq!(peer(json!({"cidr": cidr})).unwrap_err().field, "p.cidr");
            assert!(peer(json!({"cidr": cidr, "ports": [{"port": 80}]})).is_err());
            assert!(peer(json!({"cidr": cidr, "ports": [{"port": 53, "endPort": 80}]})).is_err());
            assert!(peer(json!({"cidr": cidr, "ports": [{"port": 53, "protocol": "UDP"}]})).is_ok());
        }
    }

    #[test]
    fn a_namespace_is_known_by_its_name_or_its_labels() {
        let ends = peer(json!({"namespace": "ingress-nginx"})).unwrap().ends;
        let name = BTreeMap::from([(LABEL_NAMESPACE_NAME.to_owned(), "ingress-nginx".to_owned())]);
        assert_eq!(ends, Ends::Pods { namespaces: name, pods: BTreeMap::new() });
        for wrong in [
            json!({}),
            json!({"namespace": "a", "cidr": "10.0.0.0/8"}),
            json!({"namespaceLabels": {}}),
            json!({"namespaceLabels": {"a": "b c"}}),
            json!({"namespace": "a", "except": ["10.0.0.0/8"]}),
            json!({"cidr": "10.0.0.0/8", "podLabels": {"a": "b"}}),
            json!({"cidr": "10.0.0.0/8", "except": ["11.0.0.0/16"]}),
            json!({"cidr": "10.0.0.0/8", "except": ["10.0.0.0/8"]}),
        ] {
            assert!(peer(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
