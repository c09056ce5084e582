//! The raw writer: sends what a plan holds as fast as the API server takes it. It decides nothing, records nothing and
//! looks at nothing; the objects are made before its time begins.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::api::{DeleteParams, DynamicObject, ListParams};
use kube::{Api, Client, ResourceExt};
use preview_env::api;
use preview_env::api::names::{
    CLUSTER_ROLE_ENVIRONMENT, LABEL_BASELINE_NAMESPACE, LABEL_ENVIRONMENT, LABEL_ENVIRONMENT_UID, LABEL_MANAGED_BY, LABEL_POD_SECURITY,
    MANAGED_BY, ROLE_BINDING,
};
use preview_env::controller::requests::{self, Place};
use preview_env::controller::resolve;
use preview_env::domain::names::namespace_names;
use preview_env::domain::{Baseline, Environment, EnvironmentName};
use preview_env::kinds::{KINDS, Kind, Known, Reading};
use preview_env::plan::{Manifest, Plan, ResolvedImages, Snapshot, Target, plan, sources};
use serde_json::{Value, json};
use test_cluster::Event;
use test_world::{World, wait_for};
use tokio::sync::Semaphore;

use crate::course::{Course, Written, course};
use crate::service::{Run, USER};
use crate::shop::Shop;

/// Requests under way at one time, as many as the service sends by default.
pub const IN_FLIGHT: usize = 32;
/// The service's own patience with rights that are on their way.
const RBAC_LAG: Duration = Duration::from_secs(2);
const RBAC_PAUSE: Duration = Duration::from_millis(5);

/// One environment, ready to be written.
pub struct Prepared {
    /// The name of its namespace.
    pub name: String,
    namespace: Namespace,
    binding: RoleBinding,
    plan: Plan,
}

/// A raw writer for one baseline.
pub struct Raw {
    client: Client,
    environment: Environment,
    baseline: Baseline,
    snapshot: Snapshot,
    images: ResolvedImages,
    expected: HashSet<Written>,
}

impl Raw {
    /// Writes what the service wrote in that run, with the service's own token.
    pub async fn new(world: &World, shop: &Shop, like: &Run) -> Result<Self> {
        let baselines: Api<api::Baseline> = Api::namespaced(world.admin.clone(), &shop.namespace);
        let baseline = Baseline::try_from(&baselines.get(&shop.namespace).await?)?;
        let environment = Environment::try_from(&like.object)?;
        let recorded = like.object.status.as_ref().map(|s| s.images.as_slice()).unwrap_or_default();
        let images = resolve::resolve(&environment, &baseline, recorded)?;
        let client = world.cluster.service_account_client("preview-env", "preview-env").await?;
        let snapshot = snapshot(&world.admin, &baseline).await?;
        Ok(Self { client, environment, baseline, snapshot, images, expected: like.course.objects.iter().cloned().collect() })
    }

    /// How many objects it writes.
    pub fn objects(&self) -> usize {
        self.expected.len()
    }

    /// Writes one environment and gives the course of it; then takes it away and waits until it is gone.
    pub async fn run(&self, world: &World, index: usize) -> Result<Course> {
        let prepared = self.prepare(&index.to_string())?;
        let mark = world.audit().mark().await?;
        let start = Utc::now();
        self.write(&prepared, &Semaphore::new(IN_FLIGHT)).await?;
        let course = self.course(&world.audit().since(mark).await?, &prepared.name, start)?;
        take_away(world, &prepared.name).await?;
        Ok(course)
    }

    /// One environment's way, which has to have the objects of the service's.
    pub fn course(&self, events: &[Event], namespace: &str, start: DateTime<Utc>) -> Result<Course> {
        let is_of = |e: &&Event| e.user == USER && (e.namespace == namespace || e.name == namespace);
        let events: Vec<Event> = events.iter().filter(is_of).cloned().collect();
        let course = course(&events, namespace, start)?;
        ensure!(course.objects.iter().all(|o| self.expected.contains(o)) && course.objects.len() == self.objects(), "not the same objects");
        Ok(course)
    }

    /// An environment of that name, made and not written.
    pub fn prepare(&self, name: &str) -> Result<Prepared> {
        let environment = Environment { name: EnvironmentName::recorded(&format!("web-raw-{name}")), ..self.environment.clone() };
        let name = namespace_names(&environment.baseline_namespace, &environment.name).preferred;
        let plan = self.plan(&environment, &name);
        Ok(Prepared { namespace: namespace(&environment, &name)?, binding: binding(&environment)?, plan, name })
    }

