//! One pass over the commands of an environment: the next of them, from the question who may to its answer.
//! The client and the forge are used here.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use kube::ResourceExt;
use kube::runtime::controller::Action;
use serde_json::json;

use super::effect::{self, Case, Part, Refusal, effect};
use super::logs;
use super::order::{self, Known};
use super::who::{self, Trouble};
use super::{CommandError, Context};
use crate::api::environment::{Command, SourceState, Verb};
use crate::api::names::MANAGER_ACTIVITY;
use crate::api::status::{CommandOutcome, CommandResult};
use crate::api::{self, PreviewEnvironment};
use crate::controller::requests::RequestError;
use crate::domain::{Baseline, EnvironmentName, RepoName};
use crate::forge::{Forge, Reaction};
use crate::intent::Fact;
use crate::record::RecordError;

/// How long the forge is asked again before a command is refused.
const PATIENCE: TimeDelta = TimeDelta::minutes(10);
/// What a person reads where the API server refuses something. The log says more.
const CLUSTER_REFUSES: &str = "The cluster refuses it; the log of the service says why.";

/// How a command ended.
struct End {
    outcome: CommandOutcome,
    message: String,
    output: Option<String>,
    /// Whether something was written for it.
    written: bool,
}

/// What stands between a command and its end.
enum Stop {
    /// The forge, for now or for good.
    Trouble(Trouble),
    /// The cluster, for now.
    Failed(CommandError),
}

