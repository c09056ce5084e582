//! Who is believed: facts come from the service alone, whatever rights somebody has in the namespace.

use github_double::Open;
use kube::api::{Api, Patch, PatchParams};
use preview_env::api::PreviewEnvironment;
use preview_env::api::conditions::{APPROVED, ConditionStatus, find};
use preview_env::api::status::PreviewEnvironmentStatus;
use serde_json::{Value, json};

use crate::developer::Developer;
use crate::shop::{Pull, Shop, story};

const FACTS: &str = "spec.sources: facts are written by the service alone";
const COMMANDS: &str = "spec.commands: commands are written by the service alone";
const ACTIVITY: &str = "spec.activity: what happened is written by the service alone";
const APPROVAL: &str = "spec.approval: needs the verb approve";
const WISH: &str = "spec.wish.actor: is not you";
const HOLD: &str = "preview-env.dev/clean-up is the service's to take away";

async fn patch(api: &Api<PreviewEnvironment>, name: &str, patch: Value) -> kube::Result<PreviewEnvironment> {
    api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await
}

async fn refused(api: &Api<PreviewEnvironment>, name: &str, change: Value, words: &str) {
    let answer = patch(api, name, change).await;
    let message = answer.map_or_else(|error| error.to_string(), |taken| format!("it is taken: {taken:?}"));
    assert!(message.contains(words), "{words:?} is not in {message}");
}

fn wish(actor: &str) -> Value {
    json!({"spec": {"wish": {"state": "Present", "actor": actor, "at": "2100-01-01T00:00:00Z"}}})
}

/// The facts of that environment with one field changed.
async fn facts_with(pull: &Pull<'_>, field: &str, value: Value) -> anyhow::Result<Value> {
    let mut sources = serde_json::to_value(pull.environment().await?.spec.sources)?;
    sources[0][field] = value;
    Ok(json!({"spec": {"sources": sources}}))
}

#[test]
fn a_developer_cannot_state_facts_nor_speak_for_others() {
    story(|world| async move {
        let shop = Shop::open(world, "trust").await?;
        let _developer = Developer::of(&shop).await?;
        let theirs = Developer::environments(&shop).await?;
        world.github.add_user("forger");
        let fork = world.github.fork(&shop.repository, "forger")?;
        let pull = shop.opened(Open::new(&shop.repository, "gift", "forger").from_fork(&fork)).await?;
        pull.wait_for_condition(APPROVED, ConditionStatus::False, "Fork").await?;
        let (name, fact) = (pull.name(), pull.environment().await?.spec.sources[0].clone());

        refused(&theirs, &name, facts_with(&pull, "headRepositoryId", json!(fact.repository_id)).await?, FACTS).await;
        refused(&theirs, &name, facts_with(&pull, "observedAt", json!("2100-01-01T00:00:00Z")).await?, FACTS).await;
        refused(&theirs, &name, json!({"spec": {"sources": null}}), FACTS).await;
        refused(&theirs, &name, wish("ann"), WISH).await;
        let command = json!({"id": "1.1", "verb": "Approve", "args": [fact.revision], "actor": "ann", "at": "2100-01-01T00:00:00Z",
            "forge": "github", "repositoryId": fact.repository_id, "repository": fact.repository, "pull": fact.pull});
        refused(&theirs, &name, json!({"spec": {"commands": [command]}}), COMMANDS).await;
        let activity = json!({"at": "2100-01-01T00:00:00Z", "by": "ann"});
        refused(&theirs, &name, json!({"spec": {"activity": activity}}), ACTIVITY).await;
        let mine = format!("system:serviceaccount:{}:dev", shop.namespace);
        for actor in ["github:ann", mine.as_str()] {
            let approval = json!({"revision": fact.revision, "actor": actor, "at": "2100-01-01T00:00:00Z"});
            refused(&theirs, &name, json!({"spec": {"approval": approval}}), APPROVAL).await;
        }
        patch(&theirs, &name, json!({"spec": {"lifetime": {"ttl": "90d"}}})).await?;
        patch(&theirs, &name, wish(&mine)).await?;
        // Somebody else's wish is no hindrance to changing the rest.
        let last = patch(&shop.environments(), &name, json!({"spec": {"lifetime": {"ttl": "80d"}}})).await?;
        let seen = |s: &PreviewEnvironmentStatus| {
            find(&s.conditions, APPROVED)
                .is_some_and(|c| c.status == ConditionStatus::False && c.observed_generation == last.metadata.generation)
        };
        let status = pull.wait("still not approved", seen).await?;
        assert_eq!((pull.environment().await?.spec.sources.as_slice(), status.namespace), ([fact].as_slice(), None));
        assert!(!pull.has_namespace().await?);
        Ok(())
    });
}

#[test]
fn a_developer_cannot_let_an_environment_go_before_it_is_cleaned_up() {
    story(|world| async move {
        let shop = Shop::open(world, "held").await?;
        let _developer = Developer::of(&shop).await?;
        let pull = shop.pull_request("login").await?;
        pull.wait_until_ready().await?;
        let theirs = Developer::environments(&shop).await?;
        refused(&theirs, &pull.name(), json!({"metadata": {"finalizers": null}}), HOLD).await;
        // Deleting it is another matter, and the service does clean up.
        shop.environments().delete(&pull.name(), &kube::api::DeleteParams::default()).await?;
        pull.wait_until_gone().await
    });
}
