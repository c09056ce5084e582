//! Is there a way to environments: class or Gateway, name and certificate? No client, no clock, no logging.

use std::collections::BTreeSet;
use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use k8s_openapi::api::networking::v1::IngressClass;
use kube::ResourceExt;
use serde_json::Value;

use crate::cli::doctor::finding::{Fact, Finding, some_of};
use crate::domain::Baseline;
use crate::plan::Manifest;

/// The check of what leads to environments.
pub const INGRESS: &str = "ingress";
const DNS: &str = "dns";
const CERTIFICATE: &str = "certificate";
/// The older way to name a class, for which no object has to be there.
const OLD_CLASS: &str = "/metadata/annotations/kubernetes.io~1ingress.class";
const DEFAULT_CLASS: &str = "ingressclass.kubernetes.io/is-default-class";
const PROGRAMMED: &str = "Programmed";
const NAMED: usize = 4;
/// Certificates are renewed weeks before their end, so one with less left is not being renewed.
const LITTLE_LEFT: TimeDelta = TimeDelta::days(7);

/// A Gateway, and the listener that is meant.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct GatewayName {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// One of its listeners, or all.
    pub section: Option<String>,
}

/// What leads to the environments of a Baseline.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Ways {
    /// Classes of Ingresses; none stands for the default one.
    pub classes: BTreeSet<Option<String>>,
    /// Gateways of routes.
    pub gateways: BTreeSet<GatewayName>,
    /// Whether an Ingress asks for TLS.
    pub tls: bool,
    /// Where the baseline's own Ingresses are, as addresses or names.
    pub addresses: BTreeSet<String>,
    /// Whether anything would have a host at all.
    pub any: bool,
}

/// A Gateway as the cluster has it.
pub type Gateways = Vec<(GatewayName, Fact<Option<Value>>)>;

/// What leads to the environments of a Baseline, by what its namespace holds.
pub fn ways(baseline: &Baseline, objects: &[Manifest]) -> Ways {
    let mut ways = Ways::default();
    let Some(hosts) = &baseline.hosts else { return ways };
    ways.classes.extend(hosts.ingress_class_name.clone().map(Some));
    ways.gateways.extend(hosts.gateway.as_ref().map(|gateway| GatewayName {
        namespace: gateway.namespace.clone(),
        name: gateway.name.clone(),
        section: gateway.section_name.clone(),
    }));
    for object in objects {
        match object.kind() {
            "Ingress" => ingress(object, hosts.ingress_class_name.is_some(), &mut ways),
            "HTTPRoute" | "GRPCRoute" => {
                ways.any = true;
                if hosts.gateway.is_none() {
                    ways.gateways.extend(object.items("/spec/parentRefs").filter_map(|parent| parent_of(parent, &baseline.namespace)));
                }
            }
            _ => {}
        }
    }
    if !hosts.expose.is_empty() {
        ways.any = true;
        if hosts.gateway.is_none() {
            ways.classes.insert(hosts.ingress_class_name.clone());
            ways.tls |= hosts.expose.iter().any(|expose| expose.tls);
        }
    }
    ways
}

fn ingress(object: &Manifest, replaced: bool, ways: &mut Ways) {
    ways.any = true;
    ways.tls |= object.items("/spec/tls").next().is_some();
    let class = object.text("/spec/ingressClassName").map(str::to_owned);
    if !replaced && (class.is_some() || object.text(OLD_CLASS).is_none()) {
        ways.classes.insert(class);
    }
    for address in object.items("/status/loadBalancer/ingress") {
        ways.addresses.extend(["ip", "hostname"].iter().filter_map(|key| address.get(key)?.as_str().map(str::to_owned)));
    }
}

fn parent_of(parent: &Value, namespace: &str) -> Option<GatewayName> {
    let text = |key: &str| parent.get(key).and_then(Value::as_str).map(str::to_owned);
    let is_gateway = text("kind").is_none_or(|kind| kind == "Gateway");
    let name = text("name").filter(|_| is_gateway)?;
    Some(GatewayName { namespace: text("namespace").unwrap_or_else(|| namespace.to_owned()), name, section: text("sectionName") })
}

