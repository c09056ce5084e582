//! Who we are on GitHub, and the octocrab client that says so: an account with a token, or an App.

mod app;
mod clock;
mod files;
mod transport;
mod turns;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use hyper::{HeaderMap, StatusCode};
use octocrab::Octocrab;
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use tokio::sync::OnceCell;

pub use self::files::GithubError;
pub use self::transport::Content;

use self::app::{App, Whose};
use self::clock::Clock;
pub(super) use self::transport::Transport;
use self::turns::Turns;
use super::exchange::{Reply, Request};
use super::wire::User;
use crate::config::{GithubConfig, GithubCredential};
use crate::domain::RepoName;
use crate::forge::spent::Spent;
use crate::forge::{Access, ForgeError};
use crate::metrics::Metrics;

/// One token's client.
pub(super) struct Session {
    pub(super) client: Octocrab,
    token: SecretString,
    /// When it is to be made anew, by GitHub's clock.
    until: Option<DateTime<Utc>>,
    /// Whose token it is. Asked for once.
    login: OnceCell<String>,
    clock: Arc<Clock>,
    turns: Arc<Turns>,
}

impl Session {
    fn new(client: Octocrab, token: SecretString, until: Option<DateTime<Utc>>, clock: Arc<Clock>, turns: Arc<Turns>) -> Self {
        Self { client, token, until, login: OnceCell::new(), clock, turns }
    }

    /// Takes note of what every answer says beside what was asked for: the time, and what is left of the limits.
    pub(super) fn hear(&self, status: StatusCode, headers: &HeaderMap) {
        self.clock.hear(headers);
        self.turns.hear(status, headers);
    }

    fn lasts(&self, now: DateTime<Utc>) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    /// Sends it when its turn has come. Nothing comes back where the answer is the one that the request knows already.
    async fn ask<T: DeserializeOwned>(
        &self,
        request: &Request,
        config: &GithubConfig,
        metrics: &Metrics,
    ) -> Result<Option<Reply<T>>, ForgeError> {
        self.turns.take(request, metrics).await?;
        let reply = tokio::time::timeout(config.timeout, request.send(self, &config.api_url)).await;
        let seconds = config.timeout.as_secs_f32();
        let reply = reply.unwrap_or_else(|_| Err(request.unavailable(format!("it did not answer within {seconds} s"))));
        if let Err(ForgeError::RateLimited { seconds, .. }) = &reply {
            self.turns.pause(*seconds);
        }
        let result = match &reply {
            Ok(Some(_)) => "ok",
            Ok(None) => "unchanged",
            Err(error) => error.label(),
        };
        metrics.forge_request(request.operation, result);
        reply
    }
}

/// Who we are.
pub(super) struct Sessions(Kind);

enum Kind {
    /// An account.
    Token(Box<Account>),
    /// An App.
    App(Arc<App>),
}

impl Sessions {
    /// Checks the token or the key. Nothing is sent yet.
    pub(super) fn new(config: &GithubConfig, transport: Transport, spent: Spent) -> Result<Self, GithubError> {
        Ok(Self(match &config.credential {
            GithubCredential::Token(file) => Kind::Token(Box::new(Account::new(config, file.clone(), transport, spent)?)),
            GithubCredential::App { id, key_file } => {
                Kind::App(Arc::new(App::new(config, (id.clone(), key_file.clone()), transport, spent)?))
            }
        }))
    }

    /// Whether we are an App: only those may write check runs, and are told what GitHub could not deliver.
    pub(super) const fn is_app(&self) -> bool {
        matches!(self.0, Kind::App(_))
    }

    /// GitHub's time, to the seconds that an answer takes.
    pub(super) fn time(&self) -> DateTime<Utc> {
        match &self.0 {
            Kind::Token(account) => account.clock.now(),
            Kind::App(app) => app.time(),
        }
    }

    /// Asks with what the request needs.
    pub(super) async fn ask<T: DeserializeOwned>(&self, request: &Request, metrics: &Metrics) -> Result<Option<Reply<T>>, ForgeError> {
        match &self.0 {
            Kind::Token(account) => account.session(request)?.ask(request, &account.config, metrics).await,
            Kind::App(app) => app.ask(&Whose::of(&request.path), request, metrics).await,
        }
    }

    /// The login that we write under. Asked for once a token.
    pub(super) async fn login(&self, metrics: &Metrics) -> Result<String, ForgeError> {
        match &self.0 {
            Kind::Token(account) => account.login(metrics).await,
            Kind::App(app) => app.login(metrics).await,
        }
    }

    /// Whether we may still see a repository. Of an account, nobody can tell.
    pub(super) async fn access(&self, (id, name): (i64, &RepoName), metrics: &Metrics) -> Result<Access, ForgeError> {
        match &self.0 {
            Kind::Token(_) => Ok(Access::Granted(None)),
            Kind::App(app) => app.access((id, name), metrics).await,
        }
    }
}

/// An account with a token.
struct Account {
    config: GithubConfig,
    token_file: PathBuf,
    transport: Transport,
    clock: Arc<Clock>,
    turns: Arc<Turns>,
    current: Mutex<Option<Arc<Session>>>,
}

impl Account {
    fn new(config: &GithubConfig, token_file: PathBuf, transport: Transport, spent: Spent) -> Result<Self, GithubError> {
        files::token(&token_file)?;
        let turns = Arc::new(Turns::new("token".to_owned(), config.limits, spent));
        Ok(Self { config: config.clone(), token_file, transport, clock: Arc::default(), turns, current: Mutex::default() })
    }

    fn session(&self, request: &Request) -> Result<Arc<Session>, ForgeError> {
        self.current().map_err(|error| request.unavailable(error.to_string()))
    }

    /// The client with the token that the file holds now. While the file cannot be read, the one before stays.
    fn current(&self) -> Result<Arc<Session>, GithubError> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let session = match (files::token(&self.token_file), current.as_ref()) {
            (Ok(token), Some(held)) if held.token.expose_secret() == token.expose_secret() => Arc::clone(held),
            (Err(_), Some(held)) => Arc::clone(held),
            (Ok(token), _) => Arc::new(self.open(token)?),
            (Err(error), None) => return Err(error),
        };
        *current = Some(Arc::clone(&session));
        Ok(session)
    }

    fn open(&self, token: SecretString) -> Result<Session, GithubError> {
        let client = self.transport.client(&token)?;
        Ok(Session::new(client, token, None, Arc::clone(&self.clock), Arc::clone(&self.turns)))
    }

    async fn login(&self, metrics: &Metrics) -> Result<String, ForgeError> {
        let request = Request::get_own("login", "our own account", "/user");
        let session = self.session(&request)?;
        let login = session.login.get_or_try_init(|| async {
            let reply: Option<Reply<User>> = session.ask(&request, &self.config, metrics).await?;
            reply.map(|reply| reply.content.login).ok_or_else(|| request.unreadable("it is empty"))
        });
        login.await.cloned()
    }
}

#[cfg(test)]
mod tests;
