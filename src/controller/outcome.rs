//! How a pass ends: what is recorded before anything is applied, the status that follows, and when to come back.

use std::time::Duration;

use chrono::{DateTime, Utc};
use kube::Resource;
use kube::runtime::controller::Action;

use super::apply::Applied;
use super::availability;
use super::driver::{Pass, Step};
use super::events;
use super::happened::{Happened, happened};
use super::late::Late;
use super::recorded::Recorded;
use super::requests::{self, RequestError};
use super::rounds;
use super::settle::Course;
use super::status::{self, Findings, Progress};
use super::stuck;
use crate::api::PreviewEnvironmentStatus;
use crate::api::baseline::LogRule;
use crate::api::conditions::{ConditionStatus, Observation, WANTED, find};
use crate::api::time::deleted_at;
use crate::clock::AGREED;
use crate::domain::environment::Source;
use crate::plan::Plan;

/// How long a watch may take to bring back what was just written; until then it is no proof of drift.
pub(super) const WATCH_LAG: Duration = Duration::from_secs(5);
/// How long counts alone wait at most until they are written to status.
const LONGEST_STATUS_PAUSE: Duration = Duration::from_secs(30);
/// How long they wait at least.
pub(super) const STATUS_PAUSE: Duration = Duration::from_secs(1);
/// How long something that needs a person is left alone before it is tried again.
pub(super) const STALLED_PAUSE: Duration = Duration::from_secs(60);

/// How often a lack of rights is tried again before a person has to see to it: with the pauses between, four seconds.
const PATIENCE: u32 = 4;

