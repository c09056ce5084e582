//! Environments that read as sentences.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::said;
use crate::api::PreviewEnvironment;
use crate::api::conditions::{self, Condition, ConditionStatus};
use crate::api::environment::{Command, SourceState, Verb};
use crate::api::status::{
    CommandOutcome, CommandResult, Feedback, ImageOrigin, ImageState, ImageStatus, LeftOut, PreviewEnvironmentStatus, ProbeStatus, Queue,
    ServiceStatus, Url,
};
use crate::commands::effect::{Case, Refusal, effect, needs_pull};
use crate::domain::Baseline;
use crate::feedback::render::render;
use crate::feedback::rules::{Rules, Surroundings};
use crate::feedback::section::Section;
use crate::feedback::sources::Sources;
use crate::forge::{self, PullRequest};

pub(crate) const HEAD: &str = "3f9c2ab7d0e14f5a8b6c9d2e1f0a3b4c5d6e7f80";
pub(crate) const NEXT: &str = "91bd0015c3f24a6b8d7e9f0a1b2c3d4e5f6a7b8c";

pub(crate) fn time(text: &str) -> DateTime<Utc> {
    format!("2026-11-{text}:00Z").parse().expect("a time of the tests")
}

fn source() -> Value {
    json!({"forge": "github", "repositoryId": 7, "repository": "acme/web", "pull": 42, "state": "Open", "revision": HEAD,
           "observedAt": "2026-11-22T14:05:00Z", "headRepositoryId": 7, "headBranch": "checkout"})
}

/// An environment of acme/web#42 that was just recorded.
pub(crate) fn recorded() -> PreviewEnvironment {
    let spec = serde_json::from_value(json!({"baseline": "shop", "sources": [source()]})).expect("a spec of the tests");
    let mut object = PreviewEnvironment::new("web-pr-42", spec);
    object.metadata.namespace = Some("shop".into());
    object.metadata.uid = Some("uid-1".into());
    object.metadata.generation = Some(1);
    object
}

/// A place in a queue.
pub(crate) fn second_of_three() -> Queue {
    Queue { position: 2, of: 3, since: time("22T14:05"), why: said::no_room(&recorded()) }
}

/// Changes an environment a step at a time.
pub(crate) trait Tell: Sized {
    fn status(&mut self) -> &mut PreviewEnvironmentStatus;

    fn condition(mut self, type_: &str, status: ConditionStatus, reason: &str, message: &str) -> Self {
        let conditions = &mut self.status().conditions;
        conditions.retain(|c| c.type_ != type_);
        conditions.push(Condition {
            type_: type_.into(),
            status,
            reason: reason.into(),
            message: message.into(),
            last_transition_time: time("27T09:12"),
            observed_generation: Some(1),
        });
        self
    }

    fn phase(mut self, phase: &str) -> Self {
        self.status().phase = Some(phase.into());
        self
    }

    fn wanted(self) -> Self {
        self.condition(conditions::WANTED, ConditionStatus::True, "Triggered", "")
    }

    fn unwanted(self, reason: &str, phase: &str) -> Self {
        let told = self.condition(conditions::WANTED, ConditionStatus::False, reason, "");
        told.condition(conditions::READY, ConditionStatus::False, reason, "").phase(phase)
    }

    fn up(self) -> Self {
        self.condition(conditions::READY, ConditionStatus::True, "Ready", "")
    }

    fn service(mut self, name: &str, from: ImageOrigin, reason: Option<&str>) -> Self {
        let tag = if from == ImageOrigin::Branch { "pr-42-3f9c2ab" } else { "1.8.2" };
        self.status().services.push(ServiceStatus {
            kind: if name == "db" { "StatefulSet" } else { "Deployment" }.into(),
            name: name.into(),
            image: format!("registry.example.com/acme/{name}:{tag}"),
            from,
            ready: reason.is_none(),
            reason: reason.map(str::to_owned),
            log: None,
            waits_for: None,
        });
        self
    }

