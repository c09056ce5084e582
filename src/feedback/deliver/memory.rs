//! What a running service knows of one pull request beside what is recorded.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use chrono::{DateTime, Utc};
use kube::ResourceExt;
use tokio::time::Instant;

use super::recorded_by;
use crate::api::PreviewEnvironment;
use crate::api::conditions::Observation;
use crate::api::status::{Feedback, Surface};
use crate::feedback::group::Group;
use crate::feedback::show::Show;
use crate::feedback::status::Report;
use crate::forge::ForgeError;

/// How long a refusal of the check or the deployment holds for other states of it too: rights do not come with a push.
const REFUSED_FOR: Duration = Duration::from_secs(600);

/// What we know of one pull request beside what is recorded: the record is written later than the forge, and seen later
/// still. Whoever holds it is the only one to deliver to this pull request.
#[derive(Debug, Default)]
pub struct Memory {
    /// What the forge shows, by the environment's UID.
    feedbacks: HashMap<String, Feedback>,
    /// What was recorded last, by the same.
    written: HashMap<String, Report>,
    /// What the forge refused, and until when it is not asked again.
    refusals: BTreeMap<Surface, (String, ForgeError, Instant)>,
    /// With what the next delivery begins.
    pub(super) turn: usize,
    /// Whether the records were found to be what the forge shows, by a delivery of ours or since nothing had changed for long.
    is_trusted: bool,
}

impl Memory {
    /// Whether the forge shows all of this and every environment records so: then there is nothing to do.
    pub fn is_done(&self, group: &Group, show: &Show) -> bool {
        let feedbacks = self.feedbacks(group);
        let is_recorded = |(member, feedback): (&std::sync::Arc<PreviewEnvironment>, &Feedback)| match self.written.get(&uid(member)) {
            Some(report) => report.feedback == *feedback && report.is_delivered(),
            None => recorded_by(member) == *feedback && crate::feedback::group::is_delivered(member),
        };
        show.is_shown(&feedbacks) && group.members().iter().zip(&feedbacks).all(is_recorded)
    }

    /// Whether the records may be behind what the forge shows: whoever delivered before may have ended between the two, and what
    /// changed since then may have become again what is recorded.
    pub(in crate::feedback) fn doubts(&self, group: &Group, since: DateTime<Utc>) -> bool {
        !self.is_trusted && group.members().iter().any(|member| changed_since(member, since))
    }

    /// From now on the records are taken for what the forge shows.
    pub(in crate::feedback) fn trust(&mut self) {
        self.is_trusted = true;
    }

    /// Has everything brought once more that is there, whatever is recorded.
    pub(in crate::feedback) fn doubt(&mut self, group: &Group) {
        let mut feedbacks = self.feedbacks(group);
        for feedback in &mut feedbacks {
            feedback.digest = None;
            feedback.check.as_mut().map(|check| check.digest.take());
            feedback.deployments.last_mut().map(|newest| newest.digest.take());
        }
        self.keep(group, &feedbacks);
        self.trust();
    }

    /// What the forge shows of each member, as far as is known.
    pub(in crate::feedback) fn feedbacks(&self, group: &Group) -> Vec<Feedback> {
        let known = |member: &PreviewEnvironment| self.feedbacks.get(&uid(member)).cloned().unwrap_or_else(|| recorded_by(member));
        group.members().iter().map(|member| known(member)).collect()
    }

    pub(super) fn keep(&mut self, group: &Group, feedbacks: &[Feedback]) {
        let known = |(member, feedback): (&std::sync::Arc<PreviewEnvironment>, &Feedback)| (uid(member), feedback.clone());
        self.feedbacks = group.members().iter().zip(feedbacks).map(known).collect();
        self.written.retain(|uid, _| self.feedbacks.contains_key(uid));
    }

    pub(super) fn has_written(&self, member: &PreviewEnvironment, report: &Report) -> bool {
        self.written.get(&uid(member)) == Some(report)
    }

    pub(super) fn wrote(&mut self, member: &PreviewEnvironment, report: Report) {
        self.written.insert(uid(member), report);
    }

    /// What was recorded last of how that ended.
    pub(super) fn observed(&self, member: &PreviewEnvironment) -> Option<Observation> {
        self.written.get(&uid(member)).map(|report| report.observation.clone())
    }

    pub(super) fn refused(&mut self, surface: Surface, digest: &str, error: &ForgeError, now: Instant) {
        self.refusals.insert(surface, (digest.to_owned(), error.clone(), now + REFUSED_FOR));
    }

    /// The refusal that still holds: of anything new for some minutes, but for the end, which is said in any case.
    pub(super) fn still_refused(&self, surface: Surface, digest: &str) -> Option<ForgeError> {
        let (refused, error, until) = self.refusals.get(&surface)?;
        let is_the_end = digest == crate::feedback::deployment::INACTIVE && refused != digest;
        (Instant::now() < *until && !is_the_end).then(|| error.clone())
    }
}

fn changed_since(member: &PreviewEnvironment, since: DateTime<Utc>) -> bool {
    member.status.iter().flat_map(|status| &status.conditions).any(|condition| condition.last_transition_time >= since)
}

fn uid(member: &PreviewEnvironment) -> String {
    member.uid().unwrap_or_default()
}
