//! Who asks, what they may see, and how often they may ask.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::answer::Answer;
use super::jwt;
use super::request::Request;
use crate::model::{Grant, Installation, Model, Permission, REQUESTS_PER_HOUR_WITHOUT_TOKEN, RateLimit, Repository};

/// Whose request it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Caller {
    /// The account; none without a token.
    pub user: Option<u64>,
    /// The App that speaks for itself, by a token that it signed.
    pub app: Option<u64>,
    token: Option<usize>,
}

impl Caller {
    /// Someone without a token.
    pub const NOBODY: Self = Self { user: None, app: None, token: None };

    /// The caller of a request, or the answer for a token that nobody has.
    pub fn of(model: &Model, request: &Request, now: DateTime<Utc>) -> Result<Self, Answer> {
        if request.header("authorization").is_none() {
            return Ok(Self::NOBODY);
        }
        let secret = request.token().ok_or_else(Answer::bad_credentials)?;
        if secret.matches('.').count() == 2 {
            return jwt::app(model, secret, now).map(|app| Self { app: Some(app), ..Self::NOBODY });
        }
        let found = model.tokens.iter().position(|token| token.secret == secret && !token.revoked && !token.expired(now));
        let index = found.ok_or_else(Answer::bad_credentials)?;
        let caller = Self { user: Some(model.tokens[index].user), app: None, token: Some(index) };
        match caller.installation(model) {
            Some(gone) if gone.deleted => Err(Answer::bad_credentials()),
            Some(held) if held.suspended.is_some() => Err(Answer::suspended()),
            _ => Ok(caller),
        }
    }

    /// The account, or 401.
    pub fn user(&self) -> Result<u64, Answer> {
        self.user.ok_or_else(Answer::requires_authentication)
    }

    /// What the token was made for, if it is one of an installation.
    pub fn grant<'a>(&self, model: &'a Model) -> Option<&'a Grant> {
        self.token.and_then(|index| model.tokens[index].grant.as_ref())
    }

    fn installation<'a>(&self, model: &'a Model) -> Option<&'a Installation> {
        self.grant(model).and_then(|grant| model.installations.get(&grant.installation))
    }

    /// Whether an installation's token is for that repository.
    pub fn reaches(&self, model: &Model, repository: &Repository) -> bool {
        let narrowed = self.grant(model).and_then(|grant| grant.repositories.as_ref());
        let installed = self.installation(model).is_some_and(|installation| installation.covers(repository));
        installed && narrowed.is_none_or(|chosen| chosen.contains(&repository.id))
    }

    /// The App, if an installation's token speaks for one.
    pub fn via(&self, model: &Model) -> Option<u64> {
        self.grant(model).map(|grant| grant.app)
    }

    /// What the caller may do to a repository, within what the token may. What an installation may do there is narrowed
    /// further for each operation: see `rights`.
    pub fn permission(&self, model: &Model, repository: &Repository) -> Permission {
        if self.grant(model).is_some() {
            let public = if repository.private { Permission::None } else { Permission::Read };
            return if self.reaches(model, repository) { Permission::Write } else { public };
        }
        let held = repository.permission(self.user);
        let token = self.token.map(|index| &model.tokens[index]);
        match token {
            Some(token) if repository.private && !token.reads_private() => Permission::None,
            Some(token) if !token.writes() => held.min(Permission::Read),
            Some(_) => held,
            None => held.min(Permission::Read),
        }
    }

    /// A repository that the caller may write to.
    pub fn writable<'a>(&self, model: &'a Model, full_name: &str) -> Result<&'a Repository, Answer> {
        self.user()?;
        let repository = self.readable(model, full_name)?;
        let writes = self.permission(model, repository) >= Permission::Write;
        if writes { Ok(repository) } else { Err(Answer::forbidden("Must have push access to repository")) }
    }

    /// Whether the caller may write at all: an account whose token has a scope for it.
    pub fn may_write(&self, model: &Model) -> bool {
        self.token.is_some_and(|index| model.tokens[index].writes())
    }

    /// A repository that the caller may read. GitHub hides the others behind a 404.
    pub fn readable<'a>(&self, model: &'a Model, full_name: &str) -> Result<&'a Repository, Answer> {
        let repository = model.repository(full_name).map_err(|_| Answer::not_found())?;
        let readable = self.permission(model, repository) >= Permission::Read;
        if readable { Ok(repository) } else { Err(Answer::not_found()) }
    }

    fn rate<'a>(&self, model: &'a mut Model) -> &'a mut RateLimit {
        let installation = self.grant(model).map(|grant| grant.installation);
        let nobody = model.anonymous_rate.get_or_insert_with(|| RateLimit::new(REQUESTS_PER_HOUR_WITHOUT_TOKEN));
        let app = self.app.and_then(|id| model.apps.get_mut(&id)).map(|app| &mut app.rate);
        let installation = installation.and_then(|id| model.installations.get_mut(&id)).map(|one| &mut one.rate);
        let token = self.token.map(|index| &mut model.tokens[index].rate);
        app.or(installation).or(token).unwrap_or(nobody)
    }

    /// Whose limits these are: an installation's tokens share them.
    fn whose(&self, model: &Model) -> Option<String> {
        match (self.app, self.grant(model)) {
            (Some(app), _) => Some(format!("App {app}")),
            (None, Some(grant)) => Some(format!("installation {}", grant.installation)),
            (None, None) => self.user.map(|user| model.login(user).to_owned()),
        }
    }

    /// Counts the request, or answers that the limit is reached.
    pub fn spend(&self, model: &mut Model, now: DateTime<Utc>) -> Result<(), Answer> {
        let rate = self.rate(model);
        rate.roll(now);
        let (allowed, reset) = (rate.spend(), rate.reset);
        let whose = self.user.map_or_else(|| "127.0.0.1".to_owned(), |user| format!("user ID {user}"));
        if allowed { Ok(()) } else { Err(Answer::limit_exceeded(&whose, reset)) }
    }

    /// Takes the count back: an answer "not modified" is free.
    pub fn refund(&self, model: &mut Model) {
        let rate = self.rate(model);
        rate.used = rate.used.saturating_sub(1);
    }

    /// The headers that tell the caller where its limit stands.
    pub fn rate_headers(&self, model: &mut Model) -> Vec<(String, String)> {
        let rate = self.rate(model).clone();
        let reset = rate.reset.map_or(0, |reset| reset.timestamp());
        [
            ("x-ratelimit-limit", rate.limit.to_string()),
            ("x-ratelimit-remaining", rate.remaining().to_string()),
            ("x-ratelimit-used", rate.used.to_string()),
            ("x-ratelimit-reset", reset.to_string()),
            ("x-ratelimit-resource", "core".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    /// The answer of `GET /rate_limit`.
    pub fn rate_limit(&self, model: &mut Model, now: DateTime<Utc>) -> Value {
        let rate = self.rate(model);
        rate.roll(now);
        let core = rate_json(rate);
        let search = rate_json(&RateLimit { limit: 30, used: 0, reset: rate.reset });
        json!({ "resources": { "core": core, "search": search }, "rate": core })
    }
}

/// Whose limits a request counts for; nobody's without a good token.
pub(super) fn whose(model: &Model, request: &Request, now: DateTime<Utc>) -> Option<String> {
    Caller::of(model, request, now).ok()?.whose(model)
}

fn rate_json(rate: &RateLimit) -> Value {
    json!({
        "limit": rate.limit,
        "used": rate.used,
        "remaining": rate.remaining(),
        "reset": rate.reset.map_or(0, |reset| reset.timestamp()),
        "resource": "core",
    })
}
