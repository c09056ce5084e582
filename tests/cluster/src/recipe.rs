//! What is built, from which Go modules. The versions stand in the `go.mod` files under `go/` and nowhere else.

use std::env::consts::{ARCH, OS};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

/// The kwok stages that make nodes, pods and volumes behave, as folders of the kwok module.
pub const STAGES: [&str; 4] = ["node/fast", "node/heartbeat-with-lease", "pod/fast", "volume/fast"];

/// A Go module whose commands are built, with its pinned dependencies.
#[derive(Debug)]
pub struct Recipe {
    /// Short name, part of the folder in the cache.
    pub name: &'static str,
    /// The module that the version belongs to.
    pub module: &'static str,
    /// Pins the versions.
    pub go_mod: &'static str,
    /// Pins the contents: Go refuses a download that differs.
    pub go_sum: &'static str,
}

/// One command of a module.
#[derive(Debug)]
pub struct Command {
    /// The module that it belongs to.
    pub recipe: &'static Recipe,
    /// Name of the binary.
    pub name: &'static str,
    /// The Go package of its main function.
    pub package: &'static str,
    /// How long a cold build takes on two cores, for the line that announces it.
    pub takes: &'static str,
}

/// The API server, the controllers and the scheduler.
pub static KUBERNETES: Recipe = Recipe {
    name: "kubernetes",
    module: "k8s.io/kubernetes",
    go_mod: include_str!("../go/kubernetes/go.mod"),
    go_sum: include_str!("../go/kubernetes/go.sum"),
};

/// The store below the API server.
pub static ETCD: Recipe = Recipe {
    name: "etcd",
    module: "go.etcd.io/etcd/server/v3",
    go_mod: include_str!("../go/etcd/go.mod"),
    go_sum: include_str!("../go/etcd/go.sum"),
};

/// Plays the kubelet: it says that nodes and pods are ready, and runs nothing.
pub static KWOK: Recipe = Recipe {
    name: "kwok",
    module: "sigs.k8s.io/kwok",
    go_mod: include_str!("../go/kwok/go.mod"),
    go_sum: include_str!("../go/kwok/go.sum"),
};

/// Definitions of the Gateway API. Nothing of it is built.
pub static GATEWAY_API: Recipe = Recipe {
    name: "gateway-api",
    module: "sigs.k8s.io/gateway-api",
    go_mod: include_str!("../go/gateway-api/go.mod"),
    go_sum: include_str!("../go/gateway-api/go.sum"),
};

/// Installs charts.
pub static HELM: Recipe = Recipe {
    name: "helm",
    module: "helm.sh/helm/v4",
    go_mod: include_str!("../go/helm/go.mod"),
    go_sum: include_str!("../go/helm/go.sum"),
};

/// Definitions of the Prometheus Operator. Nothing of it is built.
pub static PROMETHEUS_OPERATOR: Recipe = Recipe {
    name: "prometheus-operator",
    module: "github.com/prometheus-operator/prometheus-operator",
    go_mod: include_str!("../go/prometheus-operator/go.mod"),
    go_sum: include_str!("../go/prometheus-operator/go.sum"),
};

/// Stores everything.
pub static ETCD_SERVER: Command = Command { recipe: &ETCD, name: "etcd", package: "go.etcd.io/etcd/server/v3", takes: "1 minute" };

/// Serves the API.
pub static API_SERVER: Command =
    Command { recipe: &KUBERNETES, name: "kube-apiserver", package: "k8s.io/kubernetes/cmd/kube-apiserver", takes: "3 minutes" };

/// Runs Deployments, StatefulSets, garbage collection, namespaces.
pub static CONTROLLER_MANAGER: Command = Command {
    recipe: &KUBERNETES,
    name: "kube-controller-manager",
    package: "k8s.io/kubernetes/cmd/kube-controller-manager",
    takes: "1 minute",
};

/// Gives pods a node.
pub static SCHEDULER: Command =
    Command { recipe: &KUBERNETES, name: "kube-scheduler", package: "k8s.io/kubernetes/cmd/kube-scheduler", takes: "1 minute" };

/// Says that nodes, pods and volumes are ready.
pub static KUBELET_DOUBLE: Command = Command { recipe: &KWOK, name: "kwok", package: "sigs.k8s.io/kwok/cmd/kwok", takes: "1 minute" };

/// Helm's own command.
pub static HELM_COMMAND: Command = Command { recipe: &HELM, name: "helm", package: "helm.sh/helm/v4/cmd/helm", takes: "2 minutes" };

impl Recipe {
    /// The version of the module, such as `v1.36.3`.
    pub fn version(&self) -> Result<&'static str> {
        self.requirement(self.module).with_context(|| format!("cannot find {} in go/{}/go.mod", self.module, self.name))
    }

    /// The oldest Go that can build it, such as `1.26.0`.
    pub fn go_version(&self) -> Result<&'static str> {
        self.requirement("go").with_context(|| format!("cannot find the Go version in go/{}/go.mod", self.name))
    }

    /// Folder name in the cache: another version, recipe or kind of machine never meets these binaries.
    pub fn key(&self) -> Result<String> {
        let mut hash = Sha256::new();
        for part in [self.go_mod, self.go_sum, &self.ld_flags()?, OS, ARCH].into_iter().chain(STAGES) {
            hash.update(part);
            hash.update([0]);
        }
        Ok(format!("{}-{}-{}", self.name, self.version()?, &hex::encode(hash.finalize())[..8]))
    }

    /// Linker flags: no debug symbols, and for Kubernetes the version that it reports.
    pub fn ld_flags(&self) -> Result<String> {
        if self.name != KUBERNETES.name {
            return Ok("-s -w".into());
        }
        let version = self.version()?;
        let mut parts = version.trim_start_matches('v').split('.');
        let (major, minor) = (parts.next().unwrap_or("1"), parts.next().unwrap_or("0"));
        let variable = "-X k8s.io/component-base/version";
        Ok(format!(
            "-s -w {variable}.gitVersion={version} {variable}.gitMajor={major} {variable}.gitMinor={minor} \
             {variable}.gitTreeState=clean"
        ))
    }

    fn requirement(&self, of: &str) -> Option<&'static str> {
        self.go_mod.lines().find_map(|line| {
            let mut words = line.trim_start_matches("require").split_whitespace();
            (words.next() == Some(of)).then(|| words.next()).flatten()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_go_mod() {
        for recipe in [&KUBERNETES, &ETCD, &KWOK, &GATEWAY_API, &HELM, &PROMETHEUS_OPERATOR] {
            assert!(recipe.version().expect("a version").starts_with('v'), "{recipe:?}");
            assert!(recipe.go_version().expect("a Go version").starts_with("1."), "{recipe:?}");
        }
    }

    #[test]
    fn kubernetes_knows_its_own_version() {
        let flags = KUBERNETES.ld_flags().expect("flags");
        let minor = KUBERNETES.version().expect("a version").split('.').nth(1).expect("a minor").to_owned();
        assert!(flags.contains(&format!("gitMinor={minor} ")), "{flags}");
    }
}
