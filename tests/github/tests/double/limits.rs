//! Limits, lies and virtual time, all without a socket.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use github_double::{Double, Failure, Fault, Hook, on};
use http::header::{AUTHORIZATION, USER_AGENT};
use octocrab::service::middleware::base_uri::BaseUriLayer;
use octocrab::service::middleware::extra_headers::ExtraHeadersLayer;
use octocrab::{AuthState, Octocrab, OctocrabBuilder};
use serde_json::{Value, json};

use crate::world::{TOKEN, ask, double};

const COMMENTS: &str = "POST /repos/acme/web/issues/1/comments";

/// The double, whose clock follows tokio's.
fn in_virtual_time() -> anyhow::Result<Double> {
    let double = double()?;
    let (began, first): (_, DateTime<Utc>) = (tokio::time::Instant::now(), "2026-11-28T12:00:00Z".parse()?);
    double.follow_clock(move || first + TimeDelta::from_std(began.elapsed()).unwrap_or_default());
    Ok(double)
}

#[tokio::test(start_paused = true)]
async fn an_hour_of_comments_passes_at_once_and_within_the_limits() -> anyhow::Result<()> {
    let double = in_virtual_time()?;
    for index in 0..500 {
        assert_eq!(ask(&double, TOKEN, COMMENTS, json!({ "body": format!("Comment {index}") })).await?.status, 201);
        tokio::time::sleep(Duration::from_millis(7_200)).await;
    }
    assert_eq!(double.now().to_rfc3339(), "2026-11-28T13:00:00+00:00");
    assert_eq!((double.limit_violations(), double.contract_violations()), (vec![], vec![]));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn who_is_in_a_hurry_is_noted() -> anyhow::Result<()> {
    let double = in_virtual_time()?;
    for _ in 0..2 {
        ask(&double, TOKEN, COMMENTS, json!({ "body": "Quick." })).await?;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let found = double.limit_violations();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].who.as_str(), found[0].why.as_str()), ("preview[bot]", "a change 300 ms after another, not 1 s"));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn who_does_not_wait_as_told_is_noted() -> anyhow::Result<()> {
    let double = in_virtual_time()?;
    double.inject(Fault::next(Failure::secondary_limit(Duration::from_secs(60))));
    assert_eq!(ask(&double, TOKEN, "GET /user", Value::Null).await?.header("retry-after"), "60");
    tokio::time::sleep(Duration::from_secs(59)).await;
    ask(&double, TOKEN, "GET /user", Value::Null).await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    ask(&double, TOKEN, "GET /user", Value::Null).await?;
    assert_eq!(double.limit_violations().len(), 1, "{:?}", double.limit_violations());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn who_asks_beyond_the_hour_is_noted() -> anyhow::Result<()> {
    let double = in_virtual_time()?;
    double.set_remaining(TOKEN, 1)?;
    for _ in 0..2 {
        ask(&double, TOKEN, "GET /user", Value::Null).await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(double.limit_violations().len(), 1, "{:?}", double.limit_violations());
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn slow_answers_and_an_hour_of_500s_pass_in_virtual_time() -> anyhow::Result<()> {
    let double = in_virtual_time()?;
    let began = tokio::time::Instant::now();
    double.inject(Fault::next(Failure::delay(Duration::from_secs(30))));
    assert_eq!(ask(&double, TOKEN, "GET /user", Value::Null).await?.status, 200);
    assert_eq!(began.elapsed().as_secs(), 30);
    double.inject(Fault::always(Failure::status(500)).until(double.now() + TimeDelta::hours(1)));
    for (after, status) in [(0, 500), (3_599, 500), (1, 200)] {
        tokio::time::sleep(Duration::from_secs(after)).await;
        assert_eq!(ask(&double, TOKEN, "GET /user", Value::Null).await?.status, status);
    }
    Ok(())
}

/// The client that the service uses, with the double in place of its connections.
fn client_in_process(double: &Double) -> anyhow::Result<Octocrab> {
    let headers = vec![(USER_AGENT, "a-test".parse()?), (AUTHORIZATION, format!("Bearer {TOKEN}").parse()?)];
    let built = OctocrabBuilder::new_empty()
        .with_service(double.service())
        .with_layer(&ExtraHeadersLayer::new(Arc::new(headers)))
        .with_layer(&BaseUriLayer::new(double.base_url().parse()?))
        .with_auth(AuthState::None)
        .build();
    let Ok(client) = built;
    Ok(client)
}

#[tokio::test(start_paused = true)]
async fn the_services_client_waits_in_virtual_time() -> anyhow::Result<()> {
    let double = in_virtual_time()?;
    let client = client_in_process(&double)?;
    let began = double.now();
    double.inject(Fault::on("GET", "/repos/*/*/pulls/*", Failure::delay(Duration::from_secs(3_600))));
    assert_eq!(client.pulls("acme", "web").get(1).await?.number, 1);
    client.issues("acme", "web").create_comment(1, "Ready.").await?;
    assert_eq!(double.comments("acme/web", 1).len(), 1);
    assert_eq!(double.now() - began, TimeDelta::hours(1));
    assert_eq!((double.limit_violations(), double.contract_violations()), (vec![], vec![]));
    Ok(())
}

#[tokio::test]
async fn github_lies() -> anyhow::Result<()> {
    let double = double()?;
    let client = crate::world::client(&double, TOKEN)?;
    double.inject(Fault::on("GET", "/repos/*/*/pulls", Failure::page()));
    assert!(client.pulls("acme", "web").list().send().await.is_err(), "a page is no list");
    double.inject(Fault::on("GET", "/repos/*/*/pulls", Failure::empty_list()));
    assert_eq!(client.pulls("acme", "web").list().send().await?.items.len(), 0);
    assert_eq!(client.pulls("acme", "web").list().send().await?.items.len(), 1);
    double.inject(Fault::always(Failure::status(404)));
    for line in ["GET /user", "GET /repos/acme/web", "GET /repos/acme/web/pulls/1"] {
        assert_eq!(ask(&double, TOKEN, line, Value::Null).await?.status, 404);
    }
    double.clear_faults();
    assert_eq!(ask(&double, TOKEN, "GET /user", Value::Null).await?.status, 200);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn deliveries_come_in_process_and_are_waited_for_ten_seconds() -> anyhow::Result<()> {
    let double = in_virtual_time()?;
    double.add_webhook(Hook::to("http://nowhere.invalid/"))?;
    double.deliver_to(|delivery| async move { (202, delivery.guid) });
    let done = double.perform(on("acme/web", 1, "dev").push()).await?;
    assert_eq!((done.status(), done.delivery().answer()), (Some(202), done.delivery().guid.as_str()));
    double.deliver_to(|_| std::future::pending());
    let late = double.perform(on("acme/web", 1, "dev").push()).await?;
    assert_eq!((late.status(), late.delivery().answer()), (None, "no answer within 10 s"));
    Ok(())
}

#[tokio::test]
async fn a_double_that_listens_nowhere_answers_all_the_same_below_the_path_of_an_enterprise() -> anyhow::Result<()> {
    let double = Double::in_process();
    double.add_user("ann");
    double.add_token("ann", TOKEN)?;
    double.add_repository("ann/notes")?;
    for path in ["/repos/ann/notes", "/api/v3/repos/ann/notes"] {
        let answer = ask(&double, TOKEN, &format!("GET {path}"), Value::Null).await?;
        assert_eq!((answer.status, &answer.body["full_name"]), (200, &json!("ann/notes")));
    }
    double.go_down();
    assert!(ask(&double, TOKEN, "GET /user", Value::Null).await.is_err(), "the connection is cut");
    assert_eq!(double.contract_violations(), []);
    Ok(())
}
