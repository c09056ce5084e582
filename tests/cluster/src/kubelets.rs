//! What kwok needs to answer the API server in the kubelets' place: an address of the cluster's own, what containers are
//! said to have logged, and pods that end badly.

use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::cluster::Options;
use crate::folder::Folder;

/// The label of pods whose containers end with exit code 1 once they run.
pub const FAILS: &str = "test-cluster/fails";

/// The stage of those pods.
const FAILING: &str = include_str!("../stages/pod-fails.yaml");

/// What every container of every pod is said to have logged, since no container runs.
#[derive(Debug, Clone)]
pub struct Logs {
    /// Since its last start.
    pub now: String,
    /// Before that.
    pub before: String,
}

impl Default for Logs {
    fn default() -> Self {
        let text = "nothing runs here: kwok plays the kubelet";
        Self { now: text.to_owned(), before: text.to_owned() }
    }
}

/// Where the API server reaches the kubelets: an address of the loopback network that no other cluster of the machine has,
/// since each has a port of its own. There they listen on a port of that same number.
pub fn address(port: u16) -> Ipv4Addr {
    let [high, low] = port.to_be_bytes();
    Ipv4Addr::new(127, 1, high, low)
}

/// Where kwok reads what [`write()`] wrote.
pub fn configuration(folder: &Folder) -> PathBuf {
    folder.file("kubelets.yaml")
}

/// Writes kwok's configuration and the logs into the folder.
pub fn write(folder: &Folder, options: &Options) -> Result<()> {
    let (now, before) = (folder.file("containers.log"), folder.file("containers-before.log"));
    put(&now, &as_a_runtime_does(&options.logs.now))?;
    put(&before, &as_a_runtime_does(&options.logs.before))?;
    let mut all = vec![of_all_pods("ClusterLogs", &json!({ "logs": [{ "logsFile": now, "previousLogsFile": before }] })).to_string()];
    if options.commands {
        let path = std::env::var("PATH").unwrap_or_default();
        let here = json!({ "envs": [{ "name": "PATH", "value": path }] });
        all.push(of_all_pods("ClusterExec", &json!({ "execs": [{ "local": here }] })).to_string());
    }
    all.push(FAILING.to_owned());
    put(&configuration(folder), &all.join("\n---\n"))
}

fn of_all_pods(kind: &str, spec: &Value) -> Value {
    json!({ "apiVersion": "kwok.x-k8s.io/v1alpha1", "kind": kind, "metadata": { "name": "all" }, "spec": spec })
}

/// Lines in the format of the container runtime interface.
fn as_a_runtime_does(text: &str) -> String {
    text.lines().flat_map(|line| ["2026-01-01T00:00:00.000000000Z stdout F ", line, "\n"]).collect()
}

fn put(path: &PathBuf, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_port_has_an_address_of_its_own() {
        assert_eq!(address(0x8001), Ipv4Addr::new(127, 1, 128, 1));
        assert_ne!(address(40_000), address(40_001));
    }

    #[test]
    fn lines_carry_what_a_runtime_puts_before_them() {
        assert_eq!(as_a_runtime_does("a\nb c"), "2026-01-01T00:00:00.000000000Z stdout F a\n2026-01-01T00:00:00.000000000Z stdout F b c\n");
    }
}
