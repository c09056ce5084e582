//! One request and its answer. No IO: the model changes, and what happened comes back.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::access::Caller;
use super::answer::Answer;
use super::request::Request;
use super::routes::{Route, Routed, route};
use super::{apps, checks, comments, deployments, hook_deliveries, issue_events, pulls, reactions, repositories, rights, statuses, users};
use crate::contract::{self, Call, Violation};
use crate::deliveries::Delivery;
use crate::model::{Event, Model};
use crate::render::Render;

/// What an endpoint works with.
pub(super) struct Scope<'a> {
    pub model: &'a mut Model,
    pub request: &'a Request,
    pub caller: Caller,
    /// The repository's name; empty outside repositories.
    pub repo: String,
    pub api: &'a str,
    pub now: DateTime<Utc>,
    /// What happened, for the webhooks.
    pub events: Vec<Event>,
    /// The log of deliveries.
    pub deliveries: &'a [Delivery],
    /// The delivery that is to be sent again.
    pub repeat: Option<u64>,
}

impl<'a> Scope<'a> {
    fn new(model: &'a mut Model, request: &'a Request, caller: Caller, here: Here<'a>) -> Self {
        let Here { api, now, deliveries, .. } = here;
        Self { model, request, caller, repo: String::new(), api, now, events: Vec::new(), deliveries, repeat: None }
    }

    /// The body as JSON.
    pub fn body(&self) -> Result<Value, Answer> {
        serde_json::from_slice(&self.request.body).map_err(|_| Answer::bad_json())
    }

    /// A text in the body.
    pub fn text(&self, name: &str) -> Result<Option<String>, Answer> {
        Ok(self.body()?[name].as_str().map(str::to_owned))
    }

    pub fn render(&self) -> Render<'_> {
        Render { model: self.model, api: self.api }
    }
}

/// An answer and what else is to be kept of the request.
pub(super) struct Answered {
    pub answer: Answer,
    pub who: Option<String>,
    pub events: Vec<Event>,
    pub repeat: Option<u64>,
    pub violations: Vec<Violation>,
}

/// Where and when the double answers.
#[derive(Clone, Copy)]
pub(super) struct Here<'a> {
    pub api: &'a str,
    pub now: DateTime<Utc>,
    pub deliveries: &'a [Delivery],
    /// Whether requests and answers are compared with what GitHub publishes.
    pub checked: bool,
}

/// Answers a request.
pub(super) fn respond(model: &mut Model, request: &Request, here: Here<'_>) -> Answered {
    if request.header("user-agent").is_none_or(str::is_empty) {
        return refused(Answer::no_user_agent());
    }
    let caller = Caller::of(model, request, here.now);
    let who = caller.as_ref().ok().and_then(|caller| name(model, *caller));
    let Some(routed) = route(model, request) else {
        let answer = caller.map_or_else(|answer| answer, |_| Answer::not_found());
        return Answered { violations: vec![unknown(request)], who, ..refused(answer) };
    };
    let parameters = routed.parameters();
    let call =
        Call { method: &request.method, operation: routed.operation(), path: &parameters, query: &request.query, body: &request.body };
    let mut violations = if here.checked { contract::check_request(&call) } else { Vec::new() };
    let (answer, events, repeat) = match caller {
        Ok(caller) => answered(Scope::new(model, request, caller, here), &routed),
        Err(answer) => (answer, Vec::new(), None),
    };
    if here.checked {
        violations.extend(contract::check_answer(&call, answer.status, &answer.body));
    }
    Answered { answer, who, events, repeat, violations }
}

/// The login of who asks, or the App's own name.
fn name(model: &Model, caller: Caller) -> Option<String> {
    let app = caller.app.and_then(|app| model.apps.get(&app));
    app.map(|app| app.slug.clone()).or_else(|| caller.user.map(|user| model.login(user).to_owned()))
}

fn refused(answer: Answer) -> Answered {
    Answered { answer, who: None, events: Vec::new(), repeat: None, violations: Vec::new() }
}

fn unknown(request: &Request) -> Violation {
    let why = "no such path in the published excerpt".to_owned();
    Violation { what: format!("{} {}", request.method, request.path), why }
}

