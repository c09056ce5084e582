//! Comments on pull requests.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::answer::Answer;
use super::api::Scope;
use super::paging;
use crate::model::{Comment, CommentEdit, LONGEST_BODY, NewComment, Permission, Repository};

pub(super) fn list(scope: &Scope<'_>, number: &str) -> Result<Answer, Answer> {
    let repository = scope.caller.readable(scope.model, &scope.repo)?;
    let number = existing(repository, number)?;
    Ok(page(scope, repository, &repository.comments_on(number), &format!("issues/{number}/comments")))
}

pub(super) fn list_all(scope: &Scope<'_>) -> Result<Answer, Answer> {
    let repository = scope.caller.readable(scope.model, &scope.repo)?;
    let mut comments: Vec<_> = repository.comments.values().collect();
    if scope.request.query("sort") == Some("updated") {
        comments.sort_by_key(|comment| (comment.updated_at, comment.id));
    }
    if scope.request.query("direction") == Some("desc") {
        comments.reverse();
    }
    Ok(page(scope, repository, &comments, "issues/comments"))
}

fn page(scope: &Scope<'_>, repository: &Repository, comments: &[&Comment], below: &str) -> Answer {
    let since = scope.request.query("since").and_then(|since| since.parse::<DateTime<Utc>>().ok());
    let recent = comments.iter().filter(|comment| since.is_none_or(|since| comment.updated_at >= since));
    let items: Vec<_> = recent.map(|comment| scope.render().comment(repository, comment)).collect();
    paging::page(scope, repository.id, below, &items)
}

pub(super) fn get(scope: &Scope<'_>, id: &str) -> Result<Answer, Answer> {
    let repository = scope.caller.readable(scope.model, &scope.repo)?;
    let comment = found(repository, id)?;
    Ok(Answer::ok(&scope.render().comment(repository, comment)))
}

pub(super) fn create(scope: &mut Scope<'_>, number: &str) -> Result<Answer, Answer> {
    let author = scope.caller.user()?;
    let repository = scope.caller.readable(scope.model, &scope.repo)?;
    let number = existing(repository, number)?;
    may_comment(scope, repository, number)?;
    let body = body(scope)?;
    let repo = repository.full_name.clone();
    let app = scope.caller.via(scope.model);
    let new = NewComment { repo: &repo, number, author, app, body: &body, now: scope.now };
    let comment = scope.model.comment(new)?;
    happened(scope, "created", author, (comment.clone(), None));
    let answer = written(scope, &comment, 201)?;
    let place = format!("{}/repos/{repo}/issues/comments/{}", scope.api, comment.id);
    Ok(answer.header("location", place))
}

pub(super) fn edit(scope: &mut Scope<'_>, id: &str) -> Result<Answer, Answer> {
    let sender = scope.caller.user()?;
    let (repo, old) = own(scope, id)?;
    let body = body(scope)?;
    let edit = CommentEdit { repo: &repo, id: old.id, body: &body, now: scope.now };
    let comment = scope.model.edit_comment(edit)?;
    happened(scope, "edited", sender, (comment.clone(), Some(old.body)));
    written(scope, &comment, 200)
}

pub(super) fn delete(scope: &mut Scope<'_>, id: &str) -> Result<Answer, Answer> {
    let sender = scope.caller.user()?;
    let (repo, old) = own(scope, id)?;
    let edit = CommentEdit { repo: &repo, id: old.id, body: "", now: scope.now };
    let comment = scope.model.delete_comment(edit)?;
    happened(scope, "deleted", sender, (comment, None));
    Ok(Answer::empty(204))
}

/// The number of an issue that is there: 404 if it never was, 410 if it was deleted.
pub(super) fn existing(repository: &Repository, number: &str) -> Result<u64, Answer> {
    let number: u64 = number.parse().map_err(|_| Answer::not_found())?;
    if repository.gone.contains(&number) {
        return Err(Answer::gone());
    }
    if repository.pulls.contains_key(&number) { Ok(number) } else { Err(Answer::not_found()) }
}

fn found<'a>(repository: &'a Repository, id: &str) -> Result<&'a Comment, Answer> {
    let comment = id.parse().ok().and_then(|id: u64| repository.comments.get(&id));
    comment.ok_or_else(Answer::not_found)
}

/// Anyone who reads may comment, on a locked conversation only those who write.
fn may_comment(scope: &Scope<'_>, repository: &Repository, number: u64) -> Result<(), Answer> {
    if !scope.caller.may_write(scope.model) {
        return Err(Answer::forbidden("Resource not accessible by personal access token"));
    }
    let locked = repository.pulls.get(&number).is_some_and(|pull| pull.locked);
    if locked && scope.caller.permission(scope.model, repository) < Permission::Write {
        return Err(Answer::forbidden("Unable to create comment because issue is locked."));
    }
    Ok(())
}

/// The repository's name and the comment, if the caller wrote it or may write to the repository.
fn own(scope: &Scope<'_>, id: &str) -> Result<(String, Comment), Answer> {
    let repository = scope.caller.readable(scope.model, &scope.repo)?;
    let comment = found(repository, id)?;
    let writes = scope.caller.permission(scope.model, repository) >= Permission::Write;
    let author = Some(comment.author) == scope.caller.user && scope.caller.may_write(scope.model);
    if !writes && !author {
        return Err(Answer::forbidden("Must have admin rights to Repository."));
    }
    Ok((repository.full_name.clone(), comment.clone()))
}

/// The text of the comment to write.
fn body(scope: &Scope<'_>) -> Result<String, Answer> {
    let sent: Value = serde_json::from_slice(&scope.request.body).map_err(|_| Answer::bad_json())?;
    let body = sent["body"].as_str().ok_or_else(|| Answer::missing_field("body"))?;
    if body.trim().is_empty() {
        return Err(Answer::unprocessable_comment("Body cannot be blank"));
    }
    if body.chars().count() > LONGEST_BODY {
        return Err(Answer::unprocessable_comment("Body is too long (maximum is 65536 characters)"));
    }
    Ok(body.to_owned())
}

fn happened(scope: &mut Scope<'_>, action: &'static str, sender: u64, about: (Comment, Option<String>)) {
    let event = scope.model.comment_event(&scope.repo, action, sender, about);
    scope.events.extend(event);
}

fn written(scope: &Scope<'_>, comment: &Comment, status: u16) -> Result<Answer, Answer> {
    let repository = scope.caller.readable(scope.model, &scope.repo)?;
    Ok(Answer::json(status, &scope.render().comment(repository, comment)))
}
