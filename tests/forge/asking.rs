//! One thing asked or written, and every way in which that fails.

use std::time::Duration;

use github_double::{Failure, Fault, Open, on};
use preview_env::api::environment::SourceState;
use preview_env::domain::RepoName;
use preview_env::forge::{ChangedFiles, Forge, ForgeError};

use super::{TOKEN, client, double, fits_what_github_publishes};

#[tokio::test]
async fn what_is_asked_and_written_is_what_github_has() {
    let (double, folder, web) = (double(), tempfile::tempdir().unwrap(), "acme/web".parse::<RepoName>().unwrap());
    let github = client(&double, &folder);
    let number = i64::try_from(double.act(Open::new("acme/web", "feature/login", "ann")).unwrap().number()).unwrap();

    let pull = github.pull_request(&web, number).await.unwrap();
    assert_eq!((pull.state, pull.author.as_str(), pull.head_branch.as_str()), (SourceState::Open, "ann", "feature/login"));
    let branch = github.branch(&web, "feature/login").await.unwrap();
    assert_eq!((branch.revision, branch.repository_id), (pull.revision, pull.repository_id));
    assert_eq!(github.branch(&web, "nope").await.unwrap_err(), ForgeError::NotFound("acme/web@nope".into()));

    double.act(on("acme/web", 1, "ann").comment("<!-- m --> a quote")).unwrap();
    assert_eq!(github.find_comments(&web, number, &["<!-- m -->"]).await.unwrap(), []);
    let id = github.create_comment(&web, number, "<!-- m --> one").await.unwrap();
    github.edit_comment(&web, id, "<!-- m --> two").await.unwrap();
    let found = github.find_comments(&web, number, &["<!-- m -->"]).await.unwrap().remove(0);
    assert_eq!((found.id, found.body.as_str(), double.comments("acme/web", 1).len()), (id, "<!-- m --> two", 2));

    double.rename("acme/web", "acme/shop-web").unwrap();
    github.edit_comment(&web, id, "<!-- m --> three").await.unwrap();
    assert_eq!(github.pull_request(&web, number).await.unwrap().repository.as_str(), "acme/shop-web");
    assert_eq!(double.comments("acme/shop-web", 1)[1].body, "<!-- m --> three");
    fits_what_github_publishes(&double);
}

#[tokio::test]
async fn a_comment_behind_many_others_is_found() {
    let (double, folder, web) = (double(), tempfile::tempdir().unwrap(), "acme/web".parse::<RepoName>().unwrap());
    double.act(Open::new("acme/web", "x", "ann")).unwrap();
    for _ in 0..230 {
        double.act(on("acme/web", 1, "ann").comment("chatter")).unwrap();
    }
    let github = client(&double, &folder);
    let id = github.create_comment(&web, 1, "<!-- m -->").await.unwrap();
    assert_eq!(github.find_comments(&web, 1, &["<!-- m -->"]).await.unwrap()[0].id, id);
    fits_what_github_publishes(&double);
}

#[tokio::test]
async fn the_files_of_a_pull_request_are_named_or_too_many() {
    let (double, folder, web) = (double(), tempfile::tempdir().unwrap(), "acme/web".parse::<RepoName>().unwrap());
    double.act(Open::new("acme/web", "x", "ann").files(&["a", "docs/b"])).unwrap();
    let github = client(&double, &folder);
    let named = |names: &[&str]| ChangedFiles::Named(names.iter().map(|&n| n.to_owned()).collect());
    assert_eq!(github.changed_files(&web, 1).await.unwrap(), named(&["a", "docs/b"]));
    double.change_files("acme/web", 1, &[("new", Some("old"))]).unwrap();
    assert_eq!(github.changed_files(&web, 1).await.unwrap(), named(&["new", "old"]));
    let many: Vec<String> = (0..3_000).map(|n| format!("f{n}")).collect();
    let many: Vec<(&str, Option<&str>)> = many.iter().map(|f| (f.as_str(), None)).collect();
    for count in [250, 301, 2_999] {
        double.change_files("acme/web", 1, &many[..count]).unwrap();
        assert!(matches!(github.changed_files(&web, 1).await.unwrap(), ChangedFiles::Named(files) if files.len() == count));
    }
    double.change_files("acme/web", 1, &many).unwrap();
    assert_eq!(github.changed_files(&web, 1).await.unwrap(), ChangedFiles::TooMany);
    assert_eq!(github.changed_files(&web, 9).await.unwrap_err(), ForgeError::NotFound("acme/web#9".into()));
    fits_what_github_publishes(&double);
}

#[tokio::test]
async fn failures_are_told_apart_and_never_tried_again() {
    let (double, folder, web) = (double(), tempfile::tempdir().unwrap(), "acme/web".parse::<RepoName>().unwrap());
    double.act(Open::new("acme/web", "x", "ann")).unwrap();
    // A client that was told to wait asks nothing meanwhile, so each failure has a new one.
    let github = || client(&double, &folder);
    for (failure, label) in [
        (Failure::status(502), "unavailable"),
        (Failure::secondary_limit(Duration::from_secs(7)), "rate_limited"),
        (Failure::delay(Duration::from_secs(20)), "unavailable"),
    ] {
        double.clear_requests();
        double.inject(Fault::on("POST", "/repos/acme/web/issues/1/comments", failure));
        let error = github().create_comment(&web, 1, "hello").await.unwrap_err();
        assert!(error.label() == label && double.requests().len() <= 1, "{error}");
    }
    double.set_remaining(TOKEN, 0).unwrap();
    assert_eq!(github().pull_request(&web, 1).await.unwrap_err().label(), "rate_limited");
    double.revoke_token(TOKEN).unwrap();
    let refused = github().pull_request(&web, 1).await.unwrap_err();
    assert!(matches!(refused, ForgeError::Refused { status: 401, .. }) && !refused.to_string().contains(TOKEN), "{refused}");
    double.go_down();
    assert_eq!(github().pull_request(&web, 1).await.unwrap_err().label(), "unavailable");
}
