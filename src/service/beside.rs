//! What runs beside the controller, each with a queue of its own: look-ups, commands and probes.

use std::net::SocketAddr;
use std::sync::Arc;

use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Client, ResourceExt};
use tokio::sync::Notify;

use crate::api::PreviewEnvironment;
use crate::clock::Clock;
use crate::commands::heard::Heard;
use crate::controller::baselines::Baselines;
use crate::controller::environments::{Change, Listener};
use crate::forge::Forge;
use crate::metrics::Metrics;
use crate::probe::ProbeError;
use crate::resync::brake::Brake;
use crate::resync::soon::Soon;
use crate::{commands, lookup, probe};

type Queue = (UnboundedSender<ObjectRef<PreviewEnvironment>>, UnboundedReceiver<ObjectRef<PreviewEnvironment>>);

/// Who is asked, who is told that something seems to have ended, who says what may end, and what tells that a person did.
pub(super) struct AboutForge<'a> {
    pub(super) forge: Option<&'a Arc<dyn Forge>>,
    pub(super) look_soon: &'a Arc<Soon>,
    pub(super) brake: Arc<dyn Brake>,
    pub(super) confirmed: &'a Arc<Notify>,
}

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
        ((client, clock), AboutForge { forge, look_soon, brake, confirmed }): ((&Client, &Clock), AboutForge<'_>),
        (baselines, heard, metrics): &(Arc<Baselines>, Arc<Heard>, Metrics),
        (is_told, through): (commands::IsTold, Option<SocketAddr>),
    ) -> Result<Self, ProbeError> {
        let (client, forge, baselines) = (|| client.clone(), || forge.cloned(), || Arc::clone(baselines));
        let timed = || (client(), clock.clone());
        Ok(Self {
            lookups: Arc::new(lookup::Context::new(timed(), (forge(), Arc::clone(look_soon)), (baselines(), brake, Arc::clone(confirmed)))),
            commands: Arc::new(commands::Context::new(timed(), (forge(), is_told), (baselines(), heard.clone(), metrics.clone()))),
            probes: Arc::new(probe::Context::new(timed(), baselines(), through)?),
        })
    }

    pub(super) fn listening(self) -> Listening {
        Listening { beside: self, lookups: unbounded(), commands: unbounded(), probes: unbounded() }
    }
}

impl Listening {
    /// Tells each of every change.
    pub(super) fn listener(&self) -> Listener {
        let Beside { lookups, commands, probes } = &self.beside;
        let (looks, commanded, asked) = (Arc::clone(lookups), Arc::clone(commands), Arc::clone(probes));
        let (to_lookups, to_commands, to_probes) = (self.lookups.0.clone(), self.commands.0.clone(), self.probes.0.clone());
        Box::new(move |change| match change {
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
            Change::Baselines(_) => {}
        })
    }

    /// Runs until it is dropped.
    pub(super) async fn run(self, baselines: Arc<Baselines>, store: Store<PreviewEnvironment>) {
        let Beside { lookups, commands, probes } = self.beside;
        // What may be asked and done follows from the Baselines, and a "no" stands for minutes.
        baselines.wait_until_listed().await;
        let looked_up = lookup::run(lookups, store.clone(), self.lookups.1);
        let carried_out = commands::run(commands, store.clone(), self.commands.1);
        futures::join!(looked_up, carried_out, probe::run(probes, store, self.probes.1));
    }
}

fn tell(queue: &UnboundedSender<ObjectRef<PreviewEnvironment>>, object: &PreviewEnvironment) {
    // The receiver is gone only when the term ends.
    let _ = queue.unbounded_send(ObjectRef::new(&object.name_any()).within(&object.namespace().unwrap_or_default()));
}
