//! What the configuration names outside the namespace: the list of everything that a preview would still reach. Only
//! what is surely a host is listed, so that the list is read: a URL, a name with a port, a value that is called a host,
//! a name inside the cluster, a database of a cloud.

mod authority;
mod find;
mod kind;
mod reach;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::manifest::{Manifest, ObjectName, at};
use super::places::{self, Place};
use super::pods::{containers, text};
use super::secret_values::decoded;
use crate::api::baseline::{ExternalKind, Reach};
use crate::domain::baseline::isolation::Peer;
use find::{Found, Trust};

/// A host outside the namespace.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct External {
    /// Its name or address, in lower case.
    pub host: String,
    /// The port, where one is named.
    pub port: Option<u16>,
    /// What it is, judged by its name.
    pub kind: ExternalKind,
    /// Whether the pods reach it, by their NetworkPolicy.
    pub reach: Reach,
    /// Where it is named, each place once.
    pub used_by: Vec<ExternalUse>,
}

/// A place that names a host.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct ExternalUse {
    /// The object.
    pub object: ObjectName,
    /// The path of the field.
    pub path: String,
}

/// What is inside.
#[derive(Clone, Debug, Default)]
pub struct Inside {
    namespace: String,
    cluster_suffix: String,
    services: BTreeSet<String>,
    hosts: BTreeSet<String>,
    /// What the pods may connect to, where that is limited.
    egress: Option<Vec<Peer>>,
}

impl Inside {
    /// Everything that a namespace serves to itself: its Services, and its own hosts.
    pub fn new<'a>(namespace: &str, cluster_domain: &str, objects: impl IntoIterator<Item = &'a Manifest>) -> Self {
        let suffix = format!(".svc.{}", cluster_domain.to_ascii_lowercase());
        let mut inside = Self { namespace: namespace.to_owned(), cluster_suffix: suffix, ..Self::default() };
        for object in objects {
            match object.kind() {
                "Service" => drop(inside.services.insert(object.name().name)),
                "Ingress" => inside.add_hosts(object.items("/spec/rules").filter_map(|rule| text(rule, "host"))),
                "HTTPRoute" | "GRPCRoute" => inside.add_hosts(object.items("/spec/hostnames").filter_map(Value::as_str)),
                _ => {}
            }
        }
        inside
    }

    /// And Services that the baseline has and the environment does not: who names one of them reaches nothing by it.
    pub fn with_services(mut self, names: impl IntoIterator<Item = String>) -> Self {
        self.services.extend(names);
        self
    }

    /// And a NetworkPolicy that opens no more than that, if there is one.
    pub fn with_egress(mut self, egress: Option<&[Peer]>) -> Self {
        self.egress = egress.map(<[Peer]>::to_vec);
        self
    }

    /// Whether the pods reach a host outside.
    fn reach(&self, host: &Found, kind: ExternalKind) -> Reach {
        let name = host.host.as_str();
        let front = name.strip_suffix(self.cluster_suffix.as_str()).or_else(|| name.strip_suffix(".svc")).unwrap_or(name);
        let namespace = front.rsplit('.').next().unwrap_or_default();
        reach::of(&reach::Host { name, port: host.port, kind, namespace }, self.egress.as_deref())
    }

    fn add_hosts<'a>(&mut self, hosts: impl Iterator<Item = &'a str>) {
        self.hosts.extend(hosts.map(str::to_ascii_lowercase));
    }

    /// Whether a name, in lower case, leads to the namespace itself or to the pod.
    fn has(&self, name: &str) -> bool {
        let long = name.strip_suffix(self.cluster_suffix.as_str()).or_else(|| name.strip_suffix(".svc"));
        let front = long.unwrap_or(name).strip_suffix(&self.namespace).and_then(|front| front.strip_suffix('.'));
        let service = front.map(|front| front.rsplit('.').next().unwrap_or(front));
        let is_service = service.is_some_and(|service| long.is_some() || self.services.contains(service));
        is_service || self.services.contains(name) || self.is_pod(name) || self.hosts.contains(name) || find::is_this_machine(name)
    }

    /// `db-0.db`: a pod of a StatefulSet by its Service.
    fn is_pod(&self, name: &str) -> bool {
        let (pod, service) = name.split_once('.').unwrap_or_default();
        let (_, ordinal) = pod.rsplit_once('-').unwrap_or_default();
        self.services.contains(service) && !ordinal.is_empty() && ordinal.bytes().all(|b| b.is_ascii_digit())
    }
}

