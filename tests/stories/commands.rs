//! What people ask for in comments: who may, what comes of it, and that nothing else does.

use chrono::TimeDelta;
use github_double::{Failure, Fault, On, Open, Records, on};
use kube::api::Api;
use preview_env::api::PreviewEnvironment;
use preview_env::api::conditions::{ConditionStatus, WANTED};
use preview_env::api::environment::WishState;
use preview_env::api::status::{CommandOutcome, CommandResult};
use test_world::{DEVELOPER, wait_for};

use crate::said::kept;
use crate::shop::{Pull, Shop, story, story_alone, story_apart};

/// What is said of a pin where nobody knows how many others there are.
const PINNED: &str = "it lives until the pull request is closed, as long as no more than 5 are pinned (limits.pinned).";

/// Writes a comment, and gives what the delivery was answered.
pub async fn say(pull: &Pull<'_>, by: &str, body: &str) -> anyhow::Result<String> {
    let github = &pull.shop.world.github;
    // Comments of one second are in the order of their numbers; people are not that quick.
    github.advance(TimeDelta::seconds(1));
    let done = github.perform(on(&pull.shop.repository, pull.number, by).comment(body)).await?;
    anyhow::ensure!(done.status() == Some(202), "the comment's delivery is not taken: {}", done.delivery().answer());
    Ok(done.delivery().answer().to_owned())
}

/// Waits until so many commands came to an end and none is left to do, and gives the last result.
pub async fn result(pull: &Pull<'_>, count: usize) -> anyhow::Result<CommandResult> {
    let ended = |e: Option<&PreviewEnvironment>| {
        e.is_some_and(|e| e.spec.commands.is_empty() && e.status.as_ref().is_some_and(|s| s.commands.len() == count))
    };
    let there = wait_for(&pull.shop.environments(), &pull.name(), "with its commands carried out", ended).await?;
    let results = there.and_then(|e| e.status).map(|s| s.commands).unwrap_or_default();
    results.last().cloned().ok_or_else(|| anyhow::anyhow!("no command was carried out"))
}

/// Nothing is left of the field managers of commands that were carried out.
async fn no_managers_are_left(api: &Api<PreviewEnvironment>, name: &str) -> anyhow::Result<()> {
    let fields = api.get(name).await?.metadata.managed_fields.unwrap_or_default();
    let left: Vec<_> = fields.into_iter().filter_map(|f| f.manager).filter(|m| m.starts_with("preview-env/command-")).collect();
    anyhow::ensure!(left.is_empty(), "these managers are left: {left:?}");
    Ok(())
}

/// Waits until what held nothing but commands is gone with them.
async fn answered(pull: &Pull<'_>) -> anyhow::Result<()> {
    let gone = |e: Option<&PreviewEnvironment>| e.is_none();
    wait_for(&pull.shop.environments(), &pull.name(), "gone with its command", gone).await.map(drop)
}

#[test]
fn commands_are_carried_out_in_their_order_and_leave_nothing_behind() {
    story(|world| async move {
        let shop = Shop::open(world, "commands").await?;
        let pull = shop.pull_request("login").await?;
        pull.wait_until_ready().await?;

        say(&pull, DEVELOPER, "Thanks!\n\n/preview extend 48h\n/preview pin\n").await?;
        let pinned = result(&pull, 2).await?;
        assert_eq!((pinned.outcome, pinned.message.as_str()), (CommandOutcome::Done, PINNED));
        let lifetime = pull.environment().await?.spec.lifetime.ok_or_else(|| anyhow::anyhow!("no lifetime"))?;
        assert!(lifetime.pinned == Some(true) && lifetime.extended_until.is_some(), "{lifetime:?}");

        say(&pull, DEVELOPER, "/preview image web=debug").await?;
        assert_eq!(result(&pull, 3).await?.message, "it runs registry.example.com:5000/acme/web:debug.");
        assert_eq!(pull.environment().await?.spec.images[0].tag, "debug");

        say(&pull, DEVELOPER, "/preview delete").await?;
        assert_eq!(result(&pull, 4).await?.outcome, CommandOutcome::Done);
        pull.wait_for_condition(WANTED, ConditionStatus::False, "DeletedByWish").await?;
        pull.wait("taken down", |s| s.namespace.is_none()).await?;
        say(&pull, DEVELOPER, "/preview logs web").await?;
        assert!(result(&pull, 5).await?.message.contains("/preview create brings it back"));

        say(&pull, DEVELOPER, "/preview create").await?;
        assert_eq!(result(&pull, 6).await?.outcome, CommandOutcome::Done);
        pull.wait_until_ready().await?;
        let wish = pull.environment().await?.spec.wish;
        assert_eq!(wish.map(|w| (w.state, w.actor)), Some((WishState::Present, format!("github:{DEVELOPER}"))));
        no_managers_are_left(&shop.environments(), &pull.name()).await?;
        assert_eq!(pull.comments() - 5, 1, "five of a person and one of ours");
        assert_eq!(pull.perform(On::close).await?, Some(202));
        pull.wait_until_gone().await
    });
}

