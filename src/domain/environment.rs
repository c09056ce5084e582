//! A PreviewEnvironment whose every field was understood.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use kube::ResourceExt;

use super::lifetime::parse_ttl;
use super::names::Subject;
use super::{Baseline, EnvironmentName, ImageRef, RepoName, Revision};
use crate::api;
use crate::api::baseline::{ForgeKind, Forks};
use crate::api::environment::{Activity, Approval, Command, ImageOverride, Refresh, SourceState, Target, Wish};

/// How far the clocks of forge, people and API server may be apart.
const CLOCKS_APART: TimeDelta = TimeDelta::minutes(5);

/// A validated PreviewEnvironment: facts and wishes, without what we derived before.
#[derive(Clone, Debug, PartialEq)]
pub struct Environment {
    /// Its name.
    pub name: EnvironmentName,
    /// Namespace of the object and of its Baseline.
    pub baseline_namespace: String,
    /// Name of its Baseline.
    pub baseline: String,
    /// UID of the object: the proof of ownership on everything that is made for it.
    pub uid: String,
    /// Generation of the spec that this was read from.
    pub generation: Option<i64>,
    /// When the object was made, by the API server's clock.
    pub created_at: Option<DateTime<Utc>>,
    /// Whether the object is being deleted.
    pub deleted: bool,
    /// What the forge said, at most one entry a repository.
    pub sources: Vec<Source>,
    /// What a person last asked for.
    pub wish: Option<Wish>,
    /// When a person last asked for it to be brought up to its baseline.
    pub refresh: Option<Refresh>,
    /// What people asked for on the forge and what is not done yet.
    pub commands: Vec<Command>,
    /// The last time that a person did something on the forge, beside what sources and wishes say.
    pub activity: Option<Activity>,
    /// The commit of a fork that may run.
    pub approval: Option<Approval>,
    /// Its own time to live.
    pub ttl: Option<Duration>,
    /// It lives at least until then.
    pub extended_until: Option<DateTime<Utc>>,
    /// Whether it lives until it is closed or deleted.
    pub pinned: bool,
    /// Whether something could not be read that says until when it lives: then no time ends it.
    pub timeless: bool,
    /// Images that run instead of what the rules give, with their tags.
    pub images: Vec<(ImageRef, String)>,
}

/// One pull request or branch as the forge last described it.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// The forge.
    pub forge: ForgeKind,
    /// The repository's number.
    pub repository_id: i64,
    /// The repository's name.
    pub repository: RepoName,
    /// The pull request or branch.
    pub subject: Subject,
    /// What became of it.
    pub state: SourceState,
    /// Commit at its head.
    pub revision: Revision,
    /// When the forge stated it.
    pub observed_at: DateTime<Utc>,
    /// When somebody last did something about it that keeps an environment alive.
    pub active_at: DateTime<Utc>,
    /// Branch that the change is on.
    pub branch: Option<String>,
    /// Whether the change comes from another repository, or from one that is gone.
    pub foreign: bool,
    /// Branch that the pull request is to be merged into.
    pub base_branch: Option<String>,
    /// Whether the pull request is a draft.
    pub draft: bool,
    /// Whether a bot opened the pull request.
    pub bot: bool,
    /// Login of the one who opened the pull request.
    pub author: Option<String>,
    /// The pull request's labels.
    pub labels: Vec<String>,
}

/// The field of a PreviewEnvironment that cannot be used, and why.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{field}: {why}")]
pub struct InvalidEnvironment {
    /// Path of the field.
    pub field: String,
    /// What is wrong with it.
    pub why: String,
}

fn invalid(field: impl Into<String>, why: &dyn fmt::Display) -> InvalidEnvironment {
    InvalidEnvironment { field: field.into(), why: why.to_string() }
}

