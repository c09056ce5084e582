//! What we want because of an event: facts to record, or nothing and why. No client, no clock, no logging.

pub mod active;
mod branches;
mod commands;
mod gone;
mod pulls;
#[cfg(test)]
mod tests;
pub mod times;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use kube::ResourceExt;

use crate::api;
use crate::api::baseline::ForgeKind;
use crate::api::status::Lapse;
use crate::commands::order::{self, Mark};
use crate::domain::names::{Identity, Subject};
use crate::domain::{Baseline, EnvironmentName, Revision, baseline};
use crate::forge::PullRequest;
use crate::forge::event::Event;

pub use commands::{given, is_before};

/// What an event makes us want.
#[derive(Clone, Debug, PartialEq)]
pub enum Intent {
    /// These facts are to be held: one for each Baseline that lists the repository, and one for each environment that
    /// there is already.
    Record(Vec<Fact>),
    /// These commands are to be held: one for each environment of the pull request, whether it is there or not.
    Command(Vec<CommandFact>),
    /// Nothing, and why.
    Ignore(String),
    /// To say that we are here.
    Pong,
}

/// One entry of one environment's `spec.sources`, and where it belongs.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    /// Namespace of the Baseline and of the environment.
    pub baseline_namespace: String,
    /// Name of the Baseline.
    pub baseline: String,
    /// Name of the environment.
    pub environment: EnvironmentName,
    /// What the forge said.
    pub source: api::Source,
}

impl Fact {
    /// `shop/web-pr-42`, as people name an object in a namespace.
    pub fn display(&self) -> String {
        format!("{}/{}", self.baseline_namespace, self.environment)
    }
}

/// One command, and where it belongs.
#[derive(Clone, Debug, PartialEq)]
pub struct CommandFact {
    /// Namespace of the Baseline and of the environment.
    pub baseline_namespace: String,
    /// Name of the Baseline.
    pub baseline: String,
    /// Name of the environment, which need not be there.
    pub environment: EnvironmentName,
    /// What somebody asked for.
    pub command: api::environment::Command,
}

impl CommandFact {
    /// `shop/web-pr-42`, as people name an object in a namespace.
    pub fn display(&self) -> String {
        format!("{}/{}", self.baseline_namespace, self.environment)
    }
}

/// What an event is about, to find the environments that know of it already.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum About {
    /// A pull request or branch of the repository of that number.
    Subject(ForgeKind, i64, Subject),
    /// All pull requests of the repository of that number that have that commit at their head.
    Commit(ForgeKind, i64, Revision),
    /// All of the repositories of these numbers.
    Repositories(ForgeKind, Vec<i64>),
}

/// An environment that holds a fact of the same pull request already.
#[derive(Clone, Debug, PartialEq)]
pub struct Existing {
    /// Its UID.
    pub uid: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: EnvironmentName,
    /// Name of its Baseline, which never changes, whatever became of that Baseline.
    pub baseline: String,
    /// The fact as it holds it.
    pub source: api::Source,
    /// The ids of the commands that it holds or has carried out.
    pub heard: Vec<String>,
    /// What was given before that was for another one of its name.
    pub began: Option<Mark>,
    /// The oldest of the commands that it remembers, where it may have forgotten older ones.
    pub forgot_before: Option<Mark>,
    /// How long it lives.
    pub life: Life,
    /// Whether a person asked for it, so that it needs no trigger.
    pub wished: bool,
}

/// How long an environment lives, and since when nothing happened to it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Life {
    /// The environment's UID.
    pub uid: String,
    /// When somebody last did something, as far as is recorded.
    pub active_at: Option<DateTime<Utc>>,
    /// When it ends if nobody does anything, or ended for that reason. None where nothing is there, or where it does not end by
    /// itself.
    pub ends_at: Option<DateTime<Utc>>,
}

