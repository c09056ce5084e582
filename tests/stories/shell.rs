//! What somebody who works on a change does with its environment from a shell, beside making it.

use chrono::TimeDelta;
use github_double::Open;
use preview_env::api::conditions::{APPROVED, find};
use test_world::wait_for;

use crate::developer::Developer;
use crate::shop::{Pull, Shop, story};

const NAME: &str = "web-pr-1";
/// A terminal of 40 lines and 100 columns is the command's, which ends once it is told so, and is the shell's again; and so it
/// is where a signal ends the command line.
const TYPED: &str = r#"before=$(stty -g)
stty rows 40 cols 100
preview exec web-pr-1 web -it -- sh -c 'until test "$(stty size)" = "40 100"; do sleep 0.1; done'
echo "ended with $?"
test "$(stty -g)" = "$before" && echo "as before"
sh -c 'exec "$PREVIEW" exec web-pr-1 web -it -- sh -c "kill -TERM $$; sleep 60"'
echo "ended with $?"
test "$(stty -g)" = "$before" && echo "as before""#;

async fn asked(developer: &Developer, line: &str) -> anyhow::Result<crate::developer::Ran> {
    developer.run(&line.split(' ').collect::<Vec<_>>()).await
}

async fn wait_until(
    pull: &Pull<'_>,
    what: &str,
    fits: impl Fn(&preview_env::api::PreviewEnvironment) -> bool + Sync,
) -> anyhow::Result<()> {
    wait_for(&pull.shop.environments(), NAME, what, |e: Option<&_>| e.is_some_and(&fits)).await.map(drop)
}

#[test]
fn an_environment_is_waited_for_opened_and_read_from_a_shell() {
    story(|world| async move {
        let shop = Shop::open(world, "shell-read").await?;
        let developer = Developer::of(&shop).await?;
        shop.pull_request("login").await?;
        let url = "http://web-pr-1.shell-read.preview.example.com\n";
        assert_eq!(asked(&developer, "wait web-pr-1").await?.succeeds(), url);
        assert_eq!(asked(&developer, "open --pull 1").await?.succeeds(), url);
        assert_eq!(asked(&developer, "url --repo acme/shell-read --pull 1 --scheme http").await?.succeeds(), url);
        let baselines = asked(&developer, "baselines").await?.succeeds();
        assert!(baselines.contains("acme/shell-read") && baselines.contains(" of 20  ready"), "{baselines}");
        let events = asked(&developer, "events web-pr-1").await?;
        assert!(events.stderr.contains("you may not list them"), "{}", events.stderr);
        assert!(events.succeeds().contains("previewenvironment/web-pr-1"));

        let refused = asked(&developer, "logs web-pr-1 web").await?.fails(1);
        assert!(refused.contains("you may not list pods in namespace shell-read-web-pr-1"), "{refused}");
        developer.administers(&shop).await?;
        let last = "served request 79 in 2 ms\nconnected to postgres://shop:of-the-database@db/shop\nserved request 80 in 3 ms\n";
        assert_eq!(
            asked(&developer, "logs web-pr-1 web --container web --tail 3").await?.succeeds(),
            last,
            "who may read the pods sees what they log"
        );
        let all = asked(&developer, "logs web-pr-1 --tail 1").await?.succeeds();
        assert!(all.lines().count() > 3 && all.lines().all(|line| line.ends_with("  served request 80 in 3 ms")), "{all}");
        assert!(all.lines().any(|line| line.starts_with("web/migrate  ")), "{all}");
        let misspelt = asked(&developer, "logs web-pr-1 wbe").await?.fails(3);
        assert!(misspelt.contains("web-pr-1 has no service wbe"), "{misspelt}");
        let same = asked(&developer, "diff web-pr-1").await?;
        assert_eq!(same.code, Some(0), "{}{}", same.stdout, same.stderr);

        asked(&developer, "delete web-pr-1 --yes").await?.succeeds();
        assert_eq!(asked(&developer, "wait web-pr-1 --for gone").await?.succeeds(), "web-pr-1: gone\n");
        let over = asked(&developer, "extend web-pr-1").await?.fails(4);
        assert!(over.contains("was taken down") && over.contains("preview create"), "{over}");
        Ok(())
    });
}

