//! What holds for every request.

use super::*;

#[tokio::test]
async fn a_pull_request_is_read_with_our_token_and_name() {
    let world = Double::default().on("GET /repos/acme/web/pulls/42", 200, pull()).start().await;
    let pull = world.github.pull_request(&web(), 42).await.unwrap();
    assert_eq!((pull.state, pull.head_repository_id, pull.repository_id), (SourceState::Merged, Some(8), 7));
    let headers = world.last().headers;
    for (name, value) in [
        ("authorization", "Bearer t0ken-1"),
        ("user-agent", "preview-env"),
        ("accept", "application/vnd.github+json"),
        ("x-github-api-version", "2022-11-28"),
    ] {
        assert_eq!(headers.get_all(name).iter().collect::<Vec<_>>(), [value], "{name}");
    }
}

#[tokio::test]
async fn a_branch_with_a_slash_is_read_with_its_repositorys_number() {
    let world = Double::default()
        .on("GET /repos/acme/web/branches/feature%2Flogin%20%C3%BC", 200, json!({"name": "x", "commit": {"sha": "b".repeat(40)}}))
        .on("GET /repos/acme/web", 200, json!({"id": 7, "full_name": "Acme/Web", "private": true}))
        .start()
        .await;
    let branch = world.github.branch(&web(), "feature/login ü").await.unwrap();
    assert_eq!((branch.repository_id, branch.repository.as_str(), branch.name.as_str()), (7, "Acme/Web", "feature/login ü"));
    assert!((Utc::now() - branch.observed_at).num_seconds().abs() < 60);
}

#[tokio::test]
async fn only_githubs_own_sentence_says_that_a_branch_is_gone() {
    for (status, body, expected) in [
        (404, json!({"message": "Branch not found"}), "not_found"),
        (404, json!({"message": "Not Found"}), "refused"),
        (404, json!("<html>Branch not found</html>"), "unavailable"),
        (410, json!({}), "unavailable"),
        (200, json!([]), "unreadable"),
        (200, json!("<html>sign in</html>"), "unreadable"),
    ] {
        let home = json!({"id": 7, "full_name": "acme/web", "private": true});
        let world =
            Double::default().on("GET /repos/acme/web/branches/x", status, body.clone()).on("GET /repos/acme/web", 200, home).start().await;
        assert_eq!(world.github.branch(&web(), "x").await.unwrap_err().label(), expected, "{body}");
    }
}

#[tokio::test]
async fn another_pull_request_than_the_one_that_was_asked_for_is_no_answer() {
    let other = Double::default().on("GET /repos/acme/web/pulls/43", 200, pull()).start().await;
    let error = other.github.pull_request(&web(), 43).await.unwrap_err();
    assert!(error.label() == "unreadable" && error.to_string().contains("number"), "{error}");
}

#[tokio::test]
async fn our_oldest_comment_with_the_marker_is_found_on_any_page() {
    let others: Vec<Value> = (1..=100).map(|n| comment(n, "eve", "<!-- m --> not ours")).collect();
    let second = json!([
        comment(101, "Preview-Bot", "no marker"),
        comment(102, "preview-bot", "x <!-- m -->"),
        comment(103, "preview-bot", "<!-- m -->")
    ]);
    let path = |page| format!("GET /repos/acme/web/issues/42/comments?per_page=100&page={page}");
    let world = Double::default()
        .on("GET /user", 200, json!({"login": "preview-bot"}))
        .on(&path(1), 200, json!(others))
        .on(&path(2), 200, second)
        .start()
        .await;
    let found = world.github.find_comments(&web(), 42, &["<!-- m -->"]).await.unwrap();
    let comment = |id, body: &str| Comment { id, body: body.into() };
    assert_eq!(found, [comment(102, "x <!-- m -->"), comment(103, "<!-- m -->")]);
    let none = world.github.find_comments(&web(), 42, &["<!-- other -->"]).await.unwrap();
    assert_eq!(none, []);
    assert_eq!(world.lines().iter().filter(|l| *l == "GET /user").count(), 1);
}

