//! A service that GitHub cannot reach: it takes no deliveries, and asks.

use github_double::{Open, Records, on};
use preview_env::api::environment::Verb;
use test_world::{DEVELOPER, World};

use crate::app::shop_of_an_app;
use crate::shop::{Pull, Shop, story_alone, story_apart};

async fn start(world: &World, poll: Option<&'static str>) -> anyhow::Result<()> {
    let mut service = world.service.lock().await;
    service.kill();
    service.poll(poll);
    service.launch()?;
    service.wait_until_ready().await
}

async fn polled(world: &World, shop: &Shop) -> anyhow::Result<()> {
    // Nobody is told: what happens is built as deliveries, and none is sent.
    let number = world.github.act(Open::new(&shop.repository, "asked-for", DEVELOPER))?.number();
    let pull = Pull { shop, number, status: None };
    pull.wait_until_ready().await?;
    pull.wait_for_comment(|body| body.contains("is ready")).await?;

    world.github.act(on(&shop.repository, number, DEVELOPER).push())?;
    let revision = pull.revision()?;
    pull.wait("at its new head", |s| s.revision.as_ref() == Some(&revision)).await?;

    world.github.act(on(&shop.repository, number, DEVELOPER).comment("/preview pin"))?;
    pull.wait("pinned", |s| s.commands.iter().any(|c| c.verb == Verb::Pin)).await?;

    world.github.act(on(&shop.repository, number, DEVELOPER).merge())?;
    pull.wait_until_gone().await
}

#[test]
fn a_service_that_polls_needs_no_delivery() {
    story_alone(|world| async move {
        let shop = Shop::open(world, "polled").await?;
        start(world, Some("5s")).await?;
        let told = polled(world, &shop).await;
        // The other stories send deliveries.
        start(world, None).await?;
        told
    });
}

#[test]
fn an_app_that_polls_needs_no_delivery_and_offers_no_button() {
    story_apart(|world| async move {
        let shop = shop_of_an_app(world, "polled-app").await?;
        start(world, Some("5s")).await?;
        polled(world, &shop).await?;

        let number = world.github.act(Open::new(&shop.repository, "checked", DEVELOPER))?.number();
        let pull = Pull { shop: &shop, number, status: None };
        let revision = pull.revision()?;
        let done = |records: &Records| {
            let check = records.checks.values().find(|check| check.head_sha == revision)?;
            (check.conclusion.as_deref() == Some("success")).then(|| check.clone())
        };
        let check = pull.wait_for_record("check that is well", done).await?;
        assert!(check.actions.is_empty(), "nobody would hear of a press: {:?}", check.actions);
        Ok(())
    });
}
