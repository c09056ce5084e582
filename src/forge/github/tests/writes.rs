//! Reactions, deployments, check runs and statuses, as they are sent.

use super::*;
use crate::forge::{Check, CheckAction, Conclusion, DeploymentState, DeploymentUpdate, NewDeployment};

fn sent(world: &World) -> Value {
    serde_json::from_str(&world.last().body).unwrap()
}

#[tokio::test]
async fn a_reaction_is_a_sign_that_people_know() {
    let world = Double::default().on("POST /repos/acme/web/issues/comments/9/reactions", 200, json!({"id": 1})).start().await;
    for (reaction, content) in [(Reaction::Seen, "eyes"), (Reaction::Done, "+1"), (Reaction::Refused, "confused")] {
        world.github.react(&web(), 9, reaction).await.unwrap();
        assert_eq!(sent(&world), json!({"content": content}));
    }
    assert_eq!(world.github.react(&web(), 10, Reaction::Seen).await.unwrap_err().label(), "not_found");
}

#[tokio::test]
async fn a_comment_is_answered_where_our_own_sign_says_done_or_refused() {
    let sign = |content: &str, login: &str| json!({"id": 1, "content": content, "user": {"login": login, "id": 3, "type": "User"}});
    let nobody = json!({"id": 2, "content": "+1", "user": null});
    for (signs, expected) in [
        (json!([]), false),
        (json!([sign("+1", "ann"), sign("confused", "eve"), nobody]), false),
        (json!([sign("eyes", "bot")]), false),
        (json!([sign("eyes", "ann"), sign("+1", "Bot")]), true),
        (json!([sign("confused", "bot")]), true),
    ] {
        let list = "GET /repos/acme/web/issues/comments/9/reactions?per_page=100&page=1";
        let world = Double::default().on("GET /user", 200, json!({"login": "bot"})).on(list, 200, signs.clone()).start().await;
        assert_eq!(world.github.is_answered(&web(), 9).await.unwrap(), expected, "{signs}");
    }
}

#[tokio::test]
async fn a_deployment_merges_nothing_and_waits_for_nothing() {
    let world = Double::default()
        .on("POST /repos/acme/web/deployments", 201, json!({"id": 11}))
        .on("POST /repos/acme/web/deployments/11/statuses", 201, json!({"id": 12}))
        .start()
        .await;
    let deployments = world.github.deployments().unwrap();
    let new = NewDeployment { revision: "a".repeat(40), environment: "preview / shop".into(), description: "d".repeat(200) };
    assert_eq!(deployments.create(&web(), &new).await.unwrap(), 11);
    let mut body = sent(&world);
    assert_eq!(body["description"].take().as_str().unwrap().chars().count(), 140);
    assert_eq!(
        body,
        json!({
            "ref": "a".repeat(40), "task": "deploy:preview-env", "auto_merge": false, "required_contexts": [], "description": null,
            "environment": "preview / shop", "transient_environment": true, "production_environment": false,
        })
    );
    for (state, name) in [
        (DeploymentState::Queued, "queued"),
        (DeploymentState::InProgress, "in_progress"),
        (DeploymentState::Success, "success"),
        (DeploymentState::Failure, "failure"),
        (DeploymentState::Error, "error"),
        (DeploymentState::Inactive, "inactive"),
    ] {
        let update = DeploymentUpdate { state, description: "now".into(), url: Some("https://web.example.com".into()) };
        deployments.set_state(&web(), 11, &update).await.unwrap();
        let expected = json!({"state": name, "description": "now", "auto_inactive": false, "environment_url": "https://web.example.com"});
        assert_eq!(sent(&world), expected);
    }
}