impl Life {
    fn of(object: &api::PreviewEnvironment) -> Self {
        let spec = &object.spec;
        let wishes = [spec.wish.as_ref().map(|w| w.at), spec.refresh.as_ref().map(|r| r.at), spec.activity.as_ref().map(|a| a.at)];
        let active_at = spec.sources.iter().map(api::Source::active_at).chain(wishes.into_iter().flatten()).max();
        let ends_at = object.status.as_ref().and_then(|status| {
            let expired = status.lapsed.as_ref().filter(|lapsed| lapsed.why == Lapse::Expired);
            status.expires_at.or_else(|| expired.map(|lapsed| lapsed.at))
        });
        Self { uid: object.uid().unwrap_or_default(), active_at, ends_at }
    }
}

impl About {
    /// What an event is about, if environments can know of it.
    pub fn of(event: &Event) -> Option<Self> {
        match event {
            Event::Ping | Event::Ignored { .. } => None,
            Event::PullRequest { forge, pull, .. } => Some(Self::Subject(*forge, pull.repository_id, Subject::Pull(pull.number))),
            Event::Branch { forge, branch, .. } => Some(Self::Subject(*forge, branch.repository_id, Subject::Branch(branch.name.clone()))),
            Event::Comment { forge, comment } => Some(Self::Subject(*forge, comment.repository_id, Subject::Pull(comment.pull))),
            Event::Button { forge, press } => Some(Self::Subject(*forge, press.repository_id, Subject::Pull(press.pull))),
            Event::Again { forge, again } => Some(Self::Commit(*forge, again.repository_id, again.revision.clone())),
            Event::Gone { forge, repositories, .. } => Some(Self::Repositories(*forge, repositories.clone())),
        }
    }

    fn names(&self, source: &api::Source) -> bool {
        match self {
            Self::Repositories(forge, ids) => source.forge == *forge && ids.contains(&source.repository_id),
            Self::Commit(forge, id, revision) => {
                let is_at_it = source.pull.is_some() && source.revision == revision.as_str();
                is_at_it && source.forge == *forge && source.repository_id == *id
            }
            Self::Subject(forge, id, subject) => {
                let same = match subject {
                    Subject::Pull(number) => source.pull == Some(*number),
                    Subject::Branch(name) => source.pull.is_none() && source.branch.as_ref() == Some(name),
                };
                same && source.forge == *forge && source.repository_id == *id
            }
        }
    }
}

impl Existing {
    /// The environment, once for each of its facts that the event is about. One that is being deleted holds nothing for
    /// long.
    pub fn of(object: &api::PreviewEnvironment, about: &About) -> Vec<Self> {
        let mut sources = object.spec.sources.iter().filter(|s| about.names(s) && object.metadata.deletion_timestamp.is_none()).peekable();
        // One event is about few of many, and what follows is not needed of the others.
        if sources.peek().is_none() {
            return Vec::new();
        }
        let results = object.status.as_ref().map_or(&[][..], |s| &s.commands);
        let heard: Vec<String> = object.spec.commands.iter().map(|c| &c.id).chain(results.iter().map(|r| &r.id)).cloned().collect();
        let forgot_before = order::horizon(results);
        let life = Life::of(object);
        let wished = object.standing_wish().is_some();
        let existing = |source: &api::Source| Self {
            uid: object.uid().unwrap_or_default(),
            namespace: object.namespace().unwrap_or_default(),
            name: EnvironmentName::recorded(&object.name_any()),
            baseline: object.spec.baseline.clone(),
            source: source.clone(),
            heard: heard.clone(),
            began: order::began(object),
            forgot_before: forgot_before.clone(),
            life: life.clone(),
            wished,
        };
        sources.map(existing).collect()
    }

    /// Whether it holds a command, or has carried it out: of those that it may have forgotten that is taken for granted, and
    /// so of those from before it began.
    pub fn has_heard(&self, command: &api::environment::Command) -> bool {
        let is_before = |mark: &Option<Mark>| mark.as_ref().is_some_and(|mark| mark.is_after(command));
        self.heard.contains(&command.id) || is_before(&self.forgot_before) || is_before(&self.began)
    }

