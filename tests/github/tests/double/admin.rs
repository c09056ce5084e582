//! The double by HTTP, as someone with curl uses it.

use github_double::{Double, Permission};
use serde_json::{Value, json};

use crate::world::{TOKEN, client, double};

async fn post(double: &Double, path: &str, body: Value) -> octocrab::Result<Value> {
    client(double, TOKEN).expect("a client").post(format!("/_double/{path}"), Some(&body)).await
}

async fn get(double: &Double, path: &str) -> octocrab::Result<Value> {
    client(double, TOKEN).expect("a client").get(format!("/_double/{path}"), None::<&()>).await
}

#[tokio::test]
async fn a_world_is_made_and_used_by_hand() -> anyhow::Result<()> {
    let double = double()?;
    post(&double, "users", json!({ "login": "ada", "kind": "User" })).await?;
    post(&double, "repositories", json!({ "name": "acme/api" })).await?;
    post(&double, "permissions", json!({ "repo": "acme/api", "login": "ada", "permission": "write" })).await?;
    post(&double, "webhooks", json!({ "url": "http://127.0.0.1:9/", "secret": "s" })).await?;
    let open = json!({ "do": "open", "repo": "acme/api", "branch": "fix", "by": "ada" });
    let opened = post(&double, "actions?send=false", open).await?;
    assert_eq!(opened["number"], 1);
    assert_eq!(opened["deliveries"][0]["headers"][4], json!(["X-GitHub-Event", "pull_request"]));
    let comment = json!({ "do": "comment", "repo": "acme/api", "number": 1, "by": "ada", "body": "Hello." });
    post(&double, "actions", comment).await?;
    assert_eq!(get(&double, "comments?repo=acme%2Fapi&number=1").await?[0]["by"], "ada");
    let delivery = get(&double, "deliveries").await?[0]["id"].clone();
    let again = post(&double, &format!("deliveries/{delivery}/redeliver"), json!({})).await?;
    assert_eq!(again["redelivery"], true);
    assert_eq!(double.contract_violations(), []);
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_read_is_said() -> anyhow::Result<()> {
    let double = double()?;
    let wrong = post(&double, "actions", json!({ "do": "fly" })).await.err().map(|error| format!("{error:?}"));
    assert!(wrong.unwrap_or_default().contains("unknown variant `fly`"));
    let refused = json!({ "do": "close", "repo": "acme/web", "number": 7, "by": "dev" });
    let refused = post(&double, "actions", refused).await.err().map(|error| format!("{error:?}"));
    assert!(refused.unwrap_or_default().contains("cannot find pull request 7 of acme/web"));
    Ok(())
}

#[tokio::test]
async fn an_app_is_made_and_installed_by_hand() -> anyhow::Result<()> {
    let double = double()?;
    let key = github_double::Key::shared();
    let app = json!({
        "id": 7, "slug": "previews", "public_key": key.public, "permissions": { "issues": "write" }, "events": ["push"],
        "webhook": { "url": "http://127.0.0.1:9/", "secret": "a-hook-secret" },
    });
    post(&double, "apps", app).await?;
    let installed = post(&double, "actions?send=false", json!({ "do": "install", "app": 7, "owner": "acme", "by": "dev" })).await?;
    assert_eq!(installed["deliveries"][0]["event"], "installation");
    let installation = installed["installation"].as_u64().unwrap_or_default();
    assert!(double.installation(installation)?.works());
    let pushed = json!({ "do": "push", "repo": "acme/web", "branch": "next", "by": "dev" });
    assert_eq!(post(&double, "actions?send=false", pushed).await?["deliveries"][0]["installation"], installation);
    post(&double, "actions?send=false", json!({ "do": "uninstall", "installation": installation, "by": "dev" })).await?;
    assert!(double.installation(installation).is_err());
    assert_eq!(get(&double, "limit_violations").await?, json!([]));
    assert_eq!(double.contract_violations(), []);
    Ok(())
}

#[tokio::test]
async fn the_state_has_no_secrets() -> anyhow::Result<()> {
    let double = double()?;
    double.permit("acme/web", "dev", Permission::Admin)?;
    post(&double, "webhooks", json!({ "url": "http://127.0.0.1:9/", "secret": "a-hook-secret" })).await?;
    for path in ["state", "requests", "deliveries", "violations"] {
        let text = get(&double, path).await?.to_string();
        assert!(!text.contains(TOKEN) && !text.contains("a-hook-secret"), "{path}");
    }
    Ok(())
}
