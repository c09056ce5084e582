//! Environments that do not go: what holds them up is said, and nothing is forced that nobody asked for.

use anyhow::Context;
use github_double::On;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod};
use kube::ResourceExt;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams};
use preview_env::api::PreviewEnvironmentStatus;
use preview_env::api::conditions::{READY, find};
use serde_json::json;
use test_cluster::Event;
use test_world::{apply, wait_for};

use crate::developer::Developer;
use crate::shop::{Shop, story, story_alone, story_apart};

const HOLD: &str = "example.com/hold";

#[test]
fn what_holds_a_removal_up_is_named_and_goes_only_when_somebody_forces_it() {
    story(|world| async move {
        let shop = Shop::open(world, "stuck").await?;
        let pull = shop.pull_request("stuck").await?;
        pull.wait_until_ready().await?;
        let name = pull.namespace();
        let config_maps: Api<ConfigMap> = Api::namespaced(world.admin.clone(), &name);
        let held = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "held", "finalizers": [HOLD]}});
        config_maps.patch("held", &PatchParams::apply("somebody"), &Patch::Apply(&held)).await?;
        let admin = Developer::of(&shop).await?;
        admin.administers(&shop).await?;

        // Before it goes nothing is held up, and nothing is taken off.
        let early = admin.run(&["delete", "web-pr-1", "--force-finalizers", "--yes"]).await?.fails(1);
        assert!(early.contains("is not being deleted"), "{early}");

        pull.perform(On::close).await?;
        let is_stuck = |s: &PreviewEnvironmentStatus| find(&s.conditions, READY).is_some_and(|c| c.reason == "StuckRemoving");
        let status = pull.wait("known to be stuck", is_stuck).await?;
        let message = find(&status.conditions, READY).map(|c| c.message.clone()).unwrap_or_default();
        assert!(message.contains("1 of configmaps is held by the finalizer example.com/hold"), "{message}");
        assert!(message.contains("preview delete web-pr-1 -n stuck --force-finalizers"), "{message}");
        let described = admin.run(&["describe", "web-pr-1"]).await?.succeeds();
        assert!(described.contains(HOLD), "{described}");

        // It holds up no other.
        let other = shop.pull_request("other").await?;
        other.wait_until_ready().await?;

        let unasked = admin.run(&["delete", "web-pr-1", "--force-finalizers"]).await?.fails(2);
        assert!(unasked.contains("configmaps/held: example.com/hold") && unasked.contains("--yes"), "{unasked}");
        assert!(config_maps.get("held").await?.metadata.finalizers.is_some(), "it was forced without an answer");
        let forced = admin.run(&["delete", "web-pr-1", "--force-finalizers", "--yes"]).await?.succeeds();
        assert_eq!(forced, "configmaps/held: took off example.com/hold\n");
        let namespaces: Api<Namespace> = Api::all(world.admin.clone());
        wait_for(&namespaces, &name, "gone", |n: Option<&Namespace>| n.is_none()).await?;
        pull.wait_until_gone().await
    });
}

#[test]
fn an_api_service_that_does_not_answer_is_named_and_all_goes_once_it_is_gone() {
    story_apart(|world| async move {
        let shop = Shop::open(world, "undiscovered").await?;
        let pull = shop.pull_request("undiscovered").await?;
        pull.wait_until_ready().await?;
        let nowhere = json!({
            "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": "v1.nowhere.example.com"},
            "spec": {"group": "nowhere.example.com", "version": "v1", "groupPriorityMinimum": 1000, "versionPriority": 10,
                "insecureSkipTLSVerify": true, "service": {"namespace": "default", "name": "nowhere"}},
        });
        let nowhere: DynamicObject = serde_json::from_value(nowhere)?;
        apply(&world.admin, &nowhere, None).await?;
        pull.perform(On::close).await?;
        let is_stuck = |s: &PreviewEnvironmentStatus| find(&s.conditions, READY).is_some_and(|c| c.reason == "StuckRemoving");
        let status = pull.wait("known to be stuck", is_stuck).await?;
        let message = find(&status.conditions, READY).map(|c| c.message.clone()).unwrap_or_default();
        assert!(message.contains("the API service v1.nowhere.example.com does not answer"), "{message}");
        let kind = GroupVersionKind::gvk("apiregistration.k8s.io", "v1", "APIService");
        let services: Api<DynamicObject> = Api::all_with(world.admin.clone(), &ApiResource::from_gvk(&kind));
        services.delete("v1.nowhere.example.com", &DeleteParams::default()).await?;
        pull.wait_until_gone().await
    });
}

#[test]
fn after_a_close_every_pod_is_told_to_stop_within_a_second() {
    story_alone(|world| async move {
        let shop = Shop::open(world, "capacity").await?;
        let pull = shop.pull_request("login").await?;
        pull.wait_until_ready().await?;
        let pods: Api<Pod> = Api::namespaced(world.admin.clone(), &pull.namespace());
        let running = pods.list(&ListParams::default()).await?.items;
        assert!(running.len() > 1, "{} pods", running.len());
        // They stay to be looked at.
        for pod in &running {
            pods.patch(&pod.name_any(), &PatchParams::default(), &finalizers(&[HOLD])).await?;
        }
        let mark = world.audit().mark().await?;
        pull.perform(On::close).await?;
        pull.wait("on its way out", |s| s.phase.as_deref() == Some("Removing")).await?;
        for pod in &running {
            let is_told = |p: Option<&Pod>| p.is_some_and(|p| p.metadata.deletion_timestamp.is_some());
            wait_for(&pods, &pod.name_any(), "told to stop", is_told).await?;
        }

        let events = world.audit().since(mark).await?;
        let close = |e: &&Event| e.resource == "previewenvironments" && e.subresource.is_empty() && e.uri.contains("source-github");
        let closed = events.iter().find(close).context("the close was not recorded")?.answered;
        let tells = |e: &&Event| e.namespace == pull.namespace() && e.resource == "pods" && e.verb == "deletecollection" && e.code == 200;
        let stopped = events.iter().find(tells).context("nobody told the pods")?.answered;
        let took = (stopped - closed).as_seconds_f64();
        println!("all pods were told to stop {took:.3} s after the close was recorded");
        assert!(took <= 1.0, "{took} s");
        for pod in &running {
            pods.patch(&pod.name_any(), &PatchParams::default(), &finalizers(&[])).await?;
        }
        pull.wait_until_gone().await
    });
}

fn finalizers(all: &[&str]) -> Patch<serde_json::Value> {
    Patch::Merge(json!({"metadata": {"finalizers": all}}))
}