/// Every host outside that the objects name, sorted by kind and name. Of Secrets only hosts of URLs, and hosts with a
/// port, are listed: whatever else they hold is nobody's to see.
pub fn externals<'a>(objects: impl IntoIterator<Item = &'a Manifest>, inside: &Inside) -> Vec<External> {
    let mut uses: BTreeMap<Found, BTreeSet<ExternalUse>> = BTreeMap::new();
    for object in objects {
        for (found, path) in named_in(object) {
            if !inside.has(&found.host) {
                uses.entry(found).or_default().insert(ExternalUse { object: object.name(), path });
            }
        }
    }
    join_ports(&mut uses);
    let external = |(found, used_by): (Found, BTreeSet<_>)| {
        let kind = kind::of(&found.host, &inside.cluster_suffix);
        let (reach, used_by) = (inside.reach(&found, kind), used_by.into_iter().collect());
        External { host: found.host, port: found.port, kind, reach, used_by }
    };
    let mut externals: Vec<_> = uses.into_iter().map(external).collect();
    externals.sort_by(|a, b| (a.kind, &a.host, a.port).cmp(&(b.kind, &b.host, b.port)));
    externals
}

/// A host without a port is the one with a port, where another place says the port.
fn join_ports(uses: &mut BTreeMap<Found, BTreeSet<ExternalUse>>) {
    let bare: Vec<_> = uses.keys().filter(|found| found.port.is_none()).cloned().collect();
    for found in bare {
        let with_port = uses.keys().find(|other| other.host == found.host && other.port.is_some()).cloned();
        if let (Some(other), Some(places)) = (with_port, uses.get(&found).cloned()) {
            uses.remove(&found);
            uses.entry(other).or_default().extend(places);
        }
    }
}

/// Every host that an object names, with the path of the field.
fn named_in(object: &Manifest) -> Vec<(Found, String)> {
    if object.group().is_empty() && object.kind() == "Secret" {
        return named_in_secret(object);
    }
    let mut found = Vec::new();
    for place in places::of_object(object) {
        found.extend(named_at(object.text(&place.pointer), "", &place));
    }
    for (path, container) in containers(object) {
        let prefix = format!("{path}.");
        for place in places::of_container(container) {
            found.extend(named_at(at(container, &place.pointer).and_then(Value::as_str), &prefix, &place));
        }
    }
    let external_name = object.text("/spec/externalName").filter(|_| object.kind() == "Service");
    found.extend(
        external_name
            .map(|name| (Found { host: name.trim_end_matches('.').to_ascii_lowercase(), port: None }, "spec.externalName".to_owned())),
    );
    found
}

fn named_at(value: Option<&str>, prefix: &str, place: &Place) -> Vec<(Found, String)> {
    let hosts = find::hosts(value.unwrap_or_default(), &place.key, Trust::Configuration);
    hosts.into_iter().map(|host| (host, format!("{prefix}{}", place.path))).collect()
}

fn named_in_secret(secret: &Manifest) -> Vec<(Found, String)> {
    let data = secret.get("/data").and_then(Value::as_object).into_iter().flatten();
    let hosts = |(key, value): (&String, &Value)| {
        let text = decoded(value).unwrap_or_default();
        find::hosts(&text, key, Trust::Secret).into_iter().map(|host| (host, format!("data[{key}]"))).collect::<Vec<_>>()
    };
    data.flat_map(hosts).collect()
}
