//! Comments are delivered in any order or never, and the service ends between any two writes: what is recorded in the end is
//! the same.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use futures::FutureExt;
use futures::future::BoxFuture;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::Context;
use super::asked::Asked;
use super::cluster::{Answer, Cluster};
use super::effect::Part;
use super::effect::tests::{baseline, write};
use super::heard::Heard;
use super::logs::Wanted;
use super::memory::Memory;
use super::pass::pass;
use super::signs::Signs;
use crate::api::PreviewEnvironment;
use crate::api::baseline::ForgeKind;
use crate::api::status::CommandResult;
use crate::clock::Clock;
use crate::controller::requests::RequestError;
use crate::controller::retries::Retries;
use crate::domain::names::Subject;
use crate::domain::{EnvironmentName, RepoName};
use crate::forge::{
    Branch, ChangedFiles, Comment, Forge, ForgeError, Listing, Permission, PostedComment, PullRequest, Reaction, RepositoryFacts,
    Validator, fixtures,
};
use crate::intent::{About, CommandFact, Existing, Fact, given};
use crate::metrics::Metrics;
use crate::record::{RecordError, Recorded, Recorder};

/// What people write.
const BODIES: [&str; 12] = [
    "/preview create",
    "/preview delete",
    "/preview pin",
    "/preview unpin",
    "/preview extend 2h",
    "/preview refresh reset",
    "/preview update",
    "/preview image web=a",
    "/preview image api=c\n/preview image web=b",
    "/preview delete\n/preview create",
    "/preview",
    "/preview delte",
];

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
}

/// One pull request and its environment.
struct Stage {
    object: Mutex<Option<PreviewEnvironment>>,
    comments: Vec<PostedComment>,
    now: Mutex<DateTime<Utc>>,
    /// The comments that carry our sign that what they ask for is done or refused.
    signed: Mutex<HashSet<i64>>,
    /// The service ends with the write that comes after so many others, and whether that one is done.
    ends: Mutex<Option<(usize, bool)>>,
}

impl Stage {
    fn object(&self) -> Option<PreviewEnvironment> {
        self.object.lock().unwrap().clone()
    }

    fn passes_to(&self, at: DateTime<Utc>) {
        let mut now = self.now.lock().unwrap();
        *now = at.max(*now);
    }

    /// Changes the object. An error is the end of the service.
    fn write(&self, change: impl FnOnce(&mut Option<PreviewEnvironment>)) -> Result<(), ()> {
        let mut ends = self.ends.lock().unwrap();
        let ending = ends.take_if(|(left, _)| *left == 0);
        if let Some((left, _)) = &mut *ends {
            *left -= 1;
        }
        if ending.is_none_or(|(_, done)| done) {
            change(&mut self.object.lock().unwrap());
        }
        ending.map_or(Ok(()), |_| Err(()))
    }

    fn changed(&self, change: impl FnOnce(&mut PreviewEnvironment)) -> Answer<'static, ()> {
        let written = self.write(|object| {
            if let Some(object) = object {
                change(object);
            }
        });
        let ended = |()| RequestError::Unanswered { what: "write".into(), why: "the service ended".into() };
        async move { written.map_err(ended) }.boxed()
    }

    fn recorded(&self, change: impl FnOnce(&mut PreviewEnvironment)) -> BoxFuture<'static, Result<Recorded, RecordError>> {
        let now = *self.now.lock().unwrap();
        let written = self.write(|object| change(object.get_or_insert_with(|| empty(now))));
        let ended = |()| RecordError::Unavailable { environment: "web-pr-42".into(), why: "the service ended".into() };
        async move { written.map(|()| Recorded::Held).map_err(ended) }.boxed()
    }
}

fn empty(now: DateTime<Utc>) -> PreviewEnvironment {
    let uid = format!("u-{}", now.timestamp());
    serde_json::from_value(json!({"apiVersion": "preview-env.dev/v1alpha1", "kind": "PreviewEnvironment",
        "metadata": {"name": "web-pr-42", "namespace": "shop", "uid": uid, "creationTimestamp": now}, "spec": {"baseline": "main"}}))
    .unwrap()
}

impl Cluster for Stage {
    fn apply<'a>(&'a self, _: &'a PreviewEnvironment, part: &'a Part) -> Answer<'a, ()> {
        self.changed(|object| write(object, part))
    }

    fn write_results<'a>(&'a self, _: &'a PreviewEnvironment, results: &'a [CommandResult]) -> Answer<'a, ()> {
        self.changed(|object| object.status.get_or_insert_default().commands = results.to_vec())
    }

    fn prune<'a>(&'a self, _: &'a PreviewEnvironment, id: &'a str) -> Answer<'a, ()> {
        self.changed(|object| object.spec.commands.retain(|command| command.id != id))
    }

    fn remove<'a>(&'a self, _: &'a PreviewEnvironment) -> Answer<'a, ()> {
        let written = self.write(|object| *object = None);
        let ended = |()| RequestError::Unanswered { what: "remove".into(), why: "the service ended".into() };
        async move { written.map_err(ended) }.boxed()
    }

    fn logs<'a>(&'a self, _: &'a PreviewEnvironment, _: &'a Wanted) -> Answer<'a, Option<String>> {
        async { Ok(None) }.boxed()
    }
}

