//! GitHub Apps: their tokens, what these may do, check runs, and the log of deliveries.

use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use github_double::{Action, Delivery, Double, Hook, Key, NewApp, on};
use serde_json::{Value, json};

use crate::world::{Answer, ask, double};

const APP: u64 = 7;
const PERMISSIONS: &[(&str, &str)] =
    &[("checks", "write"), ("deployments", "write"), ("issues", "write"), ("pull_requests", "write"), ("contents", "read")];

struct World {
    double: Double,
    installation: u64,
}

impl World {
    fn new() -> anyhow::Result<Self> {
        let double = double()?;
        double.set_time("2026-11-28T12:00:00Z".parse()?);
        double.add_private_repository("acme/api")?;
        double.add_private_repository("acme/other")?;
        let hook = Hook::to("http://127.0.0.1:9/").secret("s");
        let app = NewApp::new(APP, "previews", &Key::shared().public).permissions(PERMISSIONS);
        double.add_app(app.events(&["pull_request", "issue_comment", "repository"]).webhook(hook))?;
        let installation = double.install(APP, "acme", Some(&["acme/web", "acme/api"]))?;
        Ok(Self { double, installation })
    }

    fn jwt(&self) -> String {
        Key::shared().token(APP, self.double.now())
    }

    async fn as_app(&self, line: &str, body: Value) -> anyhow::Result<Answer> {
        ask(&self.double, &self.jwt(), line, body).await
    }

    async fn token(&self, narrowed: Value) -> anyhow::Result<String> {
        let made = self.as_app(&format!("POST /app/installations/{}/access_tokens", self.installation), narrowed).await?;
        anyhow::ensure!(made.status == 201, "{} {}", made.status, made.body);
        Ok(made.body["token"].as_str().unwrap_or_default().to_owned())
    }
}

