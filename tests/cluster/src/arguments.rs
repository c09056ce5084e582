//! The components' arguments.

use std::ffi::OsString;
use std::path::Path;

use crate::binaries::Binaries;
use crate::cluster::Options;
use crate::component::{Launch, NAMES};
use crate::folder::Folder;
use crate::kubelets;

/// kwok renews the nodes' leases four times in this many seconds; the kubelet's 40 would cost more at rest.
const LEASE_SECONDS: u32 = 240;

/// Everything that the arguments depend on.
#[derive(Debug)]
pub struct Plant<'a> {
    /// The programs.
    pub binaries: &'a Binaries,
    /// The data folder.
    pub folder: &'a Folder,
    /// The API server's port.
    pub port: u16,
    /// What the caller wants.
    pub options: &'a Options,
}

impl Plant<'_> {
    /// The store, on a socket in the data folder and without waiting for the disk.
    pub fn etcd(&self) -> Launch {
        let client = format!("unix://{}", self.folder.etcd_socket().display());
        // etcd wants these as host:port. One is a file in its current folder, the data folder; the other only a name.
        let (peer, advertised) = ("unix://localhost:2380", "unix://localhost:2379");
        let data = self.folder.file("etcd");
        self.launch(NAMES[0], &self.binaries.etcd)
            .value("--data-dir", data)
            .value("--listen-client-urls", client)
            .value("--advertise-client-urls", advertised)
            .value("--listen-peer-urls", peer)
            .value("--initial-advertise-peer-urls", peer)
            .value("--initial-cluster", format!("default={peer}"))
            .value("--unsafe-no-fsync", "true")
            .value("--log-level", "warn")
    }

    /// The API server, with the admission and authorization that a cluster has by default.
    pub fn api_server(&self) -> Launch {
        self.launch(NAMES[1], &self.binaries.api_server)
            .value("--etcd-servers", format!("unix://{}", self.folder.etcd_socket().display()))
            .value("--bind-address", "127.0.0.1")
            .value("--advertise-address", "127.0.0.1")
            .value("--secure-port", self.port.to_string())
            .value("--permit-port-sharing", "true")
            // A loopback address is not a valid endpoint; nothing in this cluster reaches `kubernetes.default`.
            .value("--endpoint-reconciler-type", "none")
            .value("--service-cluster-ip-range", "10.96.0.0/16")
            .value("--authorization-mode", "Node,RBAC")
            // As in most real clusters, where agents on the nodes need it.
            .value("--allow-privileged", "true")
            .value("--anonymous-auth", "true")
            .value("--token-auth-file", self.folder.file("tokens.csv"))
            .value("--tls-cert-file", self.folder.file("api-server.crt"))
            .value("--tls-private-key-file", self.folder.file("api-server.key"))
            .value("--service-account-issuer", "https://kubernetes.default.svc")
            .value("--service-account-key-file", self.folder.file("service-accounts.pub"))
            .value("--service-account-signing-key-file", self.folder.file("service-accounts.key"))
            .value("--audit-policy-file", self.folder.file("audit-policy.json"))
            .value("--audit-log-path", self.folder.audit_log())
            // Never rotated: readers hold positions in the file.
            .value("--audit-log-maxsize", "1000000")
    }

    /// The controllers. They run as `system:masters`, so one identity serves all.
    pub fn controller_manager(&self) -> Launch {
        let launch = self
            .launch(NAMES[2], &self.binaries.controller_manager)
            .value("--kubeconfig", self.folder.kubeconfig("system:kube-controller-manager"))
            .value("--leader-elect", "false")
            .value("--secure-port", "0")
            .value("--root-ca-file", self.folder.file("ca.crt"))
            .value("--service-account-private-key-file", self.folder.file("service-accounts.key"))
            .value("--node-monitor-grace-period", format!("{LEASE_SECONDS}s"));
        match self.options.controller_requests_per_second {
            Some(rate) => launch.value("--kube-api-qps", rate.to_string()).value("--kube-api-burst", (rate * 2).to_string()),
            None => launch,
        }
    }

    /// The scheduler.
    pub fn scheduler(&self) -> Launch {
        self.launch(NAMES[3], &self.binaries.scheduler)
            .value("--kubeconfig", self.folder.kubeconfig("system:kube-scheduler"))
            .value("--leader-elect", "false")
            .value("--secure-port", "0")
    }

    /// kwok, in place of kubelets. The API server takes any certificate of theirs, as it does where none is named to it.
    pub fn kwok(&self) -> Launch {
        let address = kubelets::address(self.port).to_string();
        self.launch(NAMES[4], &self.binaries.kwok)
            .value("--kubeconfig", self.folder.kubeconfig("kwok"))
            .value("--config", &self.binaries.stages)
            .value("--config", kubelets::configuration(self.folder))
            .value("--server-address", format!("{address}:{}", self.port))
            .value("--tls-cert-file", self.folder.file("api-server.crt"))
            .value("--tls-private-key-file", self.folder.file("api-server.key"))
            // Each node says them as its own: the name as its address, since pods take an IP for their node's.
            .value("--node-name", address)
            .value("--node-port", self.port.to_string())
            .value("--manage-all-nodes", "true")
            .value("--node-lease-duration-seconds", LEASE_SECONDS.to_string())
            .value("--cidr", "10.244.0.0/16")
    }

    fn launch(&self, name: &'static str, program: &Path) -> Launch {
        Launch { name, program: program.to_owned(), arguments: Vec::new(), log: self.folder.log(name), home: self.folder.path().to_owned() }
    }
}

impl Launch {
    fn value(mut self, flag: &str, value: impl Into<OsString>) -> Self {
        let mut argument = OsString::from(format!("{flag}="));
        argument.push(value.into());
        self.arguments.push(argument);
        self
    }
}
