//! Brings what is to be shown to the forge and records how that ended. The forge is asked here, and only here.

mod ahead;
mod check;
mod comment;
mod deployment;
mod memory;
mod proof;

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::time::Instant;
use tracing::{info, warn};

use super::group::{DELIVERED, Group, REFUSED, RETRYING, recorded};
use super::show::Show;
use super::status::{Report, Statuses};
use super::urgency::Urgency;
use crate::api::conditions::{FEEDBACK_DELIVERED, Observation};
use crate::api::status::{Feedback, Refusal, Surface};
use crate::domain::RepoName;
use crate::forge::{Answer, Class, Forge, ForgeError, home};

pub use memory::Memory;

/// How long the forge may take for one answer, whatever its client thinks.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// The order in which things are brought: what people read first, first.
const ORDER: [Surface; 3] = [Surface::Comment, Surface::Check, Surface::Deployment];

/// How a delivery ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// The forge shows all of it, and all is recorded.
    Delivered,
    /// The forge shows what matters most of it; the rest comes when it is its turn again.
    Partly,
    /// Something failed that can go well the next time, not before the time that the forge asked for.
    Retry(Option<Duration>),
    /// It had its share of what the forge takes, and has more after that time. Others may go on.
    Enough(Duration),
    /// The forge says no to some of it; the rest is shown.
    Refused,
}

/// How much of it is brought at once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Measure {
    /// All of it.
    All,
    /// Where the forge takes less than there is to say: one thing at a time, and nothing that will be something else before
    /// long, but for the first word on a pull request.
    Thrifty,
}

/// Brings what is to be shown to pull requests.
pub struct Deliverer {
    forge: Arc<dyn Forge>,
    statuses: Arc<dyn Statuses>,
}

/// One delivery on its way.
struct Delivery<'a> {
    forge: &'a dyn Forge,
    group: &'a Group,
    /// What its repository is called at this moment, or why nobody knows.
    home: &'a Result<RepoName, ForgeError>,
    show: &'a Show,
    measure: Measure,
    /// What the forge shows, for each member.
    feedbacks: Vec<Feedback>,
}

type Step = Result<(), ForgeError>;
/// What failed, and whether something was left for later.
type Ended<'a> = (&'a [(Surface, ForgeError)], bool);

impl Deliverer {
    /// To that forge, with records there.
    pub fn new(forge: Arc<dyn Forge>, statuses: Arc<dyn Statuses>) -> Self {
        Self { forge, statuses }
    }

    /// The forge that is delivered to.
    pub fn forge(&self) -> &dyn Forge {
        self.forge.as_ref()
    }

    /// Makes the forge show it, once, and every environment record it.
    pub async fn deliver(&self, group: &Group, (show, measure): (&Show, Measure), memory: &mut Memory) -> Outcome {
        let mut feedbacks = memory.feedbacks(group);
        if !self.announce(group, show, &mut feedbacks, memory).await {
            return Outcome::Retry(None);
        }
        let home = self.home(group, show, &feedbacks).await;
        let own = self.forge.about(group.key.repository_id, group.key.number);
        let forge = own.as_deref().unwrap_or_else(|| self.forge());
        let mut delivery = Delivery { forge, group, home: &home, show, measure, feedbacks };
        let errors = delivery.bring(memory).await;
        let feedbacks = delivery.feedbacks;
        let rest = measure == Measure::Thrifty && !show.is_shown(&feedbacks);
        tell(group, (&errors, rest), &feedbacks);
        memory.keep(group, &feedbacks);
        let recorded = self.record(group, (&errors, rest), feedbacks, memory).await;
        match outcome(&errors, recorded) {
            Outcome::Delivered if rest => Outcome::Partly,
            outcome => outcome,
        }
    }