#[tokio::test]
async fn only_our_own_deployments_are_listed_newest_first() {
    let deployment = |id: i64, environment: &str, task: &str, says: Value| json!({"id": id, "sha": "a", "environment": environment, "task": task, "description": says});
    let ours = "deploy:preview-env";
    let all = json!([
        deployment(1, "preview / shop", ours, json!("Preview of #42")),
        deployment(3, "preview / shop", ours, json!("Preview of #42")),
        deployment(2, "preview / shop", "deploy", json!("Preview of #42")),
        deployment(4, "production", ours, json!("Preview of #42")),
        deployment(5, "preview / shop", ours, json!("Preview of #43")),
        deployment(6, "preview / shop", ours, json!(null)),
    ]);
    let path = "GET /repos/acme/web/deployments?environment=preview%20%2F%20shop&task=deploy%3Apreview-env&sha=a&per_page=100&page=1";
    let world = Double::default().on(path, 200, all).start().await;
    let new = NewDeployment { revision: "a".into(), environment: "preview / shop".into(), description: "Preview of #42".into() };
    assert_eq!(world.github.deployments().unwrap().list(&web(), &new).await.unwrap(), [3, 1]);
}

#[tokio::test]
async fn a_deployment_that_is_not_found_is_not_taken_for_deleted_and_an_active_one_stays() {
    let line = |id| format!("DELETE /repos/acme/web/deployments/{id}");
    let world = Double::default()
        .on(&line(1), 204, "")
        .on(&line(2), 404, json!({"message": "Not Found"}))
        .on(
            &line(3),
            422,
            json!({"message": "We cannot delete an active deployment unless it is the only deployment in a given environment."}),
        )
        .on(&line(4), 200, "<html>")
        .on(&line(5), 404, "<html>")
        .start()
        .await;
    let deployments = world.github.deployments().unwrap();
    for (id, label) in [(1, None), (2, Some("not_found")), (3, Some("refused")), (4, Some("unreadable")), (5, Some("unavailable"))] {
        assert_eq!(deployments.delete(&web(), id).await.err().map(|error| error.label()), label, "{id}");
    }
}

fn check(conclusion: Option<Conclusion>) -> Check {
    Check {
        name: "preview / shop".into(),
        revision: "a".repeat(40),
        pull: Some(42),
        made_at: "2027-01-15T08:00:10Z".parse().ok(),
        conclusion,
        title: "creating".into(),
        summary: "**creating**".into(),
        url: None,
        actions: vec![CheckAction::Delete],
    }
}

#[tokio::test]
async fn an_app_writes_check_runs_and_finds_its_own() {
    let sha = "a".repeat(40);
    let path = format!("GET /repos/acme/web/commits/{sha}/check-runs?check_name=preview%20%2F%20shop&filter=all&per_page=100&page=1");
    let run = |id: i64, name: &str, slug: &str, about: Value| {
        json!({
            "id": id, "name": name, "app": {"id": 1, "slug": slug}, "external_id": about, "status": if id == 6 { "in_progress" } else { "completed" },
            "conclusion": match id { 6 => None, 7 => Some("action_required"), _ => Some("success") },
        })
    };
    let runs = json!([
        run(1, "preview / shop", "eve", json!("pull-42")),
        run(2, "preview / shop", "preview-env", json!("pull-42")),
        run(3, "other", "preview-env", json!("pull-42")),
        run(4, "preview / shop", "preview-env", json!("pull-43.made-1800000010")),
        run(5, "preview / shop", "preview-env", json!(null)),
        run(6, "preview / shop", "preview-env", json!("pull-42.made-1700000000")),
        run(7, "preview / shop", "preview-env", json!("pull-44")),
    ]);
    let mut world = Double::default()
        .on("GET /user", 200, json!({"login": "preview-env[bot]"}))
        .on("POST /repos/acme/web/check-runs", 201, json!({"id": 5}))
        .on("PATCH /repos/acme/web/check-runs/5", 200, json!({"id": 5}))
        .on(&path, 200, json!({"total_count": 7, "check_runs": runs}))
        .start()
        .await;
    world.github = world.github.with_checks(CheckKind::Runs);
    let checks = world.github.checks().unwrap();
    assert_eq!(checks.create(&web(), &check(None)).await.unwrap(), Some(5));
    let made = sent(&world);
    assert_eq!(
        (&made["head_sha"], &made["status"], &made["external_id"]),
        (&json!(sha), &json!("in_progress"), &json!("pull-42.made-1800000010"))
    );
    checks.update(&web(), 5, &check(Some(Conclusion::Success))).await.unwrap();
    let changed = sent(&world);
    assert_eq!((changed.get("head_sha"), &changed["conclusion"]), (None, &json!("success")));
    assert_eq!(checks.find(&web(), &check(None)).await.unwrap(), Some(6), "another pull request of the same commit has another one");
    assert_eq!(checks.unfinished(&web(), &check(None)).await.unwrap(), Some(6));
    let others = Check { pull: Some(43), ..check(None) };
    assert_eq!(checks.find(&web(), &others).await.unwrap(), Some(4));
    assert_eq!(checks.unfinished(&web(), &others).await.unwrap(), None, "that one has ended");
    assert_eq!(checks.unfinished(&web(), &Check { pull: Some(44), ..others }).await.unwrap(), Some(7), "and that one waits for somebody");
}

