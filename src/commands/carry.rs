//! One command, from the question who may to the last write. The client and the forge are used here.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use kube::ResourceExt;
use serde_json::json;

use super::effect::{self, Case, Part, Refusal, effect};
use super::heard::place;
use super::who::{self, Trouble};
use super::{CommandError, Context, logs, missed, order};
use crate::api::environment::{Command, SourceState, Verb};
use crate::api::names::MANAGER_ACTIVITY;
use crate::api::status::{CommandOutcome, CommandResult};
use crate::api::{self, PreviewEnvironment};
use crate::controller::requests::RequestError;
use crate::domain::{Baseline, EnvironmentName, RepoName};
use crate::forge::Forge;
use crate::intent::{Fact, active};
use crate::record::RecordError;

/// How long an environment is waited for that is not recorded: somebody who comments right after opening a pull request can be
/// heard before the pull request is.
pub(super) const FACT_PATIENCE: TimeDelta = TimeDelta::minutes(1);
/// What a person reads where the API server refuses something. The log says more.
const CLUSTER_REFUSES: &str = "The cluster refuses it; the log of the service says why.";

/// How long a comment that the forge does not find may be too new for it.
const UNFOUND: TimeDelta = TimeDelta::seconds(30);

/// A command on its way, and what is known around it.
#[derive(Clone, Copy)]
pub(super) struct Errand<'a> {
    /// With what it is carried out.
    pub(super) context: &'a Context,
    /// The environment as it is recorded.
    pub(super) object: &'a PreviewEnvironment,
    /// The command.
    pub(super) command: &'a Command,
    /// What came of the commands before.
    pub(super) results: &'a [CommandResult],
    /// The present, and since when the command is looked at.
    pub(super) now: DateTime<Utc>,
    pub(super) since: DateTime<Utc>,
}

/// A command that may be carried out.
pub(super) struct Allowed<'a> {
    /// Where it was given.
    pub(super) forge: &'a dyn Forge,
    /// What the repository is called at this moment.
    pub(super) home: &'a RepoName,
    /// The Baseline of the environment.
    pub(super) baseline: Arc<Baseline>,
    /// Whether whoever gave it may give every command.
    pub(super) may_command: bool,
}

/// How a command ended.
pub(super) struct End {
    /// What came of it.
    pub(super) outcome: CommandOutcome,
    /// What it led to, or why it did not, as a sentence.
    pub(super) message: String,
    /// Lines that were asked for.
    pub(super) output: Option<String>,
    /// Whether something was written for it.
    pub(super) written: bool,
}

/// How long is waited for the policies of the cluster, before it is looked again. They come with a watch, in a moment as a rule.
const UNKNOWN_POLICIES: Duration = Duration::from_secs(1);

/// Why a command is passed over, as the begin of a sentence.
pub(super) struct Late(pub(super) &'static str);

/// What stands between a command and its end.
pub(super) enum Stop {
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
        if !matches!(error, RecordError::Refused { .. } | RecordError::Invalid { .. }) {
            return Self::Failed(error.into());
        }
        tracing::warn!(%error, "the cluster refuses what a command asks for");
        Self::Trouble(Trouble::Refused(CLUSTER_REFUSES.to_owned()))
    }
}

