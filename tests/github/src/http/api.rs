//! One request and its answer. No IO: the model changes, and what happened comes back.

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use super::access::Caller;
use super::answer::Answer;
use super::request::Request;
use super::routes::{Route, Routed, route};
use super::{comments, issue_events, pulls, repositories, users};
use crate::contract::{self, Call, Violation};
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
}

impl<'a> Scope<'a> {
    fn new(model: &'a mut Model, request: &'a Request, caller: Caller, here: Here<'a>) -> Self {
        let (api, now) = (here.api, here.now);
        Self { model, request, caller, repo: String::new(), api, now, events: Vec::new() }
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
    pub violations: Vec<Violation>,
}

/// Where and when the double answers.
#[derive(Clone, Copy)]
pub(super) struct Here<'a> {
    pub api: &'a str,
    pub now: DateTime<Utc>,
    /// Whether requests and answers are compared with what GitHub publishes.
    pub checked: bool,
}

/// Answers a request.
pub(super) fn respond(model: &mut Model, request: &Request, here: Here<'_>) -> Answered {
    if request.header("user-agent").is_none_or(str::is_empty) {
        return refused(Answer::no_user_agent());
    }
    let caller = Caller::of(model, request);
    let known = caller.as_ref().ok().and_then(|caller| caller.user);
    let who = known.map(|user| model.login(user).to_owned());
    let Some(routed) = route(model, request) else {
        let answer = caller.map_or_else(|answer| answer, |_| Answer::not_found());
        return Answered { violations: vec![unknown(request)], who, ..refused(answer) };
    };
    let parameters = routed.parameters();
    let call =
        Call { method: &request.method, operation: routed.operation(), path: &parameters, query: &request.query, body: &request.body };
    let mut violations = if here.checked { contract::check_request(&call) } else { Vec::new() };
    let (answer, events) = match caller {
        Ok(caller) => answered(Scope::new(model, request, caller, here), &routed),
        Err(answer) => (answer, Vec::new()),
    };
    if here.checked {
        violations.extend(contract::check_answer(&call, answer.status, &answer.body));
    }
    Answered { answer, who, events, violations }
}

fn refused(answer: Answer) -> Answered {
    Answered { answer, who: None, events: Vec::new(), violations: Vec::new() }
}

fn unknown(request: &Request) -> Violation {
    let why = "no such path in the published excerpt".to_owned();
    Violation { what: format!("{} {}", request.method, request.path), why }
}

/// Answers within the rate limit, with the headers that every answer has.
fn answered(mut scope: Scope<'_>, routed: &Routed) -> (Answer, Vec<Event>) {
    scope.repo = routed.repo.clone().unwrap_or_default();
    let answer = limited(&mut scope, &routed.route).unwrap_or_else(|answer| answer);
    let mut answer = conditional(scope.request, answer);
    if answer.status == 304 && scope.caller != Caller::NOBODY {
        scope.caller.refund(scope.model);
    }
    answer.headers.extend(scope.caller.rate_headers(scope.model));
    (answer, scope.events)
}

fn limited(scope: &mut Scope<'_>, route: &Route) -> Result<Answer, Answer> {
    if *route != Route::RateLimit {
        scope.caller.spend(scope.model, scope.now)?;
    }
    moved(scope)?;
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
        _ => Err(Answer::not_found()),
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
