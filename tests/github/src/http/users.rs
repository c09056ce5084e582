//! `GET /user` and `GET /rate_limit`.

use super::answer::Answer;
use super::api::Scope;

pub(super) fn current(scope: &Scope<'_>) -> Result<Answer, Answer> {
    let user = scope.caller.user()?;
    Ok(Answer::ok(&scope.render().own_profile(user)))
}

pub(super) fn rate_limit(scope: &mut Scope<'_>) -> Answer {
    Answer::ok(&scope.caller.rate_limit(scope.model, scope.now))
}