impl From<Trouble> for Stop {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl From<Refusal> for Stop {
    fn from(Refusal(why): Refusal) -> Self {
        Self::Trouble(Trouble::Refused(why))
    }
}

impl From<RequestError> for Stop {
    fn from(error: RequestError) -> Self {
        if error.is_transient() || error.code() == Some(404) {
            return Self::Failed(error.into());
        }
        tracing::warn!(%error, "the cluster refuses what a command asks for");
        Self::Trouble(Trouble::Refused(CLUSTER_REFUSES.to_owned()))
    }
}

impl From<RecordError> for Stop {
    fn from(error: RecordError) -> Self {
        if !matches!(error, RecordError::Refused { .. }) {
            return Self::Failed(error.into());
        }
        tracing::warn!(%error, "the cluster refuses what a command asks for");
        Self::Trouble(Trouble::Refused(CLUSTER_REFUSES.to_owned()))
    }
}

/// Carries out the next command of an environment, and says when to come back.
pub async fn pass(object: &PreviewEnvironment, context: &Context, now: DateTime<Utc>) -> Result<Action, CommandError> {
    // What is written to an object that is being deleted does not last, and nobody waits for it.
    if object.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let Some(command) = order::next(&object.spec.commands) else { return Ok(Action::await_change()) };
    let results = context.memory.results(object);
    let made = api::time::created_at(object);
    let written = match order::known(command, &results, made) {
        Known::Done => false,
        Known::TooOld => {
            tracing::info!(env = object.name_any(), id = command.id, "a command is older than what is remembered, and is passed over");
            false
        }
        Known::New => match carry_out(context, (object, command), &results, now).await {
            Ok(written) => written,
            Err(Ok(pause)) => return Ok(Action::requeue(pause)),
            Err(Err(error)) => return Err(error),
        },
    };
    clear(context, object, command, written).await
}

type Pause = Duration;

/// Carries out one command, writes what came of it and shows it. Gives whether something was written for it, else how
/// long to wait.
async fn carry_out(
    context: &Context,
    (object, command): (&PreviewEnvironment, &Command),
    results: &[CommandResult],
    now: DateTime<Utc>,
) -> Result<bool, Result<Pause, CommandError>> {
    let uid = object.uid().unwrap_or_default();
    let (since, first) = context.memory.begin(&uid, &command.id, now);
    let home = home(context, (object, command)).await;
    let seen = async {
        if first {
            react(context, (home.as_ref().ok(), command), Reaction::Seen).await;
        }
    };
    let ((), end) = futures::join!(seen, end_of(context, (object, command), results, &home));
    let end = match end {
        Ok(end) => end,
        Err(Stop::Failed(error)) => return Err(Err(error)),
        Err(Stop::Trouble(Trouble::Later(pause, why))) if now - since < PATIENCE => {
            tracing::warn!(env = object.name_any(), id = command.id, why, "the forge is asked again about a command");
            return Err(Ok(pause.unwrap_or_else(|| context.retries.next(&uid)).min(PATIENCE.to_std().unwrap_or_default())));
        }
        Err(Stop::Trouble(Trouble::Refused(why) | Trouble::Later(_, why))) => {
            End { outcome: CommandOutcome::Refused, message: why, output: None, written: false }
        }
    };
    context.retries.forget(&uid);
    audit(object, command, &end);
    let (reaction, written) = (if end.outcome == CommandOutcome::Done { Reaction::Done } else { Reaction::Refused }, end.written);
    let result = result_of(command, end);
    // What is deleted at once has nobody to tell.
    if written || !is_nothing_but_commands(object) {
        let all = order::with(results, result.clone());
        context.cluster.write_results(object, &all).await.map_err(|error| Err(error.into()))?;
    }
    context.memory.end(&uid, result);
    react(context, (home.as_ref().ok(), command), reaction).await;
    Ok(written)
}

/// What the command's repository is called at this moment, or why nobody knows.
async fn home(context: &Context, (object, command): (&PreviewEnvironment, &Command)) -> Result<RepoName, Trouble> {
    who::home(forge(context)?, command, baseline(context, object).as_deref()).await
}

fn forge(context: &Context) -> Result<&dyn Forge, Trouble> {
    let nobody = || Trouble::Refused("Nobody can tell who may: the service has no access to the forge.".to_owned());
    context.forge.as_deref().ok_or_else(nobody)
}

fn baseline(context: &Context, object: &PreviewEnvironment) -> Option<Arc<Baseline>> {
    (context.baselines)(&object.namespace().unwrap_or_default(), &object.spec.baseline)
}

/// From the question who may to the last write.
async fn end_of(
    context: &Context,
    (object, command): (&PreviewEnvironment, &Command),
    results: &[CommandResult],
    home: &Result<RepoName, Trouble>,
) -> Result<End, Stop> {
    effect::well_formed(command)?;
    let forge = forge(context)?;
    let Some(baseline) = baseline(context, object) else {
        return Err(Trouble::Refused("The Baseline of this environment cannot be used now.".to_owned()).into());
    };
    let home = home.as_ref().map_err(Clone::clone)?;
    who::may(forge, (home, command), &baseline).await?;
    let pull = if effect::needs_pull(command, object) { Some(who::pull_request(forge, (home, command)).await?) } else { None };
    let case = Case { command, object, baseline: &baseline, results, pull: pull.as_ref() };
    let effect = effect(&case)?;
    if command.verb == Verb::Logs {
        return read_logs(context, &case).await;
    }
    let recorded = record(context, &case).await?;
    for part in &effect.parts {
        context.cluster.apply(object, part).await?;
    }
    if let Some(activity) = activity(&case, recorded || !effect.parts.is_empty()) {
        context.cluster.apply(object, &activity).await?;
    }
    let written = recorded || !effect.parts.is_empty();
    Ok(End { outcome: CommandOutcome::Done, message: effect.message, output: None, written })
}

/// What the forge said of the pull request is a fact like any other. One that is over and of which nothing is known needs
/// none.
async fn record(context: &Context, case: &Case<'_>) -> Result<bool, Stop> {
    let Some(pull) = case.pull else { return Ok(false) };
    let known = effect::source_of(case.command, case.object);
    if known.is_none() && pull.state != SourceState::Open {
        return Ok(false);
    }
    let Case { command, object, baseline, .. } = case;
    let listed = baseline.repository_by(command.forge, command.repository_id, &pull.repository).map(|r| r.name.as_str());
    // Spelled as it was, so that the same entry changes.
    let spelled = known.map(|source| source.repository.as_str()).or(listed);
    let Some(spelled) = spelled else {
        return Err(Trouble::Refused("The Baseline does not list this repository.".to_owned()).into());
    };
    let source = api::Source { repository: spelled.to_owned(), ..pull.to_source(command.forge, Some(&command.actor)) };
    let fact = Fact {
        baseline_namespace: object.namespace().unwrap_or_default(),
        baseline: object.spec.baseline.clone(),
        environment: EnvironmentName::recorded(&object.name_any()),
        source,
    };
    context.recorder.record(&fact).await?;
    Ok(true)
}

/// Only what changes something keeps an environment alive: who may but read it could keep it for ever otherwise.
fn activity(case: &Case<'_>, changes: bool) -> Option<Part> {
    let newer = case.object.spec.activity.as_ref().is_some_and(|a| a.at >= case.command.at);
    let value = json!({"at": case.command.at, "by": effect::actor(case.command)});
    (changes && !newer).then(|| Part { manager: MANAGER_ACTIVITY.to_owned(), field: "activity", value })
}

async fn read_logs(context: &Context, case: &Case<'_>) -> Result<End, Stop> {
    let wanted = logs::wanted(case.command, case.object, case.baseline)?;
    let text = match context.cluster.logs(case.object, &wanted).await {
        Ok(text) => text,
        // A pod that has not started yet has no log, and the API server says so with a 400.
        Err(error) if matches!(error.code(), Some(400 | 404)) => None,
        Err(error) => return Err(error.into()),
    };
    let output = text.as_deref().and_then(logs::output);
    let said =
        if output.is_some() { format!("the last lines of {}.", wanted.name) } else { format!("{} logged nothing yet.", wanted.name) };
    Ok(End { outcome: CommandOutcome::Done, message: said, output, written: false })
}

fn result_of(command: &Command, end: End) -> CommandResult {
    CommandResult { message: end.message, output: end.output, ..CommandResult::of(command, end.outcome) }
}

/// Who asked for what, and what came of it: one line for each command.
fn audit(object: &PreviewEnvironment, command: &Command, end: &End) {
    let Command { id, verb, args, actor, repository, pull, .. } = command;
    let (env, namespace) = (object.name_any(), object.namespace().unwrap_or_default());
    let (verb, outcome, why) = (format!("{verb:?}"), format!("{:?}", end.outcome), &end.message);
    tracing::info!(env, namespace, actor, verb, ?args, outcome, why, id, repo = repository, pull, "command");
}

/// Shows a sign under the comment. A help and no more: whatever fails here, the command is not undone by it.
/// Without the repository's name of this moment there is none: somebody else may have the old one.
async fn react(context: &Context, (home, command): (Option<&RepoName>, &Command), reaction: Reaction) {
    let (Some(forge), Some(comment), Some(name)) = (&context.forge, command.comment, home) else { return };
    let own = forge.about(command.repository_id, command.pull);
    if let Err(error) = own.as_deref().unwrap_or(forge.as_ref()).react(name, comment, reaction).await {
        tracing::debug!(id = command.id, %error, "a command is not answered by a reaction");
    }
}

/// Takes the command out of spec. An object that never held anything but commands goes with the last of them, if it still
/// is as it was read: whatever was written since keeps it.
async fn clear(context: &Context, object: &PreviewEnvironment, command: &Command, written: bool) -> Result<Action, CommandError> {
    let last = object.spec.commands.len() == 1;
    let ended = if last && !written && is_nothing_but_commands(object) {
        context.cluster.remove(object).await
    } else {
        context.cluster.prune(object, &command.id).await
    };
    match ended {
        // Somebody wrote in between, or took it away: the watch brings it, and with it the next pass.
        Err(error) if matches!(error.code(), Some(404 | 409)) => Ok(Action::requeue(Duration::from_millis(250))),
        other => other.map(|()| Action::await_change()).map_err(CommandError::from),
    }
}

fn is_nothing_but_commands(object: &PreviewEnvironment) -> bool {
    let spec = &object.spec;
    let quiet = spec.sources.is_empty() && spec.images.is_empty() && spec.wish.is_none() && spec.refresh.is_none();
    quiet && spec.activity.is_none() && spec.approval.is_none() && spec.lifetime.is_none()
}

#[cfg(test)]
#[path = "pass_tests.rs"]
mod tests;
