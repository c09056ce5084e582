//! A running cluster.

use std::iter;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Error, Result};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::runtime;
use tokio::sync::oneshot;
use tokio::time::interval;

use crate::arguments::Plant;
use crate::audit::{self, Audit};
use crate::binaries::Binaries;
use crate::component::{Component, Launch, NAMES};
use crate::credentials::{ADMIN, Credentials};
use crate::folder::Folder;
use crate::kubeconfig::{self, Access};
use crate::kubelets::{self, Logs};
use crate::port::Port;
use crate::ready;

/// How long a ServiceAccount's token is valid: longer than any test.
const TOKEN_SECONDS: i64 = 12 * 60 * 60;
/// How often a start looks whether a component has ended.
const LOOK: Duration = Duration::from_millis(100);

/// What a cluster should be like.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many nodes, named `kwok-0` and on, with room for 1,000 pods each.
    pub nodes: usize,
    /// How fast each controller may call the API. `None` leaves it at 20 a second, as in most real clusters.
    pub controller_requests_per_second: Option<u32>,
    /// The data folder. `None` is one in the system's folder for temporary files.
    pub folder: Option<PathBuf>,
    /// What containers are said to have logged.
    pub logs: Logs,
    /// Whether `kubectl exec` runs its command, on this machine and as whoever started the cluster. Otherwise it is refused,
    /// since no container runs.
    pub commands: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { nodes: 1, controller_requests_per_second: None, folder: None, logs: Logs::default(), commands: false }
    }
}

/// A real control plane: etcd, API server, controllers, scheduler, and kwok in place of kubelets.
///
/// It ends when it is dropped, and when this process ends in whatever way.
#[derive(Debug)]
pub struct Cluster {
    // Dropped in this order: first who calls the API server, then it, then its store, then the files.
    callers: Mutex<Vec<Component>>,
    api_server: Mutex<Option<Component>>,
    etcd: Mutex<Component>,
    api_server_launch: Launch,
    authority: String,
    port: Port,
    folder: Folder,
}

impl Cluster {
    /// Starts a cluster and returns when pods can run in it.
    ///
    /// The first start on a machine builds the components, which takes minutes. An error names the component that is
    /// at fault and shows the end of its log.
    pub async fn start(options: Options) -> Result<Self> {
        let (sender, started) = oneshot::channel();
        // On a thread of its own: it builds and waits, and must not depend on the caller's runtime.
        thread::spawn(move || {
            // Where the caller gave up, the cluster ends with the answer that nobody takes.
            drop(sender.send(Self::start_blocking(&options)));
        });
        started.await.context("cannot start a cluster: the thread that starts it panicked")?
    }

    /// The same for callers without an async runtime.
    pub fn start_blocking(options: &Options) -> Result<Self> {
        let binaries = Binaries::find_or_build()?;
        let folder = match &options.folder {
            Some(path) => Folder::at(path)?,
            None => Folder::temporary()?,
        };
        let cluster = Self::launch(&binaries, folder, options)?;
        let runtime = runtime::Builder::new_current_thread().enable_all().build().context("cannot make a runtime")?;
        runtime.block_on(cluster.bring_up(options.nodes))?;
        Ok(cluster)
    }

    /// Starts all components at once: each tries again until what it needs is there.
    fn launch(binaries: &Binaries, folder: Folder, options: &Options) -> Result<Self> {
        let credentials = Credentials::write(&folder)?;
        let port = Port::take()?;
        audit::write_policy(&folder)?;
        kubelets::write(&folder, options)?;
        for (user, token) in credentials.users() {
            let access = Access { server: &server(&port), authority: &credentials.authority, user, token };
            access.write(&folder.kubeconfig(user), "default")?;
        }
        let plant = Plant { binaries, folder: &folder, port: port.number(), options };
        let etcd = Component::start(plant.etcd())?;
        let api_server_launch = plant.api_server();
        let api_server = Component::start(api_server_launch.clone())?;
        let callers = [plant.controller_manager(), plant.scheduler(), plant.kwok()];
        let callers = callers.into_iter().map(Component::start).collect::<Result<_>>()?;
        Ok(Self {
            callers: Mutex::new(callers),
            api_server: Mutex::new(Some(api_server)),
            etcd: Mutex::new(etcd),
            api_server_launch,
            authority: credentials.authority,
            port,
            folder,
        })
    }

    async fn bring_up(&self, nodes: usize) -> Result<()> {
        let client = self.admin_client().await?;
        let served = tokio::select! {
            ready = ready::api_server(&client) => ready,
            failed = self.keep_callers(LOOK) => Err(failed),
        };
        served.with_context(|| self.unstarted())?;
        self.unless_one_ends(Box::pin(ready::nodes(&client, nodes))).await
    }

    /// Starts callers again that gave up on the API server: the controllers do after 10 s, and on a busy machine it takes
    /// longer. Returns when one cannot be started, or when the server or its store ends.
    async fn keep_callers(&self, look: Duration) -> Error {
        let mut ticks = interval(look);
        loop {
            ticks.tick().await;
            let again = || lock(&self.callers).iter_mut().find_map(|c| c.ended().and_then(|_| c.start_again().err()));
            if let Some(error) = self.server_ended().or_else(again) {
                return error;
            }
        }
    }

