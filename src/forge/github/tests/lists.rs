//! Lists: whole, unchanged, or said to be wrong; never cut.

use super::*;
use crate::forge::{Listing, PostedComment};

const OPEN: &str = "/repos/acme/web/pulls?state=open&sort=updated&direction=desc";

fn open(number: i64) -> Value {
    let mut open = pull();
    (open["number"], open["state"], open["merged"]) = (json!(number), json!("open"), json!(null));
    open
}

fn many(numbers: std::ops::RangeInclusive<i64>) -> Value {
    numbers.map(open).collect()
}

fn page(path: &str, number: usize) -> String {
    let mark = if path.contains('?') { '&' } else { '?' };
    format!("GET {path}{mark}per_page=100&page={number}")
}

fn home() -> Value {
    json!({"id": 7, "full_name": "Acme/Web", "private": true})
}

fn now<T>(listing: Listing<T>) -> (Vec<T>, Option<Validator>) {
    match listing {
        Listing::Now { items, validator } => (items, validator),
        Listing::Unchanged => panic!("unchanged"),
    }
}

#[tokio::test]
async fn open_pulls_are_read_to_the_last_page_and_named_once() {
    let world = Double::default()
        .tagged(&page(OPEN, 1), "\"one\"", &many(1..=100))
        .tagged(&page(OPEN, 2), "\"two\"", &many(100..=130))
        .start()
        .await;
    let (pulls, validator) = now(world.github.open_pulls(&web(), None).await.unwrap());
    let numbers: Vec<i64> = pulls.iter().map(|pull| pull.number).collect();
    assert_eq!(numbers, (1..=130).collect::<Vec<_>>());
    assert_eq!(world.github.open_pulls(&web(), validator.as_ref()).await.unwrap(), Listing::Unchanged);
    assert_eq!(world.lines().len(), 4);
}

#[tokio::test]
async fn an_unchanged_first_page_costs_one_request_where_there_is_no_second() {
    let world = Double::default().tagged(&page(OPEN, 1), "W/\"one\"", &many(1..=3)).start().await;
    let known = Validator("W/\"one\"".into());
    assert_eq!(world.github.open_pulls(&web(), Some(&known)).await.unwrap(), Listing::Unchanged);
    assert_eq!((world.lines().len(), &world.last().headers["if-none-match"]), (1, &"W/\"one\"".parse().unwrap()));
    let other = Validator("W/\"zero\"".into());
    let (pulls, validator) = now(world.github.open_pulls(&web(), Some(&other)).await.unwrap());
    assert_eq!((pulls.len(), validator, world.lines().len()), (3, Some(known), 2));
}

#[tokio::test]
async fn a_change_on_a_later_page_alone_is_seen() {
    let world = Double::default()
        .tagged(&page(OPEN, 1), "\"one\"", &many(1..=100))
        .tagged(&page(OPEN, 2), "\"two\"", &many(101..=102))
        .start()
        .await;
    let before = Validator("\"one\"\n\"two, with another pull request\"".into());
    let (pulls, validator) = now(world.github.open_pulls(&web(), Some(&before)).await.unwrap());
    assert_eq!((pulls.len(), validator), (102, Some(Validator("\"one\"\n\"two\"".into()))));
}

#[tokio::test]
async fn a_list_without_a_validator_is_read_again() {
    let world = Double::default().on(&page(OPEN, 1), 200, many(1..=2)).start().await;
    let (pulls, validator) = now(world.github.open_pulls(&web(), None).await.unwrap());
    assert_eq!((pulls.len(), validator), (2, None));
}

#[tokio::test]
async fn a_list_that_is_a_lie_is_an_error_and_never_nothing() {
    let line = page(OPEN, 1);
    let elsewhere = vec![("location", "https://login.example.com/sso".to_owned())];
    for double in [
        Double::default().on(&line, 200, "<html>Sign in</html>"),
        Double::default().on(&line, 200, json!({"message": "here is your list"})),
        Double::default().on(&line, 200, json!([{"number": 1}])),
        Double::default().on(&line, 200, json!(null)),
        Double::default().on(&line, 204, ""),
        Double::default().on(&line, 304, ""),
        Double::default().on(&line, 404, "<html>no such page</html>"),
        Double::default().on(&line, 500, json!({"message": "oops"})),
        Double::default().on_with(&line, 302, elsewhere),
        Double::default().on(&line, 200, many(1..=100)).on(&page(OPEN, 2), 200, "<html>"),
    ] {
        let answers = format!("{:?}", double.answers.values());
        let world = double.start().await;
        let error = world.github.open_pulls(&web(), None).await.unwrap_err();
        assert!(!matches!(error, ForgeError::NotFound(_)), "{answers}: {error}");
    }
}

