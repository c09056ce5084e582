//! Reactions, deployments, checks and statuses, and what GitHub makes of them.

use axum::body::Body;
use axum::http::Request;
use github_double::{Action, Double, Hook, Key, NewApp, Open, Permission, on};
use http_body_util::BodyExt;
use preview_env::config::GithubConfig;
use preview_env::forge::event::Event;
use preview_env::forge::github::{CheckKind, GitHub};
use preview_env::forge::{Check, CheckAction, Conclusion, DeploymentState, DeploymentUpdate, Forge, ForgeError, NewDeployment, Reaction};
use serde_json::Value;
use tower::ServiceExt;

use super::deliveries::understood;
use super::{BOT, SECRET, client, double, file, fits_what_github_publishes, web};

const APP: u64 = 7;
const ENVIRONMENT: &str = "preview / shop, main";

/// A pull request by somebody, and our right to write.
fn opened() -> Double {
    let double = double();
    double.permit("acme/web", BOT, Permission::Write).unwrap();
    double.act(Open::new("acme/web", "x", "ann")).unwrap();
    double
}

#[tokio::test]
async fn a_reaction_stands_once() {
    let (double, folder) = (opened(), tempfile::tempdir().unwrap());
    double.act(on("acme/web", 1, "ann").comment("/preview")).unwrap();
    let comment = double.comments("acme/web", 1)[0].id;
    let github = client(&double, &folder);
    for reaction in [Reaction::Seen, Reaction::Seen, Reaction::Done, Reaction::Refused] {
        github.react(&web(), i64::try_from(comment).unwrap(), reaction).await.unwrap();
    }
    let repository = double.repository("acme/web").unwrap();
    let signs: Vec<&str> = repository.records.reactions.values().map(|one| one.content.as_str()).collect();
    assert_eq!(signs, ["eyes", "+1", "confused"]);
    assert!(matches!(github.react(&web(), 999_999, Reaction::Seen).await, Err(ForgeError::NotFound(_))));
    fits_what_github_publishes(&double);
}

#[tokio::test]
async fn deployments_of_one_name_live_and_end_apart() {
    let (double, folder) = (opened(), tempfile::tempdir().unwrap());
    double.act(Open::new("acme/web", "y", "ann")).unwrap();
    let github = client(&double, &folder);
    let deployments = github.deployments().unwrap();
    let mut made = Vec::new();
    for number in [1, 2] {
        let revision = github.pull_request(&web(), number).await.unwrap().revision.as_str().to_owned();
        let new = NewDeployment { revision, environment: ENVIRONMENT.into(), description: "d".repeat(300) };
        let id = deployments.create(&web(), &new).await.unwrap();
        made.insert(0, (id, new));
        for state in [DeploymentState::Queued, DeploymentState::InProgress, DeploymentState::Success] {
            let update = DeploymentUpdate { state, description: "ü".repeat(300), url: Some("https://web-pr.example.com".into()) };
            deployments.set_state(&web(), id, &update).await.unwrap();
        }
    }
    for (id, new) in &made {
        assert_eq!(deployments.list(&web(), new).await.unwrap(), [*id]);
        let others = NewDeployment { description: "Preview of #7".into(), ..new.clone() };
        assert_eq!(deployments.list(&web(), &others).await.unwrap(), [0_i64; 0]);
    }
    let kept = || double.repository("acme/web").unwrap().records.deployments;
    assert!(kept().values().all(|one| one.transient && !one.production && one.statuses.len() == 3));

    let first = made[1].0;
    assert!(matches!(deployments.delete(&web(), first).await, Err(ForgeError::Refused { status: 422, .. })));
    let inactive = DeploymentUpdate { state: DeploymentState::Inactive, description: "gone".into(), url: None };
    deployments.set_state(&web(), first, &inactive).await.unwrap();
    deployments.delete(&web(), first).await.unwrap();
    assert!(
        matches!(deployments.delete(&web(), first).await, Err(ForgeError::NotFound(_))),
        "whoever asks knows whether that proves anything"
    );
    assert_eq!(kept().len(), 1);
    fits_what_github_publishes(&double);
}

fn check(revision: &str, conclusion: Option<Conclusion>) -> Check {
    Check {
        name: "preview / shop".into(),
        revision: revision.to_owned(),
        pull: Some(1),
        made_at: chrono::DateTime::from_timestamp(1_800_000_010, 0),
        conclusion,
        title: "t".repeat(500),
        summary: "# Ready\n".repeat(20_000),
        url: Some("https://web-pr-1.example.com".into()),
        actions: CheckAction::ALL.to_vec(),
    }
}

