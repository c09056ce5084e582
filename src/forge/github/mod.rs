//! GitHub, by its REST API. octocrab's types stop here.

mod checks;
mod comments;
mod deployments;
mod event;
mod exchange;
mod pages;
mod people;
mod repositories;
mod session;
mod text;
mod wire;

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::FutureExt;
use serde::de::DeserializeOwned;

pub use event::{Arrival, SUBSCRIBED_EVENTS, UNASKED_EVENTS, parse};
pub use session::GithubError;

use self::exchange::{Reply, Request};
use self::session::{Session, Sessions};
use self::wire::User;
use super::{
    Answer, Branch, ChangedFiles, Checks, Comment, Deployments, Forge, ForgeError, Listing, Permission, PostedComment, PullRequest,
    Reaction, RepositoryFacts, Validator,
};
use crate::config::GithubConfig;
use crate::domain::RepoName;
use crate::metrics::Metrics;

/// What stands beside a commit.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum CheckKind {
    /// A check run with buttons, which only an App may write.
    Runs,
    /// A commit status.
    #[default]
    Statuses,
}

/// A client of GitHub with one token.
pub struct GitHub {
    config: GithubConfig,
    sessions: Sessions,
    metrics: Metrics,
    checks: CheckKind,
}

impl GitHub {
    /// Checks that the token can be read. Nothing is sent yet.
    pub fn new(config: GithubConfig) -> Result<Self, GithubError> {
        Ok(Self { sessions: Sessions::new(config.clone())?, config, metrics: Metrics::new(), checks: CheckKind::default() })
    }

    /// Counts the requests there.
    pub fn with_metrics(self, metrics: Metrics) -> Self {
        Self { metrics, ..self }
    }

    /// Writes that beside commits.
    pub fn with_checks(self, checks: CheckKind) -> Self {
        Self { checks, ..self }
    }

    /// The account whose token we have. Asked for once a token.
    pub async fn login(&self) -> Result<String, ForgeError> {
        let request = Request::get_own("login", "our own account", "/user");
        let session = self.session(&request).await?;
        let login = session.login.get_or_try_init(|| async {
            let reply: Reply<User> = self.send(&request).await?;
            Ok(reply.content.login)
        });
        login.await.cloned()
    }

    async fn session(&self, request: &Request) -> Result<Arc<Session>, ForgeError> {
        self.sessions.current().await.map_err(|error| request.unavailable(error.to_string()))
    }

    async fn send<T: DeserializeOwned>(&self, request: &Request) -> Result<Reply<T>, ForgeError> {
        self.ask(request).await?.ok_or_else(|| request.unreadable("it says that nothing changed, and was not asked for that"))
    }

    /// Nothing where the answer is the one that the request knows already.
    async fn ask<T: DeserializeOwned>(&self, request: &Request) -> Result<Option<Reply<T>>, ForgeError> {
        let session = self.session(request).await?;
        let reply = tokio::time::timeout(self.config.timeout, request.send(&session, &self.config.api_url)).await;
        let seconds = self.config.timeout.as_secs_f32();
        let reply = reply.unwrap_or_else(|_| Err(request.unavailable(format!("it did not answer within {seconds} s"))));
        let result = match &reply {
            Ok(Some(_)) => "ok",
            Ok(None) => "unchanged",
            Err(error) => error.label(),
        };
        self.metrics.forge_request(request.operation, result);
        reply
    }
}

impl Forge for GitHub {
    fn repository<'a>(&'a self, repository: &'a RepoName) -> Answer<'a, RepositoryFacts> {
        self.read_repository(repository).boxed()
    }

    fn pull_request<'a>(&'a self, repository: &'a RepoName, number: i64) -> Answer<'a, PullRequest> {
        self.read_pull(repository, number).boxed()
    }

    fn open_pulls<'a>(&'a self, repository: &'a RepoName, known: Option<&'a Validator>) -> Answer<'a, Listing<PullRequest>> {
        self.read_open_pulls(repository, known).boxed()
    }

    fn changed_files<'a>(&'a self, repository: &'a RepoName, number: i64) -> Answer<'a, ChangedFiles> {
        self.read_files(repository, number).boxed()
    }

    fn branch<'a>(&'a self, repository: &'a RepoName, name: &'a str) -> Answer<'a, Branch> {
        self.read_branch(repository, name).boxed()
    }

    fn branches<'a>(&'a self, repository: &'a RepoName, known: Option<&'a Validator>) -> Answer<'a, Listing<Branch>> {
        self.read_branches(repository, known).boxed()
    }

    fn comments_since<'a>(
        &'a self,
        repository: &'a RepoName,
        since: DateTime<Utc>,
        known: Option<&'a Validator>,
    ) -> Answer<'a, Listing<PostedComment>> {
        self.read_comments_since(repository, since, known).boxed()
    }

    fn permission<'a>(&'a self, repository: &'a RepoName, login: &'a str) -> Answer<'a, Permission> {
        self.read_permission(repository, login).boxed()
    }

    fn labelled_by<'a>(&'a self, repository: &'a RepoName, number: i64, label: &'a str) -> Answer<'a, Option<String>> {
        self.read_labelled_by(repository, number, label).boxed()
    }

    fn find_comment<'a>(&'a self, repository: &'a RepoName, pull: i64, marker: &'a str) -> Answer<'a, Option<Comment>> {
        self.search_comment(repository, pull, marker).boxed()
    }

    fn create_comment<'a>(&'a self, repository: &'a RepoName, pull: i64, body: &'a str) -> Answer<'a, i64> {
        self.write_comment(repository, pull, body).boxed()
    }

    fn edit_comment<'a>(&'a self, repository: &'a RepoName, id: i64, body: &'a str) -> Answer<'a, ()> {
        self.rewrite_comment(repository, id, body).boxed()
    }

    fn react<'a>(&'a self, repository: &'a RepoName, comment: i64, reaction: Reaction) -> Answer<'a, ()> {
        self.write_reaction(repository, comment, reaction).boxed()
    }

    fn deployments(&self) -> Option<&dyn Deployments> {
        Some(self)
    }

    fn checks(&self) -> Option<&dyn Checks> {
        Some(self)
    }
}

impl fmt::Debug for GitHub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GitHub").field("config", &self.config).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
