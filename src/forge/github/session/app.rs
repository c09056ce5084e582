//! A GitHub App: it signs who it is, finds its installation for a repository, and gets a token for that repository alone.

mod access;

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use hyper::Method;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::clock::Clock;
use super::transport::Transport;
use super::turns::Turns;
use super::{GithubError, Session, files};
use crate::config::{AppId, GithubConfig};
use crate::domain::RepoName;
use crate::forge::ForgeError;
use crate::forge::github::exchange::{Reply, Request};
use crate::forge::github::needs;
use crate::forge::spent::Spent;
use crate::metrics::Metrics;

/// How far back a signature is dated, in seconds, and how long it holds from now on ("Generating a JSON Web Token for a
/// GitHub App": 60 s back is GitHub's advice, and ten minutes is its most).
const DATED_BACK: i64 = 60;
const HOLDS: i64 = 9 * 60;
/// How long before its end a signature or a token is made anew, in seconds: longer than any request takes.
const SIGNED_ANEW: i64 = 60;
const MADE_ANEW: i64 = 5 * 60;

/// Whose session it is.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) enum Whose {
    /// The App's own.
    App,
    /// That of its installation, for one repository.
    Repository(RepoName),
}

impl Whose {
    /// The one that may ask for a path: everything below a repository is asked with a token for that repository.
    pub(super) fn of(path: &str) -> Self {
        let repository = path.strip_prefix("/repos/").and_then(|rest| {
            let end = rest.match_indices(['/', '?']).nth(1).map_or(rest.len(), |(at, _)| at);
            rest[..end].parse().ok()
        });
        repository.map_or(Self::App, Self::Repository)
    }
}

/// A session that is being made, or was. All who ask for it meanwhile wait for the same.
type Making = Shared<BoxFuture<'static, Result<Arc<Session>, ForgeError>>>;

/// The App.
pub(super) struct App {
    id: AppId,
    key_file: PathBuf,
    key: Mutex<EncodingKey>,
    config: GithubConfig,
    transport: Transport,
    clock: Arc<Clock>,
    sessions: Mutex<HashMap<Whose, Making>>,
    installations: Mutex<HashMap<RepoName, Installation>>,
    turns: Mutex<HashMap<Option<i64>, Arc<Turns>>>,
    spent: Spent,
}

/// Where a repository is installed, and what the App may do there.
#[derive(Clone, Debug, Deserialize)]
struct Installation {
    id: i64,
    #[serde(default)]
    permissions: BTreeMap<String, String>,
    /// The repository's number, where its name led on to another place.
    #[serde(skip)]
    moved_to: Option<i64>,
}

#[derive(Deserialize)]
struct InstallationToken {
    token: String,
    expires_at: DateTime<Utc>,
}

#[derive(Deserialize)]
struct AppFacts {
    slug: String,
}

#[derive(Serialize)]
struct Claims<'a> {
    iat: i64,
    exp: i64,
    iss: Issuer<'a>,
}

/// An App's id is a number and its client id a text.
#[derive(Serialize)]
#[serde(untagged)]
enum Issuer<'a> {
    Id(u64),
    ClientId(&'a str),
}

impl App {
    /// Reads the key and tries it. Nothing is sent yet.
    pub(super) fn new(
        config: &GithubConfig,
        (id, key_file): (AppId, PathBuf),
        transport: Transport,
        spent: Spent,
    ) -> Result<Self, GithubError> {
        let key = files::key(&key_file)?;
        if signed(&id, &key, Utc::now()).is_err() {
            return Err(GithubError::Key { path: key_file, why: "nothing can be signed with it: it is no whole RSA private key" });
        }
        Ok(Self {
            id,
            key_file,
            key: Mutex::new(key),
            config: config.clone(),
            transport,
            clock: Arc::default(),
            sessions: Mutex::default(),
            installations: Mutex::default(),
            turns: Mutex::default(),
            spent,
        })
    }

