//! One pass over the commands of an environment: the next of them is carried out, answered and taken away.
//! The client and the forge are used here.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use kube::ResourceExt;
use kube::runtime::controller::Action;

use super::carry::{End, Errand, Late, Stop};
use super::heard::place;
use super::order::{self, Known};
use super::who::Trouble;
use super::{CommandError, Context};
use crate::api::PreviewEnvironment;
use crate::api::environment::Command;
use crate::api::status::{CommandOutcome, CommandResult};
use crate::domain::RepoName;
use crate::forge::Reaction;

/// How long the forge is asked again before a command is refused.
const PATIENCE: TimeDelta = TimeDelta::minutes(10);
/// How long after a command, or after it was found, somebody waits for its answer. What nobody told until then, for a forge that is
/// away or takes no more, is not told any more where no environment keeps it.
const AWAITED: TimeDelta = TimeDelta::hours(1);

/// Carries out the next command of an environment, and says when to come back.
pub async fn pass(object: &PreviewEnvironment, context: &Context, now: DateTime<Utc>) -> Result<Action, CommandError> {
    // What is written to an object that is being deleted does not last, and nobody waits for it.
    if object.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let Some(command) = order::next(&object.spec.commands) else { return Ok(Action::await_change()) };
    let results = context.memory.results(object);
    let written = match known(context, (object, command), &results) {
        Known::Done => false,
        Known::TooOld => {
            pass_over(context, (object, command), "it is older than what is remembered");
            false
        }
        Known::New => {
            let since = context.memory.begin(&object.uid().unwrap_or_default(), &command.id, now);
            match conclude(&Errand { context, object, command, results: &results, now, since }).await {
                Ok(written) => written,
                Err(Ok(pause)) => return Ok(Action::requeue(pause)),
                Err(Err(error)) => return Err(error),
            }
        }
    };
    clear(context, (object, command), (written, now)).await
}

fn known(context: &Context, (object, command): (&PreviewEnvironment, &Command), results: &[CommandResult]) -> Known {
    let has_ended =
        context.memory.has_ended(&object.uid().unwrap_or_default(), &command.id) || context.heard.has_ended(place(object), command);
    if has_ended { Known::Done } else { order::known(command, results, order::made(object)) }
}

type Pause = Duration;

/// Brings a command to its end, writes what came of it and shows it. Gives whether something was written for it, else how
/// long to wait.
async fn conclude(errand: &Errand<'_>) -> Result<bool, Result<Pause, CommandError>> {
    let Errand { context, object, command, results, now, .. } = *errand;
    let home = errand.home().await;
    let (end, may_command) = match end_of(errand, &home).await? {
        Ok(ended) => ended,
        Err(Late(why)) => {
            pass_over(context, (object, command), why);
            context.memory.pass_over(&errand.uid(), &command.id);
            return Ok(false);
        }
    };
    context.retries.forget(&errand.uid());
    audit(object, command, (&format!("{:?}", end.outcome), &end.message));
    count(context, (object, command), end.outcome.label());
    let (reaction, written) = (if end.outcome == CommandOutcome::Done { Reaction::Done } else { Reaction::Refused }, end.written);
    // Anybody can comment, and each sign and each word is a write to the forge: of theirs there are few.
    let is_answered = may_command || context.signs.spare(now);
    let result = CommandResult {
        may_command,
        unsaid: !is_answered,
        message: end.message,
        output: end.output,
        ..CommandResult::of(command, end.outcome)
    };
    // Where no environment is, a stranger is not answered in words: any passer-by would make us post. So it goes at once.
    if may_command || !goes(object, written) {
        let all = order::with(results, result.clone());
        context.cluster.write_results(object, &all).await.map_err(|error| Err(error.into()))?;
    }
    context.memory.end(&errand.uid(), result);
    // Before the sign, so that whoever sees that knows whose it is.
    context.heard.end(place(object), command, true);
    if is_answered {
        react(context, (home.as_ref().ok(), command), reaction).await;
    }
    Ok(written)
}

