//! `installation`, `installation_repositories` and `repository`: what we may see no more. No client, no clock, no logging.

use serde::Deserialize;

use super::super::wire::Repository;
use super::{action, ignored, read, shown};
use crate::api::baseline::ForgeKind;
use crate::forge::event::{Event, ParseError};

#[derive(Deserialize)]
struct Installation {
    repositories: Option<Vec<Repository>>,
}

#[derive(Deserialize)]
struct Selection {
    repositories_removed: Vec<Repository>,
}

#[derive(Deserialize)]
struct Deleted {
    repository: Repository,
}

pub(super) fn parse_installation(body: &[u8]) -> Result<Event, ParseError> {
    let why = match action(body)?.as_str() {
        "deleted" => "the app was uninstalled",
        // It comes back, and so may what it sees.
        "suspend" => return Ok(ignored("the app was suspended, and its environments stay".to_owned())),
        other => return Ok(ignored(format!("no environment depends on the action {} of an installation", shown(other)))),
    };
    let installation: Installation = read(body)?;
    Ok(gone(why, false, installation.repositories.unwrap_or_default()))
}

pub(super) fn parse_selection(body: &[u8]) -> Result<Event, ParseError> {
    match action(body)?.as_str() {
        "removed" => {
            let selection: Selection = read(body)?;
            Ok(gone("the app was taken out of the repository", false, selection.repositories_removed))
        }
        other => Ok(ignored(format!("no environment depends on the action {} of an app's repositories", shown(other)))),
    }
}

pub(super) fn parse_repository(body: &[u8]) -> Result<Event, ParseError> {
    match action(body)?.as_str() {
        "deleted" => {
            let deleted: Deleted = read(body)?;
            Ok(gone("the repository was deleted", true, vec![deleted.repository]))
        }
        name @ ("renamed" | "transferred") => Ok(ignored(format!("the repository was {name}, and its environments keep its number"))),
        other => Ok(ignored(format!("no environment depends on the action {} of a repository", shown(other)))),
    }
}

/// What names no repository says of none that it is gone.
fn gone(why: &str, for_good: bool, repositories: Vec<Repository>) -> Event {
    if repositories.is_empty() {
        return ignored(format!("{why}, and the delivery names no repository"));
    }
    let repositories = repositories.into_iter().map(|r| r.id).collect();
    Event::Gone { forge: ForgeKind::Github, repositories, for_good, why: why.to_owned() }
}
