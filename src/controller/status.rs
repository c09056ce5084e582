//! Step 5 of 5, status: what is so, in conditions for scripts and a phase for people. No client, no clock, no logging.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::availability;
use super::hooks;
use super::index::{Index, workload_key};
use super::settle::{Course, Settled};
use crate::api::PreviewEnvironmentStatus;
use crate::api::conditions::{
    ConditionStatus, FEEDBACK_DELIVERED, HOOKS_SUCCEEDED, LOOKED_UP, NAMESPACE_KEPT, Observation, PROGRESSING, REACHABLE, READY, STALLED,
};
use crate::api::status::{HookState, HookStatus, ImageOrigin, LeftOut, Moved, Queue, ServiceStatus, Summary};
use crate::domain::Environment;
use crate::plan::{Decision, LeftOutReason, Plan, Workload};

/// As many workloads are named that moved on with a push.
const MOVED_MAX: usize = 20;

/// The reason of the conditions where an environment is being taken down and something holds that up.
const STUCK: &str = "StuckRemoving";

/// Every phase there is.
pub const PHASES: [&str; 9] = ["Pending", "Queued", "Waiting", "Creating", "Updating", "Ready", "Stalled", "Removing", "Removed"];

/// How far a reconcile came.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// Everything planned is applied; the workloads tell the rest.
    Applied,
    /// It goes on when something else has happened.
    Waiting(&'static str, String),
    /// It is tried again soon.
    Failing(String),
    /// A person has to change something first. What could be done is done.
    Stalled(&'static str, String),
    /// The environment is being taken down.
    Removing(String),
    /// The same, and something holds it up.
    Stuck(String),
    /// Nothing of the environment is left but a namespace that is not provably its own any more.
    Kept(String),
    /// Nothing of the environment is left.
    Removed,
}

impl Progress {
    /// One word, for metrics.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Waiting(..) => "waiting",
            Self::Failing(_) => "failing",
            Self::Stalled(..) => "stalled",
            Self::Removing(_) | Self::Stuck(_) => "removing",
            Self::Kept(_) | Self::Removed => "removed",
        }
    }
}

/// Everything that a status follows from.
pub struct Findings<'a> {
    /// The environment.
    pub environment: &'a Environment,
    /// What is wanted of it.
    pub settled: &'a Settled,
    /// How far we came.
    pub progress: &'a Progress,
    /// The status before, with what this reconcile recorded in it.
    pub before: &'a PreviewEnvironmentStatus,
}

/// The part of a status that the controller derives, without what other field managers hold.
pub fn derived(status: &PreviewEnvironmentStatus) -> PreviewEnvironmentStatus {
    let mut derived = PreviewEnvironmentStatus { lookup: None, feedback: None, probe: None, commands: Vec::new(), ..status.clone() };
    derived.conditions.retain(|c| ![LOOKED_UP, FEEDBACK_DELIVERED, REACHABLE].contains(&c.type_.as_str()));
    derived
}

/// The same as JSON, for a server-side apply.
pub fn to_value(status: &PreviewEnvironmentStatus) -> Value {
    serde_json::to_value(derived(status)).unwrap_or_default()
}

/// The status that follows.
pub fn status(findings: &Findings<'_>, now: DateTime<Utc>) -> PreviewEnvironmentStatus {
    let Findings { environment, settled, progress, before } = findings;
    let mut observations = vec![settled.wanted.clone(), ready(progress, before), progressing(progress, before), stalled(progress)];
    observations.extend(settled.approved.clone());
    observations.extend(availability::observation(&before.images));
    observations.extend(hooks_succeeded(&before.hooks));
    let conditions = observations.into_iter().map(|o| o.dated(&before.conditions, environment.generation, now)).collect();
    let ready = matches!(progress, Progress::Applied) && unready(before).is_empty();
    PreviewEnvironmentStatus {
        observed_generation: environment.generation,
        phase: Some(phase(findings, ready).to_owned()),
        summary: Some(summary(environment, before)),
        ready_revision: if ready { before.revision.clone() } else { before.ready_revision.clone() },
        expires_at: settled.expires_at,
        started_at: settled.started_at,
        lapsed: settled.lapsed.clone(),
        queue: settled.queue.clone().or_else(|| kept_place(findings)),
        pinned: settled.pinned,
        ended_at: settled.ended_at,
        trusted: match settled.course {
            Course::Run => settled.trusted.clone(),
            Course::Wait => before.trusted.clone(),
            Course::TakeDown | Course::Remove => None,
        },
        conditions,
        ..derived(before)
    }
}

