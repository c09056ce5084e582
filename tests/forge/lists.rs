//! Lists as the double of GitHub pages them, and what is known already.

use github_double::{Action, Open, Permission, on};
use preview_env::forge::{Forge, Listing, Permission as May, Validator};

use super::{TOKEN, client, double, fits_what_github_publishes, web};

fn now<T>(listing: Listing<T>) -> (Vec<T>, Option<Validator>) {
    match listing {
        Listing::Now { items, validator } => (items, validator),
        Listing::Unchanged => panic!("unchanged"),
    }
}

fn push(branch: &str) -> Action {
    Action::Push { repo: "acme/web".into(), branch: branch.into(), by: "ann".into(), force: false }
}

#[tokio::test]
async fn open_pulls_are_listed_until_nothing_changes() {
    let (double, folder) = (double(), tempfile::tempdir().unwrap());
    for number in 0..103 {
        double.act(Open::new("acme/web", &format!("topic-{number}"), "ann")).unwrap();
    }
    double.act(on("acme/web", 5, "ann").close()).unwrap();
    let github = client(&double, &folder);
    let (pulls, known) = now(github.open_pulls(&web(), None).await.unwrap());
    assert!(pulls.len() == 102 && pulls.iter().all(|pull| pull.number != 5));
    double.set_remaining(TOKEN, 1).unwrap();
    assert_eq!(github.open_pulls(&web(), known.as_ref()).await.unwrap(), Listing::Unchanged);
    // The one that was touched longest ago is on the last page.
    double.set_remaining(TOKEN, 4_000).unwrap();
    let oldest = u64::try_from(pulls.last().unwrap().number).unwrap();
    double.act(on("acme/web", oldest, "ann").close()).unwrap();
    let (pulls, again) = now(github.open_pulls(&web(), known.as_ref()).await.unwrap());
    assert!(pulls.len() == 101 && again != known);
    fits_what_github_publishes(&double);
}

#[tokio::test]
async fn branches_are_listed_with_their_heads() {
    let (double, folder) = (double(), tempfile::tempdir().unwrap());
    for number in 0..101 {
        double.act(push(&format!("topic-{number:03}"))).unwrap();
    }
    let github = client(&double, &folder);
    let (branches, known) = now(github.branches(&web(), None).await.unwrap());
    let one = github.branch(&web(), "topic-100").await.unwrap();
    let listed = branches.iter().find(|branch| branch.name == "topic-100").unwrap();
    assert_eq!((&listed.revision, listed.repository_id), (&one.revision, one.repository_id));
    assert_eq!(github.branches(&web(), known.as_ref()).await.unwrap(), Listing::Unchanged);
    double.act(push("topic-100")).unwrap();
    let (branches, _) = now(github.branches(&web(), known.as_ref()).await.unwrap());
    assert!(branches.iter().any(|branch| branch.name == "topic-100" && branch.revision != one.revision));
    fits_what_github_publishes(&double);
}

#[tokio::test]
async fn comments_are_found_again_since_a_moment() {
    let (double, folder) = (double(), tempfile::tempdir().unwrap());
    double.act(Open::new("acme/web", "x", "ann")).unwrap();
    double.act(on("acme/web", 1, "ann").comment("before")).unwrap();
    double.advance(chrono::TimeDelta::seconds(90));
    let since = double.now();
    double.advance(chrono::TimeDelta::seconds(5));
    for text in ["/preview", "/preview pin"] {
        double.act(on("acme/web", 1, "ann").comment(text)).unwrap();
    }
    let github = client(&double, &folder);
    let (comments, known) = now(github.comments_since(&web(), since, None).await.unwrap());
    let found: Vec<_> = comments.iter().map(|c| (c.body.as_str(), c.pull, c.author.as_str(), c.updated_at == c.created_at)).collect();
    assert_eq!(found, [("/preview", 1, "ann", true), ("/preview pin", 1, "ann", true)]);
    assert_eq!(comments[0].repository_id, github.repository(&web()).await.unwrap().id);
    assert_eq!(github.comments_since(&web(), since, known.as_ref()).await.unwrap(), Listing::Unchanged);
    fits_what_github_publishes(&double);
}

#[tokio::test]
async fn who_may_what_and_who_labelled_is_told() {
    let (double, folder) = (double(), tempfile::tempdir().unwrap());
    double.add_user("eve");
    double.act(Open::new("acme/web", "x", "ann")).unwrap();
    double.permit("acme/web", "preview-env[bot]", Permission::Write).unwrap();
    let github = client(&double, &folder);
    for (given, expected) in [
        (Permission::Triage, May::Triage),
        (Permission::Write, May::Write),
        (Permission::Maintain, May::Maintain),
        (Permission::Admin, May::Admin),
    ] {
        double.permit("acme/web", "ann", given).unwrap();
        assert_eq!(github.permission(&web(), "ann").await.unwrap(), expected);
    }
    assert_eq!(github.permission(&web(), "eve").await.unwrap(), May::Read);
    assert_eq!(github.permission(&web(), "nobody-of-that-name").await.unwrap(), May::None);
    assert_eq!(github.labelled_by(&web(), 1, "preview").await.unwrap(), None);
    double.act(on("acme/web", 1, "ann").label("preview")).unwrap();
    assert_eq!(github.labelled_by(&web(), 1, "preview").await.unwrap().as_deref(), Some("ann"));
    double.act(on("acme/web", 1, "ann").unlabel("preview")).unwrap();
    assert_eq!(github.labelled_by(&web(), 1, "preview").await.unwrap(), None);
    fits_what_github_publishes(&double);
}
