//! Does what the candidate says, and tells who leads.

use std::time::Duration;

use chrono::DateTime;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

use super::candidate::{Candidate, Failed, Step};
use super::{Fence, Moment, Place, Timing};
use crate::api::names::ANNOTATION_WRITES;
use crate::forge::spent::Spent;

/// No further are the clocks of two replicas apart.
const CLOCKS_APART: Duration = Duration::from_secs(60);

/// What a replica is.
#[derive(Clone, Debug)]
pub enum Role {
    /// Nobody knows yet.
    Unknown,
    /// Somebody else leads.
    Follows,
    /// It leads, for as long as that fence is open.
    Leads(Fence),
}

/// Stands for election until it is dropped.
#[derive(Debug)]
pub struct Election {
    roles: watch::Receiver<Role>,
    end: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Election {
    /// Starts a task of its own, so that nothing that is worked on here holds up a renewal.
    /// `spent` is what was written to the forge: it is handed from one that leads to the next.
    pub fn start(client: Client, place: Place, timing: Timing, spent: Spent) -> Self {
        let (tell, roles) = watch::channel(Role::Unknown);
        let (end, ended) = oneshot::channel();
        let standing = Standing {
            api: Api::namespaced(client, &place.namespace),
            candidate: Candidate::new(place.clone(), timing, Instant::now()),
            place,
            timing,
            spent,
            tell,
            fence: None,
            changes: None,
            complaint: None,
        };
        Self { roles, end: Some(end), task: tokio::spawn(standing.stand(ended)) }
    }

    /// What this replica is, from now on.
    pub fn roles(&self) -> watch::Receiver<Role> {
        self.roles.clone()
    }

    /// Stands no more. Where this replica leads, the Lease is given back, so that another one leads at once. Every write has to
    /// have ended by then.
    pub async fn end(mut self) {
        // Both fail only where the task is gone already.
        let _ = self.end.take().map(|end| end.send(()));
        let _ = (&mut self.task).await;
    }
}

impl Drop for Election {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The same inside its task.
struct Standing {
    api: Api<Lease>,
    candidate: Candidate,
    place: Place,
    timing: Timing,
    spent: Spent,
    tell: watch::Sender<Role>,
    /// Of the present term.
    fence: Option<Fence>,
    /// What others do with the Lease. Not followed by the one that leads.
    changes: Option<BoxStream<'static, watcher::Result<Option<Lease>>>>,
    /// What was logged last, so that an outage is one line and not one a second.
    complaint: Option<String>,
}

impl Standing {
    async fn stand(mut self, mut ended: oneshot::Receiver<()>) {
        loop {
            if self.fence.as_ref().is_some_and(Fence::has_resigned) {
                self.stand_back().await;
            }
            let now = Instant::now();
            let until = match self.candidate.next(now) {
                Step::Look => self.look().await,
                Step::Write => self.write().await,
                Step::Wait(until) => until,
            };
            self.say();
            tokio::select! {
                biased;
                _ = &mut ended => return self.release().await,
                () = self.hear(), if until > now => {}
                () = sleep_until(until) => {}
            }
        }
    }

    /// Asks for the Lease, and says when to go on: at once.
    async fn look(&mut self) -> Instant {
        let sent = Instant::now();
        let answer = timeout(self.timing.answer, self.api.get_opt(&self.place.name)).await;
        match answer {
            Ok(Ok(found)) => self.heard(found),
            Ok(Err(error)) => self.failed(Failed::Look, sent, &error.to_string()),
            Err(_) => self.failed(Failed::Look, sent, "the API server does not answer"),
        }
        sent
    }

    /// Takes the Lease or renews it, and says when to go on: at once.
    async fn write(&mut self) -> Instant {
        let sent = Moment::now();
        if let Some(text) = self.candidate.left(ANNOTATION_WRITES) {
            let age = self.candidate.silent_for(Timestamp::now()).saturating_sub(CLOCKS_APART);
            self.spent.follow(text, age, sent.steady().into_std());
        }
        let lease = self.leaving(self.candidate.proposal(Timestamp::now()));
        let (answer, replaces) = (self.put(&lease).await, lease.metadata.resource_version.is_some());
        match answer {
            Ok(written) => {
                self.candidate.wrote(written, sent.steady(), Instant::now());
                self.complaint = None;
                self.lead_from(sent);
            }
            // Somebody deleted it.
            Err(Some(kube::Error::Api(status))) if status.code == 404 && replaces => self.heard(None),
            // Somebody else wrote it, or a lost answer of ours was a success.
            Err(Some(kube::Error::Api(status))) if status.code == 409 => self.candidate.failed(Failed::Write, sent.steady()),
            Err(Some(error)) => self.failed(Failed::Write, sent.steady(), &error.to_string()),
            Err(None) => self.failed(Failed::Write, sent.steady(), "the API server does not answer"),
        }
        sent.steady()
    }

