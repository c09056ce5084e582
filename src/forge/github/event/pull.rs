//! `pull_request`: opened, pushed to, labelled, closed. No client, no clock, no logging.

use serde::Deserialize;

use super::super::wire::{Pull, User};
use super::{action, ignored, read, shown};
use crate::api::baseline::ForgeKind;
use crate::forge::event::{Event, ParseError, PullAction};

#[derive(Deserialize)]
struct PullEvent {
    pull_request: Pull,
    sender: User,
}

pub(super) fn parse(body: &[u8]) -> Result<Event, ParseError> {
    let name = action(body)?;
    let Some(action) = PullAction::named(&name) else {
        return Ok(ignored(format!("no environment depends on the action {} of a pull request", shown(&name))));
    };
    let event: PullEvent = read(body)?;
    Ok(Event::PullRequest { forge: ForgeKind::Github, action, pull: Box::new(event.pull_request.into()), sender: event.sender.login })
}