    /// Writes one environment, with a permit for each request.
    pub async fn write(&self, prepared: &Prepared, permits: &Semaphore) -> Result<()> {
        let Prepared { name, namespace, binding, plan } = prepared;
        {
            let _permit = permits.acquire().await;
            requests::create_namespace(&self.client, namespace).await?;
            requests::create_role_binding(&self.client, name, binding).await?;
        }
        for stage in &plan.stages {
            let writes: Vec<_> = stage.iter().map(|planned| self.write_one((name, permits), &planned.manifest)).collect();
            stream::iter(writes).buffer_unordered(IN_FLIGHT).try_collect::<()>().await?;
        }
        Ok(())
    }

    fn plan(&self, environment: &Environment, namespace: &str) -> Plan {
        let target = Target {
            environment: &environment.name,
            uid: &environment.uid,
            namespace,
            baseline: &self.baseline,
            isolated: false,
            source: environment.main_source(),
            seed: None,
            held_hosts: &HashSet::new(),
            recorded_hosts: &HashSet::new(),
            run: "raw",
        };
        plan(&self.snapshot, &target, &self.images)
    }

    async fn write_one(&self, (namespace, permits): (&str, &Semaphore), manifest: &Manifest) -> Result<()> {
        let (begun, name) = (Instant::now(), manifest.name());
        let kind = Kind::find(&name.api_version, &name.kind).with_context(|| format!("{name} is of a kind that is not known"))?;
        loop {
            let applied = {
                let _permit = permits.acquire().await;
                requests::apply(&self.client, Place { kind, namespace }, manifest).await
            };
            match applied {
                Err(error) if error.code() == Some(403) && begun.elapsed() < RBAC_LAG => tokio::time::sleep(RBAC_PAUSE).await,
                done => return Ok(done?),
            }
        }
    }
}

/// What the baseline holds, as the service's own watches see it.
async fn snapshot(admin: &Client, baseline: &Baseline) -> Result<Snapshot> {
    let mut objects = Vec::new();
    let is_cloned = |known: &&Known| known.treatment.reading() == Reading::Whole && !known.installed;
    for Known { kind, .. } in KINDS.iter().filter(is_cloned) {
        let api: Api<DynamicObject> = Api::namespaced_with(admin.clone(), &baseline.namespace, &kind.resource());
        let items = api.list(&ListParams::default()).await?.items;
        objects.extend(items.into_iter().map(|object| manifest(kind, object)).collect::<Result<Vec<_>>>()?);
    }
    let secrets: Api<Secret> = Api::namespaced(admin.clone(), &baseline.namespace);
    for name in sources(&baseline.secrets) {
        objects.push(Manifest::new(serde_json::to_value(secrets.get(name).await?)?));
    }
    Ok(Snapshot { objects, ..Snapshot::default() })
}

fn manifest(kind: &Kind, mut object: DynamicObject) -> Result<Manifest> {
    object.metadata.managed_fields = None;
    let mut value = serde_json::to_value(object)?;
    (value["apiVersion"], value["kind"]) = (kind.api_version.as_ref().into(), kind.kind.as_ref().into());
    Ok(Manifest::new(value))
}

fn labels(environment: &Environment) -> Value {
    json!({
        LABEL_MANAGED_BY: MANAGED_BY,
        LABEL_ENVIRONMENT: environment.name.as_str(),
        LABEL_ENVIRONMENT_UID: environment.uid,
        LABEL_BASELINE_NAMESPACE: environment.baseline_namespace,
    })
}

fn namespace(environment: &Environment, name: &str) -> Result<Namespace> {
    let mut labels = labels(environment);
    // deploy/rbac.yaml lets the service make no namespace without it.
    labels[LABEL_POD_SECURITY] = json!("baseline");
    serde_json::from_value(json!({"metadata": {"name": name, "labels": labels}})).context("a namespace")
}

fn binding(environment: &Environment) -> Result<RoleBinding> {
    let (_, account) = USER.rsplit_once(':').context("a user without a name")?;
    let object = json!({
        "metadata": {"name": ROLE_BINDING, "labels": labels(environment)},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": CLUSTER_ROLE_ENVIRONMENT},
        "subjects": [{"kind": "ServiceAccount", "namespace": "preview-env", "name": account}],
    });
    serde_json::from_value(object).context("a RoleBinding")
}

async fn take_away(world: &World, name: &str) -> Result<()> {
    let namespaces: Api<Namespace> = Api::all(world.admin.clone());
    namespaces.delete(name, &DeleteParams::background()).await?;
    wait_for(&namespaces, name, "gone", |n: Option<&Namespace>| n.is_none()).await?;
    if let Some(left) = namespaces.get_opt(name).await? {
        bail!("namespace {} is left", left.name_any());
    }
    Ok(())
}
