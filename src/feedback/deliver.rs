//! Brings the comment to the pull request and records how that ended. The forge is asked here, and only here.

use std::sync::Arc;
use std::time::Duration;

use tracing::{info, warn};

use super::MARKER;
use super::group::{DELIVERED, Group, Letter, REFUSED, RETRYING, recorded};
use super::status::{Report, Statuses};
use crate::api::PreviewEnvironment;
use crate::api::conditions::{FEEDBACK_DELIVERED, Observation};
use crate::api::status::Feedback;
use crate::forge::{Answer, Class, Forge, ForgeError};

/// How long the forge may take for one answer, whatever its client thinks.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// What we know of one pull request's comment beside what is recorded: the record is written later than the comment
/// and seen later still. Whoever holds it is the only one to deliver to this pull request.
#[derive(Debug, Default)]
pub struct Memory {
    comment_id: Option<i64>,
    says: Says,
}

/// What the comment says.
#[derive(Debug, Default)]
enum Says {
    /// What is recorded.
    #[default]
    Recorded,
    /// The text with that digest.
    Digest(String),
    /// Nobody knows: a request failed, and may have been done all the same.
    Unclear,
}

impl Memory {
    /// Whether the comment says this and every environment records so: then there is nothing to do.
    pub fn is_done(&self, group: &Group, letter: &Letter) -> bool {
        self.shows(group, letter) && group.all_show(letter)
    }

    fn shows(&self, group: &Group, letter: &Letter) -> bool {
        match &self.says {
            Says::Recorded => group.recorded_digest() == Some(&letter.digest),
            Says::Digest(digest) => *digest == letter.digest,
            Says::Unclear => false,
        }
    }
}

/// How a delivery ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// The comment says it, and all is recorded.
    Delivered,
    /// Something failed that can go well the next time, not before the time that the forge asked for.
    Retry(Option<Duration>),
    /// The forge says no.
    Refused,
}

/// Brings comments to pull requests.
pub struct Deliverer {
    forge: Arc<dyn Forge>,
    statuses: Arc<dyn Statuses>,
}

impl Deliverer {
    /// To that forge, with records there.
    pub fn new(forge: Arc<dyn Forge>, statuses: Arc<dyn Statuses>) -> Self {
        Self { forge, statuses }
    }

    /// Makes the comment say what the letter says, once, and every environment record it.
    pub async fn deliver(&self, group: &Group, letter: &Letter, memory: &mut Memory) -> Outcome {
        let answer = if memory.shows(group, letter) {
            memory.comment_id = memory.comment_id.or_else(|| group.recorded_comment());
            Ok(())
        } else {
            self.bring(group, letter, memory).await
        };
        memory.says = if answer.is_ok() { Says::Digest(letter.digest.clone()) } else { Says::Unclear };
        tell(group, &answer, memory);
        let recorded = self.record(group, letter, &answer, memory).await;
        match answer {
            Ok(()) if recorded => Outcome::Delivered,
            Err(error) if error.class() == Class::Terminal => Outcome::Refused,
            Err(ForgeError::RateLimited { seconds, .. }) => Outcome::Retry(Some(Duration::from_secs(seconds))),
            Ok(()) | Err(_) => Outcome::Retry(None),
        }
    }

    /// Edits the comment that we know; finds it by its marker where we know none, or where somebody deleted it.
    async fn bring(&self, group: &Group, letter: &Letter, memory: &mut Memory) -> Result<(), ForgeError> {
        if let Some(id) = memory.comment_id.or_else(|| group.recorded_comment()) {
            memory.comment_id = Some(id);
            match within("edit the comment", self.forge.edit_comment(&group.repository, id, &letter.text)).await {
                Err(ForgeError::NotFound(_)) => memory.comment_id = None,
                answer => return answer,
            }
        }
        memory.comment_id = self.find_or_create(group, letter).await?;
        Ok(())
    }

    /// Always looks before it writes: the answer to an earlier try may have been lost.
    async fn find_or_create(&self, group: &Group, letter: &Letter) -> Result<Option<i64>, ForgeError> {
        let (repository, pull) = (&group.repository, group.key.number);
        let found = within("find the comment", self.forge.find_comment(repository, pull, MARKER)).await?;
        match found {
            Some(comment) if same_text(&comment.body, &letter.text) => Ok(Some(comment.id)),
            Some(comment) => {
                within("edit the comment", self.forge.edit_comment(repository, comment.id, &letter.text)).await?;
                Ok(Some(comment.id))
            }
            None if !letter.opens => Ok(None),
            None => within("write the comment", self.forge.create_comment(repository, pull, &letter.text)).await.map(Some),
        }
    }

    /// Whether every environment that is still there records how it ended.
    async fn record(&self, group: &Group, letter: &Letter, answer: &Result<(), ForgeError>, memory: &Memory) -> bool {
        let mut all = true;
        for member in group.members() {
            let report = report(member, letter, answer, memory);
            if report.is_recorded_by(member) {
                continue;
            }
            if let Err(error) = self.statuses.write(member, &report).await {
                warn!(repo = %group.repository, pull = group.key.number, %error, "comment delivered or not, this is not recorded yet");
                all = false;
            }
        }
        all
    }
}

async fn within<T>(what: &str, answer: Answer<'_, T>) -> Result<T, ForgeError> {
    let late = |_| ForgeError::Unavailable { what: what.to_owned(), why: format!("no answer within {} s", ANSWER_WITHIN.as_secs()) };
    tokio::time::timeout(ANSWER_WITHIN, answer).await.map_err(late)?
}

/// A forge may keep other line ends and drop the last one.
fn same_text(found: &str, ours: &str) -> bool {
    found.replace("\r\n", "\n").trim_end() == ours.trim_end()
}

fn report(member: &PreviewEnvironment, letter: &Letter, answer: &Result<(), ForgeError>, memory: &Memory) -> Report {
    let (status, reason, message) = match answer {
        Ok(()) if memory.comment_id.is_none() => (true, DELIVERED, "There is no comment, and nothing to open one for.".to_owned()),
        Ok(()) => (true, DELIVERED, "The pull request shows the present state.".to_owned()),
        Err(error) if error.class() == Class::Terminal => (false, REFUSED, error.to_string()),
        Err(error) => (false, RETRYING, error.to_string()),
    };
    let before = recorded(member).and_then(|feedback| feedback.digest.clone());
    let digest = if reason == RETRYING { before } else { Some(letter.digest.clone()) };
    let feedback = Feedback { comment_id: memory.comment_id, digest, ..Feedback::default() };
    Report { feedback, observation: Observation::new(FEEDBACK_DELIVERED, status, reason, message) }
}

fn tell(group: &Group, answer: &Result<(), ForgeError>, memory: &Memory) {
    let (repo, pull) = (&group.repository, group.key.number);
    match answer {
        Ok(()) => info!(%repo, pull, comment = memory.comment_id, "comment shows the present state"),
        Err(error) if error.class() == Class::Terminal => warn!(%repo, pull, %error, "comment refused"),
        Err(error) => warn!(%repo, pull, %error, "comment not delivered, trying again"),
    }
}