    /// It answered at its address with that commit.
    fn answered(mut self, revision: &str) -> Self {
        let url = self.status().urls[0].url.clone();
        let since = time("27T09:12") + TimeDelta::seconds(1);
        let revision = Some(revision.to_owned());
        self.status().probe = Some(ProbeStatus { url, revision, status: Some(200), answered: true, why: None, since });
        self
    }

    /// Somebody asked for something.
    fn commanded(mut self, verb: Verb, args: &[&str], (outcome, message): (CommandOutcome, &str), output: Option<&str>) -> Self {
        let commands = &mut self.status().commands;
        commands.push(CommandResult {
            id: format!("{}.1", 100 + commands.len()),
            verb,
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            actor: "ann".into(),
            at: time("25T10:00") + TimeDelta::minutes(i64::try_from(commands.len()).unwrap_or_default()),
            outcome,
            may_command: true,
            unsaid: false,
            message: message.into(),
            output: output.map(str::to_owned),
        });
        self
    }

    fn without(mut self, left_out: Vec<LeftOut>) -> Self {
        self.status().left_out = left_out;
        self
    }

    fn left_out(mut self, kind: &str, name: &str, why: &str) -> Self {
        self.status().left_out.push(LeftOut { kind: kind.into(), name: name.into(), why: why.into() });
        self
    }

    fn shown(mut self, comment_id: i64, digest: &str) -> Self {
        self.status().feedback = Some(Feedback { comment_id: Some(comment_id), digest: Some(digest.into()), ..Feedback::default() });
        self.condition(conditions::FEEDBACK_DELIVERED, ConditionStatus::True, "Delivered", "")
    }
}

impl Tell for PreviewEnvironment {
    fn status(&mut self) -> &mut PreviewEnvironmentStatus {
        self.status.get_or_insert_default()
    }
}

/// A command of ann's on acme/web#42.
pub(crate) fn asks(id: &str, verb: Verb, args: &[&str]) -> Command {
    let value = json!({"id": id, "verb": verb, "args": args, "actor": "ann", "at": time("25T10:00"), "forge": "github", "repositoryId": 7,
        "repository": "acme/web", "pull": 42});
    serde_json::from_value(value).expect("a command of the tests")
}

/// What comes of it, in the words that the commands' own code writes. Without an environment the forge says how the pull
/// request is.
pub(crate) fn comes_to(command: &Command, there: Option<&PreviewEnvironment>, state: SourceState) -> CommandResult {
    let none = PreviewEnvironment::new("web-pr-42", serde_json::from_value(json!({"baseline": "shop"})).expect("a spec of the tests"));
    let object = there.unwrap_or(&none);
    let pull = PullRequest { state, revision: HEAD.parse().expect("a commit"), head_repository_id: Some(7), ..forge::fixtures::pull() };
    let pull = needs_pull(command, object).then_some(&pull);
    let baseline = shop(&json!({}), true);
    let case = Case { command, object, baseline: &baseline, results: &[], pull, now: command.at };
    let (outcome, message) = match effect(&case) {
        Ok(effect) => (CommandOutcome::Done, effect.message),
        Err(Refusal(why)) => (CommandOutcome::Refused, why),
    };
    CommandResult { may_command: true, message, ..CommandResult::of(command, outcome) }
}

/// One that is being made, with its namespace and address, and no service yet.
pub(crate) fn started() -> PreviewEnvironment {
    let mut object = recorded().wanted().condition(conditions::READY, ConditionStatus::False, "Creating", "").phase("Creating");
    let status = object.status();
    status.namespace = Some("shop-web-pr-42".into());
    status.expires_at = Some(time("27T14:05"));
    status.urls = vec![Url { host: "web-pr-42.preview.example.com".into(), url: "https://web-pr-42.preview.example.com".into() }];
    object
}

/// One with its objects applied: `web` of the branch and the names given of the baseline, all ready.
pub(crate) fn applied(others: &[&str]) -> PreviewEnvironment {
    let mut object = started().service("web", ImageOrigin::Branch, None);
    object.status().revision = Some(HEAD.into());
    object.status().applied_at = Some(time("27T09:11") + TimeDelta::seconds(57));
    others.iter().fold(object, |object, name| object.service(name, ImageOrigin::Baseline, None))
}

