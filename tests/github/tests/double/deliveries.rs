//! Deliveries: what GitHub would send for each thing that people do.

use std::time::Duration;

use github_double::{Action, ContentType, Delivery, Double, Hook, Open, Permission, check_payload, on, signature};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

const REPO: &str = "acme/web";
const SECRET: &str = "a secret for tests";

fn double() -> anyhow::Result<Double> {
    let double = Double::start()?;
    double.add_user("dev");
    double.add_user("stranger");
    double.add_repository(REPO)?;
    double.permit(REPO, "dev", Permission::Write)?;
    double.add_webhook(Hook::to("http://127.0.0.1:9/").secret(SECRET).events(&["pull_request", "issue_comment"]))?;
    Ok(double)
}

/// The only delivery of an action, checked against the published schema.
fn delivered(double: &Double, action: impl Into<Action>) -> anyhow::Result<Delivery> {
    let done = double.act(action)?;
    anyhow::ensure!(done.deliveries.len() == 1, "one delivery: {:?}", done.deliveries);
    let delivery = done.delivery().clone();
    assert_eq!(check_payload(&delivery.event, delivery.action.as_deref(), &delivery.json()), []);
    assert_eq!(delivery.header("X-Hub-Signature-256"), Some(signature(SECRET, &delivery.body).as_str()));
    Ok(delivery)
}

#[tokio::test]
async fn every_action_of_a_pull_request_fits_the_published_schema() -> anyhow::Result<()> {
    let double = double()?;
    let opened = delivered(&double, Open::new(REPO, "feature/login", "dev").title("Add login").body("Closes 1."))?;
    assert_eq!(opened.json()["pull_request"]["head"]["ref"], "feature/login");
    assert_eq!(opened.json()["pull_request"]["base"]["repo"]["full_name"], REPO);
    assert_eq!(opened.json()["organization"]["login"], "acme");
    assert_eq!(opened.json()["sender"]["login"], "dev");
    let actions = [
        ("synchronize", on(REPO, 1, "dev").push()),
        ("synchronize", on(REPO, 1, "dev").force_push()),
        ("edited", on(REPO, 1, "dev").retitle("Add a login page")),
        ("edited", on(REPO, 1, "dev").describe("More words.")),
        ("converted_to_draft", on(REPO, 1, "dev").to_draft()),
        ("ready_for_review", on(REPO, 1, "dev").ready()),
        ("labeled", on(REPO, 1, "dev").label("preview")),
        ("unlabeled", on(REPO, 1, "dev").unlabel("preview")),
        ("closed", on(REPO, 1, "dev").close()),
        ("reopened", on(REPO, 1, "dev").reopen()),
        ("closed", on(REPO, 1, "dev").merge()),
    ];
    for (name, action) in actions {
        let delivery = delivered(&double, action)?;
        assert_eq!((delivery.event.as_str(), delivery.action.as_deref()), ("pull_request", Some(name)));
        assert_eq!(delivery.json()["number"], 1);
    }
    assert_eq!(double.contract_violations(), []);
    Ok(())
}

