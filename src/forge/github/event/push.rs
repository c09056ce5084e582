//! `push`: a branch was made, pushed to or deleted. No client, no clock, no logging.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::super::wire::{BRANCH_MAX, User, moment, parsed, positive};
use super::{ignored, read, wrong};
use crate::api::baseline::ForgeKind;
use crate::domain::baseline::is_merge_queue;
use crate::domain::{RepoName, Revision};
use crate::forge::Branch;
use crate::forge::event::{Event, ParseError};

const BRANCHES: &str = "refs/heads/";

#[derive(Deserialize)]
struct Reference {
    #[serde(rename = "ref")]
    name: String,
}

#[derive(Deserialize)]
struct PushEvent {
    #[serde(deserialize_with = "parsed")]
    before: Revision,
    #[serde(deserialize_with = "parsed")]
    after: Revision,
    #[serde(default)]
    deleted: bool,
    repository: Home,
    sender: User,
}

#[derive(Deserialize)]
struct Home {
    #[serde(deserialize_with = "positive")]
    id: i64,
    #[serde(deserialize_with = "parsed")]
    full_name: RepoName,
    /// Whole seconds since 1970 in this event, and a text in every other.
    #[serde(deserialize_with = "moment")]
    pushed_at: DateTime<Utc>,
}

pub(super) fn parse(body: &[u8]) -> Result<Event, ParseError> {
    let Reference { name } = read(body)?;
    let Some(branch) = name.strip_prefix(BRANCHES) else {
        return Ok(ignored("no environment depends on what is not a branch, such as a tag"));
    };
    if branch.is_empty() {
        return Err(wrong("ref", "the branch has no name"));
    }
    if branch.chars().count() > BRANCH_MAX {
        return Err(wrong("ref", format!("the branch's name has more than {BRANCH_MAX} characters")));
    }
    if is_merge_queue(branch) {
        return Ok(ignored("no environment depends on the branches that a merge queue makes for itself"));
    }
    let event: PushEvent = read(body)?;
    let exists = !event.deleted && !is_nothing(&event.after);
    let (field, revision) = if exists { ("after", event.after) } else { ("before", event.before) };
    if is_nothing(&revision) {
        return Err(wrong(field, "it names no commit"));
    }
    let Home { id, full_name, pushed_at } = event.repository;
    let branch = Branch { repository_id: id, repository: full_name, name: branch.to_owned(), revision, observed_at: pushed_at };
    Ok(Event::Branch { forge: ForgeKind::Github, branch: Box::new(branch), exists, sender: event.sender.login })
}

/// Git's name for a commit that is not there.
fn is_nothing(revision: &Revision) -> bool {
    revision.as_str().bytes().all(|digit| digit == b'0')
}
