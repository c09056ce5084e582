//! Reads a baseline's namespace with the user's own rights: what it holds, and what stands behind its Services. What may
//! not be listed is said and passed over, so that `view` is enough. Secrets are never listed.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::Api;
use kube::api::{DynamicObject, ListParams};
use kube::core::ApiResource;
use kube::discovery::{Discovery, Scope, verbs};
use serde_json::Value;

use crate::api::names::LABEL_POD_SECURITY;
use crate::cli::cluster::Cluster;
use crate::cli::errors::{Asked, Exit, Failure};
use crate::domain::baseline::{GroupKind, SecretRule};
use crate::kinds::{KINDS, Kind, Known, Reading as Treated};
use crate::plan::complete::{Behind, Evidence, matches};
use crate::plan::{Controlled, Manifest, ObjectName, Snapshot, controller, listed, sources};

/// Requests at one time: a laptop's share of somebody else's API server.
const IN_FLIGHT: usize = 8;
/// Groups that hold measurements, not objects.
const UNREAD_GROUPS: [&str; 3] = ["metrics.k8s.io", "custom.metrics.k8s.io", "external.metrics.k8s.io"];

/// What was read.
#[derive(Debug, Default)]
pub struct Reading {
    /// What the namespace holds.
    pub snapshot: Snapshot,
    /// What stands behind its Services.
    pub evidence: Evidence,
    /// What may not be listed, such as `ingresses`.
    pub unread: Vec<String>,
    /// Secrets that are listed in the Baseline and that the user may not read.
    pub closed_secrets: Vec<String>,
    /// The kinds that the cluster knows.
    pub resources: Vec<ApiResource>,
}

/// What became of one kind.
struct Listed {
    resource: ApiResource,
    how: How,
    /// Absent where they may not be listed.
    objects: Option<Vec<Manifest>>,
}

/// How much of a kind is read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum How {
    /// All of it: it is cloned.
    Whole,
    /// The names; of some kinds more, to tell what stands behind a Service.
    Names,
}

/// Reads the namespace; of Secrets those that the rules copy, one by one, and custom resources of those kinds whole.
pub async fn read(cluster: &Cluster, namespace: &str, secrets: &[SecretRule], custom: &[GroupKind]) -> Result<Reading, Failure> {
    let pod_security = check(cluster, namespace).await?;
    let kinds = kinds(cluster, custom).await?;
    let resources = kinds.iter().map(|(resource, _)| resource.clone()).collect();
    let lists = kinds.into_iter().map(|(resource, how)| list(cluster, namespace, (resource, how)));
    let mut listed: Vec<Listed> = futures::stream::iter(lists).buffer_unordered(IN_FLIGHT).try_collect().await?;
    listed.sort_by(|a, b| (&a.resource.group, &a.resource.kind).cmp(&(&b.resource.group, &b.resource.kind)));
    if listed.iter().all(|l| l.objects.is_none()) {
        return Err(Failure::failed(format!("you may not list anything in namespace {namespace}"))
            .next(format!("ask whoever runs it for the role view there: kubectl create rolebinding -n {namespace} ...")));
    }
    let mut reading = Reading { resources, ..sorted(&listed) };
    reading.snapshot.pod_security = pod_security;
    read_secrets(cluster, namespace, secrets, &mut reading).await?;
    Ok(reading)
}

/// The Pod Security level that the namespace enforces, if it does. A namespace that is not there looks like an empty one.
async fn check(cluster: &Cluster, namespace: &str) -> Result<Option<String>, Failure> {
    let api: Api<Namespace> = Api::all(cluster.client());
    let asked = Asked { verb: "get", resource: "namespaces", namespace: Some(namespace) };
    match api.get_opt(namespace).await {
        Ok(None) => {
            Err(Failure::new(Exit::NotFound, format!("there is no namespace {namespace}"))
                .next("see what there is: kubectl get namespaces"))
        }
        Ok(Some(there)) => Ok(there.metadata.labels.and_then(|labels| labels.get(LABEL_POD_SECURITY).cloned())),
        // Who may not look may still list what is in it.
        Err(error) => cluster.may_ask(asked, async { Err::<(), _>(error) }).await.map(|_| None),
    }
}