/// One of twelve services that is ready.
pub(crate) fn ready() -> PreviewEnvironment {
    let others = ["api", "cart", "catalog", "checkout", "db", "frontend", "gateway", "mail", "orders", "search", "worker"];
    applied(&others).up().phase("Ready").without(said::left_out())
}

/// The same with another UID and Baseline.
pub(crate) fn second(mut object: PreviewEnvironment) -> PreviewEnvironment {
    object.metadata.uid = Some("uid-2".into());
    object.metadata.namespace = Some("shop-eu".into());
    object
}

pub(crate) fn all(objects: impl IntoIterator<Item = PreviewEnvironment>) -> Vec<Arc<PreviewEnvironment>> {
    objects.into_iter().map(Arc::new).collect()
}

/// One that was pushed and got its image lately, so that the comment says how long it took.
pub(crate) fn timed(mut object: PreviewEnvironment) -> PreviewEnvironment {
    object.spec.sources[0].observed_at = time("27T09:10") + TimeDelta::seconds(47);
    object.status().images = vec![ImageStatus {
        name: "registry.example.com/acme/web".into(),
        tag: "pr-42-3f9c2ab".into(),
        revision: Some(HEAD.into()),
        state: ImageState::Available,
        reason: "Found".into(),
        message: String::new(),
        digest: None,
        since: time("27T09:11") + TimeDelta::seconds(58),
        until: None,
    }];
    object
}

/// The Baseline `shop` of acme/web with that `feedback`.
pub(crate) fn shop(feedback: &Value, private: bool) -> Baseline {
    let spec = json!({"repositories": [{"name": "acme/web"}], "feedback": feedback});
    let mut object = crate::api::Baseline::new("shop", serde_json::from_value(spec).expect("a spec of the tests"));
    object.metadata.namespace = Some("shop".into());
    let known = json!({"repositories": [{"forge": "github", "name": "acme/web", "id": 7, "private": private}]});
    object.status = Some(serde_json::from_value(known).expect("a status of the tests"));
    Baseline::try_from(&object).expect("a Baseline of the tests")
}

/// What decides where that is the Baseline, in every namespace.
pub(crate) fn by(baseline: Baseline) -> Sources {
    let shared = Arc::new(baseline);
    Sources::new(Arc::new(move |_, _| Some(shared.clone())), false)
}

/// The same where somebody asks environments whether they answer.
pub(crate) fn probed(feedback: &Value, private: bool) -> Sources {
    let shared = Arc::new(shop(feedback, private));
    Sources::new(Arc::new(move |_, _| Some(shared.clone())), true)
}

/// Each namespace's own Baseline, which says nothing.
pub(crate) fn plain() -> Sources {
    let named = |namespace: &str, _: &str| {
        let baseline = shop(&json!({}), false);
        Some(Arc::new(Baseline { namespace: namespace.to_owned(), ..baseline }))
    };
    Sources::new(Arc::new(named), false)
}

/// Long before anything expires.
pub(crate) fn early() -> DateTime<Utc> {
    time("22T14:06")
}

/// Their comment, by a Baseline that says nothing, long before anything expires.
pub(crate) fn comment_of(members: Vec<Arc<PreviewEnvironment>>) -> String {
    text_of(members, &json!({}), early())
}

/// The same by a Baseline with that `feedback`, at that moment, where somebody asks environments whether they answer if one
/// of them says so.
pub(crate) fn text_of(mut members: Vec<Arc<PreviewEnvironment>>, feedback: &Value, now: DateTime<Utc>) -> String {
    members.sort_by_key(|member| (member.metadata.namespace.clone(), member.metadata.name.clone()));
    let probed = members.iter().any(|member| member.status.as_ref().is_some_and(|status| status.probe.is_some()));
    let rules = Rules::of(&shop(feedback, false), &recorded());
    let around = Surroundings { rules: Some(&rules), probed, shares: false };
    let many = members.len() > 1;
    render(&members.iter().filter_map(|member| Section::of(member, around, many, now)).collect::<Vec<_>>())
}
