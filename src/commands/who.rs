//! Who may: asked of the forge at the moment at which a command is carried out. Any doubt denies, with the reason.
//! The forge is used here.

use std::time::Duration;

use super::effect::capital;
use crate::api::baseline::Approvers;
use crate::api::environment::{Command, Verb};
use crate::domain::{Baseline, RepoName};
use crate::forge::{Class, Forge, ForgeError, Permission, PullRequest};

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
        match (&error, error.class()) {
            (ForgeError::RateLimited { seconds, .. }, _) => Self::Later(Some(Duration::from_secs(*seconds)), why),
            (_, Class::Transient) => Self::Later(None, why),
            (_, Class::Terminal) => Self::Refused(why),
        }
    }
}

/// What somebody needs on the repository for a command.
pub fn needed(verb: Verb, baseline: &Baseline) -> Permission {
    match (verb, baseline.trust.approvers) {
        (Verb::Status | Verb::Help | Verb::Unknown, _) => Permission::Read,
        (_, Approvers::Write) => Permission::Write,
        (_, Approvers::Maintain) => Permission::Maintain,
        (_, Approvers::Admin) => Permission::Admin,
    }
}

/// Ends well where whoever gave the command may give it.
pub async fn may(forge: &dyn Forge, command: &Command, baseline: &Baseline) -> Result<(), Trouble> {
    let (name, needed) = (repository(command)?, needed(command.verb, baseline));
    is_the_same(forge, command, &name).await?;
    let has = forge.permission(&name, &command.actor).await.map_err(|error| in_doubt(command, error))?;
    if has >= needed {
        return Ok(());
    }
    let rule = if needed == Permission::Read { "" } else { " (trust.approvers)" };
    Err(Trouble::Refused(format!("{} has {} on {name}, and this needs {}{rule}.", command.actor, word(has), word(needed))))
}

fn in_doubt(command: &Command, error: ForgeError) -> Trouble {
    let why = format!("Nobody can tell whether {} may: {error}.", command.actor);
    match Trouble::from(error) {
        Trouble::Refused(_) => Trouble::Refused(why),
        Trouble::Later(pause, _) => Trouble::Later(pause, why),
    }
}

/// The pull request as it is now.
pub async fn pull_request(forge: &dyn Forge, command: &Command) -> Result<PullRequest, Trouble> {
    let pull = forge.pull_request(&repository(command)?, command.pull).await?;
    let same = pull.repository_id == command.repository_id && pull.number == command.pull;
    if same { Ok(pull) } else { Err(another(command)) }
}

fn repository(command: &Command) -> Result<RepoName, Trouble> {
    command.repository.parse().map_err(|_| another(command))
}

/// A name can be given to another repository, and rights there are no rights here.
async fn is_the_same(forge: &dyn Forge, command: &Command, name: &RepoName) -> Result<(), Trouble> {
    match forge.repository(name).await {
        Ok(facts) if facts.id == command.repository_id => Ok(()),
        Ok(_) => Err(another(command)),
        // A forge that tells of no repositories does not rename them either.
        Err(ForgeError::Unsupported(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn another(command: &Command) -> Trouble {
    Trouble::Refused(format!("{} is another repository than the one that this was written in.", command.repository))
}

const fn word(permission: Permission) -> &'static str {
    match permission {
        Permission::None => "no access",
        Permission::Read => "read",
        Permission::Triage => "triage",
        Permission::Write => "write",
        Permission::Maintain => "maintain",
        Permission::Admin => "admin",
    }
}
