//! A world whose service goes by the proxies, and is started again whenever it has ended, as a kubelet does.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::ListParams;
use serde_json::json;
use test_world::{Setup, World};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::proxy::{Server, put_before};
use crate::rules::Rules;

/// How many requests a second each of Kubernetes' controllers may make: with dozens of stories at once, the usual 20 would be
/// what is waited for.
const CONTROLLERS: u32 = 200;
/// Lines of the service's log that a failure shows.
const LOG_LINES: usize = 40;

/// A world with proxies in it.
pub struct Stage {
    /// The world. Its service is held by whoever starts it again.
    pub world: World,
    /// What goes wrong.
    pub rules: Arc<Rules>,
    log: PathBuf,
}

impl Stage {
    /// Starts it. It stays for as long as the process lasts.
    pub async fn start() -> anyhow::Result<&'static Self> {
        let cluster = test_cluster::Options { controller_requests_per_second: Some(CONTROLLERS), ..test_cluster::Options::default() };
        let setup = Setup { cluster, ..Setup::default() };
        let world = World::start_with(Path::new(env!("CARGO_BIN_EXE_preview")), setup).await?;
        let (rules, ends) = Rules::new();
        let rules = Arc::new(rules);
        let service = world.cluster.service_account_client("preview-env", "preview-env").await?;
        let cluster = put_before(Server::Cluster(service, world.admin.clone()), Arc::clone(&rules)).await?;
        let forge = put_before(Server::forge(world.github.base_url()), Arc::clone(&rules)).await?;
        let log = {
            let mut service = world.service.lock().await;
            let kubeconfig = service.folder().join("by-the-proxy.yaml");
            std::fs::write(&kubeconfig, kubeconfig_of(&format!("http://{cluster}")))?;
            service.kill();
            service.go_by(kubeconfig, format!("http://{forge}"));
            service.launch()?;
            service.wait_until_ready().await?;
            service.log()
        };
        let stage: &Self = Box::leak(Box::new(Self { world, rules, log }));
        tokio::spawn(stage.keep(ends));
        Ok(stage)
    }

    /// Ends the service where the rules say so, and starts it again whenever it has ended.
    async fn keep(&self, mut ends: UnboundedReceiver<()>) {
        let mut service = self.world.service.lock().await;
        loop {
            tokio::select! {
                told = ends.recv() => if told.is_none() { return },
                // Without an API server it ends by itself. It is waited for with a deadline that does not count here.
                () = async { while service.wait_until_ended().await.is_err() {} } => {}
            }
            service.kill();
            self.rules.service_ended();
            if let Err(error) = service.launch() {
                eprintln!("the service does not start again: {error:#}");
                return;
            }
        }
    }

    /// The version of everything in the cluster at this moment.
    pub async fn version(&self) -> anyhow::Result<String> {
        let any: Api<Namespace> = Api::all(self.world.admin.clone());
        Ok(any.list(&ListParams::default().limit(1)).await?.metadata.resource_version.unwrap_or_default())
    }

    /// The last that the service said of a row.
    pub fn log_about(&self, row: &str) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().filter(|line| line.contains(row)).collect();
        lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
    }
}

/// The proxy asks in the service's name, so nothing but the address is needed.
fn kubeconfig_of(server: &str) -> String {
    let context = json!({"cluster": "proxy", "user": "service", "namespace": "preview-env"});
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "proxy",
        "clusters": [{"name": "proxy", "cluster": {"server": server}}],
        "users": [{"name": "service", "user": {}}],
        "contexts": [{"name": "proxy", "context": context}],
    })
    .to_string()
}
