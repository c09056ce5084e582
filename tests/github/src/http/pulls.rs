//! Pull requests.

use super::answer::Answer;
use super::api::Scope;
use super::paging;
use crate::model::{Model, PullRequest, Repository};

pub(super) fn get(scope: &Scope<'_>, number: &str) -> Result<Answer, Answer> {
    let repository = scope.caller.readable(scope.model, &scope.repo)?;
    let pull = number.parse().ok().and_then(|number: u64| repository.pulls.get(&number));
    let pull = pull.ok_or_else(Answer::not_found)?;
    Ok(Answer::ok(&scope.render().pull(repository, pull)))
}

pub(super) fn list(scope: &Scope<'_>) -> Result<Answer, Answer> {
    let repository = scope.caller.readable(scope.model, &scope.repo)?;
    let mut pulls: Vec<_> = repository.pulls.values().filter(|pull| wanted(scope, repository, pull)).collect();
    sort(scope, &mut pulls);
    let items: Vec<_> = pulls.into_iter().map(|pull| scope.render().listed_pull(repository, pull)).collect();
    Ok(paging::page(scope, repository.id, "pulls", &items))
}

pub(super) fn files(scope: &Scope<'_>, number: &str) -> Result<Answer, Answer> {
    let repository = scope.caller.readable(scope.model, &scope.repo)?;
    let pull = number.parse().ok().and_then(|number: u64| repository.pulls.get(&number)).ok_or_else(Answer::not_found)?;
    let items: Vec<_> = pull.files.iter().map(|file| scope.render().file(repository, pull, file)).collect();
    Ok(paging::page(scope, repository.id, &format!("pulls/{number}/files"), &items))
}

/// Whether the filters `state`, `head` and `base` let a pull request through.
fn wanted(scope: &Scope<'_>, _repository: &Repository, pull: &PullRequest) -> bool {
    let state = scope.request.query("state").unwrap_or("open");
    let head = scope.request.query("head").is_none_or(|head| head == head_of(scope.model, pull));
    let base = scope.request.query("base").is_none_or(|base| base == pull.base_ref);
    (state == "all" || state == pull.state()) && head && base
}

/// `owner:branch`, as the filter `head` has it.
fn head_of(model: &Model, pull: &PullRequest) -> String {
    format!("{}:{}", model.login(pull.head_owner), pull.head_ref)
}

/// GitHub's order: newest first, unless it is asked otherwise.
fn sort(scope: &Scope<'_>, pulls: &mut [&PullRequest]) {
    let key = scope.request.query("sort").unwrap_or("created");
    let default = if key == "created" { "desc" } else { "asc" };
    match key {
        "updated" => pulls.sort_by_key(|pull| (pull.updated_at, pull.number)),
        _ => pulls.sort_by_key(|pull| (pull.created_at, pull.number)),
    }
    if scope.request.query("direction").unwrap_or(default) == "desc" {
        pulls.reverse();
    }
}
