//! What stands beside a commit. No client, no clock, no logging.

use super::begun;
use super::digest::digest;
use super::end::End;
use super::facts::Facts;
use super::group::recorded;
use super::render::render_short;
use super::rules::{Surroundings, beside_others};
use super::section::Section;
use super::state::{Reach, State};
use super::trouble::{self, Fault};
use crate::api::environment::{BUTTON, SourceState, Verb};
use crate::api::status::{CheckStatus, CommandResult, Feedback, Surface};
use crate::forge::{Check, CheckAction, Conclusion};

/// GitHub refuses a longer summary ("Create a check run"), in characters; we count bytes, of which there are never fewer.
const SUMMARY_MAX: usize = 65_535;

/// What a check says that was turned off while it went on.
const OFF: &str = "Previews are not shown here any more";

/// What is to stand beside the commit at the head, and whether it is made where there is none.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Checking {
    /// The check.
    pub check: Check,
    /// What it is called where no other pull request has its commit.
    pub usual: String,
    /// The last press of "rebuild", or of GitHub's own "Re-run". GitHub takes a check for one that goes on after the latter,
    /// whatever we wrote before and whatever came of the press, so it is written anew.
    pub again: Option<String>,
    /// Whether it is made where there is none.
    pub opens: bool,
    /// The end of the pull request: what has ended beside the commit is left as it is then, and what goes on is ended.
    pub end: Option<End>,
}

impl Checking {
    /// That of an environment; None where there is nothing to say.
    pub(super) fn of(facts: &Facts<'_>, section: &Section, around: Surroundings<'_>) -> Option<Self> {
        let is_off = around.rules.is_some_and(|rules| !rules.check);
        let ended = matches!(&facts.state, State::Gone(why) | State::Removing(why) if why.is_the_end());
        // A check that goes on when it is turned off would stay so for ever, and a required one would stop the merge.
        let may_go_on = |feedback: &Feedback| {
            feedback.check.as_ref().is_some_and(|check| !check.concluded) || !begun::has_no_others(feedback, Surface::Check, None)
        };
        let goes_on = recorded(facts.environment).is_some_and(may_go_on);
        if facts.state == State::Undecided || (is_off && !goes_on) {
            return None;
        }
        let conclusion = if is_off { Some(Conclusion::Skipped) } else { conclusion(facts) };
        // What moves while workloads start is not worth a write beside the commit.
        let summary = if is_off {
            format!("{OFF}.\n")
        } else if conclusion.is_some() {
            render_short(section, SUMMARY_MAX)
        } else {
            format!("{}\n", facts.title())
        };
        let usual = facts.rules.check_name();
        let check = Check {
            name: name(facts, around, &usual),
            revision: facts.source.revision.clone(),
            pull: facts.source.pull,
            made_at: facts.status.started_at,
            conclusion,
            title: if is_off { OFF.to_owned() } else { facts.title().replace('`', "") },
            summary,
            url: url(facts),
            actions: if is_off { Vec::new() } else { actions(facts) },
        };
        Some(Self {
            check,
            usual,
            again: again(facts),
            opens: around.rules.is_some() && !ended && !is_off,
            end: End::of(facts).filter(|_| ended),
        })
    }

    /// What tells it from another.
    pub fn digest(&self) -> String {
        let Check { name, revision, pull, made_at, conclusion, title, summary, url, actions } = &self.check;
        let said = format!("{name}\n{revision}\n{pull:?} {made_at:?}\n{conclusion:?}\n{title}\n{summary}\n{url:?}\n{actions:?}");
        // Nothing is added where there was none: what was recorded before there were any stays true.
        digest(&self.again.as_ref().map_or_else(|| said.clone(), |id| format!("{said}\n{id}")))
    }

    /// Whether the records say that the forge shows this.
    pub fn is_shown(&self, feedback: &Feedback) -> bool {
        if !begun::has_no_others(feedback, Surface::Check, Some(&self.check.revision)) {
            return false;
        }
        let at_the_head = |check: &&CheckStatus| check.revision == self.check.revision;
        match (feedback.check.as_ref().filter(at_the_head), &self.end) {
            (Some(shown), Some(_)) if shown.concluded => true,
            (Some(shown), _) => shown.digest.as_deref() == Some(&self.digest()),
            (None, Some(end)) => !Self::leaves_one(feedback) && end.is_sought(feedback, Surface::Check),
            (None, None) => !self.opens && !Self::leaves_one(feedback) && begun::has_no_others(feedback, Surface::Check, None),
        }
    }

    /// Whether the check of a commit before goes on, as far as is recorded.
    fn leaves_one(feedback: &Feedback) -> bool {
        feedback.check.as_ref().is_some_and(|before| !before.concluded)
    }

    /// What it is called, where that is not the usual name.
    pub fn other_name(&self) -> Option<String> {
        (self.check.name != self.usual).then(|| self.check.name.clone())
    }

    /// The same for a commit that another one has taken the place of.
    pub fn superseded(&self, before: &CheckStatus) -> Check {
        let title = "Another commit was pushed before this one was up".to_owned();
        let (name, revision) = (before.name.as_ref().unwrap_or(&self.usual).clone(), before.revision.clone());
        let (pull, made_at, conclusion) = (self.check.pull, self.check.made_at, Some(Conclusion::Skipped));
        let summary = format!("{title}.\n");
        Check { name, revision, pull, made_at, conclusion, title, summary, url: None, actions: Vec::new() }
    }
}

/// What it is called. One that has a name of its own beside a commit keeps it there, so that none of two names is left behind
/// with an old state when the other pull request goes.
fn name(facts: &Facts<'_>, around: Surroundings<'_>, usual: &str) -> String {
    let before = recorded(facts.environment).and_then(|feedback| feedback.check.as_ref());
    let keeps = before.is_some_and(|check| check.revision == facts.source.revision && check.name.is_some());
    match facts.source.pull {
        Some(pull) if around.shares || keeps => beside_others(usual, pull),
        _ => usual.to_owned(),
    }
}

/// The command of the last press that asks for the check once more.
fn again(facts: &Facts<'_>) -> Option<String> {
    let is_press = |result: &&CommandResult| result.verb == Verb::Update && result.id.starts_with(BUTTON);
    facts.status.commands.iter().rev().find(is_press).map(|result| result.id.clone())
}

/// The buttons that do something: what stays for a while although its pull request was closed can only be taken down.
fn actions(facts: &Facts<'_>) -> Vec<CheckAction> {
    match (facts.state.is_there(), facts.source.state) {
        (true, SourceState::Open) => CheckAction::ALL.to_vec(),
        (true, _) => vec![CheckAction::Delete],
        (false, _) => Vec::new(),
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
