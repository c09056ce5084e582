//! What stands beside a commit. No client, no clock, no logging.

use super::digest::digest;
use super::facts::Facts;
use super::render::render_short;
use super::rules::Surroundings;
use super::section::Section;
use super::state::{Reach, State};
use super::trouble::{self, Fault};
use crate::api::status::Feedback;
use crate::forge::{Check, CheckAction, Conclusion};

/// GitHub refuses a longer summary ("Create a check run"), in characters; we count bytes, of which there are never fewer.
const SUMMARY_MAX: usize = 65_535;

/// What is to stand beside the commit at the head, and whether it is made where there is none.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Checking {
    /// The check.
    pub check: Check,
    /// Whether it is made where there is none.
    pub opens: bool,
    /// Whether it is left as it is once it ended.
    pub rests: bool,
}

impl Checking {
    /// That of an environment; None where there is nothing to say.
    pub(super) fn of(facts: &Facts<'_>, section: &Section, around: Surroundings<'_>) -> Option<Self> {
        let is_off = around.rules.is_some_and(|rules| !rules.check);
        let ended = matches!(&facts.state, State::Gone(why) | State::Removing(why) if why.is_the_end());
        if facts.state == State::Undecided || is_off {
            return None;
        }
        let conclusion = conclusion(facts);
        // What moves while workloads start is not worth a write beside the commit.
        let summary = if conclusion.is_some() { render_short(section, SUMMARY_MAX) } else { format!("{}\n", facts.title()) };
        let check = Check {
            name: facts.rules.check_name(),
            revision: facts.source.revision.clone(),
            pull: facts.source.pull,
            conclusion,
            title: facts.title().replace('`', ""),
            summary,
            url: url(facts),
            actions: if facts.state.is_there() { CheckAction::ALL.to_vec() } else { Vec::new() },
        };
        Some(Self { check, opens: around.rules.is_some() && !ended, rests: ended })
    }

    /// What tells it from another.
    pub fn digest(&self) -> String {
        let Check { name, revision, pull, conclusion, title, summary, url, actions } = &self.check;
        digest(&format!("{name}\n{revision}\n{pull:?}\n{conclusion:?}\n{title}\n{summary}\n{url:?}\n{actions:?}"))
    }

    /// Whether the records say that the forge shows this.
    pub fn is_shown(&self, feedback: &Feedback) -> bool {
        match &feedback.check {
            Some(shown) if self.rests && shown.concluded => true,
            Some(shown) if shown.revision == self.check.revision => shown.digest.as_deref() == Some(&self.digest()),
            Some(before) => !self.opens && before.concluded,
            None => !self.opens,
        }
    }

    /// The same for a commit that another one has taken the place of.
    pub fn superseded(&self, revision: &str) -> Check {
        let title = "Another commit was pushed before this one was up".to_owned();
        let (name, summary, revision) = (self.check.name.clone(), format!("{title}.\n"), revision.to_owned());
        let (pull, conclusion) = (self.check.pull, Some(Conclusion::Skipped));
        Check { name, revision, pull, conclusion, title, summary, url: None, actions: Vec::new() }
    }
}

/// How it ended: well, by the change's own fault, or by something that says nothing of the change.
fn conclusion(facts: &Facts<'_>) -> Option<Conclusion> {
    let fault = |fault| if fault == Fault::Change { Conclusion::Failure } else { Conclusion::Neutral };
    match &facts.state {
        State::Fork | State::Unapproved => Some(Conclusion::ActionRequired),
        State::Denied | State::Removing(_) | State::Gone(_) => Some(Conclusion::Skipped),
        State::Stalled(_, whose) => Some(fault(*whose)),
        State::Failed => Some(Conclusion::Failure),
        State::Instead(_) => Some(Conclusion::Neutral),
        State::Degraded | State::Creating | State::Updating => trouble::of_services(&facts.status).map(fault),
        State::Ready(_) => Some(Conclusion::Success),
        State::Undecided | State::Prepared | State::Queued(..) | State::Waiting(_) | State::Silent(_) => None,
    }
}

fn url(facts: &Facts<'_>) -> Option<String> {
    let answers = matches!(facts.state, State::Ready(Reach::Answered(_) | Reach::Unasked));
    facts.status.urls.first().filter(|_| answers).map(|url| url.url.clone())
}
