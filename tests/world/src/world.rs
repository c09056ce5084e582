//! One world: a control plane, a GitHub, the service, and baselines in it.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use github_double::{Double, Hook, Permission};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{DynamicObject, PostParams};
use kube::{Api, Client};
use preview_env::api;
use preview_env::api::conditions::{READY, is_true};
use serde_json::Value;
use tempfile::TempDir;
use test_cluster::{Audit, Cluster};
use tokio::sync::Mutex;

use crate::install;
use crate::manifests::apply;
use crate::service::{Service, ServiceOptions};
use crate::wait::wait_for;

/// The secret that deliveries are signed with.
pub const SECRET: &str = "the webhook's secret";
/// The account that comments.
pub const BOT: &str = "preview[bot]";
/// The account that pushes.
pub const DEVELOPER: &str = "dev";
/// The token of the account that comments.
pub const TOKEN: &str = "a-token-of-the-double";

/// A world. The service is behind a lock, since stories may kill it.
pub struct World {
    /// The control plane.
    pub cluster: Arc<Cluster>,
    /// The cluster's administrator: for what people with all rights do, and for looking.
    pub admin: Client,
    /// The double.
    pub github: Double,
    /// The service.
    pub service: Mutex<Service>,
    _folder: TempDir,
}

/// A namespace that is a baseline, with a repository of its own.
pub struct Baseline<'a> {
    /// Its namespace.
    pub namespace: &'a str,
    /// `owner/name`.
    pub repositories: &'a [&'a str],
    /// What it holds, but for the Baseline.
    pub objects: &'a [DynamicObject],
    /// The Secrets that the service may get.
    pub secrets: &'a [&'a str],
    /// The Baseline.
    pub baseline: Value,
}

impl World {
    /// Starts everything, with the `preview` binary at this path.
    pub async fn start(preview: &Path) -> Result<Self> {
        Self::start_in(preview, test_cluster::Options::default()).await
    }

    /// The same in such a cluster.
    pub async fn start_in(preview: &Path, cluster: test_cluster::Options) -> Result<Self> {
        Self::start_with(preview, cluster, Vec::new()).await
    }

    /// The same with registries that the service may ask, each by address and port.
    pub async fn start_with(preview: &Path, cluster: test_cluster::Options, registries: Vec<String>) -> Result<Self> {
        let cluster = Arc::new(Cluster::start(cluster).await?);
        let admin = cluster.admin_client().await?;
        install::once(&admin).await?;
        let github = Double::start()?;
        github.add_bot(BOT);
        github.add_user(DEVELOPER);
        github.add_token(BOT, TOKEN)?;
        let folder = tempfile::tempdir().context("no folder for the service")?;
        std::fs::write(folder.path().join("webhook-secret"), format!("{SECRET}\n"))?;
        std::fs::write(folder.path().join("seed"), "5".repeat(32))?;
        std::fs::write(folder.path().join("github-token"), format!("{TOKEN}\n"))?;
        let options = ServiceOptions {
            poll: None,
            app: None,
            hours_ahead: 0,
            preview: preview.to_owned(),
            kubeconfig: cluster.service_account_kubeconfig("preview-env", "preview-env").await?,
            github_url: github.base_url().to_owned(),
            folder: folder.path().to_owned(),
            registries,
        };
        let service = Service::start(options).await?;
        let events = ["pull_request", "push", "delete", "issue_comment", "check_run"];
        github.add_webhook(Hook::to(&service.url("/webhooks/github")).secret(SECRET).events(&events))?;
        Ok(Self { cluster, admin, github, service: Mutex::new(service), _folder: folder })
    }

    /// The log of all requests at the API server.
    pub fn audit(&self) -> Audit {
        self.cluster.audit()
    }

    /// The environments beside a Baseline, seen as an administrator.
    pub fn environments(&self, namespace: &str) -> Api<api::PreviewEnvironment> {
        Api::namespaced(self.admin.clone(), namespace)
    }

    /// The same, in the service's own name, which alone may write facts.
    pub async fn environments_as_service(&self, namespace: &str) -> Result<Api<api::PreviewEnvironment>> {
        let service = self.cluster.service_account_client("preview-env", "preview-env").await?;
        Ok(Api::namespaced(service, namespace))
    }

    /// Makes a namespace.
    pub async fn namespace(&self, name: &str) -> Result<()> {
        let namespace: Namespace = serde_json::from_value(serde_json::json!({"metadata": {"name": name}}))?;
        Api::all(self.admin.clone())
            .create(&PostParams::default(), &namespace)
            .await
            .with_context(|| format!("cannot make namespace {name}"))?;
        Ok(())
    }

    /// Makes a baseline with its repositories, and waits until it is Ready.
    pub async fn baseline(&self, wanted: Baseline<'_>) -> Result<()> {
        let namespace = wanted.namespace;
        let name = wanted.baseline["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        self.new_baseline(wanted).await?;
        self.wait_until_baseline_is_ready(namespace, &name).await
    }

    /// Makes a baseline with its repositories.
    pub async fn new_baseline(&self, wanted: Baseline<'_>) -> Result<()> {
        for repository in wanted.repositories {
            self.github.add_repository(repository)?;
            self.github.permit(repository, DEVELOPER, Permission::Write)?;
            self.github.permit(repository, BOT, Permission::Write)?;
        }
        self.namespace(wanted.namespace).await?;
        install::baseline_access(&self.admin, wanted.namespace, wanted.secrets).await?;
        for object in wanted.objects {
            apply(&self.admin, object, Some(wanted.namespace)).await?;
        }
        let baseline: DynamicObject = serde_json::from_value(wanted.baseline)?;
        apply(&self.admin, &baseline, Some(wanted.namespace)).await
    }

    /// Waits until a Baseline is Ready.
    pub async fn wait_until_baseline_is_ready(&self, namespace: &str, name: &str) -> Result<()> {
        let api: Api<api::Baseline> = Api::namespaced(self.admin.clone(), namespace);
        let ready = |b: Option<&api::Baseline>| b.and_then(|b| b.status.as_ref()).is_some_and(|s| is_true(&s.conditions, READY));
        wait_for(&api, name, "a Ready Baseline", ready).await?;
        Ok(())
    }
}
