//! What the service counts, for Prometheus. Every label is one of a few words that stand in the code, but for the number
//! of an App's installation, of which there are few, and the name of a Baseline, of which [`BASELINES`] count at most.
//! docs/metrics.md tells what each is for.

mod baselines;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use self::baselines::Names;
pub use self::baselines::{BASELINES, Named, OTHERS};
use crate::forge::pace::Standing;

/// The content type of [`Metrics::text`] (`OpenMetrics` 1.0, "Overall Structure").
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct ByResult {
    result: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct ByOutcome {
    baseline: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct ByPhase {
    baseline: String,
    phase: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct ByBaseline {
    baseline: String,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct ByFact {
    baseline: String,
    result: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct ByReason {
    baseline: String,
    reason: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct ByRequest {
    operation: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct ByCommand {
    baseline: String,
    verb: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct ByAccount {
    account: String,
}

/// Results of deliveries that may be lost. They are shown from the start on, since Prometheus sees no increase from a count
/// that was not there to 1.
const LOST: [&str; 2] = ["not_held", "refused"];

/// A handle to all counts. Clones share them.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

type Times = Family<ByBaseline, Histogram, fn() -> Histogram>;

struct Inner {
    registry: Registry,
    names: Names,
    deliveries: Family<ByResult, Counter>,
    delivery_seconds: Histogram,
    facts: Family<ByFact, Counter>,
    applied_seconds: Times,
    ready_seconds: Times,
    deletions: Family<ByReason, Counter>,
    environments: Family<ByPhase, Gauge>,
    reconciles: Family<ByOutcome, Counter>,
    reconcile_seconds: Histogram,
    mended_objects: Family<ByBaseline, Counter>,
    forge_requests: Family<ByRequest, Counter>,
    forge_requests_left: Family<ByAccount, Gauge>,
    forge_writes_left: Family<ByAccount, Gauge>,
    forge_writers_waiting: Family<ByAccount, Gauge>,
    image_look_ups: Family<ByResult, Counter>,
    resyncs: Family<ByResult, Counter>,
    removals_held: Family<ByBaseline, Gauge>,
    orphans: Gauge,
    commands: Family<ByCommand, Counter>,
    leader: Gauge,
    takeovers: Counter,
}

impl Metrics {
    /// All counts at nought.
    pub fn new() -> Self {
        let mut inner = Inner {
            registry: Registry::with_prefix("preview"),
            names: Names::default(),
            deliveries: Family::default(),
            delivery_seconds: from_a_millisecond(),
            facts: Family::default(),
            applied_seconds: Family::new_with_constructor(from_half_a_second),
            ready_seconds: Family::new_with_constructor(from_half_a_second),
            deletions: Family::default(),
            environments: Family::default(),
            reconciles: Family::default(),
            reconcile_seconds: from_a_millisecond(),
            mended_objects: Family::default(),
            forge_requests: Family::default(),
            forge_requests_left: Family::default(),
            forge_writes_left: Family::default(),
            forge_writers_waiting: Family::default(),
            image_look_ups: Family::default(),
            resyncs: Family::default(),
            removals_held: Family::default(),
            orphans: Gauge::default(),
            commands: Family::default(),
            leader: Gauge::default(),
            takeovers: Counter::default(),
        };
        inner.register();
        for result in LOST {
            drop(inner.deliveries.get_or_create(&ByResult { result }));
        }
        Self(Arc::new(inner))
    }

    /// A delivery was answered so long after it arrived.
    pub fn delivery(&self, result: &'static str, took: Duration) {
        self.0.deliveries.get_or_create(&ByResult { result }).inc();
        self.0.delivery_seconds.observe(took.as_secs_f64());
    }

    /// A fact or a command of a delivery was recorded for a Baseline, or was not.
    pub fn fact(&self, baseline: Named<'_>, result: &'static str) {
        self.0.facts.get_or_create(&ByFact { baseline: self.0.names.label(baseline), result }).inc();
    }

    /// An environment went from one phase to another; none is where it was not there before, or is not there any more.
    pub fn environment_moved(&self, baseline: Named<'_>, from: Option<&'static str>, to: Option<&'static str>) {
        let baseline = self.0.names.label(baseline);
        let gauge = |phase| self.0.environments.get_or_create(&ByPhase { baseline: baseline.clone(), phase }).clone();
        if let Some(phase) = from {
            gauge(phase).dec();
        }
        if let Some(phase) = to {
            gauge(phase).inc();
        }
    }

    /// A commit runs that did not run before, so long after it was asked for.
    pub fn applied(&self, baseline: Named<'_>, after: Duration) {
        self.0.applied_seconds.get_or_create(&ByBaseline { baseline: self.0.names.label(baseline) }).observe(after.as_secs_f64());
    }

    /// A commit is ready for the first time, so long after it was asked for.
    pub fn ready(&self, baseline: Named<'_>, after: Duration) {
        self.0.ready_seconds.get_or_create(&ByBaseline { baseline: self.0.names.label(baseline) }).observe(after.as_secs_f64());
    }

    /// Nothing is left of an environment, for a reason of the condition `Wanted`.
    pub fn deletion(&self, baseline: Named<'_>, reason: &'static str) {
        self.0.deletions.get_or_create(&ByReason { baseline: self.0.names.label(baseline), reason }).inc();
    }

    /// A pass over an environment ended.
    pub fn reconcile(&self, baseline: Named<'_>, outcome: &'static str, took: Duration) {
        self.0.reconciles.get_or_create(&ByOutcome { baseline: self.0.names.label(baseline), outcome }).inc();
        self.0.reconcile_seconds.observe(took.as_secs_f64());
    }

    /// So many objects were brought back that somebody deleted or replaced.
    pub fn mended(&self, baseline: Named<'_>, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.0.mended_objects.get_or_create(&ByBaseline { baseline: self.0.names.label(baseline) }).inc_by(count);
    }

    /// A request to a forge ended.
    pub fn forge_request(&self, operation: &'static str, result: &'static str) {
        self.0.forge_requests.get_or_create(&ByRequest { operation, result }).inc();
    }

    /// How the limits of an account stand: `token`, `app`, or the number of an App's installation.
    pub fn forge_pace(&self, account: &str, standing: Standing) {
        let set = |family: &Family<ByAccount, Gauge>, count: u64| {
            family.get_or_create(&ByAccount { account: account.to_owned() }).set(i64::try_from(count).unwrap_or(i64::MAX));
        };
        set(&self.0.forge_writes_left, standing.writes);
        set(&self.0.forge_writers_waiting, standing.waiting);
        if let Some(requests) = standing.requests {
            set(&self.0.forge_requests_left, requests);
        }
    }

    /// A registry was asked for an image.
    pub fn image_look_up(&self, result: &'static str) {
        self.0.image_look_ups.get_or_create(&ByResult { result }).inc();
    }

    /// A repository was looked at for what no delivery told.
    pub fn resync(&self, result: &'static str) {
        self.0.resyncs.get_or_create(&ByResult { result }).inc();
    }

    /// So many removals of a Baseline wait until somebody confirms them.
    pub fn removals_held(&self, baseline: Named<'_>, count: usize) {
        let baseline = ByBaseline { baseline: self.0.names.label(baseline) };
        self.0.removals_held.get_or_create(&baseline).set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// So many namespaces have no environment any more, as of the last look.
    pub fn orphans(&self, count: usize) {
        self.0.orphans.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// A command came to its end, in an environment of that Baseline.
    pub fn command(&self, baseline: Named<'_>, verb: &'static str, result: &'static str) {
        let baseline = self.0.names.label(baseline);
        self.0.commands.get_or_create(&ByCommand { baseline, verb, result }).inc();
    }

    /// This replica begins to lead, or does not lead any more. Who leads asks the forge, so what an account had left is not
    /// known here from then on, and is not shown.
    pub fn leads(&self, leads: bool) {
        self.0.leader.set(i64::from(leads));
        if leads {
            self.0.takeovers.inc();
        } else {
            [&self.0.forge_requests_left, &self.0.forge_writes_left, &self.0.forge_writers_waiting].into_iter().for_each(Family::clear);
            self.0.removals_held.clear();
            self.0.orphans.set(0);
        }
    }

    /// Everything as text for Prometheus, of the type [`CONTENT_TYPE`].
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.0.registry)?;
        Ok(text)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Inner {
    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register("deliveries", "Webhook deliveries, by what they were answered", self.deliveries.clone());
        let help = "Time from the arrival of a webhook delivery to its answer";
        registry.register_with_unit("delivery", help, Unit::Seconds, self.delivery_seconds.clone());
        self.register_environments();
        self.register_forge();
        let registry = &mut self.registry;
        registry.register("reconcile", "Reconciliations, by Baseline and by how they ended", self.reconciles.clone());
        registry.register_with_unit("reconcile", "Time that a reconciliation took", Unit::Seconds, self.reconcile_seconds.clone());
        registry.register("image_look_ups", "Images that registries were asked for, by what they answered", self.image_look_ups.clone());
        registry.register("resyncs", "Looks at a repository for what no delivery told, by how they ended", self.resyncs.clone());
        let help = "Removals that nobody told of and that wait until somebody confirms them, by Baseline";
        registry.register("removals_held", help, self.removals_held.clone());
        registry.register("orphans", "Namespaces that have no environment any more", self.orphans.clone());
        registry.register("commands", "What people asked for, by Baseline, by what it was and how it ended", self.commands.clone());
        registry.register("leader", "Whether this replica leads: 1, or 0", self.leader.clone());
        registry.register("takeovers", "How often this replica began to lead", self.takeovers.clone());
    }

    fn register_environments(&mut self) {
        let registry = &mut self.registry;
        let help = "Facts and commands that deliveries brought, by Baseline and by what became of them";
        registry.register("facts", help, self.facts.clone());
        registry.register("environments", "Environments there are, by Baseline and phase", self.environments.clone());
        let help = "Time from when a commit was asked for until all of it was applied, by Baseline";
        registry.register_with_unit("applied", help, Unit::Seconds, self.applied_seconds.clone());
        let help = "Time from when a commit was asked for until it was ready for the first time, by Baseline";
        registry.register_with_unit("ready", help, Unit::Seconds, self.ready_seconds.clone());
        let help = "Objects that were brought back after somebody deleted or replaced them, by Baseline";
        registry.register("mended_objects", help, self.mended_objects.clone());
        registry.register("deletions", "Environments of which nothing is left, by Baseline and by why", self.deletions.clone());
    }

    fn register_forge(&mut self) {
        let registry = &mut self.registry;
        registry.register("forge_requests", "Requests to a forge, by what they were for and how they ended", self.forge_requests.clone());
        let help = "Requests that a forge still takes until it counts anew, by account, as it said itself";
        registry.register("forge_requests_left", help, self.forge_requests_left.clone());
        registry.register("forge_writes_left", "Writes that are left in this hour, by account", self.forge_writes_left.clone());
        let help = "Pull requests and others that wait for a write to a forge, by account";
        registry.register("forge_writers_waiting", help, self.forge_writers_waiting.clone());
    }
}

/// Buckets from one millisecond to 16 s: a forge gives up after 10 s.
fn from_a_millisecond() -> Histogram {
    Histogram::new(exponential_buckets(0.001, 2.0, 15))
}

/// Buckets from half a second to an hour and more: a push that needs no build is ready in seconds, one that waits for its
/// image or for a place may take long.
fn from_half_a_second() -> Histogram {
    Histogram::new(exponential_buckets(0.5, 2.0, 14))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOP: Named<'_> = ("shop", "main");

    #[test]
    fn everything_shows_under_its_name() {
        let metrics = Metrics::new();
        metrics.clone().delivery("accepted", Duration::from_millis(9));
        for _ in 0..3 {
            metrics.environment_moved(SHOP, None, Some("Ready"));
        }
        metrics.reconcile(SHOP, "applied", Duration::from_millis(140));
        metrics.forge_request("create_comment", "ok");
        metrics.image_look_up("found");
        metrics.resync("ok");
        metrics.removals_held(SHOP, 12);
        metrics.command(SHOP, "extend", "done");
        metrics.fact(SHOP, "held");
        metrics.applied(SHOP, Duration::from_millis(700));
        metrics.ready(SHOP, Duration::from_secs(9));
        metrics.deletion(SHOP, "Closed");
        metrics.mended(SHOP, 2);
        metrics.leads(true);
        metrics.forge_pace("token", Standing { requests: Some(4_321), writes: 496, waiting: 2 });
        metrics.forge_pace("token", Standing { requests: None, writes: 495, waiting: 2 });
        let text = metrics.text().unwrap();
        for line in [
            r#"preview_deliveries_total{result="accepted"} 1"#,
            r#"preview_delivery_seconds_bucket{le="0.016"} 1"#,
            "preview_delivery_seconds_count 1",
            r#"preview_environments{baseline="shop/main",phase="Ready"} 3"#,
            r#"preview_reconcile_total{baseline="shop/main",outcome="applied"} 1"#,
            "preview_reconcile_seconds_count 1",
            r#"preview_image_look_ups_total{result="found"} 1"#,
            r#"preview_resyncs_total{result="ok"} 1"#,
            r#"preview_removals_held{baseline="shop/main"} 12"#,
            r#"preview_commands_total{baseline="shop/main",verb="extend",result="done"} 1"#,
            r#"preview_facts_total{baseline="shop/main",result="held"} 1"#,
            r#"preview_applied_seconds_bucket{le="1.0",baseline="shop/main"} 1"#,
            r#"preview_ready_seconds_bucket{le="8.0",baseline="shop/main"} 0"#,
            r#"preview_ready_seconds_count{baseline="shop/main"} 1"#,
            r#"preview_deletions_total{baseline="shop/main",reason="Closed"} 1"#,
            r#"preview_mended_objects_total{baseline="shop/main"} 2"#,
            "preview_leader 1",
            "preview_takeovers_total 1",
            r#"preview_forge_requests_total{operation="create_comment",result="ok"} 1"#,
            r#"preview_forge_requests_left{account="token"} 4321"#,
            r#"preview_forge_writes_left{account="token"} 495"#,
            r#"preview_forge_writers_waiting{account="token"} 2"#,
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\n{text}");
        }
    }

    #[test]
    fn who_leads_no_more_shows_no_account() {
        let metrics = Metrics::new();
        metrics.leads(true);
        metrics.forge_pace("token", Standing { requests: Some(12), writes: 3, waiting: 2 });
        metrics.leads(false);
        let text = metrics.text().unwrap();
        assert!(text.contains("preview_leader 0") && !text.contains("account="), "{text}");
    }

    #[test]
    fn the_first_delivery_that_is_lost_is_an_increase() {
        assert!(Metrics::new().text().unwrap().contains(r#"preview_deliveries_total{result="not_held"} 0"#));
    }
}