    fn unstarted(&self) -> String {
        format!("cannot start the cluster in {}", self.folder.path().display())
    }

    /// Waits for a step of the start, but no longer than all components run.
    async fn unless_one_ends(&self, step: impl Future<Output = Result<()>>) -> Result<()> {
        let failure = tokio::select! {
            done = step => done.err(),
            ended = self.one_ends(LOOK) => Some(ended),
        };
        failure.map_or(Ok(()), |error| Err(error.context(self.unstarted())))
    }

    /// Returns when a component ends that nobody asked to, with which and why. Looks that often.
    pub(crate) async fn one_ends(&self, look: Duration) -> Error {
        let mut ticks = interval(look);
        loop {
            ticks.tick().await;
            if let Some(error) = self.ended() {
                return error;
            }
        }
    }

    /// Which component has ended, if one has.
    fn ended(&self) -> Option<Error> {
        self.server_ended().or_else(|| lock(&self.callers).iter_mut().find_map(end_of))
    }

    /// The same of the API server and its store.
    fn server_ended(&self) -> Option<Error> {
        let mut etcd = lock(&self.etcd);
        let mut api_server = lock(&self.api_server);
        iter::once(&mut *etcd).chain(&mut *api_server).find_map(end_of)
    }

    /// A kubeconfig of the administrator.
    pub fn kubeconfig_path(&self) -> PathBuf {
        self.folder.kubeconfig(ADMIN)
    }

    /// A client of the administrator, for the runtime that this is called in.
    ///
    /// It answers errors at once (no retries) and waits as long as the API server takes.
    pub async fn admin_client(&self) -> Result<Client> {
        kubeconfig::client(&self.kubeconfig_path()).await
    }

    /// A kubeconfig of a ServiceAccount that exists, with a token for 12 hours. Its default namespace is its own.
    pub async fn service_account_kubeconfig(&self, namespace: &str, name: &str) -> Result<PathBuf> {
        let token = self.token(namespace, name).await?;
        let user = &format!("system:serviceaccount:{namespace}:{name}");
        let path = self.folder.kubeconfig(user);
        let access = Access { server: &server(&self.port), authority: &self.authority, user, token: &token };
        access.write(&path, namespace)?;
        Ok(path)
    }

    /// A client of a ServiceAccount that exists, for the runtime that this is called in.
    pub async fn service_account_client(&self, namespace: &str, name: &str) -> Result<Client> {
        kubeconfig::client(&self.service_account_kubeconfig(namespace, name).await?).await
    }

    /// What was asked of the API server, by whom.
    pub fn audit(&self) -> Audit {
        Audit::new(self.folder.audit_log(), self.kubeconfig_path())
    }

    /// Where the data and the logs are. It goes when the cluster ends.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Ends all of it for good, for those who cannot drop it. Nothing answers afterwards.
    pub fn end(&self) {
        lock(&self.callers).clear();
        self.stop_api_server();
        lock(&self.etcd).kill();
    }

    /// Ends the controllers for good: from then on Deployments get no pods, and namespaces that are deleted stay.
    pub fn stop_controllers(&self) {
        lock(&self.callers).retain(|caller| caller.name() != NAMES[2]);
    }

    /// Ends the API server, as a crash does: connections are refused until [`Self::start_api_server`].
    pub fn stop_api_server(&self) {
        *lock(&self.api_server) = None;
    }

    /// Starts the API server again, at the same address, and returns when it is ready. Does nothing while it runs.
    pub async fn start_api_server(&self) -> Result<()> {
        {
            let mut api_server = lock(&self.api_server);
            if api_server.is_none() {
                *api_server = Some(Component::start(self.api_server_launch.clone())?);
            }
        }
        let client = self.admin_client().await?;
        self.unless_one_ends(ready::api_server(&client)).await
    }

    /// Stops the API server where it stands: it takes connections and does not answer, until
    /// [`Self::resume_api_server`].
    pub fn pause_api_server(&self) -> Result<()> {
        self.running_api_server(Component::pause)
    }

    /// Lets a paused API server go on.
    pub fn resume_api_server(&self) -> Result<()> {
        self.running_api_server(Component::resume)
    }

    fn running_api_server(&self, act: impl FnOnce(&Component) -> Result<()>) -> Result<()> {
        lock(&self.api_server).as_ref().context("cannot find a running API server: it was stopped").and_then(act)
    }

    async fn token(&self, namespace: &str, name: &str) -> Result<String> {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.admin_client().await?, namespace);
        let spec = TokenRequestSpec { expiration_seconds: Some(TOKEN_SECONDS), ..TokenRequestSpec::default() };
        let request = TokenRequest { spec: Some(spec), ..TokenRequest::default() };
        let answer = accounts.create_token_request(name, &PostParams::default(), &request).await;
        let status = answer.with_context(|| format!("cannot get a token of {namespace}/{name}"))?.status;
        status.and_then(|status| status.token).with_context(|| format!("cannot get a token of {namespace}/{name}: no status"))
    }
}

fn end_of(component: &mut Component) -> Option<Error> {
    component.ended().map(|status| component.error(&format!("ended ({status})")))
}

fn server(port: &Port) -> String {
    format!("https://127.0.0.1:{}", port.number())
}

/// A test that panicked while it held a lock left nothing half done in it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
