//! The watches over all routes of the cluster: who serves which host, and whether ours are still there.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::join_all;
use kube::core::DynamicObject;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, ResourceExt};
use serde_json::Value;

use super::catalogue::Catalogue;
use super::index::{Index, WorkloadState};
use super::light::in_pages;
use super::wake::Wake;
use super::watch::log_errors;
use super::{Context, hosts::HostClaims};
use crate::api::names::{ANNOTATION_APPLIED_HASH, LABEL_ENVIRONMENT_UID};
use crate::kinds::Kind;

const INGRESS: (&str, &str) = ("networking.k8s.io/v1", "Ingress");
const GATEWAYS: &str = "gateway.networking.k8s.io/v1";
/// The kinds of the Gateway API that name hosts.
const ROUTES: [&str; 3] = ["HTTPRoute", "GRPCRoute", "TLSRoute"];

/// How long a start waits for the lists of the Gateway API.
const PATIENCE: Duration = Duration::from_secs(3);

/// Where what is seen goes.
struct Seen {
    kind: &'static str,
    index: Arc<Index>,
    hosts: Arc<HostClaims>,
    wake: Wake,
}

/// Follows Ingresses and, of the routes of the Gateway API, the kinds that the cluster has, until it is dropped.
pub async fn follow(context: &Context) {
    let ingresses = async {
        if let Some(kind) = Kind::find(INGRESS.0, INGRESS.1) {
            follow_kind(context, kind).await;
        }
    };
    let routes = kinds_of_gateways().map(|kind| async move {
        let mut catalogue = context.baselines.discovery.subscribe();
        // Who asks what is served is dropped together with this.
        let _ = catalogue.wait_for(|catalogue| catalogue.as_deref().is_some_and(|catalogue| serves(catalogue, kind))).await;
        follow_kind(context, kind).await;
    });
    futures::join!(ingresses, join_all(routes));
}

/// Waits until the first list of every route that the cluster has is complete, so that no host of others is given away. Not for
/// long: of a kind that may not be listed there never is one.
pub async fn wait_until_listed(context: &Context) {
    let listed = async {
        let mut catalogue = context.baselines.discovery.subscribe();
        let Ok(Some(served)) = catalogue.wait_for(Option::is_some).await.map(|catalogue| catalogue.clone()) else { return };
        let kinds: Vec<&str> = kinds_of_gateways().filter(|kind| serves(&served, kind)).map(|kind| kind.kind.as_ref()).collect();
        context.index.wait_until_these_are_listed(&kinds).await;
    };
    let _ = tokio::time::timeout(PATIENCE, listed).await;
}

fn kinds_of_gateways() -> impl Iterator<Item = &'static Kind> {
    ROUTES.into_iter().filter_map(|kind| Kind::find(GATEWAYS, kind))
}

fn serves(catalogue: &Catalogue, kind: &Kind) -> bool {
    catalogue.exact(&kind.api_version, &kind.kind).is_some_and(|served| served.watchable)
}

async fn follow_kind(context: &Context, kind: &'static Kind) {
    let api: Api<DynamicObject> = Api::all_with(context.client.clone(), &kind.resource());
    let kind: &'static str = &kind.kind;
    let seen = Seen { kind, index: context.index.clone(), hosts: context.hosts.clone(), wake: context.wake.clone() };
    let mut listed = HashSet::new();
    let mut events = log_errors(watcher(api, in_pages()).default_backoff(), kind);
    while let Some(event) = events.next().await {
        match event {
            watcher::Event::Init => listed.clear(),
            watcher::Event::InitApply(route) => {
                listed.insert((route.namespace().unwrap_or_default(), route.name_any()));
                seen.put(&route);
            }
            watcher::Event::InitDone => {
                seen.hosts.keep_routes(kind, &listed);
                seen.index.keep_workloads(kind, &std::mem::take(&mut listed));
            }
            watcher::Event::Apply(route) => seen.put(&route),
            watcher::Event::Delete(route) => seen.drop(&route),
        }
    }
}

impl Seen {
    fn put(&self, route: &DynamicObject) {
        let (namespace, name) = (route.namespace().unwrap_or_default(), route.name_any());
        if !is_ours(route) {
            self.hosts.put_route((self.kind, namespace, name), hosts_of(&route.data));
            return;
        }
        put_object(&self.index, (&namespace, self.kind), &route.metadata, &self.wake);
    }

    fn drop(&self, route: &DynamicObject) {
        let (namespace, name) = (route.namespace().unwrap_or_default(), route.name_any());
        if is_ours(route) {
            self.index.drop_workload(&namespace, &(self.kind, name));
            self.wake.owner_of(&route.metadata);
        } else {
            self.hosts.drop_route(&(self.kind, namespace, name));
        }
    }
}

/// Records an object of ours that has no readiness. What is new is no news to anybody; what lost its hash is.
pub(super) fn put_object(
    index: &Index,
    (namespace, kind): (&str, &'static str),
    metadata: &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta,
    wake: &Wake,
) {
    let applied_hash = metadata.annotations.as_ref().and_then(|a| a.get(ANNOTATION_APPLIED_HASH)).cloned();
    let state = WorkloadState { applied_hash, ready: true, ..WorkloadState::default() };
    let key = (kind, metadata.name.clone().unwrap_or_default());
    let before = index.workload(namespace, &key);
    if before.as_ref() != Some(&state) {
        index.put_workload(namespace, key, state);
        if before.is_some() {
            wake.owner_of(metadata);
        }
    }
}

fn is_ours(route: &DynamicObject) -> bool {
    route.labels().contains_key(LABEL_ENVIRONMENT_UID)
}

/// The hosts that an Ingress (`spec.rules[].host`) or a route of the Gateway API (`spec.hostnames`) names, each once. A wildcard
/// takes only what nobody names.
fn hosts_of(route: &Value) -> Vec<String> {
    let list = |pointer: &str| route.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
    let rules = list("/spec/rules").filter_map(|rule| rule.get("host")?.as_str());
    let names = list("/spec/hostnames").filter_map(Value::as_str);
    let mut hosts: Vec<String> = rules.chain(names).filter(|h| !h.is_empty() && !h.starts_with('*')).map(str::to_owned).collect();
    hosts.sort_unstable();
    hosts.dedup();
    hosts
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn routes_of_both_kinds_name_hosts() {
        let ingress = json!({"spec": {"rules": [{"host": "b.x"}, {"host": "a.x"}, {"host": "b.x"}, {"host": "*.x"}, {}]}});
        assert_eq!(hosts_of(&ingress), ["a.x", "b.x"]);
        assert_eq!(hosts_of(&json!({"spec": {"hostnames": ["c.x"], "rules": [{"matches": []}]}})), ["c.x"]);
        assert!(hosts_of(&json!({})).is_empty());
    }
}
