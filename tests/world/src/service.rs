//! The service as a process of its own, ended like a crash ends it.

use std::ffi::OsString;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use test_cluster::{Component, Launch};

use crate::http;
use crate::wait::deadline;

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
    /// The id of the GitHub App that it is, whose key the folder holds as `github-app-key`; else it has the token.
    pub app: Option<u64>,
    /// By how many hours its machine's clock is ahead.
    pub hours_ahead: i64,
}

/// Stands before the C library, and has its clock go ahead.
const AHEAD: &str = include_str!("ahead.c");

/// A running service. Dropped, it ends as by `kill -9`.
#[derive(Debug)]
pub struct Service {
    options: ServiceOptions,
    port: u16,
    component: Option<Component>,
}

impl Service {
    /// Starts it on a free port and waits until it is ready.
    pub async fn start(options: ServiceOptions) -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).context("no free port")?.port();
        let mut service = Self { options, port, component: None };
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
            "--github-url".into(),
            options.github_url.clone().into(),
            "--seed-file".into(),
            file("seed"),
            // Hundreds of stories share one account.
            "--github-limits".into(),
            "none".into(),
        ];
        let is = match options.app {
            Some(id) => vec!["--github-app-id".into(), id.to_string().into(), "--github-app-key-file".into(), file("github-app-key")],
            None => vec!["--github-token-file".into(), file("github-token")],
        };
        let hears = match options.poll {
            Some(every) => ["--poll".into(), every.into()],
            None => ["--webhook-secret-file".into(), file("webhook-secret")],
        };
        let registries = if options.registries.is_empty() { "none".to_owned() } else { options.registries.join(",") };
        let of_registries = ["--registry", &registries, "--registry-plain-http", &registries, "--registry-allow-private", "127.0.0.0/8"];
        let arguments = arguments.into_iter().chain(is).chain(hears).chain(of_registries.map(Into::into));
        let (program, arguments) = in_time(options, arguments.collect())?;
        let launch = Launch { name: "preview", program, arguments, log: self.log(), home: options.folder.clone() };
        self.component = Some(Component::start(launch)?);
        Ok(())
    }

    /// From the next start on it asks GitHub so often and takes no deliveries, or takes them.
    pub fn poll(&mut self, every: Option<&'static str>) {
        self.options.poll = every;
    }

    /// From the next start on it is that GitHub App.
    pub fn be_app(&mut self, id: u64) {
        self.options.app = Some(id);
    }

    /// From the next start on its machine's clock is so many hours ahead.
    pub fn go_ahead(&mut self, hours: i64) {
        self.options.hours_ahead = hours;
    }

    /// Ends it as `kill -9` does.
    pub fn kill(&mut self) {
        self.component = None;
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

    /// Where it logs to.
    pub fn log(&self) -> PathBuf {
        self.options.folder.join("preview.log")
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

/// What is started, and with which arguments, so that its clock goes as it is to.
fn in_time(options: &ServiceOptions, arguments: Vec<OsString>) -> Result<(PathBuf, Vec<OsString>)> {
    if options.hours_ahead == 0 {
        return Ok((options.preview.clone(), arguments));
    }
    let (source, library) = (options.folder.join("ahead.c"), options.folder.join("ahead.so"));
    std::fs::write(&source, AHEAD).context("cannot write the clock that is ahead")?;
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).arg("-ldl").status();
    anyhow::ensure!(built.context("no C compiler")?.success(), "the clock that is ahead cannot be built");
    let mut preload = OsString::from("LD_PRELOAD=");
    preload.push(&library);
    let ahead = format!("SECONDS_AHEAD={}", options.hours_ahead * 3_600).into();
    let first = [preload, ahead, options.preview.clone().into_os_string()];
    Ok(("/usr/bin/env".into(), first.into_iter().chain(arguments).collect()))
}
