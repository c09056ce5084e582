//! Which changes get an environment: labels, drafts, bases, paths, branches, and who lists whose repository.

use github_double::{Action, Hook, On, Open, Permission, on};
use kube::ResourceExt;
use kube::api::ListParams;
use preview_env::api;
use preview_env::api::PreviewEnvironment;
use preview_env::api::conditions::{ConditionStatus, READY, WANTED, is_true};
use serde_json::json;
use test_world::{DEVELOPER, SECRET, wait_for};

use crate::shop::{Pull, Shop, story};

async fn wait_until_down(pull: &Pull<'_>, reason: &str) -> anyhow::Result<String> {
    let why = pull.wait_for_condition(WANTED, ConditionStatus::False, reason).await?;
    pull.wait("nothing of it is left", |s| s.namespace.is_none()).await?;
    Ok(why)
}

/// Has GitHub tell of more than pull requests.
async fn hear_of(shop: &Shop, events: &[&str]) -> anyhow::Result<()> {
    let url = shop.world.service.lock().await.url("/webhooks/github");
    shop.world.github.add_webhook(Hook::to(&url).secret(SECRET).events(events).only(&shop.repository))?;
    Ok(())
}

#[test]
fn a_label_asks_for_an_environment_by_who_set_it() {
    story(|world| async move {
        let shop = Shop::with(world, "labels", |spec| spec["trigger"] = json!({"pullRequests": "Labelled"})).await?;
        let pull = shop.pull_request("login").await?;
        assert_eq!(pull.status, Some(202));
        assert!(shop.environments().get_opt(&pull.name()).await?.is_none(), "nothing asks for it");

        world.github.add_user("sorter");
        world.github.permit(&shop.repository, "sorter", Permission::Triage)?;
        world.github.perform(on(&shop.repository, pull.number, "sorter").label("preview")).await?;
        let why = wait_until_down(&pull, "NotTriggered").await?;
        assert!(why.starts_with("sorter set the label preview"), "{why}");
        assert!(!pull.has_namespace().await?);

        for act in [github_double::On::unlabel as fn(_, &str) -> _, github_double::On::label] {
            let delivery = pull.act_later(|on| act(on, "preview"))?;
            world.github.send(&delivery).await;
        }
        pull.wait_until_ready().await?;
        let unlabelled = pull.act_later(|on| on.unlabel("preview"))?;
        world.github.send(&unlabelled).await;
        wait_until_down(&pull, "NotTriggered").await?;
        assert!(!pull.has_namespace().await?);
        Ok(())
    });
}

#[test]
fn drafts_bases_and_paths_are_looked_at_with_every_change() {
    story(|world| async move {
        let trigger = json!({"baseBranches": ["main"], "paths": ["web/**"]});
        let shop = Shop::with(world, "filters", |spec| spec["trigger"] = trigger).await?;
        world.github.act(Action::Push { repo: shop.repository.clone(), branch: "next".into(), by: DEVELOPER.into(), force: false })?;
        let pull = shop.opened(Open::new(&shop.repository, "login", DEVELOPER).files(&["README.md"])).await?;
        let why = wait_until_down(&pull, "NotTriggered").await?;
        assert!(why.contains("changes nothing that trigger.paths names"), "{why}");

        // Moved out of what is named: the old name counts too.
        world.github.change_files(&shop.repository, pull.number, &[("docs/page.md", Some("web/page.md"))])?;
        world.github.send(&pull.act_later(On::push)?).await;
        pull.wait_until_ready().await?;
        world.github.send(&pull.act_later(|on| on.retarget("next"))?).await;
        let why = wait_until_down(&pull, "NotTriggered").await?;
        assert!(why.contains("goes into next"), "{why}");
        world.github.send(&pull.act_later(|on| on.retarget("main"))?).await;
        pull.wait_until_ready().await?;
        world.github.send(&pull.act_later(On::to_draft)?).await;
        wait_until_down(&pull, "Draft").await?;
        world.github.send(&pull.act_later(On::ready)?).await;
        pull.wait_until_ready().await?;
        world.github.send(&pull.act_later(On::force_push)?).await;
        pull.wait_until_ready().await?;
        Ok(())
    });
}

async fn environments_of(shop: &Shop) -> anyhow::Result<Vec<PreviewEnvironment>> {
    Ok(shop.environments().list(&ListParams::default()).await?.items)
}

