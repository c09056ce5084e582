//! Commands that were given before another one and are not held yet: their deliveries are late or lost. The forge is used
//! here.
//!
//! What a command comes to depends on those before it. So before one is carried out that changes something, the forge is asked
//! what was written shortly before, and what is not held yet is held first.

use std::time::Duration;

use chrono::TimeDelta;
use kube::ResourceExt;

use super::carry::{Allowed, Errand, Stop};
use super::effect::source_of;
use super::order::{self, Known};
use super::who::Trouble;
use crate::api::environment::Command;
use crate::domain::{Baseline, EnvironmentName};
use crate::forge::{Listing, PostedComment};
use crate::intent::{CommandFact, given, is_before};
use crate::record::{RecordError, Recorded};

/// How long before a command another one may have been written that is looked for. What is older is found by the looks that
/// are taken every few minutes, comes late, and changes nothing that a later one decided.
const LOOK_BACK: TimeDelta = TimeDelta::minutes(10);
/// Until the watch brings what was held, at the latest.
const SOON: Duration = Duration::from_millis(250);

/// Holds what was given before and is not held yet. Where there is such a command the errand has to wait for it.
pub(super) async fn hold(errand: &Errand<'_>, allowed: &Allowed<'_>) -> Result<(), Stop> {
    let since = errand.command.at - LOOK_BACK;
    let comments = match allowed.forge.comments_since(allowed.home, since, None).await.map_err(Trouble::from) {
        Ok(Listing::Now { items, .. }) => items,
        Ok(Listing::Unchanged) => Vec::new(),
        // A forge that does not list comments keeps nobody from a command.
        Err(Trouble::Refused(why)) => {
            tracing::debug!(id = errand.command.id, why, "nobody can tell what was asked for before a command");
            Vec::new()
        }
        Err(later @ Trouble::Later(..)) => return Err(later.into()),
    };
    let mut held = false;
    for missed in missed(errand, &allowed.baseline, &comments) {
        held |= hold_one(errand, missed).await?;
    }
    if held { Err(Trouble::Later(Some(SOON), "what was asked for before it comes first".to_owned()).into()) } else { Ok(()) }
}

/// Whether it is held now.
async fn hold_one(errand: &Errand<'_>, command: Command) -> Result<bool, Stop> {
    let Errand { context, object, .. } = errand;
    let fact = CommandFact {
        baseline_namespace: object.namespace().unwrap_or_default(),
        baseline: object.spec.baseline.clone(),
        environment: EnvironmentName::recorded(&object.name_any()),
        command,
    };
    match context.recorder.command(&fact).await {
        Ok(recorded) => Ok(recorded == Recorded::Held),
        Err(error @ (RecordError::Refused { .. } | RecordError::Invalid { .. })) => {
            tracing::warn!(env = fact.environment.as_str(), id = fact.command.id, %error, "a command that was found is not held");
            Ok(false)
        }
        Err(error) => Err(Stop::Failed(error.into())),
    }
}

/// The commands of the same pull request that were given before and that this environment has not heard of. What was written
/// before an environment was made that the forge stated was for another one of its name, and before its Baseline was made for none.
fn missed(errand: &Errand<'_>, baseline: &Baseline, comments: &[PostedComment]) -> Vec<Command> {
    let Errand { object, command, results, .. } = errand;
    let began = order::began(object).filter(|_| source_of(command, object).is_some());
    let is_its_own = |c: &Command| began.as_ref().is_none_or(|began| !began.is_after(c)) && !is_before(baseline, c);
    let is_held = |c: &Command| object.spec.commands.iter().any(|held| held.id == c.id);
    let is_new = |c: &Command| order::known(c, results, order::made(object)) == Known::New && !errand.has_ended(c);
    let here = comments.iter().filter(|c| c.repository_id == command.repository_id && c.pull == command.pull);
    let given = here.filter_map(|comment| given(command.forge, comment).ok()).flatten();
    // Nothing depends on one that changes nothing.
    let matters = |c: &Command| c.verb.changes() && order::is_before(c, command);
    let mut missed: Vec<Command> = given.filter(|c| matters(c) && is_its_own(c) && !is_held(c) && is_new(c)).collect();
    order::sort(&mut missed);
    missed
}
