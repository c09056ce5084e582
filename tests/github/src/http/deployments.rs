//! Deployments and their statuses.

use serde_json::{Value, json};

use super::answer::Answer;
use super::api::Scope;
use super::paging;
use super::routes::Route;
use crate::model::{Deployment, DeploymentStatus, Repository};

const STATES: &[&str] = &["error", "failure", "inactive", "in_progress", "queued", "pending", "success"];

/// The longest description of a status, in characters.
const LONGEST_DESCRIPTION: usize = 140;

pub(super) fn answer(scope: &mut Scope<'_>, route: &Route) -> Result<Answer, Answer> {
    match (scope.request.method.as_str(), route) {
        ("GET", Route::Deployments) => list(scope),
        ("POST", Route::Deployments) => create(scope),
        ("GET", Route::Deployment(id)) => get(scope, id),
        ("DELETE", Route::Deployment(id)) => delete(scope, id),
        ("GET", Route::DeploymentStatuses(id)) => statuses(scope, id),
        ("POST", Route::DeploymentStatuses(id)) => set_state(scope, id),
        _ => Err(Answer::not_found()),
    }
}

fn found<'a>(repository: &'a Repository, id: &str) -> Result<&'a Deployment, Answer> {
    let found = id.parse().ok().and_then(|id: u64| repository.records.deployments.get(&id));
    found.ok_or_else(Answer::not_found)
}

/// Newest first.
fn list(scope: &Scope<'_>) -> Result<Answer, Answer> {
    let repository = scope.caller.readable(scope.model, &scope.repo)?;
    let asked = |name: &str, value: &str| scope.request.query(name).is_none_or(|wanted| wanted == "none" || wanted == value);
    let wanted = |one: &&Deployment| {
        asked("environment", &one.environment) && asked("sha", &one.sha) && asked("ref", &one.git_ref) && asked("task", &one.task)
    };
    let found = repository.records.deployments.values().rev().filter(wanted);
    let items: Vec<_> = found.map(|one| scope.render().deployment(repository, one)).collect();
    Ok(paging::page(scope, repository.id, "deployments", &items))
}

fn get(scope: &Scope<'_>, id: &str) -> Result<Answer, Answer> {
    let repository = scope.caller.readable(scope.model, &scope.repo)?;
    Ok(Answer::ok(&scope.render().deployment(repository, found(repository, id)?)))
}

fn create(scope: &mut Scope<'_>) -> Result<Answer, Answer> {
    let creator = scope.caller.user()?;
    let repository = scope.caller.writable(scope.model, &scope.repo)?;
    let body = scope.body()?;
    let git_ref = body["ref"].as_str().ok_or_else(|| Answer::missing_field("ref"))?.to_owned();
    let sha = scope.model.commit_of(repository, &git_ref);
    let sha = sha.ok_or_else(|| Answer::error(422, &format!("No ref found for: {git_ref}")))?;
    may_deploy(repository, &body, &sha)?;
    let (name, environment) = (repository.full_name.clone(), body["environment"].as_str().unwrap_or("production").to_owned());
    let new = Deployment {
        id: scope.model.next_id(),
        sha,
        git_ref,
        task: body["task"].as_str().unwrap_or("deploy").to_owned(),
        payload: if body["payload"].is_null() { json!({}) } else { body["payload"].clone() },
        production: body["production_environment"].as_bool().unwrap_or(environment == "production"),
        environment,
        description: body["description"].as_str().map(str::to_owned),
        transient: body["transient_environment"].as_bool().unwrap_or(false),
        creator,
        app: scope.caller.via(scope.model),
        created_at: scope.now,
        statuses: Vec::new(),
    };
    let shown = scope.render().deployment(scope.model.repository(&name)?, &new);
    scope.model.repository_mut(&name)?.records.deployments.insert(new.id, new);
    Ok(Answer::json(201, &shown))
}

