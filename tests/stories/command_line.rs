//! The command line, in the hands of a developer.

use chrono::{DateTime, TimeDelta, Utc};
use github_double::{Action, On, Open};
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::Api;
use preview_env::api::conditions::{READY, WANTED, find, is_true};
use serde_json::Value;
use test_world::{DEVELOPER, wait_for};

use crate::developer::Developer;
use crate::shop::{Shop, story};

#[test]
fn create_with_wait_prints_plain_progress_and_the_url() {
    story(|world| async move {
        let shop = Shop::open(world, "cli-create").await?;
        let developer = Developer::of(&shop).await?;
        let (pull, _) = shop.unheard_of("login")?;
        let ran = developer.run(&["create", "--pull", "1", "--image", "web=debug-1", "--ttl", "24h", "--wait"]).await?;
        assert!(ran.stderr.lines().count() >= 2 && ran.stderr.lines().all(|l| !l.contains(['\r', '\u{1b}'])), "{}", ran.stderr);
        assert!(ran.stderr.contains("objects applied"), "{}", ran.stderr);
        assert_eq!(ran.succeeds(), "http://web-pr-1.cli-create.preview.example.com\n");

        let status = pull.wait_until_ready().await?;
        let web = Api::<Deployment>::namespaced(world.admin.clone(), &pull.namespace()).get("web").await?;
        let image = web.spec.and_then(|s| s.template.spec).and_then(|p| p.containers[0].image.clone());
        assert_eq!(image.as_deref(), Some("registry.example.com:5000/acme/web:debug-1"));
        let left = status.expires_at.expect("an expiry") - Utc::now();
        assert!(left > TimeDelta::hours(23) && left < TimeDelta::hours(25), "{left}");
        let actor = pull.environment().await?.spec.wish.map(|w| w.actor);
        assert_eq!(actor.as_deref(), Some("system:serviceaccount:cli-create:dev"));
        Ok(())
    });
}

#[test]
fn a_branch_without_a_pull_request_gets_an_environment_too() {
    story(|world| async move {
        let shop = Shop::with(world, "cli-branch", |spec| {
            spec["repositories"][0]["images"][0]["tag"] = "{{ branch_slug }}-{{ revision_short }}".into();
        })
        .await?;
        let developer = Developer::of(&shop).await?;
        let push = Action::Push { repo: shop.repository.clone(), branch: "feature/login".into(), by: DEVELOPER.into(), force: false };
        world.github.act(push)?;
        let url = developer.run(&["create", "--branch", "feature/login", "--wait"]).await?.succeeds();
        assert!(url.starts_with("http://web-feature-login-") && url.ends_with(".cli-branch.preview.example.com\n"), "{url}");
        let names = developer.run(&["list", "-o", "name"]).await?.succeeds();
        let name = names.trim().trim_start_matches("previewenvironment.preview-env.dev/").to_owned();
        developer.run(&["delete", &name, "--yes", "--wait"]).await?.succeeds();
        wait_for(&shop.environments(), &name, "gone", |e: Option<&_>| e.is_none()).await?;

        let missing = developer.run(&["create", "--branch", "feature/logon", "--wait"]).await?.fails(3);
        assert!(missing.contains("error: "), "{missing}");
        Ok(())
    });
}

#[test]
fn in_a_git_checkout_nothing_has_to_be_said() {
    story(|world| async move {
        let shop = Shop::open(world, "cli-git").await?;
        let developer = Developer::of(&shop).await?;
        let (pull, _) = shop.unheard_of("login")?;
        developer.git(&["init", "--quiet", "--initial-branch=login"]).await?;
        developer.git(&["remote", "add", "origin", "https://github.com/acme/cli-git.git"]).await?;
        developer.git(&["config", "branch.login.remote", "origin"]).await?;
        developer.git(&["config", "branch.login.merge", "refs/pull/1/head"]).await?;
        let ran = developer.run(&["create"]).await?;
        assert!(ran.stderr.contains("acme/cli-git#1, from the git checkout"), "{}", ran.stderr);
        assert!(ran.succeeds().starts_with("web-pr-1: asked for acme/cli-git#1"));
        pull.wait_until_ready().await?;

        developer.git(&["config", "branch.login.merge", "refs/heads/login"]).await?;
        let again = developer.run(&["create", "-o", "name"]).await?;
        assert!(again.stderr.contains("acme/cli-git#1"), "the cluster knows the branch's pull request: {}", again.stderr);
        assert_eq!(again.succeeds(), "previewenvironment.preview-env.dev/web-pr-1\n");
        Ok(())
    });
}

#[test]
fn what_cannot_be_made_ends_with_a_code_and_the_next_step() {
    story(|world| async move {
        let shop = Shop::open(world, "cli-refused").await?;
        let developer = Developer::of(&shop).await?;
        let misspelt = developer.run(&["create", "--repo", "acme/cli-refusd", "--pull", "1"]).await?.fails(3);
        assert!(misspelt.contains("did you mean: preview create --repo acme/cli-refused --pull 1"), "{misspelt}");
        let unknown = developer.run(&["create", "--pull", "99", "--wait"]).await?.fails(3);
        assert!(unknown.contains("check its number"), "{unknown}");
        let nothing = developer.run(&["describe", "web-pr-98"]).await?.fails(3);
        assert!(nothing.contains("did you mean: web-pr-99"), "{nothing}");
        developer.run(&["create", "--pull", "nine"]).await?.fails(2);
        let image = developer.run(&["create", "--pull", "1", "--image", "wbe=1"]).await?.fails(2);
        assert!(image.contains("it lists registry.example.com:5000/acme/web"), "{image}");
        let elsewhere = developer.run(&["list", "-n", "default"]).await?.fails(1);
        assert!(elsewhere.contains("you may not list previewenvironments in namespace default"), "{elsewhere}");
        Ok(())
    });
}

