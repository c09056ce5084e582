//! The reconcile of one environment: settle > observe > resolve > plan > apply > status.
//!
//! It never waits: what is not so yet is an outcome, and a watch or a timer brings us back.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use futures::FutureExt;
use kube::ResourceExt;
use kube::runtime::controller::Action;

use super::apply::{self, Applied, Destination};
use super::clean_up::{self, CleanUp};
use super::explain::{explained, is_news};
use super::hosts::Taken;
use super::inquiry::Inquiry;
use super::namespace::{self, NamespaceOutcome, Wanted};
use super::observe::{Observed, observe};
use super::outcome::{STALLED_PAUSE, STATUS_PAUSE, WATCH_LAG, age, progress_of};
use super::queue::Asking;
use super::recorded::Recorded;
use super::requests::{self, RequestError};
use super::resolve::Resolution;
use super::settle::{Before, Course, Settled, settle};
use super::status::{self, Progress};
use super::{Context, digest, hooks, upkeep};
use crate::api::PreviewEnvironment;
use crate::api::PreviewEnvironmentStatus;
use crate::api::conditions::{ConditionStatus, STALLED, WANTED, find, is_true};
use crate::api::names::FINALIZER;
use crate::api::time::deleted_at;
use crate::domain::{Baseline, Environment};
use crate::plan::{Plan, ResolvedImages, Snapshot, Target, plan};

/// How often hosts are chosen anew when others take them in between.
const HOST_TRIES: usize = 5;
/// How long `kubectl delete` waits for the forge to hear of it.
const DELETE_PATIENCE: Duration = Duration::from_secs(30);
/// How long what has ended is remembered, a week, where its pull request cannot be told: no outage takes as long, and a
/// repository that is out of sight for a token may never come back.
const UNTOLD_PATIENCE: Duration = Duration::from_secs(7 * 24 * 3600);

/// What is to be done for an environment that is to run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Need {
    /// Nothing: everything was applied that follows from the same inputs.
    Nothing,
    /// What others deleted or replaced is to be applied again, and nothing else.
    Mend,
    /// All of it, as the baseline is now.
    Plan,
}

/// One pass over one environment.
pub(super) struct Pass<'a> {
    pub(super) started: Instant,
    pub(super) context: &'a Context,
    pub(super) object: &'a PreviewEnvironment,
    pub(super) environment: Environment,
    pub(super) settled: Settled,
    pub(super) recorded: Recorded,
    pub(super) now: DateTime<Utc>,
    /// Whether nothing is to be done but to put back what others took away.
    pub(super) mending: bool,
}

pub(super) type Step<T> = Result<T, RequestError>;

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
    let (recorded, now) = (context.memory.recall(&object), context.clock.now());
    let settled = settled(&context, (&environment, invalid.is_some()), baseline.as_deref(), &recorded, now);
    let mut pass = Pass { started, context: &context, object: &object, environment, settled, recorded, now, mending: false };
    let result = match (pass.settled.course, baseline, invalid) {
        (Course::TakeDown | Course::Remove, _, _) => pass.take_down().await,
        (_, _, Some(invalid)) => pass.stall("Invalid", invalid.to_string()).await,
        (Course::Run, Some(baseline), None) => Box::pin(pass.run(&baseline)).await,
        (Course::Run | Course::Wait, _, None) => pass.wait().await,
    };
    if result.is_err() {
        pass.trace_error();
    }
    match result {
        // Trying again helps only after somebody changed something, and they have to be told what.
        Err(error) if !error.is_transient() && !pass.has_patience(&error) => pass.stall("Refused", error.to_string()).await,
        other => other,
    }
}

