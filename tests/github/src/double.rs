//! The double as tests hold it.

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::oneshot;

use crate::contract::Violation;
use crate::deliveries::{Delivery, Outcome};
use crate::faults::Fault;
use crate::hook::Hook;
use crate::http::serve;
use crate::limits::LimitViolation;
use crate::log::Logged;
use crate::model::{Action, Comment, Event, Extra, Installation, Permission, PullRequest, Refusal, Repository, UserKind};
use crate::state::Shared;

/// A running double. Clones share it; the last one to go ends it. It serves on a thread of its own,
/// so it may be shared between tests, and answers while a test blocks.
#[derive(Clone)]
pub struct Double {
    pub(crate) shared: Arc<Shared>,
    _server: Arc<oneshot::Sender<Infallible>>,
}

/// What an action led to.
#[derive(Debug, Clone)]
pub struct Done {
    /// The pull request.
    pub number: Option<u64>,
    /// The comment.
    pub comment: Option<u64>,
    /// The installation of an App.
    pub installation: Option<u64>,
    /// The deliveries, one for each webhook and pull request.
    pub deliveries: Vec<Delivery>,
}

impl Done {
    fn new(events: &[Event], deliveries: Vec<Delivery>) -> Self {
        let comment = events.iter().find_map(|event| match &event.extra {
            Extra::Comment(comment, _) => Some(comment.id),
            _ => None,
        });
        let installation = events.iter().find_map(|event| event.installation);
        Self { number: events.first().and_then(|event| event.number), comment, installation, deliveries }
    }

    /// The number of the pull request.
    ///
    /// # Panics
    /// When the action was about none.
    pub fn number(&self) -> u64 {
        self.number.expect("the action was about a pull request")
    }

    /// The first delivery.
    ///
    /// # Panics
    /// When no webhook wanted the event.
    pub fn delivery(&self) -> &Delivery {
        self.deliveries.first().expect("a webhook wants this event")
    }

    /// The status that the first delivery was answered with, if it was.
    pub fn status(&self) -> Option<u16> {
        self.deliveries.first().and_then(Delivery::status)
    }
}

/// Starting, and where it is.
impl Double {
    /// Starts on a free port of the loopback address.
    pub fn start() -> anyhow::Result<Self> {
        Self::start_on(SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// Starts on an address.
    pub fn start_on(address: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address).with_context(|| format!("cannot listen on {address}"))?;
        listener.set_nonblocking(true)?;
        let shared = Arc::new(Shared::new(format!("http://{}", listener.local_addr()?)));
        let (alive, gone) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let serving = serve_until(Arc::clone(&shared), listener, gone);
        std::thread::Builder::new().name("github-double".to_owned()).spawn(move || runtime.block_on(serving))?;
        Ok(Self::of(shared, alive))
    }

    pub(crate) fn of(shared: Arc<Shared>, alive: oneshot::Sender<Infallible>) -> Self {
        Self { shared, _server: Arc::new(alive) }
    }

    /// The address for the client's base URI, without a slash at the end.
    pub fn base_url(&self) -> &str {
        &self.shared.api
    }
}

/// What stands before a story begins.
impl Double {
    /// Makes a person, or finds the one of that login; returns the id.
    pub fn add_user(&self, login: &str) -> u64 {
        self.shared.change(|state| state.model.add_user(login, UserKind::User))
    }

    /// Makes an organization. The owner of a repository is made one anyway.
    pub fn add_organization(&self, login: &str) -> u64 {
        self.shared.change(|state| state.model.add_user(login, UserKind::Organization))
    }

    /// Makes a bot's account; by convention its login ends in `[bot]`.
    pub fn add_bot(&self, login: &str) -> u64 {
        self.shared.change(|state| state.model.add_user(login, UserKind::Bot))
    }

    /// Makes a token with the scope `repo` for an account.
    pub fn add_token(&self, login: &str, token: &str) -> Result<(), Refusal> {
        self.shared.change(|state| state.model.add_token(login, token))
    }

    /// Gives a token other scopes; none of `repo` and `public_repo` means reading public things only.
    pub fn set_scopes(&self, token: &str, scopes: &[&str]) -> Result<(), Refusal> {
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        self.shared.change(|state| state.model.token_mut(token).map(|token| token.scopes = scopes))
    }

