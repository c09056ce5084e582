//! What happened to a pull request.

use super::answer::Answer;
use super::api::Scope;
use super::comments::existing;
use super::paging;

pub(super) fn list(scope: &Scope<'_>, number: &str) -> Result<Answer, Answer> {
    let repository = scope.caller.readable(scope.model, &scope.repo)?;
    let number = existing(repository, number)?;
    let events = repository.records.issue_events.iter().filter(|event| event.number == number);
    let items: Vec<_> = events.map(|event| scope.render().issue_event(repository, event)).collect();
    Ok(paging::page(scope, repository.id, &format!("issues/{number}/events"), &items))
}
