//! Every part of a spec has its owner: each applies after each, and nothing is lost.

use kube::api::{Api, Patch, PatchParams};
use preview_env::api::names::{
    MANAGER_ACTIVITY, MANAGER_APPROVAL, MANAGER_EXTENSION, MANAGER_IMAGES, MANAGER_LIFETIME, MANAGER_PIN, MANAGER_REFRESH, MANAGER_WISH,
    manager_image, manager_source,
};
use preview_env::api::{PreviewEnvironment, PreviewEnvironmentSpec};
use serde_json::{Value, json};

use crate::shop::{Shop, story};

fn source(repository_id: i64, name: &str) -> Value {
    // A fork, so that nothing is made of it meanwhile.
    json!([{"forge": "github", "repositoryId": repository_id, "repository": name, "pull": 1, "state": "Open",
            "revision": "a".repeat(40), "observedAt": "2100-01-01T00:00:00Z"}])
}

fn parts() -> [(String, &'static str, Value); 11] {
    [
        (manager_source("github", 1), "sources", source(1, "acme/one")),
        (manager_source("github", 2), "sources", source(2, "acme/two")),
        (MANAGER_WISH.to_owned(), "wish", json!({"state": "Absent", "actor": "ann", "at": "2100-01-01T00:00:00Z"})),
        (MANAGER_REFRESH.to_owned(), "refresh", json!({"actor": "ann", "at": "2100-01-01T00:00:00Z"})),
        (MANAGER_LIFETIME.to_owned(), "lifetime", json!({"ttl": "90d"})),
        (MANAGER_IMAGES.to_owned(), "images", json!([{"name": "acme/web", "tag": "mine"}])),
        (manager_image("abcdefgh"), "images", json!([{"name": "acme/api", "tag": "theirs"}])),
        (MANAGER_EXTENSION.to_owned(), "lifetime", json!({"extendedUntil": "2100-01-02T00:00:00Z"})),
        (MANAGER_PIN.to_owned(), "lifetime", json!({"pinned": true})),
        (MANAGER_ACTIVITY.to_owned(), "activity", json!({"at": "2100-01-01T00:00:00Z", "by": "github:ann"})),
        (MANAGER_APPROVAL.to_owned(), "approval", json!({"revision": "b".repeat(40), "actor": "github:ann", "at": "2100-01-01T00:00:00Z"})),
    ]
}

async fn apply(
    api: &Api<PreviewEnvironment>,
    baseline: &str,
    part: &(String, &'static str, Value),
) -> anyhow::Result<PreviewEnvironmentSpec> {
    let (manager, field, value) = part;
    let object = json!({"apiVersion": "preview-env.dev/v1alpha1", "kind": "PreviewEnvironment", "metadata": {"name": "owners"},
                        "spec": {"baseline": baseline, *field: value}});
    Ok(api.patch("owners", &PatchParams::apply(manager).force(), &Patch::Apply(&object)).await?.spec)
}

#[test]
fn each_owner_applies_after_each_and_loses_nothing() {
    story(|world| async move {
        let shop = Shop::open(world, "managers").await?;
        // Only the service may write facts, and a wish in the name of somebody else.
        let api = world.environments_as_service(&shop.namespace).await?;
        for part in &parts() {
            apply(&api, &shop.namespace, part).await?;
        }
        for first in &parts() {
            for second in &parts() {
                apply(&api, &shop.namespace, first).await?;
                let spec = apply(&api, &shop.namespace, second).await?;
                let case = format!("{} after {}", second.0, first.0);
                assert_eq!(spec.sources.iter().map(|s| s.repository_id).collect::<Vec<_>>(), [1, 2], "{case}");
                assert_eq!(spec.wish.map(|w| w.actor), Some("ann".to_owned()), "{case}");
                assert_eq!(spec.refresh.map(|r| r.actor), Some("ann".to_owned()), "{case}");
                let lifetime = spec.lifetime.map(|l| (l.ttl, l.extended_until.is_some(), l.pinned));
                assert_eq!(lifetime, Some((Some("90d".to_owned()), true, Some(true))), "{case}");
                assert!(spec.activity.is_some() && spec.approval.is_some(), "{case}");
                assert_eq!(spec.images.len(), 2, "{case}");
            }
        }
        Ok(())
    });
}
