//! Which operation a path is.

use super::request::Request;
use crate::model::Model;

/// An operation and what the path says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    User,
    RateLimit,
    Repository,
    Pulls,
    Pull(String),
    Files(String),
    Branches,
    Branch(String),
    Ref(String),
    Comments(String),
    RepositoryComments,
    IssueEvents(String),
    Comment(String),
    Permission(String),
    Reactions(String),
    Reaction(String, String),
    Deployments,
    Deployment(String),
    DeploymentStatuses(String),
    CheckRuns,
    CheckRun(String),
    ChecksOf(String),
    Statuses(String),
    StatusesOf(String),
    StatusOf(String),
    RepositoryInstallation,
    App,
    Installations,
    Installation(String),
    AccessTokens(String),
    HookDeliveries,
    HookDelivery(String),
    HookAttempts(String),
    InstallationRepositories,
}

/// A route, and the repository that it is below.
pub(super) struct Routed {
    pub route: Route,
    /// `owner/name` as the path has it, or as it is for `/repositories/{id}`; empty for an unknown id.
    pub repo: Option<String>,
}

/// Finds the route. `/repositories/{id}/...`, which GitHub writes into its Link headers without
/// listing it in the `OpenAPI`, is `/repos/{owner}/{repo}/...`.
pub(super) fn route(model: &Model, request: &Request) -> Option<Routed> {
    let segments = request.segments();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let (repo, rest) = match segments.as_slice() {
        ["user"] => {
            return Some(Routed { route: Route::User, repo: None });
        }
        ["rate_limit"] => {
            return Some(Routed { route: Route::RateLimit, repo: None });
        }
        ["app" | "installation", ..] => {
            return of_apps(&segments).map(|route| Routed { route, repo: None });
        }
        ["repos", owner, name, rest @ ..] => (format!("{owner}/{name}"), rest),
        ["repositories", id, rest @ ..] => (name_of(model, id), rest),
        _ => return None,
    };
    below_repository(rest).map(|route| Routed { route, repo: Some(repo) })
}

fn of_apps(segments: &[&str]) -> Option<Route> {
    Some(match segments {
        ["app"] => Route::App,
        ["app", "installations"] => Route::Installations,
        ["app", "installations", id] => Route::Installation((*id).to_owned()),
        ["app", "installations", id, "access_tokens"] => Route::AccessTokens((*id).to_owned()),
        ["app", "hook", "deliveries"] => Route::HookDeliveries,
        ["app", "hook", "deliveries", id] => Route::HookDelivery((*id).to_owned()),
        ["app", "hook", "deliveries", id, "attempts"] => Route::HookAttempts((*id).to_owned()),
        ["installation", "repositories"] => Route::InstallationRepositories,
        _ => return None,
    })
}

fn name_of(model: &Model, id: &str) -> String {
    let repository = id.parse().ok().and_then(|id: u64| model.repositories.get(&id));
    repository.map(|repository| repository.full_name.clone()).unwrap_or_default()
}

fn below_repository(rest: &[&str]) -> Option<Route> {
    Some(match rest {
        [] => Route::Repository,
        ["pulls"] => Route::Pulls,
        ["pulls", number] => Route::Pull((*number).to_owned()),
        ["pulls", number, "files"] => Route::Files((*number).to_owned()),
        ["branches"] => Route::Branches,
        ["branches", name @ ..] if !name.is_empty() => Route::Branch(name.join("/")),
        ["git", "ref", name @ ..] if !name.is_empty() => Route::Ref(name.join("/")),
        ["issues", "comments"] => Route::RepositoryComments,
        ["issues", "comments", id] => Route::Comment((*id).to_owned()),
        ["issues", number, "events"] => Route::IssueEvents((*number).to_owned()),
        ["issues", number, "comments"] => Route::Comments((*number).to_owned()),
        ["collaborators", login, "permission"] => Route::Permission((*login).to_owned()),
        ["installation"] => Route::RepositoryInstallation,
        _ => return of_commits(rest),
    })
}

/// What programs write on comments and commits.
fn of_commits(rest: &[&str]) -> Option<Route> {
    Some(match rest {
        ["issues", "comments", id, "reactions"] => Route::Reactions((*id).to_owned()),
        ["issues", "comments", id, "reactions", reaction] => Route::Reaction((*id).to_owned(), (*reaction).to_owned()),
        ["deployments"] => Route::Deployments,
        ["deployments", id] => Route::Deployment((*id).to_owned()),
        ["deployments", id, "statuses"] => Route::DeploymentStatuses((*id).to_owned()),
        ["check-runs"] => Route::CheckRuns,
        ["check-runs", id] => Route::CheckRun((*id).to_owned()),
        ["commits", name @ .., "check-runs"] if !name.is_empty() => Route::ChecksOf(name.join("/")),
        ["commits", name @ .., "statuses"] if !name.is_empty() => Route::StatusesOf(name.join("/")),
        ["commits", name @ .., "status"] if !name.is_empty() => Route::StatusOf(name.join("/")),
        ["statuses", sha] => Route::Statuses((*sha).to_owned()),
        _ => return None,
    })
}