impl Pass<'_> {
    /// Writes down what is about to be applied, before anything is: a crash in between leaves nothing that nobody knows
    /// of. Costs nothing where the plan adds nothing.
    pub(super) async fn record_intent(&self, namespace: &str, plan: &Plan, recorded: &Recorded) -> Step<PreviewEnvironmentStatus> {
        let before = &recorded.status;
        let status = PreviewEnvironmentStatus {
            namespace: Some(namespace.to_owned()),
            inventory: recorded.inventory_with(plan),
            // None of them is up, so that nobody takes what is only meant for what is Ready.
            services: status::services_of(plan),
            ..before.clone()
        };
        let adds = !self.mending && (status.namespace != before.namespace || status.inventory.len() > before.inventory.len());
        if adds {
            let findings =
                Findings { environment: &self.environment, settled: &self.settled, progress: &Progress::Applied, before: &status };
            self.write(&status::status(&findings, self.now)).await?;
        }
        Ok(status)
    }

    /// Writes down that it has ended by itself, before anything of it is deleted: from then on nothing but something newer
    /// brings it back, even if it is not the same Baseline any more when the deletion goes on after a crash.
    pub(super) async fn record_lapse(&self) -> Step<()> {
        let progress = Progress::Removing(self.settled.wanted.message.clone());
        let before = &self.recorded.status;
        let findings = Findings { environment: &self.environment, settled: &self.settled, progress: &progress, before };
        self.write(&status::status(&findings, self.now)).await
    }

    /// Writes down why it is still there although nobody wants it, before that is tried again.
    pub(super) async fn record_removal_failure(&self, error: &RequestError) -> Step<()> {
        let before = &self.recorded.status;
        let progress = removal_failure(before, (&self.settled.wanted.message, error), self.now);
        let findings = Findings { environment: &self.environment, settled: &self.settled, progress: &progress, before };
        let after = status::status(&findings, self.now);
        if after == status::derived(before) {
            return Ok(());
        }
        match self.write(&after).await {
            // The object is gone, and its status with it.
            Err(error) if error.code() == Some(404) => Ok(()),
            other => other.map(|()| self.tell(&after)),
        }
    }

    /// Writes the status that follows, if it is new, and says when to come back.
    pub(super) async fn finish(&self, progress: Progress, mut before: PreviewEnvironmentStatus) -> Step<Action> {
        status::look_at_services(&mut before, &self.context.index);
        if let Some(count) = self.context.behind.of(&self.environment.uid) {
            before.behind = count;
        }
        let progress = availability::progress(progress, &before);
        let look = self.look_at_pods(&progress, &mut before).await;
        if rounds::names_what_is_gone(&before) {
            self.context.rounds.hurry(&self.environment.uid);
        }
        self.context.metrics.reconcile(self.baseline(), progress.label(), self.started.elapsed());
        if !matches!(progress, Progress::Failing(_)) {
            self.context.retries.forget(&self.environment.uid);
        }
        let findings = Findings { environment: &self.environment, settled: &self.settled, progress: &progress, before: &before };
        let mut after = status::status(&findings, self.now);
        let trouble = self.context.healing.trouble(&self.environment.uid, self.now);
        let dated = |said: &Observation| said.clone().dated(&before.conditions, self.environment.generation, self.now);
        after.conditions.extend(trouble.as_ref().map(|(said, _)| dated(said)));
        let status_pause = self.status_pause(&before);
        let recent = self.recorded.written_at.is_some_and(|at| age(at, self.now) < status_pause);
        // What this pass wrote on its way counts too.
        let known = status::derived(&self.context.memory.recall(self.object).status);
        let next = [
            look,
            trouble.map(|(_, over_at)| over_at),
            self.settled.expires_at,
            self.settled.again_at,
            availability::next_end(&before.images, self.now),
            // What is over by then may end.
            (!self.context.clock.is_sure()).then(|| self.now + AGREED),
        ];
        let mut pause = self.pause(&progress, next.into_iter().flatten().min());
        if after != known && recent && !status::is_worth_a_write(&known, &after) {
            pause = pause.min(status_pause);
        } else if after != known {
            match self.write(&after).await {
                // The object is gone, and its status with it.
                Err(error) if error.code() == Some(404) => {}
                other => other?,
            }
            self.tell(&after);
            self.trace_end(&progress, &after);
        }
        Ok(Action::requeue(pause))
    }

    /// Counts and tells what has happened, once it is written down: a pass that repeats it finds it there. What was up and is
    /// not any more may miss something.
    fn tell(&self, after: &PreviewEnvironmentStatus) {
        let (before, asked) = (&self.recorded.status, self.environment.asked_at().map(|at| age(at, self.now)));
        let happened = happened(before, after);
        for happened in &happened {
            self.count(*happened, asked);
        }
        for told in events::of_environment(&happened, (before, after), asked) {
            self.context.events.tell(self.object.object_ref(&()), told);
        }
    }

    fn count(&self, happened: Happened, asked: Option<Duration>) {
        let metrics = &self.context.metrics;
        match (happened, asked) {
            (Happened::Applied { .. }, Some(asked)) => metrics.applied(self.baseline(), asked),
            (Happened::Ready { again: false }, Some(asked)) => metrics.ready(self.baseline(), asked),
            (Happened::Degraded, _) => self.context.rounds.hurry(&self.environment.uid),
            (Happened::Removed, _) => metrics.deletion(self.baseline(), self.settled.wanted.reason),
            _ => {}
        }
    }

    /// The Baseline, for metrics.
    pub(super) fn baseline(&self) -> (&str, &str) {
        (&self.environment.baseline_namespace, &self.environment.baseline)
    }

    /// What the pods of workloads say that are not ready for some time, and when to look at them again.
    async fn look_at_pods(&self, progress: &Progress, status: &mut PreviewEnvironmentStatus) -> Option<DateTime<Utc>> {
        match progress {
            Progress::Applied | Progress::Waiting("ImageMissing", _) | Progress::Stalled("ImageMissing", _) => {
                let who = (&self.context.client, self.environment.uid.as_str());
                let late = Late::of(status, &self.context.index, self.now);
                self.context.pods.explain(who, status, (&late, self.may_quote_logs()), self.now).await
            }
            _ => None,
        }
    }

    /// Whether what services log may be shown where the pull request is: what is in status ends up there.
    fn may_quote_logs(&self) -> bool {
        let environment = &self.environment;
        let Some(baseline) = self.context.baselines.get(&environment.baseline_namespace, &environment.baseline) else { return false };
        let is_private = |s: &Source| baseline.repository_by(s.forge, s.repository_id, &s.repository).is_some_and(|r| r.private);
        match baseline.feedback.logs {
            LogRule::Never => false,
            LogRule::Always => true,
            LogRule::PrivateRepositories => environment.sources.iter().all(is_private),
        }
    }

    pub(super) async fn write(&self, status: &PreviewEnvironmentStatus) -> Step<()> {
        requests::apply_status(&self.context.client, self.object, &status::to_value(status)).await?;
        self.context.memory.remember(&self.environment.uid, status, self.context.clock.now());
        Ok(())
    }

    /// Whether a refusal may be over in a moment: an API server that has just started knows no RoleBindings for a second or
    /// two. One that stalled before has had its chance.
    pub(super) fn has_patience(&self, error: &RequestError) -> bool {
        let tries = self.context.retries.failures(&self.environment.uid);
        error.lacks_rights() && !self.was_stalled() && tries < PATIENCE
    }

    /// What holds the end of these namespaces up, once it takes long: a GET of each with each look.
    pub(super) async fn held_up(&self, names: &[String]) -> Option<String> {
        if !is_overdue(&self.recorded.status, self.now) {
            return None;
        }
        let mut all = Vec::new();
        for name in names {
            // Without an answer there is nothing to say, and the next look asks again.
            let Ok(Some(namespace)) = requests::get_whole_namespace(&self.context.client, name).await else { continue };
            if deleted_at(&namespace).is_some_and(|since| age(since, self.now) >= stuck::PATIENCE) {
                let left = |remaining: &stuck::Remaining| self.context.index.names_of(name, &remaining.plural, &remaining.group);
                all.extend(stuck::why(&namespace, (&self.environment.baseline_namespace, self.environment.name.as_str()), left));
            }
        }
        (!all.is_empty()).then(|| all.join("; "))
    }

    pub(super) fn with_patience(&self, progress: Progress, applied: &Applied) -> Progress {
        match progress {
            Progress::Stalled("ApplyRefused", why) if applied.failures.iter().all(|f| self.has_patience(f)) => Progress::Failing(why),
            other => other,
        }
    }

    /// Counts move fast at first and slowly later, and are written in step with that.
    fn status_pause(&self, status: &PreviewEnvironmentStatus) -> Duration {
        status.applied_at.map_or(STATUS_PAUSE, |at| age(at, self.now)).clamp(STATUS_PAUSE, LONGEST_STATUS_PAUSE)
    }

    /// When to come back, and in any case at the next moment at which something changes.
    fn pause(&self, progress: &Progress, next: Option<DateTime<Utc>>) -> Duration {
        let until_next = next.and_then(|at| (at - self.now).to_std().ok());
        let own = match progress {
            Progress::Failing(_) => self.context.retries.next(&self.environment.uid),
            Progress::Removed | Progress::Kept(_) if self.settled.course == Course::Remove => WATCH_LAG,
            // No watch tells of a namespace that is kept.
            Progress::Stalled(..) | Progress::Stuck(_) | Progress::Kept(_) => STALLED_PAUSE,
            Progress::Waiting("Resetting", _) => STATUS_PAUSE,
            Progress::Waiting("BaselineNotRead" | "NamespaceTerminating" | "NamespaceGone" | "HostTaken", _) => WATCH_LAG,
            Progress::Removing(_) => WATCH_LAG * 2,
            Progress::Applied if !self.watch_is_current() => WATCH_LAG,
            Progress::Applied if self.is_drifted() => self.context.healing.wait(&self.environment.uid, self.now).unwrap_or(WATCH_LAG),
            Progress::Applied | Progress::Waiting(..) | Progress::Removed => Duration::from_secs(3600),
        };
        // A second more than the exact moment, so that the next pass finds it past.
        until_next.map_or(own, |next| own.min(next + Duration::from_secs(1)))
    }
}

