//! Everything that a system holds: kinds that a cluster may not have, custom resources, and what operators make of them.
//! In a world of its own, since kinds cannot be hidden from other stories.

use anyhow::Context;
use github_double::On;
use k8s_openapi::api::apps::v1::{DaemonSet, StatefulSet};
use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use preview_env::api::Baseline;
use preview_env::api::conditions::{ConditionStatus, READY, find, is_true};
use preview_env::kinds::Known;
use serde_json::{Value, json};
use test_world::{World, apply, definitions, gateway_api, holds_rights, read, wait_for};

use crate::shop::{Pull, Shop, story_apart};

const DEFINITIONS: &str = include_str!("manifests/parts.yaml");
const RIGHTS: &str = include_str!("manifests/parts-rights.yaml");
const CLONE_ROLES: &str = include_str!("../../deploy/clone-roles.yaml");
const WHOLE: &str = include_str!("manifests/whole.yaml");

fn api(world: &World, namespace: &str, (version, kind, plural): (&str, &str, &str)) -> anyhow::Result<Api<DynamicObject>> {
    let (group, version) = version.split_once('/').context("a version of a group")?;
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural);
    Ok(Api::namespaced_with(world.admin.clone(), namespace, &resource))
}

const DATABASE: (&str, &str, &str) = ("parts.example.com/v1", "Database", "databases");
const ROUTE: (&str, &str, &str) = ("gateway.networking.k8s.io/v1", "HTTPRoute", "httproutes");

fn custom(kinds: &[&str]) -> Value {
    json!(kinds.iter().map(|kind| json!({"group": "parts.example.com", "kind": kind})).collect::<Vec<_>>())
}

/// Waits until the Baseline was read with so many objects of a kind.
async fn wait_until_read(world: &World, name: &str, kind: &str) -> anyhow::Result<()> {
    let reads = |b: Option<&Baseline>| {
        b.and_then(|b| b.status.as_ref()).is_some_and(|s| is_true(&s.conditions, READY) && s.objects.iter().any(|o| o.kind == kind))
    };
    wait_for(&Api::namespaced(world.admin.clone(), name), name, &format!("read with its {kind}"), reads).await.map(drop)
}

async fn wait_for_refusal(world: &World, name: &str, reason: &str) -> anyhow::Result<String> {
    let refused = |b: &Baseline| find(&b.status.as_ref()?.conditions, READY).filter(|c| c.status == ConditionStatus::False).cloned();
    let fits = |b: Option<&Baseline>| b.and_then(refused).is_some_and(|c| c.reason == reason);
    let there = wait_for(&Api::namespaced(world.admin.clone(), name), name, reason, fits).await?;
    Ok(there.as_ref().and_then(refused).map(|c| c.message).unwrap_or_default())
}

async fn ask_for(world: &World, name: &str, kinds: &[&str]) -> anyhow::Result<()> {
    let patch = Patch::Merge(json!({"spec": {"clone": {"customResources": custom(kinds)}}}));
    Api::<Baseline>::namespaced(world.admin.clone(), name).patch(name, &PatchParams::default(), &patch).await?;
    Ok(())
}

/// A StatefulSet as an operator makes it.
async fn made_by_an_operator(world: &World, namespace: &str) -> anyhow::Result<()> {
    let owner = api(world, namespace, DATABASE)?.get("orders").await?;
    let uid = owner.metadata.uid.context("an object without a UID")?;
    let set = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "orders-db", "ownerReferences": [
            {"apiVersion": "parts.example.com/v1", "kind": "Database", "name": "orders", "uid": uid, "controller": true}]},
        "spec": {"serviceName": "orders-db", "selector": {"matchLabels": {"app": "orders-db"}}, "template": {
            "metadata": {"labels": {"app": "orders-db"}}, "spec": {"containers": [{"name": "db", "image": "postgres:17"}]}}}});
    apply(&world.admin, &serde_json::from_value(set)?, Some(namespace)).await
}

