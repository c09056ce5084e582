//! Before trust is settled: what a registry and the API server were asked about a stranger's commit, by their own logs.

use chrono::TimeDelta;
use github_double::{Action, Open};
use preview_env::api::conditions::{APPROVED, ConditionStatus};
use serde_json::json;
use test_cluster::Event;
use test_registry::{Image, Registry};

use crate::commands::{result, say};
use crate::shop::{Pull, Registries, Shop, registries, story_alone};

const SERVICE: &str = "system:serviceaccount:preview-env:preview-env";
const OWNER: &str = "boss";

/// A Deployment of an image in that registry.
fn gift(host: &str) -> String {
    let pod = json!({"containers": [{"name": "gift", "image": format!("{host}/acme/gift:1.0.0")}]});
    let template = json!({"metadata": {"labels": {"app": "gift"}}, "spec": pod});
    let spec = json!({"replicas": 1, "selector": {"matchLabels": {"app": "gift"}}, "template": template});
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "gift"}, "spec": spec}).to_string()
}

/// Whoever may write puts the image of the present commit there, so that it could be found.
async fn built(pull: &Pull<'_>, registry: &Registry) -> anyhow::Result<String> {
    let revision = pull.revision()?;
    registry.push("acme/gift", &revision, &Image::new(&revision)).await?;
    Ok(revision)
}

/// What was looked up of a commit. What puts an image there asks otherwise.
fn looked_up(registry: &Registry, revision: &str) -> anyhow::Result<Vec<String>> {
    let is_question = |line: &String| line.contains(revision) && (line.contains("\"GET ") || line.contains("\"HEAD "));
    Ok(registry.asked()?.into_iter().filter(is_question).collect())
}

/// What the service did to the API server that is more than a note of what the forge said.
fn deeds(events: &[Event], shop: &Shop) -> Vec<String> {
    let is_note = |event: &Event| matches!(event.resource.as_str(), "previewenvironments" | "baselines" | "events");
    let reads = |event: &Event| matches!(event.verb.as_str(), "get" | "list" | "watch");
    let inside = format!("{}-", shop.namespace);
    let is_deed = |event: &&Event| {
        let about = event.namespace == shop.namespace || event.name.starts_with(&inside) || event.namespace.starts_with(&inside);
        event.user == SERVICE && (event.namespace.starts_with(&inside) || about && !reads(event) && !is_note(event))
    };
    // The API server's log does not name what is made by POST, so no namespace at all may be.
    let is_made = |event: &&Event| event.user == SERVICE && event.resource == "namespaces" && event.verb == "create";
    events.iter().filter(|event| is_deed(event) || is_made(event)).map(|event| format!("{} {}", event.verb, event.uri)).collect()
}

#[test]
fn nothing_of_a_fork_is_looked_up_pulled_or_made_before_it_is_approved() {
    story_alone(|world| async move {
        let Some(Registries { open, .. }) = registries().await else { return Ok(()) };
        let image = json!([{"name": format!("{}/acme/gift", open.host()), "tag": "{{ revision }}"}]);
        let shop = Shop::holding(world, "untrusted", &gift(open.host()), |spec| spec["repositories"][0]["images"] = image).await?;
        for login in ["stranger", OWNER] {
            world.github.add_user(login);
        }
        world.github.permit(&shop.repository, OWNER, github_double::Permission::Write)?;
        let fork = world.github.fork(&shop.repository, "stranger")?;
        let mark = world.audit().mark().await?;
        let pull = shop.opened(Open::new(&shop.repository, "gift", "stranger").from_fork(&fork)).await?;
        let first = built(&pull, open).await?;
        pull.wait_for_condition(APPROVED, ConditionStatus::False, "Fork").await?;
        // They try whatever they can, and each time somebody answers.
        say(&pull, "stranger", "/preview create").await?;
        result(&pull, 1).await?;
        world.github.advance(TimeDelta::seconds(1));
        let push = Action::PushTo { repo: shop.repository.clone(), number: pull.number, by: "stranger".into(), force: false };
        world.github.perform(push).await?;
        let second = built(&pull, open).await?;
        pull.wait_for_comment(|body| body.contains(&second)).await?;
        pull.wait_until_told().await?;

        for revision in [&first, &second] {
            assert_eq!(looked_up(open, revision)?, [""; 0], "asked of the registry");
        }
        let untouched = deeds(&world.audit().since(mark).await?, &shop);
        assert_eq!(untouched, [""; 0], "done in the cluster");

        say(&pull, OWNER, &format!("/preview approve {second}")).await?;
        pull.wait_until_ready().await?;
        assert!(!looked_up(open, &second)?.is_empty(), "else the log says nothing");
        assert!(!deeds(&world.audit().since(mark).await?, &shop).is_empty(), "else the log says nothing");
        assert_eq!(looked_up(open, &first)?, [""; 0], "nobody approved that one");
        Ok(())
    });
}