/// GitHub's two surprises: it merges the default branch first, and it waits for every status, unless it is told not to.
fn may_deploy(repository: &Repository, body: &Value, sha: &str) -> Result<(), Answer> {
    let base = repository.branches.get(&repository.default_branch);
    if body["auto_merge"].as_bool().unwrap_or(true) && base.is_some_and(|base| base != sha) {
        let message = format!("Auto-merged {} into {sha} on deployment.", repository.default_branch);
        return Err(Answer::json(202, &json!({ "message": message })));
    }
    let newest = repository.records.combined(sha);
    let required = body["required_contexts"].as_array();
    let failing = match required {
        Some(required) => {
            required.iter().any(|context| newest.get(context.as_str().unwrap_or_default()).is_none_or(|one| one.state != "success"))
        }
        None => newest.values().any(|one| one.state != "success"),
    };
    if failing { Err(Answer::error(409, &format!("Conflict: Commit status checks failed for {sha}."))) } else { Ok(()) }
}

/// The only deployment may be deleted as it is, of several only one that is not active.
fn delete(scope: &mut Scope<'_>, id: &str) -> Result<Answer, Answer> {
    let repository = scope.caller.writable(scope.model, &scope.repo)?;
    let deployment = found(repository, id)?;
    if repository.records.deployments.len() > 1 && !deployment.is_inactive() {
        let why = "We cannot delete an active deployment unless it is the only deployment in a given environment.";
        return Err(Answer::error(422, why));
    }
    let (name, id) = (repository.full_name.clone(), deployment.id);
    scope.model.repository_mut(&name)?.records.deployments.remove(&id);
    Ok(Answer::empty(204))
}

/// Newest first.
fn statuses(scope: &Scope<'_>, id: &str) -> Result<Answer, Answer> {
    let repository = scope.caller.readable(scope.model, &scope.repo)?;
    let deployment = found(repository, id)?;
    let items: Vec<_> =
        deployment.statuses.iter().rev().map(|status| scope.render().deployment_status(repository, deployment, status)).collect();
    Ok(paging::page(scope, repository.id, &format!("deployments/{id}/statuses"), &items))
}

fn set_state(scope: &mut Scope<'_>, id: &str) -> Result<Answer, Answer> {
    let creator = scope.caller.user()?;
    let repository = scope.caller.writable(scope.model, &scope.repo)?;
    let (name, id) = (repository.full_name.clone(), found(repository, id)?.id);
    let body = scope.body()?;
    let new = new_status(scope, &body, creator)?;
    let ended = new.state == "success" && body["auto_inactive"].as_bool().unwrap_or(true);
    if ended {
        retire_others(scope, &name, (id, &new))?;
    }
    let records = &mut scope.model.repository_mut(&name)?.records;
    let deployment = records.deployments.get_mut(&id).ok_or_else(Answer::not_found)?;
    if let Some(environment) = body["environment"].as_str() {
        environment.clone_into(&mut deployment.environment);
    }
    deployment.statuses.push(new.clone());
    let repository = scope.model.repository(&name)?;
    let deployment = repository.records.deployments.get(&id).ok_or_else(Answer::not_found)?;
    Ok(Answer::json(201, &scope.render().deployment_status(repository, deployment, &new)))
}

fn new_status(scope: &mut Scope<'_>, body: &Value, creator: u64) -> Result<DeploymentStatus, Answer> {
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let (state, description) = (text("state"), text("description"));
    if !STATES.contains(&state.as_str()) {
        return Err(Answer::invalid("\"state\" is not one of GitHub's states of deployments."));
    }
    if description.chars().count() > LONGEST_DESCRIPTION {
        return Err(Answer::invalid("\"description\" is too long (maximum is 140 characters)."));
    }
    let log_url = if text("log_url").is_empty() { text("target_url") } else { text("log_url") };
    let (id, app) = (scope.model.next_id(), scope.caller.via(scope.model));
    Ok(DeploymentStatus { id, state, creator, app, description, environment_url: text("environment_url"), log_url, at: scope.now })
}

/// Earlier deployments of the same environment that were a success are set inactive, as documented: not those that are
/// transient or production.
fn retire_others(scope: &mut Scope<'_>, name: &str, (id, new): (u64, &DeploymentStatus)) -> Result<(), Answer> {
    let inactive = scope.model.next_id();
    let deployments = &mut scope.model.repository_mut(name)?.records.deployments;
    let environment = deployments.get(&id).map(|own| own.environment.clone()).unwrap_or_default();
    let others = deployments.values_mut().filter(|one| one.id < id && one.environment == environment);
    for other in others.filter(|one| !one.transient && !one.production && one.state() == Some("success")) {
        other.statuses.push(DeploymentStatus { id: inactive, state: "inactive".to_owned(), ..new.clone() });
    }
    Ok(())
}
