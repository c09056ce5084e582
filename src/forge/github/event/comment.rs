//! `issue_comment`: somebody wrote on a pull request. No client, no clock, no logging.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::super::wire::{self, NamedRepository, positive};
use super::{action, ignored, read, shown};
use crate::api::baseline::ForgeKind;
use crate::forge::event::{Event, ParseError};

#[derive(Deserialize)]
struct On {
    issue: Issue,
}

/// GitHub's word for an issue and for a pull request.
#[derive(Deserialize)]
struct Issue {
    #[serde(deserialize_with = "positive")]
    number: i64,
    /// There for pull requests alone.
    pull_request: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct CommentEvent {
    comment: wire::Posted,
    repository: NamedRepository,
}

pub(super) fn parse(body: &[u8]) -> Result<Event, ParseError> {
    match action(body)?.as_str() {
        "created" => {}
        name @ ("edited" | "deleted") => {
            return Ok(ignored(format!("a comment counts as it was written at first, and this one was {name}")));
        }
        other => return Ok(ignored(format!("no environment depends on the action {} of a comment", shown(other)))),
    }
    let On { issue } = read(body)?;
    if issue.pull_request.is_none() {
        return Ok(ignored("no environment depends on a comment on an issue that is no pull request"));
    }
    let event: CommentEvent = read(body)?;
    let home = (event.repository.id, &event.repository.full_name);
    Ok(Event::Comment { forge: ForgeKind::Github, comment: Box::new(event.comment.on(home, issue.number)) })
}