    /// GitHub's time.
    pub(super) fn time(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Asks with the session of its own kind. One that is refused is made anew once, by the clock of the refusal.
    pub(super) async fn ask<T: DeserializeOwned>(
        self: &Arc<Self>,
        whose: &Whose,
        request: &Request,
        metrics: &Metrics,
    ) -> Result<Option<Reply<T>>, ForgeError> {
        let session = self.session(whose, metrics).await?;
        let reply = session.ask(request, &self.config, metrics).await;
        if !matches!(reply, Err(ForgeError::Refused { status: 401, .. })) {
            return reply;
        }
        self.forget(&session);
        self.session(whose, metrics).await?.ask(request, &self.config, metrics).await
    }

    /// The present session, or a new one.
    pub(super) async fn session(self: &Arc<Self>, whose: &Whose, metrics: &Metrics) -> Result<Arc<Session>, ForgeError> {
        let making = self.making(whose, metrics);
        making.await
    }

    /// The login that the App writes under.
    pub(super) async fn login(self: &Arc<Self>, metrics: &Metrics) -> Result<String, ForgeError> {
        let session = self.session(&Whose::App, metrics).await?;
        let login = session.login.get_or_try_init(|| async { Ok(format!("{}[bot]", self.facts(metrics).await?.slug)) });
        login.await.cloned()
    }

    async fn facts(self: &Arc<Self>, metrics: &Metrics) -> Result<AppFacts, ForgeError> {
        let request = Request::get_own("app", "the App itself", "/app");
        self.own(&request, metrics).await.map(|reply| reply.content)
    }

    async fn own<T: DeserializeOwned>(self: &Arc<Self>, request: &Request, metrics: &Metrics) -> Result<Reply<T>, ForgeError> {
        self.ask(&Whose::App, request, metrics).await?.ok_or_else(|| request.unreadable("it is empty"))
    }

    fn making(self: &Arc<Self>, whose: &Whose, metrics: &Metrics) -> Making {
        let now = self.clock.now();
        let mut sessions = lock(&self.sessions);
        sessions.retain(|_, making| making.peek().is_none_or(|made| made.as_ref().is_ok_and(|session| session.lasts(now))));
        let make = || Arc::clone(self).make(whose.clone(), metrics.clone()).boxed().shared();
        sessions.entry(whose.clone()).or_insert_with(make).clone()
    }

    fn forget(&self, refused: &Arc<Session>) {
        let is_it = |making: &Making| making.peek().is_some_and(|made| made.as_ref().is_ok_and(|session| Arc::ptr_eq(session, refused)));
        lock(&self.sessions).retain(|_, making| !is_it(making));
    }

    async fn make(self: Arc<Self>, whose: Whose, metrics: Metrics) -> Result<Arc<Session>, ForgeError> {
        match whose {
            Whose::App => self.sign(),
            Whose::Repository(repository) => self.authorize(&repository, &metrics).await,
        }
    }

    /// The App's own session.
    fn sign(&self) -> Result<Arc<Session>, ForgeError> {
        let unavailable = |why: String| ForgeError::Unavailable { what: "sign in as the App".to_owned(), why };
        let now = self.clock.now();
        let token = signed(&self.id, &self.present_key(), now).map_err(|error| unavailable(error.to_string()))?;
        let until = now + TimeDelta::seconds(HOLDS - SIGNED_ANEW);
        self.open(SecretString::from(token), until, None).map_err(|error| unavailable(error.to_string()))
    }

    /// The key that the file holds now. While the file cannot be used, the one before stays.
    fn present_key(&self) -> EncodingKey {
        let mut held = lock(&self.key);
        match files::key(&self.key_file) {
            Ok(key) => *held = key,
            Err(error) => tracing::warn!(%error, "the private key from before is used on"),
        }
        held.clone()
    }

    /// The session for a repository. The installation is looked up for each token, once an hour: it may have been replaced, or
    /// granted more by now. While GitHub does not say, the known one is tried.
    async fn authorize(self: &Arc<Self>, repository: &RepoName, metrics: &Metrics) -> Result<Arc<Session>, ForgeError> {
        let known = lock(&self.installations).get(repository).cloned();
        let installation = match (self.look_up(repository, metrics).await, known) {
            (Err(unsaid @ ForgeError::Unavailable { .. }), Some(known)) => {
                return self.token(repository, &known, metrics).await.map_err(|error| if is_gone(&error) { unsaid } else { error });
            }
            (found, _) => found?.ok_or_else(|| not_installed(repository))?,
        };
        let made = self.token(repository, &installation, metrics).await;
        made.map_err(|error| if matches!(error, ForgeError::NotFound(_)) { not_installed(repository) } else { error })
    }

    /// The installation for a repository, if there is one.
    async fn look_up(self: &Arc<Self>, repository: &RepoName, metrics: &Metrics) -> Result<Option<Installation>, ForgeError> {
        // Any other sentence is about the App and not about the repository: "Integration not found".
        let request = Request {
            verb: "find the App's installation for",
            absent: Some("Not Found".to_owned()),
            ..Request::get("installation", repository, repository.to_string(), "/installation")
        };
        match self.own::<Installation>(&request, metrics).await {
            Ok(reply) => {
                let installation = Installation { moved_to: number_in(&reply.path), ..reply.content };
                lock(&self.installations).insert(repository.clone(), installation.clone());
                Ok(Some(installation))
            }
            Err(ForgeError::NotFound(_)) => {
                lock(&self.installations).remove(repository);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// A token for that repository alone, and for nothing that we do not need.
    async fn token(
        self: &Arc<Self>,
        repository: &RepoName,
        installation: &Installation,
        metrics: &Metrics,
    ) -> Result<Arc<Session>, ForgeError> {
        let path = format!("/app/installations/{}/access_tokens", installation.id);
        let request = Request::get_own("token", repository.as_str(), &path).verb("get a token for");
        let request = request.writing(Method::POST, scope(repository, installation));
        let made: InstallationToken = self.own(&request, metrics).await?.content;
        let until = made.expires_at - TimeDelta::seconds(MADE_ANEW);
        let session = self.open(SecretString::from(made.token), until, Some(installation.id));
        session.map_err(|error| request.unavailable(error.to_string()))
    }

    fn open(&self, token: SecretString, until: DateTime<Utc>, installation: Option<i64>) -> Result<Arc<Session>, GithubError> {
        let whose = || installation.map_or_else(|| "app".to_owned(), |id| id.to_string());
        let anew = || Arc::new(Turns::new(whose(), self.config.limits, self.spent.clone()));
        let turns = lock(&self.turns).entry(installation).or_insert_with(anew).clone();
        let client = self.transport.client(&token)?;
        Ok(Arc::new(Session::new(client, token, Some(until), Arc::clone(&self.clock), turns)))
    }
}

/// What a token is to be good for.
fn scope(repository: &RepoName, installation: &Installation) -> Value {
    let permissions = needs::granted(&installation.permissions);
    match installation.moved_to {
        Some(id) => json!({"repository_ids": [id], "permissions": permissions}),
        None => json!({"repositories": [repository.name()], "permissions": permissions}),
    }
}

/// Whether an installation is not there any more, or is not what it was.
const fn is_gone(error: &ForgeError) -> bool {
    matches!(error, ForgeError::NotFound(_) | ForgeError::Refused { status: 422, .. })
}

/// Not [`ForgeError::NotFound`], which would say of whatever was asked for that it is not there.
fn not_installed(repository: &RepoName) -> ForgeError {
    let message = "the App is not installed for it; install it there, or take the repository out of the Baseline".to_owned();
    ForgeError::Refused { what: format!("get a token for {repository}"), status: 404, message }
}

/// The number in `/repositories/7/installation`, to which GitHub leads from a name that a repository had before.
fn number_in(path: &str) -> Option<i64> {
    let (_, rest) = path.split_once("/repositories/")?;
    rest.split('/').next()?.parse().ok()
}

fn signed(id: &AppId, key: &EncodingKey, now: DateTime<Utc>) -> Result<String, jsonwebtoken::errors::Error> {
    let now = now.timestamp();
    let iss = id.as_str().parse().map_or(Issuer::ClientId(id.as_str()), Issuer::Id);
    let claims = Claims { iat: now - DATED_BACK, exp: now + HOLDS, iss };
    jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, key)
}

/// What is behind it is whole after every use, so one that panicked elsewhere harms nobody.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_below_a_repository_is_asked_with_its_own_token() {
        let web = Whose::Repository("acme/web".parse().unwrap());
        for path in ["/repos/acme/web", "/repos/acme/web/pulls/1", "/repos/Acme/Web/branches/a%2Fb", "/repos/acme/web?x=/y"] {
            assert_eq!(Whose::of(path), web, "{path}");
        }
        for path in ["/app", "/app/hook/deliveries?per_page=100", "/user", "/repos/acme", "/repositories/7"] {
            assert_eq!(Whose::of(path), Whose::App, "{path}");
        }
    }

    #[test]
    fn a_repository_that_moved_is_named_by_its_number() {
        assert_eq!(number_in("/api/v3/repositories/7/installation"), Some(7));
        assert_eq!(number_in("/repos/acme/web/installation"), None);
        let mut installation = Installation { id: 1, permissions: BTreeMap::from([("metadata".into(), "read".into())]), moved_to: None };
        let web = "acme/web".parse().unwrap();
        assert_eq!(scope(&web, &installation), json!({"repositories": ["web"], "permissions": {"metadata": "read"}}));
        installation.moved_to = Some(7);
        assert_eq!(scope(&web, &installation), json!({"repository_ids": [7], "permissions": {"metadata": "read"}}));
    }
}