/// Where the Gateways are, as addresses or names.
pub fn addresses(gateways: &Gateways) -> BTreeSet<String> {
    let values = gateways.iter().filter_map(|(_, gateway)| gateway.as_ref().ok()?.as_ref());
    let addresses = values.flat_map(|gateway| gateway["status"]["addresses"].as_array().into_iter().flatten());
    addresses.filter_map(|address| address["value"].as_str().map(str::to_owned)).collect()
}

/// Whether a Gateway has a listener with TLS for what is attached to it.
pub fn has_tls(gateways: &Gateways) -> bool {
    gateways.iter().any(|(name, gateway)| {
        let listeners = gateway.as_ref().ok().and_then(Option::as_ref).and_then(|gateway| gateway["spec"]["listeners"].as_array());
        let meant = |listener: &&Value| name.section.as_deref().is_none_or(|section| listener["name"] == section);
        listeners.into_iter().flatten().filter(meant).any(|listener| listener["protocol"] == "HTTPS" || listener["protocol"] == "TLS")
    })
}

/// Whether the classes and Gateways are there.
pub fn way(ways: &Ways, classes: &Fact<Vec<IngressClass>>, gateways: &Gateways) -> Finding {
    if !ways.any {
        return Finding::warning(INGRESS, "nothing of it would have a host: it has no Ingress, no route and no hosts.expose")
            .mend("name what people open: hosts.expose[].service in the Baseline");
    }
    let mut good = Vec::new();
    for (name, gateway) in gateways {
        match through(name, gateway) {
            Ok(well) => good.push(well),
            Err(finding) => return finding,
        }
    }
    if !ways.classes.is_empty() {
        match classes {
            Ok(classes) => match by_class(&ways.classes, classes) {
                Ok(well) => good.push(well),
                Err(finding) => return finding,
            },
            Err(why) => return Finding::not_checked(INGRESS, why),
        }
    }
    if good.is_empty() {
        good.push("its Ingresses name their class by annotation, which says nothing of an object".to_owned());
    }
    Finding::ok(INGRESS, good.join("; "))
}

fn by_class(wanted: &BTreeSet<Option<String>>, there: &[IngressClass]) -> Result<String, Finding> {
    let names: Vec<String> = there.iter().map(ResourceExt::name_any).collect();
    if let Some(missing) = wanted.iter().flatten().find(|name| !names.contains(name)) {
        let others = if names.is_empty() { "there is none".to_owned() } else { format!("there are {}", some_of(&names, NAMED)) };
        let mend = "install its ingress controller, or name another class: hosts.ingressClassName in the Baseline";
        return Err(Finding::failure(INGRESS, format!("IngressClass {missing} is not there; {others}")).mend(mend));
    }
    let is_default = |class: &&IngressClass| class.annotations().get(DEFAULT_CLASS).is_some_and(|value| value == "true");
    let default = there.iter().find(is_default).map(ResourceExt::name_any);
    if wanted.contains(&None) && default.is_none() {
        let why = "an Ingress would name no class, and no IngressClass is the cluster's default";
        return Err(Finding::warning(INGRESS, why).mend("set hosts.ingressClassName in the Baseline"));
    }
    let used: Vec<String> = wanted.iter().filter_map(|name| name.clone().or_else(|| default.clone())).collect();
    Ok(format!("IngressClass {} is there", some_of(&used, NAMED)))
}

fn through(name: &GatewayName, gateway: &Fact<Option<Value>>) -> Result<String, Finding> {
    let shown = format!("Gateway {}/{}", name.namespace, name.name);
    let gateway = match gateway {
        Ok(Some(gateway)) => gateway,
        Ok(None) => {
            return Err(Finding::failure(INGRESS, format!("{shown} is not there"))
                .mend("make it, or name another one: hosts.gateway in the Baseline"));
        }
        Err(why) => return Err(Finding::not_checked(INGRESS, why)),
    };
    let see = format!("see why: kubectl -n {} describe gateway {}", name.namespace, name.name);
    let listeners = gateway["spec"]["listeners"].as_array();
    if let Some(section) = name.section.as_deref().filter(|section| !listeners.into_iter().flatten().any(|l| l["name"] == *section)) {
        return Err(
            Finding::failure(INGRESS, format!("{shown} has no listener {section}")).mend("name one that it has: hosts.gateway.sectionName")
        );
    }
    let conditions = gateway["status"]["conditions"].as_array();
    match conditions.into_iter().flatten().find(|condition| condition["type"] == PROGRAMMED).map(|condition| &condition["status"]) {
        Some(status) if status == "True" => Ok(format!("{shown} is there")),
        Some(_) => Err(Finding::failure(INGRESS, format!("{shown} is there and not programmed")).mend(see)),
        None => Err(Finding::warning(INGRESS, format!("{shown} is there, and no controller has said anything of it")).mend(see)),
    }
}

