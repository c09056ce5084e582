//! What somebody deletes of the kinds that no watch follows, and hosts that others serve by kinds that not every cluster has. In
//! worlds of their own, since kinds cannot be hidden from other stories.

use anyhow::Context;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, ServiceAccount};
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::runtime::wait::await_condition;
use preview_env::api::conditions::{ConditionStatus, READY};
use preview_env::domain::EnvironmentName;
use preview_env::domain::names::hashed_host_label;
use preview_env::kinds::Kind;
use serde_json::json;
use test_world::{World, apply, definitions, gateway_api, holds_rights, read, wait_for};

use crate::shop::{Pull, Shop, story_apart};

const DEFINITIONS: &str = include_str!("manifests/parts.yaml");
const RIGHTS: &str = include_str!("manifests/parts-rights.yaml");
const CLONE_ROLES: &str = include_str!("../../deploy/clone-roles.yaml");
const MORE: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: leader}
rules:
  - {apiGroups: [coordination.k8s.io], resources: [leases], verbs: [get, create, update]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: leader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: leader}
subjects: [{kind: ServiceAccount, name: web}]
---
apiVersion: parts.example.com/v1
kind: Database
metadata: {name: orders}
spec: {size: small}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: edited}
data: {COLOR: red}
";

/// The service starts anew, knows the kinds that are there from the start on, and looks environments over so often.
async fn start_anew(world: &World, look_over: &'static str) -> anyhow::Result<()> {
    let mut service = world.service.lock().await;
    service.kill();
    service.look_over(look_over);
    service.launch()?;
    service.wait_until_ready().await
}

/// Everything in an environment that no watch follows, and the service's own RoleBinding.
fn unfollowed() -> [(Kind, &'static str); 10] {
    let rights = "rbac.authorization.k8s.io/v1";
    [
        (Kind::new("v1", "ConfigMap", "configmaps"), "settings"),
        (Kind::new("v1", "Secret", "secrets"), "listed"),
        (Kind::new("v1", "ServiceAccount", "serviceaccounts"), "web"),
        (Kind::new("v1", "ResourceQuota", "resourcequotas"), "preview-env-isolation"),
        (Kind::new("v1", "LimitRange", "limitranges"), "preview-env-isolation"),
        (Kind::new("batch/v1", "CronJob", "cronjobs"), "nightly"),
        (Kind::new(rights, "Role", "roles"), "leader"),
        (Kind::new(rights, "RoleBinding", "rolebindings"), "leader"),
        (Kind::new(rights, "RoleBinding", "rolebindings"), "preview-env"),
        (Kind::new("parts.example.com/v1", "Database", "databases"), "orders"),
    ]
}

/// Deletes everything of that, and waits until all of it is there anew.
async fn delete_and_wait(pull: &Pull<'_>) -> anyhow::Result<()> {
    let mut deleted = Vec::new();
    for (kind, name) in unfollowed() {
        let api: Api<DynamicObject> = Api::namespaced_with(pull.shop.world.admin.clone(), &pull.namespace(), &kind.resource());
        let before = api.get(name).await.with_context(|| format!("no {kind} {name}"))?.uid();
        api.delete(name, &DeleteParams::default()).await?;
        deleted.push((kind, name, api, before));
    }
    for (kind, name, api, before) in deleted {
        let is_new = |object: Option<&DynamicObject>| object.is_some_and(|object| object.uid() != before);
        let waited = tokio::time::timeout(test_world::deadline(), await_condition(api, name, is_new)).await;
        waited.with_context(|| format!("{kind} {name} does not come back"))??;
    }
    Ok(())
}

#[test]
fn what_somebody_deletes_comes_back_of_every_kind_and_what_is_edited_stays() {
    story_apart(|world| async move {
        definitions(&world.admin, &read(DEFINITIONS)?).await?;
        for object in read(RIGHTS)?.iter().chain(&read(CLONE_ROLES)?) {
            apply(&world.admin, object, None).await?;
        }
        for resource in ["databases", "roles"] {
            holds_rights(&world.admin, "preview-env:environment", resource).await?;
        }
        start_anew(world, "5s").await?;
        let shop = Shop::holding(world, "rounds", MORE, |spec| {
            spec["clone"]["customResources"] = json!([{"group": "parts.example.com", "kind": "Database"}]);
            spec["clone"]["include"] = json!([{"kind": "Role"}, {"kind": "RoleBinding"}]);
        })
        .await?;
        let pull = shop.pull_request("login").await?;
        pull.wait_until_ready().await?;
        let maps: Api<ConfigMap> = Api::namespaced(world.admin.clone(), &pull.namespace());
        maps.patch("edited", &PatchParams::default(), &Patch::Merge(json!({"data": {"COLOR": "blue"}}))).await?;
        delete_and_wait(&pull).await?;
        let edited = maps.get("edited").await?.data.unwrap_or_default();
        assert_eq!(edited.get("COLOR").map(String::as_str), Some("blue"), "what was edited was written over");
        pull.wait_for_condition(READY, ConditionStatus::True, "Ready").await.map(drop)
    });
}

#[test]
fn what_a_pod_does_not_start_without_comes_back_before_its_turn() {
    story_apart(|world| async move {
        // More than a story waits.
        start_anew(world, "4m").await?;
        let shop = Shop::open(world, "hurried").await?;
        let pull = shop.pull_request("login").await?;
        pull.wait_until_ready().await?;
        let accounts: Api<ServiceAccount> = Api::namespaced(world.admin.clone(), &pull.namespace());
        let pods: Api<Pod> = Api::namespaced(world.admin.clone(), &pull.namespace());
        accounts.delete("web", &DeleteParams::default()).await?;
        pods.delete_collection(&DeleteParams::default(), &ListParams::default().labels("app=web")).await?;
        wait_for(&accounts, "web", "made again", |account: Option<&ServiceAccount>| account.is_some()).await?;
        pull.wait_for_condition(READY, ConditionStatus::True, "Ready").await.map(drop)
    });
}

#[test]
fn a_host_that_somebody_elses_grpc_route_serves_is_left_to_them() {
    story_apart(|world| async move {
        gateway_api(&world.admin).await?;
        world.namespace("crowd").await?;
        let hashed = hashed_host_label("web-pr-1", "called", &EnvironmentName::recorded("web-pr-1"));
        let hosts = ["web-pr-1", hashed.as_str()].map(|label| format!("{label}.called.preview.example.com"));
        let mut routes = Vec::new();
        for (kind, name, host) in [("GRPCRoute", "calls", &hosts[0]), ("TLSRoute", "tunnel", &hosts[1])] {
            let spec = json!({"hostnames": [host], "rules": [{"backendRefs": [{"name": "x", "port": 80}]}]});
            routes.push(serde_json::from_value(json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": kind,
                "metadata": {"name": name}, "spec": spec}))?);
        }
        for route in &routes {
            apply(&world.admin, route, Some("crowd")).await?;
        }
        start_anew(world, "5m").await?;
        let shop = Shop::open(world, "called").await?;
        let pull = shop.pull_request("login").await?;
        let why = pull.wait_for_condition(READY, ConditionStatus::False, "HostTaken").await?;
        assert_eq!(why, format!("TLSRoute crowd/tunnel has {}", hosts[1]));
        Ok(())
    });
}
