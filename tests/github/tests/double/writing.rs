//! Comments: written, edited, refused.

use github_double::{Hook, on};
use octocrab::models::CommentId;

use crate::world::{BOT, DEADLINE, TOKEN, client, double, edit, permission, status_of};

#[tokio::test]
async fn comments_are_written_listed_edited_and_deleted() -> anyhow::Result<()> {
    let double = double()?;
    let client = client(&double, TOKEN)?;
    let issues = client.issues("acme", "web");
    let written = issues.create_comment(1, "Ready.").await?;
    assert_eq!((written.user.login.as_str(), written.body.as_deref()), (BOT, Some("Ready.")));
    let edited = edit(&client, written.id, "Updating.").await?;
    assert_eq!((edited.id, edited.body.as_deref()), (written.id, Some("Updating.")));
    assert_eq!(issues.get_comment(written.id).await?.body.as_deref(), Some("Updating."));
    assert_eq!(double.comments("acme/web", 1).len(), 1);
    issues.delete_comment(written.id).await?;
    assert_eq!(double.comments("acme/web", 1), []);
    assert_eq!(double.contract_violations(), []);
    Ok(())
}

#[tokio::test]
async fn comments_that_github_refuses() -> anyhow::Result<()> {
    let double = double()?;
    let client = client(&double, TOKEN)?;
    let issues = client.issues("acme", "web");
    assert_eq!(status_of(issues.create_comment(1, "x".repeat(65_537)).await), Some(422));
    assert!(issues.create_comment(1, "ü".repeat(65_536)).await.is_ok(), "characters count, not bytes");
    assert_eq!(status_of(issues.create_comment(1, " ").await), Some(422));
    assert_eq!(status_of(issues.create_comment(99, "Hello.").await), Some(404));
    assert_eq!(status_of(edit(&client, CommentId(7), "Hello.").await), Some(404));
    double.mark_gone("acme/web", 1)?;
    assert_eq!(status_of(issues.create_comment(1, "Hello.").await), Some(410));
    assert_eq!(double.contract_violations(), []);
    Ok(())
}

#[tokio::test]
async fn a_stranger_may_not_edit_write_where_locked_or_ask_for_permissions() -> anyhow::Result<()> {
    let double = double()?;
    double.add_user("stranger");
    double.add_token("stranger", "a-token-of-a-stranger")?;
    let theirs = client(&double, TOKEN)?.issues("acme", "web").create_comment(1, "Ready.").await?;
    let client = client(&double, "a-token-of-a-stranger")?;
    let issues = client.issues("acme", "web");
    assert_eq!(status_of(edit(&client, theirs.id, "Mine now.").await), Some(403));
    assert!(issues.create_comment(1, "Nice.").await.is_ok());
    double.act(on("acme/web", 1, "dev").lock())?;
    assert_eq!(status_of(issues.create_comment(1, "Still nice.").await), Some(403));
    assert_eq!(status_of(permission(&client, "dev").await), Some(403));
    assert_eq!(double.contract_violations(), []);
    Ok(())
}

#[tokio::test]
async fn a_post_in_place_of_a_patch_works_and_is_a_violation() -> anyhow::Result<()> {
    let double = double()?;
    let client = client(&double, TOKEN)?;
    let issues = client.issues("acme", "web");
    let written = issues.create_comment(1, "Ready.").await?;
    issues.update_comment(written.id, "Updating.").await?;
    assert_eq!(double.comments("acme/web", 1)[0].body, "Updating.");
    assert_eq!(double.contract_violations().len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_comment_by_the_api_reaches_the_webhook() -> anyhow::Result<()> {
    let double = double()?;
    double.add_webhook(Hook::to("http://127.0.0.1:9/").events(&["issue_comment"]))?;
    client(&double, TOKEN)?.issues("acme", "web").create_comment(1, "Ready.").await?;
    let delivery = double.wait_until("delivery", DEADLINE, |double| double.deliveries().into_iter().next()).await?;
    assert_eq!(delivery.json()["sender"]["type"], "Bot");
    assert_eq!(double.contract_violations(), []);
    Ok(())
}