impl Routed {
    /// The path in the `OpenAPI`.
    pub fn operation(&self) -> &'static str {
        match self.route {
            Route::User => "/user",
            Route::RateLimit => "/rate_limit",
            Route::Repository => "/repos/{owner}/{repo}",
            Route::Pulls => "/repos/{owner}/{repo}/pulls",
            Route::Pull(_) => "/repos/{owner}/{repo}/pulls/{pull_number}",
            Route::Files(_) => "/repos/{owner}/{repo}/pulls/{pull_number}/files",
            Route::Branches => "/repos/{owner}/{repo}/branches",
            Route::Branch(_) => "/repos/{owner}/{repo}/branches/{branch}",
            Route::Ref(_) => "/repos/{owner}/{repo}/git/ref/{ref}",
            Route::Comments(_) => "/repos/{owner}/{repo}/issues/{issue_number}/comments",
            Route::IssueEvents(_) => "/repos/{owner}/{repo}/issues/{issue_number}/events",
            Route::RepositoryComments => "/repos/{owner}/{repo}/issues/comments",
            Route::Comment(_) => "/repos/{owner}/{repo}/issues/comments/{comment_id}",
            Route::Permission(_) => "/repos/{owner}/{repo}/collaborators/{username}/permission",
            Route::RepositoryInstallation => "/repos/{owner}/{repo}/installation",
            Route::App => "/app",
            Route::Installations => "/app/installations",
            Route::Installation(_) => "/app/installations/{installation_id}",
            Route::AccessTokens(_) => "/app/installations/{installation_id}/access_tokens",
            Route::HookDeliveries => "/app/hook/deliveries",
            Route::HookDelivery(_) => "/app/hook/deliveries/{delivery_id}",
            Route::HookAttempts(_) => "/app/hook/deliveries/{delivery_id}/attempts",
            Route::InstallationRepositories => "/installation/repositories",
            _ => self.operation_on_commits(),
        }
    }

    fn operation_on_commits(&self) -> &'static str {
        match self.route {
            Route::Reactions(_) => "/repos/{owner}/{repo}/issues/comments/{comment_id}/reactions",
            Route::Reaction(..) => "/repos/{owner}/{repo}/issues/comments/{comment_id}/reactions/{reaction_id}",
            Route::Deployments => "/repos/{owner}/{repo}/deployments",
            Route::Deployment(_) => "/repos/{owner}/{repo}/deployments/{deployment_id}",
            Route::DeploymentStatuses(_) => "/repos/{owner}/{repo}/deployments/{deployment_id}/statuses",
            Route::CheckRuns => "/repos/{owner}/{repo}/check-runs",
            Route::CheckRun(_) => "/repos/{owner}/{repo}/check-runs/{check_run_id}",
            Route::ChecksOf(_) => "/repos/{owner}/{repo}/commits/{ref}/check-runs",
            Route::Statuses(_) => "/repos/{owner}/{repo}/statuses/{sha}",
            Route::StatusesOf(_) => "/repos/{owner}/{repo}/commits/{ref}/statuses",
            Route::StatusOf(_) => "/repos/{owner}/{repo}/commits/{ref}/status",
            _ => "",
        }
    }

    /// The names in that path and their values.
    pub fn parameters(&self) -> Vec<(&'static str, String)> {
        let mut parameters = Vec::new();
        if let Some((owner, name)) = self.repo.as_deref().and_then(|repo| repo.split_once('/')) {
            parameters.push(("owner", owner.to_owned()));
            parameters.push(("repo", name.to_owned()));
        }
        match &self.route {
            Route::Pull(number) | Route::Files(number) => parameters.push(("pull_number", number.clone())),
            Route::Branch(name) => parameters.push(("branch", name.clone())),
            Route::Ref(name) | Route::ChecksOf(name) | Route::StatusesOf(name) | Route::StatusOf(name) => {
                parameters.push(("ref", name.clone()));
            }
            Route::Comments(number) | Route::IssueEvents(number) => parameters.push(("issue_number", number.clone())),
            Route::Comment(id) | Route::Reactions(id) => parameters.push(("comment_id", id.clone())),
            Route::Reaction(comment, reaction) => {
                parameters.extend([("comment_id", comment.clone()), ("reaction_id", reaction.clone())]);
            }
            Route::Deployment(id) | Route::DeploymentStatuses(id) => parameters.push(("deployment_id", id.clone())),
            Route::CheckRun(id) => parameters.push(("check_run_id", id.clone())),
            Route::Statuses(sha) => parameters.push(("sha", sha.clone())),
            Route::Installation(id) | Route::AccessTokens(id) => parameters.push(("installation_id", id.clone())),
            Route::HookDelivery(id) | Route::HookAttempts(id) => parameters.push(("delivery_id", id.clone())),
            Route::Permission(login) => parameters.push(("username", login.clone())),
            _ => {}
        }
        parameters
    }
}
