//! `check_run`: somebody pressed a button beside a check of ours, or GitHub's own "Re-run"; and `check_suite`, for its "Re-run all
//! checks", of which GitHub tells the one App whose checks they are. No client, no clock, no logging.

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::super::checks::{About, written_by};
use super::super::wire::{NamedRepository, Repository, User, parsed, positive};
use super::{Arrival, action, ignored, read, shown};
use crate::api::baseline::ForgeKind;
use crate::domain::Revision;
use crate::forge::CheckAction;
use crate::forge::event::{Again, Event, ParseError, Press};

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
    /// What we gave it when we wrote it.
    external_id: Option<String>,
    /// Empty where the commit is a fork's.
    pull_requests: Option<Vec<PullOf>>,
}

#[derive(Deserialize)]
struct SuiteEvent {
    check_suite: CheckSuite,
    repository: NamedRepository,
    sender: User,
}

/// All checks of one App at one commit. GitHub names its pull requests too, but none of forks, so the commit has to do.
#[derive(Deserialize)]
struct CheckSuite {
    #[serde(deserialize_with = "parsed")]
    head_sha: Revision,
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
    let pressed = match name.as_str() {
        "requested_action" => read::<Requested>(body)?.requested_action.identifier,
        // GitHub's own "Re-run".
        "rerequested" => CheckAction::Rebuild.as_str().to_owned(),
        _ => return Ok(ignored(format!("no environment depends on the action {} of a check", shown(&name)))),
    };
    let Some(action) = CheckAction::named(&pressed) else {
        return Ok(ignored(format!("the button {} is none of ours", shown(&pressed))));
    };
    let event: CheckEvent = read(body)?;
    let Some(About { pull, made_at }) = about(&event.check_run, event.repository.id) else {
        return Ok(ignored("the check does not tell the one pull request that it belongs to"));
    };
    let press = Press {
        id: id(body),
        action,
        repository_id: event.repository.id,
        repository: event.repository.full_name,
        pull,
        by: signed_by(&event.check_run),
        check: event.check_run.name,
        sender: event.sender.login,
        made_at,
        at: arrival.at,
    };
    Ok(Event::Button { forge: ForgeKind::Github, press: Box::new(press) })
}

pub(super) fn parse_suite(arrival: &Arrival<'_>, body: &[u8]) -> Result<Event, ParseError> {
    let name = action(body)?;
    if name != "rerequested" {
        return Ok(ignored(format!("no environment depends on the action {} of a commit's checks", shown(&name))));
    }
    let event: SuiteEvent = read(body)?;
    let again = Again {
        id: id(body),
        repository_id: event.repository.id,
        repository: event.repository.full_name,
        revision: event.check_suite.head_sha,
        sender: event.sender.login,
        at: arrival.at,
    };
    Ok(Event::Again { forge: ForgeKind::Github, again: Box::new(again) })
}

/// What we wrote into the check, whatever else has the same commit: each pull request has a check of its own. Else the one pull
/// request that GitHub names for the commit, of which there can be several, and some in other repositories.
fn about(check: &CheckRun, repository: i64) -> Option<About> {
    let mut named = check.pull_requests.iter().flatten().filter(|pull| pull.base.repo.id == repository).map(|pull| pull.number);
    check.external_id.as_deref().and_then(About::read).or_else(|| {
        let one = named.next()?;
        named.all(|number| number == one).then_some(About { pull: one, made_at: None })
    })
}

/// The service that signed what we wrote into the check.
fn signed_by(check: &CheckRun) -> Option<String> {
    let text = check.external_id.as_deref().filter(|text| About::read(text).is_some())?;
    written_by(text).map(str::to_owned)
}

/// By the body, which is signed, and not by the delivery's id, which is not: the same press under another id is no other
/// press. The body holds the check as it stood, and a check changes with what a press brought.
fn id(body: &[u8]) -> String {
    let mut hex = hex::encode(Sha256::digest(body));
    hex.truncate(ID_DIGITS);
    hex
}