    /// Revokes a token: 401 from now on.
    pub fn revoke_token(&self, token: &str) -> Result<(), Refusal> {
        self.shared.change(|state| state.model.token_mut(token).map(|token| token.revoked = true))
    }

    /// Sets how many requests a token has left, until its window of an hour ends.
    pub fn set_remaining(&self, token: &str, remaining: u32) -> Result<(), Refusal> {
        self.shared.change(|state| {
            let now = state.now();
            let rate = &mut state.model.token_mut(token)?.rate;
            rate.roll(now);
            rate.used = rate.limit.saturating_sub(remaining);
            Ok(())
        })
    }

    /// Sets how many requests a token has each hour, as the administrator of an Enterprise Server does.
    pub fn set_requests_per_hour(&self, token: &str, limit: u32) -> Result<(), Refusal> {
        self.shared.change(|state| state.model.token_mut(token).map(|token| token.rate.limit = limit))
    }

    /// Makes a public repository with a branch `main`; a new owner becomes an organisation. Returns the id.
    pub fn add_repository(&self, repo: &str) -> Result<u64, Refusal> {
        self.shared.change(|state| state.model.add_repository(repo, false, state.now()))
    }

    /// Makes a private repository.
    pub fn add_private_repository(&self, repo: &str) -> Result<u64, Refusal> {
        self.shared.change(|state| state.model.add_repository(repo, true, state.now()))
    }

    /// Forks a repository into a person's account; returns the fork's name.
    pub fn fork(&self, repo: &str, login: &str) -> Result<String, Refusal> {
        self.shared.change(|state| state.model.fork(repo, login, state.now()))
    }

    /// Gives a repository another name; the old one redirects.
    pub fn rename(&self, repo: &str, to: &str) -> Result<(), Refusal> {
        self.shared.change(|state| state.model.rename(repo, to))
    }

    /// Gives an account a permission on a repository.
    pub fn permit(&self, repo: &str, login: &str, permission: Permission) -> Result<(), Refusal> {
        self.shared.change(|state| state.model.permit(repo, login, permission))
    }

    /// Takes a pull request away as GitHub's staff can: its comments answer 410.
    pub fn mark_gone(&self, repo: &str, number: u64) -> Result<(), Refusal> {
        self.shared.change(|state| {
            let repository = state.model.repository_mut(repo)?;
            repository.pulls.remove(&number);
            repository.gone.insert(number);
            Ok(())
        })
    }

    /// Configures a webhook; returns its id. The ping is an action of its own: [`Action::Ping`].
    pub fn add_webhook(&self, hook: Hook) -> Result<u64, Refusal> {
        self.shared.change(|state| hook.add_to(&mut state.model))
    }

    /// Changes the secret that later deliveries of a webhook are signed with.
    pub fn set_secret(&self, hook: u64, secret: &str) -> Result<(), Refusal> {
        self.shared.change(|state| state.model.webhook_mut(hook).map(|hook| hook.secret = Some(secret.to_owned())))
    }
}

/// What people do.
impl Double {
    /// Does something, and builds the deliveries without sending them.
    pub fn act(&self, action: impl Into<Action>) -> Result<Done, Refusal> {
        let action = action.into();
        let (events, deliveries) = self.shared.change(|state| state.act(&self.shared.api, &action))?;
        Ok(Done::new(&events, deliveries))
    }

    /// Does something, and sends the deliveries, one after the other. Returns after the last answer.
    pub async fn perform(&self, action: impl Into<Action>) -> Result<Done, Refusal> {
        let mut done = self.act(action)?;
        for delivery in &mut done.deliveries {
            *delivery = self.shared.send(delivery).await;
        }
        Ok(done)
    }

    /// Sends a delivery once, as it is: perhaps late, twice or changed.
    pub async fn send(&self, delivery: &Delivery) -> Delivery {
        self.shared.send(delivery).await
    }

    /// Loses a delivery as GitHub does when nobody answers: it stands in the log as failed.
    pub fn lose(&self, delivery: &Delivery) {
        self.shared.record(delivery.id, &Outcome::Failed("lost, as a test asked for".to_owned()));
    }

    /// Sends a delivery of the log again: the same bytes under the same GUID, to where the webhook points now.
    pub async fn redeliver(&self, id: u64) -> anyhow::Result<Delivery> {
        let again = self.shared.change(|state| state.repeat(id));
        Ok(self.shared.send(&again.with_context(|| format!("cannot find delivery {id}"))?).await)
    }
}

/// Failures and the clock.
impl Double {
    /// Asks for a failure.
    pub fn inject(&self, fault: Fault) {
        self.shared.change(|state| state.faults.add(fault));
    }

