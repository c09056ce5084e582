//! What `kubectl describe` shows below an environment.

use std::time::Duration;

use anyhow::Context;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::events::v1::Event;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams};
use preview_env::api::conditions::{READY, is_true};
use tokio::time::MissedTickBehavior;

use crate::shop::{Pull, Shop, story};

/// The events of a pull request's environment, the oldest first, once they are as they should be.
async fn events(pull: &Pull<'_>, fit: impl Fn(&[Event]) -> bool) -> anyhow::Result<Vec<Event>> {
    let api: Api<Event> = Api::namespaced(pull.shop.world.admin.clone(), &pull.shop.namespace);
    let mut seen = Vec::new();
    let all = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(100));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            seen = api.list(&ListParams::default()).await?.items;
            seen.retain(|e| e.regarding.as_ref().is_some_and(|o| o.name.as_deref() == Some(&pull.name())));
            seen.sort_by_key(|event| event.event_time.as_ref().map(|time| time.0));
            if fit(&seen) {
                return anyhow::Ok(());
            }
        }
    };
    let ended = tokio::time::timeout(test_world::deadline(), all).await;
    let shown: Vec<String> = seen.iter().map(|e| format!("{:?} {:?} {:?}", e.reason, e.note, e.series)).collect();
    anyhow::ensure!(ended.is_ok(), "the events are otherwise:\n{}", shown.join("\n"));
    ended??;
    Ok(seen)
}

/// Waits until the Baseline of a shop tells of that, in such words.
pub async fn of_baseline(shop: &Shop, reason: &str, words: &str) -> anyhow::Result<()> {
    let api: Api<Event> = Api::namespaced(shop.world.admin.clone(), &shop.namespace);
    let is_it = |event: &Event| {
        let of = event.regarding.as_ref().is_some_and(|of| of.kind.as_deref() == Some("Baseline"));
        of && event.reason.as_deref() == Some(reason) && event.note.as_ref().is_some_and(|note| note.contains(words))
    };
    let told = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(100));
        while !api.list(&ListParams::default()).await?.items.iter().any(is_it) {
            ticks.tick().await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(test_world::deadline(), told).await.with_context(|| format!("the Baseline does not tell {reason}: {words}"))?
}

fn reasons(events: &[Event]) -> Vec<&str> {
    events.iter().filter_map(|event| event.reason.as_deref()).collect()
}

/// Ends a pod that kwok's kubelet does not start again, so that another one takes its place.
async fn replace(pull: &Pull<'_>, app: &str) -> anyhow::Result<()> {
    let pods: Api<Pod> = Api::namespaced(pull.shop.world.admin.clone(), &pull.namespace());
    for pod in pods.list(&ListParams::default().labels(&format!("app={app}"))).await? {
        pods.delete(&pod.name_any(), &DeleteParams::default().grace_period(0)).await?;
    }
    Ok(())
}

#[test]
fn an_environment_tells_its_life_and_the_same_again_is_counted() {
    story(|world| async move {
        let shop = Shop::open(world, "events").await?;
        let pull = shop.pull_request("told").await?;
        let status = pull.wait_until_ready().await?;
        let told = events(&pull, |events| reasons(events) == ["Ready"]).await?;
        let note = told[0].note.as_deref().unwrap_or_default();
        assert!(note.contains("after it was asked for") && note.ends_with(&status.urls[0].url), "{note}");
        let regarding = told[0].regarding.clone().unwrap_or_default();
        assert_eq!((regarding.kind.as_deref(), regarding.uid), (Some("PreviewEnvironment"), pull.environment().await?.metadata.uid));

        for _ in 0..2 {
            pull.crash("web").await?;
            pull.wait("not ready any more", |s| !is_true(&s.conditions, READY)).await?;
            replace(&pull, "web").await?;
            pull.wait_until_ready().await?;
        }
        let again =
            |e: &Event| e.note.as_ref().is_some_and(|note| note.contains("ready again")) && e.series.as_ref().is_some_and(|s| s.count == 2);
        let told = events(&pull, |events| events.iter().any(again)).await?;
        assert_eq!(reasons(&told).iter().filter(|reason| **reason == "Ready").count(), 2, "{:?}", reasons(&told));
        assert!(
            told.iter().any(|e| e.reason.as_deref() == Some("Degraded") && e.type_.as_deref() == Some("Warning")),
            "{:?}",
            reasons(&told)
        );

        pull.perform(github_double::On::close).await?;
        pull.wait_until_gone().await?;
        events(&pull, |events| reasons(events).ends_with(&["Removing", "Removed"])).await?;
        Ok(())
    });
}
