//! Check runs. Only Apps have them.

use serde_json::Value;

use super::answer::Answer;
use super::api::Scope;
use super::paging;
use super::routes::Route;
use crate::model::{CheckAction, CheckRun, Repository};

/// Buttons of a check run, and the longest texts on them, in characters.
const MOST_ACTIONS: usize = 3;
const LONGEST_LABEL: usize = 20;
const LONGEST_DESCRIPTION: usize = 40;
const LONGEST_IDENTIFIER: usize = 20;

/// The longest summary and text, in characters.
const LONGEST_OUTPUT: usize = 65_535;

pub(super) fn answer(scope: &mut Scope<'_>, route: &Route) -> Result<Answer, Answer> {
    match (scope.request.method.as_str(), route) {
        ("POST", Route::CheckRuns) => create(scope),
        ("GET", Route::CheckRun(id)) => get(scope, id),
        ("PATCH", Route::CheckRun(id)) => update(scope, id),
        ("GET", Route::ChecksOf(name)) => list(scope, name),
        _ => Err(Answer::not_found()),
    }
}

fn found<'a>(repository: &'a Repository, id: &str) -> Result<&'a CheckRun, Answer> {
    let found = id.parse().ok().and_then(|id: u64| repository.records.checks.get(&id));
    found.ok_or_else(Answer::not_found)
}

fn app(scope: &Scope<'_>) -> Result<u64, Answer> {
    scope.caller.via(scope.model).ok_or_else(|| Answer::forbidden("You must authenticate via a GitHub App."))
}

fn get(scope: &Scope<'_>, id: &str) -> Result<Answer, Answer> {
    let repository = scope.caller.readable(scope.model, &scope.repo)?;
    Ok(Answer::ok(&scope.render().check(repository, found(repository, id)?)))
}

/// The check runs of a commit, of each name and App the newest unless all are asked for.
fn list(scope: &Scope<'_>, name: &str) -> Result<Answer, Answer> {
    let repository = scope.caller.readable(scope.model, &scope.repo)?;
    let sha = scope.model.commit_of(repository, name).ok_or_else(|| Answer::error(422, &format!("No commit found for SHA: {name}")))?;
    let asked = |name: &str, value: &str| scope.request.query(name).is_none_or(|wanted| wanted == value);
    let mut seen = Vec::new();
    let mut items = Vec::new();
    for run in repository.records.checks.values().rev().filter(|run| run.head_sha == sha) {
        let older = seen.contains(&(run.app, &run.name)) && scope.request.query("filter") != Some("all");
        seen.push((run.app, &run.name));
        if !older && asked("check_name", &run.name) && asked("status", &run.status) && asked("app_id", &run.app.to_string()) {
            items.push(scope.render().check(repository, run));
        }
    }
    let place = format!("repositories/{}/commits/{name}/check-runs", repository.id);
    Ok(paging::counted(scope, &place, "check_runs", &items))
}

fn create(scope: &mut Scope<'_>) -> Result<Answer, Answer> {
    let app = app(scope)?;
    let repository = scope.caller.writable(scope.model, &scope.repo)?;
    let body = scope.body()?;
    let text = |name: &str| body[name].as_str().map(str::to_owned);
    let name = text("name").ok_or_else(|| Answer::missing_field("name"))?;
    let sha = text("head_sha").ok_or_else(|| Answer::missing_field("head_sha"))?;
    let known = scope.model.commit_of(repository, &sha).filter(|known| *known == sha);
    let head_sha = known.ok_or_else(|| Answer::error(422, &format!("No commit found for SHA: {sha}")))?;
    let repo = repository.full_name.clone();
    let mut new = CheckRun {
        id: scope.model.next_id(),
        name,
        head_sha,
        app,
        status: "queued".to_owned(),
        conclusion: None,
        external_id: String::new(),
        details_url: None,
        title: None,
        summary: None,
        text: None,
        actions: Vec::new(),
        started_at: scope.now,
        completed_at: None,
    };
    change(scope, &mut new, &body)?;
    keep(scope, &repo, (201, "created"), &new)
}

