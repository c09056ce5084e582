//! A GitHub App that is suspended, taken out of a repository and uninstalled, by a signed delivery or while nobody heard of
//! it and another owner's installation is suspended, and a stranger who takes the old name of a repository that was renamed.

use github_double::{Action, Failure, Fault, Hook, Key, NewApp, on};
use kube::Api;
use preview_env::api::Baseline;
use preview_env::api::baseline::RepositoryStatus;
use preview_env::api::environment::SourceState;
use serde_json::Value;
use test_world::{APP, DEVELOPER, SECRET, World, deadline, wait_for};

use crate::replicas::{FIRST, SECOND, second, wait_until_leads};
use crate::shop::{Pull, Shop, story_apart};

/// From now on the service is an App that is installed on these repositories alone, under a number that is given back.
pub async fn become_app(world: &World, shops: &[&Shop]) -> anyhow::Result<u64> {
    let manifest: Value = serde_json::from_str(include_str!("../../deploy/github-app.json"))?;
    let (permissions, events) = (manifest["default_permissions"].as_object(), manifest["default_events"].as_array());
    let permissions: Vec<_> =
        permissions.into_iter().flatten().map(|(name, level)| (name.as_str(), level.as_str().unwrap_or_default())).collect();
    let events: Vec<_> = events.into_iter().flatten().filter_map(Value::as_str).collect();
    let url = world.service.lock().await.url("/webhooks/github");
    let app = NewApp::new(APP, "previews", &Key::shared().public).permissions(&permissions).events(&events);
    world.github.add_app(app.webhook(Hook::to(&url).secret(SECRET)))?;
    let installation = install(world, shops)?;
    {
        let mut service = world.service.lock().await;
        std::fs::write(service.folder().join("github-app-key"), Key::shared().private)?;
        service.be_app();
    }
    while_away(world, || Ok(())).await?;
    Ok(installation)
}

/// Waits until the Baseline of a shop says something of its repository.
pub async fn wait_until_found(shop: &Shop, what: &str, fits: impl Fn(&RepositoryStatus) -> bool + Send + Sync) -> anyhow::Result<()> {
    let baselines: Api<Baseline> = Api::namespaced(shop.world.admin.clone(), &shop.namespace);
    let found = |baseline: Option<&Baseline>| {
        let status = baseline.and_then(|baseline| baseline.status.as_ref());
        status.is_some_and(|status| status.repositories.iter().any(&fits))
    };
    wait_for(&baselines, &shop.namespace, what, found).await.map(drop)
}

/// A shop of that name in a world of its own, whose service is an App from now on that is installed on its repository.
pub async fn shop_of_an_app(world: &'static World, name: &str) -> anyhow::Result<Shop> {
    let shop = Shop::open(world, name).await?;
    wait_until_found(&shop, "known by its number", |repository| repository.id > 0).await?;
    become_app(world, &[&shop]).await?;
    Ok(shop)
}

fn install(world: &World, shops: &[&Shop]) -> anyhow::Result<u64> {
    let repositories: Vec<&str> = shops.iter().map(|shop| shop.repository.as_str()).collect();
    Ok(world.github.install(APP, "acme", Some(&repositories))?)
}

/// What happens while the service is away, it is told nothing of.
async fn while_away(world: &World, happen: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    let mut service = world.service.lock().await;
    service.kill();
    happen()?;
    world.github.clear_requests();
    service.launch()?;
    service.wait_until_ready().await
}

/// Waits until GitHub was asked for a token for a repository by its number or, by an App that has none, for its installations.
async fn wait_until_asked_by_number(world: &World) -> anyhow::Result<()> {
    let asked = |one: &github_double::Logged| one.path.starts_with("/app/installations?");
    let look = |github: &github_double::Double| github.requests().iter().any(asked).then_some(());
    world.github.wait_until("question for the installations", deadline(), look).await
}

/// What is made for a pull request, so that it can be told from another made in its place.
pub async fn made_for(pull: &Pull<'_>) -> anyhow::Result<(Option<String>, Option<String>)> {
    let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(pull.shop.world.admin.clone());
    Ok((pull.environment().await?.metadata.uid, namespaces.get(&pull.namespace()).await?.metadata.uid))
}

pub async fn is_still_there(pull: &Pull<'_>, made: &(Option<String>, Option<String>)) -> anyhow::Result<()> {
    anyhow::ensure!(made_for(pull).await? == *made, "something else is there now");
    let states: Vec<SourceState> = pull.environment().await?.spec.sources.iter().map(|source| source.state).collect();
    anyhow::ensure!(states == [SourceState::Open], "{states:?}");
    Ok(())
}