    /// What the repository is called at this moment: before every delivery, since somebody else may have taken its name.
    async fn home(&self, group: &Group, show: &Show, feedbacks: &[Feedback]) -> Result<RepoName, ForgeError> {
        if show.is_shown(feedbacks) {
            return Ok(group.repository.clone());
        }
        let names: Vec<&RepoName> = [&group.repository].into_iter().chain(&group.also).collect();
        let found = within("find the repository", home(self.forge(), group.key.repository_id, &names).boxed()).await;
        proof::home_or_doubt(found, group)
    }

    /// Whether every environment that is still there records how it ended.
    async fn record(&self, group: &Group, ended: Ended<'_>, feedbacks: Vec<Feedback>, memory: &mut Memory) -> bool {
        let mut all = true;
        for (member, feedback) in group.members().iter().zip(feedbacks) {
            let report = report(feedback, ended);
            if memory.has_written(member, &report) || report.is_recorded_by(member) {
                continue;
            }
            match self.statuses.write(member, &report).await {
                Ok(()) => memory.wrote(member, report),
                Err(error) => {
                    warn!(repo = %group.repository, pull = group.key.number, %error, "delivered or not, this is not recorded yet");
                    all = false;
                }
            }
        }
        all
    }
}

impl<'a> Delivery<'a> {
    /// Where everything is asked and written.
    fn repository(&self) -> Result<&'a RepoName, ForgeError> {
        self.home.as_ref().map_err(Clone::clone)
    }
}

impl Delivery<'_> {
    /// Brings one after the other, and says what failed. A refusal of one holds up no other; where the forge asks to wait,
    /// the next delivery begins with what was not reached, in its newest state.
    async fn bring(&mut self, memory: &mut Memory) -> Vec<(Surface, ForgeError)> {
        let mut errors = Vec::new();
        let begin = if self.measure == Measure::All { memory.turn } else { 0 };
        memory.turn = 0;
        for turn in (0..ORDER.len()).map(|i| (begin + i) % ORDER.len()) {
            let surface = ORDER[turn];
            if self.measure == Measure::Thrifty {
                if !self.is_worth(surface) {
                    continue;
                }
                errors.extend(self.bring_one(surface, memory).await.err().map(|error| (surface, error)));
                break;
            }
            let Err(error) = self.bring_one(surface, memory).await else { continue };
            let limited = error.wait().is_some();
            errors.push((surface, error));
            if limited {
                memory.turn = turn;
                break;
            }
        }
        errors
    }

    /// Whether something of it is not shown that is worth a write where there are few.
    fn is_worth(&self, surface: Surface) -> bool {
        let is_due = match surface {
            Surface::Comment => !self.show.says_comment(&self.feedbacks),
            Surface::Check | Surface::Deployment => (0..self.feedbacks.len()).any(|index| self.due(surface, index).is_some()),
        };
        is_due && Urgency::of(self.show, &self.feedbacks).is_worth(surface)
    }

    async fn bring_one(&mut self, surface: Surface, memory: &mut Memory) -> Step {
        match surface {
            Surface::Comment => self.bring_comment().await,
            Surface::Check | Surface::Deployment => self.each_member(surface, memory).await,
        }
    }

    async fn each_member(&mut self, surface: Surface, memory: &mut Memory) -> Step {
        let mut failed = Ok(());
        for index in 0..self.feedbacks.len() {
            let Some(digest) = self.due(surface, index) else { continue };
            if let Some(error) = memory.still_refused(surface, &digest) {
                refuse(&mut self.feedbacks[index], surface, &digest, &error);
                failed = failed.and(Err(error));
                continue;
            }
            let brought = match surface {
                Surface::Check => self.bring_check(index).await,
                Surface::Deployment => self.bring_deployments(index).await,
                Surface::Comment => Ok(()),
            };
            let brought = self.proven(brought).await;
            self.settle(surface, index, &digest, &brought, memory);
            match brought {
                Err(error) if error.wait().is_some() => return Err(error),
                Err(error) => failed = failed.and(Err(error)),
                Ok(()) => {}
            }
        }
        failed
    }

    /// The digest of what is to be shown, where the records do not say that it is.
    fn due(&self, surface: Surface, index: usize) -> Option<String> {
        let (part, feedback) = (self.show.parts.get(index)?, self.feedbacks.get(index)?);
        match surface {
            Surface::Check => part.checking.as_ref().filter(|c| !c.is_shown(feedback)).map(super::check::Checking::digest),
            Surface::Deployment => Some(part.deploying.digest()).filter(|_| !part.deploying.is_shown(feedback)),
            Surface::Comment => None,
        }
    }

    /// Records a refusal, or that there is none any more.
    fn settle(&mut self, surface: Surface, index: usize, digest: &str, brought: &Step, memory: &mut Memory) {
        let feedback = &mut self.feedbacks[index];
        feedback.refused.retain(|refusal| refusal.surface != surface);
        match brought {
            Err(error) if error.class() == Class::Terminal => {
                refuse(feedback, surface, digest, error);
                memory.refused(surface, digest, error, Instant::now());
            }
            _ => {}
        }
    }
}