impl Errand<'_> {
    /// The environment's UID.
    pub(super) fn uid(&self) -> String {
        self.object.uid().unwrap_or_default()
    }

    /// Whether this run of the program brought a command for the same environment to its end, whatever became of the result since.
    pub(super) fn has_ended(&self, command: &Command) -> bool {
        let Self { context, object, .. } = self;
        context.memory.has_ended(&self.uid(), &command.id) || context.heard.has_ended(place(object), command)
    }

    fn forge(&self) -> Result<&dyn Forge, Trouble> {
        let nobody = || Trouble::Refused("Nobody can tell who may: the service has no access to the forge.".to_owned());
        self.context.forge.as_deref().ok_or_else(nobody)
    }

    fn baseline(&self) -> Option<Arc<Baseline>> {
        (self.context.baselines)(&self.object.namespace().unwrap_or_default(), &self.object.spec.baseline)
    }

    /// What the command's repository is called at this moment, or why nobody knows. For whoever may not command it is not always
    /// asked.
    pub(super) async fn home(&self) -> Result<RepoName, Trouble> {
        let baseline = self.baseline();
        if let Some(baseline) = &baseline {
            who::unasked(&self.context.asked, self.command, baseline, self.now)?;
        }
        who::home(self.forge()?, self.command, baseline.as_deref()).await
    }

    /// Why a command is passed over of which nothing is remembered, if it is: its time is over, or it was answered before.
    pub(super) async fn is_too_late(&self, home: &Result<RepoName, Trouble>) -> Result<Option<Late>, Trouble> {
        let Some(home) = home.as_ref().ok().filter(|_| order::is_late(self.command, self.object)) else { return Ok(None) };
        let forge = self.forge()?;
        if who::is_over(forge, (home, self.command)).await? {
            return Ok(Some(Late("its pull request was closed or reopened since")));
        }
        let is_answered = self.was_answered(forge, home).await?;
        Ok(is_answered.then_some(Late("it was answered before, as the sign on its comment shows")))
    }

    /// Whether whoever led before has answered the command, by our own sign on its comment. What was given since was not heard by
    /// anybody. A sign that may be this run's, for another environment or another line of the same comment, proves nothing.
    async fn was_answered(&self, forge: &dyn Forge, home: &RepoName) -> Result<bool, Trouble> {
        let Self { context: Context { heard, .. }, command, results, .. } = *self;
        let is_first = results.iter().all(|result| !order::is_of_one_comment(&result.id, &command.id));
        let Some(comment) = command.comment.filter(|_| heard.is_from_before(command) && is_first) else { return Ok(false) };
        // Asked first: what this run answers meanwhile is known before its sign is there.
        Ok(who::is_signed(forge, home, comment).await? && !heard.has_answered(command))
    }

    /// Ends well where whoever gave the command may give it.
    pub(super) async fn allowed<'b>(&'b self, home: &'b Result<RepoName, Trouble>) -> Result<Allowed<'b>, Stop> {
        let forge = self.forge()?;
        let Some(baseline) = self.baseline() else {
            return Err(Trouble::Refused("The Baseline of this environment cannot be used now.".to_owned()).into());
        };
        let home = home.as_ref().map_err(Clone::clone)?;
        // A policy may ask for more than the Baseline does. What has to end still ends.
        if baseline.policy.is_pending() && self.command.verb != Verb::Delete {
            return Err(Trouble::Later(Some(UNKNOWN_POLICIES), "Nobody knows yet which PreviewPolicies hold here.".to_owned()).into());
        }
        let may_command = who::may(forge, (home, self.command), &baseline, (&self.context.asked, self.now)).await?;
        Ok(Allowed { forge, home, baseline, may_command })
    }

    /// Carries it out.
    pub(super) async fn carry_out(&self, allowed: &Allowed<'_>) -> Result<End, Stop> {
        let Self { context, object, command, results, now, .. } = *self;
        effect::well_formed(command)?;
        if command.verb == Verb::Approve {
            who::is_written(allowed.forge, (allowed.home, command), self.now - self.since < UNFOUND).await?;
        }
        if command.verb.changes() {
            missed::hold(self, allowed).await?;
        }
        self.wait_for_environment()?;
        let asks = effect::needs_pull(command, object);
        let pull = if asks { Some(who::pull_request(allowed.forge, (allowed.home, command)).await?) } else { None };
        let case = Case { command, object, baseline: &allowed.baseline, results, pull: pull.as_ref(), now };
        let effect = effect(&case)?;
        if command.verb == Verb::Logs {
            return read_logs(context, &case).await;
        }
        let recorded = record(context, &case).await?;
        for part in &effect.parts {
            context.cluster.apply(object, part).await?;
        }
        let written = recorded || !effect.parts.is_empty();
        if let Some(activity) = activity(&case, written) {
            context.cluster.apply(object, &activity).await?;
        }
        Ok(End { outcome: CommandOutcome::Done, message: effect.message, output: None, written })
    }

    /// Waits a while for what makes the environment, unless somebody asks for one: in that order nothing was there.
    fn wait_for_environment(&self) -> Result<(), Trouble> {
        let Self { object, command, .. } = self;
        let is_missing = effect::needs_environment(command.verb) && effect::source_of(command, object).is_none();
        let left = FACT_PATIENCE - (self.now - self.since);
        match left.to_std() {
            Ok(left) if is_missing && !left.is_zero() && object.spec.commands.iter().all(|c| c.verb != Verb::Create) => {
                Err(Trouble::Later(Some(left), "its pull request may still have to be heard of".to_owned()))
            }
            _ => Ok(()),
        }
    }
}

/// What the forge said of the pull request is a fact like any other. One that is over and of which nothing is known needs
/// none, and whoever only asks makes nothing.
async fn record(context: &Context, case: &Case<'_>) -> Result<bool, Stop> {
    let Some(pull) = case.pull else { return Ok(false) };
    let known = effect::source_of(case.command, case.object);
    let Case { command, object, baseline, .. } = case;
    let makes = matches!(command.verb, Verb::Create | Verb::Delete);
    if known.is_none() && (pull.state != SourceState::Open || !makes) {
        return Ok(false);
    }
    let listed = baseline.repository_by(command.forge, command.repository_id, &pull.repository).map(|r| r.name.as_str());
    // Spelled as it was, so that the same entry changes.
    let spelled = known.map(|source| source.repository.as_str()).or(listed);
    let Some(spelled) = spelled else {
        return Err(Trouble::Refused("The Baseline does not list this repository.".to_owned()).into());
    };
    let source = api::Source { repository: spelled.to_owned(), ..pull.to_source(command.forge, Some(&command.actor)) };
    let source = match known {
        Some(known) => active::after(source, known, Some(baseline)),
        None => source,
    };
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
    let said = logs::said(&wanted.name, output.is_some());
    Ok(End { outcome: CommandOutcome::Done, message: said, output, written: false })
}
