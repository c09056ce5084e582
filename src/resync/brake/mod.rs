//! The brake on removals that follow from looking: what was let through and what is held stands in the Baseline's status, written
//! before anything is removed, so that neither a restart nor another leader lets more through. `judge.rs` decides, and is pure.
//!
//! Closes that the forge told of, commands and expiry do not come here.

mod judge;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::FutureExt;
use futures::future::BoxFuture;
use kube::api::{Patch, PatchParams};
use kube::runtime::reflector::Store;
use kube::{Api, Client, Resource, ResourceExt};
use serde_json::json;
use tokio::sync::Mutex;

use crate::api::baseline::Removals;
use crate::api::conditions::Condition;
use crate::api::names::{ANNOTATION_CONFIRM_REMOVALS, MANAGER_REMOVALS};
use crate::api::{self, PreviewEnvironment};
use crate::clock::Clock;
use crate::controller::baselines::Baselines;
use crate::controller::environments::View;
use crate::controller::events::{self, Events};
use crate::controller::index::Index;
use crate::controller::requests::{RequestError, within_deadline};
use crate::metrics::Metrics;

pub use self::judge::{Around, Judged, Looked, judge, limit};

/// How often it is looked whether somebody confirmed, while something is held: what is looked at is in memory.
const LOOK: Duration = Duration::from_secs(2);

/// Whose environments are looked at: namespace and name of a Baseline.
pub type Of<'a> = (&'a str, &'a str);

/// Says what may be removed of all that was found by looking.
pub trait Brake: Send + Sync {
    /// The UIDs of those that may. Nothing may where that cannot be recorded.
    fn let_through<'a>(&'a self, of: Of<'a>, looked: &'a Looked) -> BoxFuture<'a, Result<BTreeSet<String>, RequestError>>;

    /// Ends when somebody has confirmed what is held.
    fn confirmed(&self) -> BoxFuture<'_, ()>;
}

/// The brake as the Baselines' statuses hold it.
pub struct Ledger {
    client: Client,
    clock: Clock,
    environments: Store<PreviewEnvironment>,
    baselines: Arc<Baselines>,
    /// The namespaces of the environments.
    index: Arc<Index>,
    metrics: Metrics,
    events: Events,
    /// What was written last, which the watch may not have brought back yet: by the Baseline's UID, or by its names where it is
    /// not there. One judgement at a time.
    known: Mutex<HashMap<String, Removals>>,
    /// Confirmations that were told of, each with the Baseline's UID.
    told: std::sync::Mutex<HashSet<(String, DateTime<Utc>)>>,
}

impl Ledger {
    /// Nothing was judged yet.
    pub fn new((client, clock): (Client, Clock), (view, index): (&View, Arc<Index>), (metrics, events): (Metrics, Events)) -> Self {
        let (environments, baselines) = (view.environments.clone(), view.baselines.clone());
        Self { client, clock, environments, baselines, index, metrics, events, known: Mutex::default(), told: std::sync::Mutex::default() }
    }

    /// A Baseline that is gone can hold nothing: what is let through is known in memory then, and nothing that is held can be
    /// confirmed.
    async fn judged(&self, of: Of<'_>, looked: &Looked) -> Result<BTreeSet<String>, RequestError> {
        let mut known = self.known.lock().await;
        let object = self.baselines.object(of.0, of.1);
        let key = object.as_ref().and_then(|object| object.uid()).unwrap_or_else(|| format!("{}/{}", of.0, of.1));
        let recorded = || object.as_ref().and_then(|object| object.status.as_ref()?.removals.clone());
        let before = known.get(&key).cloned().or_else(recorded).unwrap_or_default();
        let around = self.around(of, object.as_deref().and_then(confirmed_at));
        let Judged { go, removals } = judge(&before, looked, &around, self.clock.now());
        if judge::is_news(&before, &removals) {
            let holds_more = removals.held.len() > before.held.len();
            if holds_more {
                let baseline = format!("{}/{}", of.0, of.1);
                tracing::warn!(baseline, held = removals.held.len(), "many seem to have ended at once, and none of them is removed");
            }
            if let Some(object) = &object {
                let condition = self.write(object, &removals).await?;
                if let Some(condition) = condition.filter(|_| holds_more) {
                    self.events.tell(object.object_ref(&()), events::held(&condition.message));
                }
            }
        }
        self.metrics.removals_held(of, removals.held.len());
        known.insert(key, removals);
        Ok(go)
    }

    fn around(&self, (namespace, name): Of<'_>, confirmed: Option<DateTime<Utc>>) -> Around {
        let is_of = |e: &PreviewEnvironment| e.metadata.namespace.as_deref() == Some(namespace) && e.spec.baseline == name;
        // Asked first: a list that ends meanwhile names them all.
        let namespaces_listed = self.index.is_listed("Namespace");
        let mut around = Around::of(self.environments.state_filter(is_of).iter().map(Arc::as_ref));
        around.there.extend(self.namespaces());
        Around { namespaces_listed, confirmed, ..around }
    }

    /// The UIDs of the namespaces that are not going.
    fn namespaces(&self) -> impl Iterator<Item = String> {
        self.index.namespaces().into_iter().filter(|(_, state)| !state.terminating).map(|(_, state)| state.uid)
    }

    /// Writes it, with the condition that says so, which is given back.
    async fn write(&self, object: &api::Baseline, removals: &Removals) -> Result<Option<Condition>, RequestError> {
        let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
        let recorded = object.status.as_ref().map_or(&[][..], |status| &status.conditions);
        let conditions = (recorded, object.metadata.generation);
        let condition = judge::condition(removals, (&namespace, &name), conditions, self.clock.now());
        let patch = json!({
            "apiVersion": api::Baseline::api_version(&()), "kind": api::Baseline::kind(&()),
            "metadata": {"name": name},
            "status": {"removals": removals, "conditions": condition.iter().collect::<Vec<_>>()},
        });
        let baselines: Api<api::Baseline> = Api::namespaced(self.client.clone(), &namespace);
        let params = PatchParams::apply(MANAGER_REMOVALS).force();
        let what = format!("write which removals of Baseline {namespace}/{name} are held");
        within_deadline(&what, baselines.patch_status(&name, &params, &Patch::Apply(&patch))).await.map(|_| condition)
    }

    async fn wait_until_confirmed(&self) {
        let mut looks = tokio::time::interval(LOOK);
        loop {
            looks.tick().await;
            if self.baselines.objects().iter().any(|object| self.is_just_confirmed(object)) {
                return;
            }
        }
    }

    fn is_just_confirmed(&self, object: &api::Baseline) -> bool {
        let removals = object.status.as_ref().and_then(|status| status.removals.as_ref());
        let confirmed = confirmed_at(object).filter(|at| removals.is_some_and(|removals| judge::is_confirmed(removals, *at)));
        confirmed.is_some_and(|at| {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            told.insert((object.uid().unwrap_or_default(), at))
        })
    }
}

impl Brake for Ledger {
    fn let_through<'a>(&'a self, of: Of<'a>, looked: &'a Looked) -> BoxFuture<'a, Result<BTreeSet<String>, RequestError>> {
        self.judged(of, looked).boxed()
    }

    fn confirmed(&self) -> BoxFuture<'_, ()> {
        self.wait_until_confirmed().boxed()
    }
}

/// What somebody confirmed: the time that the condition names.
fn confirmed_at(object: &api::Baseline) -> Option<DateTime<Utc>> {
    object.annotations().get(ANNOTATION_CONFIRM_REMOVALS)?.trim().parse().ok()
}
