use super::*;
use std::path::Path;

/// Runs git in a folder with nothing of the machine's own configuration.
fn git(dir: &Path, args: &[&str]) -> String {
    let output = std::process::Command::new("git")
        .args(["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main", "-c", "commit.gpgsign=false"])
        .args(args)
        .current_dir(dir)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .output()
        .expect("git is installed");
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// A bare `acme/web.git` with `main`, and a clone of it in `work`.
fn clone() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let bare = folder.path().join("acme/web.git");
    std::fs::create_dir_all(&bare).unwrap();
    git(&bare, &["init", "--quiet", "--bare"]);
    let url = format!("file://{}", bare.display());
    git(folder.path(), &["clone", "--quiet", &url, "work"]);
    let work = folder.path().join("work");
    git(&work, &["checkout", "--quiet", "-B", "main"]);
    commit_and_push(&work, "main");
    (folder, work)
}

fn commit_and_push(work: &Path, branch: &str) -> String {
    git(work, &["commit", "--quiet", "--allow-empty", "-m", branch]);
    git(work, &["push", "--quiet", "-u", "origin", branch]);
    git(work, &["rev-parse", "HEAD"])
}

fn repo(text: &str) -> RepoName {
    text.parse().unwrap()
}

#[test]
fn a_repository_is_read_from_every_kind_of_url() {
    for url in [
        "https://github.com/acme/web",
        "https://github.com/acme/web.git",
        "https://user:token@github.com/acme/web.git/",
        "git@github.com:acme/web.git",
        "github.com:acme/web",
        "ssh://git@github.com/acme/web.git",
        "ssh://git@ssh.github.com:443/acme/web.git",
        "https://ghe.example.com:8443/acme/web.git",
        "git@ghe.example.com:acme/web.git",
        "file:///srv/acme/web.git",
        "/srv/acme/web.git",
    ] {
        assert_eq!(repository_of(url), Some(repo("acme/web")), "{url}");
    }
    for url in ["", "origin", "https://github.com", "https://github.com/acme", "git@github.com:web", "https://x/a b/c"] {
        assert_eq!(repository_of(url), None, "{url}");
    }
}

#[test]
fn a_pull_request_is_read_from_its_refs_only() {
    assert_eq!(["refs/pull/42/head", "refs/pull/7/merge"].map(pull_of), [Some(42), Some(7)]);
    for text in ["refs/heads/main", "refs/pull/x/head", "refs/pull/0/head", "refs/pull/42", "refs/pull/42/other", "refs/heads/pull/1/head"]
    {
        assert_eq!(pull_of(text), None, "{text}");
    }
}

#[test]
fn remotes_are_tried_in_the_order_of_likelihood() {
    let all = ["fork", "origin", "upstream"];
    assert_eq!(order(None, all.into_iter()), ["upstream", "origin", "fork"]);
    assert_eq!(order(Some("fork"), all.into_iter()), ["fork", "upstream", "origin"]);
    assert_eq!(order(Some("https://github.com/ann/web.git"), all.into_iter())[0], "https://github.com/ann/web.git");
}

#[test]
fn the_newest_of_several_pull_requests_at_a_commit_counts() {
    let read =
        Advertised::read("ref: refs/heads/main\tHEAD\naa\tHEAD\nbb\trefs/heads/x\nbb\trefs/pull/9/head\nbb\trefs/pull/41/head\nnonsense\n");
    assert_eq!((read.head("x"), read.head("y"), read.pull_at("bb"), read.pull_at("aa")), (Some("bb"), None, Some(41), None));
    assert!(read.is_default("main") && !read.is_default("x"));
}

#[tokio::test]
async fn a_checkout_says_branch_and_remote() {
    let (_folder, work) = clone();
    git(&work, &["checkout", "--quiet", "-b", "feature/login"]);
    let fresh = Git::at(&work).checkout().await.unwrap().unwrap();
    assert_eq!((fresh.branch.as_deref(), fresh.tracked, fresh.branch_has_remote), (Some("feature/login"), None, false));
    git(&work, &["branch", "--quiet", "--set-upstream-to", "main"]);
    let local = Git::at(&work).checkout().await.unwrap().unwrap();
    assert_eq!((local.branch_has_remote, local.remotes.len()), (false, 1));
    commit_and_push(&work, "feature/login");
    let pushed = Git::at(&work).checkout().await.unwrap().unwrap();
    assert_eq!(pushed.tracked.as_deref(), Some("refs/heads/feature/login"));
    assert_eq!(pushed.remotes, [Remote { name: "origin".into(), repository: Some(repo("acme/web")) }]);
}

#[tokio::test]
async fn short_urls_are_written_out_as_git_would() {
    let (_folder, work) = clone();
    git(&work, &["config", "url.https://github.com/.insteadOf", "gh:"]);
    git(&work, &["remote", "add", "upstream", "gh:big/web"]);
    let remotes = Git::at(&work).checkout().await.unwrap().unwrap().remotes;
    let upstream = remotes.iter().find(|r| r.name == "upstream").unwrap();
    assert_eq!(upstream.repository, Some(repo("big/web")));
}

#[tokio::test]
async fn a_detached_head_has_no_branch_and_an_empty_folder_no_checkout() {
    let (folder, work) = clone();
    git(&work, &["checkout", "--quiet", "--detach"]);
    assert_eq!(Git::at(&work).checkout().await.unwrap().unwrap().branch, None);
    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    assert_eq!(Git::at(&empty).checkout().await.unwrap(), None);
}

#[tokio::test]
async fn the_remote_tells_the_pull_request_of_a_branch() {
    let (folder, work) = clone();
    git(&work, &["checkout", "--quiet", "-b", "feature/login"]);
    let head = commit_and_push(&work, "feature/login");
    git(&folder.path().join("acme/web.git"), &["update-ref", "refs/pull/42/head", &head]);
    let advertised = Git::at(&work).advertised("origin", "feature/login").await.unwrap();
    assert_eq!(advertised.head("feature/login").and_then(|commit| advertised.pull_at(commit)), Some(42));
    assert!(advertised.is_default("main"));
}

#[tokio::test]
async fn a_remote_that_is_not_there_is_an_error_with_gits_reason() {
    let (_folder, work) = clone();
    let error = Git::at(&work).advertised("--upload-pack=/bin/false", "main").await.unwrap_err().to_string();
    assert!(error.starts_with("git ls-remote: ") && error.contains("--upload-pack"), "{error}");
}
