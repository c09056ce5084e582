//! Gathers what is judged, each within a deadline. The client is used here and below, and nothing is written: what it creates are
//! questions about rights, which the API server keeps nowhere.

pub mod certificate;
pub mod forge;
pub mod hosts;
pub mod registries;
pub mod service;

use std::fmt::Debug;
use std::future::Future;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::api::{ListParams, PostParams};
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use super::finding::{Fact, Unseen};
use super::judge::rights::Held;
use super::shipped::{Identity, Right};
use crate::api;
use crate::cli::cluster::Cluster;
use crate::cli::errors::{Asked, Failure};
use crate::cli::plan::read::{Reading, read};
use crate::domain::Baseline;

/// Longest time for one thing that is looked at, so that nothing hangs: longer than anything healthy takes.
pub const LIMIT: Duration = Duration::from_secs(10);
/// Requests at one time: a laptop's share of somebody else's API server.
const IN_FLIGHT: usize = 8;
/// Namespaces that are read at one time, each by dozens of lists.
const NAMESPACES: usize = 2;

/// Waits for something as long as a check may take. `what` begins the sentence, such as `the cluster`.
pub async fn within<T>(what: &str, asking: impl Future<Output = Fact<T>>) -> Fact<T> {
    let late = |_| Unseen(format!("{what} did not answer in {} s", LIMIT.as_secs()));
    tokio::time::timeout(LIMIT, asking).await.map_err(late)?
}

/// The user has no right to that.
fn may_not(Asked { verb, resource, namespace }: &Asked<'_>) -> Unseen {
    let place = namespace.map(|namespace| format!(" in namespace {namespace}")).unwrap_or_default();
    Unseen(format!("you may not {verb} {resource}{place}"))
}

/// A Baseline, and what its namespace holds.
pub struct Namespace {
    /// The namespace.
    pub name: String,
    /// The Baseline, once every field was understood.
    pub baseline: Baseline,
    /// What it holds.
    pub holds: Fact<Reading>,
}

/// Asks the cluster with the user's own rights.
pub struct Asker<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
}

impl Asker<'_> {
    /// The cluster's version, or why there is none. `Err` is a cluster that cannot be reached at all.
    pub async fn version(&self) -> Result<Fact<String>, Failure> {
        let client = self.cluster.client();
        match tokio::time::timeout(LIMIT, client.apiserver_version()).await {
            Ok(Ok(info)) => Ok(Ok(info.git_version)),
            Ok(Err(kube::Error::Api(status))) if status.code == 403 => Ok(Err(Unseen::new("it answers, and you may not read its version"))),
            Ok(Err(error)) => {
                let asked = Asked { verb: "get", resource: "the version", namespace: None };
                self.cluster.ask(asked, async { Err(error) }).await
            }
            Err(_) => Err(Failure::failed(format!("the cluster at {} did not answer in {} s", self.cluster.url(), LIMIT.as_secs()))
                .next("choose another with --context, or check that it answers: kubectl cluster-info")),
        }
    }

    /// What a request answers; nothing of what the user may not see.
    pub async fn ask<T>(&self, asked: Asked<'_>, call: impl Future<Output = kube::Result<T>>) -> Fact<T> {
        let answer = async {
            match call.await {
                Err(kube::Error::Api(status)) if status.code == 403 => Err(may_not(&asked)),
                Err(error) => {
                    let failed = self.cluster.ask(asked, async { Err::<T, _>(error) }).await;
                    failed.map_err(|failure| Unseen(failure.message))
                }
                Ok(answer) => Ok(answer),
            }
        };
        within("the cluster", answer).await
    }

    /// All objects of a kind, in a namespace or in all, and of a kind without namespaces.
    pub async fn list<K>(&self, api: Api<K>, namespace: Option<&str>, selector: &str) -> Fact<Vec<K>>
    where
        K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug,
    {
        let plural = K::plural(&());
        let asked = Asked { verb: "list", resource: &plural, namespace };
        let params = if selector.is_empty() { ListParams::default() } else { ListParams::default().labels(selector) };
        self.ask(asked, async { api.list(&params).await.map(|list| list.items) }).await
    }

    /// The same of every namespace, or of a kind that has none.
    pub async fn list_all<K>(&self) -> Fact<Vec<K>>
    where
        K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug,
    {
        self.list(Api::all(self.cluster.client()), None, "").await
    }

    /// The Baselines of all namespaces, or of the one that is named; where only that one may be listed, of that.
    pub async fn baselines(&self, named: Option<&str>) -> Fact<Vec<api::Baseline>> {
        if named.is_none() {
            let all = self.list_all::<api::Baseline>().await;
            if let Ok(mut all) = all {
                all.sort_by_key(|baseline| (baseline.namespace(), baseline.name_any()));
                return Ok(all);
            }
        }
        let namespace = named.unwrap_or(&self.cluster.namespace);
        self.list(Api::namespaced(self.cluster.client(), namespace), Some(namespace), "").await
    }

    /// What the namespace of each Baseline holds that can be understood.
    pub async fn namespaces(&self, baselines: &[api::Baseline]) -> Vec<Namespace> {
        let understood = baselines.iter().filter_map(|object| Baseline::try_from(object).ok());
        let reads = understood.map(|baseline| async move {
            let reading = async {
                let read = read(self.cluster, &baseline.namespace, &baseline.secrets, &[]).await;
                read.map_err(|failure| Unseen(failure.message))
            };
            let holds = within("the cluster", reading).await;
            Namespace { name: baseline.namespace.clone(), baseline, holds }
        });
        futures::stream::iter(reads).buffered(NAMESPACES).collect().await
    }

    /// Whether an account holds each of these rights.
    pub async fn held(&self, identity: &Identity, rights: Vec<Right>) -> Fact<Vec<Held>> {
        let questions = rights.into_iter().map(|right| async move {
            let held = self.is_held(identity, &right).await?;
            Ok::<Held, Unseen>((right, held))
        });
        let asking = futures::stream::iter(questions).buffered(IN_FLIGHT).try_collect();
        within("the cluster", asking).await
    }

    async fn is_held(&self, identity: &Identity, right: &Right) -> Fact<bool> {
        let (resource, subresource) = match right.resource.split_once('/') {
            Some((resource, subresource)) => (resource, Some(subresource.to_owned())),
            None => (right.resource.as_str(), None),
        };
        let attributes = ResourceAttributes {
            group: Some(right.group.clone()),
            resource: Some(resource.to_owned()),
            subresource,
            name: right.name.clone(),
            namespace: right.namespace.clone(),
            verb: Some(right.verb.clone()),
            ..ResourceAttributes::default()
        };
        let spec = SubjectAccessReviewSpec {
            user: Some(identity.to_string()),
            groups: Some(identity.groups()),
            resource_attributes: Some(attributes),
            ..SubjectAccessReviewSpec::default()
        };
        let review = SubjectAccessReview { spec, ..SubjectAccessReview::default() };
        let api: Api<SubjectAccessReview> = Api::all(self.cluster.client());
        let asked = Asked { verb: "create", resource: "subjectaccessreviews", namespace: None };
        let answer = self.ask(asked, api.create(&PostParams::default(), &review)).await?;
        Ok(answer.status.is_some_and(|status| status.allowed))
    }
}
