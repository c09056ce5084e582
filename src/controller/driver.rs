//! The reconcile of one environment: settle > observe > resolve > plan > apply > status.
//!
//! It never waits: what is not so yet is an outcome, and a watch or a timer brings us back.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use kube::ResourceExt;
use kube::runtime::controller::Action;

use super::apply::{self, Applied, Destination};
use super::availability;
use super::clean_up::{self, CleanUp};
use super::inquiry::Inquiry;
use super::namespace::{self, NamespaceOutcome};
use super::observe::{Observed, observe};
use super::recorded::Recorded;
use super::requests::{self, RequestError};
use super::resolve::Resolution;
use super::settle::{Course, Settled, settle};
use super::status::{self, Findings, Progress};
use super::{Context, digest};
use crate::api::PreviewEnvironment;
use crate::api::PreviewEnvironmentStatus;
use crate::api::conditions::{STALLED, find, is_true};
use crate::api::names::FINALIZER;
use crate::domain::{Baseline, Environment};
use crate::plan::{Plan, ResolvedImages, Snapshot, Target, plan};

/// How long a watch may take to bring back what was just written; until then it is no proof of drift.
const WATCH_LAG: Duration = Duration::from_secs(5);
/// How long counts alone wait at most until they are written to status.
const LONGEST_STATUS_PAUSE: Duration = Duration::from_secs(30);
/// How long they wait at least.
const STATUS_PAUSE: Duration = Duration::from_secs(1);
/// How long something that needs a person is left alone before it is tried again.
const STALLED_PAUSE: Duration = Duration::from_secs(60);
/// How often hosts are chosen anew when others take them in between.
const HOST_TRIES: usize = 5;
/// How long `kubectl delete` waits for the forge to hear of it.
const DELETE_PATIENCE: Duration = Duration::from_secs(30);

/// One pass over one environment.
struct Pass<'a> {
    started: Instant,
    context: &'a Context,
    object: &'a PreviewEnvironment,
    environment: Environment,
    settled: Settled,
    recorded: Recorded,
    now: DateTime<Utc>,
}

type Step<T> = Result<T, RequestError>;

/// Brings one environment closer to what is wanted of it.
pub async fn reconcile(object: Arc<PreviewEnvironment>, context: Arc<Context>) -> Step<Action> {
    let started = Instant::now();
    let (environment, invalid) = match Environment::try_from(object.as_ref()) {
        Ok(environment) => (environment, None),
        Err(invalid) => match Environment::salvaged(&object) {
            Some(environment) => (environment, Some(invalid)),
            None => return Ok(Action::await_change()),
        },
    };
    let baseline = context.baselines.get(&environment.baseline_namespace, &environment.baseline);
    let (recorded, now) = (context.memory.recall(&object), Utc::now());
    let settled = settle(&environment, baseline.as_deref(), recorded.status.expires_at, now);
    let pass = Pass { started, context: &context, object: &object, environment, settled, recorded, now };
    let result = match (pass.settled.course, baseline, invalid) {
        (Course::TakeDown | Course::Remove, _, _) => pass.take_down().await,
        (_, _, Some(invalid)) => pass.stall("Invalid", invalid.to_string()).await,
        (Course::Run, Some(baseline), None) => pass.run(&baseline).await,
        (Course::Run | Course::Wait, _, None) => pass.wait().await,
    };
    match result {
        // Trying again helps only after somebody changed something, and they have to be told what.
        Err(error) if !error.is_transient() => pass.stall("Refused", error.to_string()).await,
        other => other,
    }
}