/// The place in the queue of one that nothing can be decided of just now, such as while its Baseline cannot be used: it has
/// waited since then.
fn kept_place(findings: &Findings<'_>) -> Option<Queue> {
    let Findings { settled, before, .. } = findings;
    before.queue.clone().filter(|_| settled.course == Course::Wait && before.namespace.is_none())
}

fn summary(environment: &Environment, before: &PreviewEnvironmentStatus) -> Summary {
    let source = environment.main_source();
    let target = environment.wish.as_ref().and_then(|w| w.target.as_ref());
    let wished = target.map(|t| match (t.pull, &t.branch) {
        (Some(number), _) => format!("{}#{number}", t.repository),
        (None, branch) => format!("{}@{}", t.repository, branch.as_deref().unwrap_or_default()),
    });
    Summary {
        source: source.map(crate::domain::environment::Source::display).or(wished),
        revision: source.map(|s| s.revision.short().to_owned()),
        url: before.urls.first().map(|u| u.url.clone()),
    }
}

fn unready(status: &PreviewEnvironmentStatus) -> Vec<&ServiceStatus> {
    status.services.iter().filter(|s| !s.ready).collect()
}

fn ready(progress: &Progress, before: &PreviewEnvironmentStatus) -> Observation {
    let all = before.services.len();
    let waiting = unready(before);
    let up = all - waiting.len();
    match progress {
        Progress::Applied if waiting.is_empty() => Observation::new(READY, true, "Ready", format!("{up} of {all} services are up")),
        Progress::Applied => {
            let reasons: Vec<String> =
                waiting.iter().take(5).map(|s| format!("{}: {}", s.name, s.reason.as_deref().unwrap_or("not ready"))).collect();
            Observation::new(READY, false, "NotReady", format!("{up} of {all} services are up; {}", reasons.join("; ")))
        }
        Progress::Stalled(reason, message) | Progress::Waiting(reason, message) => Observation::new(READY, false, reason, message.clone()),
        Progress::Failing(message) => Observation::new(READY, false, "Failing", message.clone()),
        Progress::Removing(message) => Observation::new(READY, false, "Removing", message.clone()),
        Progress::Stuck(message) => Observation::new(READY, false, STUCK, message.clone()),
        Progress::Kept(message) => Observation::new(READY, false, NAMESPACE_KEPT, message.clone()),
        Progress::Removed => Observation::new(READY, false, "Removed", "nothing of it is left"),
    }
}

fn progressing(progress: &Progress, before: &PreviewEnvironmentStatus) -> Observation {
    match progress {
        Progress::Applied if unready(before).is_empty() => Observation::new(PROGRESSING, false, "Done", "everything is as planned"),
        Progress::Applied => Observation::new(PROGRESSING, true, "Starting", "the workloads are starting"),
        Progress::Waiting(reason, message) => Observation::new(PROGRESSING, ConditionStatus::Unknown, reason, message.clone()),
        Progress::Failing(message) => Observation::new(PROGRESSING, true, "Retrying", message.clone()),
        Progress::Stalled(reason, message) => Observation::new(PROGRESSING, false, reason, message.clone()),
        Progress::Removing(message) => Observation::new(PROGRESSING, true, "Removing", message.clone()),
        Progress::Stuck(message) => Observation::new(PROGRESSING, true, STUCK, message.clone()),
        Progress::Kept(message) => Observation::new(PROGRESSING, false, NAMESPACE_KEPT, message.clone()),
        Progress::Removed => Observation::new(PROGRESSING, false, "Removed", "nothing of it is left"),
    }
}

fn stalled(progress: &Progress) -> Observation {
    match progress {
        Progress::Stalled(reason, message) => Observation::new(STALLED, true, reason, message.clone()),
        Progress::Stuck(message) => Observation::new(STALLED, true, STUCK, message.clone()),
        Progress::Kept(message) => Observation::new(STALLED, true, NAMESPACE_KEPT, message.clone()),
        _ => Observation::new(STALLED, false, "GoingOn", ""),
    }
}

