//! What happens to an environment between pushes: its baseline moves on, people refresh it, reset it, and take things away.

use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Service};
use k8s_openapi::api::networking::v1::Ingress;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use preview_env::api::conditions::{ConditionStatus, READY};
use preview_env::domain::EnvironmentName;
use preview_env::domain::names::hashed_host_label;
use serde_json::json;
use test_world::wait_for;

use crate::developer::Developer;
use crate::shop::{Pull, Shop, story};

async fn say(shop: &Shop, greeting: &str) -> anyhow::Result<()> {
    let settings: Api<ConfigMap> = Api::namespaced(shop.world.admin.clone(), &shop.namespace);
    settings.patch("settings", &PatchParams::default(), &Patch::Merge(json!({"data": {"GREETING": greeting}}))).await?;
    Ok(())
}

async fn wait_until_said(pull: &Pull<'_>, greeting: &str) -> anyhow::Result<()> {
    let settings: Api<ConfigMap> = Api::namespaced(pull.shop.world.admin.clone(), &pull.namespace());
    let said = |c: Option<&ConfigMap>| c.and_then(|c| c.data.as_ref()?.get("GREETING")).is_some_and(|said| said == greeting);
    wait_for(&settings, "settings", "as the baseline has it", said).await?;
    Ok(())
}

#[test]
fn a_baseline_that_moves_on_is_counted_and_followed_with_the_next_push() {
    story(|world| async move {
        let shop = Shop::open(world, "moving").await?;
        let pull = shop.pull_request("login").await?;
        pull.wait_until_ready().await?;
        say(&shop, "good day").await?;
        pull.wait("one object behind", |s| s.behind == 1).await?;
        wait_until_said(&pull, "hello").await?;
        pull.perform(github_double::On::push).await?;
        wait_until_said(&pull, "good day").await?;
        pull.wait("level again", |s| s.behind == 0).await?;
        Ok(())
    });
}

#[test]
fn an_environment_that_always_follows_needs_no_push() {
    story(|world| async move {
        let shop = Shop::with(world, "followed", |spec| spec["lifetime"] = json!({"follow": "Always"})).await?;
        let pull = shop.pull_request("login").await?;
        pull.wait_until_ready().await?;
        say(&shop, "good day").await?;
        wait_until_said(&pull, "good day").await?;
        pull.wait("level again", |s| s.behind == 0).await?;
        Ok(())
    });
}

#[test]
fn a_refresh_brings_everything_up_to_the_baseline() {
    story(|world| async move {
        let shop = Shop::open(world, "refreshed").await?;
        let developer = Developer::of(&shop).await?;
        let pull = shop.pull_request("login").await?;
        pull.wait_until_ready().await?;
        let settings: Api<ConfigMap> = Api::namespaced(world.admin.clone(), &pull.namespace());
        settings.delete("settings", &DeleteParams::default()).await?;
        let services: Api<Service> = Api::namespaced(world.admin.clone(), &pull.namespace());
        services.patch("web", &PatchParams::default(), &Patch::Merge(json!({"spec": {"sessionAffinity": "ClientIP"}}))).await?;
        say(&shop, "good day").await?;
        let url = developer.run(&["refresh", "--pull", "1", "--wait"]).await?.succeeds();
        assert_eq!(url, "http://web-pr-1.refreshed.preview.example.com\n");
        wait_until_said(&pull, "good day").await?;
        let status = pull.wait("refreshed", |s| s.refreshed_at.is_some()).await?;
        let again = pull.environment().await?;
        assert_eq!(again.spec.refresh.map(|r| r.at), status.refreshed_at);
        Ok(())
    });
}