/// Answers within the rate limit, with the headers that every answer has.
fn answered(mut scope: Scope<'_>, routed: &Routed) -> (Answer, Vec<Event>, Option<u64>) {
    scope.repo = routed.repo.clone().unwrap_or_default();
    let answer = limited(&mut scope, &routed.route).unwrap_or_else(|answer| answer);
    let mut answer = conditional(scope.request, answer);
    if answer.status == 304 && scope.caller != Caller::NOBODY {
        scope.caller.refund(scope.model);
    }
    answer.headers.extend(scope.caller.rate_headers(scope.model));
    (answer, scope.events, scope.repeat)
}

fn limited(scope: &mut Scope<'_>, route: &Route) -> Result<Answer, Answer> {
    if *route != Route::RateLimit {
        scope.caller.spend(scope.model, scope.now)?;
    }
    moved(scope)?;
    rights::check(scope, route)?;
    endpoint(scope, route)
}

/// Sends the caller on from a name that the repository no longer has.
fn moved(scope: &Scope<'_>) -> Result<(), Answer> {
    if scope.repo.is_empty() || scope.model.repository(&scope.repo).is_ok() {
        return Ok(());
    }
    let mut former = scope.model.former_names.iter();
    let Some((name, id)) = former.find(|(name, _)| name.eq_ignore_ascii_case(&scope.repo)) else {
        return Ok(());
    };
    let below = scope.request.path.get("/repos/".len() + name.len()..).unwrap_or_default();
    Err(Answer::moved(&format!("{}/repositories/{id}{below}", scope.api)))
}

fn endpoint(scope: &mut Scope<'_>, route: &Route) -> Result<Answer, Answer> {
    match (scope.request.method.as_str(), route) {
        ("GET", Route::User) => users::current(scope),
        ("GET", Route::RateLimit) => Ok(users::rate_limit(scope)),
        ("GET", Route::Repository) => repositories::get(scope),
        ("GET", Route::Branches) => repositories::branches(scope),
        ("GET", Route::Branch(name)) => repositories::branch(scope, name),
        ("GET", Route::Ref(name)) => repositories::git_ref(scope, name),
        ("GET", Route::Permission(login)) => repositories::permission(scope, login),
        ("GET", Route::Pulls) => pulls::list(scope),
        ("GET", Route::Pull(number)) => pulls::get(scope, number),
        ("GET", Route::Files(number)) => pulls::files(scope, number),
        ("GET", Route::IssueEvents(number)) => issue_events::list(scope, number),
        ("GET", Route::RepositoryComments) => comments::list_all(scope),
        ("GET", Route::Comments(number)) => comments::list(scope, number),
        ("POST", Route::Comments(number)) => comments::create(scope, number),
        ("GET", Route::Comment(id)) => comments::get(scope, id),
        // GitHub's older documentation lets POST stand for PATCH, and it still does. The OpenAPI has
        // no such operation, so this works and is a violation.
        ("PATCH" | "POST", Route::Comment(id)) => comments::edit(scope, id),
        ("DELETE", Route::Comment(id)) => comments::delete(scope, id),
        (_, Route::Reactions(_) | Route::Reaction(..)) => reactions::answer(scope, route),
        (_, Route::Deployments | Route::Deployment(_) | Route::DeploymentStatuses(_)) => deployments::answer(scope, route),
        (_, Route::CheckRuns | Route::CheckRun(_) | Route::ChecksOf(_)) => checks::answer(scope, route),
        (_, Route::Statuses(_) | Route::StatusesOf(_) | Route::StatusOf(_)) => statuses::answer(scope, route),
        (_, Route::HookDeliveries | Route::HookDelivery(_) | Route::HookAttempts(_)) => hook_deliveries::answer(scope, route),
        _ => apps::answer(scope, route),
    }
}

/// Adds the `ETag` to what was found, and answers "not modified" to who has that already.
fn conditional(request: &Request, answer: Answer) -> Answer {
    if request.method != "GET" || answer.status != 200 {
        return answer;
    }
    let etag = format!("W/\"{}\"", hex::encode(Sha256::digest(&answer.body)));
    let known = request.header("if-none-match").is_some_and(|seen| seen.split(',').any(|one| one.trim() == etag));
    let answer = if known { Answer::empty(304) } else { answer };
    answer.header("etag", etag).header("cache-control", "private, max-age=60, s-maxage=60")
}