impl Recorder for Stage {
    fn record<'a>(&'a self, fact: &'a Fact) -> BoxFuture<'a, Result<Recorded, RecordError>> {
        self.recorded(|object| object.spec.sources = vec![fact.source.clone()])
    }

    fn command<'a>(&'a self, fact: &'a CommandFact) -> BoxFuture<'a, Result<Recorded, RecordError>> {
        self.recorded(|object| {
            if object.spec.commands.iter().all(|held| held.id != fact.command.id) {
                object.spec.commands.push(fact.command.clone());
            }
        })
    }
}

type Said<'a, T> = BoxFuture<'a, Result<T, ForgeError>>;

fn nothing<T: Send + 'static>() -> Said<'static, T> {
    async { Err(ForgeError::Unsupported("such a thing")) }.boxed()
}

impl Forge for Stage {
    fn repository<'a>(&'a self, name: &'a RepoName) -> Said<'a, RepositoryFacts> {
        async move { Ok(RepositoryFacts { id: 7, name: name.clone(), private: true }) }.boxed()
    }

    fn permission<'a>(&'a self, _: &'a RepoName, login: &'a str) -> Said<'a, Permission> {
        async move { Ok(if login == "eve" { Permission::Read } else { Permission::Write }) }.boxed()
    }

    fn pull_request<'a>(&'a self, _: &'a RepoName, _: i64) -> Said<'a, PullRequest> {
        async { Ok(fixtures::pull()) }.boxed()
    }

    fn comments_since<'a>(&'a self, _: &'a RepoName, since: DateTime<Utc>, _: Option<&'a Validator>) -> Said<'a, Listing<PostedComment>> {
        let now = *self.now.lock().unwrap();
        let is_there = |c: &&PostedComment| c.updated_at >= since && c.created_at <= now;
        let items = self.comments.iter().filter(is_there).cloned().collect();
        async move { Ok(Listing::Now { items, validator: None }) }.boxed()
    }

    fn react<'a>(&'a self, _: &'a RepoName, comment: i64, reaction: Reaction) -> Said<'a, ()> {
        if reaction != Reaction::Seen {
            self.signed.lock().unwrap().insert(comment);
        }
        async { Ok(()) }.boxed()
    }

    fn is_answered<'a>(&'a self, _: &'a RepoName, comment: i64) -> Said<'a, bool> {
        let is_signed = self.signed.lock().unwrap().contains(&comment);
        async move { Ok(is_signed) }.boxed()
    }

    fn changed_files<'a>(&'a self, _: &'a RepoName, _: i64) -> Said<'a, ChangedFiles> {
        nothing()
    }

    fn branch<'a>(&'a self, _: &'a RepoName, _: &'a str) -> Said<'a, Branch> {
        nothing()
    }

    fn find_comments<'a>(&'a self, _: &'a RepoName, _: i64, _: &'a [&'a str]) -> Said<'a, Vec<Comment>> {
        nothing()
    }

    fn create_comment<'a>(&'a self, _: &'a RepoName, _: i64, _: &'a str) -> Said<'a, i64> {
        nothing()
    }

    fn edit_comment<'a>(&'a self, _: &'a RepoName, _: i64, _: &'a str) -> Said<'a, ()> {
        nothing()
    }
}

/// What happens to one comment.
#[derive(Clone, Debug)]
struct Line {
    body: usize,
    /// Seconds after the one before.
    after: i64,
    /// Whether somebody wrote it who may only read.
    by_stranger: bool,
    /// Its delivery comes in the order of these, or is lost.
    delivered: Option<u8>,
    /// Whether the service gets to work between it and the next delivery.
    then_works: bool,
}

fn comments(lines: &[Line]) -> Vec<PostedComment> {
    let mut second = 0;
    let comment = |(id, line): (i64, &Line)| {
        second += line.after;
        let (author, body) = (if line.by_stranger { "eve" } else { "ann" }.to_owned(), BODIES[line.body].to_owned());
        let (repository, at) = ("acme/web".parse().unwrap(), at(second));
        PostedComment { repository_id: 7, repository, pull: 42, id, author, by_bot: false, body, created_at: at, updated_at: at }
    };
    (1_000..).zip(lines).map(comment).collect()
}

/// A service and its surroundings.
struct Play {
    stage: Arc<Stage>,
    context: Context,
}

