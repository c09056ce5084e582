//! Reactions to comments.

use super::answer::Answer;
use super::api::Scope;
use super::paging;
use super::routes::Route;
use crate::model::{Reaction, Repository};

/// GitHub's reactions.
const CONTENTS: &[&str] = &["+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes"];

pub(super) fn answer(scope: &mut Scope<'_>, route: &Route) -> Result<Answer, Answer> {
    match (scope.request.method.as_str(), route) {
        ("GET", Route::Reactions(comment)) => list(scope, comment),
        ("POST", Route::Reactions(comment)) => create(scope, comment),
        ("DELETE", Route::Reaction(comment, id)) => delete(scope, comment, id),
        _ => Err(Answer::not_found()),
    }
}

fn list(scope: &Scope<'_>, comment: &str) -> Result<Answer, Answer> {
    let repository = scope.caller.readable(scope.model, &scope.repo)?;
    let comment = existing(repository, comment)?;
    let content = scope.request.query("content");
    let wanted = |one: &&Reaction| one.comment == comment && content.is_none_or(|content| content == one.content);
    let items: Vec<_> = repository.records.reactions.values().filter(wanted).map(|one| scope.render().reaction(one)).collect();
    Ok(paging::page(scope, repository.id, &format!("issues/comments/{comment}/reactions"), &items))
}

/// 201, or 200 if it was there.
fn create(scope: &mut Scope<'_>, comment: &str) -> Result<Answer, Answer> {
    let user = scope.caller.user()?;
    let repository = scope.caller.readable(scope.model, &scope.repo)?;
    let comment = existing(repository, comment)?;
    if !scope.caller.may_write(scope.model) {
        return Err(Answer::forbidden("Resource not accessible by personal access token"));
    }
    let content = scope.text("content")?.ok_or_else(|| Answer::missing_field("content"))?;
    if !CONTENTS.contains(&content.as_str()) {
        return Err(Answer::invalid("\"content\" is not one of GitHub's reactions."));
    }
    let same = |one: &&Reaction| (one.comment, one.user, &one.content) == (comment, user, &content);
    if let Some(there) = repository.records.reactions.values().find(same) {
        return Ok(Answer::ok(&scope.render().reaction(there)));
    }
    let name = repository.full_name.clone();
    let new = Reaction { id: scope.model.next_id(), comment, user, content, at: scope.now };
    let shown = scope.render().reaction(&new);
    scope.model.repository_mut(&name)?.records.reactions.insert(new.id, new);
    Ok(Answer::json(201, &shown))
}

fn delete(scope: &mut Scope<'_>, comment: &str, id: &str) -> Result<Answer, Answer> {
    let user = scope.caller.user()?;
    let repository = scope.caller.readable(scope.model, &scope.repo)?;
    let comment = existing(repository, comment)?;
    let id: u64 = id.parse().map_err(|_| Answer::not_found())?;
    let reaction = repository.records.reactions.get(&id).filter(|one| one.comment == comment).ok_or_else(Answer::not_found)?;
    if reaction.user != user {
        return Err(Answer::forbidden("Must be the author of the reaction."));
    }
    let name = repository.full_name.clone();
    scope.model.repository_mut(&name)?.records.reactions.remove(&id);
    Ok(Answer::empty(204))
}

fn existing(repository: &Repository, comment: &str) -> Result<u64, Answer> {
    let id = comment.parse().map_err(|_| Answer::not_found())?;
    if repository.comments.contains_key(&id) { Ok(id) } else { Err(Answer::not_found()) }
}
