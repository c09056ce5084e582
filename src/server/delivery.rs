//! The one line that the log has for each delivery.

use std::time::Duration;

use axum::http::HeaderMap;
use tracing::field::display;

use super::answer::Answer;
use crate::forge::PullRequest;
use crate::forge::event::{Event, PullAction};

/// Longest delivery id that is logged: GitHub's are UUIDs of 36 characters.
const ID_MAX: usize = 64;

/// What is known of a delivery, as far as it was read.
#[derive(Debug, Default)]
pub(super) struct Account {
    id: Option<String>,
    pull: Option<(PullAction, Box<PullRequest>)>,
}

impl Account {
    /// `name` is the header that holds the delivery's id.
    pub(super) fn new(headers: &HeaderMap, name: &str) -> Self {
        let id = headers.get(name).and_then(|id| id.to_str().ok()).map(sanitised);
        Self { id: id.filter(|id| !id.is_empty()), pull: None }
    }

    /// The delivery's id, if it has one that can be shown.
    pub(super) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Adds what the event says.
    pub(super) fn learn(&mut self, event: &Event) {
        if let Event::PullRequest { action, pull, .. } = event {
            self.pull = Some((*action, pull.clone()));
        }
    }

    /// Writes the line.
    pub(super) fn log(&self, answer: &Answer, took: Duration) {
        let pull = self.pull.as_ref().map(|(_, pull)| pull);
        let repo = pull.map(|p| display(&p.repository));
        let number = pull.map(|p| p.number);
        let action = self.pull.as_ref().map(|(action, _)| display(action.as_str()));
        let revision = pull.map(|p| display(p.revision.short()));
        let (delivery, status, took) = (self.id.as_ref().map(display), answer.status.as_u16(), format!("{}ms", took.as_millis()));
        let why = if answer.result == "accepted" { None } else { Some(answer.detail.as_ref().unwrap_or(&answer.message).as_str()) };
        macro_rules! line {
            ($level:expr, $sentence:literal) => {
                tracing::event!($level, repo, pull = number, action, revision, delivery, status, why, took = %took, $sentence)
            };
        }
        match answer.status.as_u16() {
            500 => line!(tracing::Level::ERROR, "delivery failed"),
            501.. => line!(tracing::Level::WARN, "delivery not held"),
            400.. => line!(tracing::Level::WARN, "delivery refused"),
            _ if answer.result == "ignored" => line!(tracing::Level::INFO, "delivery ignored"),
            _ => line!(tracing::Level::INFO, "delivery accepted"),
        }
    }
}

fn sanitised(id: &str) -> String {
    id.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(ID_MAX).collect()
}
