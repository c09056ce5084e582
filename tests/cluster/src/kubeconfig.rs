//! Writes kubeconfigs and makes clients of them.

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::json;
use tempfile::NamedTempFile;

/// One user's way to the API server.
#[derive(Debug)]
pub struct Access<'a> {
    /// The API server's address.
    pub server: &'a str,
    /// The certificate authority, PEM.
    pub authority: &'a str,
    /// The user's name, for people who read the file.
    pub user: &'a str,
    /// The user's bearer token.
    pub token: &'a str,
}

impl Access<'_> {
    /// Writes it as a kubeconfig with a namespace for calls that name none. Whoever reads it at that moment gets the one before.
    pub fn write(&self, path: &Path, namespace: &str) -> Result<()> {
        let authority = k8s_openapi::ByteString(self.authority.as_bytes().to_owned());
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{
                "name": "test-cluster",
                "cluster": { "server": self.server, "certificate-authority-data": authority },
            }],
            "users": [{ "name": self.user, "user": { "token": self.token } }],
            "contexts": [{
                "name": "test-cluster",
                "context": { "cluster": "test-cluster", "user": self.user, "namespace": namespace },
            }],
            "current-context": "test-cluster",
        });
        let text = serde_saphyr::to_string(&config).context("cannot write a kubeconfig as YAML")?;
        let write = || {
            let mut file = NamedTempFile::new_in(path.parent().unwrap_or(path))?;
            file.write_all(text.as_bytes())?;
            file.persist(path).map_err(|error| error.error)
        };
        write().with_context(|| format!("cannot write {}", path.display()))?;
        Ok(())
    }
}

/// A client for the runtime that this is called in, which answers errors at once instead of trying again.
pub async fn client(kubeconfig: &Path) -> Result<Client> {
    let read = Kubeconfig::read_from(kubeconfig);
    let kubeconfig = read.with_context(|| format!("cannot read {}", kubeconfig.display()))?;
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    config.default_retry = false;
    // Proxies of the surroundings are not for 127.0.0.1.
    config.proxy_url = None;
    Client::try_from(config).context("cannot make a client")
}
