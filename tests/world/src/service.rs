//! The service as a process of its own, ended like a crash ends it.

use std::ffi::OsString;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use test_cluster::{Component, Launch};

use crate::http;
use crate::wait::deadline;

/// What the first replica is called.
const FIRST: &str = "preview";
/// How often `/readyz` is asked while the service starts.
const ASK: Duration = Duration::from_millis(20);

/// How much of its log is shown where something went wrong.
const LOG_LINES: usize = 60;

/// As whom the service talks to GitHub.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Credential {
    /// As an account, with a token of its.
    #[default]
    Token,
    /// As a GitHub App.
    App,
}

impl Credential {
    fn arguments(self, folder: &Path) -> Vec<OsString> {
        let file = |name: &str| folder.join(name).into_os_string();
        match self {
            Self::Token => vec!["--github-token-file".into(), file("github-token")],
            Self::App => {
                vec!["--github-app-id".into(), crate::world::APP.to_string().into(), "--github-app-key-file".into(), file("github-app-key")]
            }
        }
    }
}

/// How to start the service.
#[derive(Clone, Debug)]
pub struct ServiceOptions {
    /// The `preview` binary.
    pub preview: PathBuf,
    /// The kubeconfig of the service's own ServiceAccount.
    pub kubeconfig: PathBuf,
    /// Address of the double's API.
    pub github_url: String,
    /// As whom it talks to GitHub.
    pub credential: Credential,
    /// Where environments are asked for an answer, whatever their hosts' names resolve to.
    pub probe: Option<SocketAddr>,
    /// Folder with `webhook-secret`, `github-token`, `github-app-key` and `seed`, and for the log.
    pub folder: PathBuf,
    /// The registries that may be asked, by address and port and without TLS. Without any, none is.
    pub registries: Vec<String>,
    /// How often GitHub is asked, by a service that takes no deliveries.
    pub poll: Option<&'static str>,
    /// How often an environment is looked over, where not as usual.
    pub look_over: Option<&'static str>,
    /// How often GitHub is asked for what no delivery told, where not as usual.
    pub look_every: Option<&'static str>,
    /// How long a namespace without its environment is left alone.
    pub orphan_after: &'static str,
    /// By how many hours its machine's clock is ahead.
    pub hours_ahead: i64,
    /// What its environment has beside that of the tests.
    pub variables: Vec<(&'static str, String)>,
}

/// Stands before the C library, and has its clock go ahead.
const AHEAD: &str = include_str!("ahead.c");

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
    /// Finds a port for it, so that its address is known before it starts.
    pub fn reserve(options: ServiceOptions) -> Result<Self> {
        Self::reserve_as(FIRST, options)
    }

    fn reserve_as(identity: &'static str, options: ServiceOptions) -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).context("no free port")?.port();
        Ok(Self { options, identity, port, component: None })
    }

    /// Starts it for the first time and waits until it is ready.
    pub async fn start(mut self) -> Result<Self> {
        self.launch()?;
        self.wait_until_ready().await?;
        Ok(self)
    }