fn refuse(feedback: &mut Feedback, surface: Surface, digest: &str, error: &ForgeError) {
    feedback.refused.retain(|refusal| refusal.surface != surface);
    let of_identity = error.is_of_identity();
    feedback.refused.push(Refusal { surface, digest: digest.to_owned(), why: error.to_string(), of_identity });
}

async fn within<T>(what: &str, answer: Answer<'_, T>) -> Result<T, ForgeError> {
    let late = |_| ForgeError::Unavailable { what: what.to_owned(), why: format!("no answer within {} s", ANSWER_WITHIN.as_secs()) };
    tokio::time::timeout(ANSWER_WITHIN, answer).await.map_err(late)?
}

fn outcome(errors: &[(Surface, ForgeError)], recorded: bool) -> Outcome {
    let asked = errors.iter().find_map(|(_, error)| Some((error.wait()?, error)));
    match asked {
        Some((wait, ForgeError::HadItsShare { .. })) => Outcome::Enough(wait),
        Some((wait, _)) => Outcome::Retry(Some(wait)),
        None if errors.iter().any(|(_, error)| error.class() == Class::Transient) || !recorded => Outcome::Retry(None),
        None if errors.is_empty() => Outcome::Delivered,
        None => Outcome::Refused,
    }
}

fn report(feedback: Feedback, (errors, rest): Ended<'_>) -> Report {
    let transient = errors.iter().map(|(_, error)| error).find(|error| error.class() == Class::Transient);
    let (status, reason, message) = match (transient, errors) {
        (Some(error), _) => (false, RETRYING, error.to_string()),
        (None, []) if rest => (false, RETRYING, "The forge takes less than there is to say: the rest follows.".to_owned()),
        (None, []) if feedback.comment_id.is_none() => (true, DELIVERED, "There is no comment, and nothing to open one for.".to_owned()),
        (None, []) => (true, DELIVERED, "The pull request shows the present state.".to_owned()),
        (None, errors) => (false, REFUSED, errors.iter().map(|(_, error)| error.to_string()).collect::<Vec<_>>().join(". ")),
    };
    Report { feedback, observation: Observation::new(FEEDBACK_DELIVERED, status, reason, message) }
}

fn tell(group: &Group, (errors, rest): Ended<'_>, feedbacks: &[Feedback]) {
    let (repo, pull) = (&group.repository, group.key.number);
    if errors.is_empty() && !rest {
        let comment = feedbacks.first().and_then(|feedback| feedback.comment_id);
        info!(%repo, pull, comment, "the pull request shows the present state");
    }
    for (surface, error) in errors {
        match error.class() {
            Class::Terminal => warn!(%repo, pull, ?surface, %error, "refused"),
            Class::Transient => warn!(%repo, pull, ?surface, %error, "not delivered, trying again"),
        }
    }
}

/// What is recorded of a member, or nothing.
fn recorded_by(member: &crate::api::PreviewEnvironment) -> Feedback {
    recorded(member).cloned().unwrap_or_default()
}
