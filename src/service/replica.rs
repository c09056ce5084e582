//! What a replica does while it leads: controller, what runs beside it, feedback and looks, all made anew for each term.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::OptionFuture;
use k8s_openapi::api::rbac::v1::Subject;
use kube::runtime::reflector::Store;
use kube::{Client, Config};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::beside::{AboutForge, Beside};
use super::{StartError, all, existing};
use crate::api::PreviewEnvironment;
use crate::clock::Clock;
use crate::commands::heard::Heard;
use crate::config::{ControllerConfig, GithubConfig};
use crate::controller::baselines::Baselines;
use crate::controller::environments::{Change, Listener, View};
use crate::controller::{Controller, FeedbackState, Parts};
use crate::domain::{Instance, Seed};
use crate::feedback::{self, Marker};
use crate::forge::Forge;
use crate::forge::github::GitHub;
use crate::forge::spent::Spent;
use crate::lease::{self, Fence, Role};
use crate::metrics::Metrics;
use crate::registry::{Registry, RegistryConfig};
use crate::resync::brake::Ledger;
use crate::resync::soon::Soon;
use crate::resync::{self, Resync};
use crate::server::{Gate, Readiness};
use crate::traces::Traces;

/// How long writes to the API server may take that are under way when a replica stops.
const LAST_WRITES: Duration = Duration::from_secs(5);
/// How long a replica that cannot begin its term, such as for a file that cannot be read just now, waits to try again.
const AGAIN: Duration = Duration::from_secs(5);
/// How often in a row it tries. What it cannot read, another replica on another node may.
const TRIES: u32 = 3;

/// What is done by the replica that leads, and how.
#[derive(Clone, Debug)]
pub struct Work {
    /// How often the forge is asked for what no delivery told.
    pub look_every: Duration,
    /// Where environments are asked for an answer, whatever the hosts' names resolve to.
    pub probe_address: Option<SocketAddr>,
    /// The controller.
    pub controller: ControllerConfig,
    /// The registries.
    pub registry: RegistryConfig,
    /// What generated values of Secrets follow from, where one is given.
    pub seed: Option<Seed>,
    /// GitHub; without an App or a token no pull request is read and no comment is written.
    pub github: Option<GithubConfig>,
    /// What the service is called among those that write under the same account, where somebody said so.
    pub instance: Option<Instance>,
}

/// One of the replicas.
pub(super) struct Replica {
    pub(super) config: Config,
    pub(super) clock: Clock,
    /// Who the service is.
    pub(super) identity: Subject,
    /// What tells it from others that write under the same account.
    pub(super) instance: Option<Instance>,
    pub(super) work: Work,
    /// Whether deliveries are taken: else what only they could tell is not offered.
    pub(super) hears: bool,
    pub(super) view: View,
    pub(super) metrics: Metrics,
    /// What was written to the forge within the last hour.
    pub(super) spent: Spent,
    pub(super) traces: Traces,
    pub(super) readiness: Readiness,
}

/// Who leads reads the namespaces of the Baselines, until this is dropped.
struct Reading<'a>(&'a Baselines);

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.0.rest();
    }
}

impl Replica {
    /// Whether it could lead, as far as that can be told without asking anybody.
    pub(super) fn check(&self) -> Result<(), StartError> {
        if let Some(config) = &self.work.github {
            GitHub::new(config.clone())?;
        } else {
            tracing::warn!(
                "neither a GitHub App nor a token: pull requests are not read, and no comment is written; set --github-app-id and \
                 --github-app-key-file, or --github-token-file"
            );
        }
        Ok(())
    }

    /// Leads whenever it is elected, until it is to stop and has come to its end.
    pub(super) async fn take_turns(&self, mut roles: watch::Receiver<Role>, stopping: &CancellationToken) {
        while let Some(fence) = self.next_term(&mut roles, stopping).await {
            self.metrics.leads(true);
            tokio::select! {
                biased;
                () = self.lead(&fence, stopping) => {}
                () = fence.over() => tracing::warn!("leads no more: the Lease was not renewed in time, and another replica takes over"),
            }
            // Whatever outlives the term can write nothing.
            fence.shut();
            self.metrics.leads(false);
        }
    }

