//! Pull requests from outside: nothing of them runs that nobody let.

use github_double::{Action, Open, Records};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{Api, ListParams, Patch, PatchParams};
use preview_env::api::conditions::{APPROVED, ConditionStatus};
use serde_json::json;

use crate::said::kept;
use crate::shop::{Pull, Shop, story};

async fn opened_from_a_fork<'a>(shop: &'a Shop, fork: &str, by: &str) -> anyhow::Result<Pull<'a>> {
    shop.opened(Open::new(&shop.repository, "gift", by).from_fork(fork)).await
}

/// What the newest commit status says of a commit.
fn state_of(records: &Records, revision: &str) -> Option<String> {
    records.statuses_of(revision).next().map(|status| status.state.clone())
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
        kept("from_a_fork", &pull, &comment, None).await?;

        world
            .github
            .perform(Action::PushTo { repo: shop.repository.clone(), number: pull.number, by: "stranger".to_owned(), force: false })
            .await?;
        let revision = pull.revision()?;
        pull.wait_for_comment(|body| body.contains(&revision)).await?;
        assert!(pull.environment().await?.status.is_some_and(|s| s.namespace.is_none() && s.services.is_empty()));
        assert!(!pull.has_namespace().await?);
        assert_eq!(pull.comments(), 1);
        pull.wait_for_record("status that waits", |records| (state_of(records, &revision)? == "pending").then_some(())).await?;

        assert_eq!(pull.perform(github_double::On::close).await?, Some(202));
        pull.wait_until_gone().await?;
        let records = world.github.repository(&shop.repository)?.records;
        assert_eq!(state_of(&records, &revision).as_deref(), Some("success"), "nobody waits for anything any more");
        Ok(())
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

async fn approve(pull: &Pull<'_>, revision: &str) -> anyhow::Result<()> {
    let approval = json!({"spec": {"approval": {"revision": revision, "actor": "ann", "at": chrono::Utc::now().to_rfc3339()}}});
    let environments = pull.shop.world.environments_as_service(&pull.shop.namespace).await?;
    environments.patch(&pull.name(), &PatchParams::default(), &Patch::Merge(approval)).await?;
    Ok(())
}

#[test]
fn one_commit_of_a_fork_runs_after_an_approval_and_the_next_one_waits() {
    story(|world| async move {
        let shop = Shop::of_whole_commits(world, "approved").await?;
        world.github.add_user("giver");
        let fork = world.github.fork(&shop.repository, "giver")?;
        let pull = opened_from_a_fork(&shop, &fork, "giver").await?;
        pull.wait_for_condition(APPROVED, ConditionStatus::False, "Fork").await?;
        let first = pull.revision()?;
        approve(&pull, &first).await?;
        pull.wait_until_ready().await?;

        let push = Action::PushTo { repo: shop.repository.clone(), number: pull.number, by: "giver".to_owned(), force: false };
        world.github.advance(chrono::TimeDelta::seconds(1));
        world.github.perform(push).await?;
        let second = pull.revision()?;
        let why = pull.wait_for_condition(APPROVED, ConditionStatus::False, "Fork").await?;
        assert!(why.contains(&second[..7]) && why.ends_with(&format!("what runs is {}", &first[..7])), "{why}");
        let status = pull.environment().await?.status.unwrap_or_default();
        assert_eq!((status.revision.as_ref(), status.namespace.is_some()), (Some(&first), true), "what was approved goes on");
        assert!(status.images.iter().all(|image| !image.tag.contains(&second[..7])), "and nothing is asked about the next");

        approve(&pull, &second).await?;
        pull.wait_until_ready().await?;
        Ok(())
    });
}

#[test]
fn what_nobody_approved_can_run_apart_from_everything() {
    story(|world| async move {
        let shop = Shop::with(world, "isolated", |spec| spec["trust"] = json!({"forks": "Isolated"})).await?;
        world.github.add_user("unknown");
        let fork = world.github.fork(&shop.repository, "unknown")?;
        let pull = opened_from_a_fork(&shop, &fork, "unknown").await?;
        pull.wait_for_condition(APPROVED, ConditionStatus::True, "Isolated").await?;
        let status = pull.wait_until_ready().await?;
        let reason = status.left_out.iter().find(|l| l.kind == "Secret" && l.name == "listed").map(|l| l.why.clone());
        assert!(reason.is_some_and(|why| why.contains("trust.forks: Isolated")), "{:?}", status.left_out);

        let (admin, namespace) = (world.admin.clone(), pull.namespace());
        let secrets = Api::<Secret>::namespaced(admin.clone(), &namespace).list(&ListParams::default()).await?;
        assert!(secrets.items.is_empty(), "{:?}", secrets.items);
        let marked = Api::<Namespace>::all(admin.clone()).get(&namespace).await?.metadata.labels.unwrap_or_default();
        assert_eq!(marked.get("preview-env.dev/trust").map(String::as_str), Some("isolated"));
        let policy = Api::<NetworkPolicy>::namespaced(admin, &namespace).get("preview-env-isolation").await?;
        assert_eq!(policy.spec.and_then(|s| s.egress).map(|egress| egress.len()), Some(2), "DNS and itself");
        Ok(())
    });
}
