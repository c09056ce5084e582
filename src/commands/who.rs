//! Who may: asked of the forge at the moment at which a command is carried out, but for who was just told that they may not. Any
//! doubt denies, with the reason.
//! The forge is used here.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::asked::Asked;
use super::effect::capital;
use crate::api::environment::{Command, SourceState, Verb};
use crate::domain::baseline::Repository;
use crate::domain::{Baseline, RepoName};
use crate::forge::{self, Class, Forge, ForgeError, Permission, PullRequest, Turns};
use crate::intent;

/// How long before a reopening the comment may have been written that came with it: GitHub writes the comment first.
const WITH_REOPENING: TimeDelta = TimeDelta::seconds(5);

/// How long after a comment was not found it is asked for again.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Why a command is not carried out now.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Trouble {
    /// It never will be, and why, as a sentence.
    Refused(String),
    /// The forge may say more later, and how long it asks to wait.
    Later(Option<Duration>, String),
}

impl From<ForgeError> for Trouble {
    fn from(error: ForgeError) -> Self {
        let why = format!("{}.", capital(&error.to_string()));
        match error.class() {
            Class::Transient => Self::Later(error.wait(), why),
            Class::Terminal => Self::Refused(why),
        }
    }
}

/// What somebody needs on the repository for a command.
pub fn needed(verb: Verb, baseline: &Baseline) -> Permission {
    if verb.is_anybodys() { Permission::Read } else { baseline.trust.approvers.into() }
}

/// What the repository that a command was written in is called at this moment. A name can be given to another repository:
/// rights there are no rights here, and nothing is written there.
pub async fn home(forge: &dyn Forge, command: &Command, baseline: Option<&Baseline>) -> Result<RepoName, Trouble> {
    let written: RepoName = command.repository.parse().map_err(|_| another(command))?;
    let listed = baseline.and_then(|b| b.repository_by(command.forge, command.repository_id, &written));
    let known = listed.filter(|listed| listed.id == Some(command.repository_id)).map(Repository::current);
    let names: Vec<&RepoName> = known.into_iter().chain([&written]).collect();
    forge::home(forge, command.repository_id, &names).await.map_err(|error| match error {
        ForgeError::Another(_) => another(command),
        error => error.into(),
    })
}

/// Ends badly where nobody is asked whether whoever gave the command may: it was said just now that they may not, or too many who
/// may not were asked about.
pub fn unasked(asked: &Asked, command: &Command, baseline: &Baseline, now: DateTime<Utc>) -> Result<(), Trouble> {
    let needed = needed(command.verb, baseline);
    match asked.recall(command, needed, now) {
        Some(has) if has < needed => Err(too_little((&command.repository, command), has, needed)),
        Some(_) => Ok(()),
        None if asked.may_ask(command, baseline.trust.approvers.into(), now) => Ok(()),
        None => Err(Trouble::Refused(format!(
            "Nobody was asked whether {} may, since many who may not gave commands lately. Write it again in ten minutes.",
            command.actor
        ))),
    }
}

/// Ends well where whoever gave the command may give it, and says whether they may give every other too.
pub async fn may(
    forge: &dyn Forge,
    (name, command): (&RepoName, &Command),
    baseline: &Baseline,
    (asked, now): (&Asked, DateTime<Utc>),
) -> Result<bool, Trouble> {
    let needed = needed(command.verb, baseline);
    let has = if let Some(has) = asked.recall(command, needed, now) {
        has
    } else {
        let has = forge.permission(name, &command.actor).await.map_err(|error| in_doubt(command, error))?;
        asked.hear(command, has, now);
        has
    };
    if has >= needed {
        let approves: Permission = baseline.trust.approvers.into();
        return Ok(has >= approves);
    }
    Err(too_little((name.as_str(), command), has, needed))
}

fn too_little((name, command): (&str, &Command), has: Permission, needed: Permission) -> Trouble {
    let held = if has == Permission::None { "no access" } else { has.as_str() };
    let rule = if needed == Permission::Read { "" } else { " (trust.approvers)" };
    Trouble::Refused(format!("{} has {held} on {name}, and this needs {}{rule}.", command.actor, needed.as_str()))
}

fn in_doubt(command: &Command, error: ForgeError) -> Trouble {
    let why = format!("Nobody can tell whether {} may: {error}.", command.actor);
    match Trouble::from(error) {
        Trouble::Refused(_) => Trouble::Refused(why),
        Trouble::Later(pause, _) => Trouble::Later(pause, why),
    }
}

/// The pull request as it is now.
pub async fn pull_request(forge: &dyn Forge, (name, command): (&RepoName, &Command)) -> Result<PullRequest, Trouble> {
    let pull = forge.pull_request(name, command.pull).await?;
    let same = pull.repository_id == command.repository_id && pull.number == command.pull;
    if same { Ok(pull) } else { Err(another(command)) }
}

/// Whether the pull request was closed or reopened after a command was given. Of a forge that does not tell, one that is open was
/// not.
pub async fn is_over(forge: &dyn Forge, (name, command): (&RepoName, &Command)) -> Result<bool, Trouble> {
    match forge.closed_or_reopened_at(name, command.pull).await {
        Ok(turns) => Ok(has_turned(turns, command.at)),
        Err(ForgeError::Unsupported(_)) => Ok(pull_request(forge, (name, command)).await?.state != SourceState::Open),
        Err(error) => Err(error.into()),
    }
}

fn has_turned(turns: Turns, since: DateTime<Utc>) -> bool {
    turns.closed_at.is_some_and(|at| at > since) || turns.reopened_at.is_some_and(|at| at > since + WITH_REOPENING)
}

/// Ends well where the forge itself says that whoever gave the command wrote it, and left it as it was. Who knows the secret of
/// deliveries can say so of anybody. One that is not found is asked for again `while_new`: GitHub delivers a comment before all of
/// its servers have it.
pub async fn is_written(forge: &dyn Forge, (name, command): (&RepoName, &Command), while_new: bool) -> Result<(), Trouble> {
    let refused = |why: &str| Err(Trouble::Refused(format!("Nothing was approved: {why}. Write it as a new comment.")));
    let Some(id) = command.comment else { return refused("an approval is a comment") };
    let comment = match forge.comment((command.repository_id, name), id).await {
        Err(ForgeError::NotFound(_)) if while_new => {
            return Err(Trouble::Later(Some(LOOK_AGAIN), "Nothing is approved yet: the forge does not find the comment.".to_owned()));
        }
        Err(ForgeError::NotFound(_)) => return refused("the comment is not there any more"),
        other => other?,
    };
    let given = match intent::given(command.forge, &comment) {
        Ok(given) => given,
        Err(why) => return refused(why),
    };
    // Who brought it says nothing of what was written.
    let bare = |c: &Command| Command { delivery: None, repository: String::new(), actor: c.actor.to_ascii_lowercase(), ..c.clone() };
    if given.iter().any(|written| bare(written) == bare(command)) {
        return Ok(());
    }
    refused("the comment says something else, or is somebody else's")
}

/// Whether our own sign on a comment shows that a command in it was answered. Where the forge does not tell, nothing shows it.
pub async fn is_signed(forge: &dyn Forge, name: &RepoName, comment: i64) -> Result<bool, Trouble> {
    match forge.is_answered(name, comment).await.map_err(Trouble::from) {
        Err(Trouble::Refused(why)) => {
            tracing::debug!(comment, why, "nobody can tell whether a comment was answered");
            Ok(false)
        }
        other => other,
    }
}

fn another(command: &Command) -> Trouble {
    Trouble::Refused(format!("{} is another repository than the one that this was written in.", command.repository))
}
