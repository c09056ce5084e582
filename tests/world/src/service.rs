//! The service as a process of its own, ended like a crash ends it.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use test_cluster::{Component, Launch};

use crate::http;
use crate::wait::deadline;

/// What the first replica is called.
const FIRST: &str = "preview";
/// How often `/readyz` is asked while the service starts.
const ASK: Duration = Duration::from_millis(20);

/// How to start the service.
#[derive(Clone, Debug)]
pub struct ServiceOptions {
    /// The `preview` binary.
    pub preview: PathBuf,
    /// The kubeconfig of the service's own ServiceAccount.
    pub kubeconfig: PathBuf,
    /// Address of the double's API.
    pub github_url: String,
    /// Folder with `webhook-secret`, `github-token` and `seed`, and for the log.
    pub folder: PathBuf,
    /// The registries that may be asked, by address and port and without TLS. Without any, none is.
    pub registries: Vec<String>,
    /// How often GitHub is asked, by a service that takes no deliveries.
    pub poll: Option<&'static str>,
}

/// A running service. Dropped, it ends as by `kill -9`.
#[derive(Debug)]
pub struct Service {
    options: ServiceOptions,
    /// What this replica is called. It is the same when it starts again, as that of a container in its pod.
    identity: &'static str,
    port: u16,
    component: Option<Component>,
}

impl Service {
    /// Starts it on a free port and waits until it is ready.
    pub async fn start(options: ServiceOptions) -> Result<Self> {
        Self::start_as(FIRST, options).await
    }

    /// Starts another replica of it.
    pub async fn beside(&self, identity: &'static str) -> Result<Self> {
        Self::start_as(identity, self.options.clone()).await
    }

    async fn start_as(identity: &'static str, options: ServiceOptions) -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).context("no free port")?.port();
        let mut service = Self { options, identity, port, component: None };
        service.launch()?;
        service.wait_until_ready().await?;
        Ok(service)
    }

    /// Starts it again on the same port, without waiting for it.
    pub fn launch(&mut self) -> Result<()> {
        let (options, port) = (&self.options, self.port);
        let file = |name: &str| options.folder.join(name).into_os_string();
        let arguments = [
            "serve".into(),
            "--kubeconfig".into(),
            options.kubeconfig.clone().into_os_string(),
            "--listen".into(),
            format!("127.0.0.1:{port}").into(),
            "--identity".into(),
            self.identity.into(),
            "--github-url".into(),
            options.github_url.clone().into(),
            "--github-token-file".into(),
            file("github-token"),
            "--seed-file".into(),
            file("seed"),
            // Hundreds of stories share one account.
            "--github-limits".into(),
            "none".into(),
        ];
        let hears = match options.poll {
            Some(every) => ["--poll".into(), every.into()],
            None => ["--webhook-secret-file".into(), file("webhook-secret")],
        };
        let registries = if options.registries.is_empty() { "none".to_owned() } else { options.registries.join(",") };
        let of_registries = ["--registry", &registries, "--registry-plain-http", &registries, "--registry-allow-private", "127.0.0.0/8"];
        let arguments = arguments.into_iter().chain(hears).chain(of_registries.map(Into::into));
        let launch = Launch {
            name: "preview",
            program: options.preview.clone(),
            arguments: arguments.collect(),
            log: self.log(),
            home: options.folder.clone(),
        };
        self.component = Some(Component::start(launch)?);
        Ok(())
    }

    /// From the next start on it asks GitHub so often and takes no deliveries, or takes them.
    pub fn poll(&mut self, every: Option<&'static str>) {
        self.options.poll = every;
    }

    /// Ends it as `kill -9` does.
    pub fn kill(&mut self) {
        self.component = None;
    }

    /// Asks it to end, as Kubernetes does.
    pub fn terminate(&self) -> Result<()> {
        self.running()?.terminate()
    }

    /// Stops it where it stands.
    pub fn pause(&self) -> Result<()> {
        self.running()?.pause()
    }

    /// Lets it go on.
    pub fn resume(&self) -> Result<()> {
        self.running()?.resume()
    }

    fn running(&self) -> Result<&Component> {
        self.component.as_ref().context("the service does not run")
    }

    /// Waits until it has ended, and says how.
    pub async fn wait_until_ended(&mut self) -> Result<ExitStatus> {
        let ended = async {
            let mut ticks = tokio::time::interval(ASK);
            loop {
                ticks.tick().await;
                if let Some(status) = self.component.as_mut().context("the service does not run")?.ended() {
                    return Ok(status);
                }
            }
        };
        tokio::time::timeout(deadline(), ended).await.context("the service does not end")?
    }

    /// Waits until `/readyz` says so.
    pub async fn wait_until_ready(&mut self) -> Result<()> {
        let ready = async {
            let mut ticks = tokio::time::interval(ASK);
            loop {
                ticks.tick().await;
                if let Some(status) = self.component.as_mut().and_then(Component::ended) {
                    bail!("the service ended ({status}); its log ends:\n{}", self.log_end());
                }
                if http::get(&self.url("/readyz")).await.is_ok_and(|answer| answer.status == 200) {
                    return Ok(());
                }
            }
        };
        match tokio::time::timeout(deadline(), ready).await {
            Ok(result) => result,
            Err(_) => bail!("the service is not ready; its log ends:\n{}", self.log_end()),
        }
    }

    /// An address of it.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// What this replica is called.
    pub const fn identity(&self) -> &'static str {
        self.identity
    }

    /// Where it logs to.
    pub fn log(&self) -> PathBuf {
        self.options.folder.join(format!("{}.log", self.identity))
    }

    /// The last lines of its log.
    pub fn log_end(&self) -> String {
        let text = std::fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.options.folder
    }
}