impl Environment {
    /// What can be understood of an object that is wrong somewhere: enough to take it down, and never to make it. A pin and an
    /// extension hold whatever else is wrong, and where a time to live or a source is lost nobody knows when its time is over.
    pub fn salvaged(object: &api::PreviewEnvironment) -> Option<Self> {
        let mut readable = object.clone();
        readable.spec.images.clear();
        readable.spec.sources.retain(|s| source("", s).is_ok());
        let mut timeless = readable.spec.sources.len() < object.spec.sources.len();
        if let Some(lifetime) = &mut readable.spec.lifetime {
            timeless |= lifetime.ttl.take_if(|ttl| parse_ttl(ttl).is_err()).is_some();
        }
        Some(Self { timeless, ..Self::try_from(&readable).ok()? })
    }

    /// Whether one of its pull requests or branches is open.
    pub fn has_open_source(&self) -> bool {
        self.sources.iter().any(|source| source.state == SourceState::Open)
    }

    /// What tells one run of the hooks from another: the commits, and when somebody last asked for a refresh.
    pub fn hook_run(&self) -> String {
        let mut parts: Vec<String> = self.sources.iter().map(|s| s.revision.to_string()).collect();
        parts.extend(self.refresh.as_ref().map(|r| r.at.to_rfc3339()));
        parts.join(" ")
    }

    /// The last time that somebody did something: a push or another deed about a source, a wish, or a refresh. A stamp that is
    /// still to come says nothing: with one, somebody could keep an environment for ever.
    pub fn last_activity(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let done = self.sources.iter().map(|s| s.active_at).chain(self.wishes()).chain(self.activity.as_ref().map(|a| a.at));
        done.filter(|at| *at <= now + CLOCKS_APART).max()
    }

    /// When what runs, or is to run, was asked for: the last change of a source, the last wish or the last refresh. What the
    /// forge states has whole seconds.
    pub fn asked_at(&self) -> Option<DateTime<Utc>> {
        self.sources.iter().map(|s| s.observed_at).chain(self.wishes()).max()
    }

    fn wishes(&self) -> impl Iterator<Item = DateTime<Utc>> {
        self.wish.as_ref().map(|w| w.at).into_iter().chain(self.refresh.as_ref().map(|r| r.at))
    }

    /// Whose it is: of whoever opened the pull request, else of whoever asked for it. A branch that nobody asked for is
    /// nobody's.
    pub fn author(&self) -> Option<&str> {
        let opened = self.main_source().and_then(|source| source.author.as_deref());
        opened.or_else(|| self.wish.as_ref().map(|wish| wish.actor.as_str()))
    }

    /// The source of that repository.
    pub fn source(&self, forge: ForgeKind, repository: &RepoName) -> Option<&Source> {
        self.sources.iter().find(|s| s.forge == forge && s.repository == *repository)
    }

    /// The source that the environment is named after: the first.
    pub fn main_source(&self) -> Option<&Source> {
        self.sources.first()
    }

    /// Whether it is for a change from outside that runs without an approval, apart from everything.
    pub fn is_isolated(&self, baseline: &Baseline) -> bool {
        baseline.trust.forks == Forks::Isolated && self.sources.iter().any(|source| source.foreign)
    }

    /// What a wish asks for that no source answers yet, or that was asked again since.
    pub fn unanswered_target(&self) -> Option<&Target> {
        let wish = self.wish.as_ref()?;
        let target = wish.target.as_ref()?;
        let answered = self.sources.iter().any(|s| s.answers(target) && (s.subject.is_pull() || s.observed_at >= wish.at));
        (!answered).then_some(target)
    }
}

impl Subject {
    /// Whether this is a pull request, whose changes the forge tells us of.
    pub fn is_pull(&self) -> bool {
        matches!(self, Self::Pull(_))
    }
}

impl Source {
    /// `acme/web#42` or `acme/web@feature/login`.
    pub fn display(&self) -> String {
        format!("{}{}", self.repository, self.subject.suffix())
    }

    fn answers(&self, target: &Target) -> bool {
        let same_subject = match &self.subject {
            Subject::Pull(number) => target.pull == Some(*number),
            Subject::Branch(name) => target.branch.as_ref() == Some(name),
        };
        self.forge == target.forge && same_subject
    }
}