    /// Nothing once it is to stop.
    async fn next_term(&self, roles: &mut watch::Receiver<Role>, stopping: &CancellationToken) -> Option<Fence> {
        loop {
            match &*roles.borrow_and_update() {
                _ if stopping.is_cancelled() => return None,
                Role::Leads(fence) if fence.is_open() => return Some(fence.clone()),
                Role::Follows => self.readiness.open(Gate::Controller),
                Role::Leads(_) | Role::Unknown => {}
            }
            tokio::select! {
                changed = roles.changed() => changed.ok()?,
                () = stopping.cancelled() => return None,
            }
        }
    }

    /// Leads until it is to stop, or until it resigns since it cannot begin. Dropped, it stops where it stands.
    async fn lead(&self, fence: &Fence, stopping: &CancellationToken) {
        begin(fence, stopping, || Box::pin(self.lead_once(fence, stopping))).await;
    }

    async fn lead_once(&self, fence: &Fence, stopping: &CancellationToken) -> Result<(), StartError> {
        let client = lease::client(&self.config, fence)?;
        let forge = self.forge(fence)?;
        // What the one before wrote last may not have come here yet.
        self.view.as_of(fence.since().steady()).await;
        let View { environments: store, baselines, .. } = &self.view;
        let (driver, notifier) = self.feedback(&client, forge.clone());
        let heard = Arc::new(Heard::new(fence.led_before()));
        let around = (baselines.clone(), heard.clone(), self.metrics.clone());
        let (look_soon, confirmed) = (Arc::<Soon>::default(), Arc::<Notify>::default());
        let (told, probes) = (notifier.clone(), self.work.probe_address);
        let is_told = Arc::new(move |environment: &PreviewEnvironment| told.nothing_left_to_say(environment));
        let controller = self.controller(&client, forge.clone(), notifier.clone());
        let brake = controller.brake();
        let of_forge = AboutForge { forge: forge.as_ref(), look_soon: &look_soon, brake: brake.clone(), confirmed: &confirmed };
        let beside = Beside::new(((&client, &self.clock), of_forge), &around, (is_told, probes))?.listening();
        let _told = self.view.tell(vec![controller.listener(), tell(notifier), beside.listener()]);
        let _read = Reading(baselines);
        baselines.read_with(client.clone());

        let readiness = &self.readiness;
        let look = OptionFuture::from(forge.map(|forge| self.look((forge, heard), (&client, fence), (brake, look_soon, confirmed))));
        let work = async {
            futures::join!(controller.run(|| readiness.open(Gate::Controller)), beside.run(baselines.clone(), store.clone()), look)
        };
        let end = async {
            let driver = driver.map(|driver| driver.traced(self.traces.clone()).following(fence.led_before()));
            show(driver, baselines, stopping).await;
            fence.finish(LAST_WRITES).await;
        };
        tokio::select! {
            _ = work => {}
            () = end => {}
        }
        Ok(())
    }

    fn forge(&self, fence: &Fence) -> Result<Option<Arc<dyn Forge>>, StartError> {
        let Some(config) = &self.work.github else { return Ok(None) };
        let mut github = GitHub::behind(config.clone(), fence, self.spent.clone())?.with_metrics(self.metrics.clone());
        if let Some(instance) = &self.instance {
            github = github.signing(instance.clone());
        }
        Ok(Some(Arc::new(if self.hears { github } else { github.without_deliveries() })))
    }

    fn controller(&self, client: &Client, forge: Option<Arc<dyn Forge>>, notifier: feedback::Notifier) -> Controller {
        Controller::new(Parts {
            client: client.clone(),
            clock: self.clock.clone(),
            config: self.work.controller,
            seed: self.work.seed.clone(),
            identity: self.identity.clone(),
            view: self.view.clone(),
            registry: Registry::new(self.work.registry.clone()).with_metrics(self.metrics.clone()),
            forge,
            feedback: Arc::new(notifier),
            metrics: self.metrics.clone(),
            traces: self.traces.clone(),
        })
    }