#[tokio::test]
async fn branches_have_their_repositorys_number_and_the_answers_time() {
    let path = "/repos/acme/web/branches";
    let branches = json!([
        {"name": "main", "commit": {"sha": "a".repeat(40)}, "protected": true},
        {"name": "feature/x", "commit": {"sha": "b".repeat(40)}, "protected": false},
    ]);
    let world = Double::default().tagged(&page(path, 1), "\"b\"", &branches).on("GET /repos/acme/web", 200, home()).start().await;
    let (branches, validator) = now(world.github.branches(&web(), None).await.unwrap());
    assert_eq!((branches[1].name.as_str(), branches[1].repository_id, branches[1].repository.as_str()), ("feature/x", 7, "Acme/Web"));
    assert!((Utc::now() - branches[0].observed_at).num_seconds().abs() < 60);
    let asked = world.lines().len();
    assert_eq!(world.github.branches(&web(), validator.as_ref()).await.unwrap(), Listing::Unchanged);
    assert_eq!(world.lines().len(), asked + 1);
}

fn posted(id: i64, place: &str) -> Value {
    json!({
        "id": id, "body": "/preview", "user": {"login": "ann", "type": "User"}, "performed_via_github_app": null,
        "created_at": "2026-01-02T03:04:05Z", "updated_at": "2026-01-02T03:04:05Z",
        "html_url": format!("https://github.com/acme/web/{place}#issuecomment-{id}"),
    })
}

#[tokio::test]
async fn comments_on_pull_requests_come_oldest_first() {
    let path = "/repos/acme/web/issues/comments?since=2026-01-02T03:04:05Z&sort=updated&direction=desc";
    let all = json!([posted(3, "pull/42"), posted(2, "issues/41"), posted(1, "pull/40"), posted(3, "pull/42")]);
    let world = Double::default().on(&page(path, 1), 200, all).on("GET /repos/acme/web", 200, home()).start().await;
    let since = "2026-01-02T03:04:05.678Z".parse().unwrap();
    let (comments, _) = now(world.github.comments_since(&web(), since, None).await.unwrap());
    let places: Vec<_> = comments.iter().map(|c: &PostedComment| (c.id, c.pull, c.repository_id, c.author.as_str())).collect();
    assert_eq!(places, [(1, 40, 7, "ann"), (3, 42, 7, "ann")]);
}

#[tokio::test]
async fn comments_on_issues_alone_need_no_more_questions_and_unplaced_ones_are_errors() {
    let path = "/repos/acme/web/issues/comments?since=2026-01-02T03:04:05Z&sort=updated&direction=desc";
    let since = "2026-01-02T03:04:05Z".parse().unwrap();
    let world = Double::default().on(&page(path, 1), 200, json!([posted(2, "issues/41")])).start().await;
    assert_eq!(now(world.github.comments_since(&web(), since, None).await.unwrap()).0, []);
    let world = Double::default().on(&page(path, 1), 200, json!([posted(2, "wiki")])).start().await;
    let error = world.github.comments_since(&web(), since, None).await.unwrap_err();
    assert!(error.label() == "unreadable" && error.to_string().contains("html_url"), "{error}");
}

fn files(count: usize, renamed: bool) -> Value {
    (0..count).map(|n| json!({"filename": format!("new/{n}"), "previous_filename": renamed.then(|| format!("old/{n}"))})).collect()
}

#[tokio::test]
async fn files_are_read_as_far_as_github_names_them() {
    let path = "/repos/acme/web/pulls/42/files";
    let mut double = Double::default();
    for number in 1..=30 {
        double = double.on(&page(path, number), 200, files(if number == 30 { 99 } else { 100 }, number == 1));
    }
    let world = double.start().await;
    let found = world.github.changed_files(&web(), 42).await.unwrap();
    let ChangedFiles::Named(names) = found else { panic!("{found:?}") };
    assert_eq!((names.len(), names.iter().filter(|name| name.starts_with("old/")).count()), (2_999 + 100, 100));

    let mut double = Double::default();
    for number in 1..=30 {
        double = double.on(&page(path, number), 200, files(100, false));
    }
    let world = double.start().await;
    assert_eq!(world.github.changed_files(&web(), 42).await.unwrap(), ChangedFiles::TooMany);
}

#[tokio::test]
async fn that_nothing_was_changed_is_believed_where_the_pull_request_says_so_too() {
    for (changed, believed) in [(0, true), (3, false)] {
        let mut whole = pull();
        whole["changed_files"] = json!(changed);
        let double = Double::default().on(&page("/repos/acme/web/pulls/42/files", 1), 200, json!([]));
        let world = double.on("GET /repos/acme/web/pulls/42", 200, whole).start().await;
        let files = world.github.changed_files(&web(), 42).await;
        assert_eq!(files.is_ok_and(|files| files == ChangedFiles::Named(vec![])), believed, "{changed}");
    }
}

#[tokio::test]
async fn one_comment_is_read_with_one_question_and_is_on_a_pull_request() {
    let path = |id| format!("GET /repos/acme/web/issues/comments/{id}");
    let repository = web();
    let world = Double::default().on(&path(3), 200, posted(3, "pull/42")).on(&path(4), 200, posted(4, "issues/41")).start().await;
    let read = world.github.comment((7, &repository), 3).await.unwrap();
    assert_eq!((read.id, read.pull, read.repository_id, read.author.as_str()), (3, 42, 7, "ann"));
    assert_eq!(world.lines().len(), 1);
    assert_eq!(world.github.comment((7, &repository), 4).await.unwrap_err().label(), "unreadable");
    assert_eq!(world.github.comment((7, &repository), 5).await.unwrap_err().label(), "not_found");
}