#[tokio::test]
async fn what_another_service_under_the_same_account_wrote_is_not_taken_for_ours() {
    let sha = "a".repeat(40);
    let path = format!("GET /repos/acme/web/commits/{sha}/check-runs?check_name=preview%20%2F%20shop&filter=all&per_page=100&page=1");
    let run = |id: i64, about: &str| json!({"id": id, "name": "preview / shop", "app": {"slug": "bot"}, "external_id": about, "status": "queued"});
    let runs = [run(1, "pull-42.by-production"), run(2, "pull-42.made-1800000010"), run(3, "pull-42.made-1800000010.by-staging")];
    let one = |id: i64, payload: Value| json!({"id": id, "sha": "a", "environment": "preview/shop", "task": "deploy:preview-env", "description": "Preview of #42", "payload": payload});
    let all = json!([one(1, json!({"previewEnv": "production"})), one(2, json!("")), one(3, json!({"previewEnv": "staging"}))]);
    let line = "GET /repos/acme/web/deployments?environment=preview%2Fshop&task=deploy%3Apreview-env&sha=a&per_page=100&page=1";
    for (name, check_found, deployments) in [("production", Some(1), &[2, 1][..]), ("staging", Some(3), &[3, 2]), ("other", Some(2), &[2])]
    {
        let world = Double::default()
            .on("GET /user", 200, json!({"login": "bot[bot]"}))
            .on(&path, 200, json!({"total_count": 3, "check_runs": runs}))
            .on(line, 200, all.clone())
            .on("POST /repos/acme/web/check-runs", 201, json!({"id": 5}))
            .on("POST /repos/acme/web/deployments", 201, json!({"id": 5}))
            .start()
            .await;
        let github = world.github.clone().with_checks(CheckKind::Runs).signing(name.parse().unwrap());
        assert_eq!(github.checks().unwrap().find(&web(), &check(None)).await.unwrap(), check_found, "{name}");
        let new = NewDeployment { revision: "a".into(), environment: "preview/shop".into(), description: "Preview of #42".into() };
        assert_eq!(github.deployments().unwrap().list(&web(), &new).await.unwrap(), deployments, "{name}");
        github.checks().unwrap().create(&web(), &check(None)).await.unwrap();
        assert_eq!(sent(&world)["external_id"], json!(format!("pull-42.made-1800000010.by-{name}")));
        github.deployments().unwrap().create(&web(), &new).await.unwrap();
        assert_eq!(sent(&world)["payload"], json!({"previewEnv": name}));
    }
}

#[tokio::test]
async fn whoever_is_delivered_nothing_offers_no_buttons() {
    for hears in [true, false] {
        let mut world = Double::default().on("POST /repos/acme/web/check-runs", 201, json!({"id": 5})).start().await;
        world.github = world.github.with_checks(CheckKind::Runs);
        world.github = if hears { world.github } else { world.github.without_deliveries() };
        let check = Check { actions: CheckAction::ALL.to_vec(), ..check(None) };
        world.github.checks().unwrap().create(&web(), &check).await.unwrap();
        assert_eq!(sent(&world)["actions"].as_array().map(Vec::len), Some(if hears { 3 } else { 0 }));
    }
}

