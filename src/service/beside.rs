//! What runs beside the controller, each with a queue of its own: look-ups, commands and probes.

use std::net::SocketAddr;
use std::sync::Arc;

use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Client, ResourceExt};

use crate::api::PreviewEnvironment;
use crate::clock::Clock;
use crate::controller::baselines::Baselines;
use crate::controller::environments::{Change, Environments};
use crate::forge::Forge;
use crate::metrics::Metrics;
use crate::probe::ProbeError;
use crate::server::LookSoon;
use crate::{commands, lookup, probe};

type Sender = UnboundedSender<ObjectRef<PreviewEnvironment>>;
type Queue = UnboundedReceiver<ObjectRef<PreviewEnvironment>>;

/// What they work with.
pub(super) struct Beside {
    lookups: Arc<lookup::Context>,
    commands: Arc<commands::Context>,
    probes: Arc<probe::Context>,
}

/// The same, with a queue for each.
pub(super) struct Listening {
    beside: Beside,
    lookups: Queue,
    commands: Queue,
    probes: Queue,
}

impl Beside {
    pub(super) fn new(
        ((client, clock), forge): ((&Client, &Clock), Option<&Arc<dyn Forge>>),
        (baselines, metrics): &(Arc<Baselines>, Metrics),
        through: Option<SocketAddr>,
    ) -> Result<Self, ProbeError> {
        let (client, forge, baselines) = (|| client.clone(), || forge.cloned(), || Arc::clone(baselines));
        let timed = || (client(), clock.clone());
        Ok(Self {
            lookups: Arc::new(lookup::Context::new(timed(), forge(), baselines())),
            commands: Arc::new(commands::Context::new(client(), forge(), baselines(), metrics.clone())),
            probes: Arc::new(probe::Context::new(timed(), baselines(), through)?),
        })
    }

    /// Has each told of every change.
    pub(super) fn listening(self, environments: &mut Environments) -> Listening {
        let ((to_lookups, lookups), (to_commands, commands), (to_probes, probes)) = (unbounded(), unbounded(), unbounded());
        let (looks, commanded, asked) = (Arc::clone(&self.lookups), Arc::clone(&self.commands), Arc::clone(&self.probes));
        environments.listen(Box::new(move |change| match change {
            Change::Applied(object) => {
                tell(&to_lookups, object);
                tell(&to_probes, object);
                // An environment without commands has nothing to be carried out.
                if !object.spec.commands.is_empty() {
                    tell(&to_commands, object);
                }
            }
            Change::Deleted(object) => {
                let uid = object.uid().unwrap_or_default();
                looks.forget(&uid);
                commanded.forget(&uid);
                asked.forget(&uid);
            }
        }));
        Listening { beside: self, lookups, commands, probes }
    }
}

impl Listening {
    /// Has repositories looked at soon that may be out of our sight.
    pub(super) fn hint(&self) -> LookSoon {
        let lookups = Arc::clone(&self.beside.lookups);
        Arc::new(move |repositories| lookups.look_soon(repositories))
    }

    /// Runs until it is dropped.
    pub(super) async fn run(self, baselines: Arc<Baselines>, store: Store<PreviewEnvironment>) {
        let Beside { lookups, commands, probes } = self.beside;
        // What may be asked and done follows from the Baselines, and a "no" stands for minutes.
        baselines.wait_until_listed().await;
        let looked_up = lookup::run(lookups, store.clone(), self.lookups);
        let carried_out = commands::run(commands, store.clone(), self.commands);
        futures::join!(looked_up, carried_out, probe::run(probes, store.clone(), self.probes));
    }
}

fn tell(queue: &Sender, object: &PreviewEnvironment) {
    // The receiver is gone only when the program ends.
    let _ = queue.unbounded_send(ObjectRef::new(&object.name_any()).within(&object.namespace().unwrap_or_default()));
}