    /// Whether a fact is one of this environment.
    pub fn is_for(&self, fact: &Fact) -> bool {
        self.namespace == fact.baseline_namespace && self.name == fact.environment
    }

    /// Named and spelled as it was, so that the same entry changes.
    fn fact(&self, source: api::Source) -> Fact {
        Fact {
            baseline_namespace: self.namespace.clone(),
            baseline: self.baseline.clone(),
            environment: self.name.clone(),
            source: api::Source { repository: self.source.repository.clone(), ..source },
        }
    }
}

/// Decides what an event is to us, by the Baselines that can be used and by the environments that hold a fact of the
/// same pull request or branch. Those get the fact whatever became of their Baseline: a close comes only once.
pub fn decide(event: &Event, baselines: &[Arc<Baseline>], existing: &[Existing]) -> Intent {
    match decide_alone(event, baselines, existing) {
        Intent::Record(facts) => Intent::Record(facts.into_iter().map(|fact| active::follow(fact, existing, baselines)).collect()),
        other => other,
    }
}

fn decide_alone(event: &Event, baselines: &[Arc<Baseline>], existing: &[Existing]) -> Intent {
    match event {
        Event::Ping => Intent::Pong,
        Event::Ignored { why } => Intent::Ignore(why.clone()),
        Event::PullRequest { forge, pull, sender, action } => pulls::decide((*forge, pull), (*action, sender), baselines, existing),
        Event::Branch { forge, branch, exists, sender } => branches::decide((*forge, branch), (*exists, sender), baselines, existing),
        Event::Comment { forge, comment } => commands::of_comment(*forge, comment, baselines, existing),
        Event::Button { forge, press } => commands::of_press(*forge, press, baselines, existing),
        Event::Again { forge, again } => commands::of_again(*forge, again, existing),
        Event::Gone { for_good: false, why, .. } => Intent::Ignore(format!("{why}, and the forge is asked whether that is still so")),
        Event::Gone { why, .. } => gone::decide(why, existing),
    }
}

/// A pull request as a fact, if the Baseline lists its repository. `sender` caused the event, if one did.
pub fn fact_of_pull(baseline: &Baseline, forge: ForgeKind, pull: &PullRequest, sender: Option<&str>) -> Option<Fact> {
    let repository = baseline.repository_by(forge, pull.repository_id, &pull.repository)?;
    Some(fact(baseline, repository, pull.to_source(forge, sender)))
}

/// The facts that Baselines ask for, and the same fact for each environment that there is already: once for each
/// environment, and for the Baseline that it was made for.
fn spread(mut facts: Vec<Fact>, existing: &[Existing], source: &api::Source) -> Vec<Fact> {
    for known in existing {
        match facts.iter_mut().find(|fact| known.is_for(fact)) {
            Some(fact) => fact.baseline.clone_from(&known.baseline),
            None => facts.push(known.fact(source.clone())),
        }
    }
    facts
}

/// What the forge said of a pull request or branch of that repository of the Baseline. Names follow the Baseline's
/// own spelling, so that a rename on the forge does not make a second environment.
pub fn fact(baseline: &Baseline, repository: &baseline::Repository, source: api::Source) -> Fact {
    let subject = match (source.pull, &source.branch) {
        (Some(number), _) => Subject::Pull(number),
        (None, branch) => Subject::Branch(branch.clone().unwrap_or_default()),
    };
    let identity = Identity {
        forge: repository.forge,
        repository: &repository.name,
        alias: &repository.alias,
        subject: &subject,
        baseline_namespace: &baseline.namespace,
    };
    Fact {
        baseline_namespace: baseline.namespace.clone(),
        baseline: baseline.name.clone(),
        environment: EnvironmentName::of(&identity),
        source: api::Source { repository: repository.name.as_str().to_owned(), ..source },
    }
}
