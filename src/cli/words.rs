//! What an environment's conditions mean, in words. Pure.

use chrono::{DateTime, Utc};
use kube::ResourceExt;

use super::errors::{Exit, Failure};
use super::output::span;
use crate::api::conditions::{self, Condition, ConditionStatus};
use crate::api::environment::WishState;
use crate::api::gaps::PlanSummary;
use crate::api::status::{HookState, HookStatus, ImageOrigin, ServiceStatus};
use crate::api::{PreviewEnvironment, PreviewEnvironmentStatus};
use crate::domain::Environment;

/// Where an environment stands, for one who waits until it is ready.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It gets there by itself, or nobody knows better yet.
    Waiting,
    /// It is ready.
    Ready,
    /// It does not get there by itself.
    Cannot(Failure),
}

/// Judges an environment. `generation` is that of the spec that was asked for; a status of an earlier one says nothing.
pub fn judge(environment: &PreviewEnvironment, generation: i64) -> Verdict {
    if environment.metadata.deletion_timestamp.is_some() {
        return Verdict::Cannot(refused(environment, "was deleted while it was waited for"));
    }
    let Some(status) = &environment.status else { return Verdict::Waiting };
    if let Some(failure) = lookup_failure(environment, status, generation) {
        return Verdict::Cannot(failure);
    }
    if unanswered(environment) || status.observed_generation.is_none_or(|seen| seen < generation) {
        return Verdict::Waiting;
    }
    if let Some(failure) = refusal(environment, status) {
        return Verdict::Cannot(failure);
    }
    let current = status.observed_generation == environment.metadata.generation;
    if current && conditions::is_true(&status.conditions, conditions::READY) { Verdict::Ready } else { Verdict::Waiting }
}

fn refused(environment: &PreviewEnvironment, why: &str) -> Failure {
    let failure = Failure::new(Exit::CannotBeReady, format!("{} {why}", environment.name_any()));
    next_steps(environment).into_iter().fold(failure, Failure::next)
}

/// A look-up carries a generation of its own, since it is written apart from the rest.
fn lookup_failure(environment: &PreviewEnvironment, status: &PreviewEnvironmentStatus, generation: i64) -> Option<Failure> {
    let condition = find(status, conditions::LOOKED_UP, ConditionStatus::False)?;
    let current = condition.observed_generation.is_none_or(|seen| seen >= generation);
    let exit = match condition.reason.as_str() {
        "NotFound" => Exit::NotFound,
        "Refused" => Exit::CannotBeReady,
        _ => return None,
    };
    let failure = Failure { exit, ..refused(environment, &format!("cannot be made: {}", sentence(condition))) };
    current.then_some(failure)
}

fn refusal(environment: &PreviewEnvironment, status: &PreviewEnvironmentStatus) -> Option<Failure> {
    let of = |type_, value| find(status, type_, value);
    if let Some(condition) = of(conditions::WANTED, ConditionStatus::False).filter(|c| c.reason != "LookingUp") {
        return Some(refused(environment, &format!("is not wanted: {}", sentence(condition))));
    }
    if let Some(condition) = of(conditions::APPROVED, ConditionStatus::False) {
        return Some(refused(environment, &format!("does not run: {}", sentence(condition))));
    }
    let condition = of(conditions::STALLED, ConditionStatus::True)?;
    Some(refused(environment, &format!("is stalled: {}", sentence(condition))))
}

fn find<'a>(status: &'a PreviewEnvironmentStatus, type_: &str, value: ConditionStatus) -> Option<&'a Condition> {
    conditions::find(&status.conditions, type_).filter(|c| c.status == value)
}

/// Whether the forge has not spoken yet of what the wish names.
fn unanswered(environment: &PreviewEnvironment) -> bool {
    Environment::try_from(environment).is_ok_and(|e| e.unanswered_target().is_some())
}

/// How far the removal of an environment is, as one short line.
pub fn removal(environment: &PreviewEnvironment, generation: i64) -> String {
    let Some(status) = seen(environment, generation) else { return NOT_SEEN.to_owned() };
    stuck(status).map_or_else(|| phase(environment), str::to_owned)
}