#[test]
fn what_an_app_may_not_see_any_more_ends_and_what_it_cannot_see_for_now_stays() {
    story_apart(|world| async move {
        let (taken, kept, heard) = (Shop::open(world, "taken").await?, Shop::open(world, "kept").await?, Shop::open(world, "heard").await?);
        for shop in [&taken, &kept, &heard] {
            wait_until_found(shop, "known by its number", |repository| repository.id > 0).await?;
        }
        let installation = become_app(world, &[&taken, &kept]).await?;
        world.github.add_private_repository("globex/site")?;
        world.github.suspend(world.github.install(APP, "globex", None)?, DEVELOPER)?;
        let (first, second) = (taken.pull_request("login").await?, kept.pull_request("login").await?);
        first.wait_until_ready().await?;
        second.wait_until_ready().await?;
        let (made_first, made_second) = (made_for(&first).await?, made_for(&second).await?);

        let suspended = world.github.perform(Action::Suspend { installation, by: DEVELOPER.to_owned() }).await?;
        assert!(suspended.delivery().answer().contains("its environments stay"), "{}", suspended.delivery().answer());
        while_away(world, || Ok(())).await?;
        wait_until_asked_by_number(world).await?;
        is_still_there(&first, &made_first).await?;
        is_still_there(&second, &made_second).await?;
        world.github.act(Action::Unsuspend { installation, by: DEVELOPER.to_owned() })?;

        let repositories = vec![taken.repository.clone()];
        let take = Action::RemoveRepositories { installation, repositories, by: DEVELOPER.to_owned() };
        while_away(world, || world.github.act(take).map(drop).map_err(Into::into)).await?;
        first.wait_until_gone().await?;
        is_still_there(&second, &made_second).await?;

        while_away(world, || world.github.uninstall(installation, DEVELOPER).map(drop).map_err(Into::into)).await?;
        second.wait_until_gone().await?;

        let again = install(world, &[&heard])?;
        let third = heard.pull_request("login").await?;
        third.wait_until_ready().await?;
        let uninstalled = world.github.perform(Action::Uninstall { installation: again, by: DEVELOPER.to_owned() }).await?;
        assert_eq!(uninstalled.status(), Some(202), "{}", uninstalled.delivery().answer());
        third.wait_until_gone().await
    });
}

#[test]
fn whoever_takes_the_old_name_of_a_repository_ends_nothing_of_it() {
    story_apart(|world| async move {
        let shop = shop_of_an_app(world, "renamed").await?;
        let pull = shop.pull_request("login").await?;
        pull.wait_until_ready().await?;
        let made = made_for(&pull).await?;

        while_away(world, || {
            world.github.rename(&shop.repository, "acme/elsewhere")?;
            world.github.add_private_repository(&shop.repository)?;
            Ok(())
        })
        .await?;
        let is_elsewhere = |repository: &RepositoryStatus| repository.renamed.as_deref() == Some("acme/elsewhere");
        wait_until_found(&shop, "known by its new name", is_elsewhere).await?;
        is_still_there(&pull, &made).await?;

        let moved = Shop { world, namespace: shop.namespace.clone(), repository: "acme/elsewhere".to_owned() };
        let pull = Pull { shop: &moved, number: pull.number, status: None };
        world.github.perform(on(&moved.repository, pull.number, DEVELOPER).push()).await?;
        pull.wait_until_ready().await?;
        let revision = pull.revision()?;
        pull.wait_for_comment(|body| body.contains(&revision[..7])).await?;
        is_still_there(&pull, &made).await?;
        assert_eq!(world.github.comments(&shop.repository, pull.number), [], "nothing was written to the stranger");
        Ok(())
    });
}

/// What stands on a pull request: comments, checks and deployments.
type Shown = (usize, usize, usize);
/// Whether something stands there.
type Written = fn(Shown) -> bool;

fn shown_on(pull: &Pull<'_>) -> anyhow::Result<Shown> {
    let records = pull.shop.world.github.repository(&pull.shop.repository)?.records;
    let sha = pull.revision()?;
    let checks = records.checks.values().filter(|check| check.head_sha == sha).count();
    Ok((pull.comments(), checks, records.deployments.values().filter(|one| one.sha == sha).count()))
}

/// Waits until that is written whose answer is on its way, and kills the one that leads.
async fn kill_at(pull: &Pull<'_>, written: Written) -> anyhow::Result<()> {
    let look = |_: &github_double::Double| shown_on(pull).ok().filter(|shown| written(*shown));
    pull.shop.world.github.wait_until("what is being written", deadline(), look).await?;
    pull.shop.world.service.lock().await.kill();
    Ok(())
}

#[test]
fn two_replicas_of_which_one_is_killed_while_it_writes_write_everything_once() {
    story_apart(|world| async move {
        let shop = shop_of_an_app(world, "once").await?;
        wait_until_leads(world, FIRST).await?;
        let moments: [(&str, &str, Written); 3] = [
            ("comment", "/repos/*/*/issues/*/comments", |(comments, ..)| comments > 0),
            ("check", "/repos/*/*/check-runs", |(_, checks, _)| checks > 0),
            ("deployment", "/repos/*/*/deployments", |(.., deployments)| deployments > 0),
        ];
        for (what, path, written) in moments {
            let second = second(world).await?;
            // It takes effect, and the answer comes when nobody waits for it any more.
            world.github.inject(Fault::on("POST", path, Failure::late_answer(deadline())));
            let pull = shop.pull_request(&format!("killed-at-{what}")).await?;
            kill_at(&pull, written).await?;
            wait_until_leads(world, SECOND).await?;
            pull.wait_until_ready().await?;
            pull.wait_for_comment(|body| body.contains("is ready")).await?;
            pull.wait_until_told().await?;
            assert_eq!(shown_on(&pull)?, (1, 1, 1), "killed while it wrote the {what}");
            let mut service = world.service.lock().await;
            service.launch()?;
            service.wait_until_ready().await?;
            drop((service, second));
            wait_until_leads(world, FIRST).await?;
        }
        Ok(())
    });
}