#[tokio::test]
async fn no_page_is_read_beyond_the_first_marker_and_all_are_where_it_is_nowhere() {
    let path = |page| format!("GET /repos/acme/web/issues/42/comments?per_page=100&page={page}");
    let mut first = vec![comment(1, "bot", "<!-- unsigned -->"), comment(2, "bot", "<!-- staging -->"), comment(3, "eve", "<!-- mine -->")];
    first.extend((4..=100).map(|id| comment(id, "ann", "fine")));
    let second = json!([comment(101, "bot", "<!-- mine -->"), comment(102, "bot", "<!-- mine -->")]);
    let world = Double::default()
        .on("GET /user", 200, json!({"login": "bot"}))
        .on(&path(1), 200, json!(first))
        .on(&path(2), 200, second)
        .start()
        .await;
    for (marker, found, pages) in
        [("<!-- mine -->", vec![1, 101, 102], 2), ("<!-- staging -->", vec![1, 2], 1), ("<!-- production -->", vec![1], 2)]
    {
        let before = world.lines().len();
        let comments = world.github.find_comments(&web(), 42, &[marker, "<!-- unsigned -->"]).await.unwrap();
        assert_eq!(comments.iter().map(|comment| comment.id).collect::<Vec<_>>(), found, "{marker}");
        assert_eq!(world.lines()[before..].iter().filter(|line| line.contains("/comments?")).count(), pages, "{marker}");
    }
}

#[tokio::test]
async fn a_page_that_is_not_full_is_not_the_last_where_github_names_another() {
    let path = |page| format!("GET /repos/acme/web/issues/42/comments?per_page=100&page={page}");
    let mut double = Double::default().on("GET /user", 200, json!({"login": "bot"})).on(&path(2), 200, json!([comment(9, "bot", "m")]));
    let link = r#"<https://api.github.com/x?page=2>; rel="next""#.to_owned();
    double.answers.insert(path(1), (200, vec![("link", link)], "[]".to_owned()));
    let world = double.start().await;
    assert_eq!(world.github.find_comments(&web(), 42, &["m"]).await.unwrap()[0].id, 9);
}

