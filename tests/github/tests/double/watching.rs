//! What a test sees of the requests: the log, the violations, waiting.

use std::time::Duration;

use crate::world::{BOT, DEADLINE, TOKEN, client, double, status_of};

#[tokio::test]
async fn the_log_says_who_asked_for_what() -> anyhow::Result<()> {
    let double = double()?;
    let client = client(&double, TOKEN)?;
    client.pulls("acme", "web").get(1).await?;
    let seen = double.requests();
    assert_eq!((seen[0].method.as_str(), seen[0].path.as_str()), ("GET", "/repos/acme/web/pulls/1"));
    assert_eq!((seen[0].status, seen[0].who.as_deref()), (Some(200), Some(BOT)));
    assert!(!format!("{seen:?}").contains(TOKEN));
    Ok(())
}

#[tokio::test]
async fn what_the_contract_does_not_have_is_a_violation() -> anyhow::Result<()> {
    let double = double()?;
    let client = client(&double, TOKEN)?;
    let unknown: octocrab::Result<serde_json::Value> = client.get("/repos/acme/web/nonsense", None::<&()>).await;
    assert_eq!(status_of(unknown), Some(404));
    let wrong: octocrab::Result<serde_json::Value> = client.get("/repos/acme/web/pulls?state=ajar&colour=red", None::<&()>).await;
    assert!(wrong.is_ok());
    let body = serde_json::json!({ "text": "no body" });
    let missing: octocrab::Result<serde_json::Value> = client.post("/repos/acme/web/issues/1/comments", Some(&body)).await;
    assert_eq!(status_of(missing), Some(422));
    let why: Vec<_> = double.contract_violations().into_iter().map(|violation| violation.why).collect();
    assert_eq!(why.len(), 4, "{why:#?}");
    Ok(())
}

#[tokio::test]
async fn a_wait_ends_with_the_comment_or_says_what_was_there() -> anyhow::Result<()> {
    let double = double()?;
    let client = client(&double, TOKEN)?;
    let writer = tokio::spawn(async move { client.issues("acme", "web").create_comment(1, "Preview ready").await });
    let seen = double.wait_for_comment("acme/web", 1, |body| body.contains("ready"), DEADLINE).await?;
    assert_eq!(double.login(seen.author), BOT);
    writer.await??;
    let error = double.wait_for_comment("acme/web", 1, |body| body.contains("gone"), Duration::from_millis(1)).await;
    let text = error.err().map(|error| format!("{error:?}")).unwrap_or_default();
    assert!(text.contains("Preview ready") && text.contains("POST /repos/acme/web/issues/1/comments 201"), "{text}");
    Ok(())
}