#[tokio::test]
async fn a_plain_token_writes_statuses_and_no_check_runs() {
    let (double, folder) = (opened(), tempfile::tempdir().unwrap());
    let github = client(&double, &folder);
    let revision = github.pull_request(&web(), 1).await.unwrap().revision.as_str().to_owned();
    let checks = github.checks().unwrap();
    for (conclusion, state) in [
        (None, "pending"),
        (Some(Conclusion::Failure), "failure"),
        (Some(Conclusion::Neutral), "success"),
        (Some(Conclusion::ActionRequired), "pending"),
        (Some(Conclusion::Skipped), "success"),
        (Some(Conclusion::Success), "success"),
    ] {
        assert_eq!(checks.create(&web(), &check(&revision, conclusion)).await.unwrap(), None);
        let repository = double.repository("acme/web").unwrap();
        let newest = repository.records.statuses_of(&revision).next().unwrap();
        assert_eq!((newest.state.as_str(), newest.context.as_str()), (state, "preview / shop"));
    }
    let runs = client(&double, &folder).with_checks(CheckKind::Runs);
    let refused = runs.checks().unwrap().create(&web(), &check(&revision, None)).await.unwrap_err();
    assert!(matches!(refused, ForgeError::Refused { status: 403, .. }), "{refused}");
    fits_what_github_publishes(&double);
}

/// A token of an installation.
async fn installed(double: &Double) -> (u64, String) {
    let permissions = [("checks", "write"), ("pull_requests", "read"), ("contents", "read")];
    let hook = Hook::to("http://127.0.0.1:9/").secret(SECRET);
    let app = NewApp::new(APP, "preview-env", &Key::shared().public).permissions(&permissions).events(&["check_run"]).webhook(hook);
    double.add_app(app).unwrap();
    let installation = double.install(APP, "acme", Some(&["acme/web"])).unwrap();
    let request = Request::post(format!("/app/installations/{installation}/access_tokens"))
        .header("user-agent", "a-test")
        .header("authorization", format!("Bearer {}", Key::shared().token(APP, double.now())));
    let answer = double.service().oneshot(request.body(Body::from("{}")).unwrap()).await.unwrap();
    let answer: Value = serde_json::from_slice(&answer.into_body().collect().await.unwrap().to_bytes()).unwrap();
    (installation, answer["token"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn an_app_writes_check_runs_whose_buttons_come_back() {
    let double = double();
    double.add_user("eve");
    double.permit("acme/web", "ann", Permission::Admin).unwrap();
    let fork = double.fork("acme/web", "eve").unwrap();
    double.act(Open::new("acme/web", "x", "eve").from_fork(&fork)).unwrap();
    let (installation, token) = installed(&double).await;
    let folder = tempfile::tempdir().unwrap();
    let config = GithubConfig::new(double.base_url(), file(&folder, &token)).unwrap();
    let github = GitHub::new(config).unwrap().with_checks(CheckKind::Runs);
    let revision = github.pull_request(&web(), 1).await.unwrap().revision.as_str().to_owned();
    let checks = github.checks().unwrap();
    let id = checks.create(&web(), &check(&revision, None)).await.unwrap().unwrap();
    checks.update(&web(), id, &check(&revision, Some(Conclusion::Success))).await.unwrap();
    checks.update(&web(), id, &check(&revision, None)).await.unwrap();
    checks.update(&web(), id, &check(&revision, Some(Conclusion::Neutral))).await.unwrap();
    let pressed = |button: &str| Action::Press {
        repo: "acme/web".into(),
        check: u64::try_from(id).unwrap(),
        button: button.into(),
        by: "ann".into(),
    };
    let mut ids = std::collections::BTreeSet::new();
    for action in CheckAction::ALL {
        let done = double.act(pressed(action.as_str())).unwrap();
        let event = understood(done.delivery());
        let Event::Button { press, .. } = event else { panic!("{event:?}") };
        assert_eq!((press.action, press.pull, press.sender.as_str(), press.made_at), (action, 1, "ann", check(&revision, None).made_at));
        let another = done.delivery().clone().with_header("X-GitHub-Delivery", "another");
        let Event::Button { press: again, .. } = understood(&another) else { panic!("{another:?}") };
        assert_eq!(again.id, press.id, "a press is known by its body");
        assert!(ids.insert(press.id), "and each is another one");
    }
    let id = i64::try_from(double.repository("acme/web").unwrap().id).unwrap();
    let gone = understood(double.uninstall(installation, "ann").unwrap().delivery());
    assert!(matches!(&gone, Event::Gone { repositories, .. } if *repositories == [id]), "{gone:?}");
    fits_what_github_publishes(&double);
}
