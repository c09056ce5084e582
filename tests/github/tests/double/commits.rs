//! What programs write on comments and commits: reactions, deployments, statuses. (Check runs are with the Apps.)

use github_double::{Double, Open, on};
use serde_json::{Value, json};

use crate::world::{TOKEN, ask, double};

const DEPLOYMENTS: &str = "/repos/acme/web/deployments";

fn deployment(double: &Double, environment: &str, transient: bool) -> anyhow::Result<Value> {
    Ok(json!({
        "ref": double.pull("acme/web", 1)?.head_sha, "environment": environment, "auto_merge": false,
        "required_contexts": [], "transient_environment": transient, "description": "A preview",
    }))
}

async fn deployed(double: &Double, environment: &str, transient: bool) -> anyhow::Result<u64> {
    let made = ask(double, TOKEN, &format!("POST {DEPLOYMENTS}"), deployment(double, environment, transient)?).await?;
    assert_eq!(made.status, 201, "{}", made.body);
    Ok(made.body["id"].as_u64().unwrap_or_default())
}

async fn set(double: &Double, id: u64, state: &str) -> anyhow::Result<u16> {
    let body = json!({ "state": state, "environment_url": "https://web-pr-1.example.com" });
    Ok(ask(double, TOKEN, &format!("POST {DEPLOYMENTS}/{id}/statuses"), body).await?.status)
}

async fn states(double: &Double, id: u64) -> anyhow::Result<Vec<String>> {
    let listed = ask(double, TOKEN, &format!("GET {DEPLOYMENTS}/{id}/statuses"), Value::Null).await?.body;
    Ok(listed.as_array().into_iter().flatten().filter_map(|one| one["state"].as_str().map(str::to_owned)).collect())
}

#[tokio::test]
async fn a_reaction_is_made_once_listed_and_taken_back() -> anyhow::Result<()> {
    let double = double()?;
    let comment = double.act(on("acme/web", 1, "dev").comment("/preview"))?.comment.unwrap_or_default();
    let place = format!("/repos/acme/web/issues/comments/{comment}/reactions");
    let first = ask(&double, TOKEN, &format!("POST {place}"), json!({ "content": "eyes" })).await?;
    let second = ask(&double, TOKEN, &format!("POST {place}"), json!({ "content": "eyes" })).await?;
    assert_eq!((first.status, second.status, &first.body["id"]), (201, 200, &second.body["id"]));
    ask(&double, TOKEN, &format!("POST {place}"), json!({ "content": "rocket" })).await?;
    let listed = ask(&double, TOKEN, &format!("GET {place}"), Value::Null).await?;
    assert_eq!((&listed.body[0]["content"], &listed.body[1]["content"]), (&json!("eyes"), &json!("rocket")));
    assert_eq!(ask(&double, TOKEN, &format!("DELETE {place}/{}", first.body["id"]), Value::Null).await?.status, 204);
    assert_eq!(double.repository("acme/web")?.records.reactions.len(), 1);
    assert_eq!(ask(&double, TOKEN, "POST /repos/acme/web/issues/comments/7/reactions", json!({ "content": "eyes" })).await?.status, 404);
    assert_eq!(double.contract_violations(), []);
    Ok(())
}

#[tokio::test]
async fn deployments_are_listed_by_environment_newest_first() -> anyhow::Result<()> {
    let double = double()?;
    let ids =
        [deployed(&double, "preview", true).await?, deployed(&double, "other", true).await?, deployed(&double, "preview", true).await?];
    assert_eq!(set(&double, ids[2], "success").await?, 201);
    let listed = ask(&double, TOKEN, &format!("GET {DEPLOYMENTS}?environment=preview"), Value::Null).await?.body;
    assert_eq!((listed.as_array().map(Vec::len), &listed[0]["id"], &listed[1]["id"]), (Some(2), &json!(ids[2]), &json!(ids[0])));
    let one = ask(&double, TOKEN, &format!("GET {DEPLOYMENTS}/{}", ids[2]), Value::Null).await?.body;
    assert_eq!((&one["transient_environment"], &one["sha"]), (&json!(true), &json!(double.pull("acme/web", 1)?.head_sha)));
    assert_eq!(double.contract_violations(), []);
    Ok(())
}

#[tokio::test]
async fn only_what_is_inactive_is_deleted_unless_it_is_alone() -> anyhow::Result<()> {
    let double = double()?;
    let alone = deployed(&double, "preview", true).await?;
    set(&double, alone, "success").await?;
    assert_eq!(ask(&double, TOKEN, &format!("DELETE {DEPLOYMENTS}/{alone}"), Value::Null).await?.status, 204);
    let (first, second) = (deployed(&double, "preview", true).await?, deployed(&double, "preview", true).await?);
    set(&double, first, "success").await?;
    for (id, status) in [(first, 422), (second, 422)] {
        assert_eq!(ask(&double, TOKEN, &format!("DELETE {DEPLOYMENTS}/{id}"), Value::Null).await?.status, status);
    }
    set(&double, first, "inactive").await?;
    assert_eq!(ask(&double, TOKEN, &format!("DELETE {DEPLOYMENTS}/{first}"), Value::Null).await?.status, 204);
    assert_eq!(ask(&double, TOKEN, &format!("GET {DEPLOYMENTS}/{first}"), Value::Null).await?.status, 404);
    assert_eq!(double.contract_violations(), []);
    Ok(())
}

