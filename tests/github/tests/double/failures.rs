//! Tokens, limits, and GitHub failing in its various ways.

use std::time::Duration;

use github_double::{Failure, Fault, Permission};

use crate::world::{TOKEN, client, double, status_of};

#[tokio::test]
async fn a_revoked_token_gets_401() -> anyhow::Result<()> {
    let double = double()?;
    let client = client(&double, TOKEN)?;
    double.revoke_token(TOKEN)?;
    assert_eq!(status_of(client.current().user().await), Some(401));
    assert_eq!(double.contract_violations(), []);
    Ok(())
}

#[tokio::test]
async fn a_private_repository_is_not_there_for_others() -> anyhow::Result<()> {
    let double = double()?;
    double.add_private_repository("acme/secret")?;
    double.permit("acme/secret", "dev", Permission::Write)?;
    double.add_token("dev", "a-token-of-dev")?;
    assert_eq!(status_of(client(&double, TOKEN)?.repos("acme", "secret").get().await), Some(404));
    assert_eq!(client(&double, "a-token-of-dev")?.repos("acme", "secret").get().await?.private, Some(true));
    double.set_scopes("a-token-of-dev", &["public_repo"])?;
    assert_eq!(status_of(client(&double, "a-token-of-dev")?.repos("acme", "secret").get().await), Some(404));
    assert_eq!(double.contract_violations(), []);
    Ok(())
}

#[tokio::test]
async fn a_spent_limit_is_a_403_with_the_time_of_its_reset() -> anyhow::Result<()> {
    let double = double()?;
    double.set_time("2026-11-24T12:00:00Z".parse()?);
    let client = client(&double, TOKEN)?;
    double.set_remaining(TOKEN, 1)?;
    client.current().user().await?;
    let Err(octocrab::Error::GitHub { source, .. }) = client.current().user().await else {
        anyhow::bail!("the limit is spent");
    };
    assert_eq!(source.status_code.as_u16(), 403);
    assert_eq!(source.rate_limit_reset_at().map(|at| at.to_rfc3339()), Some("2026-11-24T13:00:00+00:00".to_owned()));
    assert_eq!(client.ratelimit().get().await?.rate.remaining, 0, "asking for it is free");
    double.advance(chrono::TimeDelta::hours(1));
    client.current().user().await?;
    Ok(())
}

#[tokio::test]
async fn a_secondary_limit_says_when_to_come_back() -> anyhow::Result<()> {
    let double = double()?;
    let client = client(&double, TOKEN)?;
    let limit = Failure::secondary_limit(Duration::from_secs(60));
    double.inject(Fault::on("POST", "/repos/*/*/issues/*/comments", limit));
    let Err(octocrab::Error::GitHub { source, .. }) = client.issues("acme", "web").create_comment(1, "Hi.").await else {
        anyhow::bail!("a limit was asked for");
    };
    let headers = source.headers.unwrap_or_default();
    assert_eq!(headers["retry-after"].to_str()?, "60");
    client.issues("acme", "web").create_comment(1, "Hi.").await?;
    Ok(())
}

#[tokio::test]
async fn a_lost_answer_leaves_the_comment_there() -> anyhow::Result<()> {
    let double = double()?;
    let client = client(&double, TOKEN)?;
    double.inject(Fault::on("POST", "/repos/*/*/issues/*/comments", Failure::CutAfter));
    assert!(client.issues("acme", "web").create_comment(1, "Ready.").await.is_err());
    assert_eq!(double.comments("acme/web", 1).len(), 1);
    double.inject(Fault::on("POST", "/repos/*/*/issues/*/comments", Failure::CutBefore));
    assert!(client.issues("acme", "web").create_comment(1, "Ready.").await.is_err());
    assert_eq!(double.comments("acme/web", 1).len(), 1);
    assert_eq!(double.requests().iter().map(|one| one.status).collect::<Vec<_>>(), [None, None]);
    Ok(())
}

#[tokio::test]
async fn down_and_up_again() -> anyhow::Result<()> {
    let double = double()?;
    let client = client(&double, TOKEN)?;
    client.current().user().await?;
    double.go_down();
    assert!(client.current().user().await.is_err());
    double.come_up();
    client.current().user().await?;
    Ok(())
}
