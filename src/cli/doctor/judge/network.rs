//! Does anything enforce NetworkPolicies? By which network the cluster has, so it is probable and no more. No client, no clock,
//! no logging.

use crate::cli::doctor::finding::{Fact, Finding};

const NETWORK: &str = "network";

/// What is known of a network by the name that its DaemonSet begins with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Known {
    /// It enforces policies.
    Enforces,
    /// It does where that is turned on.
    Optional(&'static str),
    /// It does not.
    Not,
}

/// By the projects' own manifests. A cluster can have several: `canal` is flannel beside Calico, and counts for the better.
const NETWORKS: [(&str, Known); 17] = [
    ("calico-node", Known::Enforces),
    ("canal", Known::Enforces),
    ("cilium", Known::Enforces),
    ("antrea-agent", Known::Enforces),
    ("kube-router", Known::Enforces),
    ("weave-net", Known::Enforces),
    ("ovnkube-node", Known::Enforces),
    ("ovs-node", Known::Enforces),
    // GKE's Dataplane V2.
    ("anetd", Known::Enforces),
    ("azure-npm", Known::Enforces),
    ("romana-agent", Known::Enforces),
    ("kube-network-policies", Known::Enforces),
    ("kindnet", Known::Optional("since kind 0.24")),
    ("aws-node", Known::Optional("with enableNetworkPolicy of the VPC CNI add-on")),
    ("eks-node-agent", Known::Optional("with enableNetworkPolicy of the VPC CNI add-on")),
    ("kube-flannel", Known::Not),
    ("azure-cni", Known::Not),
];

/// A distribution that enforces them without a DaemonSet, by its mark in the version.
const BUILT_IN: &str = "+k3s";

/// What was seen of the cluster's network.
pub struct Seen<'a> {
    /// The names of all DaemonSets.
    pub daemon_sets: &'a Fact<Vec<String>>,
    /// The cluster's version.
    pub version: &'a Fact<String>,
    /// Whether any Baseline wants environments apart from others.
    pub isolates: bool,
}

/// Whether policies are probably enforced.
pub fn network(seen: &Seen<'_>) -> Finding {
    if !seen.isolates {
        return Finding::ok(NETWORK, "no Baseline asks for isolation, so nothing has to be enforced");
    }
    let probably = |name: &str| Finding::ok(NETWORK, format!("NetworkPolicies are probably enforced, by {name}; nothing was tried"));
    if seen.version.as_ref().is_ok_and(|version| version.contains(BUILT_IN)) {
        return probably("k3s itself");
    }
    let names = match seen.daemon_sets {
        Ok(names) => names,
        Err(why) => return Finding::not_checked(NETWORK, why),
    };
    let found: Vec<(&String, Known)> = names.iter().filter_map(|name| Some((name, known(name)?))).collect();
    let of = |wanted: fn(&Known) -> bool| found.iter().find(|(_, known)| wanted(known));
    if let Some((name, _)) = of(|known| *known == Known::Enforces) {
        return probably(name);
    }
    if let Some((name, Known::Optional(when))) = of(|known| matches!(known, Known::Optional(_))) {
        return Finding::warning(NETWORK, format!("{name} enforces NetworkPolicies only {when}"))
            .mend("turn it on, or try it: docs/isolation.md, \"Whether your network enforces it\"");
    }
    match found.first() {
        Some((name, _)) => Finding::failure(
            NETWORK,
            format!("{name} enforces no NetworkPolicies, so environments reach the baseline and each other"),
        )
        .mend("add a network that does, such as Calico or Cilium; or say that you know: isolation.networkPolicy: None in the Baseline"),
        None => Finding::warning(NETWORK, "no network is known here that enforces NetworkPolicies, and none that does not")
            .mend("try it: docs/isolation.md, \"Whether your network enforces it\""),
    }
}

fn known(name: &str) -> Option<Known> {
    // `cilium-envoy` alone is no network, and `rke2-canal` is canal.
    let name = name.strip_prefix("rke2-").unwrap_or(name);
    NETWORKS
        .iter()
        .find(|(prefix, _)| name == *prefix || name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with("-ds")))
        .map(|(_, known)| *known)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::{Unseen, Verdict};

    fn judged(names: &[&str], version: &str) -> Verdict {
        let daemon_sets = Ok(names.iter().map(|name| (*name).to_owned()).collect());
        network(&Seen { daemon_sets: &daemon_sets, version: &Ok(version.to_owned()), isolates: true }).result
    }

    #[test]
    fn a_known_network_is_probably_what_it_is_known_for() {
        for (names, version, verdict) in [
            (&["kube-proxy", "calico-node"][..], "v1.36.0", Verdict::Ok),
            (&["kube-flannel-ds", "calico-node"], "v1.36.0", Verdict::Ok),
            (&["rke2-canal"], "v1.36.0+rke2r1", Verdict::Ok),
            (&["kube-flannel-ds"], "v1.36.0", Verdict::Failure),
            (&["aws-node"], "v1.36.0-eks-1", Verdict::Warning),
            (&["kindnet"], "v1.36.0", Verdict::Warning),
            (&["svclb-traefik"], "v1.36.0+k3s1", Verdict::Ok),
            (&["node-exporter"], "v1.36.0", Verdict::Warning),
            (&[], "v1.36.0", Verdict::Warning),
        ] {
            assert_eq!(judged(names, version), verdict, "{names:?}");
        }
    }

    #[test]
    fn nothing_is_asked_where_no_baseline_isolates_and_nothing_said_where_nothing_was_seen() {
        let version = Ok("v1.36.0".to_owned());
        let unseen = Err(Unseen::new("you may not"));
        assert_eq!(network(&Seen { daemon_sets: &unseen, version: &version, isolates: false }).result, Verdict::Ok);
        assert_eq!(network(&Seen { daemon_sets: &unseen, version: &version, isolates: true }).result, Verdict::NotChecked);
    }

    #[test]
    fn the_documentation_says_how_to_try_it() {
        assert!(include_str!("../../../../docs/isolation.md").contains("## Whether your network enforces it"));
    }
}
