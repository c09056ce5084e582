//! Our client as a GitHub App against the double of GitHub, which checks signatures, tokens and their narrowed rights, and
//! counts what is beyond GitHub's limits.

#![cfg(test)]

use std::time::Duration;

use chrono::TimeDelta;
use github_double::{Action, Double, Key, NewApp, Open, Permission};
use preview_env::config::{GithubConfig, GithubCredential};
use preview_env::domain::RepoName;
use preview_env::forge::github::GitHub;
use preview_env::forge::{Access, Forge, ForgeError, RepositoryFacts};
use serde_json::Value;

const APP: u64 = 7;

struct World {
    double: Double,
    github: GitHub,
    installation: u64,
    web: RepoName,
    _folder: tempfile::TempDir,
}

impl World {
    /// The App has what the manifest asks for, and is installed on one of two repositories.
    fn new() -> Self {
        let double = Double::start().unwrap();
        double.add_user("ann");
        double.add_private_repository("acme/web").unwrap();
        double.add_private_repository("acme/other").unwrap();
        double.permit("acme/web", "ann", Permission::Write).unwrap();
        let manifest: Value = serde_json::from_str(include_str!("../deploy/github-app.json")).unwrap();
        let permissions = manifest["default_permissions"].as_object().unwrap();
        let permissions: Vec<_> = permissions.iter().map(|(name, level)| (name.as_str(), level.as_str().unwrap())).collect();
        double.add_app(NewApp::new(APP, "previews", &Key::shared().public).permissions(&permissions)).unwrap();
        let installation = double.install(APP, "acme", Some(&["acme/web"])).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let key_file = folder.path().join("key.pem");
        std::fs::write(&key_file, Key::shared().private).unwrap();
        let credential = GithubCredential::App { id: APP.to_string().parse().unwrap(), key_file };
        let config = GithubConfig::with(double.base_url(), credential).unwrap().with_second_look(Duration::from_millis(10));
        Self { github: GitHub::new(config).unwrap(), double, installation, web: "acme/web".parse().unwrap(), _folder: folder }
    }

    fn number(&self, repository: &str) -> i64 {
        i64::try_from(self.double.repository(repository).unwrap().id).unwrap()
    }

    fn open(&self) -> i64 {
        i64::try_from(self.double.act(Open::new("acme/web", "feature/login", "ann")).unwrap().number()).unwrap()
    }

    fn is_as_github_wants_it(&self) {
        assert_eq!(self.double.contract_violations(), []);
        assert_eq!(self.double.limit_violations(), []);
    }
}

#[tokio::test]
async fn an_app_reads_and_writes_as_itself_where_it_is_installed_and_nowhere_else() {
    let world = World::new();
    let (github, web, number) = (&world.github, &world.web, world.open());
    assert_eq!(github.login().await.unwrap(), "previews[bot]");
    assert_eq!(github.pull_request(web, number).await.unwrap().author, "ann");
    assert_eq!(github.permission(web, "ann").await.unwrap(), preview_env::forge::Permission::Write);
    github.branch(web, "feature/login").await.unwrap();
    let id = github.create_comment(web, number, "<!-- m --> one").await.unwrap();
    github.edit_comment(web, id, "<!-- m --> two").await.unwrap();
    let found = github.find_comments(web, number, &["<!-- m -->"]).await.unwrap().remove(0);
    assert_eq!((found.id, found.body.as_str()), (id, "<!-- m --> two"));
    let other = github.repository(&"acme/other".parse().unwrap()).await.unwrap_err();
    assert!(matches!(other, ForgeError::Refused { status: 404, .. }), "{other}");
    world.is_as_github_wants_it();
}

#[tokio::test]
async fn githubs_clock_is_the_one_that_counts() {
    for minutes in [-30, 30] {
        let world = World::new();
        world.double.advance(TimeDelta::minutes(minutes));
        assert_eq!(world.github.repository(&world.web).await.unwrap().name, world.web);
        world.double.advance(TimeDelta::minutes(70));
        assert_eq!(world.github.repository(&world.web).await.unwrap().name, world.web, "the token is an hour old by then");
        world.is_as_github_wants_it();
    }
}

#[tokio::test]
async fn an_uninstalled_app_is_told_from_a_suspended_one_and_from_an_outage() {
    let world = World::new();
    let id = world.number("acme/web");
    let home = RepositoryFacts { id, name: world.web.clone(), private: true };
    assert_eq!(world.github.access(id, &world.web).await, Ok(Access::Granted(Some(home))));
    world.double.suspend(world.installation, "ann").unwrap();
    assert_eq!(world.github.access(id, &world.web).await, Ok(Access::Granted(None)), "environments stay");
    world.double.go_down();
    assert_eq!(world.github.access(id, &world.web).await.unwrap_err().label(), "unavailable");
    world.double.come_up();
    world.double.uninstall(world.installation, "ann").unwrap();
    assert_eq!(world.github.access(id, &world.web).await, Ok(Access::Revoked));
    world.double.install(APP, "acme", None).unwrap();
    assert_eq!(world.github.repository(&world.web).await.unwrap().name, world.web);
    world.is_as_github_wants_it();
}

#[tokio::test]
async fn whoever_takes_the_old_name_of_a_renamed_repository_takes_nothing_from_us() {
    let world = World::new();
    let id = world.number("acme/web");
    world.double.rename("acme/web", "acme/site").unwrap();
    let renamed = RepositoryFacts { id, name: "acme/site".parse().unwrap(), private: true };
    assert_eq!(world.github.access(id, &world.web).await, Ok(Access::Granted(Some(renamed.clone()))), "while the old name leads on");
    world.double.add_private_repository("acme/web").unwrap();
    let stranger = world.github.repository(&world.web).await.unwrap_err();
    assert!(matches!(stranger, ForgeError::Refused { status: 404, .. }), "{stranger}");
    assert_eq!(world.github.access(id, &world.web).await, Ok(Access::Granted(Some(renamed))));
    world
        .double
        .act(Action::RemoveRepositories { installation: world.installation, repositories: vec!["acme/site".into()], by: "ann".into() })
        .unwrap();
    assert_eq!(world.github.access(id, &world.web).await, Ok(Access::Revoked));
    world.is_as_github_wants_it();
}