async fn left_out(pull: &Pull<'_>) -> anyhow::Result<Vec<String>> {
    let status = pull.environment().await?.status.unwrap_or_default();
    Ok(status.left_out.iter().map(|l| format!("{}/{}: {}", l.kind, l.name, l.why)).collect())
}

#[test]
fn a_whole_system_is_cloned_with_the_kinds_that_its_cluster_has() {
    story_apart(|world| async move {
        // A cluster with nothing but Kubernetes.
        let plain = Shop::open(world, "plain").await?;
        plain.pull_request("first").await?.wait_until_ready().await?;

        gateway_api(&world.admin).await?;
        definitions(&world.admin, &read(DEFINITIONS)?).await?;
        let of_gateway = world.admin.list_api_group_resources("gateway.networking.k8s.io/v1").await?;
        for resource in of_gateway.resources.iter().filter(|r| r.namespaced && !r.name.contains('/')) {
            assert!(Known::find("gateway.networking.k8s.io", &resource.kind).is_some(), "decide {} in src/kinds/table.rs", resource.kind);
        }

        // Without rights the Baseline says who gives them.
        let shop = Shop::unready(world, "whole", WHOLE, |spec| {
            spec["clone"]["customResources"] = custom(&["Database"]);
            spec["clone"]["include"] = json!([{"kind": "Role"}, {"kind": "RoleBinding"}]);
        })
        .await?;
        let message = wait_for_refusal(world, "whole", "CannotRead").await?;
        assert!(message.contains("preview-env.dev/aggregate-to-baseline-reader"), "{message}");
        for object in read(RIGHTS)?.iter().chain(&read(CLONE_ROLES)?) {
            apply(&world.admin, object, None).await?;
        }
        for resource in ["databases", "rolebindings"] {
            holds_rights(&world.admin, "preview-env:environment", resource).await?;
        }
        made_by_an_operator(world, "whole").await?;
        for kind in ["Database", "HTTPRoute", "StatefulSet", "Bucket"] {
            wait_until_read(world, "whole", kind).await?;
        }

        let pull = shop.pull_request("all").await?;
        pull.wait_until_ready().await?;
        let (admin, namespace) = (world.admin.clone(), pull.namespace());
        Api::<DaemonSet>::namespaced(admin.clone(), &namespace).get("cache").await?;
        Api::<CronJob>::namespaced(admin.clone(), &namespace).get("nightly").await?;
        Api::<RoleBinding>::namespaced(admin.clone(), &namespace).get("leader").await?;
        api(world, &namespace, ROUTE)?.get("api").await?;
        let database = api(world, &namespace, DATABASE)?.get("orders").await?;
        assert_eq!(database.data["spec"], json!({"size": "small"}));
        let sets = Api::<StatefulSet>::namespaced(admin, &namespace);
        assert!(sets.get_opt("orders-db").await?.is_none(), "the operator makes it anew");
        let said = left_out(&pull).await?;
        let says = |start: &str| said.iter().any(|line| line.starts_with(start));
        assert!(says("Bucket/uploads: is a custom resource") && says("Job/migrate: "), "{said:#?}");

        // What is not asked for any more goes, and what it made comes as a copy that stands alone.
        ask_for(world, "whole", &[]).await?;
        wait_for(&sets, "orders-db", "there", |set: Option<&StatefulSet>| set.is_some()).await?;
        let gone = async {
            let mut ticks = tokio::time::interval(std::time::Duration::from_millis(100));
            while api(world, &namespace, DATABASE)?.get_opt("orders").await?.is_some() {
                ticks.tick().await;
            }
            anyhow::Ok(())
        };
        tokio::time::timeout(test_world::deadline(), gone).await.context("the custom resource is not pruned")??;

        // Kinds that cannot be meant hold everything where it is.
        ask_for(world, "whole", &["Database", "Class", "Databse"]).await?;
        let message = wait_for_refusal(world, "whole", "CustomResources").await?;
        assert!(message.contains("spec.clone.customResources[1]") && message.contains("spec.clone.customResources[2]"), "{message}");
        assert_eq!(pull.perform(On::close).await?, Some(202));
        pull.wait_until_gone().await
    });
}
