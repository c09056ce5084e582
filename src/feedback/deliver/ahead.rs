//! What is recorded before the forge is told, so that nothing that it may show is unknown to whoever delivers next.

use tracing::warn;

use super::{Deliverer, Delivery, Memory};
use crate::api::PreviewEnvironment;
use crate::api::conditions::{FEEDBACK_DELIVERED, Observation};
use crate::api::status::{Feedback, Surface};
use crate::feedback::begun;
use crate::feedback::deployment::Deploying;
use crate::feedback::group::{DELIVERED, Group, REFUSED, RETRYING, TELLING, condition, pull_source};
use crate::feedback::show::{Part, Show};
use crate::feedback::status::Report;
use crate::forge::{Class, ForgeError};

impl Deliverer {
    /// Records what is about to be shown where a later record that fails would leave a gap. Whether all of that is recorded.
    pub(super) async fn announce(&self, group: &Group, show: &Show, feedbacks: &mut [Feedback], memory: &mut Memory) -> bool {
        let (says, mut all) = (show.says_comment(feedbacks), true);
        for ((member, part), feedback) in group.members().iter().zip(&show.parts).zip(feedbacks) {
            let is_unshown = !says && unshow(member, feedback);
            if !begin(part, feedback, memory) && !is_unshown {
                continue;
            }
            let report = Report { feedback: feedback.clone(), observation: memory.observed(member).unwrap_or_else(|| observed(member)) };
            match self.statuses.write(member, &report).await {
                Ok(()) => memory.wrote(member, report),
                Err(error) => {
                    warn!(repo = %group.repository, pull = group.key.number, %error, "nothing is shown before that is recorded");
                    all = false;
                }
            }
        }
        all
    }
}

impl Delivery<'_> {
    /// Where the forge says clearly that nothing was made, nothing is to be looked for.
    pub(super) fn settled<T>(&mut self, surface: Surface, of: (usize, &str), made: Result<T, ForgeError>) -> Result<T, ForgeError> {
        let is_clear = |error: &ForgeError| error.class() == Class::Terminal || error.wait().is_some();
        let (index, revision) = of;
        if made.as_ref().is_err_and(is_clear) {
            begun::settle(&mut self.feedbacks[index], surface, revision);
        }
        made
    }
}

/// An approval that names no commit counts for the one that the record of a fork's pull request has as shown. So that is taken back before
/// the comment speaks of another one. Whether it was.
fn unshow(member: &PreviewEnvironment, feedback: &mut Feedback) -> bool {
    let source = pull_source(member).filter(|source| source.is_foreign());
    source.is_some_and(|source| feedback.shows.take_if(|shown| shown.revision != source.revision).is_some())
}

/// Records of what is made for the commit at the head that it may be there. Whether that is news.
fn begin(part: &Part, feedback: &mut Feedback, memory: &Memory) -> bool {
    let mut is_news = false;
    if let Deploying::Show { new, opens: true, .. } = &part.deploying {
        let is_there = feedback.deployments.last().is_some_and(|last| last.revision == new.revision);
        let is_tried = !is_there && memory.still_refused(Surface::Deployment, &part.deploying.digest()).is_none();
        is_news |= is_tried && begun::begin(feedback, Surface::Deployment, &new.revision);
    }
    if let Some(checking) = part.checking.as_ref().filter(|checking| checking.opens && checking.end.is_none()) {
        let is_there = feedback.check.as_ref().is_some_and(|check| check.revision == checking.check.revision);
        let is_tried = !is_there && memory.still_refused(Surface::Check, &checking.digest()).is_none();
        is_news |= is_tried && begun::begin_check(feedback, &checking.check.revision, checking.other_name());
    }
    is_news
}

/// What the condition says already, or that the forge is being told.
fn observed(member: &PreviewEnvironment) -> Observation {
    let known = condition(member).and_then(|condition| {
        let reason = [DELIVERED, REFUSED, RETRYING, TELLING].into_iter().find(|reason| *reason == condition.reason)?;
        Some(Observation { type_: FEEDBACK_DELIVERED, status: condition.status, reason, message: condition.message.clone() })
    });
    known.unwrap_or_else(|| Observation::new(FEEDBACK_DELIVERED, false, TELLING, "The forge is being told."))
}