#[tokio::test]
async fn a_payload_names_no_one_from_the_examples() -> anyhow::Result<()> {
    let double = double()?;
    delivered(&double, Open::new(REPO, "login", "dev"))?;
    delivered(&double, on(REPO, 1, "dev").push())?;
    delivered(&double, on(REPO, 1, "dev").comment("Looks good."))?;
    delivered(&double, on(REPO, 1, "dev").close())?;
    for delivery in double.deliveries() {
        let text = String::from_utf8_lossy(&delivery.body).into_owned();
        for foreign in ["Codertocat", "Hello-World", "api.github.com", "Octocoders"] {
            let place = text.find(foreign).map(|at| text[at.saturating_sub(80)..at + 40].to_owned());
            assert_eq!(place, None, "{} names {foreign}", delivery.event);
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_push_says_where_the_branch_was_and_is() -> anyhow::Result<()> {
    let double = double()?;
    double.act(Open::new(REPO, "login", "dev"))?;
    let before = double.pull(REPO, 1)?.head_sha;
    let pushed = delivered(&double, on(REPO, 1, "dev").push())?.json();
    assert_eq!(pushed["before"], before);
    assert_eq!(pushed["after"], double.pull(REPO, 1)?.head_sha);
    assert_eq!(pushed["pull_request"]["head"]["sha"], pushed["after"]);
    Ok(())
}

#[tokio::test]
async fn a_changed_base_says_what_it_was() -> anyhow::Result<()> {
    let double = double()?;
    double.act(Action::Push { repo: REPO.into(), branch: "next".into(), by: "dev".into(), force: false })?;
    double.act(Open::new(REPO, "login", "dev"))?;
    let edited = delivered(&double, on(REPO, 1, "dev").retarget("next"))?.json();
    assert_eq!(edited["changes"]["base"]["ref"]["from"], "main");
    assert_eq!(edited["pull_request"]["base"]["ref"], "next");
    Ok(())
}

#[tokio::test]
async fn a_repository_of_a_person_has_no_organization() -> anyhow::Result<()> {
    let double = double()?;
    double.add_repository("dev/notes")?;
    let payload = delivered(&double, Open::new("dev/notes", "fix", "dev"))?.json();
    assert!(payload.get("organization").is_none());
    assert_eq!(payload["pull_request"]["author_association"], "OWNER");
    Ok(())
}

#[tokio::test]
async fn a_reopened_pull_request_is_where_its_branch_is() -> anyhow::Result<()> {
    let double = double()?;
    double.act(Open::new(REPO, "login", "dev"))?;
    double.act(on(REPO, 1, "dev").close())?;
    let closed_at = double.pull(REPO, 1)?.head_sha;
    assert!(double.act(on(REPO, 1, "dev").push())?.deliveries.is_empty(), "nobody is told");
    assert_eq!(double.pull(REPO, 1)?.head_sha, closed_at);
    let reopened = delivered(&double, on(REPO, 1, "dev").reopen())?.json();
    assert_ne!(reopened["pull_request"]["head"]["sha"], closed_at.as_str());
    assert_eq!(reopened["pull_request"]["state"], "open");
    Ok(())
}

#[tokio::test]
async fn a_fork_is_another_repository_of_a_newcomer() -> anyhow::Result<()> {
    let double = double()?;
    let fork = double.fork(REPO, "stranger")?;
    let payload = delivered(&double, Open::new(REPO, "fix", "stranger").from_fork(&fork))?.json();
    let pull = &payload["pull_request"];
    assert_ne!(pull["head"]["repo"]["id"], pull["base"]["repo"]["id"]);
    assert_eq!(pull["head"]["repo"]["full_name"], "stranger/web");
    assert_eq!(pull["head"]["repo"]["fork"], true);
    assert_eq!(pull["head"]["label"], "stranger:fix");
    assert_eq!(pull["author_association"], "FIRST_TIME_CONTRIBUTOR");
    assert_eq!(delivered(&double, on(REPO, 1, "stranger").push())?.json()["sender"]["login"], "stranger");
    Ok(())
}

#[tokio::test]
async fn a_deleted_fork_leaves_a_null() -> anyhow::Result<()> {
    let double = double()?;
    let fork = double.fork(REPO, "stranger")?;
    double.act(Open::new(REPO, "fix", "stranger").from_fork(&fork))?;
    double.act(Action::DeleteRepository { repo: fork, by: "stranger".into() })?;
    let closed = delivered(&double, on(REPO, 1, "dev").close())?.json();
    assert!(closed["pull_request"]["head"]["repo"].is_null());
    assert_eq!(closed["pull_request"]["head"]["label"], "stranger:fix");
    assert!(double.act(on(REPO, 1, "dev").reopen()).is_err(), "there is nothing to reopen from");
    Ok(())
}

#[tokio::test]
async fn comments_and_pings_fit_the_published_schema() -> anyhow::Result<()> {
    let double = double()?;
    let hook = double.add_webhook(Hook::to("http://127.0.0.1:9/").secret(SECRET).only(REPO))?;
    double.act(Open::new(REPO, "login", "dev"))?;
    let done = double.act(on(REPO, 1, "dev").comment("Looks good."))?;
    assert_eq!(check_payload("issue_comment", Some("created"), &done.delivery().json()), []);
    let comment = done.comment.unwrap_or_default();
    let edited = Action::EditComment { repo: REPO.into(), comment, by: "dev".into(), body: "Looks better.".into() };
    assert_eq!(delivered(&double, edited)?.json()["changes"]["body"]["from"], "Looks good.");
    delivered(&double, Action::DeleteComment { repo: REPO.into(), comment, by: "dev".into() })?;
    let ping = delivered(&double, Action::Ping { hook })?;
    assert_eq!((ping.event.as_str(), ping.action), ("ping", None));
    Ok(())
}

#[tokio::test]
async fn what_github_would_refuse_is_refused() -> anyhow::Result<()> {
    let double = double()?;
    double.act(Open::new(REPO, "login", "dev"))?;
    assert!(double.act(Open::new(REPO, "login", "dev")).is_err(), "a second one for the same branches");
    assert!(double.act(Open::new(REPO, "other", "stranger")).is_err(), "a push without the right to");
    assert!(double.act(on(REPO, 1, "stranger").merge()).is_err(), "a merge without the right to");
    assert!(double.act(on(REPO, 1, "dev").reopen()).is_err(), "it is open");
    double.act(on(REPO, 1, "dev").merge())?;
    assert!(double.act(on(REPO, 1, "dev").reopen()).is_err(), "it is merged");
    Ok(())
}

#[tokio::test]
async fn a_deleted_branch_closes_its_pull_requests() -> anyhow::Result<()> {
    let double = double()?;
    double.act(Open::new(REPO, "login", "dev"))?;
    let closed = delivered(&double, Action::DeleteBranch { repo: REPO.into(), branch: "login".into(), by: "dev".into() })?;
    assert_eq!(closed.action.as_deref(), Some("closed"));
    Ok(())
}

#[tokio::test]
async fn the_clock_moves_updated_at_in_whole_seconds() -> anyhow::Result<()> {
    let double = double()?;
    double.set_time("2026-11-24T12:00:00.750Z".parse()?);
    double.act(Open::new(REPO, "login", "dev"))?;
    assert_eq!(double.pull(REPO, 1)?.updated_at.to_rfc3339(), "2026-11-24T12:00:00+00:00");
    double.advance(chrono::TimeDelta::seconds(5));
    let commented = double.act(on(REPO, 1, "dev").comment("Hello."))?;
    assert_eq!(double.pull(REPO, 1)?.updated_at.to_rfc3339(), "2026-11-24T12:00:05+00:00");
    assert_eq!(commented.delivery().json()["issue"]["updated_at"], "2026-11-24T12:00:05Z");
    Ok(())
}

/// A receiver that answers each of `statuses` once, and returns what it was sent.
async fn receiver(statuses: Vec<u16>) -> anyhow::Result<(String, JoinHandle<anyhow::Result<Vec<String>>>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/webhooks/github", listener.local_addr()?);
    let task = tokio::spawn(async move {
        let mut seen = Vec::new();
        for status in statuses {
            let (mut stream, _) = listener.accept().await?;
            seen.push(read_request(&mut stream).await?);
            let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 5\r\nconnection: close\r\n\r\nheard");
            stream.write_all(answer.as_bytes()).await?;
        }
        Ok(seen)
    });
    Ok((url, task))
}

async fn read_request(stream: &mut tokio::net::TcpStream) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    loop {
        let read = stream.read_buf(&mut bytes).await?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head.to_lowercase().split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
        if read == 0 || body.len() >= length.unwrap_or(0) {
            return Ok(text);
        }
    }
}

#[tokio::test]
async fn a_redelivery_repeats_bytes_and_guid() -> anyhow::Result<()> {
    let (url, receiver) = receiver(vec![503, 202]).await?;
    let double = Double::start()?;
    double.add_user("dev");
    double.add_repository(REPO)?;
    double.permit(REPO, "dev", Permission::Write)?;
    double.add_webhook(Hook::to(&url).secret(SECRET))?;
    let first = double.perform(Open::new(REPO, "login", "dev")).await?.delivery().clone();
    assert_eq!((first.status(), first.answer()), (Some(503), "heard"));
    let second = double.redeliver(first.id).await?;
    assert_eq!((second.status(), second.redelivery), (Some(202), true));
    let seen = tokio::time::timeout(Duration::from_secs(10), receiver).await???;
    assert_eq!(seen[0], seen[1], "the same bytes, head and all");
    assert!(seen[0].to_lowercase().contains(&format!("x-github-delivery: {}", first.guid)));
    assert_eq!(double.deliveries().iter().map(Delivery::status).collect::<Vec<_>>(), [Some(503), Some(202)]);
    Ok(())
}

#[tokio::test]
async fn a_receiver_that_is_away_is_a_failed_delivery() -> anyhow::Result<()> {
    let double = double()?;
    let done = double.perform(Open::new(REPO, "login", "dev")).await?;
    assert_eq!(done.status(), None);
    assert_ne!(done.delivery().answer(), "(not sent)");
    Ok(())
}

#[tokio::test]
async fn a_form_holds_the_json_in_one_field() -> anyhow::Result<()> {
    let double = Double::start()?;
    double.add_user("dev");
    double.add_repository(REPO)?;
    double.permit(REPO, "dev", Permission::Write)?;
    let form = Hook { content_type: ContentType::Form, ..Hook::to("http://127.0.0.1:9/").secret(SECRET) };
    double.add_webhook(form)?;
    let delivery = double.act(Open::new(REPO, "login", "dev"))?.delivery().clone();
    assert_eq!(delivery.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert!(delivery.body.starts_with(b"payload=%7B%22"));
    assert_eq!(delivery.header("x-hub-signature-256"), Some(signature(SECRET, &delivery.body).as_str()));
    Ok(())
}

#[tokio::test]
async fn a_delivery_can_be_tampered_with() -> anyhow::Result<()> {
    let double = double()?;
    let delivery = double.act(Open::new(REPO, "login", "dev"))?.delivery().clone();
    let honest = delivery.header("x-hub-signature-256").map(str::to_owned);
    let tampered = delivery.clone().with_body("{}");
    assert_eq!(tampered.header("x-hub-signature-256").map(str::to_owned), honest);
    assert_ne!(tampered.signed_with(SECRET).header("x-hub-signature-256").map(str::to_owned), honest);
    assert_eq!(delivery.unsigned().header("x-hub-signature-256"), None);
    Ok(())
}