#[tokio::test]
async fn a_success_retires_what_is_neither_transient_nor_of_another_environment() -> anyhow::Result<()> {
    let double = double()?;
    let lasting = deployed(&double, "preview", false).await?;
    let transient = deployed(&double, "preview", true).await?;
    let other = deployed(&double, "other", false).await?;
    for id in [lasting, transient, other] {
        let body = json!({ "state": "success", "auto_inactive": false });
        ask(&double, TOKEN, &format!("POST {DEPLOYMENTS}/{id}/statuses"), body).await?;
    }
    let newest = deployed(&double, "preview", false).await?;
    set(&double, newest, "success").await?;
    assert_eq!(states(&double, lasting).await?, ["inactive", "success"]);
    assert_eq!(states(&double, transient).await?, ["success"]);
    assert_eq!(states(&double, other).await?, ["success"]);
    assert_eq!(double.contract_violations(), []);
    Ok(())
}

#[tokio::test]
async fn a_deployment_that_is_not_told_otherwise_merges_and_waits_for_statuses() -> anyhow::Result<()> {
    let double = double()?;
    let sha = double.pull("acme/web", 1)?.head_sha;
    let merged = ask(&double, TOKEN, &format!("POST {DEPLOYMENTS}"), json!({ "ref": sha })).await?;
    assert_eq!((merged.status, double.repository("acme/web")?.records.deployments.len()), (202, 0));
    ask(&double, TOKEN, &format!("POST /repos/acme/web/statuses/{sha}"), json!({ "state": "pending", "context": "ci" })).await?;
    let waits = ask(&double, TOKEN, &format!("POST {DEPLOYMENTS}"), json!({ "ref": sha, "auto_merge": false })).await?;
    assert_eq!(waits.status, 409);
    let unknown = json!({ "ref": "0123456789012345678901234567890123456789", "auto_merge": false, "required_contexts": [] });
    let unknown = ask(&double, TOKEN, &format!("POST {DEPLOYMENTS}"), unknown).await?;
    assert_eq!((unknown.status, unknown.message()), (422, "No ref found for: 0123456789012345678901234567890123456789"));
    Ok(())
}

#[tokio::test]
async fn statuses_are_kept_for_each_context_up_to_a_thousand() -> anyhow::Result<()> {
    let double = double()?;
    double.stop_checking();
    let sha = double.pull("acme/web", 1)?.head_sha;
    let line = format!("POST /repos/acme/web/statuses/{sha}");
    double.set_remaining(TOKEN, 5_000)?;
    for _ in 0..1_000 {
        assert_eq!(ask(&double, TOKEN, &line, json!({ "state": "pending", "context": "preview" })).await?.status, 201);
    }
    assert_eq!(ask(&double, TOKEN, &line, json!({ "state": "success", "context": "preview" })).await?.status, 422);
    assert_eq!(ask(&double, TOKEN, &line, json!({ "state": "success", "context": "other" })).await?.status, 201);
    Ok(())
}

#[tokio::test]
async fn the_newest_status_of_each_context_makes_the_state() -> anyhow::Result<()> {
    let double = double()?;
    let sha = double.pull("acme/web", 1)?.head_sha;
    for (context, state, expected) in
        [("a", "pending", "pending"), ("b", "success", "pending"), ("a", "success", "success"), ("b", "error", "failure")]
    {
        let body = json!({ "state": state, "context": context, "description": "Something", "target_url": "https://example.com" });
        assert_eq!(ask(&double, TOKEN, &format!("POST /repos/acme/web/statuses/{sha}"), body).await?.status, 201);
        let combined = ask(&double, TOKEN, &format!("GET /repos/acme/web/commits/{sha}/status"), Value::Null).await?;
        assert_eq!(combined.body["state"], expected);
    }
    let listed = ask(&double, TOKEN, &format!("GET /repos/acme/web/commits/{sha}/statuses"), Value::Null).await?;
    assert_eq!((listed.body.as_array().map(Vec::len), &listed.body[0]["state"]), (Some(4), &json!("error")));
    assert_eq!(double.contract_violations(), []);
    Ok(())
}

#[tokio::test]
async fn who_may_not_push_writes_none_of_these() -> anyhow::Result<()> {
    let double = double()?;
    double.add_user("stranger");
    double.add_token("stranger", "a-token-of-a-stranger")?;
    double.act(Open::new("acme/web", "other", "dev"))?;
    let sha = double.pull("acme/web", 1)?.head_sha;
    let status =
        ask(&double, "a-token-of-a-stranger", &format!("POST /repos/acme/web/statuses/{sha}"), json!({ "state": "success" })).await?;
    let made = ask(&double, "a-token-of-a-stranger", &format!("POST {DEPLOYMENTS}"), deployment(&double, "x", true)?).await?;
    assert_eq!((status.status, made.status), (403, 403));
    let check = json!({ "name": "preview / shop", "head_sha": sha });
    let check = ask(&double, TOKEN, "POST /repos/acme/web/check-runs", check).await?;
    assert_eq!((check.status, check.message()), (403, "You must authenticate via a GitHub App."));
    assert_eq!(double.contract_violations(), []);
    Ok(())
}