/// The kinds of namespaced objects that the cluster knows. Where it does not say, those that we know.
async fn kinds(cluster: &Cluster, custom: &[GroupKind]) -> Result<Vec<(ApiResource, How)>, Failure> {
    let known = KINDS.iter().map(|known| known.kind.resource()).filter_map(|resource| Some((how(&resource, custom)?, resource)));
    let known = known.map(|(how, resource)| (resource, how));
    let discovery = match Discovery::new(cluster.client()).run_aggregated().await {
        Ok(discovery) => Ok(discovery),
        // Clusters before 1.30 may answer in the old way only.
        Err(_) => Discovery::new(cluster.client()).run().await,
    };
    let discovery = match discovery {
        Ok(discovery) => discovery,
        Err(kube::Error::Api(_) | kube::Error::Discovery(_)) => return Ok(known.collect()),
        Err(error) => {
            let asked = Asked { verb: "get", resource: "the kinds", namespace: None };
            return cluster.ask(asked, async { Err(error) }).await;
        }
    };
    let mut kinds: BTreeMap<(String, String), (ApiResource, How)> = BTreeMap::new();
    for (resource, capabilities) in discovery.groups().flat_map(kube::discovery::ApiGroup::recommended_resources) {
        let listable = capabilities.scope == Scope::Namespaced && capabilities.supports_operation(verbs::LIST);
        if let Some(how) = how(&resource, custom).filter(|_| listable) {
            kinds.insert((resource.group.clone(), resource.kind.clone()), (resource, how));
        }
    }
    // In the version that the rules speak.
    for (resource, how) in known {
        kinds.entry((resource.group.clone(), resource.kind.clone())).and_modify(|entry| *entry = (resource, how));
    }
    Ok(kinds.into_values().collect())
}

fn how(resource: &ApiResource, custom: &[GroupKind]) -> Option<How> {
    let known = Known::find(&resource.group, &resource.kind).map(|known| known.treatment.reading());
    match known {
        _ if UNREAD_GROUPS.contains(&resource.group.as_str()) => None,
        Some(Treated::Whole) => Some(How::Whole),
        None if custom.iter().any(|c| c.group == resource.group && c.kind == resource.kind) => Some(How::Whole),
        Some(Treated::ByName | Treated::Never) => None,
        Some(Treated::NameOnly) | None => Some(How::Names),
    }
}

/// Whether the names of a kind's objects are not enough.
fn is_evidence(kind: &str) -> bool {
    matches!(kind, "Pod" | "EndpointSlice")
}

async fn list(cluster: &Cluster, namespace: &str, (resource, how): (ApiResource, How)) -> Result<Listed, Failure> {
    let api: Api<DynamicObject> = Api::namespaced_with(cluster.client(), namespace, &resource);
    let asked = Asked { verb: "list", resource: &resource.plural, namespace: Some(namespace) };
    let params = ListParams::default();
    let manifest = |value: Value| {
        let mut manifest = Manifest::new(value);
        manifest.set(&[], "apiVersion", resource.api_version.clone().into());
        manifest.set(&[], "kind", resource.kind.clone().into());
        manifest.remove("/metadata", "managedFields");
        manifest
    };
    let objects = if how == How::Whole || is_evidence(&resource.kind) {
        let all = cluster.may_ask(asked, api.list(&params)).await?;
        all.map(|all| all.items.into_iter().map(|o| manifest(serde_json::to_value(o).unwrap_or_default())).collect())
    } else {
        let all = cluster.may_ask(asked, api.list_metadata(&params)).await?;
        all.map(|all| all.items.into_iter().map(|o| manifest(serde_json::json!({"metadata": o.metadata}))).collect())
    };
    Ok(Listed { resource, how, objects })
}

/// The snapshot and the evidence in what was listed.
fn sorted(listed: &[Listed]) -> Reading {
    let mut reading = Reading::default();
    for Listed { resource, how, objects } in listed {
        let Some(objects) = objects else {
            reading.unread.push(resource.plural.clone());
            continue;
        };
        match how {
            How::Whole => reading.snapshot.objects.extend(objects.iter().filter(|o| !grants_us(o)).cloned()),
            How::Names => objects.iter().filter(|o| !grants_us(o)).for_each(|o| add_name(o, &mut reading.snapshot)),
        }
    }
    let all = |kind: &str| listed.iter().find(|l| l.resource.kind == kind).and_then(|l| l.objects.as_deref());
    let running = Running { pods: all("Pod"), slices: all("EndpointSlice"), owners: owners(listed) };
    reading.evidence.behind = running.behind(&reading.snapshot.objects);
    reading
}

/// What lets the service read a baseline is no part of the system in it.
fn grants_us(object: &Manifest) -> bool {
    object.text("/metadata/name").is_some_and(|name| name.starts_with("preview-env:baseline-"))
}

/// What another object controls is told apart: it is that object's affair.
fn add_name(object: &Manifest, snapshot: &mut Snapshot) {
    match controller(object) {
        Some(owner) => snapshot.controlled.push(Controlled { object: object.name(), owner }),
        None => snapshot.others.push(object.name()),
    }
}