/// What is wanted of an environment, and whether there is room for it. One that cannot be read in full takes no place.
fn settled(
    context: &Context,
    (environment, is_invalid): (&Environment, bool),
    baseline: Option<&Baseline>,
    recorded: &Recorded,
    now: DateTime<Utc>,
) -> Settled {
    let asking = baseline.map(|baseline| Asking { environment, baseline, recorded });
    let pin_holds = asking.is_some_and(|asking| context.queue.may_pin(context, asking));
    let time_is_unsure = !context.clock.is_sure();
    let settled = settle(environment, baseline, &Before { pin_holds, time_is_unsure, ..Before::of(&recorded.status) }, now);
    let settled = match asking.filter(|_| settled.course == Course::Run && !is_invalid) {
        Some(asking) => context.queue.place(context, asking, settled, now),
        None => settled,
    };
    if settled.course != Course::Run && settled.queue.is_none() {
        context.queue.leave(context, (environment, recorded), settled.course, now);
    }
    settled
}

impl Pass<'_> {
    async fn run(&mut self, baseline: &Baseline) -> Step<Action> {
        if baseline.policy.is_pending() {
            // What is known soon wakes the environment.
            return Ok(Action::requeue(WATCH_LAG));
        }
        if let Some(why) = baseline.policy.refusal() {
            // What runs goes on as it is, and nothing new is made.
            return self.stall("Policy", why).await;
        }
        if let Some(waiting) = self.refresh().await? {
            return self.finish(waiting, self.recorded.emptied()).await;
        }
        let (context, recorded) = (self.context, self.recorded.status.images.clone());
        let inquiry = match Inquiry::new((&context.images, &context.changes), &self.environment, (baseline, &recorded), self.now) {
            Ok(inquiry) => inquiry,
            Err(error) => return self.stall("Images", error.to_string()).await,
        };
        let images = inquiry.resolution();
        let digest = digest::of_inputs(&self.environment, &images.images, baseline);
        if self.has_lost_its_namespace().await? {
            return self.finish(namespace_gone(), self.recorded.emptied()).await;
        }
        let need = match self.need(&digest, baseline) {
            Need::Nothing if !inquiry.is_under_way() || is_news(&recorded, &images.record) => Need::Plan,
            need => need,
        };
        self.mending = need == Need::Mend;
        if need == Need::Nothing {
            let mut status = PreviewEnvironmentStatus { images: images.record, ..self.recorded.status.clone() };
            let hook = self.look_at_hooks(baseline, &mut status).await;
            if !matches!(hook, hooks::Next::Start(_)) {
                if self.watch_is_current() && !self.is_held() {
                    requests::hold(&self.context.client, self.object).await?;
                }
                return self.finish(hook.progress().unwrap_or_else(|| self.recorded_progress()), status).await;
            }
            self.recorded.status = status;
        }
        let (progress, status) = self.make_so(baseline, &inquiry).await?;
        self.finish(progress, status).await
    }

    async fn wait(&self) -> Step<Action> {
        let awaited = self.settled.awaits();
        // What stalled is found out anew afterwards: the record of it goes with the condition.
        let plan_digest = self.recorded.status.plan_digest.clone().filter(|_| !self.was_stalled());
        let status = PreviewEnvironmentStatus { plan_digest, ..self.recorded.status.clone() };
        self.finish(Progress::Waiting(awaited.reason, awaited.message.clone()), status).await
    }

    async fn stall(&self, reason: &'static str, message: String) -> Step<Action> {
        self.finish(Progress::Stalled(reason, message), self.recorded.status.clone()).await
    }

    pub(super) fn was_stalled(&self) -> bool {
        is_true(&self.recorded.status.conditions, STALLED)
    }

    fn is_held(&self) -> bool {
        self.object.finalizers().iter().any(|f| f == FINALIZER)
    }

    /// What is to be done, by what was applied last and what the watches saw since.
    fn need(&self, digest: &str, baseline: &Baseline) -> Need {
        let status = &self.recorded.status;
        let incomplete = self.recorded.is_incomplete();
        let due = self.recorded.written_at.is_none_or(|at| age(at, self.now) >= STALLED_PAUSE);
        let worth_a_try = incomplete && (due || !self.was_stalled());
        if status.plan_digest.as_deref() != Some(digest) || worth_a_try || self.follows(baseline) || self.is_misplaced() {
            Need::Plan
        } else if self.needs_mending() {
            Need::Mend
        } else {
            Need::Nothing
        }
    }

    /// Whether nothing of what was applied is there any more. This has to be recorded before the namespace is made again:
    /// in a new one there are no objects and no rights, whatever was true in the one before.
    async fn has_lost_its_namespace(&self) -> Step<bool> {
        let in_use = self.recorded.is_in_use();
        match self.recorded.status.namespace.as_deref().filter(|name| in_use && self.context.index.namespace(name).is_none()) {
            // The watch may be behind.
            Some(name) => Ok(requests::get_namespace(&self.context.client, name).await?.is_none()),
            None => Ok(false),
        }
    }

    pub(super) fn watch_is_current(&self) -> bool {
        self.recorded.written_at.is_none_or(|at| age(at, self.now) >= WATCH_LAG)
    }

    /// What a pass that changes nothing has to say: something that stalled stays so.
    fn recorded_progress(&self) -> Progress {
        match find(&self.recorded.status.conditions, STALLED) {
            Some(stalled) if self.was_stalled() && !matches!(stalled.reason.as_str(), "HookFailed" | "ImageMissing" | "Policy") => {
                Progress::Stalled(digest::stalled_reason(&stalled.reason), stalled.message.clone())
            }
            _ => Progress::Applied,
        }
    }

    async fn make_so(&self, baseline: &Baseline, inquiry: &Inquiry<'_>) -> Step<(Progress, PreviewEnvironmentStatus)> {
        let hold = async { if self.is_held() { Ok(()) } else { requests::hold(&self.context.client, self.object).await } };
        let (observed, ()) = futures::try_join!(observe(self.context, baseline, self.settled.is_isolated()), hold)?;
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
            let plan = match self.plan_for(&name, (baseline, &snapshot), &images.images) {
                Ok(plan) => plan,
                Err(taken) => return Ok((Progress::Waiting("HostTaken", taken.to_string()), self.recorded.status.clone())),
            };
            if !plan.invalid.is_empty() {
                // What is there stays as it is: half of what a team wants can be worse than nothing.
                return Ok((Progress::Stalled("Overrides", plan.invalid.join("; ")), self.recorded.status.clone()));
            }
            let recorded = self.recorded.in_namespace(&name);
            let intent = self.record_intent(&name, &plan, &recorded);
            // The namespace is found by its label and its name, so it may be there before it is recorded; objects may not.
            // The registries have the time of both to answer.
            let answers = inquiry.answered(&snapshot).map(Ok::<_, RequestError>);
            let (status, namespace, ()) = futures::try_join!(intent, self.own_namespace(&name, &recorded), answers)?;
            match namespace {
                NamespaceOutcome::Ours => {
                    let (plan, images) =
                        self.plan_with_answers((plan, images), inquiry.pinned(&self.context.client).await, (&name, baseline, &snapshot));
                    let digest = digest::of_inputs(&self.environment, &images.images, baseline);
                    let status = explained(PreviewEnvironmentStatus { images: images.record, ..status }, &snapshot, &plan);
                    return self.apply_plan(&plan, (&recorded, status), digest).await;
                }
                NamespaceOutcome::Terminating => {
                    let why = format!("namespace {name} is still being deleted");
                    return Ok((Progress::Waiting("NamespaceTerminating", why), explained(status, &snapshot, &plan)));
                }
                NamespaceOutcome::Gone => return Ok((namespace_gone(), self.recorded.emptied())),
                NamespaceOutcome::Foreign => taken.push(name),
                // Another one would leave this one behind.
                NamespaceOutcome::Unmarked => {
                    let why = namespace::how_to_mend(&self.environment, &name);
                    return Ok((Progress::Stalled("NamespaceUnmarked", why), self.recorded.status.clone()));
                }
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
    fn plan_for(&self, name: &str, (baseline, snapshot): (&Baseline, &Snapshot), images: &ResolvedImages) -> Result<Plan, Taken> {
        let run = self.environment.hook_run();
        let domain = baseline.hosts.as_ref().map(|h| h.domain.as_str()).unwrap_or_default();
        let recorded_hosts: HashSet<String> = self.recorded.status.urls.iter().map(|u| u.host.clone()).collect();
        let mut tries = 1..HOST_TRIES;
        loop {
            let held_hosts = self.context.hosts.held_by_others(&self.environment.uid, domain);
            let target = Target {
                environment: &self.environment.name,
                uid: &self.environment.uid,
                namespace: name,
                baseline,
                isolated: self.settled.is_isolated(),
                source: self.environment.main_source(),
                seed: self.context.seed.as_ref(),
                held_hosts: &held_hosts,
                recorded_hosts: &recorded_hosts,
                run: &run,
            };
            let plan = plan(snapshot, &target, images);
            let hosts: Vec<&str> = plan.urls.iter().map(|u| u.host.as_str()).collect();
            match self.context.hosts.claim(&self.environment.uid, &hosts) {
                Ok(()) => return Ok(plan),
                Err(taken) if tries.next().is_none() => return Err(taken),
                Err(_) => {}
            }
        }
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
            Ok(plan) => (plan, answered),
            Err(_) => (plan, images),
        }
    }

    /// The namespace, and where it is ours the rights in it.
    async fn own_namespace(&self, name: &str, recorded: &Recorded) -> Step<NamespaceOutcome> {
        let (in_use, applied_at) = (recorded.is_in_use(), recorded.status.applied_at);
        let wanted = Wanted { name, isolated: self.settled.is_isolated(), in_use, applied_at };
        let outcome = namespace::ensure(self.context, &self.environment, wanted).await?;
        if outcome == NamespaceOutcome::Ours && recorded.needs_rights() {
            namespace::bind(self.context, &self.environment, name).await?;
        }
        Ok(outcome)
    }

    async fn apply_plan(
        &self,
        plan: &Plan,
        (recorded, status): (&Recorded, PreviewEnvironmentStatus),
        digest: String,
    ) -> Step<(Progress, PreviewEnvironmentStatus)> {
        let namespace = status.namespace.clone().unwrap_or_default();
        if self.mending {
            return Ok(self.mend(plan, recorded, &namespace).await);
        }
        let records = self.record_hooks(plan, &status, &namespace).await?;
        let held = upkeep::held_back(plan, &records);
        let to = Destination {
            environment: &self.environment,
            namespace: &namespace,
            new: recorded.needs_rights(),
            watch_is_current: self.watch_is_current(),
            held: &held,
            mending: false,
        };
        let began = Instant::now();
        let applied = apply::apply(self.context, &to, plan, recorded).await;
        self.trace_apply(began.elapsed(), (applied.written, &applied.failures));
        let progress = self.with_patience(progress_of(plan, &applied), &applied);
        let Applied { inventory, written, failures } = applied;
        tracing::info!(env = %self.environment.name, namespace, written, failed = failures.len(), "applied");
        let complete = held.is_empty() && !failures.iter().any(RequestError::is_transient);
        // What waits for a hook or for its image still runs what was there before.
        let is_whole = held.is_empty() && !plan.awaits_images;
        self.context.behind.set(&self.environment.uid, 0);
        let mut status = PreviewEnvironmentStatus {
            inventory,
            hooks: records,
            refreshed_at: self.environment.refresh.as_ref().map(|r| r.at).or(status.refreshed_at),
            moved: self.environment.main_source().map(|s| status::moved(&recorded.status, plan, s.revision.as_str())),
            services: status::services_of(plan),
            left_out: status::left_out_of(plan),
            urls: plan.urls.clone(),
            revision: if is_whole { self.environment.main_source().map(|s| s.revision.to_string()) } else { status.revision },
            plan_digest: complete.then_some(digest),
            applied_at: if written > 0 { Some(self.context.clock.now()) } else { status.applied_at },
            ..status
        };
        let hook = if progress == Progress::Applied && !plan.awaits_images { self.run_hooks(plan, &mut status).await? } else { None };
        Ok((hook.unwrap_or(progress), status))
    }

    async fn take_down(&self) -> Step<Action> {
        // What was asked for meanwhile is answered before what holds it goes.
        let is_asked = !self.object.spec.commands.is_empty() && !self.environment.deleted;
        let last = self.settled.course == Course::Remove && !is_asked && self.is_told();
        match self.end(last).await {
            Ok(CleanUp::Going(names)) => {
                let wanted = &self.settled.wanted.message;
                let progress = match self.held_up(&names).await {
                    Some(why) => Progress::Stuck(format!("{wanted}: {why}")),
                    None => Progress::Removing(format!("{wanted}: namespace {} is going", names.join(", "))),
                };
                self.finish(progress, self.recorded.status.clone()).await
            }
            Ok(CleanUp::Kept(name)) => {
                let why = format!("kept: {}", namespace::how_to_mend(&self.environment, &name));
                // It stays on record while there is an object, since it can be put right.
                let namespace = Some(name);
                let status = PreviewEnvironmentStatus { namespace, applied_at: self.recorded.status.applied_at, ..self.nothing_left() };
                self.leave((Progress::Kept(why), status), last).await
            }
            Ok(CleanUp::Gone) => self.leave((Progress::Removed, self.nothing_left()), last).await,
            Err(error) => {
                if error.is_transient() {
                    self.record_removal_failure(&error).await?;
                }
                Err(error)
            }
        }
    }

    async fn end(&self, last: bool) -> Step<CleanUp> {
        self.context.images.keep_only(&self.environment.uid, &[]);
        let status = &self.recorded.status;
        if self.settled.lapsed != status.lapsed && status.namespace.is_some() {
            self.record_lapse().await?;
        }
        if self.settled.course == Course::Remove {
            clean_up::forget_wishes(self.context, &self.environment, self.object).await?;
        }
        clean_up::take_down(self.context, &self.environment, (status, last)).await
    }

    /// The status once nothing of it is there.
    fn nothing_left(&self) -> PreviewEnvironmentStatus {
        let PreviewEnvironmentStatus { revision, conditions, .. } = self.recorded.status.clone();
        PreviewEnvironmentStatus { revision, conditions, ..PreviewEnvironmentStatus::default() }
    }

    /// Says so, and then lets the object go, where it is to go.
    async fn leave(&self, (progress, status): (Progress, PreviewEnvironmentStatus), last: bool) -> Step<Action> {
        self.context.hosts.release(&self.environment.uid);
        self.context.behind.forget(&self.environment.uid);
        let action = self.finish(progress, status).await?;
        if !last {
            return Ok(action);
        }
        let removed = match clean_up::remove_object(self.context, self.object).await {
            // A fact or a comment's record came in between; the watch brings it, and with it the next pass.
            Err(error) if error.code() == Some(409) => return Ok(Action::requeue(STATUS_PAUSE)),
            other => other?,
        };
        self.context.memory.forget(&self.environment.uid);
        if removed {
            tracing::info!(env = %self.environment.name, reason = self.settled.wanted.reason, "gone");
        }
        Ok(Action::await_change())
    }

    /// Whether the pull request says that the environment is gone, or never will.
    fn is_told(&self) -> bool {
        let is_past = |at: Option<DateTime<Utc>>, patience| at.is_some_and(|at| age(at, self.now) >= patience);
        let ended = find(&self.recorded.status.conditions, WANTED).filter(|c| c.status == ConditionStatus::False);
        is_past(deleted_at(self.object), DELETE_PATIENCE)
            || is_past(ended.map(|c| c.last_transition_time), UNTOLD_PATIENCE)
            || self.context.feedback.is_told(self.object)
    }
}

fn namespace_gone() -> Progress {
    Progress::Waiting("NamespaceGone", "its namespace was deleted and is made again".to_owned())
}