/// What holds up the end of one that does not go.
fn stuck(status: &PreviewEnvironmentStatus) -> Option<&str> {
    let ready = find(status, conditions::READY, ConditionStatus::False)?;
    ["StuckRemoving", conditions::NAMESPACE_KEPT].contains(&ready.reason.as_str()).then_some(ready.message.as_str())
}

const NOT_SEEN: &str = "recorded; the service has yet to look";

/// The status, where it speaks of that generation; a look-up that is done is written before the rest.
fn seen(environment: &PreviewEnvironment, generation: i64) -> Option<&PreviewEnvironmentStatus> {
    environment.status.as_ref().filter(|status| {
        let looked_up = conditions::find(&status.conditions, conditions::LOOKED_UP).and_then(|c| c.observed_generation);
        status.observed_generation.max(looked_up).is_some_and(|seen| seen >= generation)
    })
}

/// Whether nothing of an unwanted environment is left in the cluster.
pub fn is_gone(environment: &PreviewEnvironment, generation: i64) -> bool {
    environment.status.as_ref().is_some_and(|status| {
        let seen = status.observed_generation.is_some_and(|seen| seen >= generation);
        seen && find(status, conditions::WANTED, ConditionStatus::False).is_some() && status.namespace.is_none()
    })
}

/// What an environment is doing about the spec of that generation, as one short line.
pub fn progress(environment: &PreviewEnvironment, generation: i64) -> String {
    let Some(status) = seen(environment, generation) else { return NOT_SEEN.to_owned() };
    if unanswered(environment) {
        let waits = find(status, conditions::LOOKED_UP, ConditionStatus::False).map(sentence);
        return waits.unwrap_or_else(|| format!("looking up {}", source(environment)));
    }
    if let Some(queue) = queue(environment) {
        return format!("in the queue, {queue}");
    }
    match conditions::find(&status.conditions, conditions::READY) {
        Some(ready) if ready.status != ConditionStatus::True && !ready.message.is_empty() => ready.message.clone(),
        _ if status.services.is_empty() => status.phase.clone().unwrap_or_else(|| "starting".to_owned()),
        _ => format!("{} services ready", ready_count(status).replace('/', " of ")),
    }
}

/// `11/12`: how many workloads are ready; nothing where there are none.
pub fn ready_count(status: &PreviewEnvironmentStatus) -> String {
    if status.services.is_empty() {
        return String::new();
    }
    let ready = status.services.iter().filter(|s| s.ready).count();
    format!("{ready}/{}", status.services.len())
}

/// `acme/web#42` or `acme/web@login`: as the service says it, else as it was asked for.
pub fn source(environment: &PreviewEnvironment) -> String {
    let suffix = |pull: Option<i64>, branch: Option<&str>| match pull {
        Some(number) => format!("#{number}"),
        None => format!("@{}", branch.unwrap_or_default()),
    };
    let summary = environment.status.as_ref().and_then(|s| s.summary.as_ref()?.source.clone());
    let spec = &environment.spec;
    let fact = spec.sources.first().map(|s| format!("{}{}", s.repository, suffix(s.pull, s.branch.as_deref())));
    let target = spec.wish.as_ref().and_then(|w| w.target.as_ref());
    let asked = target.map(|t| format!("{}{}", t.repository, suffix(t.pull, t.branch.as_deref())));
    summary.or(fact).or(asked).unwrap_or_default()
}

/// The phase that the service wrote, or that it wrote none yet.
pub fn phase(environment: &PreviewEnvironment) -> String {
    let Some(status) = &environment.status else { return "Recorded".to_owned() };
    let phase = status.phase.clone().unwrap_or_else(|| "Recorded".to_owned());
    match status.shown_queue() {
        Some(queue) => format!("{phase}, {}", ordinal(queue.position)),
        None => phase,
    }
}

/// Its place in the queue, and what it waits for.
pub fn queue(environment: &PreviewEnvironment) -> Option<String> {
    let queue = environment.status.as_ref()?.shown_queue()?;
    Some(format!("{} of {}: {}", ordinal(queue.position), queue.of, queue.why))
}

/// Whether its pin holds, where somebody asked for one.
pub fn pinned(environment: &PreviewEnvironment) -> Option<&'static str> {
    let holds = environment.status.as_ref()?.pinned?;
    Some(if holds { "yes" } else { "no: as many others are pinned as limits.pinned of the Baseline allows" })
}

