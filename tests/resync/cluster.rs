//! The API server's part in it, in memory: it holds facts and commands, and refuses older facts as the schema's rule does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use futures::FutureExt;
use futures::future::BoxFuture;
use preview_env::api;
use preview_env::api::baseline::Removals;
use preview_env::api::environment::{Activity, SourceState};
use preview_env::controller::requests::RequestError;
use preview_env::domain::Baseline;
use preview_env::intent::{About, CommandFact, Existing, Fact};
use preview_env::record::{Active, Activities, RecordError, Recorded, Recorder};
use preview_env::resync::brake::{Around, Brake, Looked, Of, judge};
use preview_env::server::{Baselines, Environments};
use serde_json::json;

/// What the API server holds.
#[derive(Default)]
pub struct Cluster {
    pub baselines: Mutex<Vec<Arc<Baseline>>>,
    pub environments: Mutex<BTreeMap<String, api::PreviewEnvironment>>,
    pub writes: Mutex<usize>,
    /// Its time.
    pub now: Mutex<DateTime<Utc>>,
    pub refuses: Mutex<bool>,
    /// What the brake knows, where there is one; without it, all goes.
    pub brake: Mutex<Option<Removals>>,
    /// The time that somebody confirmed.
    pub confirmed: Mutex<Option<DateTime<Utc>>>,
    /// The name of an environment that is being deleted and does not end.
    pub going: Mutex<Option<String>>,
    /// Whether what is made has no place, and so no namespace.
    pub waits: Mutex<bool>,
}

impl Cluster {
    /// With one Baseline `main` in the namespace `shop`, made at that time.
    pub fn with(spec: serde_json::Value, created_at: &str) -> Arc<Self> {
        let cluster = Self::default();
        let mut object = api::Baseline::new("main", serde_json::from_value(spec).unwrap());
        object.metadata.namespace = Some("shop".to_owned());
        object.metadata.uid = Some("uid-main".to_owned());
        object.metadata.creation_timestamp = serde_json::from_value(json!(created_at)).unwrap();
        cluster.baselines.lock().unwrap().push(Arc::new(Baseline::try_from(&object).unwrap()));
        Arc::new(cluster)
    }

    /// Whether the forge told its Baseline the number of its repository.
    pub fn knows(&self, id: Option<i64>) {
        let mut baselines = self.baselines.lock().unwrap();
        let mut baseline = Baseline::clone(&baselines[0]);
        baseline.repositories[0].id = id;
        *baselines = vec![Arc::new(baseline)];
    }

    /// When its Baseline was made.
    pub fn made(&self, at: &str) {
        let mut baselines = self.baselines.lock().unwrap();
        *baselines = vec![Arc::new(Baseline { created_at: Some(at.parse().unwrap()), ..Baseline::clone(&baselines[0]) })];
    }

    /// The one source of an environment.
    pub fn source(&self, name: &str) -> Option<api::Source> {
        self.environments.lock().unwrap().get(name)?.spec.sources.first().cloned()
    }

    pub fn names(&self) -> Vec<String> {
        self.environments.lock().unwrap().keys().cloned().collect()
    }

    pub fn commands(&self, name: &str) -> Vec<String> {
        let environments = self.environments.lock().unwrap();
        environments.get(name).map(|e| e.spec.commands.iter().map(|c| format!("{} {:?}", c.id, c.verb)).collect()).unwrap_or_default()
    }

    pub fn writes(&self) -> usize {
        *self.writes.lock().unwrap()
    }

