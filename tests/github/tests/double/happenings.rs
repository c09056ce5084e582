//! Pushes, repositories that change their name or owner, and who labelled what.

use github_double::{Action, Delivery, Double, Hook, Open, Permission, on};
use serde_json::{Value, json};

use crate::world::{TOKEN, client, double};

const REPO: &str = "acme/web";

fn listening(events: &[&str]) -> anyhow::Result<Double> {
    let double = double()?;
    double.permit(REPO, "dev", Permission::Admin)?;
    double.add_webhook(Hook::to("http://127.0.0.1:9/").events(events))?;
    Ok(double)
}

fn only(double: &Double, action: impl Into<Action>) -> anyhow::Result<Delivery> {
    let done = double.act(action)?;
    anyhow::ensure!(done.deliveries.len() == 1, "one delivery: {:?}", done.deliveries);
    Ok(done.delivery().clone())
}

fn push(branch: &str, force: bool) -> Action {
    Action::Push { repo: REPO.into(), branch: branch.into(), by: "dev".into(), force }
}

async fn get(double: &Double, path: &str) -> anyhow::Result<Value> {
    Ok(client(double, TOKEN)?.get(path, None::<&()>).await?)
}

#[tokio::test]
async fn a_branch_is_made_moved_replaced_and_deleted() -> anyhow::Result<()> {
    let double = listening(&["push"])?;
    let zeros = "0".repeat(40);
    let made = only(&double, push("next", false))?.json();
    assert_eq!((&made["ref"], &made["created"], &made["before"]), (&json!("refs/heads/next"), &json!(true), &json!(zeros)));
    assert!(made["repository"]["pushed_at"].is_i64(), "seconds: {}", made["repository"]["pushed_at"]);
    let moved = only(&double, push("next", false))?.json();
    assert_eq!((&moved["before"], &moved["created"], &moved["forced"]), (&made["after"], &json!(false), &json!(false)));
    assert_eq!(only(&double, push("next", true))?.json()["forced"], true);
    let deleted = Action::DeleteBranch { repo: REPO.into(), branch: "next".into(), by: "dev".into() };
    let deleted = only(&double, deleted)?.json();
    assert_eq!((&deleted["deleted"], &deleted["after"], &deleted["head_commit"]), (&json!(true), &json!(zeros), &Value::Null));
    assert_eq!(double.contract_violations(), []);
    Ok(())
}

#[tokio::test]
async fn opening_pushing_and_merging_push_too() -> anyhow::Result<()> {
    let double = listening(&["push", "pull_request"])?;
    let seen = |action: Action| -> anyhow::Result<Vec<String>> {
        let done = double.act(action)?;
        Ok(done.deliveries.iter().map(|one| format!("{} {}", one.event, one.json()["ref"].as_str().unwrap_or("-"))).collect())
    };
    assert_eq!(seen(Open::new(REPO, "fix", "dev").into())?, ["pull_request -", "push refs/heads/fix"]);
    assert_eq!(seen(on(REPO, 2, "dev").push())?, ["pull_request -", "push refs/heads/fix"]);
    assert_eq!(seen(on(REPO, 2, "dev").merge())?, ["pull_request -", "push refs/heads/main"]);
    assert_eq!(double.contract_violations(), []);
    Ok(())
}

