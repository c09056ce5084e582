//! A GitHub delivery as an [`Event`], a file for each kind. No client, no clock, no logging.

mod check;
mod comment;
mod gone;
mod pull;
mod push;
#[cfg(test)]
mod tests;

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::wire;
use crate::forge::Hook;
use crate::forge::event::{Event, ParseError};

pub use crate::forge::Arrival;

/// The events that we read and that a webhook or an App subscribes to.
pub const SUBSCRIBED_EVENTS: [&str; 5] = ["check_run", "issue_comment", "pull_request", "push", "repository"];
/// The events that we read and that GitHub sends without being asked: to every webhook, and to every App.
pub const UNASKED_EVENTS: [&str; 4] = ["check_suite", "installation", "installation_repositories", "ping"];

/// How GitHub delivers ("Webhook events and payloads", "Delivery headers").
pub const HOOK: Hook =
    Hook { path: "/webhooks/github", signature: "x-hub-signature-256", event: "x-github-event", delivery: "x-github-delivery", parse };

#[derive(Deserialize)]
struct Kind {
    action: String,
}

/// Reads a body. Its signature was checked before.
pub fn parse(arrival: &Arrival<'_>, body: &[u8]) -> Result<Event, ParseError> {
    match arrival.event {
        "pull_request" => pull::parse(body),
        "push" => push::parse(body),
        "issue_comment" => comment::parse(body),
        "check_run" => check::parse(arrival, body),
        "check_suite" => check::parse_suite(arrival, body),
        "installation" => gone::parse_installation(body),
        "installation_repositories" => gone::parse_selection(body),
        "repository" => gone::parse_repository(body),
        "ping" => read::<IgnoredAny>(body).map(|_| Event::Ping),
        "" => Err(wrong("X-GitHub-Event", "the header is missing or empty")),
        other => {
            read::<IgnoredAny>(body)?;
            let read = SUBSCRIBED_EVENTS.join(", ");
            Ok(ignored(format!("no environment depends on the event {}; a webhook needs no more than {read}", shown(other))))
        }
    }
}

fn action(body: &[u8]) -> Result<String, ParseError> {
    read::<Kind>(body).map(|kind| kind.action)
}

fn ignored(why: impl Into<String>) -> Event {
    Event::Ignored { why: why.into() }
}

fn wrong(field: &str, why: impl Into<String>) -> ParseError {
    ParseError { field: field.to_owned(), why: why.into() }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, ParseError> {
    let unreadable = |(field, why): (String, String)| ParseError { field, why };
    // A list would be taken for the fields of an object in their order.
    if body.trim_ascii_start().first() != Some(&b'{') {
        wire::read::<IgnoredAny>(body).map_err(unreadable)?;
        return Err(wrong("body", "it is not a JSON object"));
    }
    wire::read(body).map_err(unreadable)
}

/// A name that somebody else chose, fit for a sentence and a log line.
fn shown(name: &str) -> String {
    name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(60).collect()
}
