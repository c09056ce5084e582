//! The body of a delivery: GitHub's published example for the action, with what our event changes.

use serde_json::{Value, json};

use crate::contract;
use crate::model::{Event, Extra, Model, PullRequest, Repository, UserKind};
use crate::render::{Render, node_id, overlay, time};

/// Builds the body. Nothing comes out for an event about a repository that is gone.
pub(crate) fn build(render: Render<'_>, event: &Event) -> Option<Value> {
    let example = contract::example(event.name, event.action.unwrap_or(event.name));
    let Some(id) = event.repository else {
        return installation(render, event, example);
    };
    let repository = render.model.repositories.get(&id).or_else(|| render.model.deleted.get(&id))?;
    let mut payload = common(render, event, example, repository);
    match event.name {
        "ping" => ping(render, event, &mut payload)?,
        "check_run" => check(render, event, &mut payload, repository)?,
        "check_suite" => suite(render, event, &mut payload, repository)?,
        "push" => push(render, event, &mut payload, repository)?,
        "repository" => changed_repository(render, event, &mut payload),
        "issue_comment" => comment(render, event, &mut payload, repository)?,
        _ => pull_request(render, event, &mut payload, repository)?,
    }
    Some(payload)
}

/// What every event carries.
fn common(render: Render<'_>, event: &Event, example: &Value, repository: &Repository) -> Value {
    let mut payload = example.clone();
    if let Some(fields) = payload.as_object_mut() {
        // Whether it belongs to an installed App is known when it is addressed.
        fields.remove("installation");
    }
    payload["repository"] = render.repository_like(&example["repository"], repository);
    payload["sender"] = render.user(event.sender);
    if let Some(action) = event.action {
        payload["action"] = json!(action);
    }
    if is_organization(render.model, repository.owner) {
        payload["organization"] = render.organization(repository.owner);
    }
    payload
}

fn pull_request(render: Render<'_>, event: &Event, payload: &mut Value, repository: &Repository) -> Option<()> {
    let pull = pull_of(event, repository)?;
    let example = contract::example(event.name, event.action?);
    payload["number"] = json!(pull.number);
    payload["pull_request"] = render.pull_like(&example["pull_request"], repository, pull);
    match &event.extra {
        Extra::Moved { before, after } => {
            payload["before"] = json!(before);
            payload["after"] = json!(after);
        }
        Extra::Changes(changes) => payload["changes"] = changes.clone(),
        Extra::Label(label) => payload["label"] = render.label(repository, label),
        _ => {}
    }
    Some(())
}

fn comment(render: Render<'_>, event: &Event, payload: &mut Value, repository: &Repository) -> Option<()> {
    let Extra::Comment(comment, old) = &event.extra else {
        return None;
    };
    let pull = pull_of(event, repository)?;
    let example = contract::example(event.name, event.action?);
    payload["issue"] = render.issue_like(&example["issue"], repository, pull);
    payload["comment"] = render.comment(repository, comment);
    if let Some(old) = old {
        payload["changes"] = json!({ "body": { "from": old } });
    }
    Some(())
}

/// The body as an App gets it, in the name of one of its installations. Of events of the installation itself it is there.
pub(crate) fn in_the_name_of(mut body: Value, installation: Option<u64>) -> Value {
    if let Some(id) = installation.filter(|_| body.get("installation").is_none()) {
        body["installation"] = json!({ "id": id, "node_id": node_id("I", id) });
    }
    body
}

fn installation(render: Render<'_>, event: &Event, example: &Value) -> Option<Value> {
    let installation = render.model.installations.get(&event.installation?)?;
    let mut payload = example.clone();
    payload["action"] = json!(event.action?);
    payload["installation"] = render.told_installation(installation);
    payload["sender"] = render.user(event.sender);
    let Extra::Repositories(ids) = &event.extra else {
        return Some(payload);
    };
    let repositories: Value = ids.iter().filter_map(|id| render.model.repositories.get(id)).map(short).collect();
    if event.name == "installation" {
        payload["repositories"] = repositories;
        if let Some(fields) = payload.as_object_mut() {
            fields.remove("requester");
        }
        return Some(payload);
    }
    let added = event.action == Some("added");
    payload["repository_selection"] = json!(installation.selection());
    payload["repositories_added"] = if added { repositories.clone() } else { json!([]) };
    payload["repositories_removed"] = if added { json!([]) } else { repositories };
    payload["requester"] = Value::Null;
    Some(payload)
}

