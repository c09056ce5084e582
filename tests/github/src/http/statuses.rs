//! Statuses of commits.

use serde_json::json;

use super::answer::Answer;
use super::api::Scope;
use super::paging;
use super::routes::Route;
use crate::model::CommitStatus;

/// Statuses for one commit and context, as GitHub documents it.
const MOST: usize = 1_000;

pub(super) fn answer(scope: &mut Scope<'_>, route: &Route) -> Result<Answer, Answer> {
    match (scope.request.method.as_str(), route) {
        ("POST", Route::Statuses(sha)) => create(scope, sha),
        ("GET", Route::StatusesOf(name)) => list(scope, name),
        ("GET", Route::StatusOf(name)) => combined(scope, name),
        _ => Err(Answer::not_found()),
    }
}

fn create(scope: &mut Scope<'_>, sha: &str) -> Result<Answer, Answer> {
    let creator = scope.caller.user()?;
    let repository = scope.caller.writable(scope.model, &scope.repo)?;
    let known = scope.model.commit_of(repository, sha).filter(|known| known == sha);
    let sha = known.ok_or_else(|| Answer::error(422, &format!("No commit found for SHA: {sha}")))?;
    let body = scope.body()?;
    let state = body["state"].as_str().unwrap_or_default().to_owned();
    if !["error", "failure", "pending", "success"].contains(&state.as_str()) {
        return Err(Answer::invalid("\"state\" is not one of GitHub's states of commits."));
    }
    let text = |name: &str| body[name].as_str().map(str::to_owned);
    let context = text("context").unwrap_or_else(|| "default".to_owned());
    if text("description").is_some_and(|text| text.chars().count() > 140) {
        return Err(Answer::invalid("\"description\" is too long (maximum is 140 characters)."));
    }
    if repository.records.statuses_of(&sha).filter(|one| one.context == context).count() >= MOST {
        return Err(Answer::error(422, "This SHA and context has reached the maximum number of statuses."));
    }
    let name = repository.full_name.clone();
    let (description, target_url) = (text("description"), text("target_url"));
    let new = CommitStatus { id: scope.model.next_id(), sha, state, context, description, target_url, creator, at: scope.now };
    let shown = scope.render().status(scope.model.repository(&name)?, &new);
    scope.model.repository_mut(&name)?.records.statuses.push(new);
    Ok(Answer::json(201, &shown))
}

fn list(scope: &Scope<'_>, name: &str) -> Result<Answer, Answer> {
    let repository = scope.caller.readable(scope.model, &scope.repo)?;
    let sha = scope.model.commit_of(repository, name).ok_or_else(Answer::not_found)?;
    let items: Vec<_> = repository.records.statuses_of(&sha).map(|one| scope.render().status(repository, one)).collect();
    Ok(paging::page(scope, repository.id, &format!("commits/{name}/statuses"), &items))
}

/// The newest of each context, and what comes out of them.
fn combined(scope: &Scope<'_>, name: &str) -> Result<Answer, Answer> {
    let repository = scope.caller.readable(scope.model, &scope.repo)?;
    let sha = scope.model.commit_of(repository, name).ok_or_else(Answer::not_found)?;
    let newest = repository.records.combined(&sha);
    let any = |states: &[&str]| newest.values().any(|one| states.contains(&one.state.as_str()));
    let state = match () {
        () if any(&["error", "failure"]) => "failure",
        () if newest.is_empty() || any(&["pending"]) => "pending",
        () => "success",
    };
    let own = format!("{}/repos/{}/commits/{sha}", scope.api, repository.full_name);
    let statuses: Vec<_> = newest.values().map(|one| scope.render().status(repository, one)).collect();
    Ok(Answer::ok(&json!({
        "state": state,
        "sha": sha,
        "total_count": statuses.len(),
        "statuses": statuses,
        "repository": scope.render().repository(repository),
        "commit_url": own,
        "url": format!("{own}/status"),
    })))
}
