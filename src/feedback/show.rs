//! Everything that a forge is to show of one pull request. No client, no clock, no logging.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::asked::{self, Asked};
use super::brake::{Gist, News};
use super::check::Checking;
use super::deployment::{Deploying, environment_of};
use super::digest::digest;
use super::facts::Facts;
use super::group::Group;
use super::marker::Marker;
use super::render::render;
use super::rules::Surroundings;
use super::section::Section;
use super::state::State;
use crate::api::PreviewEnvironment;
use crate::api::baseline::CommentRule;
use crate::api::status::{CommandResult, Feedback, Refusal, Surface};

/// What a comment is to say.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Letter {
    /// The whole text.
    pub text: String,
    /// Its first line, by which it is found again.
    pub marker: Marker,
    /// What tells it from another, but for the marker.
    pub digest: String,
    /// Whether it is worth a comment where there is none yet. That something is gone is not.
    pub opens: bool,
}

/// What is to be shown of one environment beside the comment.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Part {
    /// Its deployments.
    pub deploying: Deploying,
    /// Its check.
    pub checking: Option<Checking>,
    /// Whether the comment speaks of the commit at the head.
    pub names_the_commit: bool,
    /// What the forge calls the environment that its deployments are to.
    pub deployed_to: String,
}

/// What is to be shown of one pull request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Show {
    /// The comment; None where there is nothing to say.
    pub letter: Option<Letter>,
    /// What else, in the order of the group's members.
    pub parts: Vec<Part>,
    /// What decides on when it is shown.
    pub gist: Gist,
    /// Whether it will say something else before long, whatever people do.
    pub passes: bool,
    /// When it changes by itself.
    pub changes_at: Option<DateTime<Utc>>,
}

impl Show {
    /// What that pull request is to show at that moment; None while nothing is decided for any environment. `around` has one
    /// for each member, and `marker` is the comment's first line.
    pub fn of(group: &Group, (around, marker): (&[Surroundings<'_>], &Marker), now: DateTime<Utc>) -> Option<Self> {
        let all: Vec<_> = group.members().iter().map(AsRef::as_ref).zip(around.iter().copied()).collect();
        let (asked, environments): (Vec<_>, Vec<_>) = all.iter().copied().partition(|(member, _)| member.holds_only_commands());
        if environments.is_empty() {
            return Self::of_asked(&asked, marker);
        }
        let mut views: Vec<_> = environments.iter().filter_map(|(member, around)| View::of(member, *around, now)).collect();
        if views.len() != environments.len() || views.iter().all(|view| view.facts.state == State::Undecided) {
            return None;
        }
        // What holds nothing but commands is silent beside an environment, which answers them too.
        let mut of_views = views.iter().map(View::part);
        let part = |member: &PreviewEnvironment| if member.holds_only_commands() { None } else { of_views.next() };
        let parts: Vec<_> = all.iter().map(|(member, _)| *member).map(part).map(Option::unwrap_or_default).collect();
        let (news, states) = (news(&views), views.iter().map(View::state).collect::<Vec<_>>().join("\n"));
        let passes = views.iter().any(|view| view.facts.state.passes());
        let changes_at = views.iter().flat_map(|view| view.facts.turns_at()).filter(|at| *at > now).min();
        let letter = letter(&mut views, group.recorded_comment().is_some(), marker);
        let of_parts = parts.iter().map(|part| (part.deploying.digest(), part.checking.as_ref().map(Checking::digest)));
        let all = format!("{:?}\n{:?}", letter.as_ref().map(|letter| &letter.digest), of_parts.collect::<Vec<_>>());
        let gist = Gist { digest: digest(&all), awaited: digest(&format!("{states}\n{news:?}")), news };
        Some(Self { letter, parts, gist, passes, changes_at })
    }

    /// What a pull request is to show that has no environment: what came of the commands there; None where nothing is to be told.
    fn of_asked(asked: &Asked<'_>, marker: &Marker) -> Option<Self> {
        let answers = asked::answers(asked);
        let news = News { asked: vec![answers.last()?.id.clone()], came: BTreeSet::new() };
        let text = asked::text(&answers);
        let letter = Letter { digest: digest(&text), text: marker.sign(&text), marker: marker.clone(), opens: true };
        let gist = Gist { digest: letter.digest.clone(), awaited: letter.digest.clone(), news };
        let parts = asked.iter().map(|_| Part::default()).collect();
        Some(Self { letter: Some(letter), parts, gist, passes: false, changes_at: None })
    }

    /// Whether those records say that the forge shows all of this.
    pub fn is_shown(&self, feedbacks: &[Feedback]) -> bool {
        self.says_comment(feedbacks) && self.parts.iter().zip(feedbacks).all(|(part, feedback)| part.is_shown(feedback))
    }

    /// Whether every record says that the comment says this.
    pub fn says_comment(&self, feedbacks: &[Feedback]) -> bool {
        self.letter.as_ref().is_none_or(|letter| feedbacks.iter().all(|f| f.digest.as_deref() == Some(&letter.digest)))
    }

    /// Whether the record of one environment says that nothing is left to do for it: all is shown, or refused as it is. What is there
    /// and cannot be changed for want of a valid token is neither: with another one it can.
    pub fn is_over(&self, index: usize, feedback: &Feedback) -> bool {
        let Some(part) = self.parts.get(index) else { return true };
        let stays = |refusal: &Refusal| !refusal.of_identity || !is_there(feedback, refusal.surface);
        let refused = |surface, digest: &str| feedback.refused.iter().any(|r| r.surface == surface && r.digest == digest && stays(r));
        let told = |letter: &Letter| feedback.digest.as_deref() == Some(&letter.digest) || refused(Surface::Comment, &letter.digest);
        let deployed = part.deploying.is_shown(feedback) || refused(Surface::Deployment, &part.deploying.digest());
        let checked = |checking: &Checking| checking.is_shown(feedback) || refused(Surface::Check, &checking.digest());
        self.letter.as_ref().is_none_or(told) && deployed && part.checking.as_ref().is_none_or(checked)
    }
}

/// Whether the forge shows something of that kind.
fn is_there(feedback: &Feedback, surface: Surface) -> bool {
    match surface {
        Surface::Comment => feedback.comment_id.is_some(),
        Surface::Check => feedback.check.is_some(),
        Surface::Deployment => !feedback.deployments.is_empty(),
    }
}

impl Part {
    fn is_shown(&self, feedback: &Feedback) -> bool {
        self.deploying.is_shown(feedback) && self.checking.as_ref().is_none_or(|checking| checking.is_shown(feedback))
    }
}

/// One environment on its way into the texts.
struct View<'a> {
    environment: &'a PreviewEnvironment,
    around: Surroundings<'a>,
    facts: Facts<'a>,
    now: DateTime<Utc>,
}

impl<'a> View<'a> {
    fn of(environment: &'a PreviewEnvironment, around: Surroundings<'a>, now: DateTime<Utc>) -> Option<Self> {
        Some(Self { environment, around, facts: Facts::of(environment, around, now)?, now })
    }

