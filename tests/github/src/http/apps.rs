//! Apps, their installations and the tokens of those.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::answer::Answer;
use super::api::Scope;
use super::paging;
use super::routes::Route;
use crate::model::{App, Grant, Installation, Permissions, REQUESTS_PER_HOUR, RateLimit, Token};

pub(super) fn answer(scope: &mut Scope<'_>, route: &Route) -> Result<Answer, Answer> {
    match (scope.request.method.as_str(), route) {
        ("GET", Route::App) => Ok(Answer::ok(&scope.render().own_app(app(scope)?))),
        ("GET", Route::Installations) => installations(scope),
        ("GET", Route::Installation(id)) => Ok(Answer::ok(&scope.render().installation(found(scope, id)?))),
        ("GET", Route::RepositoryInstallation) => of_repository(scope),
        ("GET", Route::InstallationRepositories) => repositories(scope),
        ("POST", Route::AccessTokens(id)) => access_token(scope, id),
        _ => Err(Answer::not_found()),
    }
}

fn app<'a>(scope: &'a Scope<'_>) -> Result<&'a App, Answer> {
    scope.caller.app.and_then(|app| scope.model.apps.get(&app)).ok_or_else(Answer::not_found)
}

/// An installation of the App that asks.
fn found<'a>(scope: &'a Scope<'_>, id: &str) -> Result<&'a Installation, Answer> {
    let id = id.parse().map_err(|_| Answer::not_found())?;
    let installation = scope.model.installation(id).map_err(|_| Answer::not_found())?;
    if Some(installation.app) == scope.caller.app { Ok(installation) } else { Err(Answer::not_found()) }
}

fn installations(scope: &Scope<'_>) -> Result<Answer, Answer> {
    let own = app(scope)?.id;
    let all = scope.model.installations.values().filter(|one| one.app == own && !one.deleted);
    let items: Vec<_> = all.map(|one| scope.render().installation(one)).collect();
    Ok(paging::plain(scope, "app/installations", &items))
}

/// The App's own view: it finds a private repository only where it is installed.
fn of_repository(scope: &Scope<'_>) -> Result<Answer, Answer> {
    let repository = scope.model.repository(&scope.repo).map_err(|_| Answer::not_found())?;
    let found = scope.model.installation_on(app(scope)?.id, repository).ok_or_else(Answer::not_found)?;
    Ok(Answer::ok(&scope.render().installation(found)))
}

fn repositories(scope: &Scope<'_>) -> Result<Answer, Answer> {
    scope.caller.grant(scope.model).ok_or_else(Answer::not_for_apps)?;
    let all = scope.model.repositories().filter(|repository| scope.caller.reaches(scope.model, repository));
    let items: Vec<_> = all.map(|repository| scope.render().repository(repository)).collect();
    Ok(paging::counted(scope, "installation/repositories", "repositories", &items))
}

/// A token for an hour, narrowed to what the body names.
fn access_token(scope: &mut Scope<'_>, id: &str) -> Result<Answer, Answer> {
    let (installation, bot) = (found(scope, id)?, app(scope)?.bot);
    if installation.suspended.is_some() {
        return Err(Answer::suspended());
    }
    let body = if scope.request.body.is_empty() { Value::Null } else { scope.body()? };
    let grant = Grant {
        installation: installation.id,
        app: installation.app,
        repositories: narrowed(scope, installation, &body)?,
        permissions: permissions(&app(scope)?.permissions, &body["permissions"])?,
        expires_at: scope.now + TimeDelta::hours(1),
    };
    let shown = shown(scope, installation, &grant);
    let secret = secret(scope.model.next_id());
    let rate = RateLimit::new(REQUESTS_PER_HOUR);
    scope.model.tokens.retain(|token| !token.expired(scope.now));
    let token = Token { secret: secret.clone(), user: bot, scopes: Vec::new(), revoked: false, grant: Some(grant), rate };
    scope.model.tokens.push(token);
    Ok(Answer::json(201, &with_token(shown, &secret)))
}

fn shown(scope: &Scope<'_>, installation: &Installation, grant: &Grant) -> Value {
    let mut shown = json!({
        "expires_at": crate::render::time(grant.expires_at),
        "permissions": grant.permissions,
        "repository_selection": if grant.repositories.is_some() { "selected" } else { installation.selection() },
    });
    if let Some(ids) = &grant.repositories {
        let named = ids.iter().filter_map(|id| scope.model.repositories.get(id));
        shown["repositories"] = named.map(|repository| scope.render().repository(repository)).collect();
    }
    shown
}

fn with_token(mut shown: Value, secret: &str) -> Value {
    shown["token"] = json!(secret);
    shown
}

/// A token in GitHub's form, another each time.
fn secret(id: u64) -> String {
    let digest = hex::encode(Sha256::digest(format!("token {id}")));
    format!("ghs_{}", &digest[..36])
}

/// The repositories that the body names, all of which the installation has to cover.
fn narrowed(scope: &Scope<'_>, installation: &Installation, body: &Value) -> Result<Option<BTreeSet<u64>>, Answer> {
    if body["repositories"].is_null() && body["repository_ids"].is_null() {
        return Ok(None);
    }
    let missing = || {
        let why = "There is at least one repository that does not exist or is not accessible to the parent installation.";
        Answer::error(422, why)
    };
    let mut chosen = BTreeSet::new();
    for name in body["repositories"].as_array().into_iter().flatten() {
        let mut covered = scope.model.covered(installation);
        let found = covered.find(|repository| name.as_str().is_some_and(|name| name.eq_ignore_ascii_case(repository.name())));
        chosen.insert(found.ok_or_else(missing)?.id);
    }
    for id in body["repository_ids"].as_array().into_iter().flatten() {
        let mut covered = scope.model.covered(installation);
        let found = covered.find(|repository| id.as_u64() == Some(repository.id));
        chosen.insert(found.ok_or_else(missing)?.id);
    }
    Ok(Some(chosen))
}

/// What the body asks for, which the App has to hold.
fn permissions(held: &Permissions, asked: &Value) -> Result<Permissions, Answer> {
    let Some(asked) = asked.as_object() else {
        return Ok(held.clone());
    };
    let enough = |name: &str, level: &str| match held.get(name).map(String::as_str) {
        Some("write") => level == "read" || level == "write",
        Some(own) => own == level,
        None => name == "metadata" && level == "read",
    };
    let mut granted = Permissions::new();
    for (name, level) in asked {
        let level = level.as_str().unwrap_or_default();
        if !enough(name, level) {
            return Err(Answer::error(422, "The permissions requested are not granted to this installation."));
        }
        granted.insert(name.clone(), level.to_owned());
    }
    granted.entry("metadata".to_owned()).or_insert_with(|| "read".to_owned());
    Ok(granted)
}
