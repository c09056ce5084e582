//! Deliveries that come twice, late or in the wrong order, and an API server that is away.

use github_double::On;
use kube::ResourceExt;
use kube::api::ListParams;

use crate::shop::{Shop, story, story_alone};

#[test]
fn a_delivery_that_comes_twice_makes_one_environment() {
    story(|world| async move {
        let shop = Shop::open(world, "twice").await?;
        let (pull, opened) = shop.unheard_of("login")?;
        let (first, second) = tokio::join!(world.github.send(&opened), world.github.redeliver(opened.id));
        assert_eq!((first.status(), second?.status()), (Some(202), Some(202)));
        pull.wait_until_ready().await?;
        let before = pull.environment().await?;
        assert_eq!(world.github.redeliver(opened.id).await?.status(), Some(202));
        let after = pull.environment().await?;
        assert_eq!((before.uid(), before.metadata.generation), (after.uid(), after.metadata.generation));
        assert_eq!(shop.environments().list(&ListParams::default()).await?.items.len(), 1);
        pull.wait_for_comment(|body| body.contains("is ready")).await?;
        assert_eq!(pull.comments(), 1);
        Ok(())
    });
}

#[test]
fn an_older_delivery_does_not_undo_a_newer_one() {
    story(|world| async move {
        let shop = Shop::open(world, "older").await?;
        let (pull, opened) = shop.unheard_of("login")?;
        let pushed = pull.act_later(On::push)?;
        assert_eq!(world.github.send(&pushed).await.status(), Some(202));
        let late = world.github.send(&opened).await;
        assert_eq!(late.status(), Some(202));
        assert!(late.answer().contains("older than what is recorded"), "{}", late.answer());
        pull.wait_until_ready().await?;
        let environments = shop.environments().list(&ListParams::default()).await?.items;
        let revisions: Vec<_> = environments.iter().flat_map(|e| &e.spec.sources).map(|s| s.revision.clone()).collect();
        assert_eq!(revisions, [pull.revision()?]);
        Ok(())
    });
}

#[test]
fn an_opening_that_a_close_has_overtaken_leaves_nothing() {
    story(|world| async move {
        let shop = Shop::open(world, "overtaken").await?;
        let (pull, opened) = shop.unheard_of("login")?;
        let closed = pull.act_later(On::close)?;
        assert_eq!(world.github.send(&closed).await.status(), Some(202));
        pull.wait_until_gone().await?;
        assert_eq!(world.github.send(&opened).await.status(), Some(202), "nobody remembers the close any more");
        pull.wait_until_gone().await?;
        for comment in world.github.comments(&shop.repository, pull.number) {
            assert!(comment.body.contains("emoved") || comment.body.contains("No preview"), "{}", comment.body);
        }
        Ok(())
    });
}

#[test]
fn what_the_cluster_cannot_hold_is_not_acknowledged_and_works_once_delivered_again() {
    story_alone(|world| async move {
        let shop = Shop::open(world, "outage").await?;
        let before = shop.pull_request("before").await?;
        before.wait_until_ready().await?;
        let (pull, opened) = shop.unheard_of("during")?;
        world.cluster.stop_api_server();
        let refused = world.github.send(&opened).await;
        world.cluster.start_api_server().await?;
        assert_eq!(refused.status(), Some(503), "{}", refused.answer());
        assert!(refused.answer().contains("deliver it again"), "{}", refused.answer());
        assert_eq!(world.github.redeliver(opened.id).await?.status(), Some(202));
        pull.wait_until_ready().await?;
        before.wait_until_ready().await?;
        assert_eq!(pull.perform(On::merge).await?, Some(202));
        pull.wait_until_gone().await
    });
}