    /// With what whoever leads next is to know.
    fn leaving(&self, mut lease: Lease) -> Lease {
        let annotations = lease.metadata.annotations.get_or_insert_default();
        match self.spent.to_text(Instant::now().into_std()) {
            Some(text) => annotations.insert(ANNOTATION_WRITES.to_owned(), text),
            None => annotations.remove(ANNOTATION_WRITES),
        };
        lease
    }

    /// Sends it. Without an error it took too long.
    async fn put(&mut self, lease: &Lease) -> Result<Lease, Option<kube::Error>> {
        let params = PostParams::default();
        let request = match &lease.metadata.resource_version {
            Some(_) => self.api.replace(&self.place.name, &params, lease).left_future(),
            None => self.api.create(&params, lease).right_future(),
        };
        match timeout(self.timing.answer, request).await {
            Ok(answer) => answer.map_err(Some),
            Err(_) => Err(None),
        }
    }

    /// Waits for the next thing that somebody else does with the Lease.
    async fn hear(&mut self) {
        if self.candidate.other().is_none() {
            self.changes = None;
            return std::future::pending().await;
        }
        let changes = self.changes.get_or_insert_with(|| {
            let changes = watcher::watch_object(self.api.clone(), &self.place.name);
            changes.default_backoff().boxed()
        });
        match changes.next().await {
            Some(Ok(found)) => self.heard(found),
            // It begins anew by itself, and meanwhile the silence is noticed.
            Some(Err(error)) => tracing::debug!(%error, "the watch of the Lease broke"),
            None => self.changes = None,
        }
    }

    fn heard(&mut self, found: Option<Lease>) {
        self.candidate.looked(found, Instant::now());
        self.complaint = None;
    }

    fn failed(&mut self, what: Failed, sent: Instant, why: &str) {
        self.candidate.failed(what, sent);
        if self.complaint.as_deref() != Some(why) {
            let Place { namespace, name, .. } = &self.place;
            tracing::warn!(
                lease = %format_args!("{namespace}/{name}"), why,
                "cannot ask for the Lease or renew it; it needs the Role of deploy/rbac.yaml, in the namespace that --lease-namespace names"
            );
            self.complaint = Some(why.to_owned());
        }
    }

    /// Goes on with the term, or begins one.
    fn lead_from(&mut self, sent: Moment) {
        let goes_on = |fence: &Fence| fence.extend(sent) || fence.is_finished();
        if !self.candidate.leads(Instant::now()) || self.fence.as_ref().is_some_and(goes_on) {
            return;
        }
        let before = self.candidate.renewed_before().and_then(|at| DateTime::from_timestamp(at.as_second(), 0));
        let fence = Fence::new(sent, self.timing.writes).following(before);
        if fence.is_open() {
            tracing::info!(identity = self.place.identity, "leads");
            self.fence = Some(fence.clone());
            self.tell.send_replace(Role::Leads(fence));
        }
    }

    /// Tells who follows, and ends a term that is over.
    fn say(&mut self) {
        if !self.candidate.leads(Instant::now())
            && let Some(fence) = self.fence.take()
        {
            fence.shut();
            self.tell.send_replace(Role::Unknown);
        }
        let Some(other) = self.candidate.other() else { return };
        if !matches!(*self.tell.borrow(), Role::Follows) {
            tracing::info!(leader = other, "follows");
            self.tell.send_replace(Role::Follows);
        }
    }

    /// Lets another replica lead, since this one cannot.
    async fn stand_back(&mut self) {
        self.release().await;
        self.candidate.stand_back(Instant::now());
        self.tell.send_replace(Role::Unknown);
    }

    async fn release(&mut self) {
        let Some(fence) = self.fence.take() else { return };
        fence.shut();
        let Some(lease) = self.candidate.release(Timestamp::now()).map(|lease| self.leaving(lease)) else { return };
        let sent = Instant::now();
        match self.put(&lease).await {
            Ok(written) => self.candidate.wrote(written, sent, Instant::now()),
            Err(why) => {
                let why = why.map_or_else(|| "no answer".to_owned(), |error| error.to_string());
                tracing::warn!(why, "the Lease was not given back, so another replica has to wait until it has expired");
            }
        }
    }
}