#[tokio::test]
async fn a_plain_token_writes_statuses_that_have_no_number() {
    let line = format!("POST /repos/acme/web/statuses/{}", "a".repeat(40));
    let world = Double::default().on(&line, 201, json!({"id": 5})).start().await;
    let checks = world.github.checks().unwrap();
    assert_eq!(checks.create(&web(), &check(None)).await.unwrap(), None);
    assert_eq!(sent(&world), json!({"state": "pending", "context": "preview / shop", "description": "creating"}));
    assert_eq!(checks.find(&web(), &check(None)).await.unwrap(), None);
    checks.update(&web(), 5, &check(Some(Conclusion::Failure))).await.unwrap();
    assert_eq!((sent(&world)["state"].as_str(), world.lines().len()), (Some("failure"), 2));
}

#[tokio::test]
async fn a_status_is_unfinished_where_the_newest_of_its_name_is_ours_and_pending() {
    let line = format!("GET /repos/acme/web/commits/{}/statuses?per_page=100&page=1", "a".repeat(40));
    let one = |id: i64, context: &str, state: &str, login: &str| json!({"id": id, "context": context, "state": state, "creator": {"login": login}});
    let (ours, eve) = ("preview-bot", "eve");
    for (newest, found) in [
        (one(9, "preview / shop", "pending", ours), Some(9)),
        (one(9, "preview / shop", "pending", eve), None),
        (one(9, "preview / shop", "success", ours), None),
        (json!({"id": 9, "context": "preview / shop", "state": "pending", "creator": null}), None),
    ] {
        let all = json!([one(10, "ci", "failure", ours), newest, one(8, "preview / shop", "pending", ours)]);
        let world = Double::default().on("GET /user", 200, json!({"login": ours})).on(&line, 200, all).start().await;
        assert_eq!(world.github.checks().unwrap().unfinished(&web(), &check(None)).await.unwrap(), found, "{newest}");
    }
}

/// GitHub in the same process, which takes everything.
fn agreeable(folder: &std::path::Path) -> GitHub {
    std::fs::write(folder.join("token"), "t0ken-1").unwrap();
    let config = GithubConfig::new("https://api.github.com", folder.join("token")).unwrap();
    // Whatever is written to is what answers.
    let answer = |request: http::Request<Content>| {
        let id: u64 = request.uri().path().rsplit('/').find_map(|part| part.parse().ok()).unwrap_or(1);
        async move { Ok::<_, std::io::Error>(http::Response::new(json!({"id": id}).to_string())) }
    };
    GitHub::over(config, tower::service_fn(answer)).unwrap()
}

#[tokio::test(start_paused = true)]
async fn whatever_is_written_about_one_pull_request_has_one_place_in_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let (github, start, web) = (agreeable(folder.path()), tokio::time::Instant::now(), web());
    let update = DeploymentUpdate { state: DeploymentState::Success, description: String::new(), url: None };
    let (chatty, other) = (github.about(7, 42).unwrap(), github.about(7, 43).unwrap());
    github.edit_comment(&web, 1, "first").await.unwrap();
    let waited = |done: Result<(), ForgeError>| done.map(|()| start.elapsed().as_secs());
    let comment = async { waited(chatty.edit_comment(&web, 2, "text").await) };
    let deployment = async { waited(chatty.deployments().unwrap().set_state(&web, 3, &update).await) };
    let reaction = async { waited(chatty.react(&web, 4, Reaction::Done).await) };
    let others = async { waited(other.edit_comment(&web, 5, "text").await) };
    let (comment, deployment, reaction, others) = tokio::join!(comment, deployment, reaction, others);
    let first = [comment, deployment, reaction].into_iter().filter(|done| *done == Ok(1)).count();
    assert_eq!((first, others), (1, Ok(2)), "the other one waits behind one place and not behind three");
}