/// `1st`, `2nd`, `3rd`, `4th`.
fn ordinal(n: i32) -> String {
    let ending = match (n % 10, n % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{n}{ending}")
}

/// When an environment is taken down, from now: `2d`, `now`, or nothing.
pub fn expires(environment: &PreviewEnvironment, now: DateTime<Utc>) -> String {
    let at = environment.status.as_ref().and_then(|s| s.expires_at);
    at.map_or_else(String::new, |at| if at <= now { "now".to_owned() } else { span((at - now).num_seconds()) })
}

/// A condition as a line: what is observed, whether it is so, and why.
pub fn condition_line(condition: &Condition, now: DateTime<Utc>) -> [String; 3] {
    let answer = match condition.status {
        ConditionStatus::True => "yes",
        ConditionStatus::False => "no",
        ConditionStatus::Unknown => "not known yet",
    };
    let since = span((now - condition.last_transition_time).num_seconds());
    [question(&condition.type_).to_owned(), format!("{answer}, for {since}"), sentence(condition)]
}

fn question(type_: &str) -> &str {
    match type_ {
        conditions::WANTED => "wanted",
        conditions::APPROVED => "may run",
        conditions::IMAGES_AVAILABLE => "images there",
        conditions::PROGRESSING => "being changed",
        conditions::READY => "ready",
        conditions::FEEDBACK_DELIVERED => "shown on the pull request",
        conditions::LOOKED_UP => "looked up",
        conditions::STALLED => "needs a person",
        conditions::HOOKS_SUCCEEDED => "hooks ran well",
        other => other,
    }
}

/// The condition's own sentence, else what its reason means.
fn sentence(condition: &Condition) -> String {
    if !condition.message.is_empty() {
        return condition.message.clone();
    }
    let known = match condition.reason.as_str() {
        "Triggered" => "the pull request is open",
        "Wished" => "somebody asked for it",
        "LookingUp" => "the service is asking the forge",
        "Closed" => "the pull request was closed",
        "Merged" => "the pull request was merged",
        "Gone" => "the pull request or branch is gone",
        "DeletedByWish" => "somebody took it down",
        "Expired" => "nothing happened for too long",
        "Evicted" => "it gave way to another one",
        "Closing" => "the pull request was closed, and its grace is not over",
        "Draft" => "the pull request is a draft",
        "NotTriggered" => "nothing asks for it",
        "Deleted" => "the object was deleted",
        "Fork" => "the pull request comes from a fork",
        "NotFound" => "the forge knows no such pull request or branch",
        "Refused" => "the forge refused to answer",
        "Unavailable" => "the forge does not answer",
        "GoingOn" => "",
        other => other,
    };
    known.to_owned()
}

/// Where a workload's image comes from.
pub fn origin(service: &ServiceStatus) -> &'static str {
    match service.from {
        ImageOrigin::Branch => "this branch",
        ImageOrigin::Baseline => "baseline",
        ImageOrigin::Override => "--image",
    }
}

/// How much of the baseline a plan takes over.
pub fn plan(plan: &PlanSummary) -> String {
    let PlanSummary { kept, changed, left_out, .. } = plan;
    format!("{} of {} objects: {kept} as they are, {changed} changed, {left_out} left out", kept + changed, kept + changed + left_out)
}

/// How the last Job of a hook is.
pub const fn hook_state(hook: &HookStatus) -> &'static str {
    match hook.state {
        HookState::Waiting => "has yet to run",
        HookState::Running => "running",
        HookState::Succeeded => "done",
        HookState::Failed => "failed",
        HookState::NotNeeded => "not needed in a new environment",
    }
}

/// How far an environment is behind its baseline, if it is.
pub fn behind(environment: &PreviewEnvironment) -> Option<String> {
    let count = environment.status.as_ref()?.behind;
    let objects = if count == 1 { "object" } else { "objects" };
    (count > 0).then(|| format!("{count} {objects} changed in the baseline; preview refresh {} brings it up", environment.name_any()))
}