/// What became of the hooks, where there are any.
fn hooks_succeeded(records: &[HookStatus]) -> Option<Observation> {
    let first = |state| records.iter().find(|r| r.state == state).map(|r| r.name.as_str());
    let failed: Vec<String> = records.iter().filter(|r| r.state == HookState::Failed).map(hooks::failure).collect();
    let observation = |status: ConditionStatus, reason, message| Some(Observation::new(HOOKS_SUCCEEDED, status, reason, message));
    if records.is_empty() {
        None
    } else if !failed.is_empty() {
        observation(ConditionStatus::False, "HookFailed", failed.join("; "))
    } else if let Some(name) = first(HookState::Running) {
        observation(ConditionStatus::Unknown, "HookRunning", format!("hook {name} is running"))
    } else if let Some(name) = first(HookState::Waiting) {
        observation(ConditionStatus::Unknown, "HookWaiting", format!("hook {name} has yet to run"))
    } else {
        observation(ConditionStatus::True, "Succeeded", "every hook that had to run did".to_owned())
    }
}

fn phase(findings: &Findings<'_>, ready: bool) -> &'static str {
    let Findings { settled, progress, before, .. } = findings;
    match progress {
        Progress::Applied if ready => "Ready",
        Progress::Applied | Progress::Failing(_) if before.ready_revision.is_some() => "Updating",
        Progress::Applied | Progress::Failing(_) => "Creating",
        Progress::Stalled(..) => "Stalled",
        Progress::Waiting(..) if settled.queue.is_some() => "Queued",
        Progress::Waiting(..) if settled.course == Course::Wait => "Pending",
        Progress::Waiting(..) => "Waiting",
        Progress::Removing(_) | Progress::Stuck(_) => "Removing",
        Progress::Removed if matches!(settled.wanted.reason, "Draft" | "Bot" | "NotTriggered" | "Triggered" | "Wished") => "Waiting",
        Progress::Removed | Progress::Kept(_) => "Removed",
    }
}

/// The services of a plan, not looked at yet.
pub fn services_of(plan: &Plan) -> Vec<ServiceStatus> {
    let service = |w: &Workload| ServiceStatus {
        kind: w.object.kind.clone(),
        name: w.object.name.clone(),
        image: w.image.clone(),
        from: w.from,
        ready: false,
        reason: None,
        log: None,
        waits_for: w.waits_for.clone(),
    };
    plan.workloads.iter().map(service).collect()
}

/// The workloads whose image is another one than before although the branch does not build it. With a new revision they are
/// counted anew; what moves while it runs is added.
pub fn moved(before: &PreviewEnvironmentStatus, plan: &Plan, revision: &str) -> Moved {
    let image = |w: &Workload| {
        let same = |s: &&ServiceStatus| s.kind == w.object.kind && s.name == w.object.name && s.from == w.from;
        before.services.iter().find(same).map(|s| s.image.as_str()).filter(|image| !image.is_empty())
    };
    let others = plan.workloads.iter().filter(|w| w.from == ImageOrigin::Baseline);
    let now = others.filter(|w| image(w).is_some_and(|before| before != w.image)).map(|w| w.object.name.clone());
    let kept = before.moved.iter().filter(|m| m.revision == revision).flat_map(|m| &m.services);
    let mut services: Vec<String> = now.chain(kept.cloned()).collect();
    services.sort();
    services.dedup();
    services.truncate(MOVED_MAX);
    Moved { revision: revision.to_owned(), services }
}

/// Each service as the watches last saw it. A workload counts only once a watch saw it as it was last applied.
pub fn look_at_services(status: &mut PreviewEnvironmentStatus, index: &Index) {
    let namespace = status.namespace.clone().unwrap_or_default();
    for service in &mut status.services {
        let applied = status.inventory.iter().find(|e| e.kind == service.kind && e.name == service.name).and_then(|e| e.hash.as_ref());
        let seen = workload_key(&service.kind, &service.name).and_then(|key| index.workload(&namespace, &key));
        (service.ready, service.reason) = match seen {
            // Whatever runs there is not what it is to run.
            _ if service.waits_for.is_some() => (false, Some("waits for its image".to_owned())),
            Some(seen) if applied.is_some() && seen.applied_hash.as_ref() == applied => (seen.ready, seen.reason),
            _ => (false, Some("being applied".to_owned())),
        };
        if service.ready {
            service.log = None;
        }
    }
}

/// What of the baseline is not in the environment, each object once. What Kubernetes or another object makes there
/// anyway is not missing.
pub fn left_out_of(plan: &Plan) -> Vec<LeftOut> {
    let mut seen = HashSet::new();
    let left_out = |decision: &Decision| match decision {
        Decision::LeftOut { object, reason } if is_missing(reason) => {
            Some(LeftOut { kind: object.kind.clone(), name: object.name.clone(), why: decision.why() })
        }
        Decision::LeftOut { .. } | Decision::Kept(_) | Decision::Noted { .. } | Decision::Changed { .. } | Decision::Added { .. } => None,
    };
    plan.decisions.iter().filter_map(left_out).filter(|l| seen.insert((l.kind.clone(), l.name.clone()))).collect()
}

fn is_missing(reason: &LeftOutReason) -> bool {
    !matches!(reason, LeftOutReason::MadeByKubernetes | LeftOutReason::MadeBy(_))
}

/// Whether a change of status is worth a write at once. What is left are counts and reasons that move while workloads
/// start, and an end that moves by as long as it took to begin: a write a second can tell these as well.
pub fn is_worth_a_write(before: &PreviewEnvironmentStatus, after: &PreviewEnvironmentStatus) -> bool {
    let end = before.expires_at.zip(after.expires_at);
    let moves = end.is_none_or(|(before, after)| (after - before).abs() >= TimeDelta::minutes(1));
    let essence = |status: &PreviewEnvironmentStatus| {
        let mut status = derived(status);
        status.expires_at = status.expires_at.filter(|_| moves);
        for service in &mut status.services {
            (service.ready, service.reason) = (false, None);
        }
        for condition in &mut status.conditions {
            condition.message.clear();
        }
        status
    };
    essence(before) != essence(after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::conditions::{WANTED, find, is_true};
    use crate::controller::index::WorkloadState;
    use crate::domain::EnvironmentName;

    fn environment() -> Environment {
        Environment {
            name: EnvironmentName::recorded("web-pr-42"),
            baseline_namespace: "shop".into(),
            baseline: "shop".into(),
            uid: "u-1".into(),
            generation: Some(3),
            created_at: None,
            deleted: false,
            sources: vec![],
            wish: None,
            refresh: None,
            commands: vec![],
            activity: None,
            approval: None,
            ttl: None,
            extended_until: None,
            pinned: false,
            timeless: false,
            images: vec![],
        }
    }

    fn settled(course: Course, reason: &'static str) -> Settled {
        Settled {
            course,
            wanted: Observation::new(WANTED, true, reason, ""),
            approved: None,
            trusted: None,
            expires_at: None,
            started_at: None,
            lapsed: None,
            queue: None,
            again_at: None,
            pinned: None,
            ended_at: None,
        }
    }

    fn with_service(ready: bool) -> PreviewEnvironmentStatus {
        let service = ServiceStatus {
            kind: "Deployment".into(),
            name: "web".into(),
            image: "acme/web:1".into(),
            from: ImageOrigin::Branch,
            ready,
            reason: (!ready).then(|| "0 of 1 replicas are ready".into()),
            log: None,
            waits_for: None,
        };
        PreviewEnvironmentStatus { services: vec![service], revision: Some("new".into()), ..Default::default() }
    }

    fn after(before: &PreviewEnvironmentStatus, progress: &Progress) -> PreviewEnvironmentStatus {
        let (environment, settled) = (environment(), settled(Course::Run, "Triggered"));
        status(&Findings { environment: &environment, settled: &settled, progress, before }, DateTime::UNIX_EPOCH)
    }

    #[test]
    fn it_is_ready_when_its_workloads_are() {
        let status = after(&with_service(true), &Progress::Applied);
        assert_eq!((status.phase.as_deref(), is_true(&status.conditions, READY)), (Some("Ready"), true));
        assert_eq!(status.ready_revision.as_deref(), Some("new"));
    }

    #[test]
    fn it_is_updating_only_after_it_was_ready() {
        let first = after(&with_service(false), &Progress::Applied);
        assert_eq!((first.phase.as_deref(), first.ready_revision.as_deref()), (Some("Creating"), None));
        let before = PreviewEnvironmentStatus { ready_revision: Some("old".into()), ..with_service(false) };
        let second = after(&before, &Progress::Applied);
        assert_eq!((second.phase.as_deref(), second.ready_revision.as_deref()), (Some("Updating"), Some("old")));
        assert!(find(&second.conditions, READY).unwrap().message.contains("web: 0 of 1"));
    }

    #[test]
    fn a_workload_counts_once_it_was_seen_as_applied() {
        let index = Index::default();
        let state = |hash: &str| WorkloadState { applied_hash: Some(hash.into()), ready: true, ..WorkloadState::default() };
        let mut status = with_service(false);
        status.namespace = Some("ns".into());
        let entry = |hash: &str| crate::api::status::InventoryEntry {
            api_version: "apps/v1".into(),
            kind: "Deployment".into(),
            name: "web".into(),
            hash: Some(hash.into()),
            source: None,
        };
        status.inventory = vec![entry("new")];
        index.put_workload("ns", ("Deployment", "web".into()), state("old"));
        look_at_services(&mut status, &index);
        assert!(!status.services[0].ready, "the old pods are ready, not what was just applied");
        index.put_workload("ns", ("Deployment", "web".into()), state("new"));
        look_at_services(&mut status, &index);
        assert!(status.services[0].ready);
    }

    #[test]
    fn what_moves_although_the_branch_does_not_build_it_is_counted_for_each_push() {
        let workload = |name: &str, image: &str, from| Workload {
            object: crate::plan::ObjectName { api_version: "apps/v1".into(), kind: "Deployment".into(), name: name.into() },
            image: image.into(),
            from,
            replicas: 1,
            waits_for: None,
        };
        let plan = |web: &str, api: &str| Plan {
            workloads: vec![workload("web", web, ImageOrigin::Branch), workload("api", api, ImageOrigin::Baseline)],
            ..Plan::default()
        };
        let recorded = |plan: &Plan, moved| PreviewEnvironmentStatus { services: services_of(plan), moved, ..Default::default() };
        let (old, new) = (plan("web:1", "api:1"), plan("web:2", "api:2"));
        assert!(moved(&recorded(&Plan::default(), None), &old, "a").services.is_empty(), "what is new did not move");
        let first = moved(&recorded(&old, None), &new, "b");
        assert_eq!(first.services, ["api"]);
        let again = moved(&recorded(&new, Some(first)), &new, "b");
        assert_eq!(again.services, ["api"], "another pass over the same push");
        assert!(moved(&recorded(&new, Some(again)), &new, "c").services.is_empty(), "another push");
    }

    #[test]
    fn what_waits_for_a_place_says_which_and_every_move_is_worth_a_write() {
        let place = |position| Queue { position, of: 3, since: DateTime::UNIX_EPOCH, why: "shop runs 20 of 20 previews".into() };
        let after = |queue: Queue| {
            let settled = settled(Course::Run, "Triggered").queued(queue);
            let awaited = settled.awaits();
            let progress = Progress::Waiting(awaited.reason, awaited.message);
            let findings = Findings {
                environment: &environment(),
                settled: &settled,
                progress: &progress,
                before: &PreviewEnvironmentStatus::default(),
            };
            status(&findings, DateTime::UNIX_EPOCH)
        };
        let (second, first) = (after(place(2)), after(place(1)));
        assert_eq!((second.phase.as_deref(), second.queue.as_ref().map(|q| q.position)), (Some("Queued"), Some(2)));
        let ready = find(&second.conditions, READY).unwrap();
        assert_eq!((ready.reason.as_str(), ready.message.as_str()), ("Queued", "shop runs 20 of 20 previews"));
        assert!(is_true(&second.conditions, WANTED), "it is wanted all the same");
        assert!(is_worth_a_write(&second, &first) && !is_worth_a_write(&second, &second.clone()));
    }

    #[test]
    fn counts_alone_are_not_worth_a_write_at_once() {
        let before = after(&with_service(false), &Progress::Applied);
        let mut moved = before.clone();
        moved.services[0].reason = Some("other".into());
        assert!(!is_worth_a_write(&before, &moved));
        assert!(is_worth_a_write(&before, &after(&with_service(true), &Progress::Applied)));
    }

    #[test]
    fn an_end_that_hardly_moves_is_not_worth_a_write_at_once() {
        let ends = |second| PreviewEnvironmentStatus {
            expires_at: DateTime::from_timestamp(second, 0),
            ..after(&with_service(false), &Progress::Applied)
        };
        assert!(!is_worth_a_write(&ends(1_000), &ends(1_059)) && !is_worth_a_write(&ends(1_059), &ends(1_000)));
        assert!(is_worth_a_write(&ends(1_000), &ends(1_060)));
        assert!(is_worth_a_write(&ends(1_000), &PreviewEnvironmentStatus { expires_at: None, ..ends(1_000) }));
    }
}