/// How a command ends, and whether whoever gave it may command, or that it is passed over; else how long to wait.
async fn end_of(errand: &Errand<'_>, home: &Result<RepoName, Trouble>) -> Result<Result<(End, bool), Late>, Result<Pause, CommandError>> {
    let Errand { context, command, .. } = *errand;
    let denied = |stop| stopped(errand, stop, CommandOutcome::Denied).map(|end| Ok((end, false)));
    match errand.is_too_late(home).await {
        Ok(None) => {}
        Ok(Some(late)) => return Ok(Err(late)),
        Err(trouble) => return denied(trouble.into()),
    }
    let allowed = match errand.allowed(home).await {
        Ok(allowed) => allowed,
        Err(stop) => return denied(stop),
    };
    let seen = async {
        if allowed.may_command && context.memory.is_seen_first(&errand.uid(), &command.id) {
            react(context, (Some(allowed.home), command), Reaction::Seen).await;
        }
    };
    let ((), end) = futures::join!(seen, errand.carry_out(&allowed));
    let end = end.or_else(|stop| stopped(errand, stop, CommandOutcome::Refused))?;
    Ok(Ok((end, allowed.may_command)))
}

/// How a command ends that cannot be carried out, if waiting does not help.
fn stopped(errand: &Errand<'_>, stop: Stop, outcome: CommandOutcome) -> Result<End, Result<Pause, CommandError>> {
    let Errand { context, object, command, now, since, .. } = *errand;
    match stop {
        Stop::Failed(error) => Err(Err(error)),
        Stop::Trouble(Trouble::Later(pause, why)) if now - since < PATIENCE => {
            tracing::info!(env = object.name_any(), id = command.id, why, "a command waits");
            Err(Ok(pause.unwrap_or_else(|| context.retries.next(&errand.uid())).min(PATIENCE.to_std().unwrap_or_default())))
        }
        Stop::Trouble(Trouble::Refused(why) | Trouble::Later(_, why)) => Ok(End { outcome, message: why, output: None, written: false }),
    }
}

/// Who asked for what, and what came of it: one line for each command.
fn audit(object: &PreviewEnvironment, command: &Command, (outcome, why): (&str, &str)) {
    let Command { id, verb, args, actor, repository, pull, delivery, .. } = command;
    let (env, namespace) = (object.name_any(), object.namespace().unwrap_or_default());
    let verb = format!("{verb:?}");
    tracing::info!(env, namespace, actor, verb, ?args, outcome, why, id, delivery, repo = repository, pull, "command");
}

fn pass_over(context: &Context, (object, command): (&PreviewEnvironment, &Command), why: &str) {
    context.heard.end(place(object), command, false);
    audit(object, command, ("TooOld", &format!("{why}, and is passed over")));
    count(context, (object, command), "too_old");
}

fn count(context: &Context, (object, command): (&PreviewEnvironment, &Command), result: &'static str) {
    let namespace = object.namespace().unwrap_or_default();
    context.metrics.command((&namespace, &object.spec.baseline), command.verb.label(), result);
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

/// Takes the command out of spec. An object that never held anything but commands goes with the last of them, once the pull
/// request shows what came of it and if it still is as it was read: whatever was written since keeps it. Until then the
/// command stays, since it says where the answer belongs.
async fn clear(
    context: &Context,
    (object, command): (&PreviewEnvironment, &Command),
    (written, now): (bool, DateTime<Utc>),
) -> Result<Action, CommandError> {
    let ended = if !goes(object, written) {
        context.cluster.prune(object, &command.id).await
    } else if let Some(left) = untold_for(context, object, now) {
        // Its record wakes us.
        return Ok(Action::requeue(left));
    } else {
        context.cluster.remove(object).await
    };
    match ended {
        // Somebody wrote in between, or took it away: the watch brings it, and with it the next pass.
        Err(error) if matches!(error.code(), Some(404 | 409)) => Ok(Action::requeue(Duration::from_millis(250))),
        other => other.map(|()| Action::await_change()).map_err(CommandError::from),
    }
}

/// Whether the object goes with the command that is carried out.
fn goes(object: &PreviewEnvironment, written: bool) -> bool {
    !written && object.spec.commands.len() == 1 && object.holds_only_commands()
}

/// For how long an answer is waited for that the pull request does not show yet; None where there is none, or where it does.
fn untold_for(context: &Context, object: &PreviewEnvironment, now: DateTime<Utc>) -> Option<Duration> {
    let results = context.memory.results(object);
    let newest = results.iter().filter(|result| result.gets_words()).map(|result| result.at).max()?;
    let since = order::made(object).map_or(newest, |made| newest.max(made));
    let left = (since + AWAITED - now).to_std().ok().filter(|left| !left.is_zero())?;
    let mut answered = object.clone();
    answered.status.get_or_insert_default().commands = results;
    (!(context.is_told)(&answered)).then_some(left)
}

#[cfg(test)]
#[path = "pass_tests.rs"]
mod tests;