/// What the reader can do about an environment, one line each, the most likely first.
pub fn next_steps(environment: &PreviewEnvironment) -> Vec<String> {
    let Some(status) = &environment.status else {
        return vec!["nothing has looked at it yet: is preview serve running in the cluster?".to_owned()];
    };
    if stuck(status).is_some() {
        return vec!["mend what is named above; it then goes by itself".to_owned()];
    }
    let create = create_command(environment);
    let no = |type_| find(status, type_, ConditionStatus::False).map(|c| c.reason.as_str());
    let step = match (no(conditions::LOOKED_UP), no(conditions::WANTED), no(conditions::APPROVED)) {
        (Some("NotFound"), ..) => "check its number or name on the forge, and that a branch is pushed".to_owned(),
        (Some("Refused"), ..) => "the service needs access to the repository: check its token or app installation".to_owned(),
        (Some("Unavailable"), ..) => "it is tried again by itself".to_owned(),
        (_, Some("Closed" | "Merged" | "Gone"), _) => {
            "reopen the pull request, or preview a branch: preview create --branch NAME".to_owned()
        }
        (_, Some("Draft"), _) => format!("mark it ready for review, or run {create}"),
        (_, Some(_), _) => format!("bring it back: {create}"),
        (_, _, Some("ForksDenied")) => "push the change to a branch of the repository itself and open a pull request from there".to_owned(),
        (_, _, Some(_)) => format!("look at the change, then let its commit run: preview approve {}", environment.name_any()),
        _ => return further_steps(environment, status),
    };
    vec![step]
}

fn further_steps(environment: &PreviewEnvironment, status: &PreviewEnvironmentStatus) -> Vec<String> {
    let name = environment.name_any();
    if conditions::is_true(&status.conditions, conditions::STALLED) {
        return vec!["mend what is named above; the service then goes on by itself".to_owned()];
    }
    if status.shown_queue().is_some() {
        return vec!["it starts by itself when it is its turn; preview list shows what runs".to_owned()];
    }
    let Some(namespace) = &status.namespace else { return Vec::new() };
    match status.services.iter().find(|s| !s.ready) {
        Some(service) => vec![
            format!("kubectl -n {namespace} describe {}/{}", service.kind.to_lowercase(), service.name),
            format!("preview logs {name} {}", service.name),
        ],
        None => vec![format!("preview delete {name} takes it down")],
    }
}

/// The command that asks for this environment.
pub fn create_command(environment: &PreviewEnvironment) -> String {
    let spec = &environment.spec;
    let fact = spec.sources.first().map(|s| (s.repository.as_str(), s.pull, s.branch.as_deref()));
    let target = spec.wish.as_ref().and_then(|w| w.target.as_ref());
    let asked = target.map(|t| (t.repository.as_str(), t.pull, t.branch.as_deref()));
    match fact.or(asked) {
        Some((repository, Some(pull), _)) => format!("preview create --repo {repository} --pull {pull}"),
        Some((repository, _, Some(branch))) => format!("preview create --repo {repository} --branch {branch}"),
        _ => "preview create".to_owned(),
    }
}

/// Whether a wish already asks for the environment to be gone.
pub fn unwished(environment: &PreviewEnvironment) -> bool {
    environment.standing_wish().is_some_and(|w| w.state == WishState::Absent)
}

/// What is not wanted is not there to be refreshed, extended or pinned.
pub fn refuse_what_is_gone(environment: &PreviewEnvironment) -> Result<(), Failure> {
    if environment.metadata.deletion_timestamp.is_none() && !unwished(environment) {
        return Ok(());
    }
    let failure = Failure::new(Exit::CannotBeReady, format!("{} was taken down", environment.name_any()));
    Err(failure.next(format!("this brings it back, as the baseline is now: {}", create_command(environment))))
}

/// Whether it has expired or given way, which nothing undoes but a push, a comment or a wish.
pub fn is_over(environment: &PreviewEnvironment) -> bool {
    environment.status.as_ref().is_some_and(|status| status.lapsed.is_some())
}

/// A time as people read it, with how long that is from now.
pub fn moment(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let left = (at - now).num_seconds();
    let left = if left > 0 { format!("in {}", span(left)) } else { "now".to_owned() };
    format!("{} UTC, {left}", at.format("%-d %b %Y, %H:%M"))
}

#[cfg(test)]
mod tests;