    fn feedback(&self, client: &Client, forge: Option<Arc<dyn Forge>>) -> (Option<feedback::Driver>, feedback::Notifier) {
        let Some(forge) = forge else { return (None, feedback::Notifier::off()) };
        let (baselines, store): (_, Store<PreviewEnvironment>) = (self.view.baselines.clone(), self.view.environments.clone());
        let marker = self.instance.as_ref().map(Marker::of).unwrap_or_default();
        let sources = feedback::Sources::new(Arc::new(move |namespace, name| baselines.get(namespace, name)), true).signed(marker);
        let (driver, notifier) = feedback::Driver::new((client.clone(), self.clock.clone()), forge, store, sources);
        (Some(driver), notifier)
    }

    /// Looks for what no delivery told.
    async fn look(
        &self,
        (forge, heard): (Arc<dyn Forge>, Arc<Heard>),
        (client, fence): (&Client, &Fence),
        (brake, soon, confirmed): (Arc<Ledger>, Arc<Soon>, Arc<Notify>),
    ) {
        let context = resync::Context {
            forge,
            baselines: all(self.view.baselines.clone()),
            environments: existing(self.view.environments.clone()),
            recorder: Arc::new(client.clone()),
            heard,
            activities: Arc::new(client.clone()),
            brake,
            soon,
            confirmed,
            metrics: self.metrics.clone(),
            clock: self.clock.clone(),
        };
        let now = || self.clock.now();
        Resync::new(context, now()).away_since(fence.led_before()).run(self.work.look_every, now).await;
    }
}

/// Tries to lead until that has come to its end or the replica is to stop. One that cannot begin, such as for a file that its
/// node does not have, would keep the Lease from all others otherwise.
async fn begin<F>(fence: &Fence, stopping: &CancellationToken, mut lead: impl FnMut() -> F)
where
    F: Future<Output = Result<(), StartError>>,
{
    for attempt in 1..=TRIES {
        match lead().await {
            Ok(()) => return,
            Err(error) if attempt < TRIES => tracing::error!(%error, attempt, "cannot lead yet, and tries again"),
            Err(error) => tracing::error!(%error, attempt, "cannot lead, and gives the Lease back so that another replica does"),
        }
        if attempt < TRIES {
            tokio::select! {
                () = tokio::time::sleep(AGAIN) => {}
                () = stopping.cancelled() => return,
            }
        }
    }
    fence.resign(LAST_WRITES).await;
}

/// Tells the forge until the service is to stop, and what is on its way then comes to its end.
async fn show(driver: Option<feedback::Driver>, baselines: &Baselines, stopping: &CancellationToken) {
    match driver {
        None => stopping.cancelled().await,
        Some(driver) => {
            // What is shown depends on what they say.
            baselines.wait_until_listed().await;
            driver.run(stopping.cancelled()).await;
        }
    }
}

impl FeedbackState for feedback::Notifier {
    fn is_told(&self, environment: &PreviewEnvironment) -> bool {
        self.nothing_left_to_say(environment)
    }
}

/// Tells feedback of every change.
fn tell(notifier: feedback::Notifier) -> Listener {
    Box::new(move |change| match change {
        Change::Applied(object) | Change::Deleted(object) => notifier.changed(object),
        Change::Baselines(namespace) => notifier.baselines_changed(namespace),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lease::Moment;
    use std::cell::Cell;

    fn failed() -> StartError {
        StartError::Client(kube::Error::LinesCodecMaxLineLengthExceeded)
    }

    /// How often it tries to lead where the attempts from that one on succeed, and whether it resigns.
    async fn tries(succeeds_at: u32, stopping: &CancellationToken) -> (u32, bool) {
        let (fence, tried) = (Fence::new(Moment::now(), Duration::from_secs(3600)), Cell::new(0));
        begin(&fence, stopping, || {
            tried.set(tried.get() + 1);
            std::future::ready(if tried.get() < succeeds_at { Err(failed()) } else { Ok(()) })
        })
        .await;
        (tried.get(), fence.has_resigned())
    }

    #[tokio::test(start_paused = true)]
    async fn a_replica_that_cannot_begin_three_times_in_a_row_lets_another_one_lead() {
        let stopping = CancellationToken::new();
        assert_eq!(tries(1, &stopping).await, (1, false));
        assert_eq!(tries(3, &stopping).await, (3, false), "what was away for ten seconds");
        assert_eq!(tries(4, &stopping).await, (3, true));
        stopping.cancel();
        assert_eq!(tries(4, &stopping).await, (1, false), "it gives the Lease back at its end anyway");
    }
}