impl TryFrom<&api::PreviewEnvironment> for Environment {
    type Error = InvalidEnvironment;

    fn try_from(object: &api::PreviewEnvironment) -> Result<Self, InvalidEnvironment> {
        let spec = &object.spec;
        let sources = spec.sources.iter().enumerate().map(|(i, s)| source(&format!("spec.sources[{i}]"), s));
        let lifetime = spec.lifetime.as_ref();
        let ttl = lifetime.and_then(|l| l.ttl.as_ref()).map(|ttl| parse_ttl(ttl).map_err(|e| invalid("spec.lifetime.ttl", &e)));
        Ok(Self {
            name: EnvironmentName::recorded(&object.name_any()),
            baseline_namespace: object.namespace().ok_or_else(|| invalid("metadata.namespace", &"is missing"))?,
            baseline: spec.baseline.clone(),
            uid: object.uid().ok_or_else(|| invalid("metadata.uid", &"is missing"))?,
            generation: object.metadata.generation,
            created_at: api::time::created_at(object),
            deleted: object.metadata.deletion_timestamp.is_some(),
            sources: sources.collect::<Result<_, _>>()?,
            wish: spec.wish.clone(),
            refresh: spec.refresh.clone(),
            commands: spec.commands.clone(),
            activity: spec.activity.clone(),
            approval: spec.approval.clone(),
            ttl: ttl.transpose()?,
            extended_until: lifetime.and_then(|l| l.extended_until),
            pinned: lifetime.and_then(|l| l.pinned).unwrap_or_default(),
            timeless: false,
            images: spec.images.iter().enumerate().map(|(i, o)| image(i, o)).collect::<Result<_, _>>()?,
        })
    }
}

impl TryFrom<&api::Source> for Source {
    type Error = InvalidEnvironment;

    fn try_from(fact: &api::Source) -> Result<Self, InvalidEnvironment> {
        source("source", fact)
    }
}

fn source(path: &str, fact: &api::Source) -> Result<Source, InvalidEnvironment> {
    let subject = match (fact.pull, &fact.branch) {
        (Some(number), None) => Subject::Pull(number),
        (None, Some(name)) => Subject::Branch(name.clone()),
        _ => return Err(invalid(path, &"give either pull or branch")),
    };
    let branch = if let Subject::Branch(name) = &subject { Some(name.clone()) } else { fact.head_branch.clone() };
    Ok(Source {
        forge: fact.forge,
        repository_id: fact.repository_id,
        repository: fact.repository.parse().map_err(|e| invalid(format!("{path}.repository"), &e))?,
        foreign: fact.is_foreign(),
        subject,
        state: fact.state,
        revision: fact.revision.parse().map_err(|e| invalid(format!("{path}.revision"), &e))?,
        observed_at: fact.observed_at,
        active_at: fact.active_at(),
        branch,
        base_branch: fact.base_branch.clone(),
        draft: fact.draft,
        bot: fact.bot,
        author: fact.author.clone(),
        labels: fact.labels.clone(),
    })
}

