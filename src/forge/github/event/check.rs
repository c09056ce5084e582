//! `check_run`: somebody pressed a button beside a check of ours. No client, no clock, no logging.

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::super::checks::pull_named;
use super::super::wire::{NamedRepository, Repository, User, parsed, positive};
use super::{Arrival, action, ignored, read, shown};
use crate::api::baseline::ForgeKind;
use crate::domain::Revision;
use crate::forge::CheckAction;
use crate::forge::event::{Event, ParseError, Press};

/// How many hexadecimal digits of the body's SHA-256 tell a press from others: 128 bits.
const ID_DIGITS: usize = 32;

#[derive(Deserialize)]
struct Requested {
    requested_action: Identifier,
}

#[derive(Deserialize)]
struct Identifier {
    identifier: String,
}

#[derive(Deserialize)]
struct CheckEvent {
    check_run: CheckRun,
    repository: NamedRepository,
    sender: User,
}

#[derive(Deserialize)]
struct CheckRun {
    name: String,
    #[serde(deserialize_with = "parsed")]
    head_sha: Revision,
    /// What we gave it when we made it.
    external_id: Option<String>,
    /// Empty where the commit is a fork's.
    pull_requests: Option<Vec<PullOf>>,
}

#[derive(Deserialize)]
struct PullOf {
    #[serde(deserialize_with = "positive")]
    number: i64,
    base: Base,
}

#[derive(Deserialize)]
struct Base {
    repo: Repository,
}

pub(super) fn parse(arrival: &Arrival<'_>, body: &[u8]) -> Result<Event, ParseError> {
    let name = action(body)?;
    if name != "requested_action" {
        return Ok(ignored(format!("no environment depends on the action {} of a check", shown(&name))));
    }
    let Requested { requested_action } = read(body)?;
    let Some(action) = CheckAction::named(&requested_action.identifier) else {
        return Ok(ignored(format!("the button {} is none of ours", shown(&requested_action.identifier))));
    };
    let event: CheckEvent = read(body)?;
    let Some(pull) = pull_of(&event.check_run, event.repository.id) else {
        return Ok(ignored("the check does not tell the one pull request that it belongs to"));
    };
    let press = Press {
        id: id(body),
        action,
        repository_id: event.repository.id,
        repository: event.repository.full_name,
        pull,
        revision: event.check_run.head_sha.as_str().to_owned(),
        check: event.check_run.name,
        sender: event.sender.login,
        // The body holds times of the check and none of the press.
        at: arrival.at,
    };
    Ok(Event::Button { forge: ForgeKind::Github, press: Box::new(press) })
}

/// The number that we wrote into the check; else the one pull request that GitHub names for its commit, of which there
/// can be several, and some in other repositories. Several of one repository share the check, and nobody can tell for which of
/// them a button was pressed.
fn pull_of(check: &CheckRun, repository: i64) -> Option<i64> {
    let mut named = check.pull_requests.iter().flatten().filter(|pull| pull.base.repo.id == repository).map(|pull| pull.number);
    let written = check.external_id.as_deref().and_then(pull_named);
    let one = written.or_else(|| named.next())?;
    named.all(|number| number == one).then_some(one)
}

/// By the body, which is signed, and not by the delivery's id, which is not: the same press under another id is no other
/// press. The body holds the check as it stood, and a check changes with what a press brought.
fn id(body: &[u8]) -> String {
    let mut hex = hex::encode(Sha256::digest(body));
    hex.truncate(ID_DIGITS);
    hex
}
