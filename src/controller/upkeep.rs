//! What keeps an environment as it should be between pushes: refreshes that people ask for, a baseline that moves on, what
//! somebody deleted, and the Baseline's hooks.

use std::collections::HashSet;

use super::apply::{self, Destination};
use super::clean_up;
use super::driver::{Pass, Step};
use super::hook_runs;
use super::hooks::{self, Next};
use super::outcome::progress_of;
use super::recorded::Recorded;
use super::status::{self, Findings, Progress};
use crate::api::PreviewEnvironmentStatus;
use crate::api::baseline::Follow;
use crate::api::environment::Refresh;
use crate::api::status::{HookState, HookStatus};
use crate::domain::Baseline;
use crate::plan::{ObjectName, Plan};

impl Pass<'_> {
    /// Carries out what a person asked for since the last time: everything is to be applied again, and after a reset nothing
    /// of what was there may be left. What has to be waited for comes back.
    pub(super) async fn refresh(&mut self) -> Step<Option<Progress>> {
        let Some(refresh) = self.open_refresh() else { return Ok(None) };
        if !refresh.reset {
            self.recorded.status = self.recorded.without_objects();
            // A tag may have moved on since it was looked for.
            self.recorded.status.images.clear();
            return Ok(None);
        }
        if !self.is_emptied().await? {
            let why = format!("{} asked for a reset: its workloads and volumes are being deleted", refresh.actor);
            return Ok(Some(Progress::Waiting("Resetting", why)));
        }
        self.recorded.status = self.recorded.emptied();
        self.recorded.status.images.clear();
        Ok(None)
    }

    fn open_refresh(&self) -> Option<Refresh> {
        let asked = self.environment.refresh.as_ref()?;
        self.recorded.status.refreshed_at.is_none_or(|done| done < asked.at).then(|| asked.clone())
    }

    /// Deletes workloads and volumes. True once a pass before this one did so and none of the volumes is left.
    async fn is_emptied(&self) -> Step<bool> {
        let status = &self.recorded.status;
        let Some(namespace) = status.namespace.as_deref().filter(|name| self.has(name)) else { return Ok(true) };
        let begun = status.inventory.iter().all(|entry| entry.hash.is_none()) && status.hooks.is_empty();
        let empty = clean_up::empty(self.context, &self.environment, namespace).await?;
        Ok(begun && empty)
    }

    /// Whether the namespace is there and this environment's.
    pub(super) fn has(&self, namespace: &str) -> bool {
        self.context.index.namespace(namespace).is_some_and(|n| n.environment_uid == self.environment.uid && !n.terminating)
    }

    /// Whether the baseline has moved on and the environment moves with it.
    pub(super) fn follows(&self, baseline: &Baseline) -> bool {
        baseline.follow == Follow::Always && self.context.behind.of(&self.environment.uid).is_some_and(|count| count > 0)
    }

    /// Whether it is not in a namespace of its own.
    pub(super) fn is_misplaced(&self) -> bool {
        self.recorded.status.namespace.as_deref().is_none_or(|name| self.watch_is_current() && !self.has(name))
    }

    /// Whether something is not as it was applied, and it is time to mend that.
    pub(super) fn needs_mending(&self) -> bool {
        let (uid, healing) = (self.environment.uid.as_str(), &self.context.healing);
        let due = self.is_drifted() && healing.wait(uid, self.now).is_none();
        if due {
            let namespace = self.recorded.status.namespace.as_deref().unwrap_or_default();
            healing.mended(uid, apply::drifted(self.context, &self.recorded, (uid, namespace)).collect(), self.now);
        }
        due
    }

    /// Whether somebody else deleted or replaced something, as far as that is seen.
    pub(super) fn is_drifted(&self) -> bool {
        let namespace = self.recorded.status.namespace.as_deref();
        self.watch_is_current()
            && namespace.is_some_and(|name| apply::drifted(self.context, &self.recorded, (&self.environment.uid, name)).next().is_some())
    }

    /// Applies what others deleted or replaced, and nothing else: that the baseline has moved on is no reason to.
    pub(super) async fn mend(&self, plan: &Plan, recorded: &Recorded, namespace: &str) -> (Progress, PreviewEnvironmentStatus) {
        let held = HashSet::new();
        let to = Destination { environment: &self.environment, namespace, new: false, watch_is_current: true, held: &held, mending: true };
        let applied = apply::apply(self.context, &to, plan, recorded).await;
        let progress = self.with_patience(progress_of(plan, &applied), &applied);
        let failed = applied.failures.len();
        tracing::info!(env = %self.environment.name, namespace, written = applied.written, failed, "mended");
        self.context.metrics.mended(self.baseline(), applied.written.saturating_sub(failed));
        let applied_at = Some(self.context.clock.now());
        let status = PreviewEnvironmentStatus { inventory: applied.inventory, applied_at, ..recorded.status.clone() };
        (progress, status)
    }

    /// Looks at how hooks ended, and says what is to be done about those that run when everything is ready.
    pub(super) async fn look_at_hooks(&self, baseline: &Baseline, status: &mut PreviewEnvironmentStatus) -> Next {
        let namespace = status.namespace.clone().unwrap_or_default();
        hook_runs::look(self.context, &namespace, &mut status.hooks, self.watch_is_current()).await;
        status::look_at_services(status, &self.context.index);
        when_ready(baseline.hooks.iter(), status)
    }

    /// The hooks of the plan after what was recorded, as they are now. Jobs of revisions that are over are deleted.
    pub(super) async fn record_hooks(&self, plan: &Plan, status: &PreviewEnvironmentStatus, namespace: &str) -> Step<Vec<HookStatus>> {
        let mut records = hooks::record(&plan.hooks, &status.hooks, status.ready_revision.is_some());
        for job in hooks::outlived(&status.hooks, &records) {
            hook_runs::stop(self.context, namespace, job, &self.environment.uid).await?;
        }
        hook_runs::look(self.context, namespace, &mut records, self.watch_is_current()).await;
        Ok(records)
    }

    /// Starts the hook whose turn it is. What has to be waited for, and what failed, comes back.
    pub(super) async fn run_hooks(&self, plan: &Plan, status: &mut PreviewEnvironmentStatus) -> Step<Option<Progress>> {
        status::look_at_services(status, &self.context.index);
        let next = next_hook(plan, status);
        let Next::Start(name) = next else { return Ok(next.progress()) };
        let Some(planned) = plan.hooks.iter().find(|h| h.hook.name == name) else { return Ok(None) };
        for record in status.hooks.iter_mut().filter(|r| r.name == name) {
            record.state = HookState::Running;
        }
        let progress = next_hook(plan, status).progress();
        let shown = progress.clone().unwrap_or(Progress::Applied);
        let findings = Findings { environment: &self.environment, settled: &self.settled, progress: &shown, before: status };
        // Before it runs, so that the Job is known whatever the baseline is when the next pass comes.
        self.write(&status::status(&findings, self.now)).await?;
        hook_runs::start(self.context, status.namespace.as_deref().unwrap_or_default(), planned).await?;
        Ok(progress)
    }
}

/// The objects that wait for hooks.
pub(super) fn held_back(plan: &Plan, records: &[HookStatus]) -> HashSet<ObjectName> {
    let next = hooks::before_workloads(plan.hooks.iter().map(|h| &h.hook), records, |_| true);
    if next == Next::Nothing { HashSet::new() } else { hooks::held_back(plan) }
}

fn next_hook(plan: &Plan, status: &PreviewEnvironmentStatus) -> Next {
    let hooks = || plan.hooks.iter().map(|h| &h.hook);
    let is_ready = |name: &str| status.services.iter().any(|s| s.name == name && s.ready);
    match hooks::before_workloads(hooks(), &status.hooks, is_ready) {
        Next::Nothing => when_ready(hooks(), status),
        other => other,
    }
}

/// A hook for what is ready starts only then; one that failed has failed whatever became of the workloads since.
fn when_ready<'a>(hooks: impl Iterator<Item = &'a crate::domain::baseline::Hook>, status: &PreviewEnvironmentStatus) -> Next {
    match hooks::when_ready(hooks, &status.hooks) {
        Next::Start(_) if status.services.iter().any(|s| !s.ready) => Next::Nothing,
        next => next,
    }
}
