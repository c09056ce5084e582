//! One world: a control plane, a GitHub, the service, and baselines in it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use github_double::{Double, Hook, Key, NewApp, Permission};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{DynamicObject, PostParams};
use kube::{Api, Client};
use preview_env::api;
use preview_env::api::conditions::{READY, is_true};
use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;
use test_cluster::{Audit, Cluster};
use tokio::sync::Mutex;

use crate::install;
use crate::manifests::apply;
use crate::routes::Routes;
use crate::service::{Credential, Service, ServiceOptions};
use crate::wait::wait_for;

/// The secret that deliveries are signed with.
pub const SECRET: &str = "the webhook's secret";
/// The account that comments.
pub const BOT: &str = "preview[bot]";
/// The account that pushes.
pub const DEVELOPER: &str = "dev";
/// The token of the account that comments.
pub const TOKEN: &str = "a-token-of-the-double";
/// Requests that the service may make of GitHub in an hour.
const REQUESTS_PER_HOUR: u32 = 1_000_000;
/// The owner of the repositories, whom the App is installed on.
pub const OWNER: &str = "acme";
/// The App's id; it comments as [`BOT`] does.
pub const APP: u64 = 7;
/// What a webhook is to send to a service with a token, as README.md says.
const EVENTS: [&str; 4] = ["pull_request", "push", "issue_comment", "repository"];

/// How a world is, where it is not like most.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// Its cluster.
    pub cluster: test_cluster::Options,
    /// The registries that the service may ask, each by address and port.
    pub registries: Vec<String>,
    /// As whom the service talks to GitHub.
    pub credential: Credential,
    /// Whether something answers for the hosts of environments. Without it their names lead nowhere, and the service says so.
    pub routes: bool,
}

/// A world. The service is behind a lock, since stories may kill it.
pub struct World {
    /// The control plane.
    pub cluster: Arc<Cluster>,
    /// The cluster's administrator: for what people with all rights do, and for looking.
    pub admin: Client,
    /// The double.
    pub github: Double,
    /// What answers for the hosts of environments.
    pub routes: Option<Routes>,
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
        Self::start_with(preview, Setup { cluster, ..Setup::default() }).await
    }

    /// The same, set up otherwise.
    pub async fn start_with(preview: &Path, setup: Setup) -> Result<Self> {
        let cluster = Arc::new(Cluster::start(setup.cluster).await?);
        let admin = cluster.admin_client().await?;
        install::once(&admin).await?;
        let github = Double::start()?;
        github.add_bot(BOT);
        github.add_user(DEVELOPER);
        add_token(&github, TOKEN)?;
        let folder = tempfile::tempdir().context("no folder for the service")?;
        std::fs::write(folder.path().join("webhook-secret"), format!("{SECRET}\n"))?;
        std::fs::write(folder.path().join("seed"), "5".repeat(32))?;
        std::fs::write(folder.path().join("github-token"), format!("{TOKEN}\n"))?;
        std::fs::write(folder.path().join("github-app-key"), Key::shared().private)?;
        let routes = if setup.routes { Some(Routes::start().await?) } else { None };
        let options = ServiceOptions {
            poll: None,
            look_over: None,
            look_every: None,
            // Not the minutes that it waits else.
            orphan_after: "5s",
            hours_ahead: 0,
            variables: Vec::new(),
            credential: setup.credential,
            probe: routes.as_ref().map(Routes::address),
            preview: preview.to_owned(),
            kubeconfig: cluster.service_account_kubeconfig("preview-env", "preview-env").await?,
            github_url: github.base_url().to_owned(),
            folder: folder.path().to_owned(),
            registries: setup.registries,
        };
        // Before the service starts, since it looks for the App at once. Its webhook is known once the service is there.
        let service = Service::reserve(options)?;
        let hook = Hook::to(&service.url("/webhooks/github")).secret(SECRET);
        match setup.credential {
            Credential::Token => {
                github.add_webhook(hook.events(&EVENTS))?;
            }
            Credential::App => install_app(&github, hook)?,
        }
        let service = service.start().await?;
        Ok(Self { cluster, admin, github, routes, service: Mutex::new(service), _folder: folder })
    }

    /// The account that comments gets another token.
    pub fn add_token(&self, token: &str) -> Result<()> {
        add_token(&self.github, token)
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

    /// Makes a baseline with its repositories, public ones where they are not there yet.
    pub async fn new_baseline(&self, wanted: Baseline<'_>) -> Result<()> {
        for repository in wanted.repositories {
            if self.github.repository(repository).is_err() {
                self.github.add_repository(repository)?;
            }
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

/// A token of the account that comments, with enough requests for hundreds of stories.
fn add_token(github: &Double, token: &str) -> Result<()> {
    github.add_token(BOT, token)?;
    github.set_requests_per_hour(token, REQUESTS_PER_HOUR)?;
    Ok(())
}

/// The App that `deploy/github-app.json` describes, installed on all repositories of [`OWNER`].
fn install_app(github: &Double, hook: Hook) -> Result<()> {
    let path = install::root().join("deploy/github-app.json");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let manifest: Manifest = serde_json::from_str(&text).context("cannot read the App's manifest")?;
    let slug = BOT.trim_end_matches("[bot]");
    let mut app = NewApp::new(APP, slug, &Key::shared().public).webhook(hook);
    (app.permissions, app.events) = (manifest.default_permissions, manifest.default_events);
    github.add_app(app)?;
    github.add_organization(OWNER);
    github.install(APP, OWNER, None)?;
    Ok(())
}

/// What is read of the App's manifest.
#[derive(Deserialize)]
struct Manifest {
    default_permissions: BTreeMap<String, String>,
    default_events: Vec<String>,
}