#[test]
fn a_branch_gets_one_with_a_push_and_loses_it_when_it_is_deleted() {
    story(|world| async move {
        let trigger = json!({"pullRequests": "None", "branches": ["demo/*"]});
        let shop = Shop::with(world, "branches", |spec| {
            spec["trigger"] = trigger;
            spec["repositories"][0]["images"][0]["tag"] = json!("{{ revision_short }}");
        })
        .await?;
        hear_of(&shop, &["push"]).await?;
        let push = |branch: &str, force: bool| Action::Push {
            repo: shop.repository.clone(),
            branch: branch.to_owned(),
            by: DEVELOPER.to_owned(),
            force,
        };
        for other in ["login", "gh-readonly-queue/main/pr-1-abc"] {
            world.github.perform(push(other, false)).await?;
        }
        assert!(environments_of(&shop).await?.is_empty());
        world.github.perform(push("demo/fair", false)).await?;
        let name = environments_of(&shop).await?.first().map(ResourceExt::name_any).unwrap_or_default();
        assert!(name.starts_with("web-demo-fair-"), "{name}");

        for force in [false, true] {
            let head = world.github.repository(&shop.repository)?.branches["demo/fair"].clone();
            let at_head = |e: Option<&PreviewEnvironment>| {
                e.and_then(|e| e.status.as_ref()).is_some_and(|s| is_true(&s.conditions, READY) && s.revision.as_ref() == Some(&head))
            };
            wait_for(&shop.environments(), &name, "Ready at the branch's head", at_head).await?;
            world.github.perform(push("demo/fair", force)).await?;
        }
        let deleted = Action::DeleteBranch { repo: shop.repository.clone(), branch: "demo/fair".to_owned(), by: DEVELOPER.to_owned() };
        world.github.advance(chrono::TimeDelta::seconds(1));
        world.github.perform(deleted).await?;
        wait_for(&shop.environments(), &name, "gone", |e: Option<&PreviewEnvironment>| e.is_none()).await?;
        Ok(())
    });
}

#[test]
fn two_baselines_of_one_repository_and_one_baseline_of_two() {
    story(|world| async move {
        let first = Shop::open(world, "shared").await?;
        let theirs = first.repository.clone();
        let second = Shop::with(world, "sharing", |spec| {
            let own = spec["repositories"][0].clone();
            spec["repositories"] = json!([own, {"name": theirs, "alias": "other", "trigger": {"pullRequests": "All", "drafts": true}}]);
        })
        .await?;
        let pull = first.opened(Open::new(&first.repository, "login", DEVELOPER).draft()).await?;
        let other = Pull { shop: &second, number: pull.number, status: None };
        let name = format!("other-pr-{}", pull.number);
        let ready = |e: Option<&PreviewEnvironment>| e.and_then(|e| e.status.as_ref()).is_some_and(|s| is_true(&s.conditions, READY));
        wait_for(&second.environments(), &name, "Ready by a trigger of its own", ready).await?;
        wait_until_down(&pull, "Draft").await?;
        assert!(second.environments().get_opt(&other.name()).await?.is_none());
        let own = second.pull_request("cart").await?;
        own.wait_until_ready().await?;
        world.github.send(&pull.act_later(On::close)?).await;
        pull.wait_until_gone().await?;
        wait_for(&second.environments(), &name, "gone", |e: Option<&PreviewEnvironment>| e.is_none()).await?;
        Ok(())
    });
}

#[test]
fn a_repository_keeps_its_environments_through_a_rename_and_ends_them_when_it_is_deleted() {
    story(|world| async move {
        let shop = Shop::open(world, "renamed").await?;
        hear_of(&shop, &["repository"]).await?;
        let baselines: kube::Api<api::Baseline> = kube::Api::namespaced(world.admin.clone(), &shop.namespace);
        let number = i64::try_from(world.github.repository(&shop.repository)?.id)?;
        let known =
            |b: Option<&api::Baseline>| b.and_then(|b| b.status.as_ref()).is_some_and(|s| s.repositories.iter().any(|r| r.id == number));
        wait_for(&baselines, &shop.namespace, "its number", known).await?;
        let pull = shop.pull_request("login").await?;
        pull.wait_until_ready().await?;

        world.github.permit(&shop.repository, DEVELOPER, Permission::Admin)?;
        world.github.perform(Action::RenameRepository { repo: shop.repository.clone(), to: "moved".into(), by: DEVELOPER.into() }).await?;
        let moved = Shop { world, namespace: shop.namespace.clone(), repository: "acme/moved".to_owned() };
        let pull = Pull { shop: &moved, number: pull.number, status: None };
        world.github.send(&pull.act_later(On::push)?).await;
        pull.wait_until_ready().await?;
        assert_eq!(environments_of(&moved).await?.len(), 1);

        // A stranger takes the old name.
        world.github.add_repository(&shop.repository)?;
        world.github.permit(&shop.repository, DEVELOPER, Permission::Write)?;
        let strange = shop.opened(Open::new(&shop.repository, "a", DEVELOPER)).await?;
        assert_eq!((strange.status, environments_of(&moved).await?.len()), (Some(202), 1), "nothing of it is previewed");

        world.github.perform(Action::DeleteRepository { repo: moved.repository.clone(), by: DEVELOPER.into() }).await?;
        wait_for(&moved.environments(), &pull.name(), "gone", |e: Option<&PreviewEnvironment>| e.is_none()).await?;
        Ok(())
    });
}
