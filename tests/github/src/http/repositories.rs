//! Repositories, branches, refs and permissions.

use super::answer::Answer;
use super::api::Scope;
use super::paging;
use crate::model::{Permission, Repository};

fn readable<'a>(scope: &'a Scope<'_>) -> Result<&'a Repository, Answer> {
    scope.caller.readable(scope.model, &scope.repo)
}

pub(super) fn get(scope: &Scope<'_>) -> Result<Answer, Answer> {
    let repository = readable(scope)?;
    let held = scope.caller.permission(scope.model, repository);
    Ok(Answer::ok(&scope.render().full_repository(repository, held)))
}

/// All branches by name. The double protects none.
pub(super) fn branches(scope: &Scope<'_>) -> Result<Answer, Answer> {
    let repository = readable(scope)?;
    let wanted = repository.branches.iter().filter(|_| scope.request.query("protected") != Some("true"));
    let items: Vec<_> = wanted.map(|(name, sha)| scope.render().listed_branch(repository, name, sha)).collect();
    Ok(paging::page(scope, repository.id, "branches", &items))
}

pub(super) fn branch(scope: &Scope<'_>, name: &str) -> Result<Answer, Answer> {
    let repository = readable(scope)?;
    let sha = repository.branches.get(name).ok_or_else(|| Answer::error(404, "Branch not found"))?;
    Ok(Answer::ok(&scope.render().branch(repository, name, sha)))
}

pub(super) fn git_ref(scope: &Scope<'_>, name: &str) -> Result<Answer, Answer> {
    let repository = readable(scope)?;
    let branch = name.strip_prefix("heads/").ok_or_else(Answer::not_found)?;
    let sha = repository.branches.get(branch).ok_or_else(Answer::not_found)?;
    Ok(Answer::ok(&scope.render().git_ref(repository, name, sha)))
}

/// What a person may do. GitHub tells only those who may push.
pub(super) fn permission(scope: &Scope<'_>, login: &str) -> Result<Answer, Answer> {
    let repository = readable(scope)?;
    if scope.caller.permission(scope.model, repository) < Permission::Write {
        return Err(Answer::forbidden("Must have push access to view collaborator permission."));
    }
    let missing = |_| Answer::error(404, &format!("{login} is not a user"));
    let user = scope.model.user(login).map_err(missing)?;
    let held = repository.permission(Some(user.id));
    Ok(Answer::ok(&scope.render().permission(user.id, held)))
}