#[tokio::test]
async fn a_repository_is_renamed_given_away_hidden_and_deleted() -> anyhow::Result<()> {
    let double = listening(&["repository"])?;
    double.add_user("ada");
    let id = double.repository(REPO)?.id;
    let renamed = only(&double, Action::RenameRepository { repo: REPO.into(), to: "site".into(), by: "dev".into() })?.json();
    assert_eq!(
        (&renamed["repository"]["full_name"], &renamed["changes"]["repository"]["name"]["from"]),
        (&json!("acme/site"), &json!("web"))
    );
    let given = Action::TransferRepository { repo: "acme/site".into(), to: "ada".into(), by: "dev".into() };
    let given = only(&double, given)?.json();
    assert_eq!(
        (&given["repository"]["full_name"], &given["changes"]["owner"]["from"]["user"]["login"]),
        (&json!("ada/site"), &json!("acme"))
    );
    assert_eq!(get(&double, "/repos/acme/web").await?["id"], id, "both old names lead on");
    let hidden = only(&double, Action::SetPrivate { repo: "ada/site".into(), private: true, by: "dev".into() })?;
    assert_eq!((hidden.action.as_deref(), &hidden.json()["repository"]["private"]), (Some("privatized"), &json!(true)));
    let deleted = only(&double, Action::DeleteRepository { repo: "ada/site".into(), by: "dev".into() })?;
    assert_eq!((deleted.action.as_deref(), &deleted.json()["repository"]["id"]), (Some("deleted"), &json!(id)));
    assert_eq!(double.contract_violations(), []);
    Ok(())
}

#[tokio::test]
async fn a_payload_of_these_names_no_one_from_the_examples() -> anyhow::Result<()> {
    let double = listening(&["push", "repository"])?;
    double.act(push("next", false))?;
    double.act(Action::RenameRepository { repo: REPO.into(), to: "site".into(), by: "dev".into() })?;
    double.act(Action::TransferRepository { repo: "acme/site".into(), to: "umbrella".into(), by: "dev".into() })?;
    for delivery in double.deliveries() {
        let text = String::from_utf8_lossy(&delivery.body).into_owned();
        for foreign in ["Codertocat", "Hello-World", "api.github.com", "octocat", "Octocoders", "electron"] {
            let place = text.find(foreign).map(|at| text[at.saturating_sub(80)..at + 40].to_owned());
            assert_eq!(place, None, "{} {:?} names {foreign}", delivery.event, delivery.action);
        }
    }
    Ok(())
}

#[tokio::test]
async fn who_labelled_is_told() -> anyhow::Result<()> {
    let double = listening(&[])?;
    double.add_user("ada");
    double.permit(REPO, "ada", Permission::Triage)?;
    double.act(on(REPO, 1, "ada").label("preview"))?;
    double.act(on(REPO, 1, "dev").unlabel("preview"))?;
    double.act(on(REPO, 1, "dev").close())?;
    let events = get(&double, "/repos/acme/web/issues/1/events").await?;
    let told: Vec<_> = events.as_array().into_iter().flatten().map(|event| (&event["event"], &event["actor"]["login"])).collect();
    let expected = [("labeled", "ada"), ("unlabeled", "dev"), ("closed", "dev")].map(|(event, by)| (json!(event), json!(by)));
    assert_eq!(told, expected.iter().map(|(event, by)| (event, by)).collect::<Vec<_>>());
    assert_eq!(events[0]["label"]["name"], "preview");
    let pull = get(&double, "/repos/acme/web/pulls/1").await?;
    assert_eq!(pull["labels"], json!([]));
    assert_eq!(double.contract_violations(), []);
    Ok(())
}

#[tokio::test]
async fn branches_come_in_pages_and_unchanged_ones_are_free() -> anyhow::Result<()> {
    let double = listening(&[])?;
    for number in 0..120 {
        double.act(push(&format!("topic-{number:03}"), false))?;
    }
    let client = client(&double, TOKEN)?;
    let first = client._get("/repos/acme/web/branches?per_page=100").await?;
    let header = |name: &str| first.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    assert!(header("link").contains("rel=\"next\""), "{}", header("link"));
    let mut known = http::HeaderMap::new();
    known.insert("if-none-match", header("etag").parse()?);
    let again = client._get_with_headers("/repos/acme/web/branches?per_page=100", Some(known)).await?;
    assert_eq!(again.status(), 304);
    assert_eq!(again.headers()["x-ratelimit-remaining"], header("x-ratelimit-remaining"));
    let rest = get(&double, "/repos/acme/web/branches?per_page=100&page=2").await?;
    assert_eq!(rest.as_array().map(Vec::len), Some(22));
    assert_eq!(double.contract_violations(), []);
    Ok(())
}
