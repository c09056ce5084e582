use super::*;
use serde_json::json;

fn repo(text: &str) -> RepoName {
    text.parse().unwrap()
}

fn object(name: &str, repositories: &[&str]) -> api::Baseline {
    let repositories: Vec<_> = repositories.iter().map(|name| json!({"name": name})).collect();
    let mut object = api::Baseline::new(name, serde_json::from_value(json!({"repositories": repositories})).unwrap());
    object.metadata.namespace = Some("shop".into());
    object
}

fn baselines() -> Vec<Baseline> {
    usable("shop", &[object("shop", &["acme/web", "acme/api"])], None).unwrap()
}

fn checkout(remotes: &[(&str, &str)]) -> Checkout {
    let remote = |(name, repository): &(&str, &str)| Remote { name: (*name).to_owned(), repository: repository.parse().ok() };
    Checkout {
        branch: Some("x".into()),
        tracked: None,
        remotes: remotes.iter().map(remote).collect(),
        branch_has_remote: true,
        push_follows: false,
    }
}

fn pull(number: i64) -> Wanted {
    Wanted { subject: Some(Subject::Pull(number)), ..Wanted::default() }
}

#[test]
fn a_repository_that_is_not_listed_is_answered_with_what_is() {
    let failure = listed("shop", &baselines(), &repo("acme/wbe"), &pull(42)).unwrap_err();
    insta::assert_snapshot!(failure, @r"
    error: no Baseline in namespace shop lists the repository acme/wbe
      shop lists acme/web, acme/api
      did you mean: preview create --repo acme/web --pull 42
    ");
    let failure = listed("shop", &baselines(), &repo("other/thing"), &Wanted::default()).unwrap_err();
    assert_eq!((failure.exit, failure.next[1].as_str()), (Exit::NotFound, "or add other/thing to the Baseline's spec.repositories"));
}

#[test]
fn baselines_that_are_missing_wrong_or_many_are_said() {
    let wrong = {
        let mut wrong = object("shop", &["acme/web"]);
        wrong.spec.lifetime.ttl = "0s".into();
        wrong
    };
    let two = usable("shop", &[object("a", &["acme/web"]), object("b", &["acme/web"])], None).unwrap();
    let shown = [
        usable("shop", &[], None).unwrap_err(),
        usable("shop", &[object("shop", &["acme/web"])], Some("shp")).unwrap_err(),
        usable("shop", &[wrong], None).unwrap_err(),
        listed("shop", &two, &repo("acme/web"), &Wanted::default()).unwrap_err(),
    ];
    insta::assert_snapshot!(shown.map(|f| f.to_string()).join("\n"), @r#"
    error: no Baseline in namespace shop
      name the namespace that is to be copied: -n NAMESPACE
      see where there are some: kubectl get baselines -A
      or write one for shop: preview init -n shop
    error: no Baseline shp in namespace shop
      shop has shop
    error: Baseline shop cannot be used: spec.lifetime.ttl: cannot read "0s" as a time to live: it must be at least a second; write it like 36h or 5d
      mend it: kubectl -n shop edit baseline shop
    error: several Baselines in namespace shop list acme/web: a, b
      name one: --baseline a
    "#);
}

#[test]
fn the_repository_is_the_listed_one_of_the_checkout() {
    let name = |checkout: Option<&Checkout>, wanted: &Wanted| repository_name(&baselines(), checkout, wanted).map(|n| n.to_string());
    let fork = checkout(&[("origin", "ann/web"), ("upstream", "acme/web")]);
    assert_eq!(name(Some(&fork), &pull(1)).unwrap(), "acme/web");
    assert_eq!(name(Some(&checkout(&[("origin", "ann/other")])), &pull(1)).unwrap(), "ann/other");
    assert!(name(None, &pull(1)).unwrap_err().next[0].contains("acme/web, acme/api"));
    assert_eq!(name(None, &Wanted::default()).unwrap_err().exit, Exit::Usage);
    let one = usable("shop", &[object("shop", &["acme/web"])], None).unwrap();
    assert_eq!(repository_name(&one, None, &pull(1)).unwrap(), repo("acme/web"));
}

#[test]
fn ci_counts_only_for_its_own_repository() {
    let web = repo("acme/web");
    assert_eq!(ci_pull(&web, Some("Acme/web"), Some("refs/pull/42/merge")), Some(42));
    assert_eq!(ci_pull(&web, Some("acme/infra"), Some("refs/pull/42/merge")), None);
    assert_eq!(ci_pull(&web, None, Some("refs/heads/main")), None);
}

#[test]
fn a_known_pull_request_is_open_and_not_from_a_fork() {
    let environment = |number: i64, state: &str, head_repository: i64| {
        let source = json!({"forge": "github", "repositoryId": 7, "repository": "acme/web", "pull": number, "state": state,
            "revision": "a".repeat(40), "observedAt": "2026-01-01T00:00:00Z", "headBranch": "login", "headRepositoryId": head_repository});
        PreviewEnvironment::new("e", serde_json::from_value(json!({"baseline": "shop", "sources": [source]})).unwrap())
    };
    let all = [environment(41, "Open", 7), environment(42, "Open", 7), environment(43, "Closed", 7), environment(44, "Open", 8)];
    assert_eq!(known_pull(&all, &repo("acme/web"), "login"), Some(42));
    assert_eq!(known_pull(&all, &repo("acme/web"), "main"), None);
    assert_eq!(known_pull(&all, &repo("acme/api"), "login"), None);
}

mod with_git {
    use super::*;
    use std::path::{Path, PathBuf};

    fn git(dir: &Path, args: &[&str]) -> String {
        let output = std::process::Command::new("git")
            .args(["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"])
            .args(args)
            .current_dir(dir)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_SYSTEM", "/dev/null")
            .output()
            .expect("git is installed");
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn bare(folder: &Path, name: &str) -> PathBuf {
        let path = folder.join(name);
        std::fs::create_dir_all(&path).unwrap();
        git(&path, &["init", "--quiet", "--bare"]);
        git(&path, &["symbolic-ref", "HEAD", "refs/heads/main"]);
        path
    }

    /// `work` has the remotes `origin` (ann's fork) and `upstream`; `main` is everywhere, `login` in the named remote.
    async fn guess(folder: &Path, pushed_to: Option<&str>, pull_request: bool) -> Result<Subject, Failure> {
        let (upstream, fork, work) = (bare(folder, "acme/web.git"), bare(folder, "ann/web.git"), folder.join("work"));
        git(folder, &["init", "--quiet", "work"]);
        for (name, path) in [("origin", &fork), ("upstream", &upstream)] {
            git(&work, &["remote", "add", name, &format!("file://{}", path.display())]);
        }
        git(&work, &["checkout", "--quiet", "-B", "main"]);
        git(&work, &["commit", "--quiet", "--allow-empty", "-m", "main"]);
        git(&work, &["push", "--quiet", "upstream", "main"]);
        git(&work, &["checkout", "--quiet", "-b", "login"]);
        git(&work, &["commit", "--quiet", "--allow-empty", "-m", "login"]);
        if let Some(remote) = pushed_to {
            git(&work, &["push", "--quiet", "-u", remote, "login"]);
        }
        if pull_request {
            let head = git(&work, &["rev-parse", "HEAD"]);
            git(&work, &["push", "--quiet", "upstream", &format!("{head}:refs/pull/42/head")]);
        }
        let git = Git::at(&work);
        let checkout = git.checkout().await.unwrap().unwrap();
        let repository = repo("acme/web");
        let guess = Guess { git: &git, checkout: &checkout, repository: &repository };
        guess.advertised(guess.base()?, guess.branch()?).await
    }

    #[tokio::test]
    async fn a_pushed_branch_is_its_pull_request_or_itself() {
        for (pull_request, subject) in [(true, Subject::Pull(42)), (false, Subject::Branch("login".into()))] {
            let folder = tempfile::tempdir().unwrap();
            assert_eq!(guess(folder.path(), Some("upstream"), pull_request).await.unwrap(), subject);
        }
    }

    #[tokio::test]
    async fn a_branch_of_a_fork_is_its_pull_request_or_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(guess(folder.path(), Some("origin"), true).await.unwrap(), Subject::Pull(42));
        let folder = tempfile::tempdir().unwrap();
        assert!(guess(folder.path(), Some("origin"), false).await.unwrap_err().message.contains("fork of acme/web"));
    }

    #[tokio::test]
    async fn a_branch_that_is_not_pushed_is_to_be_pushed() {
        let folder = tempfile::tempdir().unwrap();
        let failure = guess(folder.path(), None, false).await.unwrap_err();
        assert_eq!((failure.exit, failure.next[0].as_str()), (Exit::NotFound, "push it first: git push -u upstream login"));
    }

    #[tokio::test]
    async fn the_default_branch_is_never_the_pull_request_that_was_merged_last() {
        let folder = tempfile::tempdir().unwrap();
        guess(folder.path(), Some("upstream"), false).await.unwrap();
        let work = folder.path().join("work");
        let head = git(&work, &["rev-parse", "main"]);
        git(&work, &["push", "--quiet", "upstream", &format!("{head}:refs/pull/41/head")]);
        git(&work, &["checkout", "--quiet", "main"]);
        let git = Git::at(&work);
        let (checkout, repository) = (git.checkout().await.unwrap().unwrap(), repo("acme/web"));
        let guess = Guess { git: &git, checkout: &checkout, repository: &repository };
        assert_eq!(guess.advertised(guess.base().unwrap(), "main").await.unwrap(), Subject::Branch("main".into()));
    }

    #[test]
    fn a_detached_head_is_said() {
        let checkout = Checkout { branch: None, ..super::checkout(&[("origin", "acme/web")]) };
        let (git, repository) = (Git::at("."), repo("acme/web"));
        let guess = Guess { git: &git, checkout: &checkout, repository: &repository };
        assert!(Guess { repository: &repo("acme/api"), ..guess }.base().unwrap_err().message.contains("no remote for acme/api"));
        assert!(guess.branch().unwrap_err().message.contains("detached HEAD"));
    }

    #[test]
    fn a_branch_that_follows_another_is_called_by_its_own_name_unless_pushes_go_there() {
        let (git, repository) = (Git::at("."), repo("acme/web"));
        let name = |checkout: &Checkout| Guess { git: &git, checkout, repository: &repository }.branch().unwrap().to_owned();
        let own = Checkout { tracked: Some("refs/heads/main".into()), ..super::checkout(&[("origin", "acme/web")]) };
        assert_eq!(name(&own), "x");
        assert_eq!(name(&Checkout { push_follows: true, ..own }), "main");
        let fork = Checkout { tracked: Some("refs/heads/login".into()), ..super::checkout(&[("ann", "ann/web"), ("origin", "acme/web")]) };
        assert_eq!(name(&fork), "login");
    }
}