/// Whether taking it down takes longer than it should.
fn is_overdue(status: &PreviewEnvironmentStatus, now: DateTime<Utc>) -> bool {
    let unwanted = find(&status.conditions, WANTED).filter(|c| c.status == ConditionStatus::False);
    unwanted.is_some_and(|c| age(c.last_transition_time, now) >= stuck::PATIENCE)
}

/// How far one is that cannot be taken down just now. A moment later it mostly can.
fn removal_failure(before: &PreviewEnvironmentStatus, (wanted, error): (&str, &RequestError), now: DateTime<Utc>) -> Progress {
    let why = format!("{wanted}: {error}");
    if is_overdue(before, now) { Progress::Stuck(why) } else { Progress::Removing(why) }
}

/// What applying a plan came to.
pub(super) fn progress_of(plan: &Plan, applied: &Applied) -> Progress {
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

/// How long ago something was.
pub(super) fn age(since: DateTime<Utc>, now: DateTime<Utc>) -> Duration {
    (now - since).to_std().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(code: u16, what: &str) -> RequestError {
        RequestError::Answered { what: what.to_owned(), code, message: "no".to_owned() }
    }

    fn progress(failures: Vec<RequestError>, stalled: &[&str]) -> Progress {
        let plan = Plan { stalled: stalled.iter().map(|s| (*s).to_owned()).collect(), ..Plan::default() };
        progress_of(&plan, &Applied { failures, ..Applied::default() })
    }

    #[test]
    fn what_may_pass_is_tried_again_before_a_person_is_asked() {
        assert_eq!(progress(vec![], &[]), Progress::Applied);
        let both = progress(vec![failure(403, "apply b"), failure(503, "apply a")], &["refused"]);
        assert_eq!(both, Progress::Failing("cannot apply a: no".into()));
        let refused = progress(vec![failure(422, "apply b"), failure(403, "apply a")], &["refused"]);
        assert_eq!(refused, Progress::Stalled("ApplyRefused", "cannot apply a: no; cannot apply b: no".into()));
        assert_eq!(progress(vec![], &["refused"]), Progress::Stalled("Refused", "refused".into()));
    }

    #[test]
    fn what_cannot_be_taken_down_says_so_and_after_a_minute_that_it_is_stuck() {
        let now = Utc::now();
        let error = RequestError::Answered { what: "delete namespace n".into(), code: 500, message: "failed calling webhook".into() };
        let why = "acme/web#42 was closed: cannot delete namespace n: failed calling webhook".to_owned();
        for (wanted, seconds, stuck) in [(true, 600, false), (false, 59, false), (false, 60, true)] {
            let since = now - chrono::TimeDelta::seconds(seconds);
            let wanted = Observation::new(WANTED, wanted, "Closed", "").dated(&[], None, since);
            let status = PreviewEnvironmentStatus { conditions: vec![wanted], ..PreviewEnvironmentStatus::default() };
            let expected = if stuck { Progress::Stuck(why.clone()) } else { Progress::Removing(why.clone()) };
            assert_eq!(removal_failure(&status, ("acme/web#42 was closed", &error), now), expected, "{seconds}");
        }
    }

    #[test]
    fn a_moment_that_is_to_come_is_not_long_ago() {
        let now = Utc::now();
        assert_eq!(age(now + chrono::TimeDelta::seconds(5), now), Duration::ZERO);
        assert_eq!(age(now - chrono::TimeDelta::seconds(5), now), Duration::from_secs(5));
    }
}