#[test]
fn an_environment_can_be_asked_for_where_none_comes_by_itself() {
    story(|world| async move {
        let on_command = |spec: &mut serde_json::Value| spec["trigger"] = serde_json::json!({"pullRequests": "OnCommand"});
        let shop = Shop::with(world, "on-command", on_command).await?;
        world.github.add_user("reader");
        let pull = shop.pull_request("login").await?;

        say(&pull, "reader", "/preview create").await?;
        answered(&pull).await?;
        assert_eq!(pull.comments(), 1, "a stranger's command makes nobody post");

        say(&pull, DEVELOPER, "/preview craete").await?;
        let comment =
            pull.wait_for_comment(|body| body.contains("### No preview") && body.contains("Did you mean `/preview create`?")).await?;
        kept("no_preview_and_a_typo", &pull, &comment, None).await?;
        answered(&pull).await?;
        say(&pull, DEVELOPER, "/preview").await?;
        pull.wait_for_comment(|body| body.contains("there is no environment for this pull request. `/preview create` makes one.")).await?;
        answered(&pull).await?;
        assert_eq!(pull.comments(), 4, "three of people and one of ours");

        say(&pull, DEVELOPER, "/preview create").await?;
        pull.wait_until_ready().await?;
        pull.wait_for_comment(|body| body.contains("is ready")).await?;
        assert_eq!(pull.perform(On::merge).await?, Some(202));
        pull.wait_until_gone().await?;
        say(&pull, DEVELOPER, "/preview extend").await?;
        pull.wait_for_comment(|body| body.contains("refused. There is no environment for this pull request, which is merged.")).await?;
        answered(&pull).await?;
        assert_eq!(pull.comments(), 6, "there is one comment of ours, whatever is asked for");
        Ok(())
    });
}

#[test]
fn what_was_answered_where_nothing_is_is_not_answered_again_by_whoever_leads_next() {
    story_alone(|world| async move {
        let on_command = |spec: &mut serde_json::Value| spec["trigger"] = serde_json::json!({"pullRequests": "OnCommand"});
        let shop = Shop::with(world, "answered-once", on_command).await?;
        let pull = shop.pull_request("login").await?;
        say(&pull, DEVELOPER, "/preview").await?;
        pull.wait_for_comment(|body| body.contains("The last command, `/preview` by")).await?;
        answered(&pull).await?;
        // It goes by its own sign.
        let signed = |records: &Records| records.reactions.values().any(|sign| sign.content != "eyes").then_some(());
        pull.wait_for_record("a sign that it is done", signed).await?;

        // The next one reads all comments that were written lately: this one, of which nobody told it, and that one.
        world.github.advance(TimeDelta::seconds(1));
        pull.act_later(|on| on.comment("/preview extend"))?;
        world.service.lock().await.kill();
        crate::crash::start_again(world).await?;
        pull.wait_for_comment(|body| body.contains("The last command, `/preview extend` by")).await?;
        answered(&pull).await?;
        let said = pull.wait_for_comment(|body| body.contains("refused")).await?;
        assert!(!said.contains("`/preview` by"), "{said}");
        assert_eq!(pull.comments(), 3, "two of a person and one of ours");
        Ok(())
    });
}

#[test]
fn what_is_asked_for_while_an_environment_goes_is_answered_before_its_record_goes() {
    story(|world| async move {
        let shop = Shop::open(world, "asked-late").await?;
        let pull = shop.pull_request("login").await?;
        pull.wait_until_ready().await?;
        let permission = format!("/repos/{}/collaborators/{DEVELOPER}/permission", shop.repository);
        world.github.inject(Fault::on("GET", &permission, Failure::status(502)).times(1_000));
        say(&pull, DEVELOPER, "/preview extend").await?;
        assert_eq!(pull.perform(On::merge).await?, Some(202));
        pull.wait_for_comment(|body| body.contains("Preview removed: the pull request was merged")).await?;
        assert_eq!(pull.environment().await?.spec.commands.len(), 1, "nobody can say yet who may");

        world.github.clear_faults_on(&permission);
        pull.wait_for_comment(|body| body.contains("`/preview extend` by `dev`: refused. The pull request is merged.")).await?;
        pull.wait_until_gone().await
    });
}

