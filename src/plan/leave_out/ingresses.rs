//! Ingresses that an environment has no host for: every host is one label under the Baseline's domain, so that one
//! wildcard record and one certificate serve all, and nothing may answer to every host.
//! <https://kubernetes.io/docs/concepts/services-networking/ingress/#hostname-wildcards>

use super::{Facts, because};
use crate::plan::decision::LeftOutReason;
use crate::plan::hosts::rule_host;
use crate::plan::kinds::is_kind;
use crate::plan::manifest::Manifest;

pub(super) const NO_DOMAIN: &str = "the Baseline has no hosts.domain";
pub(super) const CATCH_ALL: &str = "serves hosts that nothing else names, and an environment has none";

pub(super) fn reason(object: &Manifest, facts: &Facts<'_>) -> Option<LeftOutReason> {
    if !is_kind(object, "networking.k8s.io", "Ingress") {
        return None;
    }
    if facts.target.baseline.hosts.is_none() {
        return because(NO_DOMAIN);
    }
    let hosts: Vec<_> = object.items("/spec/rules").map(rule_host).collect();
    if hosts.is_empty() && facts.names_a_host {
        return because(CATCH_ALL);
    }
    only_wildcards(&hosts)
}

/// A sentence, where every host has a wildcard.
pub(super) fn only_wildcards(hosts: &[Option<&str>]) -> Option<LeftOutReason> {
    let wildcards: Vec<_> = hosts.iter().flatten().filter(|host| host.starts_with('*')).copied().collect();
    if wildcards.is_empty() || wildcards.len() < hosts.len() {
        return None;
    }
    because(format!("serves {}, and an environment has no hosts below its own", wildcards.join(", ")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::plan::sample::{World, object};

    #[test]
    fn without_a_domain_nothing_is_served() {
        let ingress = object("networking.k8s.io/v1", "Ingress", "shop").with("/spec", json!({"rules": [{"host": "shop.io"}]}));
        let said = World::of([ingress]).without_domain().plan().said();
        assert_eq!(said, ["Ingress/shop left out: the Baseline has no hosts.domain"]);
    }

    #[test]
    fn hosts_with_a_wildcard_alone_are_left_out() {
        let ingress = object("networking.k8s.io/v1", "Ingress", "any").with("/spec", json!({"rules": [{"host": "*.shop.io"}]}));
        let said = World::of([ingress]).plan().said();
        assert_eq!(said, ["Ingress/any left out: serves *.shop.io, and an environment has no hosts below its own"]);
    }
}