impl Pass<'_> {
    async fn run(&self, baseline: &Baseline) -> Step<Action> {
        let recorded = (baseline, self.recorded.status.images.as_slice());
        let inquiry = match Inquiry::new((&self.context.images, &self.context.changes), &self.environment, recorded, self.now) {
            Ok(inquiry) => inquiry,
            Err(error) => return self.stall("Images", error.to_string()).await,
        };
        let images = inquiry.resolution();
        let digest = digest::of_inputs(&images.images, baseline);
        if self.has_lost_its_namespace().await? {
            let why = "its namespace was deleted and is made again".to_owned();
            return self.finish(Progress::Waiting("NamespaceGone", why), self.recorded.without_objects()).await;
        }
        if self.is_current(&digest) && inquiry.is_under_way() {
            if self.watch_is_current() && !self.is_held() {
                requests::hold(&self.context.client, self.object).await?;
            }
            let status = PreviewEnvironmentStatus { images: images.record, ..self.recorded.status.clone() };
            return self.finish(self.recorded_progress(), status).await;
        }
        let (progress, status) = self.make_so(baseline, &inquiry).await?;
        self.finish(progress, status).await
    }

    async fn wait(&self) -> Step<Action> {
        let wanted = &self.settled.wanted;
        // What stalled is found out anew afterwards: the record of it goes with the condition.
        let plan_digest = self.recorded.status.plan_digest.clone().filter(|_| !self.was_stalled());
        let status = PreviewEnvironmentStatus { plan_digest, ..self.recorded.status.clone() };
        self.finish(Progress::Waiting(wanted.reason, wanted.message.clone()), status).await
    }

    async fn stall(&self, reason: &'static str, message: String) -> Step<Action> {
        self.finish(Progress::Stalled(reason, message), self.recorded.status.clone()).await
    }

    fn was_stalled(&self) -> bool {
        is_true(&self.recorded.status.conditions, STALLED)
    }

    fn is_held(&self) -> bool {
        self.object.finalizers().iter().any(|f| f == FINALIZER)
    }

    /// Whether everything was applied that follows from the same inputs, and nobody changed it since.
    fn is_current(&self, digest: &str) -> bool {
        let status = &self.recorded.status;
        let incomplete = status.inventory.iter().any(|entry| entry.hash.is_none());
        let due = self.recorded.written_at.is_none_or(|at| age(at, self.now) >= STALLED_PAUSE);
        let worth_a_try = incomplete && (due || !self.was_stalled());
        status.plan_digest.as_deref() == Some(digest) && !worth_a_try && !self.drifted()
    }

    /// Whether nothing of what was applied is there any more. This has to be recorded before the namespace is made again:
    /// in a new one there are no objects and no rights, whatever was true in the one before.
    async fn has_lost_its_namespace(&self) -> Step<bool> {
        let status = &self.recorded.status;
        let applied = status.plan_digest.is_some() || status.inventory.iter().any(|entry| entry.hash.is_some());
        match status.namespace.as_deref().filter(|name| applied && self.context.index.namespace(name).is_none()) {
            // The watch may be behind.
            Some(name) => Ok(requests::get_namespace(&self.context.client, name).await?.is_none()),
            None => Ok(false),
        }
    }

    fn drifted(&self) -> bool {
        let Some(namespace) = &self.recorded.status.namespace else { return true };
        let ours = self.context.index.namespace(namespace).is_some_and(|n| n.environment_uid == self.environment.uid && !n.terminating);
        self.watch_is_current() && (!ours || apply::drifted(self.context, &self.recorded, namespace))
    }

    fn watch_is_current(&self) -> bool {
        self.recorded.written_at.is_none_or(|at| age(at, self.now) >= WATCH_LAG)
    }

    /// What a pass that changes nothing has to say: something that stalled stays so.
    fn recorded_progress(&self) -> Progress {
        match find(&self.recorded.status.conditions, STALLED) {
            Some(stalled) if is_true(&self.recorded.status.conditions, STALLED) => {
                Progress::Stalled(digest::stalled_reason(&stalled.reason), stalled.message.clone())
            }
            _ => Progress::Applied,
        }
    }

    async fn make_so(&self, baseline: &Baseline, inquiry: &Inquiry<'_>) -> Step<(Progress, PreviewEnvironmentStatus)> {
        let hold = async { if self.is_held() { Ok(()) } else { requests::hold(&self.context.client, self.object).await } };
        let (observed, ()) = futures::try_join!(observe(self.context, baseline), hold)?;
        let snapshot = match observed {
            Observed::Snapshot(snapshot) => snapshot,
            Observed::NotYet(why) => return Ok((Progress::Waiting("BaselineNotRead", why), self.recorded.status.clone())),
        };
        inquiry.begin(&snapshot);
        let mut taken = Vec::new();
        for name in namespace::candidates(&self.environment, self.recorded.status.namespace.as_deref()) {
            if self.was_taken() && namespace::is_foreign(self.context, &self.environment, &name).await? {
                taken.push(name);
                continue;
            }
            let images = inquiry.resolution();
            let Some(plan) = self.plan_for(&name, (baseline, &snapshot), &images.images) else {
                let why = "another environment holds its host names".to_owned();
                return Ok((Progress::Waiting("HostTaken", why), self.recorded.status.clone()));
            };
            let recorded = self.recorded.in_namespace(&name);
            let intent = self.record_intent(&name, &plan, &recorded);
            // The namespace is found by its label and its name, so it may be there before it is recorded; objects may not.
            // The registries have the time of both to answer.
            let answers = async { Ok::<_, RequestError>(inquiry.answered(&snapshot).await) };
            let (status, namespace, ()) = futures::try_join!(intent, self.own_namespace(&name, &recorded), answers)?;
            match namespace {
                NamespaceOutcome::Ours => {
                    let (plan, images) =
                        self.plan_with_answers((plan, images), inquiry.pinned(&self.context.client).await, (&name, baseline, &snapshot));
                    let digest = digest::of_inputs(&images.images, baseline);
                    let status = PreviewEnvironmentStatus { images: images.record, ..status };
                    return self.apply_plan(&plan, (&recorded, status), digest).await;
                }
                NamespaceOutcome::Terminating => {
                    let why = format!("namespace {name} is still being deleted");
                    return Ok((Progress::Waiting("NamespaceTerminating", why), status));
                }
                NamespaceOutcome::Foreign => taken.push(name),
            }
        }
        let why = format!("the namespaces {} belong to somebody else and are left alone", taken.join(" and "));
        Ok((Progress::Stalled("NamespaceTaken", why), PreviewEnvironmentStatus { namespace: None, ..self.recorded.status.clone() }))
    }

    /// Whether the last pass found all its names in other hands: then it is looked before anything is recorded.
    fn was_taken(&self) -> bool {
        self.was_stalled() && find(&self.recorded.status.conditions, STALLED).is_some_and(|c| c.reason == "NamespaceTaken")
    }

    /// The plan, with hosts that nobody else holds. Another pass can take one in between; then it is planned again.
    fn plan_for(&self, name: &str, (baseline, snapshot): (&Baseline, &Snapshot), images: &ResolvedImages) -> Option<Plan> {
        let recorded_hosts: HashSet<String> = self.recorded.status.urls.iter().map(|u| u.host.clone()).collect();
        for _ in 0..HOST_TRIES {
            let held_hosts = self.context.hosts.held_by_others(&self.environment.uid);
            let target = Target {
                environment: &self.environment.name,
                uid: &self.environment.uid,
                namespace: name,
                baseline,
                held_hosts: &held_hosts,
                recorded_hosts: &recorded_hosts,
            };
            let plan = plan(snapshot, &target, images);
            let hosts: Vec<&str> = plan.urls.iter().map(|u| u.host.as_str()).collect();
            if self.context.hosts.claim(&self.environment.uid, &hosts) {
                return Some(plan);
            }
        }
        None
    }

    /// The plan, with what the registries said since it was made.
    fn plan_with_answers(
        &self,
        (plan, images): (Plan, Resolution),
        answered: Resolution,
        (name, baseline, snapshot): (&str, &Baseline, &Snapshot),
    ) -> (Plan, Resolution) {
        if answered.images == images.images {
            return (plan, answered);
        }
        match self.plan_for(name, (baseline, snapshot), &answered.images) {
            Some(plan) => (plan, answered),
            None => (plan, images),
        }
    }

    /// The namespace, and where it is ours the rights in it.
    async fn own_namespace(&self, name: &str, recorded: &Recorded) -> Step<NamespaceOutcome> {
        let outcome = namespace::ensure(self.context, &self.environment, name).await?;
        if outcome == NamespaceOutcome::Ours && recorded.needs_rights() {
            namespace::bind(self.context, &self.environment, name).await?;
        }
        Ok(outcome)
    }

    /// Writes down what is about to be applied, before anything is: a crash in between leaves nothing that nobody knows
    /// of. Costs nothing where the plan adds nothing.
    async fn record_intent(&self, namespace: &str, plan: &Plan, recorded: &Recorded) -> Step<PreviewEnvironmentStatus> {
        let before = &recorded.status;
        let status = PreviewEnvironmentStatus {
            namespace: Some(namespace.to_owned()),
            inventory: recorded.inventory_with(plan),
            // None of them is up, so that nobody takes what is only meant for what is Ready.
            services: status::services_of(plan),
            ..before.clone()
        };
        let adds = status.namespace != before.namespace || status.inventory.len() > before.inventory.len();
        if adds {
            let findings =
                Findings { environment: &self.environment, settled: &self.settled, progress: &Progress::Applied, before: &status };
            self.write(&status::status(&findings, self.now)).await?;
        }
        Ok(status)
    }

    async fn apply_plan(
        &self,
        plan: &Plan,
        (recorded, status): (&Recorded, PreviewEnvironmentStatus),
        digest: String,
    ) -> Step<(Progress, PreviewEnvironmentStatus)> {
        let namespace = status.namespace.clone().unwrap_or_default();
        let new = recorded.needs_rights();
        let to = Destination { environment: &self.environment, namespace: &namespace, new, watch_is_current: self.watch_is_current() };
        let applied = apply::apply(self.context, &to, plan, recorded).await;
        let progress = progress_of(plan, &applied);
        let Applied { inventory, written, failures } = applied;
        tracing::info!(env = %self.environment.name, namespace, written, failed = failures.len(), "applied");
        // While something waits for its image, what runs is what was there before.
        let holds_back = plan.workloads.iter().any(|w| w.waits_for.is_some());
        let complete = !failures.iter().any(RequestError::is_transient);
        let status = PreviewEnvironmentStatus {
            inventory,
            services: status::services_of(plan),
            left_out: status::left_out_of(plan),
            urls: plan.urls.clone(),
            revision: if holds_back { status.revision } else { self.environment.main_source().map(|s| s.revision.to_string()) },
            plan_digest: complete.then_some(digest),
            applied_at: if written > 0 { Some(Utc::now()) } else { status.applied_at },
            ..status
        };
        Ok((progress, status))
    }

    async fn take_down(&self) -> Step<Action> {
        self.context.images.keep_only(&self.environment.uid, &[]);
        let status = &self.recorded.status;
        match clean_up::take_down(self.context, &self.environment, status.namespace.as_deref()).await? {
            CleanUp::Going(names) => {
                let why = format!("{}: namespace {} is going", self.settled.wanted.message, names.join(", "));
                self.finish(Progress::Removing(why), status.clone()).await
            }
            CleanUp::Gone => self.gone().await,
        }
    }

    async fn gone(&self) -> Step<Action> {
        self.context.hosts.release(&self.environment.uid);
        let revision = self.recorded.status.revision.clone();
        let empty = PreviewEnvironmentStatus {
            revision,
            conditions: self.recorded.status.conditions.clone(),
            ..PreviewEnvironmentStatus::default()
        };
        let action = self.finish(Progress::Removed, empty).await?;
        if self.settled.course != Course::Remove || !self.is_told() {
            return Ok(action);
        }
        match clean_up::remove_object(self.context, self.object).await {
            // A fact or a comment's record came in between; the watch brings it, and with it the next pass.
            Err(error) if error.code() == Some(409) => return Ok(Action::requeue(STATUS_PAUSE)),
            other => other?,
        }
        self.context.memory.forget(&self.environment.uid);
        tracing::info!(env = %self.environment.name, reason = self.settled.wanted.reason, "gone");
        Ok(Action::await_change())
    }

    /// Whether the pull request says that the environment is gone, or never will.
    fn is_told(&self) -> bool {
        let since = self.object.metadata.deletion_timestamp.as_ref().and_then(|t| DateTime::from_timestamp(t.0.as_second(), 0));
        since.is_some_and(|at| age(at, self.now) >= DELETE_PATIENCE) || self.context.feedback.is_told(self.object)
    }

    /// Writes the status that follows, if it is new, and says when to come back.
    async fn finish(&self, progress: Progress, mut before: PreviewEnvironmentStatus) -> Step<Action> {
        status::look_at_services(&mut before, &self.context.index);
        let progress = availability::progress(progress, &before);
        let look = self.look_at_pods(&progress, &mut before).await;
        self.context.metrics.reconcile(progress.label(), self.started.elapsed());
        if !matches!(progress, Progress::Failing(_)) {
            self.context.retries.forget(&self.environment.uid);
        }
        let findings = Findings { environment: &self.environment, settled: &self.settled, progress: &progress, before: &before };
        let after = status::status(&findings, self.now);
        let status_pause = self.status_pause(&before);
        let recent = self.recorded.written_at.is_some_and(|at| age(at, self.now) < status_pause);
        // What this pass wrote on its way counts too.
        let known = status::derived(&self.context.memory.recall(self.object).status);
        let mut pause = look.map_or(Duration::MAX, |at| (at - self.now).to_std().unwrap_or_default()).min(self.pause(&progress, &before));
        if after != known && recent && !status::is_worth_a_write(&known, &after) {
            pause = pause.min(status_pause);
        } else if after != known {
            match self.write(&after).await {
                // The object is gone, and its status with it.
                Err(error) if error.code() == Some(404) => {}
                other => other?,
            }
        }
        Ok(Action::requeue(pause))
    }

    /// What the pods of workloads say that are not ready for some time, and when to look at them again.
    async fn look_at_pods(&self, progress: &Progress, status: &mut PreviewEnvironmentStatus) -> Option<DateTime<Utc>> {
        match progress {
            Progress::Applied | Progress::Waiting("ImageMissing", _) | Progress::Stalled("ImageMissing", _) => {
                self.context.pods.explain(&self.context.client, &self.environment.uid, status, self.now).await
            }
            _ => None,
        }
    }

    async fn write(&self, status: &PreviewEnvironmentStatus) -> Step<()> {
        requests::apply_status(&self.context.client, self.object, &status::to_value(status)).await?;
        self.context.memory.remember(&self.environment.uid, status, Utc::now());
        Ok(())
    }

    /// Counts move fast at first and slowly later, and are written in step with that.
    fn status_pause(&self, status: &PreviewEnvironmentStatus) -> Duration {
        status.applied_at.map_or(STATUS_PAUSE, |at| age(at, self.now)).clamp(STATUS_PAUSE, LONGEST_STATUS_PAUSE)
    }

    fn pause(&self, progress: &Progress, status: &PreviewEnvironmentStatus) -> Duration {
        let next = [self.settled.expires_at, availability::next_end(&status.images, self.now)];
        let until_next = next.into_iter().flatten().filter_map(|at| (at - self.now).to_std().ok()).min();
        let own = match progress {
            Progress::Failing(_) => self.context.retries.next(&self.environment.uid),
            Progress::Stalled(..) => STALLED_PAUSE,
            Progress::Waiting("BaselineNotRead" | "NamespaceTerminating" | "NamespaceGone" | "HostTaken", _) => WATCH_LAG,
            Progress::Removing(_) => WATCH_LAG * 2,
            Progress::Applied if !self.watch_is_current() => WATCH_LAG,
            Progress::Removed if self.settled.course == Course::Remove => WATCH_LAG,
            Progress::Applied | Progress::Waiting(..) | Progress::Removed => Duration::from_secs(3600),
        };
        // A second more than the exact moment, so that the next pass finds it past.
        until_next.map_or(own, |next| own.min(next + Duration::from_secs(1)))
    }
}

fn progress_of(plan: &Plan, applied: &Applied) -> Progress {
    let (transient, terminal): (Vec<_>, Vec<_>) = applied.failures.iter().partition(|f| f.is_transient());
    // In an order of their own, so that the same failures are the same text.
    let text = |failures: &[&RequestError]| {
        let mut texts: Vec<String> = failures.iter().map(ToString::to_string).collect();
        texts.sort();
        texts.truncate(3);
        texts.join("; ")
    };
    if !transient.is_empty() {
        Progress::Failing(text(&transient))
    } else if !terminal.is_empty() {
        Progress::Stalled("ApplyRefused", text(&terminal))
    } else if plan.stalled.is_empty() {
        Progress::Applied
    } else {
        Progress::Stalled("Refused", plan.stalled.join("; "))
    }
}

fn age(since: DateTime<Utc>, now: DateTime<Utc>) -> Duration {
    (now - since).to_std().unwrap_or_default()
}