fn short(repository: &Repository) -> Value {
    json!({
        "id": repository.id,
        "node_id": node_id("R", repository.id),
        "name": repository.name(),
        "full_name": repository.full_name,
        "private": repository.private,
    })
}

fn check(render: Render<'_>, event: &Event, payload: &mut Value, repository: &Repository) -> Option<()> {
    let Extra::Check(id, button) = &event.extra else {
        return None;
    };
    payload["check_run"] = render.told_check(repository, repository.records.checks.get(id)?);
    if let Some(button) = button {
        payload["requested_action"] = json!({ "identifier": button });
    }
    Some(())
}

fn suite(render: Render<'_>, event: &Event, payload: &mut Value, repository: &Repository) -> Option<()> {
    let Extra::Check(id, _) = &event.extra else {
        return None;
    };
    payload["check_suite"] = render.suite(repository, repository.records.checks.get(id)?);
    Some(())
}

/// A push: its repository has numbers for times, in seconds since 1970.
fn push(render: Render<'_>, event: &Event, payload: &mut Value, repository: &Repository) -> Option<()> {
    let Extra::Pushed(pushed) = &event.extra else {
        return None;
    };
    let login = render.model.login(event.sender);
    let who = json!({ "name": login, "email": format!("{login}@users.noreply.github.com") });
    let page = format!("https://github.com/{}", repository.full_name);
    let commit = pushed.after.as_ref().map(|sha| {
        let author = overlay(who.clone(), json!({ "username": login }));
        json!({
            "id": sha, "tree_id": sha, "distinct": true, "message": "Change something",
            "timestamp": time(repository.pushed_at), "url": format!("{page}/commit/{sha}"),
            "author": author, "committer": author, "added": [], "removed": [], "modified": ["README.md"],
        })
    });
    let (before, after) = (sha_or_none(pushed.before.as_ref()), sha_or_none(pushed.after.as_ref()));
    payload["ref"] = json!(format!("refs/heads/{}", pushed.branch));
    payload["created"] = json!(pushed.before.is_none());
    payload["deleted"] = json!(pushed.after.is_none());
    payload["forced"] = json!(pushed.forced);
    payload["base_ref"] = Value::Null;
    payload["compare"] = json!(format!("{page}/compare/{before}...{after}"));
    payload["commits"] = commit.iter().cloned().collect();
    payload["head_commit"] = json!(commit);
    payload["pusher"] = who;
    payload["before"] = json!(before);
    payload["after"] = json!(after);
    payload["repository"]["created_at"] = json!(repository.created_at.timestamp());
    payload["repository"]["pushed_at"] = json!(repository.pushed_at.timestamp());
    payload["repository"]["master_branch"] = json!(repository.default_branch);
    Some(())
}

/// A commit, or GitHub's 40 zeros for none.
fn sha_or_none(sha: Option<&String>) -> String {
    sha.map_or_else(|| "0".repeat(40), String::clone)
}

fn changed_repository(render: Render<'_>, event: &Event, payload: &mut Value) {
    let Extra::Changes(changes) = &event.extra else {
        return;
    };
    payload["changes"] = match changes["from"].as_u64() {
        // The published schema knows an account alone here, although organisations give repositories away as well.
        Some(from) => json!({ "owner": { "from": { "user": render.user(from) } } }),
        None => changes.clone(),
    };
}

fn ping(render: Render<'_>, event: &Event, payload: &mut Value) -> Option<()> {
    let Extra::Hook(id) = event.extra else {
        return None;
    };
    let webhook = render.model.webhook(id).ok()?;
    let own = format!("{}/repos/{}/hooks/{id}", render.api, payload["repository"]["full_name"].as_str()?);
    let hook = json!({
        "id": id,
        "events": webhook.events,
        "config": { "content_type": webhook.content_type.as_str(), "insecure_ssl": "0", "url": webhook.url },
        "url": own,
        "test_url": format!("{own}/test"),
        "ping_url": format!("{own}/pings"),
        "deliveries_url": format!("{own}/deliveries"),
    });
    payload["hook_id"] = json!(id);
    payload["hook"] = overlay(payload["hook"].take(), hook);
    Some(())
}

fn pull_of<'a>(event: &Event, repository: &'a Repository) -> Option<&'a PullRequest> {
    repository.pulls.get(&event.number?)
}

fn is_organization(model: &Model, user: u64) -> bool {
    model.users.get(&user).is_some_and(|user| user.kind == UserKind::Organization)
}