#[test]
fn a_command_runs_in_a_service_by_whoever_may() {
    story(|world| async move {
        let shop = Shop::open(world, "shell-exec").await?;
        let developer = Developer::of(&shop).await?;
        shop.pull_request("login").await?;
        asked(&developer, "wait web-pr-1").await?.succeeds();
        let refused = asked(&developer, "exec web-pr-1 web -- env").await?.fails(1);
        assert!(refused.contains("you may not list pods in namespace shell-exec-web-pr-1"), "{refused}");
        developer.administers(&shop).await?;

        // No container runs in this cluster: commands run on this machine, behind a real API server.
        let said = developer.run(&["exec", "web-pr-1", "web", "--", "sh", "-c", "echo served; echo said >&2"]).await?;
        assert!(said.stderr.ends_with("said\n"), "{}", said.stderr);
        assert_eq!(said.succeeds(), "served\n");
        let counted = developer.run(&["exec", "--pull", "1", "--", "seq", "20000"]).await?;
        assert_eq!(counted.stderr, "in web\n", "the only one that the branch builds");
        assert!(counted.succeeds().ends_with("\n19999\n20000\n"), "all of it arrives");
        // kwok tells no command that nothing more comes, so what is asked for here ends without.
        let piped = developer.sh("printf 'one\\ntwo\\n' | preview exec web-pr-1 web -i -- head -n 1").await?.succeeds();
        assert_eq!(piped, "one\n");
        let shell = developer.sh("echo 'echo in $0; exit' | preview exec web-pr-1 web").await?.succeeds();
        assert_eq!(shell, "in bash\n");
        let shown = developer.on_a_terminal(TYPED).await?.succeeds().replace('\r', "");
        for end in ["ended with 0\nas before\n", "ended with 143\nas before\n"] {
            assert!(shown.contains(end), "the terminal is given away, and given back: {shown}");
        }

        let unknown = asked(&developer, "exec web-pr-1 web -- no-such-program").await?.fails(1);
        assert!(unknown.contains("cannot run no-such-program in web: executable file not found in $PATH"), "{unknown}");
        let misspelt = asked(&developer, "exec web-pr-1 wbe -- env").await?.fails(3);
        assert!(misspelt.contains("web-pr-1 has no service wbe"), "{misspelt}");
        let container = asked(&developer, "exec web-pr-1 web -c wbe -- env").await?.fails(3);
        assert!(container.contains("has no container wbe"), "{container}");
        Ok(())
    });
}

#[test]
fn an_environment_is_kept_longer_from_a_shell() {
    story(|world| async move {
        let shop = Shop::open(world, "shell-keep").await?;
        let developer = Developer::of(&shop).await?;
        let pull = shop.pull_request("login").await?;
        let before = pull.wait_until_ready().await?.expires_at.expect("an expiry");
        let said = asked(&developer, "extend web-pr-1 --by 48h").await?.succeeds();
        assert!(said.starts_with("web-pr-1: lives until ") && said.ends_with(" at least\n"), "{said}");
        let later = before + TimeDelta::hours(47);
        wait_until(&pull, "expires later", |e| e.status.as_ref().and_then(|s| s.expires_at).is_some_and(|at| at > later)).await?;
        let pinned = asked(&developer, "pin web-pr-1").await?.succeeds();
        assert!(pinned.contains("until its pull request is closed"), "{pinned}");
        wait_until(&pull, "expires never", |e| e.status.as_ref().is_some_and(|s| s.expires_at.is_none())).await?;
        asked(&developer, "unpin --pull 1").await?.succeeds();
        wait_until(&pull, "expires again", |e| e.status.as_ref().is_some_and(|s| s.expires_at.is_some())).await
    });
}

#[test]
fn a_commit_of_a_fork_is_approved_from_a_shell_by_whoever_may() {
    story(|world| async move {
        let shop = Shop::of_whole_commits(world, "shell-fork").await?;
        let developer = Developer::of(&shop).await?;
        world.github.add_user("giver");
        let fork = world.github.fork(&shop.repository, "giver")?;
        let pull = shop.opened(Open::new(&shop.repository, "gift", "giver").from_fork(&fork)).await?;
        let sha = pull.revision()?;
        wait_until(&pull, "waits for an approval", |e| {
            e.status.as_ref().and_then(|s| find(&s.conditions, APPROVED)).is_some_and(|c| c.reason == "Fork")
        })
        .await?;
        let unnamed = asked(&developer, "approve web-pr-1").await?.fails(2);
        assert!(unnamed.contains(&format!("--revision {sha}")), "{unnamed}");
        let other = asked(&developer, "approve web-pr-1 --revision 0123456789abcdef").await?.fails(4);
        assert!(other.contains(&sha), "{other}");
        let refused = asked(&developer, &format!("approve web-pr-1 --revision {sha}")).await?.fails(1);
        assert!(refused.contains("preview-env:baseline-owner"), "{refused}");

        developer.administers(&shop).await?;
        let said = asked(&developer, &format!("approve web-pr-1 --revision {}", &sha[..12])).await?.succeeds();
        assert!(said.contains(&sha) && said.contains("the next push needs it again"), "{said}");
        pull.wait_until_ready().await?;
        let own = shop.pull_request("login").await?;
        let needless = asked(&developer, &format!("approve web-pr-{}", own.number)).await?.fails(1);
        assert!(needless.contains("needs no approval"), "{needless}");
        Ok(())
    });
}