/// The owners of everything that has one, by kind and name.
fn owners(listed: &[Listed]) -> HashMap<(String, String), ObjectName> {
    let objects = listed.iter().filter_map(|l| l.objects.as_ref()).flatten();
    objects.filter_map(|object| Some(((object.kind().to_owned(), object.name().name), controller(object)?))).collect()
}

/// The running part of a namespace.
struct Running<'a> {
    pods: Option<&'a [Manifest]>,
    slices: Option<&'a [Manifest]>,
    owners: HashMap<(String, String), ObjectName>,
}

impl Running<'_> {
    /// What stands behind each Service. Nothing, where neither endpoints nor pods may be read.
    fn behind(&self, objects: &[Manifest]) -> Option<BTreeMap<String, Behind>> {
        if self.pods.is_none() && self.slices.is_none() {
            return None;
        }
        let mut endpoints: HashMap<&str, usize> = HashMap::new();
        for slice in self.slices.unwrap_or_default() {
            let service = slice.text("/metadata/labels/kubernetes.io~1service-name").unwrap_or_default();
            *endpoints.entry(service).or_default() += slice.items("/endpoints").count();
        }
        let services = objects.iter().filter(|o| o.kind() == "Service" && o.group().is_empty());
        let behind = services.map(|service| {
            let (name, pods) = (service.name().name, self.selected(service));
            let endpoints = if self.slices.is_some() { endpoints.get(name.as_str()).copied().unwrap_or_default() } else { pods.len() };
            (name, Behind { endpoints, makers: pods.into_iter().map(|pod| self.maker(pod)).collect::<BTreeSet<_>>() })
        });
        Some(behind.collect())
    }

    fn selected(&self, service: &Manifest) -> Vec<&Manifest> {
        let selector = service.get("/spec/selector").and_then(Value::as_object);
        let labels: BTreeMap<&str, &str> =
            selector.into_iter().flatten().filter_map(|(key, value)| Some((key.as_str(), value.as_str()?))).collect();
        let fits = |pod: &&Manifest| pod.get("/metadata/labels").and_then(Value::as_object).is_some_and(|l| matches(&labels, l));
        if labels.is_empty() { Vec::new() } else { self.pods.unwrap_or_default().iter().filter(fits).collect() }
    }

    /// What made a pod in the end: its controller, or that one's, and so on. Owners cannot go in circles for long.
    fn maker(&self, pod: &Manifest) -> ObjectName {
        /// More generations than any operator has.
        const GENERATIONS: usize = 8;
        let mut maker = pod.name();
        for _ in 0..GENERATIONS {
            match self.owners.get(&(maker.kind.clone(), maker.name.clone())) {
                Some(owner) => maker = owner.clone(),
                None => break,
            }
        }
        maker
    }
}

async fn read_secrets(cluster: &Cluster, namespace: &str, rules: &[SecretRule], reading: &mut Reading) -> Result<(), Failure> {
    let api: Api<Secret> = Api::namespaced(cluster.client(), namespace);
    let mut read = BTreeMap::new();
    for name in sources(rules) {
        let asked = Asked { verb: "get", resource: "secrets", namespace: Some(namespace) };
        let value = match cluster.may_ask(asked, api.get_opt(name)).await? {
            Some(Some(secret)) => serde_json::to_value(secret).unwrap_or_default(),
            Some(None) => continue,
            None => {
                let closed = rules.iter().filter(|rule| rule.source.as_deref() == Some(name)).map(|rule| rule.name.clone());
                reading.closed_secrets.extend(closed);
                stand_in(name).value().clone()
            }
        };
        let mut secret = Manifest::new(value);
        secret.set(&[], "apiVersion", "v1".into());
        secret.set(&[], "kind", "Secret".into());
        secret.remove("/metadata", "managedFields");
        read.insert(name.to_owned(), secret);
    }
    let listed = listed(rules, &read);
    reading.snapshot.objects.extend(listed.objects);
    reading.snapshot.missing_secrets.extend(listed.missing);
    Ok(())
}

/// A Secret whose keys and values nobody looked at.
pub fn stand_in(name: &str) -> Manifest {
    Manifest::new(serde_json::json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}}))
}

/// The resource of an object's kind, by what the cluster said, else by what we know.
pub fn resource_of(resources: &[ApiResource], object: &ObjectName) -> Option<ApiResource> {
    let said = resources.iter().find(|r| r.kind == object.kind && r.api_version == object.api_version).cloned();
    said.or_else(|| Kind::find(&object.api_version, &object.kind).map(Kind::resource))
}