impl Play {
    /// With the fact that the pull request was opened or without it.
    fn new(comments: Vec<PostedComment>, is_opened: bool, ends: Option<(usize, bool)>) -> Self {
        let mut object = empty(at(-60));
        object.spec.sources = vec![fixtures::pull().to_source(ForgeKind::Github, None)];
        let object = Mutex::new(Some(object).filter(|_| is_opened));
        let stage = Arc::new(Stage { object, comments, now: Mutex::new(at(0)), signed: Mutex::default(), ends: Mutex::new(ends) });
        Self { context: context(&stage, None), stage }
    }

    /// Takes a comment as a delivery brings it, again if the service ends.
    async fn deliver(&self, comment: &PostedComment) {
        for command in given(ForgeKind::Github, comment).unwrap_or_default() {
            let fact = CommandFact {
                baseline_namespace: "shop".into(),
                baseline: "main".into(),
                environment: EnvironmentName::recorded("web-pr-42"),
                command,
            };
            while self.stage.command(&fact).await.is_err() {}
        }
    }

    /// Works until nothing is left to do.
    async fn work(&mut self) {
        for _ in 0..400 {
            let Some(object) = self.stage.object().filter(|object| !object.spec.commands.is_empty()) else { return };
            let now = *self.stage.now.lock().unwrap();
            if pass(&object, &self.context, now).await.is_err() {
                self.context = context(&self.stage, Some(now));
            }
            *self.stage.now.lock().unwrap() += TimeDelta::seconds(5);
        }
        panic!("there is no end to it: {:?}", self.stage.object());
    }

    /// Looks for what no delivery told.
    async fn look(&mut self) {
        for comment in self.stage.comments.clone() {
            let about = About::Subject(ForgeKind::Github, 7, Subject::Pull(42));
            let known = self.stage.object().and_then(|object| Existing::of(&object, &about).pop());
            let commands = given(ForgeKind::Github, &comment).unwrap_or_default();
            if commands.iter().any(|command| known.as_ref().is_none_or(|known| !known.has_heard(command))) {
                self.deliver(&comment).await;
            }
        }
        self.work().await;
    }

    /// What is recorded.
    fn end(&self) -> Value {
        self.stage.object().map(|object| serde_json::to_value(object.spec).unwrap()).unwrap_or_default()
    }
}

/// Of a service, where somebody led until then before.
fn context(stage: &Arc<Stage>, led_before: Option<DateTime<Utc>>) -> Context {
    let baseline = Arc::new(baseline(|_| ()));
    Context {
        cluster: stage.clone(),
        clock: Clock::default(),
        recorder: stage.clone(),
        forge: Some(stage.clone()),
        baselines: Arc::new(move |_, _| Some(baseline.clone())),
        is_told: Arc::new(|_| true),
        retries: Retries::default(),
        memory: Memory::default(),
        heard: Arc::new(Heard::new(led_before)),
        signs: Signs::default(),
        asked: Asked::default(),
        metrics: Metrics::new(),
    }
}

/// Every comment is delivered when it is written.
async fn as_written(lines: &[Line], is_opened: bool) -> Value {
    let mut play = Play::new(comments(lines), is_opened, None);
    for comment in play.stage.comments.clone() {
        play.stage.passes_to(comment.created_at);
        play.deliver(&comment).await;
        play.work().await;
    }
    play.look().await;
    play.end()
}

/// The same comments as deliveries bring them, after all of them are written.
async fn as_it_comes(lines: &[Line], is_opened: bool, ends: (usize, bool)) -> Value {
    let mut play = Play::new(comments(lines), is_opened, Some(ends));
    if let Some(last) = play.stage.comments.last() {
        play.stage.passes_to(last.created_at);
    }
    let mut order: Vec<(u8, usize)> = lines.iter().enumerate().filter_map(|(i, line)| Some((line.delivered?, i))).collect();
    order.sort_unstable();
    for (_, index) in order {
        let comment = play.stage.comments[index].clone();
        play.deliver(&comment).await;
        if lines[index].then_works {
            play.work().await;
        }
    }
    play.work().await;
    play.look().await;
    play.end()
}

fn line() -> impl Strategy<Value = Line> {
    let delivered = prop::option::weighted(0.8, any::<u8>());
    (0..BODIES.len(), 0..40_i64, prop::bool::weighted(0.15), delivered, any::<bool>())
        .prop_map(|(body, after, by_stranger, delivered, then_works)| Line { body, after, by_stranger, delivered, then_works })
}

proptest! {
    #[test]
    fn comments_end_the_same_in_any_order_lost_and_found_and_over_an_end_of_the_service(
        lines in prop::collection::vec(line(), 1..7),
        is_opened in any::<bool>(),
        ends in (0..40_usize, any::<bool>()),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (expected, found) = runtime.block_on(async {
            (as_written(&lines, is_opened).await, as_it_comes(&lines, is_opened, ends).await)
        });
        prop_assert_eq!(expected, found);
    }
}
