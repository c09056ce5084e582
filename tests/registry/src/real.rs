//! Debian's docker-registry in a folder of its own, ended with this process at the latest.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION};
use hyper::{Method, Request, Response, body::Incoming};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tempfile::TempDir;
use test_cluster::{Component, Launch};

use crate::image::{Image, Part};

/// Who may log in to a guarded registry.
pub const USER: &str = "preview";
/// Their password.
pub const PASSWORD: &str = "opensesame";
/// The same for `Authorization`.
const BASIC: &str = "Basic cHJldmlldzpvcGVuc2VzYW1l";
/// The same as an htpasswd file has it.
const HTPASSWD: &str = "preview:$2b$05$abcdefghijklmnopqrstuuQbLfdQZSxZ9gjhA5V9o8Tyc6aQRO0Qi\n";
/// How often it is asked whether it is up.
const ASK: Duration = Duration::from_millis(20);
/// How long it may take to start.
const DEADLINE: Duration = Duration::from_secs(30);

/// A registry that runs until this value is dropped.
#[derive(Debug)]
pub struct Registry {
    host: String,
    guarded: bool,
    folder: TempDir,
    component: Option<Component>,
}

/// The program of that name, where it is installed. Without it, a test says that it is skipped; in CI it fails.
///
/// # Panics
/// In CI, where `.ci/tools` installs all of them.
pub fn tool(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "{name} is not installed");
        eprintln!("skipped: {name} is not installed (Debian: apt-get install {name})");
    }
    found
}

impl Registry {
    /// One that everybody may read and write; none where docker-registry is not installed.
    pub async fn start() -> Result<Option<Self>> {
        Self::launch(false).await
    }

    /// One that asks for [`USER`] and [`PASSWORD`].
    pub async fn start_guarded() -> Result<Option<Self>> {
        Self::launch(true).await
    }

    async fn launch(guarded: bool) -> Result<Option<Self>> {
        let Some(program) = tool("docker-registry") else { return Ok(None) };
        let folder = tempfile::tempdir().context("no folder for the registry")?;
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).context("no free port")?.port();
        let mut registry = Self { host: format!("127.0.0.1:{port}"), guarded, folder, component: None };
        registry.run(program)?;
        registry.wait().await?;
        Ok(Some(registry))
    }

    fn run(&mut self, program: PathBuf) -> Result<()> {
        let file = |name: &str| self.folder.path().join(name);
        std::fs::write(file("htpasswd"), HTPASSWD)?;
        std::fs::write(file("config.yml"), config(&self.host, self.folder.path(), self.guarded).to_string())?;
        let launch = Launch {
            name: "docker-registry",
            program,
            arguments: vec!["serve".into(), file("config.yml").into_os_string()],
            log: file("registry.log"),
            home: self.folder.path().to_owned(),
        };
        self.component = Some(Component::start(launch)?);
        Ok(())
    }

    async fn wait(&mut self) -> Result<()> {
        let up = async {
            let mut ticks = tokio::time::interval(ASK);
            loop {
                ticks.tick().await;
                if let Some(component) = self.component.as_mut()
                    && component.ended().is_some()
                {
                    return Err(component.error("ended"));
                }
                if self.send(Method::GET, "/v2/", None, Bytes::new()).await.is_ok_and(|a| a.status().is_success()) {
                    return Ok(());
                }
            }
        };
        tokio::time::timeout(DEADLINE, up).await.context("docker-registry does not answer")?
    }

    /// Its name in references: address and port.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// What it was asked so far, by its own log: a line for each request, with its method and its path.
    pub fn asked(&self) -> Result<Vec<String>> {
        let log = std::fs::read_to_string(self.folder.path().join("registry.log")).context("the registry has no log")?;
        Ok(log.lines().filter(|line| line.contains(" /v2/")).map(str::to_owned).collect())
    }

    /// What `docker login` would write.
    pub fn docker_config(&self) -> Value {
        json!({"auths": {&self.host: {"username": USER, "password": PASSWORD}}})
    }

    /// Pushes an image and gives its digest.
    pub async fn push(&self, path: &str, tag: &str, image: &Image) -> Result<String> {
        let parts = image.parts();
        for blob in &parts.blobs {
            self.upload(path, blob).await.with_context(|| format!("cannot upload {}", blob.digest))?;
        }
        let (last, others) = parts.manifests.split_last().context("an image without a manifest")?;
        for manifest in others {
            self.put_manifest(path, &manifest.digest, manifest).await?;
        }
        self.put_manifest(path, tag, last).await?;
        Ok(last.digest.clone())
    }

    async fn upload(&self, path: &str, blob: &Part) -> Result<()> {
        let begun = self.expect(Method::POST, &format!("/v2/{path}/blobs/uploads/"), None, Bytes::new()).await?;
        let location = begun.headers().get(LOCATION).and_then(|l| l.to_str().ok()).context("no place to upload to")?;
        let place = location.split_once(self.host.as_str()).map_or(location, |(_, rest)| rest);
        let place = format!("{place}&digest={}", blob.digest);
        self.expect(Method::PUT, &place, Some("application/octet-stream"), blob.bytes.clone().into()).await.map(drop)
    }

    async fn put_manifest(&self, path: &str, reference: &str, manifest: &Part) -> Result<()> {
        let place = format!("/v2/{path}/manifests/{reference}");
        self.expect(Method::PUT, &place, Some(manifest.media_type), manifest.bytes.clone().into()).await.map(drop)
    }

    async fn expect(&self, method: Method, path: &str, content_type: Option<&str>, body: Bytes) -> Result<Response<Incoming>> {
        let answer = self.send(method.clone(), path, content_type, body).await?;
        if !answer.status().is_success() {
            bail!("{method} {path}: {}", answer.status());
        }
        Ok(answer)
    }

    async fn send(&self, method: Method, path: &str, content_type: Option<&str>, body: Bytes) -> Result<Response<Incoming>> {
        let mut request = Request::builder().method(method).uri(format!("http://{}{path}", self.host));
        if let Some(content_type) = content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        if self.guarded {
            request = request.header(AUTHORIZATION, BASIC);
        }
        let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
        client.request(request.body(Full::new(body))?).await.context("the registry does not answer")
    }
}

fn config(host: &str, folder: &Path, guarded: bool) -> Value {
    let mut config = json!({
        "version": 0.1,
        "log": {"level": "warn"},
        "storage": {"filesystem": {"rootdirectory": folder.join("data")}},
        "http": {"addr": host, "secret": "of the tests"},
    });
    if guarded {
        config["auth"] = json!({"htpasswd": {"realm": "tests", "path": folder.join("htpasswd")}});
    }
    config
}