    fn change(
        &self,
        (namespace, name, baseline): (&str, &str, &str),
        change: impl FnOnce(&mut api::PreviewEnvironment) -> Recorded,
    ) -> Answer {
        *self.writes.lock().unwrap() += 1;
        if *self.refuses.lock().unwrap() {
            return Err(RecordError::Throttled(name.to_owned()));
        }
        if self.going.lock().unwrap().as_deref() == Some(name) {
            return Err(RecordError::Going(name.to_owned()));
        }
        let mut environments = self.environments.lock().unwrap();
        let made = || {
            let mut object = api::PreviewEnvironment::new(name, serde_json::from_value(json!({"baseline": baseline})).unwrap());
            object.metadata.namespace = Some(namespace.to_owned());
            object.metadata.uid = Some(format!("uid-{name}"));
            let namespace = (!*self.waits.lock().unwrap()).then(|| format!("{namespace}-{name}"));
            object.status = Some(api::PreviewEnvironmentStatus { namespace, ..Default::default() });
            object
        };
        Ok(change(environments.entry(name.to_owned()).or_insert_with(made)))
    }
}

type Answer = Result<Recorded, RecordError>;

/// The rule of the schema.
fn is_older(new: &api::Source, held: &api::Source) -> bool {
    let ok = new.observed_at > held.observed_at
        || (new.observed_at == held.observed_at && (new.state != SourceState::Open || held.state == SourceState::Open));
    !ok
}

impl Recorder for Cluster {
    fn record<'a>(&'a self, fact: &'a Fact) -> BoxFuture<'a, Answer> {
        let at = (fact.baseline_namespace.as_str(), fact.environment.as_str(), fact.baseline.as_str());
        let answer = self.change(at, |object| {
            let sources = &mut object.spec.sources;
            match sources.iter_mut().find(|s| s.repository_id == fact.source.repository_id) {
                Some(held) if is_older(&fact.source, held) => return Recorded::Older,
                Some(held) => held.clone_from(&fact.source),
                None => sources.push(fact.source.clone()),
            }
            Recorded::Held
        });
        std::future::ready(answer).boxed()
    }

    fn command<'a>(&'a self, fact: &'a CommandFact) -> BoxFuture<'a, Answer> {
        let at = (fact.baseline_namespace.as_str(), fact.environment.as_str(), fact.baseline.as_str());
        let answer = self.change(at, |object| {
            if object.spec.commands.iter().all(|c| c.id != fact.command.id) {
                object.spec.commands.push(fact.command.clone());
            }
            Recorded::Held
        });
        std::future::ready(answer).boxed()
    }
}

impl Activities for Cluster {
    fn active<'a>(&'a self, active: &'a Active) -> BoxFuture<'a, Answer> {
        let answer = self.change((&active.namespace, active.name.as_str(), &active.baseline), |object| {
            assert_eq!(object.metadata.uid.as_ref(), Some(&active.uid), "an environment that is there");
            object.spec.activity = Some(Activity { at: active.at, by: active.by.clone() });
            Recorded::Held
        });
        std::future::ready(answer).boxed()
    }
}

impl Brake for Cluster {
    fn let_through<'a>(&'a self, _: Of<'a>, looked: &'a Looked) -> BoxFuture<'a, Result<BTreeSet<String>, RequestError>> {
        let mut brake = self.brake.lock().unwrap();
        let Some(before) = brake.as_ref() else { return std::future::ready(Ok(looked.ended.keys().cloned().collect())).boxed() };
        let environments = self.environments.lock().unwrap();
        let confirmed = *self.confirmed.lock().unwrap();
        let around = Around { namespaces_listed: true, confirmed, ..Around::of(environments.values()) };
        let judged = judge(before, looked, &around, *self.now.lock().unwrap());
        *brake = Some(judged.removals);
        std::future::ready(Ok(judged.go)).boxed()
    }

    fn confirmed(&self) -> BoxFuture<'_, ()> {
        std::future::pending().boxed()
    }
}

impl Environments for Cluster {
    fn about(&self, about: &About) -> Vec<Existing> {
        self.environments.lock().unwrap().values().flat_map(|object| Existing::of(object, about)).collect()
    }
}

impl Baselines for Cluster {
    fn list(&self) -> Option<Vec<Arc<Baseline>>> {
        Some(self.baselines.lock().unwrap().clone())
    }
}