#[test]
fn a_reset_empties_the_volumes_and_seeds_them_again() {
    story(|world| async move {
        let job = json!({"template": {"spec": {"containers": [{"name": "seed", "image": "acme/seed:1"}]}}});
        let hook = json!({"name": "seed", "when": "AfterReady", "job": job});
        let shop = Shop::with(world, "emptied", |spec| spec["hooks"] = json!([hook])).await?;
        let developer = Developer::of(&shop).await?;
        let pull = shop.pull_request("login").await?;
        pull.wait_until_ready().await?;
        let seeded = |s: &preview_env::api::PreviewEnvironmentStatus| {
            s.hooks.first().filter(|h| h.state == preview_env::api::status::HookState::Succeeded).map(|h| h.job.clone())
        };
        let first = pull.wait("seeded", |s| seeded(s).is_some()).await?;
        let claims: Api<PersistentVolumeClaim> = Api::namespaced(world.admin.clone(), &pull.namespace());
        let before: Vec<_> = claims.list(&ListParams::default()).await?.items.iter().map(|c| (c.name_any(), c.uid())).collect();
        assert_eq!(before.len(), 2, "{before:?}");

        developer.run(&["refresh", "web-pr-1", "--reset", "--yes", "--wait"]).await?.succeeds();
        pull.wait("seeded again", |s| seeded(s).is_some_and(|job| Some(job) != seeded(&first))).await?;
        let after: Vec<_> = claims.list(&ListParams::default()).await?.items.iter().map(|c| (c.name_any(), c.uid())).collect();
        assert_eq!(after.len(), 2, "{after:?}");
        assert!(before.iter().all(|claim| !after.contains(claim)), "{before:?} {after:?}");
        Ok(())
    });
}

#[test]
fn a_service_and_a_route_that_somebody_deletes_come_back_and_an_edit_stays() {
    story(|world| async move {
        let shop = Shop::open(world, "healed").await?;
        let pull = shop.pull_request("login").await?;
        pull.wait_until_ready().await?;
        let services: Api<Service> = Api::namespaced(world.admin.clone(), &pull.namespace());
        let routes: Api<Ingress> = Api::namespaced(world.admin.clone(), &pull.namespace());
        let edit = json!({"metadata": {"labels": {"edited": "by-hand"}}});
        services.patch("db", &PatchParams::default(), &Patch::Merge(&edit)).await?;
        let (service, route) = (services.get("web").await?.uid(), routes.get("web").await?.uid());
        // The baseline moves on meanwhile, which is no reason to bring anything else along.
        say(&shop, "good day").await?;
        pull.wait("one object behind", |s| s.behind == 1).await?;
        services.delete("web", &DeleteParams::default()).await?;
        routes.delete("web", &DeleteParams::default()).await?;
        wait_for(&services, "web", "made again", |s: Option<&Service>| s.is_some_and(|s| s.uid() != service)).await?;
        wait_for(&routes, "web", "made again", |r: Option<&Ingress>| r.is_some_and(|r| r.uid() != route)).await?;
        pull.wait_for_condition(READY, ConditionStatus::True, "Ready").await?;
        assert!(services.get("db").await?.labels().contains_key("edited"), "what was edited was written over");
        wait_until_said(&pull, "hello").await?;
        assert_eq!(pull.environment().await?.status.map(|s| s.behind), Some(1));
        Ok(())
    });
}

#[test]
fn a_host_that_somebody_else_serves_is_left_to_them() {
    story(|world| async move {
        let shop = Shop::open(world, "crowded").await?;
        let domain = "crowded.preview.example.com";
        let rule = |host: &str| {
            let backend = json!({"service": {"name": "x", "port": {"number": 80}}});
            json!({"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}})
        };
        let hashed = format!("{}.{domain}", hashed_host_label("web-pr-1", "crowded", &EnvironmentName::recorded("web-pr-1")));
        let plain = format!("web-pr-1.{domain}");
        world.namespace("crowd").await?;
        let routes: Api<Ingress> = Api::namespaced(world.admin.clone(), "crowd");
        let both: Ingress =
            serde_json::from_value(json!({"metadata": {"name": "both"}, "spec": {"rules": [rule(&plain), rule(&hashed)]}}))?;
        routes.create(&PostParams::default(), &both).await?;
        let pull = shop.pull_request("login").await?;
        let why = pull.wait_for_condition(READY, ConditionStatus::False, "HostTaken").await?;
        assert_eq!(why, format!("Ingress crowd/both has {hashed}"));

        let one = json!({"spec": {"rules": [rule(&plain)]}});
        routes.patch("both", &PatchParams::default(), &Patch::Merge(&one)).await?;
        let status = pull.wait_until_ready().await?;
        let hosts: Vec<_> = status.urls.iter().map(|u| u.host.as_str()).collect();
        assert_eq!(hosts, [hashed.as_str()]);
        Ok(())
    });
}