fn update(scope: &mut Scope<'_>, id: &str) -> Result<Answer, Answer> {
    let app = app(scope)?;
    let repository = scope.caller.writable(scope.model, &scope.repo)?;
    let mut run = found(repository, id)?.clone();
    if run.app != app {
        let why = format!("Invalid app_id `{app}` - check run can only be modified by the GitHub App that created it.");
        return Err(Answer::forbidden(&why));
    }
    let (repo, before) = (repository.full_name.clone(), run.status.clone());
    let body = scope.body()?;
    change(scope, &mut run, &body)?;
    let completed = run.status == "completed" && before != "completed";
    keep(scope, &repo, (200, if completed { "completed" } else { "" }), &run)
}

/// Keeps a check run. Those who subscribe are told when it was made and when it was completed.
fn keep(scope: &mut Scope<'_>, repo: &str, (status, action): (u16, &'static str), run: &CheckRun) -> Result<Answer, Answer> {
    let sender = scope.caller.user()?;
    scope.model.repository_mut(repo)?.records.checks.insert(run.id, run.clone());
    if !action.is_empty() {
        let event = scope.model.check_event(repo, (action, run), sender, None);
        scope.events.extend(event);
    }
    Ok(Answer::json(status, &scope.render().check(scope.model.repository(repo)?, run)))
}

/// Writes what the body has over the check run.
fn change(scope: &Scope<'_>, run: &mut CheckRun, body: &Value) -> Result<(), Answer> {
    let text = |name: &str| body[name].as_str().map(str::to_owned);
    run.name = text("name").unwrap_or_else(|| run.name.clone());
    run.external_id = text("external_id").unwrap_or_else(|| run.external_id.clone());
    run.details_url = text("details_url").or(run.details_url.take());
    run.status = text("status").unwrap_or_else(|| run.status.clone());
    if let Some(conclusion) = text("conclusion") {
        "completed".clone_into(&mut run.status);
        run.conclusion = Some(conclusion);
    } else if run.status != "completed" {
        (run.conclusion, run.completed_at) = (None, None);
    }
    if run.status == "completed" {
        run.conclusion.as_ref().ok_or_else(|| Answer::invalid("\"conclusion\" wasn't supplied."))?;
        run.completed_at = run.completed_at.or(Some(scope.now));
    }
    if !body["actions"].is_null() {
        run.actions = actions(&body["actions"])?;
    }
    output(run, &body["output"])
}

fn output(run: &mut CheckRun, output: &Value) -> Result<(), Answer> {
    let text = |name: &str| output[name].as_str().map(str::to_owned);
    let too_long = |text: &Option<String>| text.as_ref().is_some_and(|text| text.chars().count() > LONGEST_OUTPUT);
    if output.is_null() {
        return Ok(());
    }
    let summary = text("summary").ok_or_else(|| Answer::missing_field("summary"))?;
    run.title = text("title").or(run.title.take());
    run.summary = Some(summary);
    run.text = text("text").or(run.text.take());
    if too_long(&run.summary) || too_long(&run.text) {
        return Err(Answer::invalid("\"output\" is too long (maximum is 65535 characters)."));
    }
    Ok(())
}

fn actions(sent: &Value) -> Result<Vec<CheckAction>, Answer> {
    let actions: Vec<CheckAction> = serde_json::from_value(sent.clone()).map_err(|error| Answer::invalid(&error.to_string()))?;
    let long = |text: &str, most: usize| text.is_empty() || text.chars().count() > most;
    let wrong = actions.iter().any(|action| {
        long(&action.label, LONGEST_LABEL) || long(&action.description, LONGEST_DESCRIPTION) || long(&action.identifier, LONGEST_IDENTIFIER)
    });
    if wrong || actions.len() > MOST_ACTIONS {
        return Err(Answer::invalid("\"actions\" are at most 3, of at most 20, 40 and 20 characters."));
    }
    Ok(actions)
}