    fn section(&self, named: bool) -> Option<Section> {
        Section::of(self.environment, self.around, named, self.now)
    }

    fn part(&self) -> Part {
        let checking = self.section(false).and_then(|section| Checking::of(&self.facts, &section, self.around));
        let names_the_commit = !matches!(self.facts.state, State::Undecided | State::Gone(_) | State::Removing(_) | State::Denied);
        let (deploying, deployed_to) = (Deploying::of(&self.facts, self.around), environment_of(&self.facts));
        Part { deploying, checking, names_the_commit, deployed_to }
    }

    /// Its state, with its words.
    fn state(&self) -> String {
        format!("{:?}", self.facts.state)
    }

    /// What people did last: what came of it before they closed and reopened it counts no more.
    fn asked(&self) -> String {
        // What strangers wrote is told when there is room for it.
        let mut commands = self.facts.status.commands.iter().rev().filter(|result| result.gets_words());
        let command = commands.next().map(|result| result.id.as_str()).unwrap_or_default();
        let wish = self.environment.spec.wish.as_ref().map(|wish| wish.at);
        format!("{} {:?} {command} {wish:?}", self.facts.source.revision, self.facts.source.state)
    }

    fn rule(&self) -> Option<CommentRule> {
        self.around.rules.map(|rules| rules.comment)
    }

    /// Whether it is worth a comment where there is none yet.
    fn opens(&self) -> bool {
        let asked = self.facts.status.commands.iter().any(CommandResult::gets_words);
        match self.rule() {
            Some(CommentRule::Always) => asked || self.facts.state.opens(),
            Some(CommentRule::OnDeploy) => asked || self.facts.state.is_deployed(),
            Some(CommentRule::Never) | None => false,
        }
    }
}

/// The news of all environments.
fn news(views: &[View<'_>]) -> News {
    let came = |(index, view): (usize, &View<'_>)| view.facts.came().into_iter().map(move |came| format!("{index} {came}"));
    News { asked: views.iter().map(View::asked).collect(), came: views.iter().enumerate().flat_map(came).collect() }
}

/// The comment of all environments whose Baselines want one. What is there already is kept true to the end.
fn letter(views: &mut Vec<View<'_>>, is_there: bool, marker: &Marker) -> Option<Letter> {
    let many = views.len() > 1;
    let opens = views.iter().any(View::opens);
    views.retain(|view| view.rule() != Some(CommentRule::Never));
    views.sort_by_key(|view| (view.environment.metadata.namespace.clone(), view.environment.metadata.name.clone()));
    if views.is_empty() && !is_there {
        return None;
    }
    let sections: Vec<_> = views.iter().filter_map(|view| view.section(many)).collect();
    let text = if sections.is_empty() { switched_off() } else { render(&sections) };
    // Whoever signs it, it says the same, so a signature alone is no reason to write it again.
    Some(Letter { digest: digest(&text), text: marker.sign(&text), marker: marker.clone(), opens })
}

fn switched_off() -> String {
    format!("{}\n### Previews are not shown here any more\n\nThe Baseline says `feedback.comment: Never`.\n", super::MARKER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::environment::SourceState;
    use crate::feedback::PullKey;
    use crate::feedback::tests::fixtures::{all, early, plain, ready};

    #[test]
    fn a_close_and_a_reopening_are_something_that_people_did() {
        let asked = |state| {
            let mut object = ready();
            object.spec.sources[0].state = state;
            let group = Group::of(PullKey::of(&object).unwrap(), all([object])).unwrap();
            plain().show(&group, early()).unwrap().gist.news.asked
        };
        assert_ne!(asked(SourceState::Open), asked(SourceState::Closed));
        assert_eq!(asked(SourceState::Open), asked(SourceState::Open));
    }
}
