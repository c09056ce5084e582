//! `preview delete --force-finalizers`: takes the finalizers off what is left in the namespace of an environment that does not go,
//! with the user's own rights.
//!
//! Only in a namespace that carries the environment's UID and is being deleted, only off objects that are being deleted, and each
//! in exactly the version that was shown.

use std::io::{self, IsTerminal};

use k8s_openapi::api::core::v1::Namespace;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams};
use kube::core::PartialObjectMeta;
use kube::{Api, ResourceExt};
use serde_json::json;

use super::super::cluster::Cluster;
use super::super::errors::{Asked, Exit, Failure};
use super::super::output::{clean, note, print};
use super::confirm;
use crate::api::PreviewEnvironment;
use crate::api::names::LABEL_ENVIRONMENT_UID;
use crate::controller::stuck::{self, Remaining, remaining};

/// An object that finalizers hold.
struct Held {
    resource: ApiResource,
    object: PartialObjectMeta<DynamicObject>,
}

impl Held {
    /// Such as `configmaps/web`.
    fn display(&self) -> String {
        let dot = if self.resource.group.is_empty() { "" } else { "." };
        format!("{}{dot}{}/{}", self.resource.plural, self.resource.group, self.object.name_any())
    }

    fn line(&self) -> String {
        format!("{}: {}", self.display(), self.object.finalizers().join(", "))
    }
}

/// Takes them off, after asking.
pub(super) async fn run(cluster: &Cluster, environment: &PreviewEnvironment, yes: bool) -> Result<(), Failure> {
    let namespace = namespace(cluster, environment).await?;
    let name = namespace.name_any();
    let held = held(cluster, &namespace).await?;
    if held.is_empty() {
        let of = environment.namespace().unwrap_or_default();
        let why = stuck::why(&namespace, (&of, &environment.name_any()), |_| Vec::new());
        let why = why.unwrap_or_else(|| format!("Kubernetes does not say what holds namespace {name} up"));
        let what = format!("nothing that is left in namespace {name} is held by a finalizer that could be taken off; {why}");
        return Err(Failure::failed(what).next(format!("kubectl describe namespace {name}")));
    }
    let lines: Vec<String> = held.iter().map(Held::line).collect();
    note(&format!("in namespace {name}:\n  {}", lines.join("\n  ")));
    let may_ask = io::stdin().is_terminal() && io::stderr().is_terminal();
    if !yes && !may_ask {
        let why = "taking finalizers off wants an answer, and there is no terminal";
        return Err(Failure::new(Exit::Usage, why).next("say it with --yes"));
    }
    confirm("Take these finalizers off? What they stand for, such as a volume or a database elsewhere, is not cleaned up", yes)?;
    for held in &held {
        take_off(cluster, (&name, held)).await?;
        print(&format!("{}\n", clean(&format!("{}: took off {}", held.display(), held.object.finalizers().join(", ")))))?;
    }
    Ok(())
}

/// The environment's namespace, where it is being deleted and provably this environment's.
async fn namespace(cluster: &Cluster, environment: &PreviewEnvironment) -> Result<Namespace, Failure> {
    let recorded = environment.status.as_ref().and_then(|status| status.namespace.clone());
    let Some(name) = recorded else {
        return Err(Failure::new(Exit::NotFound, format!("{} has no namespace", environment.name_any())));
    };
    let asked = Asked { verb: "get", resource: "namespaces", namespace: None };
    let there = cluster.ask(asked, Api::<Namespace>::all(cluster.client()).get_opt(&name)).await?;
    let Some(there) = there else { return Err(Failure::new(Exit::NotFound, format!("namespace {name} is gone already"))) };
    if there.labels().get(LABEL_ENVIRONMENT_UID) != environment.uid().as_ref() {
        return Err(Failure::failed(format!("namespace {name} is not of this {}, and is left alone", environment.name_any())));
    }
    if there.metadata.deletion_timestamp.is_none() {
        let first = format!("take it down first: preview delete {}", environment.name_any());
        return Err(Failure::failed(format!("namespace {name} is not being deleted, so nothing holds it up")).next(first));
    }
    Ok(there)
}

/// What is being deleted there and cannot go, of the kinds that Kubernetes says are left.
async fn held(cluster: &Cluster, namespace: &Namespace) -> Result<Vec<Held>, Failure> {
    let mut all = Vec::new();
    for remaining in remaining(namespace) {
        let Some(resource) = resource(cluster, &remaining).await? else {
            note(&format!("the cluster does not say what {}.{} are; they are left alone", remaining.plural, remaining.group));
            continue;
        };
        let name = namespace.name_any();
        let api: Api<DynamicObject> = Api::namespaced_with(cluster.client(), &name, &resource);
        let asked = Asked { verb: "list", resource: &resource.plural, namespace: Some(&name) };
        let listed = cluster.ask(asked, api.list_metadata(&ListParams::default())).await?;
        let is_held =
            |object: &PartialObjectMeta<DynamicObject>| object.metadata.deletion_timestamp.is_some() && !object.finalizers().is_empty();
        all.extend(listed.items.into_iter().filter(is_held).map(|object| Held { resource: resource.clone(), object }));
    }
    Ok(all)
}

/// The kind of that name, in the version that the cluster prefers.
async fn resource(cluster: &Cluster, remaining: &Remaining) -> Result<Option<ApiResource>, Failure> {
    let client = cluster.client();
    let asked = Asked { verb: "discover", resource: "kinds", namespace: None };
    let version = if remaining.group.is_empty() {
        "v1".to_owned()
    } else {
        let groups = cluster.ask(asked, client.list_api_groups()).await?.groups;
        let group = groups.into_iter().find(|group| group.name == remaining.group);
        let Some(version) = group.and_then(|group| group.preferred_version.or_else(|| group.versions.into_iter().next())) else {
            return Ok(None);
        };
        version.version
    };
    let listed = if remaining.group.is_empty() {
        cluster.ask(asked, client.list_core_api_resources(&version)).await?
    } else {
        cluster.ask(asked, client.list_api_group_resources(&format!("{}/{version}", remaining.group))).await?
    };
    let kind = listed.resources.into_iter().find(|resource| resource.name == remaining.plural).map(|resource| resource.kind);
    let of = |kind: String| ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(&remaining.group, &version, &kind), &remaining.plural);
    Ok(kind.map(of))
}

/// In exactly the version that was shown. One that went meanwhile needs nothing.
async fn take_off(cluster: &Cluster, (namespace, held): (&str, &Held)) -> Result<(), Failure> {
    let metadata = &held.object.metadata;
    let patch = json!({"metadata": {"uid": metadata.uid, "resourceVersion": metadata.resource_version, "finalizers": null}});
    let api: Api<DynamicObject> = Api::namespaced_with(cluster.client(), namespace, &held.resource);
    let asked = Asked { verb: "patch", resource: &held.resource.plural, namespace: Some(namespace) };
    let (params, patch) = (PatchParams::default(), Patch::Merge(&patch));
    let call = async {
        match api.patch_metadata(&held.object.name_any(), &params, &patch).await {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            other => other.map(drop),
        }
    };
    cluster.ask(asked, call).await
}