#[test]
fn comments_that_are_delivered_in_the_wrong_order_are_carried_out_in_theirs() {
    story(|world| async move {
        let on_command = |spec: &mut serde_json::Value| spec["trigger"] = serde_json::json!({"pullRequests": "OnCommand"});
        let shop = Shop::with(world, "wrong-order", on_command).await?;
        let pull = shop.pull_request("login").await?;
        world.github.advance(TimeDelta::seconds(1));
        let create = world.github.act(on(&shop.repository, pull.number, DEVELOPER).comment("/preview create"))?;
        say(&pull, DEVELOPER, "/preview pin").await?;
        let pinned = result(&pull, 2).await?;
        assert_eq!((pinned.outcome, pinned.message.as_str()), (CommandOutcome::Done, PINNED));
        pull.wait_until_ready().await?;

        let before = pull.environment().await?.spec;
        assert_eq!(world.github.send(create.delivery()).await.status(), Some(202));
        result(&pull, 2).await?;
        assert_eq!(pull.environment().await?.spec, before, "what was found is not carried out again");
        no_managers_are_left(&shop.environments(), &pull.name()).await
    });
}

#[test]
fn who_may_not_is_told_so_and_nothing_happens() {
    story(|world| async move {
        let shop = Shop::open(world, "may-not").await?;
        world.github.add_user("passer-by");
        let pull = shop.pull_request("login").await?;
        pull.wait_until_ready().await?;
        say(&pull, "passer-by", "/preview delete").await?;
        let refused = result(&pull, 1).await?;
        assert_eq!(refused.outcome, CommandOutcome::Denied);
        assert!(refused.message.contains("passer-by has") && refused.message.contains("needs write"), "{}", refused.message);

        say(&pull, DEVELOPER, "/preview delte").await?;
        assert_eq!(result(&pull, 2).await?.message, "There is no such command. Did you mean /preview delete?");

        world.github.inject(Fault::on(
            "GET",
            &format!("/repos/{}/collaborators/{DEVELOPER}/permission", shop.repository),
            Failure::status(403),
        ));
        say(&pull, DEVELOPER, "/preview delete").await?;
        let doubt = result(&pull, 3).await?;
        assert!(doubt.message.starts_with("Nobody can tell whether dev may"), "{}", doubt.message);

        let environment = pull.environment().await?;
        assert!(environment.spec.wish.is_none() && environment.spec.activity.is_none(), "{:?}", environment.spec);
        Ok(())
    });
}

#[test]
fn edited_quoted_and_endless_comments_are_no_commands() {
    story(|world| async move {
        let shop = Shop::open(world, "no-commands").await?;
        let pull = shop.pull_request("login").await?;
        pull.wait_until_ready().await?;
        for body in ["> /preview delete", "```\n/preview delete\n```", "<!--\n/preview delete\n-->", "so: /preview delete"] {
            assert!(say(&pull, DEVELOPER, body).await?.contains("no command"), "{body}");
        }
        // GitHub sends no command of an edit as "created"; a forged one that does is as old as its text.
        world.github.advance(TimeDelta::seconds(1));
        let written = world.github.act(on(&shop.repository, pull.number, DEVELOPER).comment("/preview delete"))?;
        let mut edited = written.delivery().json();
        edited["comment"]["updated_at"] = "2100-01-01T00:00:00Z".into();
        let secret = test_world::SECRET;
        let delivery = written.delivery().clone().with_body(edited.to_string()).signed_with(secret);
        assert!(world.github.send(&delivery).await.answer().contains("edited"));

        let mut endless = written.delivery().json();
        endless["comment"]["body"] = format!("/preview delete\n{}", "> ".repeat(2_300_000)).into();
        let delivery = written.delivery().clone().with_body(endless.to_string()).signed_with(secret);
        let answer = world.github.send(&delivery).await;
        assert!(answer.status().is_some_and(|status| status == 202 || status == 413), "{}", answer.answer());

        let environment = pull.environment().await?;
        assert!(environment.spec.commands.is_empty() && environment.spec.wish.is_none());
        assert!(environment.status.is_some_and(|s| s.commands.is_empty()));
        Ok(())
    });
}

