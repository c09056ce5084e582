//! What people ask for in comments and by buttons: read, ordered, allowed, carried out and answered.
//!
//! A command is held in spec before its delivery is acknowledged. It is carried out here, beside the controller and with a
//! queue of its own, so that a slow forge holds up no environment:
//!
//! ```text
//! next in order > may they? (forge) > was another one before it? (forge) > what it comes to (pure) > write it > say what came
//! of it > take it out of spec
//! ```
//!
//! Every step can be done twice, so a crash between any two of them changes nothing in the end.

#[cfg(test)]
mod any_order_tests;
pub mod asked;
mod carry;
pub mod cluster;
pub mod effect;
pub mod heard;
pub mod images;
pub mod logs;
pub mod mask;
pub mod memory;
mod missed;
pub mod order;
pub mod parse;
pub mod pass;
pub mod signs;
mod there;
pub mod who;

use std::convert::Infallible;
use std::sync::Arc;

use futures::channel::mpsc::UnboundedReceiver;
use futures::{FutureExt, StreamExt};
use kube::Client;
use kube::runtime::applier;
use kube::runtime::controller::{Action, Config};
use kube::runtime::reflector::{ObjectRef, Store};

use self::asked::Asked;
use self::cluster::Cluster;
use self::heard::Heard;
use self::memory::Memory;
use self::signs::Signs;
use crate::api::PreviewEnvironment;
use crate::clock::Clock;
use crate::controller::baselines::Baselines;
use crate::controller::requests::RequestError;
use crate::controller::retries::Retries;
use crate::domain::Baseline;
use crate::forge::Forge;
use crate::metrics::Metrics;
use crate::record::{RecordError, Recorder};

/// How many environments' commands are carried out at once.
const CONCURRENCY: u16 = 4;

/// Finds a Baseline by its namespace and name.
pub type BaselineOf = Arc<dyn Fn(&str, &str) -> Option<Arc<Baseline>> + Send + Sync>;

/// Whether the pull request says all that is recorded of an environment, or never will.
pub type IsTold = Arc<dyn Fn(&PreviewEnvironment) -> bool + Send + Sync>;

/// What commands are carried out with.
pub struct Context {
    /// Writes what they come to.
    pub cluster: Arc<dyn Cluster>,
    /// The API server's time.
    pub clock: Clock,
    /// Writes facts.
    pub recorder: Arc<dyn Recorder>,
    /// Who is asked who may, if anybody.
    pub forge: Option<Arc<dyn Forge>>,
    /// The Baseline of that namespace and name, if it can be used.
    pub baselines: BaselineOf,
    /// Whether an answer stands on the pull request.
    pub is_told: IsTold,
    /// Pauses after failures.
    pub retries: Retries,
    /// What the watch has not brought back yet.
    pub memory: Memory,
    /// What has ended, whatever became of the object that held it.
    pub heard: Arc<Heard>,
    /// Signs for whoever may not command.
    pub signs: Signs,
    /// What the forge said lately of who may.
    pub asked: Asked,
    /// Where commands are counted.
    pub metrics: Metrics,
}

/// Why a pass over the commands of an environment did not come to its end. It is tried again.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// A fact could not be recorded.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The API server did not take something.
    #[error(transparent)]
    Request(#[from] RequestError),
}

impl Context {
    /// Nothing was carried out yet.
    pub fn new(
        (client, clock): (Client, Clock),
        (forge, is_told): (Option<Arc<dyn Forge>>, IsTold),
        (baselines, heard, metrics): (Arc<Baselines>, Arc<Heard>, Metrics),
    ) -> Self {
        Self {
            cluster: Arc::new(client.clone()),
            clock,
            recorder: Arc::new(client),
            forge,
            baselines: Arc::new(move |namespace, name| baselines.get(namespace, name)),
            is_told,
            retries: Retries::default(),
            memory: Memory::default(),
            heard,
            signs: Signs::default(),
            asked: Asked::default(),
            metrics,
        }
    }

    /// Forgets an environment that is gone.
    pub fn forget(&self, uid: &str) {
        self.memory.forget(uid);
        self.retries.forget(uid);
    }
}

/// Runs until it is dropped. `changed` names the environments that changed; the Baselines are listed already.
pub async fn run(context: Arc<Context>, store: Store<PreviewEnvironment>, changed: UnboundedReceiver<ObjectRef<PreviewEnvironment>>) {
    let pass = |object: Arc<PreviewEnvironment>, context: Arc<Context>| {
        async move { pass::pass(&object, &context, context.clock.now()).await }.boxed()
    };
    let retry = |object: Arc<PreviewEnvironment>, error: &CommandError, context: Arc<Context>| {
        tracing::warn!(env = object.metadata.name, %error, "a command could not be carried out yet and is tried again");
        Action::requeue(context.retries.next(object.metadata.uid.as_deref().unwrap_or_default()))
    };
    let config = Config::default().concurrency(CONCURRENCY);
    applier(pass, retry, context, store, changed.map(Ok::<_, Infallible>), config).for_each(|_| async {}).await;
}
