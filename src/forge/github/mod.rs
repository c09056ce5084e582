//! GitHub, by its REST API. octocrab's types stop here.

mod checks;
mod comments;
mod deployments;
mod event;
mod exchange;
mod needs;
mod pages;
mod people;
mod redelivery;
mod repositories;
mod session;
mod text;
mod wire;

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::FutureExt;
use hyper::body::{Body, Bytes};
use serde::de::DeserializeOwned;
use tower::{BoxError, Service};

pub use event::{Arrival, HOOK, SUBSCRIBED_EVENTS, UNASKED_EVENTS, parse};
pub use session::{Content, GithubError};

use self::exchange::{Reply, Request};
use self::session::{Sessions, Transport};
use super::{
    Access, Answer, Branch, ChangedFiles, Checks, Comment, Counted, Deliveries, Deployments, Forge, ForgeError, Listing, Permission,
    PostedComment, PullRequest, Reaction, RepositoryFacts, Turns, Validator,
};
use crate::config::GithubConfig;
use crate::domain::{Instance, RepoName};
use crate::forge::spent::Spent;
use crate::lease::Fence;
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

/// A client of GitHub. Clones share their sessions, and with these GitHub's limits.
#[derive(Clone)]
pub struct GitHub {
    config: GithubConfig,
    sessions: Arc<Sessions>,
    metrics: Metrics,
    checks: CheckKind,
    /// Whether what happens there is delivered to us.
    hears: bool,
    /// What it writes about, where that is one pull request.
    about: Option<Arc<str>>,
    /// Who we are among those that write under the same account.
    instance: Option<Instance>,
}

impl GitHub {
    /// Checks that the token or the App's key can be used. Nothing is sent yet. An App writes check runs.
    pub fn new(config: GithubConfig) -> Result<Self, GithubError> {
        let transport = Transport::new(&config)?;
        Self::by(config, transport, Spent::default())
    }

    /// The same for one term: once it has ended, nothing is sent. It goes on from what was written in the hour before.
    pub fn behind(config: GithubConfig, fence: &Fence, spent: Spent) -> Result<Self, GithubError> {
        let transport = Transport::behind(&config, fence)?;
        Self::by(config, transport, spent)
    }

    /// The same over another way to GitHub than connections of its own, such as a proxy or a double in the same process.
    pub fn over<S, B>(config: GithubConfig, service: S) -> Result<Self, GithubError>
    where
        S: Service<http::Request<Content>, Response = http::Response<B>, Error: Into<BoxError>, Future: Send>
            + Clone
            + Send
            + Sync
            + 'static,
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + Sync + 'static,
    {
        let transport = Transport::over(&config, service);
        Self::by(config, transport, Spent::default())
    }

    fn by(config: GithubConfig, transport: Transport, spent: Spent) -> Result<Self, GithubError> {
        let sessions = Sessions::new(&config, transport, spent)?;
        let checks = if sessions.is_app() { CheckKind::Runs } else { CheckKind::Statuses };
        Ok(Self { sessions: Arc::new(sessions), config, metrics: Metrics::new(), checks, hears: true, about: None, instance: None })
    }

    /// Counts the requests there.
    pub fn with_metrics(self, metrics: Metrics) -> Self {
        Self { metrics, ..self }
    }

    /// Writes that beside commits.
    pub fn with_checks(self, checks: CheckKind) -> Self {
        Self { checks, ..self }
    }

    /// Offers nothing that only a delivery could tell us of: no button, and nothing that is asked to be delivered again.
    pub fn without_deliveries(self) -> Self {
        Self { hears: false, ..self }
    }

    /// Tells its checks and deployments from those of others that write under the same account.
    pub fn signing(self, instance: Instance) -> Self {
        Self { instance: Some(instance), ..self }
    }

    /// Whether we are a GitHub App, which may do and is told more than an account.
    pub fn is_app(&self) -> bool {
        self.sessions.is_app()
    }

    /// The login that we write under. Asked for once a token.
    pub async fn login(&self) -> Result<String, ForgeError> {
        self.sessions.login(&self.metrics).await
    }

    /// Whether that is the name of another service under our account.
    fn is_another(&self, name: &str) -> bool {
        self.instance.as_ref().is_none_or(|own| own.as_str() != name)
    }

    async fn send<T: DeserializeOwned>(&self, request: &Request) -> Result<Reply<T>, ForgeError> {
        self.ask(request).await?.ok_or_else(|| request.unreadable("it says that nothing changed, and was not asked for that"))
    }

    /// Nothing where the answer is the one that the request knows already.
    async fn ask<T: DeserializeOwned>(&self, request: &Request) -> Result<Option<Reply<T>>, ForgeError> {
        match &self.about {
            Some(about) if request.about.is_none() => {
                let request = Request { about: Some(Arc::clone(about)), ..request.clone() };
                self.sessions.ask(&request, &self.metrics).await
            }
            _ => self.sessions.ask(request, &self.metrics).await,
        }
    }
}

impl Forge for GitHub {
    fn repository<'a>(&'a self, repository: &'a RepoName) -> Answer<'a, RepositoryFacts> {
        self.read_repository(repository).boxed()
    }

    fn access<'a>(&'a self, id: i64, name: &'a RepoName) -> Answer<'a, Access> {
        self.sessions.access((id, name), &self.metrics).boxed()
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

    fn comment<'a>(&'a self, repository: (i64, &'a RepoName), id: i64) -> Answer<'a, PostedComment> {
        self.read_comment(repository, id).boxed()
    }

    fn permission<'a>(&'a self, repository: &'a RepoName, login: &'a str) -> Answer<'a, Permission> {
        self.read_permission(repository, login).boxed()
    }

    fn labelled_by<'a>(&'a self, repository: &'a RepoName, number: i64, label: &'a str) -> Answer<'a, Option<String>> {
        self.read_labelled_by(repository, number, label).boxed()
    }

    fn find_comments<'a>(&'a self, repository: &'a RepoName, pull: i64, markers: &'a [&'a str]) -> Answer<'a, Vec<Comment>> {
        self.search_comments(repository, pull, markers).boxed()
    }

    fn closed_or_reopened_at<'a>(&'a self, repository: &'a RepoName, number: i64) -> Answer<'a, Turns> {
        self.read_closed_or_reopened_at(repository, number).boxed()
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

    fn is_answered<'a>(&'a self, repository: &'a RepoName, comment: i64) -> Answer<'a, bool> {
        self.read_is_answered(repository, comment).boxed()
    }

    /// GitHub limits an account as a whole, and of an App each installation, of which every owner has one.
    fn counted(&self) -> Counted {
        if self.is_app() { Counted::ByOwner } else { Counted::Together }
    }

    fn about(&self, repository_id: i64, pull: i64) -> Option<Box<dyn Forge>> {
        Some(Box::new(Self { about: Some(format!("{repository_id}#{pull}").into()), ..self.clone() }))
    }

    fn time(&self) -> DateTime<Utc> {
        self.sessions.time()
    }

    fn deployments(&self) -> Option<&dyn Deployments> {
        Some(self)
    }

    fn checks(&self) -> Option<&dyn Checks> {
        Some(self)
    }

    fn deliveries(&self) -> Option<&dyn Deliveries> {
        (self.is_app() && self.hears).then_some(self as &dyn Deliveries)
    }
}

impl fmt::Debug for GitHub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GitHub").field("config", &self.config).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
