//! Ceilings over Baselines: who they bind, what is refused where, and that what runs is not torn down by them. In a world of
//! its own, since the first policy holds for every Baseline.

use anyhow::Context;
use github_double::On;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Namespace;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use preview_env::api::conditions::{ConditionStatus, READY, STALLED, WANTED, find, is_true};
use preview_env::api::{Baseline, PreviewPolicy};
use serde_json::{Value, json};
use test_world::{World, wait_for};

use crate::shop::{Pull, Shop, story_apart};

const TEAM: &str = "team";

async fn set(world: &World, spec: Value) -> anyhow::Result<()> {
    let policies: Api<PreviewPolicy> = Api::all(world.admin.clone());
    let policy = json!({"apiVersion": "preview-env.dev/v1alpha1", "kind": "PreviewPolicy", "metadata": {"name": "default"}, "spec": spec});
    policies.patch("default", &PatchParams::apply("tests").force(), &Patch::Apply(&policy)).await?;
    Ok(())
}

fn with(more: Value) -> Value {
    let mut spec = json!({"namespaceSelector": {"matchLabels": {TEAM: "shop"}}});
    if let (Some(spec), Value::Object(mut more)) = (spec.as_object_mut(), more) {
        spec.append(&mut more);
    }
    spec
}

async fn label(world: &World, namespace: &str, team: Value) -> anyhow::Result<()> {
    let labels = json!({"metadata": {"labels": {TEAM: team}}});
    Api::<Namespace>::all(world.admin.clone()).patch(namespace, &PatchParams::default(), &Patch::Merge(labels)).await?;
    Ok(())
}

/// Waits until the Baseline is refused in those words.
async fn wait_until_refused(shop: &Shop, words: &str) -> anyhow::Result<()> {
    let says = |b: &Baseline| {
        let ready = find(&b.status.as_ref()?.conditions, READY)?;
        (ready.status == ConditionStatus::False && ready.reason == "Policy" && ready.message.contains(words)).then_some(())
    };
    let baselines: Api<Baseline> = Api::namespaced(shop.world.admin.clone(), &shop.namespace);
    wait_for(&baselines, &shop.namespace, words, |b: Option<&Baseline>| b.and_then(says).is_some()).await.map(drop)
}

/// Waits until the environment says so too; it runs as it did.
async fn wait_until_stalled(pull: &Pull<'_>, words: &str) -> anyhow::Result<()> {
    let says = |s: &preview_env::api::PreviewEnvironmentStatus| {
        find(&s.conditions, STALLED).is_some_and(|c| c.status == ConditionStatus::True && c.reason == "Policy" && c.message.contains(words))
    };
    pull.wait(words, says).await.map(drop)
}

async fn web(pull: &Pull<'_>) -> anyhow::Result<Option<String>> {
    let deployments: Api<Deployment> = Api::namespaced(pull.shop.world.admin.clone(), &pull.namespace());
    Ok(deployments.get_opt("web").await?.and_then(|web| web.uid()))
}

#[test]
fn a_policy_holds_up_what_is_more_than_it_allows_and_says_which_ceiling() {
    story_apart(|world| async move {
        let shop = Shop::open(world, "governed").await?;
        let first = shop.pull_request("first").await?;
        first.wait_until_ready().await?;
        let runs = web(&first).await?;

        // Nobody selects the namespace: nothing new, and what runs goes on.
        set(world, with(json!({}))).await?;
        wait_until_refused(&shop, "no PreviewPolicy selects this namespace").await?;
        wait_until_stalled(&first, "no PreviewPolicy selects this namespace").await?;
        let second = shop.pull_request("second").await?;
        wait_until_stalled(&second, "no PreviewPolicy selects this namespace").await?;
        assert!(!second.has_namespace().await?);
        assert_eq!(web(&first).await?, runs);

        label(world, "governed", json!("shop")).await?;
        world.wait_until_baseline_is_ready("governed", "governed").await?;
        second.wait_until_ready().await?;
        first.wait_for_condition(READY, ConditionStatus::True, "Ready").await?;

        let domain =
            "spec.hosts.domain: governed.preview.example.com is under none of the domains that PreviewPolicy default (spec.domains) allows";
        set(world, with(json!({"domains": ["example.org"]}))).await?;
        wait_until_refused(&shop, domain).await?;
        wait_until_stalled(&first, domain).await?;
        first.wait_for_comment(|body| body.contains("is stalled") && body.contains("PreviewPolicy default")).await?;
        assert_eq!(web(&first).await?, runs, "nothing is taken down");

        // Without any policy nothing is limited.
        Api::<PreviewPolicy>::all(world.admin.clone()).delete("default", &DeleteParams::default()).await?;
        first.wait_for_condition(READY, ConditionStatus::True, "Ready").await?;
        first.wait_for_condition(STALLED, ConditionStatus::False, "GoingOn").await?;
        world.wait_until_baseline_is_ready("governed", "governed").await
    });
}