/// Where a name leads that nobody has used, and where it should lead.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The addresses of the name; none where it does not resolve.
    pub found: Fact<Vec<IpAddr>>,
    /// Where the ingress is, as far as the cluster says.
    pub expected: Vec<IpAddr>,
}

/// Whether names below a domain lead to the ingress.
pub fn dns(domain: &str, resolved: &Resolved) -> Finding {
    let found = match &resolved.found {
        Ok(found) => found,
        Err(why) => return Finding::not_checked(DNS, why),
    };
    let place =
        if resolved.expected.is_empty() { "the ingress controller's address".to_owned() } else { some_of(&resolved.expected, NAMED) };
    let mend = format!("make a wildcard record *.{domain} that leads to {place}");
    if found.is_empty() {
        return Finding::failure(DNS, format!("no name below {domain} resolves on this machine")).mend(mend);
    }
    let said = format!("*.{domain} leads to {}", some_of(found, NAMED));
    let met = found.iter().any(|address| resolved.expected.contains(address));
    match (resolved.expected.is_empty(), met) {
        (true, _) => Finding::ok(DNS, format!("{said}; whether the ingress is there, the cluster does not say")),
        (false, true) => Finding::ok(DNS, said),
        (false, false) => Finding::warning(DNS, format!("{said}, and the ingress is at {place}"))
            .mend(format!("where nothing stands in front of it, {mend}")),
    }
}

/// What a TLS handshake came to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Handshake {
    /// The certificate is good here, until then where that can be read.
    Trusted(Option<DateTime<Utc>>),
    /// It ended.
    Expired,
    /// It is for other names.
    OtherName,
    /// Nobody whom this machine trusts gave it out.
    Untrusted,
    /// Something else, in the words of TLS.
    Failed(String),
}

/// Whether the certificate is good for names below a domain.
pub fn certificate(domain: &str, handshake: &Fact<Handshake>, now: DateTime<Utc>) -> Finding {
    let handshake = match handshake {
        Ok(handshake) => handshake,
        Err(why) => return Finding::not_checked(CERTIFICATE, why),
    };
    let mend = format!("give the ingress a wildcard certificate for *.{domain}, such as by cert-manager with a DNS challenge");
    let failure = |why: String| Finding::failure(CERTIFICATE, why).mend(mend.clone());
    match handshake {
        Handshake::Trusted(None) => Finding::ok(CERTIFICATE, format!("that of *.{domain} is good")),
        Handshake::Trusted(Some(ends)) if *ends - now < LITTLE_LEFT => {
            let left = (*ends - now).num_days();
            Finding::warning(CERTIFICATE, format!("that of *.{domain} ends in {left} days, on {}", ends.format("%-d %b %Y")))
                .mend("see why nothing renews it: kubectl get certificates -A")
        }
        Handshake::Trusted(Some(ends)) => {
            Finding::ok(CERTIFICATE, format!("that of *.{domain} is good until {}", ends.format("%-d %b %Y")))
        }
        Handshake::Expired => failure(format!("that of *.{domain} is not valid at this time: it has ended, or not begun")),
        Handshake::OtherName => failure(format!("what answers for *.{domain} shows a certificate for other names")),
        Handshake::Untrusted => failure(format!("nobody whom this machine trusts gave out the certificate of *.{domain}")),
        Handshake::Failed(why) => failure(format!("no TLS with *.{domain}: {why}")),
    }
}

/// Nothing asks for TLS.
pub fn without_tls() -> Finding {
    Finding::ok(CERTIFICATE, "none is needed: nothing of it asks for TLS")
}

#[cfg(test)]
mod tests;