fn image(index: usize, asked: &ImageOverride) -> Result<(ImageRef, String), InvalidEnvironment> {
    let image = asked.name.parse().map_err(|e| invalid(format!("spec.images[{index}].name"), &e))?;
    Ok((image, asked.tag.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(spec: serde_json::Value) -> api::PreviewEnvironment {
        let mut object = api::PreviewEnvironment::new("web-pr-42", serde_json::from_value(spec).unwrap());
        object.metadata.namespace = Some("shop".into());
        object.metadata.uid = Some("u-1".into());
        object
    }

    fn read(spec: serde_json::Value) -> Result<Environment, InvalidEnvironment> {
        Environment::try_from(&object(spec))
    }

    fn pull(head: Option<i64>) -> serde_json::Value {
        json!({"forge": "github", "repositoryId": 7, "repository": "acme/web", "pull": 42, "state": "Open",
               "revision": "a".repeat(40), "observedAt": "2026-01-01T00:00:00Z", "headRepositoryId": head})
    }

    #[test]
    fn a_pull_request_from_another_or_a_deleted_repository_is_foreign() {
        for (head, foreign) in [(Some(7), false), (Some(8), true), (None, true)] {
            let environment = read(json!({"baseline": "shop", "sources": [pull(head)]})).unwrap();
            assert_eq!(environment.sources[0].foreign, foreign, "{head:?}");
        }
    }

    #[test]
    fn a_wish_is_unanswered_until_the_forge_spoke() {
        let wish =
            json!({"state": "Present", "actor": "ann", "at": "2026-01-02T00:00:00Z", "target": {"repository": "acme/web", "pull": 42}});
        assert!(read(json!({"baseline": "shop", "wish": wish})).unwrap().unanswered_target().is_some());
        assert!(read(json!({"baseline": "shop", "wish": wish, "sources": [pull(Some(7))]})).unwrap().unanswered_target().is_none());
    }

    #[test]
    fn the_last_activity_is_the_latest_of_all() {
        let wish = json!({"state": "Present", "actor": "ann", "at": "2026-01-02T00:00:00Z"});
        let environment = read(json!({"baseline": "shop", "sources": [pull(Some(7))], "wish": wish})).unwrap();
        let last = |now: &str| environment.last_activity(now.parse().unwrap()).map(|at| at.to_rfc3339());
        assert_eq!(last("2026-01-02T00:00:00Z").as_deref(), Some("2026-01-02T00:00:00+00:00"));
        assert_eq!(last("2026-01-01T23:56:00Z").as_deref(), Some("2026-01-02T00:00:00+00:00"), "clocks are some minutes apart");
        assert_eq!(last("2026-01-01T23:50:00Z").as_deref(), Some("2026-01-01T00:00:00+00:00"), "what is to come says nothing");
    }

    #[test]
    fn what_nobody_did_about_a_source_is_no_activity() {
        let last = |active: serde_json::Value| {
            let mut source = pull(Some(7));
            source["activeAt"] = active;
            let environment = read(json!({"baseline": "shop", "sources": [source]})).unwrap();
            environment.last_activity("2026-01-02T00:00:00Z".parse().unwrap()).map(|at| at.to_rfc3339())
        };
        for (active, at) in [
            (serde_json::Value::Null, "2026-01-01T00:00:00+00:00"),
            (json!("2025-12-01T00:00:00Z"), "2025-12-01T00:00:00+00:00"),
            (json!("2026-01-01T12:00:00Z"), "2026-01-01T00:00:00+00:00"),
        ] {
            assert_eq!(last(active.clone()).as_deref(), Some(at), "{active}");
        }
    }

    #[test]
    fn a_typo_takes_neither_a_pin_nor_an_extension_away() {
        let (until, nowhere) = ("2026-02-01T00:00:00Z", json!({"repository": "nowhere"}));
        for (ttl, change, timeless) in [
            ("0s", json!({}), true),
            ("9999d", json!({}), true),
            ("5d", nowhere, true),
            ("5d", json!({"images": [{"name": "no image", "tag": "1"}]}), false),
        ] {
            let lifetime = json!({"ttl": ttl, "pinned": true, "extendedUntil": until});
            let mut spec = json!({"baseline": "shop", "sources": [pull(Some(7))], "lifetime": lifetime});
            let into = if change.get("repository").is_some() { &mut spec["sources"][0] } else { &mut spec };
            into.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            assert!(read(spec.clone()).is_err(), "{spec}");
            let salvaged = Environment::salvaged(&object(spec.clone())).unwrap();
            assert_eq!((salvaged.pinned, salvaged.extended_until), (true, Some(until.parse().unwrap())), "{spec}");
            assert_eq!(salvaged.timeless, timeless, "{spec}");
        }
    }
}