#[test]
fn a_fork_and_a_closed_pull_request_are_refused_with_code_4() {
    story(|world| async move {
        let shop = Shop::open(world, "cli-outside").await?;
        let developer = Developer::of(&shop).await?;
        world.github.add_user("giver");
        let fork = world.github.fork(&shop.repository, "giver")?;
        let gift = world.github.act(Open::new(&shop.repository, "gift", "giver").from_fork(&fork))?.number().to_string();
        let refused = developer.run(&["create", "--pull", &gift, "--wait"]).await?.fails(4);
        assert!(refused.contains("fork"), "{refused}");

        let (pull, _) = shop.unheard_of("login")?;
        pull.act_later(On::close)?;
        let closed = developer.run(&["create", "--pull", &pull.number.to_string(), "--wait"]).await?.fails(4);
        assert!(closed.contains("closed") || closed.contains("deleted"), "{closed}");
        Ok(())
    });
}

/// What changes from run to run, by what it is.
fn normalised(text: &str, revision: &str) -> String {
    let short = &revision[..7];
    text.replace(revision, "REVISION").replace(short, "COMMIT0")
}

#[test]
fn list_and_describe_show_people_and_scripts_what_is_there() {
    story(|world| async move {
        let shop = Shop::open(world, "cli-list").await?;
        let developer = Developer::of(&shop).await?;
        let empty = developer.run(&["list"]).await?;
        assert!(empty.stderr.contains("no environments in namespace cli-list"), "{}", empty.stderr);
        let pull = shop.pull_request("login").await?;
        pull.wait_until_ready().await?;
        let revision = pull.revision()?;

        let table = normalised(&developer.run(&["list"]).await?.succeeds(), &revision);
        insta::assert_snapshot!(table.replace("4d23h", "5d"), @r"
        NAME      SOURCE           REVISION  PHASE  URL                                           EXPIRES
        web-pr-1  acme/cli-list#1  COMMIT0   Ready  http://web-pr-1.cli-list.preview.example.com  5d
        ");
        let wide = developer.run(&["list", "-o", "wide"]).await?.succeeds();
        assert!(wide.contains("cli-list-web-pr-1  3/3"), "{wide}");
        assert_eq!(developer.run(&["list", "-o", "url"]).await?.succeeds(), "http://web-pr-1.cli-list.preview.example.com\n");
        assert_eq!(developer.run(&["list", "-o", "name"]).await?.succeeds(), "previewenvironment.preview-env.dev/web-pr-1\n");
        let json: Value = serde_json::from_str(&developer.run(&["list", "-o", "json"]).await?.succeeds())?;
        assert_eq!(json["items"][0]["spec"]["sources"][0]["revision"], revision.as_str());
        let yaml = developer.run(&["list", "-o", "yaml"]).await?.succeeds();
        assert!(yaml.contains("name: web-pr-1") && yaml.contains("kind: PreviewEnvironment"), "{yaml}");

        let described = normalised(&developer.run(&["describe", "--pull", "1"]).await?.succeeds(), &revision);
        for line in [
            "web-pr-1  Ready",
            "acme/cli-list#1 at COMMIT0, by dev",
            "services, 3 of 3 ready",
            "PodDisruptionBudget/web",
            "preview delete web-pr-1",
        ] {
            assert!(described.contains(line), "{line:?} is not in\n{described}");
        }
        Ok(())
    });
}

#[test]
fn delete_takes_down_and_waits() {
    story(|world| async move {
        let shop = Shop::open(world, "cli-delete").await?;
        let developer = Developer::of(&shop).await?;
        let pull = shop.pull_request("login").await?;
        pull.wait("ready", |s| is_true(&s.conditions, READY)).await?;
        let ran = developer.run(&["delete", "--pull", "1", "--yes", "--wait"]).await?;
        assert!(ran.stderr.contains("a push does not bring it back"), "{}", ran.stderr);
        assert_eq!(ran.succeeds(), "web-pr-1: gone\n");
        assert!(!pull.has_namespace().await?);
        let none = developer.run(&["delete", "web-pr-7", "--yes"]).await?.fails(3);
        assert!(none.contains("web-pr-7"), "{none}");
        Ok(())
    });
}

#[test]
fn what_lives_a_short_time_is_gone_after_it() {
    story(|world| async move {
        let shop = Shop::open(world, "cli-ttl").await?;
        let developer = Developer::of(&shop).await?;
        let (pull, _) = shop.unheard_of("login")?;
        let before: DateTime<Utc> = Utc::now();
        developer.run(&["create", "--pull", "1", "--ttl", "5s"]).await?.succeeds();
        // The object stays as the record of it, as long as the pull request is open.
        let status = pull
            .wait("taken down", |s| find(&s.conditions, WANTED).is_some_and(|c| c.reason == "Expired") && s.namespace.is_none())
            .await?;
        assert!(Utc::now() - before >= TimeDelta::seconds(5));
        assert!(status.inventory.is_empty() && !pull.has_namespace().await?);
        Ok(())
    });
}
