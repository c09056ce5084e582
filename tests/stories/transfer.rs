//! A repository that is given to another owner: its number stays, while its name, its owner and the App's installation are others.

use github_double::{Action, Permission, on};
use preview_env::api::environment::SourceState;
use preview_env::domain::Instance;
use test_world::{APP, DEVELOPER};

use crate::app::{is_still_there, made_for, shop_of_an_app};
use crate::shop::{Pull, Shop, story_apart};

const BEFORE: &str = "acme/given";
const AFTER: &str = "globex/given";

#[test]
fn a_repository_that_is_given_to_another_owner_keeps_its_environments_and_comments() {
    story_apart(|world| async move {
        let shop = shop_of_an_app(world, "given").await?;
        assert_eq!(shop.repository, BEFORE);
        let pull = shop.pull_request("login").await?;
        pull.wait_until_ready().await?;
        pull.wait_for_comment(|body| body.contains("is ready")).await?;
        let (made, written) = (made_for(&pull).await?, world.github.comments(BEFORE, pull.number).remove(0));
        let signature = written.body.lines().next().and_then(|line| line.strip_prefix("<!-- preview-env ")?.strip_suffix(" -->"));
        assert!(signature.is_some_and(|cluster| cluster.parse::<Instance>().is_ok()), "it is signed: {}", written.body);
        let number = world.github.repository(BEFORE)?.id;

        world.github.permit(BEFORE, DEVELOPER, Permission::Admin)?;
        let give = Action::TransferRepository { repo: BEFORE.into(), to: "globex".into(), by: DEVELOPER.into() };
        let told = world.github.perform(give).await?;
        assert!(told.delivery().answer().contains("its environments keep its number"), "{}", told.delivery().answer());
        world.github.install(APP, "globex", None)?;
        assert_eq!(world.github.repository(AFTER)?.id, number);
        is_still_there(&pull, &made).await?;

        // Nothing restarts, and the Baseline spells the old name still.
        let moved = Shop { world, namespace: shop.namespace.clone(), repository: AFTER.to_owned() };
        let pull = Pull { shop: &moved, number: pull.number, status: None };
        world.github.advance(chrono::TimeDelta::seconds(1));
        world.github.perform(on(AFTER, pull.number, DEVELOPER).push()).await?;
        pull.wait_until_ready().await?;
        let revision = pull.revision()?;
        pull.wait_for_comment(|body| body.contains(&revision[..7]) && body.contains("is ready")).await?;
        is_still_there(&pull, &made).await?;
        let comments: Vec<u64> = world.github.comments(AFTER, pull.number).iter().map(|comment| comment.id).collect();
        assert_eq!(comments, [written.id], "the same comment, and no other");

        world.github.advance(chrono::TimeDelta::seconds(1));
        world.github.perform(on(AFTER, pull.number, DEVELOPER).close()).await?;
        pull.wait_until_gone().await?;
        // Another one, which nobody knew before.
        let next = moved.pull_request("logout").await?;
        next.wait_until_ready().await?;
        next.wait_for_comment(|body| body.contains("is ready")).await?;
        let states: Vec<SourceState> = next.environment().await?.spec.sources.iter().map(|source| source.state).collect();
        assert_eq!(states, [SourceState::Open]);
        Ok(())
    });
}
