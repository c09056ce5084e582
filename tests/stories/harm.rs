//! What must not happen, tried on purpose.

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use kube::runtime::wait::await_condition;
use preview_env::api::PreviewEnvironment;
use preview_env::api::conditions::{STALLED, is_true};
use preview_env::api::names::{LABEL_ENVIRONMENT_UID, LABEL_POD_SECURITY, ROLE_BINDING};
use preview_env::controller::requests::delete_namespace;
use serde_json::json;
use test_world::{deadline, wait_for};

use crate::shop::{Shop, story};

#[test]
fn a_namespace_that_only_carries_our_label_is_never_taken_down() {
    story(|world| async move {
        let shop = Shop::open(world, "labelled").await?;
        let pull = shop.pull_request("labelled").await?;
        pull.wait_until_ready().await?;
        let uid = shop.environments().get(&pull.name()).await?.uid().unwrap_or_default();
        world.namespace("precious").await?;
        let namespaces: Api<Namespace> = Api::all(world.admin.clone());
        let label = json!({"metadata": {"labels": {LABEL_ENVIRONMENT_UID: uid}}});
        namespaces.patch("precious", &PatchParams::default(), &Patch::Merge(&label)).await?;
        pull.perform(github_double::On::merge).await?;
        pull.wait_until_gone().await?;
        let precious = namespaces.get("precious").await?;
        anyhow::ensure!(precious.metadata.deletion_timestamp.is_none(), "it was taken down for its label");
        Ok(())
    });
}

#[test]
fn a_namespace_is_deleted_by_its_uid_and_never_by_its_name() {
    story(|world| async move {
        let namespaces: Api<Namespace> = Api::all(world.admin.clone());
        world.namespace("successor").await?;
        let before = namespaces.get("successor").await?.uid().unwrap_or_default();
        let refused = delete_namespace(&world.admin, "successor", "00000000-0000-0000-0000-000000000000").await;
        assert_eq!(refused.err().and_then(|error| error.code()), Some(409));
        let there = namespaces.get("successor").await?;
        assert_eq!((there.uid().unwrap_or_default(), there.metadata.deletion_timestamp.is_some()), (before.clone(), false));
        delete_namespace(&world.admin, "successor", &before).await?;
        wait_for(&namespaces, "successor", "gone", |n: Option<&Namespace>| n.is_none()).await?;
        // One that is gone already needs nothing.
        delete_namespace(&world.admin, "successor", &before).await?;
        Ok(())
    });
}

#[test]
fn pods_of_an_environment_may_ask_for_no_more_than_those_of_its_baseline() {
    story(|world| async move {
        let shop = Shop::open(world, "secured").await?;
        let namespaces: Api<Namespace> = Api::all(world.admin.clone());
        let first = shop.pull_request("plain").await?;
        first.wait_until_ready().await?;
        assert_eq!(namespaces.get(&first.namespace()).await?.labels().get(LABEL_POD_SECURITY).map(String::as_str), Some("baseline"));

        let restricted = json!({"metadata": {"labels": {LABEL_POD_SECURITY: "restricted"}}});
        namespaces.patch("secured", &PatchParams::default(), &Patch::Merge(&restricted)).await?;
        let second = shop.pull_request("restricted").await?;
        let named = |n: Option<&Namespace>| n.is_some_and(|n| n.labels().contains_key(LABEL_POD_SECURITY));
        let made = wait_for(&namespaces, &second.namespace(), "made", named).await?;
        assert_eq!(made.unwrap_or_default().labels().get(LABEL_POD_SECURITY).map(String::as_str), Some("restricted"));
        second
            .wait("told what its pods ask for", |s| {
                s.left_out.iter().any(|l| l.name == "api" && l.why.contains("level restricted forbids"))
            })
            .await?;
        Ok(())
    });
}

#[test]
fn an_environment_that_cannot_be_read_says_so_and_still_goes() {
    story(|world| async move {
        let shop = Shop::open(world, "unreadable").await?;
        let pull = shop.pull_request("unreadable").await?;
        pull.wait_until_ready().await?;
        let images = json!({"spec": {"images": [{"name": "UPPER CASE:::", "tag": "x"}]}});
        shop.environments().patch(&pull.name(), &PatchParams::default(), &Patch::Merge(&images)).await?;
        let status = pull.wait("Stalled", |s| is_true(&s.conditions, STALLED)).await?;
        let stalled = preview_env::api::conditions::find(&status.conditions, STALLED).unwrap();
        assert_eq!(stalled.reason, "Invalid");
        assert!(stalled.message.contains("spec.images[0].name"), "{}", stalled.message);
        pull.perform(github_double::On::close).await?;
        pull.wait_until_gone().await
    });
}

#[test]
fn rights_that_somebody_took_away_are_given_again() {
    story(|world| async move {
        let shop = Shop::open(world, "unbound").await?;
        let pull = shop.pull_request("unbound").await?;
        pull.wait_until_ready().await?;
        let bindings: Api<RoleBinding> = Api::namespaced(world.admin.clone(), &pull.namespace());
        bindings.delete(ROLE_BINDING, &DeleteParams::default()).await?;
        pull.perform(github_double::On::push).await?;
        let revision = pull.revision()?;
        let (environments, name) = (shop.environments(), pull.name());
        let up = |e: Option<&PreviewEnvironment>| {
            e.and_then(|e| e.status.as_ref()).is_some_and(|s| s.ready_revision.as_ref() == Some(&revision))
        };
        // It may be told that it is refused and tried again after a minute, which is longer than one wait.
        tokio::time::timeout(deadline() * 2, await_condition(environments, &name, up)).await??;
        Ok(())
    });
}