#[tokio::test]
async fn comments_are_written_once_and_edited() {
    let world = Double::default()
        .on("POST /repos/acme/web/issues/42/comments", 201, comment(5, "bot", "hello"))
        .on("PATCH /repos/acme/web/issues/comments/5", 200, comment(5, "bot", "bye"))
        .start()
        .await;
    assert_eq!(world.github.create_comment(&web(), 42, "hello").await.unwrap(), 5);
    assert_eq!(world.last().body, r#"{"body":"hello"}"#);
    world.github.edit_comment(&web(), 5, "bye").await.unwrap();
    let gone = world.github.edit_comment(&web(), 6, "bye").await.unwrap_err();
    assert_eq!(gone, ForgeError::NotFound("comment 6 in acme/web".into()));
}

#[tokio::test]
async fn nothing_is_tried_twice() {
    for status in [500, 502, 429] {
        let world = Double::default().on("POST /repos/acme/web/issues/42/comments", status, "oops t0ken-1").start().await;
        let error = world.github.create_comment(&web(), 42, "hello").await.unwrap_err();
        assert_eq!((error.class(), world.lines().len()), (Class::Transient, 1), "{error}");
        assert!(!error.to_string().contains("t0ken") && !error.to_string().contains("oops"), "{error}");
    }
}

#[tokio::test]
async fn a_repository_that_moved_is_followed_with_the_same_request() {
    let to = |path: &str| vec![("location", format!("/api/v3/repositories/7/{path}"))];
    let world = Double::default()
        .on_with("POST /repos/acme/web/issues/42/comments", 307, to("issues/42/comments"))
        .on("POST /repositories/7/issues/42/comments", 201, comment(5, "bot", "hello"))
        .on_with("GET /repos/acme/web/pulls/42", 301, to("pulls/42"))
        .on("GET /repositories/7/pulls/42", 200, pull())
        .on_with("GET /repos/acme/web/pulls/43", 302, vec![("location", "/repos/acme/web/pulls/43".to_owned())])
        .start()
        .await;
    assert_eq!(world.github.create_comment(&web(), 42, "hello").await.unwrap(), 5);
    assert_eq!(
        (world.last().body.as_str(), &world.last().headers["authorization"]),
        (r#"{"body":"hello"}"#, &"Bearer t0ken-1".parse().unwrap())
    );
    assert_eq!(world.github.pull_request(&web(), 42).await.unwrap().number, 42);
    let around = world.github.pull_request(&web(), 43).await.unwrap_err();
    assert!(matches!(around, ForgeError::Refused { status: 302, .. }), "{around:?}");
}

#[tokio::test]
async fn rate_limits_carry_their_wait() {
    let headers = vec![("x-ratelimit-remaining", "0".to_owned()), ("x-ratelimit-reset", (Utc::now().timestamp() + 90).to_string())];
    let world = Double::default().on_with("GET /repos/acme/web/pulls/42", 403, headers).start().await;
    let error = world.github.pull_request(&web(), 42).await.unwrap_err();
    assert!(matches!(error, ForgeError::RateLimited { seconds: 85..=91, .. }), "{error:?}");
}

#[tokio::test]
async fn an_answer_that_is_not_understood_names_the_field() {
    let mut wrong = pull();
    wrong["head"]["sha"] = json!("zz");
    let world =
        Double::default().on("GET /repos/acme/web/pulls/42", 200, wrong).on("GET /repos/acme/web/pulls/43", 200, "<html>").start().await;
    let error = world.github.pull_request(&web(), 42).await.unwrap_err().to_string();
    assert!(error.starts_with("cannot read the forge's answer to read acme/web#42: head.sha: "), "{error}");
    let error = world.github.pull_request(&web(), 43).await.unwrap_err();
    assert!(matches!(error, ForgeError::Unreadable { .. }), "{error:?}");
}

#[tokio::test]
async fn no_answer_and_no_server_are_transient() {
    let mut world = Double::default().on("GET /repos/acme/web/pulls/42", 0, "").start().await;
    world.github = GitHub::new(world.github.config.clone().with_timeout(Duration::from_millis(50))).unwrap();
    let error = world.github.pull_request(&web(), 42).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot read acme/web#42: it did not answer within 0.05 s");
    let nowhere = GithubConfig::new("http://127.0.0.1:1", world.token.clone()).unwrap();
    let error = GitHub::new(nowhere).unwrap().pull_request(&web(), 42).await.unwrap_err();
    assert!(error.class() == Class::Transient && error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn a_rotated_token_is_taken_up_and_an_unreadable_file_changes_nothing() {
    let world = Double::default().on("GET /user", 200, json!({"login": "bot"})).start().await;
    world.github.login().await.unwrap();
    std::fs::write(&world.token, "t0ken-2\n").unwrap();
    world.github.login().await.unwrap();
    assert_eq!(&world.last().headers["authorization"], "Bearer t0ken-2");
    std::fs::remove_file(&world.token).unwrap();
    world.github.login().await.unwrap();
    assert_eq!(world.lines().len(), 2);
}

#[test]
fn a_token_that_cannot_be_one_is_refused_before_anything_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    let new = || GitHub::new(GithubConfig::new("https://api.github.com", token.clone()).unwrap()).unwrap_err();
    assert!(matches!(new(), GithubError::TokenFile { .. }));
    for text in ["", "\n", "two words", "line\nline", "tok\u{e9}n"] {
        std::fs::write(&token, text).unwrap();
        assert!(matches!(new(), GithubError::Token { .. }), "{text:?}");
    }
}

#[tokio::test]
async fn requests_are_counted() {
    let mut world = Double::default().on("GET /user", 200, json!({"login": "bot"})).start().await;
    let metrics = Metrics::new();
    world.github = world.github.with_metrics(metrics.clone());
    world.github.login().await.unwrap();
    world.github.pull_request(&web(), 1).await.unwrap_err();
    let text = metrics.text().unwrap();
    assert!(text.contains(r#"preview_forge_requests_total{operation="login",result="ok"} 1"#), "{text}");
    assert!(text.contains(r#"preview_forge_requests_total{operation="pull_request",result="not_found"} 1"#), "{text}");
}
