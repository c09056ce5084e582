//! What an App needs for each operation, and who may use the operations of Apps.

use super::answer::Answer;
use super::api::Scope;
use super::routes::Route;

/// Refuses what the caller's kind of token may not do, before the endpoint looks at anything.
pub(super) fn check(scope: &Scope<'_>, route: &Route) -> Result<(), Answer> {
    if is_of_apps(route) != scope.caller.app.is_some() && *route != Route::RateLimit {
        return Err(wrong_kind(scope));
    }
    let Some(grant) = scope.caller.grant(scope.model) else {
        return Ok(());
    };
    let reads = scope.request.method == "GET";
    let level = if reads { "read" } else { "write" };
    let needed = needed(route);
    if !needed.iter().any(|permission| grant.allows(permission, level)) && *route != Route::RateLimit {
        let accepted: Vec<_> = needed.iter().map(|permission| format!("{permission}={level}")).collect();
        return Err(Answer::not_for_apps().header("x-accepted-github-permissions", accepted.join("; ")));
    }
    let Ok(repository) = scope.caller.readable(scope.model, &scope.repo) else {
        return Ok(());
    };
    if reads || scope.caller.reaches(scope.model, repository) { Ok(()) } else { Err(Answer::not_for_apps()) }
}

fn wrong_kind(scope: &Scope<'_>) -> Answer {
    if scope.caller.app.is_some() {
        Answer::error(401, "Bad credentials")
    } else {
        Answer::error(401, "A JSON web token could not be decoded")
    }
}

/// Whether it takes the token that an App signs for itself.
fn is_of_apps(route: &Route) -> bool {
    matches!(
        route,
        Route::App
            | Route::Installations
            | Route::Installation(_)
            | Route::AccessTokens(_)
            | Route::HookDeliveries
            | Route::HookDelivery(_)
            | Route::HookAttempts(_)
            | Route::RepositoryInstallation
    )
}

/// The permissions of which one is needed, as GitHub documents them; none if no App may.
fn needed(route: &Route) -> &'static [&'static str] {
    match route {
        Route::Repository | Route::Permission(_) | Route::InstallationRepositories => &["metadata"],
        Route::Branches | Route::Branch(_) | Route::Ref(_) => &["contents"],
        Route::Pulls | Route::Pull(_) | Route::Files(_) => &["pull_requests"],
        Route::Comments(_)
        | Route::RepositoryComments
        | Route::IssueEvents(_)
        | Route::Comment(_)
        | Route::Reactions(_)
        | Route::Reaction(..) => &["issues", "pull_requests"],
        Route::Deployments | Route::Deployment(_) | Route::DeploymentStatuses(_) => &["deployments"],
        Route::CheckRuns | Route::CheckRun(_) | Route::ChecksOf(_) => &["checks"],
        Route::Statuses(_) | Route::StatusesOf(_) | Route::StatusOf(_) => &["statuses"],
        _ => &[],
    }
}
