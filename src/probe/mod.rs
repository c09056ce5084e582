//! Asks environments for an answer where people open them: through the route, by the host's name. Only what answered is
//! shown as an address that works.
//!
//! Runs beside the controller with a queue of its own, so that a slow environment holds up no other.

pub(crate) mod ask;
mod asked;
pub(crate) mod due;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::channel::mpsc::UnboundedReceiver;
use futures::{FutureExt, StreamExt};
use kube::Client;
use kube::runtime::applier;
use kube::runtime::controller::{Action, Config};
use kube::runtime::reflector::{ObjectRef, Store};
use serde_json::json;

use self::ask::{Asker, NoAnswer};
use self::asked::Asked;
use self::due::{Due, due, pause};
use crate::api::PreviewEnvironment;
use crate::api::conditions::{Condition, Observation, REACHABLE};
use crate::api::names::MANAGER_PROBE;
use crate::api::status::ProbeStatus;
use crate::clock::Clock;
use crate::controller::baselines::Baselines;
use crate::controller::requests::{RequestError, apply_status_as};

pub use ask::ProbeError;

/// Environments that are asked at once.
const CONCURRENCY: u16 = 8;
/// How long after a failed write it is tried again.
const WRITE_PAUSE: Duration = Duration::from_secs(5);

/// What probing works with.
pub struct Context {
    client: Client,
    clock: Clock,
    baselines: Arc<Baselines>,
    asker: Asker,
    asked: Asked,
}

impl Context {
    /// `through` is where all requests go, such as the ingress controller's address, whatever the hosts' names resolve to.
    pub fn new((client, clock): (Client, Clock), baselines: Arc<Baselines>, through: Option<SocketAddr>) -> Result<Self, ProbeError> {
        Ok(Self { client, clock, baselines, asker: Asker::new(through)?, asked: Asked::default() })
    }

    /// Forgets an environment that is gone.
    pub fn forget(&self, uid: &str) {
        self.asked.forget(uid);
    }
}

/// Runs until it is dropped. `changed` names the environments that changed.
pub async fn run(context: Arc<Context>, store: Store<PreviewEnvironment>, changed: UnboundedReceiver<ObjectRef<PreviewEnvironment>>) {
    let retry = |object: Arc<PreviewEnvironment>, error: &RequestError, _: Arc<Context>| {
        tracing::warn!(env = object.metadata.name, %error, "what an environment answered is not recorded yet");
        Action::requeue(WRITE_PAUSE)
    };
    let probe = |object, context| probe(object, context).boxed();
    let config = Config::default().concurrency(CONCURRENCY);
    applier(probe, retry, context, store, changed.map(Ok::<_, Infallible>), config).for_each(|_| async {}).await;
}

async fn probe(object: Arc<PreviewEnvironment>, context: Arc<Context>) -> Result<Action, RequestError> {
    let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
    let Some(baseline) = context.baselines.get(namespace, &object.spec.baseline) else { return Ok(Action::await_change()) };
    let rule = baseline.hosts.as_ref().map(|hosts| hosts.probe.clone()).unwrap_or_default();
    let Some(due) = due(&object, &rule) else { return Ok(Action::await_change()) };
    let uid = object.metadata.uid.as_deref().unwrap_or_default();
    if let Some(rest) = context.asked.rest(uid, &due.question(), pause(context.clock.now() - due.since), Instant::now()) {
        return Ok(Action::requeue(rest));
    }
    let answer = context.asker.ask(&due.address).await;
    let now = context.clock.now();
    let status = due.status(&answer, now);
    if object.status.as_ref().and_then(|s| s.probe.as_ref()) != Some(&status) {
        let before: &[Condition] = object.status.as_ref().map_or(&[], |s| &s.conditions);
        let condition = observation(&due, &answer, &status).dated(before, object.metadata.generation, now);
        apply_status_as(&context.client, &object, MANAGER_PROBE, &json!({"probe": status, "conditions": [condition]})).await?;
        tracing::info!(env = object.metadata.name, url = due.address, answered = status.answered, status = status.status, "probed");
    }
    if status.answered {
        return Ok(Action::await_change());
    }
    Ok(Action::requeue(pause(now - due.since)))
}

/// The condition that goes with it: not known where the address could not be asked at all.
fn observation(due: &Due, answer: &Result<u16, NoAnswer>, status: &ProbeStatus) -> Observation {
    let why = status.why.clone().unwrap_or_default();
    match answer {
        Ok(code) if status.answered => Observation::new(REACHABLE, true, "Answered", format!("{} answered {code}", due.address)),
        Ok(_) => Observation::new(REACHABLE, false, "WrongAnswer", why),
        Err(NoAnswer::Unasked(_)) => Observation::new(REACHABLE, crate::api::conditions::ConditionStatus::Unknown, "NotChecked", why),
        Err(NoAnswer::Failed(_)) => Observation::new(REACHABLE, false, "NoAnswer", why),
    }
}