#[test]
fn a_forks_commit_is_approved_by_its_name_and_the_next_push_asks_again() {
    story(|world| async move {
        let shop = Shop::of_whole_commits(world, "approve").await?;
        world.github.add_user("giver");
        let fork = world.github.fork(&shop.repository, "giver")?;
        let pull = shop.opened(Open::new(&shop.repository, "gift", "giver").from_fork(&fork)).await?;
        let sha = pull.revision()?;
        say(&pull, "giver", &format!("/preview approve {sha}")).await?;
        assert_eq!(result(&pull, 1).await?.outcome, CommandOutcome::Denied, "not by the one who wrote it");
        say(&pull, DEVELOPER, "/preview approve 0000000").await?;
        assert!(result(&pull, 2).await?.message.contains(&sha[..7]));
        assert!(pull.environment().await?.spec.approval.is_none());

        say(&pull, DEVELOPER, &format!("/preview approve {}", &sha[..12])).await?;
        assert_eq!(result(&pull, 3).await?.outcome, CommandOutcome::Done);
        let approval = pull.environment().await?.spec.approval;
        assert_eq!(approval.map(|a| (a.revision, a.actor)), Some((sha.clone(), format!("github:{DEVELOPER}"))));
        // It was pushed to before the next approval was read: what is approved is what was named.
        world.github.act(github_double::Action::PushTo {
            repo: shop.repository.clone(),
            number: pull.number,
            by: "giver".to_owned(),
            force: false,
        })?;
        say(&pull, DEVELOPER, &format!("/preview approve {}", &sha[..7])).await?;
        assert!(result(&pull, 4).await?.message.contains("at another commit now"));
        Ok(())
    });
}

#[test]
fn a_command_survives_a_crash_and_is_carried_out_once() {
    story_alone(|world| async move {
        let shop = Shop::open(world, "commands-crash").await?;
        let pull = shop.pull_request("login").await?;
        pull.wait_until_ready().await?;
        let mut until = None;
        for (count, after) in [1usize, 2, 3, 4, 5].into_iter().enumerate() {
            let audit = world.audit();
            let mark = audit.mark().await?;
            world.github.advance(TimeDelta::seconds(1));
            let kill = async {
                let mut ticks = tokio::time::interval(std::time::Duration::from_millis(1));
                while crate::crash::writes(&audit, mark)? < after {
                    ticks.tick().await;
                }
                world.service.lock().await.kill();
                anyhow::Ok(())
            };
            let comment = on(&shop.repository, pull.number, DEVELOPER).comment("/preview extend 1h");
            let (killed, done) = tokio::join!(tokio::time::timeout(test_world::deadline(), kill), world.github.perform(comment));
            killed??;
            crate::crash::start_again(world).await?;
            if done.as_ref().map_or(true, |done| done.status() != Some(202)) {
                crate::crash::taken(world, done?.delivery().id).await?;
            }
            result(&pull, count + 1).await?;
            let now = pull.environment().await?.spec.lifetime.and_then(|l| l.extended_until);
            if let (Some(before), Some(now)) = (until, now) {
                let more: TimeDelta = now - before;
                assert!(more >= TimeDelta::hours(1) && more < TimeDelta::minutes(119), "{after}: extended by {more}");
            }
            until = now;
        }
        no_managers_are_left(&shop.environments(), &pull.name()).await
    });
}

#[test]
fn what_somebody_writes_who_may_push_counts_as_activity_once_it_is_found() {
    story_apart(|world| async move {
        let shop = Shop::open(world, "activity").await?;
        world.github.add_user("reader");
        let pull = shop.pull_request("login").await?;
        pull.wait_until_ready().await?;
        world.github.advance(TimeDelta::hours(2));
        say(&pull, DEVELOPER, "Looks good.").await?;
        say(&pull, "reader", "To me too.").await?;
        world.service.lock().await.kill();
        crate::crash::start_again(world).await?;
        let active = |e: Option<&PreviewEnvironment>| e.is_some_and(|e| e.spec.activity.is_some());
        let there = wait_for(&shop.environments(), &pull.name(), "active", active).await?;
        let activity = there.and_then(|e| e.spec.activity).map(|activity| activity.by);
        assert_eq!(activity, Some(format!("github:{DEVELOPER}")));
        Ok(())
    });
}
