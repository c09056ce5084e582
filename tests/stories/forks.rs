//! Pull requests from outside: nothing of them runs.

use github_double::{Action, Open};
use preview_env::api::conditions::{APPROVED, ConditionStatus};

use crate::shop::{Pull, Shop, story};

async fn opened_from_a_fork<'a>(shop: &'a Shop, fork: &str, by: &str) -> anyhow::Result<Pull<'a>> {
    shop.opened(Open::new(&shop.repository, "gift", by).from_fork(fork)).await
}

#[test]
fn nothing_of_a_fork_runs_and_status_and_comment_say_why() {
    story(|world| async move {
        let shop = Shop::open(world, "fork").await?;
        world.github.add_user("stranger");
        let fork = world.github.fork(&shop.repository, "stranger")?;
        let pull = opened_from_a_fork(&shop, &fork, "stranger").await?;
        assert_eq!(pull.status, Some(202));
        let why = pull.wait_for_condition(APPROVED, ConditionStatus::False, "Fork").await?;
        assert!(why.contains("comes from a fork"), "{why}");
        let comment = pull.wait_for_comment(|body| body.contains("comes from a fork")).await?;
        assert!(comment.contains(&pull.revision()?), "it says how that very commit can run: {comment}");

        world
            .github
            .perform(Action::PushTo { repo: shop.repository.clone(), number: pull.number, by: "stranger".to_owned(), force: false })
            .await?;
        let revision = pull.revision()?;
        pull.wait_for_comment(|body| body.contains(&revision)).await?;
        assert!(pull.environment().await?.status.is_some_and(|s| s.namespace.is_none() && s.services.is_empty()));
        assert!(!pull.has_namespace().await?);
        assert_eq!(pull.comments(), 1);

        assert_eq!(pull.perform(github_double::On::close).await?, Some(202));
        pull.wait_until_gone().await
    });
}

#[test]
fn a_branch_whose_repository_is_gone_is_treated_as_a_fork() {
    story(|world| async move {
        let shop = Shop::open(world, "orphan").await?;
        world.github.add_user("leaver");
        let fork = world.github.fork(&shop.repository, "leaver")?;
        let open = Open::new(&shop.repository, "gift", "leaver").from_fork(&fork);
        let number = world.github.act(open)?.number();
        world.github.act(Action::DeleteRepository { repo: fork, by: "leaver".to_owned() })?;
        let pull = Pull { shop: &shop, number, status: None };
        let edited = pull.act_later(|on| on.retitle("A gift from nowhere"))?;
        assert_eq!(edited.json()["pull_request"]["head"]["repo"], serde_json::Value::Null);
        assert_eq!(world.github.send(&edited).await.status(), Some(202));
        pull.wait_for_condition(APPROVED, ConditionStatus::False, "Fork").await?;
        pull.wait_for_comment(|body| body.contains("comes from a fork")).await?;
        assert!(!pull.has_namespace().await?);
        Ok(())
    });
}