    /// Starts another replica of it.
    pub async fn beside(&self, identity: &'static str) -> Result<Self> {
        Self::reserve_as(identity, self.options.clone())?.start().await
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
            "--seed-file".into(),
            file("seed"),
            "--orphan-after".into(),
            options.orphan_after.into(),
            // Hundreds of stories share one account.
            "--github-limits".into(),
            "none".into(),
        ];
        let hears = match options.poll {
            Some(every) => ["--poll".into(), every.into()],
            None => ["--webhook-secret-file".into(), file("webhook-secret")],
        };
        let probe = options.probe.map(|address| format!("--probe-address={address}"));
        let registries = if options.registries.is_empty() { "none".to_owned() } else { options.registries.join(",") };
        let of_registries = ["--registry", &registries, "--registry-plain-http", &registries, "--registry-allow-private", "127.0.0.0/8"];
        let arguments = arguments
            .into_iter()
            .chain(hears)
            .chain(options.credential.arguments(&options.folder))
            .chain(probe.map(Into::into))
            .chain(options.look_every.map(|every| format!("--look-every={every}").into()))
            .chain(options.look_over.map(|every| format!("--look-over-every={every}").into()))
            .chain(of_registries.map(Into::into));
        let (program, arguments) = with_variables(options, arguments.collect())?;
        let launch = Launch { name: "preview", program, arguments, log: self.log(), home: options.folder.clone() };
        self.component = Some(Component::start(launch)?);
        Ok(())
    }

    /// From the next start on it asks GitHub so often and takes no deliveries, or takes them.
    pub fn poll(&mut self, every: Option<&'static str>) {
        self.options.poll = every;
    }

    /// From the next start on it looks environments over so often.
    pub fn look_over(&mut self, every: &'static str) {
        self.options.look_over = Some(every);
    }

    /// From the next start on GitHub is asked so often for what no delivery told.
    pub fn look_every(&mut self, every: &'static str) {
        self.options.look_every = Some(every);
    }

    /// From the next start on namespaces without an environment are left alone for so long.
    pub fn orphan_after(&mut self, after: &'static str) {
        self.options.orphan_after = after;
    }

    /// The id of its process.
    pub fn process(&self) -> Result<u32> {
        Ok(self.running()?.id())
    }

    /// From the next start on it is a GitHub App, whose key its folder holds.
    pub fn be_app(&mut self) {
        self.options.credential = Credential::App;
    }

    /// From the next start on it reaches the API server by that kubeconfig and GitHub at that address, such as by proxies.
    pub fn go_by(&mut self, kubeconfig: PathBuf, github_url: String) {
        (self.options.kubeconfig, self.options.github_url) = (kubeconfig, github_url);
    }

    /// From the next start on its machine's clock is so many hours ahead.
    pub fn go_ahead(&mut self, hours: i64) {
        self.options.hours_ahead = hours;
    }

    /// From the next start on its environment has these variables, and none of those before.
    pub fn have(&mut self, variables: Vec<(&'static str, String)>) {
        self.options.variables = variables;
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
        self.log_about(&[])
    }

    /// The last lines of its log that hold one of these words; all lines hold one of none.
    pub fn log_about(&self, words: &[String]) -> String {
        let text = std::fs::read_to_string(self.log()).unwrap_or_default();
        let about = |line: &&str| words.is_empty() || words.iter().any(|word| line.contains(word.as_str()));
        let lines: Vec<&str> = text.lines().filter(about).collect();
        lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.options.folder
    }
}

/// What is started, and with which arguments, so that it has its variables and its clock goes as it is to.
fn with_variables(options: &ServiceOptions, arguments: Vec<OsString>) -> Result<(PathBuf, Vec<OsString>)> {
    let given = options.variables.iter().map(|(name, value)| format!("{name}={value}").into());
    let variables: Vec<OsString> = in_time(options)?.into_iter().chain(given).collect();
    if variables.is_empty() {
        return Ok((options.preview.clone(), arguments));
    }
    let program = [options.preview.clone().into_os_string()];
    Ok(("/usr/bin/env".into(), variables.into_iter().chain(program).chain(arguments).collect()))
}

/// The variables that have its clock go ahead.
fn in_time(options: &ServiceOptions) -> Result<Vec<OsString>> {
    if options.hours_ahead == 0 {
        return Ok(Vec::new());
    }
    let (source, library) = (options.folder.join("ahead.c"), options.folder.join("ahead.so"));
    std::fs::write(&source, AHEAD).context("cannot write the clock that is ahead")?;
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).arg("-ldl").status();
    anyhow::ensure!(built.context("no C compiler")?.success(), "the clock that is ahead cannot be built");
    let mut preload = OsString::from("LD_PRELOAD=");
    preload.push(&library);
    Ok(vec![preload, format!("SECONDS_AHEAD={}", options.hours_ahead * 3_600).into()])
}