    /// Takes back the failures still waiting.
    pub fn clear_faults(&self) {
        self.shared.change(|state| state.faults.clear());
    }

    /// Takes back the failures still waiting that were asked for with this path.
    pub fn clear_faults_on(&self, path: &str) {
        self.shared.change(|state| state.faults.clear_on(path));
    }

    /// Down altogether: every connection is cut at its next request.
    pub fn go_down(&self) {
        self.shared.change(|state| state.down = true);
    }

    /// Back again.
    pub fn come_up(&self) {
        self.shared.change(|state| state.down = false);
    }

    /// Holds the clock at a time. Without this it is the machine's.
    pub fn set_time(&self, now: DateTime<Utc>) {
        self.shared.change(|state| (state.clock, state.follows) = (Some(now), None));
    }

    /// Reads the time from `clock`, such as one of virtual time.
    pub fn follow_clock(&self, clock: impl Fn() -> DateTime<Utc> + Send + Sync + 'static) {
        self.shared.change(|state| state.follows = Some(Box::new(clock)));
    }

    /// Moves the clock on. One that runs goes on running from there.
    pub fn advance(&self, by: TimeDelta) {
        self.shared.change(|state| state.advance(by));
    }

    /// The time on GitHub.
    pub fn now(&self) -> DateTime<Utc> {
        self.shared.lock().now()
    }
}

/// What is there, for asserting.
impl Double {
    /// The comments of a pull request, oldest first; none if there is no such pull request.
    pub fn comments(&self, repo: &str, number: u64) -> Vec<Comment> {
        let state = self.shared.lock();
        let repository = state.model.repository(repo);
        repository.map(|repository| repository.comments_on(number).into_iter().cloned().collect()).unwrap_or_default()
    }

    /// From now on a pull request changes those files; of a renamed one both names are given.
    pub fn change_files(&self, repo: &str, number: u64, files: &[(&str, Option<&str>)]) -> Result<(), Refusal> {
        let files = files.iter().map(|(name, before)| ((*name).to_owned(), before.map(str::to_owned))).collect();
        self.shared.lock().model.pull_mut(repo, number)?.files = files;
        Ok(())
    }

    /// A pull request as it stands.
    pub fn pull(&self, repo: &str, number: u64) -> Result<PullRequest, Refusal> {
        self.shared.lock().model.pull(repo, number).cloned()
    }

    /// A repository as it stands.
    pub fn repository(&self, repo: &str) -> Result<Repository, Refusal> {
        self.shared.lock().model.repository(repo).cloned()
    }

    /// The login of an account.
    pub fn login(&self, id: u64) -> String {
        self.shared.lock().model.login(id).to_owned()
    }

    /// The requests so far, in the order of their answers. Never with a token in it.
    pub fn requests(&self) -> Vec<Logged> {
        self.shared.lock().log.clone()
    }

    /// Forgets the requests so far.
    pub fn clear_requests(&self) {
        self.shared.change(|state| state.log.clear());
    }

    /// The log of deliveries, redeliveries included.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.shared.lock().deliveries.clone()
    }

    /// Compares nothing any more with what GitHub publishes: the comparison takes time that a benchmark would count.
    pub fn stop_checking(&self) {
        self.shared.change(|state| state.unchecked = true);
    }

    /// Each time that a client went beyond one of GitHub's secondary limits.
    pub fn limit_violations(&self) -> Vec<LimitViolation> {
        self.shared.lock().limits.violations.clone()
    }

    /// An installation as it stands.
    pub fn installation(&self, id: u64) -> Result<Installation, Refusal> {
        self.shared.lock().model.installation(id).cloned()
    }

    /// All that did not fit what GitHub publishes: requests, answers and deliveries.
    pub fn contract_violations(&self) -> Vec<Violation> {
        self.shared.lock().violations.clone()
    }
}

/// Serves until the last [`Double`] is gone, which drops the other end of `gone`.
async fn serve_until(shared: Arc<Shared>, listener: TcpListener, gone: oneshot::Receiver<Infallible>) {
    match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => tokio::select! {
            _ = gone => {}
            _ = serve(shared, listener) => {}
        },
        Err(error) => tracing::error!(%error, "cannot serve"),
    }
}