#[test]
fn ceilings_bind_what_is_planned_and_how_long_it_lives() {
    story_apart(|world| async move {
        let shop = Shop::open(world, "bounded").await?;
        let spec = |more: Value| {
            let mut spec =
                with(json!({"registries": ["registry.example.com:5000"], "quota": {"pods": "9"}, "namespaceLabels": {"cost": "previews"}}));
            if let (Some(spec), Value::Object(mut more)) = (spec.as_object_mut(), more) {
                spec.append(&mut more);
            }
            spec
        };
        // What a namespace is made with cannot change later, so the service has to know both before.
        set(world, spec(json!({}))).await?;
        wait_until_refused(&shop, "no PreviewPolicy selects this namespace").await?;
        label(world, "bounded", json!("shop")).await?;
        world.wait_until_baseline_is_ready("bounded", "bounded").await?;
        let pull = shop.pull_request("login").await?;
        let status = pull.wait_until_ready().await?;
        let db =
            status.left_out.iter().find(|l| l.kind == "StatefulSet" && l.name == "db").context("postgres comes from Docker's registry")?;
        assert!(db.why.contains("postgres is in none of the registries that PreviewPolicy default (spec.registries) allows"), "{}", db.why);
        let quotas: Api<k8s_openapi::api::core::v1::ResourceQuota> = Api::namespaced(world.admin.clone(), &pull.namespace());
        let hard = quotas.get("preview-env-isolation").await?.spec.and_then(|s| s.hard).unwrap_or_default();
        assert_eq!(hard.get("pods").map(|q| q.0.as_str()), Some("9"));
        let namespace = Api::<Namespace>::all(world.admin.clone()).get(&pull.namespace()).await?;
        assert_eq!(namespace.labels().get("cost").map(String::as_str), Some("previews"));

        // A restart finds all as it was.
        let mark = {
            let mut service = world.service.lock().await;
            service.kill();
            let mark = world.audit().mark().await?;
            service.launch()?;
            service.wait_until_ready().await?;
            mark
        };
        let other = shop.pull_request("other").await?;
        other.wait_until_ready().await?;
        let writes = |e: &test_cluster::Event| !matches!(e.verb.as_str(), "get" | "list" | "watch") && e.namespace == pull.namespace();
        let written: Vec<_> =
            world.audit().since(mark).await?.into_iter().filter(|e| e.user.ends_with(":preview-env") && writes(e)).collect();
        assert!(written.is_empty(), "{written:#?}");

        // Pinned or not, it lives no longer than the policy has it.
        let pin = json!({"spec": {"lifetime": {"pinned": true}}});
        shop.environments().patch(&pull.name(), &PatchParams::default(), &Patch::Merge(&pin)).await?;
        pull.wait("pinned", |s| s.expires_at.is_none()).await?;
        let ttl = json!({"spec": {"lifetime": {"ttl": "1s", "warnBefore": "1s"}}});
        let baselines: Api<Baseline> = Api::namespaced(world.admin.clone(), "bounded");
        baselines.patch("bounded", &PatchParams::default(), &Patch::Merge(&ttl)).await?;
        set(world, spec(json!({"lifetime": {"ttl": "1s"}}))).await?;
        let message = pull.wait_for_condition(WANTED, ConditionStatus::False, "Expired").await?;
        assert!(message.contains("PreviewPolicy default (spec.lifetime.ttl)"), "{message}");
        pull.wait("taken down", |s| s.namespace.is_none() && !is_true(&s.conditions, READY)).await?;
        Ok(())
    });
}

#[test]
fn a_policy_counts_the_environments_of_all_its_namespaces_together() {
    story_apart(|world| async move {
        set(world, with(json!({"limits": {"total": 1}}))).await?;
        // The policy selects them once they have its label.
        let (one, two) = (Shop::unready(world, "counted-a", "", |_| ()).await?, Shop::unready(world, "counted-b", "", |_| ()).await?);
        for shop in [&one, &two] {
            label(world, &shop.namespace, json!("shop")).await?;
            world.wait_until_baseline_is_ready(&shop.namespace, &shop.namespace).await?;
        }
        let first = one.pull_request("first").await?;
        first.wait_until_ready().await?;
        let second = two.pull_request("second").await?;
        let waits = |s: &preview_env::api::PreviewEnvironmentStatus| {
            s.queue.as_ref().is_some_and(|queue| {
                (queue.position, queue.of) == (1, 1) && queue.why.contains("PreviewPolicy default (spec.limits.total)")
            })
        };
        second.wait("waiting for the total", waits).await?;
        assert!(!second.has_namespace().await?);
        first.perform(On::close).await?;
        second.wait_until_ready().await?;
        first.wait_until_gone().await
    });
}