#[tokio::test]
async fn an_app_finds_itself_and_its_installations() -> anyhow::Result<()> {
    let world = World::new()?;
    let app = world.as_app("GET /app", Value::Null).await?.body;
    assert_eq!(
        (&app["slug"], &app["permissions"]["issues"], &app["installations_count"]),
        (&json!("previews"), &json!("write"), &json!(1))
    );
    let listed = world.as_app("GET /app/installations", Value::Null).await?.body;
    assert_eq!((&listed[0]["id"], &listed[0]["account"]["login"]), (&json!(world.installation), &json!("acme")));
    let found = world.as_app("GET /repos/acme/api/installation", Value::Null).await?;
    assert_eq!((found.status, &found.body["id"]), (200, &json!(world.installation)));
    assert_eq!(world.as_app("GET /repos/acme/other/installation", Value::Null).await?.status, 404);
    assert_eq!(world.double.contract_violations(), []);
    Ok(())
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_told_so_in_githubs_words() -> anyhow::Result<()> {
    let world = World::new()?;
    let now = world.double.now();
    let minutes = |issued, expires| Key::shared().token_for(APP, now + TimeDelta::seconds(issued), now + TimeDelta::seconds(expires));
    let table = [
        (minutes(-60, 540), 200, ""),
        (minutes(30, 500), 200, ""),
        (minutes(90, 500), 401, "'Issued at' claim ('iat')"),
        (minutes(-60, 700), 401, "'Expiration time' claim ('exp') is too far in the future"),
        (minutes(-600, -1), 401, "'Expiration time' claim ('exp') must be"),
        (Key::generate().token(APP, now), 401, "A JSON web token could not be decoded"),
        ("a.b.c".to_owned(), 401, "A JSON web token could not be decoded"),
        (Key::shared().token(8, now), 404, "Integration not found"),
    ];
    for (token, status, words) in table {
        let answer = ask(&world.double, &token, "GET /app", Value::Null).await?;
        assert_eq!((answer.status, answer.message().starts_with(words)), (status, true), "{}", answer.body);
    }
    assert_eq!(world.double.contract_violations(), []);
    Ok(())
}

#[tokio::test]
async fn a_token_lives_for_an_hour_and_dies_with_its_installation() -> anyhow::Result<()> {
    let world = World::new()?;
    let get = |token: String| {
        let double = world.double.clone();
        async move { ask(&double, &token, "GET /repos/acme/api", Value::Null).await.map(|answer| (answer.status, answer.message().to_owned())) }
    };
    let token = world.token(Value::Null).await?;
    assert_eq!(get(token.clone()).await?.0, 200);
    world.double.advance(TimeDelta::minutes(60));
    assert_eq!(get(token).await?, (401, "Bad credentials".to_owned()));
    let token = world.token(Value::Null).await?;
    world.double.suspend(world.installation, "dev")?;
    assert_eq!(get(token.clone()).await?, (403, "This installation has been suspended".to_owned()));
    assert!(world.token(Value::Null).await.is_err(), "no more tokens");
    world.double.act(Action::Unsuspend { installation: world.installation, by: "dev".into() })?;
    assert_eq!(get(token.clone()).await?.0, 200);
    world.double.uninstall(world.installation, "dev")?;
    assert_eq!(get(token).await?.0, 401);
    assert_eq!(world.as_app("GET /repos/acme/api/installation", Value::Null).await?.status, 404);
    assert_eq!(world.double.contract_violations(), []);
    Ok(())
}

#[tokio::test]
async fn a_narrowed_token_is_refused_what_it_was_not_given() -> anyhow::Result<()> {
    let world = World::new()?;
    let api = world.double.repository("acme/api")?.id;
    let narrow = json!({ "repository_ids": [api], "permissions": { "issues": "read", "deployments": "write" } });
    let token = world.token(narrow).await?;
    let table = [
        ("GET /repos/acme/api", 200),
        ("GET /repos/acme/api/issues/comments", 200),
        ("GET /repos/acme/api/pulls", 403),
        ("GET /repos/acme/api/deployments", 200),
        ("GET /repos/acme/other", 404),
        ("GET /app", 401),
        ("GET /user", 403),
    ];
    for (line, status) in table {
        assert_eq!(ask(&world.double, &token, line, Value::Null).await?.status, status, "{line}");
    }
    let comment = ask(&world.double, &token, "POST /repos/acme/web/issues/1/comments", json!({ "body": "Hi." })).await?;
    assert_eq!((comment.status, comment.message()), (403, "Resource not accessible by integration"));
    assert_eq!(comment.header("x-accepted-github-permissions"), "issues=write; pull_requests=write");
    let elsewhere = json!({ "ref": "main", "auto_merge": false, "required_contexts": [] });
    assert_eq!(ask(&world.double, &token, "POST /repos/acme/web/deployments", elsewhere).await?.status, 403);
    let listed = ask(&world.double, &token, "GET /installation/repositories", Value::Null).await?.body;
    assert_eq!((&listed["total_count"], &listed["repositories"][0]["full_name"]), (&json!(1), &json!("acme/api")));
    assert_eq!(world.double.contract_violations(), []);
    Ok(())
}

#[tokio::test]
async fn nobody_gets_more_than_was_installed() -> anyhow::Result<()> {
    let world = World::new()?;
    let line = format!("POST /app/installations/{}/access_tokens", world.installation);
    let wide = world.as_app(&line, json!({ "permissions": { "administration": "write" } })).await?;
    assert_eq!((wide.status, wide.message()), (422, "The permissions requested are not granted to this installation."));
    let far = world.as_app(&line, json!({ "repositories": ["other"] })).await?;
    assert_eq!(far.status, 422);
    assert!(far.message().starts_with("There is at least one repository that does not exist"), "{}", far.message());
    assert_eq!(world.double.contract_violations(), []);
    Ok(())
}

#[tokio::test]
async fn a_comment_of_an_app_says_so() -> anyhow::Result<()> {
    let world = World::new()?;
    let token = world.token(Value::Null).await?;
    let written = ask(&world.double, &token, "POST /repos/acme/web/issues/1/comments", json!({ "body": "Ready." })).await?.body;
    assert_eq!((&written["user"]["login"], &written["user"]["type"]), (&json!("previews[bot]"), &json!("Bot")));
    assert_eq!(written["performed_via_github_app"]["id"], APP);
    let delivered = world.double.deliveries().pop().map(|delivery| delivery.json()).unwrap_or_default();
    assert_eq!((&delivered["installation"]["id"], &delivered["sender"]["type"]), (&json!(world.installation), &json!("Bot")));
    assert_eq!(world.double.contract_violations(), []);
    Ok(())
}

fn check(sha: &str, actions: usize) -> Value {
    let button = |index| json!({ "label": "Rebuild", "description": "Make it anew", "identifier": format!("rebuild-{index}") });
    json!({
        "name": "preview / shop", "head_sha": sha, "status": "in_progress",
        "output": { "title": "Creating", "summary": "9 of 12" }, "actions": (0..actions).map(button).collect::<Vec<_>>(),
    })
}

#[tokio::test]
async fn a_check_run_is_made_changed_and_found_and_its_buttons_are_pressed() -> anyhow::Result<()> {
    let world = World::new()?;
    let (double, token) = (&world.double, world.token(Value::Null).await?);
    let sha = double.pull("acme/web", 1)?.head_sha;
    let made = ask(double, &token, "POST /repos/acme/web/check-runs", check(&sha, 3)).await?;
    assert_eq!((made.status, &made.body["pull_requests"][0]["number"]), (201, &json!(1)));
    let id = made.body["id"].as_u64().unwrap_or_default();
    let line = format!("PATCH /repos/acme/web/check-runs/{id}");
    assert_eq!(ask(double, &token, &line, json!({ "conclusion": "neutral" })).await?.body["status"], "completed");
    let found = format!("GET /repos/acme/web/commits/{sha}/check-runs?check_name=preview%20%2F%20shop&app_id={APP}");
    let found = ask(double, &token, &found, Value::Null).await?.body;
    assert_eq!((&found["total_count"], &found["check_runs"][0]["conclusion"]), (&json!(1), &json!("neutral")));
    let press = |button: &str| Action::Press { repo: "acme/web".into(), check: id, button: button.into(), by: "dev".into() };
    let pressed = double.act(press("rebuild-1"))?;
    let told = pressed.delivery().json();
    assert_eq!((&told["requested_action"]["identifier"], &told["check_run"]["id"]), (&json!("rebuild-1"), &json!(id)));
    assert_eq!((&told["sender"]["login"], &told["installation"]["id"]), (&json!("dev"), &json!(world.installation)));
    assert!(double.act(press("fly")).is_err());
    let again = double.act(Action::Rerequest { repo: "acme/web".into(), check: id, by: "dev".into() })?;
    assert_eq!(again.delivery().action.as_deref(), Some("rerequested"));
    let all = double.act(Action::RerequestAll { repo: "acme/web".into(), check: id, by: "dev".into() })?;
    let told = all.delivery().json();
    assert_eq!((&*all.delivery().event, &told["check_suite"]["head_sha"]), ("check_suite", &json!(sha)));
    assert_eq!(told["check_suite"]["latest_check_runs_count"], json!(1));
    assert_eq!(double.contract_violations(), []);
    Ok(())
}

#[tokio::test]
async fn a_check_run_has_limits() -> anyhow::Result<()> {
    let world = World::new()?;
    let (double, token) = (&world.double, world.token(Value::Null).await?);
    let sha = double.pull("acme/web", 1)?.head_sha;
    let post = |body| ask(double, &token, "POST /repos/acme/web/check-runs", body);
    assert_eq!(post(check(&sha, 4)).await?.status, 422, "four buttons");
    let mut long = check(&sha, 1);
    long["actions"][0]["label"] = json!("a label of 21 letters");
    assert_eq!(post(long).await?.status, 422, "a long label");
    let mut open = check(&sha, 0);
    open["status"] = json!("completed");
    assert_eq!(post(open).await?.status, 422, "no conclusion");
    assert_eq!(post(check(&"0".repeat(40), 0)).await?.status, 422, "no such commit");
    assert_eq!(double.contract_violations().len(), 2, "the schema knows the first two as well");
    Ok(())
}

#[tokio::test]
async fn an_app_is_told_what_it_subscribes_to_where_it_is_installed() -> anyhow::Result<()> {
    let world = World::new()?;
    let double = &world.double;
    let opened = double.act(github_double::Open::new("acme/web", "more", "dev"))?;
    let delivery = opened.delivery();
    assert_eq!((opened.deliveries.len(), &delivery.json()["installation"]["id"]), (1, &json!(world.installation)));
    assert_eq!(delivery.header("X-GitHub-Hook-Installation-Target-Type"), Some("integration"));
    assert_eq!(delivery.header("X-GitHub-Hook-Installation-Target-ID"), Some("7"));
    double.permit("acme/other", "dev", github_double::Permission::Admin)?;
    assert!(double.act(github_double::Open::new("acme/other", "fix", "dev"))?.deliveries.is_empty(), "not installed there");
    let added = Action::AddRepositories { installation: world.installation, repositories: vec!["acme/other".into()], by: "dev".into() };
    assert_eq!(double.act(added)?.delivery().json()["repositories_added"][0]["full_name"], "acme/other");
    assert_eq!(double.act(on("acme/other", 1, "dev").close())?.deliveries.len(), 1);
    let removed =
        Action::RemoveRepositories { installation: world.installation, repositories: vec!["acme/other".into()], by: "dev".into() };
    assert_eq!(double.act(removed)?.delivery().json()["repositories_removed"][0]["full_name"], "acme/other");
    let gone = double.uninstall(world.installation, "dev")?;
    let told = gone.delivery().json();
    assert_eq!((gone.delivery().event.as_str(), &told["action"]), ("installation", &json!("deleted")));
    assert_eq!(told["repositories"].as_array().map(Vec::len), Some(2));
    assert!(double.act(on("acme/web", 1, "dev").close())?.deliveries.is_empty(), "nobody is told any more");
    let back = Action::Install { app: APP, owner: "acme".into(), repositories: None, by: "dev".into() };
    assert_eq!(double.act(back)?.delivery().json()["installation"]["repository_selection"], "all");
    assert_eq!(double.contract_violations(), []);
    Ok(())
}

#[tokio::test]
async fn a_repository_that_is_given_away_or_deleted_is_told_to_who_had_it() -> anyhow::Result<()> {
    let world = World::new()?;
    let double = &world.double;
    double.add_user("ada");
    double.permit("acme/web", "dev", github_double::Permission::Admin)?;
    double.permit("acme/api", "dev", github_double::Permission::Admin)?;
    let deleted = double.act(Action::DeleteRepository { repo: "acme/api".into(), by: "dev".into() })?;
    let given = double.act(Action::TransferRepository { repo: "acme/web".into(), to: "ada".into(), by: "dev".into() })?;
    for done in [deleted, given] {
        assert_eq!(done.delivery().json()["installation"]["id"], world.installation, "{:?}", done.delivery().action);
    }
    assert_eq!(double.contract_violations(), []);
    Ok(())
}

#[tokio::test]
async fn failed_deliveries_are_listed_in_pages_and_sent_again() -> anyhow::Result<()> {
    let world = World::new()?;
    let double = &world.double;
    let seen: Arc<Mutex<Vec<Delivery>>> = Arc::default();
    let kept = Arc::clone(&seen);
    double.deliver_to(move |delivery| {
        kept.lock().expect("a lock").push(delivery);
        async { (202, "heard".to_owned()) }
    });
    double.perform(on("acme/web", 1, "dev").comment("One.")).await?;
    let lost: Vec<_> = (0..3).map(|_| double.act(on("acme/web", 1, "dev").push())).collect::<Result<_, _>>()?;
    for done in &lost {
        double.lose(done.delivery());
    }
    let all = world.as_app("GET /app/hook/deliveries", Value::Null).await?.body;
    assert_eq!(all.as_array().map(Vec::len), Some(4));
    let first = world.as_app("GET /app/hook/deliveries?per_page=2&status=failure", Value::Null).await?;
    assert_eq!(first.body.as_array().map(Vec::len), Some(2));
    let next = first
        .header("link")
        .split(['<', '>'])
        .nth(1)
        .and_then(|link| link.split_once("invalid").or(link.split_once("/app/")))
        .map(|(_, rest)| rest.to_owned());
    let next = format!("GET /app/{}", next.unwrap_or_default());
    let second = world.as_app(&next, Value::Null).await?;
    assert_eq!((second.body.as_array().map(Vec::len), second.header("link")), (Some(1), ""));
    let oldest = &second.body[0];
    assert_eq!((&oldest["guid"], &oldest["redelivery"]), (&json!(lost[0].delivery().guid), &json!(false)));
    let again = world.as_app(&format!("POST /app/hook/deliveries/{}/attempts", oldest["id"]), Value::Null).await?;
    assert_eq!(again.status, 202);
    let heard =
        double.wait_until("redelivery", crate::world::DEADLINE, |_| seen.lock().ok()?.iter().find(|one| one.redelivery).cloned()).await?;
    assert_eq!((&heard.guid, &heard.body), (&lost[0].delivery().guid, &lost[0].delivery().body));
    let one = world.as_app(&format!("GET /app/hook/deliveries/{}", oldest["id"]), Value::Null).await?.body;
    assert_eq!(one["request"]["payload"]["action"], "synchronize");
    world.double.advance(TimeDelta::days(4));
    assert_eq!(world.as_app("GET /app/hook/deliveries", Value::Null).await?.body, json!([]));
    assert_eq!(double.contract_violations(), []);
    Ok(())
}

#[tokio::test]
async fn tokens_of_one_installation_share_its_limit() -> anyhow::Result<()> {
    let world = World::new()?;
    let (one, two) = (world.token(Value::Null).await?, world.token(Value::Null).await?);
    let first = ask(&world.double, &one, "GET /repos/acme/api", Value::Null).await?;
    let second = ask(&world.double, &two, "GET /repos/acme/api", Value::Null).await?;
    assert_eq!((first.header("x-ratelimit-remaining"), second.header("x-ratelimit-remaining")), ("4999", "4998"));
    Ok(())
}

#[test]
fn a_key_signs_what_its_public_half_checks() {
    let at: DateTime<Utc> = DateTime::UNIX_EPOCH;
    assert!(Key::shared().private.starts_with("-----BEGIN PRIVATE KEY-----"));
    assert_eq!(Key::shared().token(APP, at), Key::shared().token(APP, at));
}
