use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use futures::FutureExt;
use futures::channel::mpsc::unbounded;
use futures::future::BoxFuture;
use kube::runtime::reflector::{self, ObjectRef};
use kube::runtime::watcher::Event;
use serde_json::{Value, json};

use super::super::asked::Asked;
use super::super::carry::FACT_PATIENCE;
use super::super::cluster::{Answer, Cluster};
use super::super::effect::Part;
use super::super::logs;
use super::super::memory::Memory;
use super::super::order::tests::command;
use super::super::run;
use super::super::signs::Signs;
use super::*;
use crate::api;
use crate::api::environment::Verb;
use crate::clock::{self, Clock};
use crate::controller::requests::RequestError;
use crate::controller::retries::Retries;
use crate::domain::{Baseline, RepoName};
use crate::forge::{ChangedFiles, Comment, ForgeError, Permission, PullRequest, RepositoryFacts, Turns};
use crate::forge::{Forge, Listing, PostedComment, Validator, fixtures};
use crate::intent::CommandFact;
use crate::intent::Fact;
use crate::metrics::Metrics;
use crate::record::RecordError;
use crate::record::{Recorded, Recorder};

#[path = "approve_tests.rs"]
mod approve;
#[path = "late_tests.rs"]
mod late;
#[path = "people_tests.rs"]
mod people;
#[path = "words_tests.rs"]
mod words;

const HEAD: &str = "3f9c2ab0123456789012345678901234567890ab";

/// Everything that was done, in its order, and what the forge answers about people.
#[derive(Default)]
struct World {
    done: Mutex<Vec<String>>,
    people: Mutex<VecDeque<Result<Permission, ForgeError>>>,
    /// What was written on pull requests lately, where it can be listed.
    comments: Mutex<Option<Result<Vec<PostedComment>, ForgeError>>>,
    /// The API server does not answer to the write that begins so.
    silent: Mutex<Option<String>>,
    repository: i64,
    /// The pull request does not show what came of commands yet.
    untold: AtomicBool,
    /// How the pull request is.
    pull: Mutex<Option<PullRequest>>,
    /// When it was closed or reopened, one answer after the other; a forge that does not tell where there is none.
    turns: Mutex<VecDeque<Result<Turns, ForgeError>>>,
    /// Whether comments carry our sign; a forge that does not tell where there is nothing.
    signed: Mutex<Option<bool>>,
    /// The comment that commands stand in, where it can be read.
    written: Mutex<Option<Result<PostedComment, ForgeError>>>,
}

impl World {
    fn note(&self, what: String) -> Result<(), RequestError> {
        let fails = self.silent.lock().unwrap().take_if(|silent| what.starts_with(silent.as_str())).is_some();
        self.done.lock().unwrap().push(what.clone());
        if fails { Err(RequestError::Unanswered { what, why: "it is away".into() }) } else { Ok(()) }
    }

    fn done(&self) -> Vec<String> {
        std::mem::take(&mut *self.done.lock().unwrap())
    }
}

impl Cluster for World {
    fn apply<'a>(&'a self, _: &'a PreviewEnvironment, part: &'a Part) -> Answer<'a, ()> {
        async move { self.note(format!("apply {} {}", part.manager, part.value)) }.boxed()
    }

    fn write_results<'a>(&'a self, _: &'a PreviewEnvironment, results: &'a [CommandResult]) -> Answer<'a, ()> {
        let last = results
            .last()
            .map(|r| {
                format!(
                    "{:?}: {} {}{}",
                    r.outcome,
                    r.message,
                    r.output.as_deref().unwrap_or_default(),
                    if r.unsaid { "(unsaid)" } else { "" }
                )
            })
            .unwrap_or_default();
        let last = last.trim_end().to_owned();
        async move { self.note(format!("results {}, {last}", results.len())) }.boxed()
    }

    fn prune<'a>(&'a self, _: &'a PreviewEnvironment, id: &'a str) -> Answer<'a, ()> {
        async move { self.note(format!("prune {id}")) }.boxed()
    }

    fn remove<'a>(&'a self, _: &'a PreviewEnvironment) -> Answer<'a, ()> {
        async move { self.note("remove".to_owned()) }.boxed()
    }

    fn logs<'a>(&'a self, _: &'a PreviewEnvironment, wanted: &'a logs::Wanted) -> Answer<'a, Option<String>> {
        async move { self.note(format!("logs {}", wanted.name)).map(|()| Some("token=abc\n".to_owned())) }.boxed()
    }
}

impl Recorder for World {
    fn record<'a>(&'a self, fact: &'a Fact) -> BoxFuture<'a, Result<Recorded, RecordError>> {
        let what = format!("fact {} {} {:?}", fact.display(), fact.source.repository, fact.source.state);
        async move {
            let why = |error: RequestError| RecordError::Unavailable { environment: fact.display(), why: error.to_string() };
            self.note(what).map(|()| Recorded::Held).map_err(why)
        }
        .boxed()
    }

    fn command<'a>(&'a self, fact: &'a CommandFact) -> BoxFuture<'a, Result<Recorded, RecordError>> {
        let what = format!("hold {} {} {:?}", fact.display(), fact.command.id, fact.command.verb);
        let _ = self.note(what);
        async { Ok(Recorded::Held) }.boxed()
    }
}

type Said<'a, T> = BoxFuture<'a, Result<T, ForgeError>>;

impl Forge for World {
    fn repository<'a>(&'a self, name: &'a RepoName) -> Said<'a, RepositoryFacts> {
        async move { Ok(RepositoryFacts { id: self.repository, name: name.clone(), private: true }) }.boxed()
    }

    fn permission<'a>(&'a self, _: &'a RepoName, _: &'a str) -> Said<'a, Permission> {
        async move { self.people.lock().unwrap().pop_front().unwrap_or(Ok(Permission::Write)) }.boxed()
    }

    fn pull_request<'a>(&'a self, name: &'a RepoName, number: i64) -> Said<'a, PullRequest> {
        let pull = self.pull.lock().unwrap().clone().unwrap_or_else(fixtures::pull);
        let pull = PullRequest { repository: name.clone(), number, revision: HEAD.parse().unwrap(), ..pull };
        async move { Ok(pull) }.boxed()
    }

    fn is_answered<'a>(&'a self, _: &'a RepoName, _: i64) -> Said<'a, bool> {
        let told = self.signed.lock().unwrap().ok_or(ForgeError::Unsupported("signs"));
        async move { told }.boxed()
    }

    fn comment<'a>(&'a self, _: (i64, &'a RepoName), _: i64) -> Said<'a, PostedComment> {
        let written = self.written.lock().unwrap().clone().unwrap_or(Err(ForgeError::Unsupported("comments")));
        async move { written }.boxed()
    }

    fn closed_or_reopened_at<'a>(&'a self, _: &'a RepoName, _: i64) -> Said<'a, Turns> {
        let told = self.turns.lock().unwrap().pop_front().unwrap_or(Err(ForgeError::Unsupported("ends")));
        async move { told }.boxed()
    }

    fn comments_since<'a>(&'a self, _: &'a RepoName, _: DateTime<Utc>, _: Option<&'a Validator>) -> Said<'a, Listing<PostedComment>> {
        let listed = self.comments.lock().unwrap().clone().unwrap_or(Err(ForgeError::Unsupported("comments since")));
        async move { listed.map(|items| Listing::Now { items, validator: None }) }.boxed()
    }

    fn react<'a>(&'a self, _: &'a RepoName, comment: i64, reaction: Reaction) -> Said<'a, ()> {
        let _ = self.note(format!("react {comment} {reaction:?}"));
        // Whatever a sign meets, the command goes on.
        async { Err(ForgeError::Unsupported("reactions")) }.boxed()
    }

    fn changed_files<'a>(&'a self, _: &'a RepoName, _: i64) -> Said<'a, ChangedFiles> {
        async { Err(ForgeError::Unsupported("changes")) }.boxed()
    }

    fn branch<'a>(&'a self, _: &'a RepoName, _: &'a str) -> Said<'a, crate::forge::Branch> {
        async { Err(ForgeError::Unsupported("branches")) }.boxed()
    }

    fn find_comments<'a>(&'a self, _: &'a RepoName, _: i64, _: &'a [&'a str]) -> Said<'a, Vec<Comment>> {
        async { Ok(Vec::new()) }.boxed()
    }

    fn create_comment<'a>(&'a self, _: &'a RepoName, _: i64, _: &'a str) -> Said<'a, i64> {
        async { Err(ForgeError::Unsupported("comments")) }.boxed()
    }

    fn edit_comment<'a>(&'a self, _: &'a RepoName, _: i64, _: &'a str) -> Said<'a, ()> {
        async { Err(ForgeError::Unsupported("comments")) }.boxed()
    }
}

fn baseline() -> Arc<Baseline> {
    let spec = json!({"repositories": [{"name": "acme/web"}], "feedback": {"logs": "Always"}});
    let mut object = api::Baseline::new("main", serde_json::from_value(spec).unwrap());
    object.metadata.namespace = Some("shop".into());
    Arc::new(Baseline::try_from(&object).unwrap())
}

fn context(world: &Arc<World>) -> Context {
    Context {
        cluster: world.clone(),
        clock: Clock::default(),
        recorder: world.clone(),
        forge: Some(world.clone()),
        baselines: Arc::new(|_, _| Some(baseline())),
        is_told: {
            let world = Arc::clone(world);
            Arc::new(move |_| !world.untold.load(Ordering::Relaxed))
        },
        retries: Retries::default(),
        memory: Memory::default(),
        heard: Arc::default(),
        signs: Signs::default(),
        asked: Asked::default(),
        metrics: Metrics::new(),
    }
}

fn world(people: Vec<Result<Permission, ForgeError>>) -> (Arc<World>, Context) {
    let world = Arc::new(World { people: Mutex::new(people.into()), repository: 7, ..World::default() });
    let context = context(&world);
    (world, context)
}

fn given(verb: Verb, args: &[&str]) -> Command {
    Command { comment: Some(1001), ..command("1001.1", 0, verb, args) }
}

/// An environment that holds that command; with or without the fact of its pull request.
fn environment(command: &Command, there: bool) -> PreviewEnvironment {
    let source = json!({"forge": "github", "repositoryId": 7, "repository": "Acme/Web", "pull": 42, "state": "Open", "revision": HEAD,
        "observedAt": "2027-01-15T07:00:00Z", "headRepositoryId": 7});
    let sources: Vec<Value> = there.then_some(source).into_iter().collect();
    let services = json!([{"kind": "Deployment", "name": "web", "from": "Branch", "ready": true}]);
    serde_json::from_value(json!({"apiVersion": "preview-env.dev/v1alpha1", "kind": "PreviewEnvironment",
        "metadata": {"name": "web-pr-42", "namespace": "shop", "uid": "u-1"},
        "spec": {"baseline": "main", "sources": sources, "commands": [command]},
        "status": {"namespace": "shop-web-pr-42", "services": services}}))
    .unwrap()
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_010, 0).unwrap()
}

async fn one(verb: Verb, args: &[&str], there: bool, people: Vec<Result<Permission, ForgeError>>) -> String {
    let (world, context) = world(people);
    pass(&environment(&given(verb, args), there), &context, now()).await.unwrap();
    world.done().join("\n")
}

/// This machine's clock is a year behind, and the wish is five seconds old.
#[tokio::test]
async fn what_is_dated_in_the_future_is_judged_by_the_api_servers_time() {
    let there = Utc::now() + TimeDelta::days(365);
    let (world, context) = world(vec![]);
    let context = Context { clock: clock::tests::told(there), ..context };
    let mut object = environment(&Command { at: there - TimeDelta::seconds(10), ..given(Verb::Delete, &[]) }, true);
    let wish = json!({"state": "Present", "actor": "ann", "at": there - TimeDelta::seconds(5)});
    object.spec.wish = serde_json::from_value(wish).unwrap();
    let (store, mut writer) = reflector::store();
    let (sender, changes) = unbounded();
    sender.unbounded_send(ObjectRef::from_obj(&object)).unwrap();
    for event in [Event::Init, Event::InitApply(object), Event::InitDone] {
        writer.apply_watcher_event(&event);
    }
    let carried_out = async {
        while !world.done.lock().unwrap().iter().any(|done| done.starts_with("prune")) {
            tokio::task::yield_now().await;
        }
    };
    let ended = async {
        tokio::select! {
            () = run(Arc::new(context), store, changes) => {}
            () = carried_out => {}
        }
    };
    tokio::time::timeout(Duration::from_secs(60), ended).await.unwrap();
    let done = world.done().join("\n");
    assert!(done.contains("What was asked for after it stands.") && !done.contains("apply preview-env/wish"), "{done}");
}

#[tokio::test]
async fn a_command_is_seen_carried_out_told_and_taken_away() {
    insta::assert_snapshot!(one(Verb::Pin, &[], true, vec![]).await, @r#"
    react 1001 Seen
    apply preview-env/pin {"pinned":true}
    apply preview-env/activity {"at":"2027-01-15T08:00:00Z","by":"github:ann"}
    results 1, Done: it lives until the pull request is closed, as long as no more than 5 are pinned (limits.pinned).
    react 1001 Done
    prune 1001.1
    "#);
}

#[tokio::test]
async fn an_environment_is_made_of_what_the_forge_says() {
    insta::assert_snapshot!(one(Verb::Create, &[], false, vec![]).await, @r#"
    react 1001 Seen
    fact shop/web-pr-42 acme/web Open
    apply preview-env/wish {"actor":"github:ann","at":"2027-01-15T08:00:00Z","state":"Present"}
    apply preview-env/activity {"at":"2027-01-15T08:00:00Z","by":"github:ann"}
    results 1, Done: it is on its way.
    react 1001 Done
    prune 1001.1
    "#);
}

#[tokio::test]
async fn logs_are_masked_and_keep_nothing_alive() {
    insta::assert_snapshot!(one(Verb::Logs, &["web"], true, vec![]).await, @r"
    react 1001 Seen
    logs web
    results 1, Done: the last lines of web. token=***
    react 1001 Done
    prune 1001.1
    ");
}

#[tokio::test]
async fn what_is_refused_or_only_read_leaves_nothing_where_nothing_was() {
    for (verb, args, people) in [
        (Verb::Create, vec![], vec![Ok(Permission::Read)]),
        (Verb::Unknown, vec!["delte"], vec![]),
        (Verb::Help, vec![], vec![Ok(Permission::Read)]),
        (Verb::Status, vec![], vec![Ok(Permission::Read)]),
        (Verb::Extend, vec!["1h", "2h"], vec![]),
    ] {
        let done = one(verb, &args, false, people).await;
        assert!(done.ends_with("remove") && !done.contains("apply") && !done.contains("fact"), "{verb:?}: {done}");
    }
}

#[tokio::test]
async fn nothing_is_carried_out_but_an_end_before_it_is_known_which_policies_hold() {
    for (verb, waits) in [(Verb::Approve, true), (Verb::Pin, true), (Verb::Delete, false)] {
        let (world, mut context) = world(vec![]);
        context.baselines = Arc::new(|_, _| Some(Arc::new(Arc::unwrap_or_clone(baseline()).under(None, None))));
        let action = pass(&environment(&given(verb, &[]), true), &context, now()).await.unwrap();
        assert_eq!((world.done().is_empty(), action == Action::await_change()), (waits, !waits), "{verb:?}");
        // They come, and it goes on.
        context.baselines = Arc::new(|_, _| Some(baseline()));
        pass(&environment(&given(verb, &[]), true), &context, now()).await.unwrap();
        assert!(world.done().iter().any(|done| done == "prune 1001.1"), "{verb:?}");
    }
}

#[tokio::test]
async fn an_environment_whose_pull_request_was_not_heard_of_yet_is_waited_for() {
    let (world, context) = world(vec![]);
    let mut object = environment(&given(Verb::Pin, &[]), false);
    let waits = pass(&object, &context, now()).await.unwrap();
    assert_eq!(waits, Action::requeue(FACT_PATIENCE.to_std().unwrap()));
    assert_eq!(world.done(), ["react 1001 Seen"]);
    let late = pass(&object, &context, now() + FACT_PATIENCE).await;
    let done = world.done().join("\n");
    assert!(late.is_ok() && done.ends_with("remove") && !done.contains("react 1001 Seen"), "{done}");

    // The fact came in time.
    let (world, context) = super::tests::world(vec![]);
    pass(&object, &context, now()).await.unwrap();
    pass(&environment(&given(Verb::Pin, &[]), true), &context, now()).await.unwrap();
    assert!(world.done().join("\n").contains("results 1, Done"));

    // Somebody asks for one behind it, so in that order there was none.
    let (world, context) = super::tests::world(vec![]);
    object.spec.commands.push(command("1002.1", 1, Verb::Create, &[]));
    pass(&object, &context, now()).await.unwrap();
    assert_eq!(world.done().last().map(String::as_str), Some("prune 1001.1"));
}

fn comment(id: i64, second: i64, body: &str) -> PostedComment {
    let at = DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap();
    let repository = "acme/web".parse().unwrap();
    let (author, body) = ("ann".to_owned(), body.to_owned());
    PostedComment { repository_id: 7, repository, pull: 42, id, author, by_bot: false, body, created_at: at, updated_at: at }
}

#[tokio::test]
async fn what_was_asked_for_before_is_held_first() {
    let before = comment(1000, -60, "/preview create\n/preview pin");
    let (bot, mine) = (PostedComment { by_bot: true, ..before.clone() }, comment(1001, 0, "/preview extend"));
    let edited = PostedComment { updated_at: before.created_at + TimeDelta::seconds(1), ..before.clone() };
    for (case, there, verb, comments, held) in [
        ("lost or late", true, Verb::Extend, vec![mine.clone(), before.clone()], vec!["1000.1 Create", "1000.2 Pin"]),
        ("before anything is there", false, Verb::Extend, vec![before.clone()], vec!["1000.1 Create", "1000.2 Pin"]),
        ("by a bot", true, Verb::Extend, vec![bot], vec![]),
        ("edited", true, Verb::Extend, vec![edited], vec![]),
        ("on another pull request", true, Verb::Extend, vec![PostedComment { pull: 43, ..before.clone() }], vec![]),
        ("in another repository", true, Verb::Extend, vec![PostedComment { repository_id: 8, ..before.clone() }], vec![]),
        ("later", true, Verb::Extend, vec![comment(1002, 0, "/preview create"), comment(999, 1, "/preview pin")], vec![]),
        ("one that only reads", true, Verb::Extend, vec![comment(1000, -60, "/preview\n/preview help\n/preview craete")], vec![]),
        ("for what only reads", true, Verb::Status, vec![before.clone()], vec![]),
        ("before an environment was made of a fact", true, Verb::Extend, vec![comment(900, -301, "/preview delete")], vec![]),
    ] {
        let (world, context) = world(vec![]);
        *world.comments.lock().unwrap() = Some(Ok(comments));
        let mut object = environment(&given(verb, &[]), there);
        object.metadata.creation_timestamp = serde_json::from_value(json!("2027-01-15T07:55:00Z")).unwrap();
        pass(&object, &context, now()).await.unwrap();
        let done = world.done();
        let found: Vec<&str> = done.iter().filter_map(|line| line.strip_prefix("hold shop/web-pr-42 ")).collect();
        assert_eq!(found, held, "{case}");
        let ended = done.iter().any(|line| line.starts_with("results"));
        assert_eq!(ended, held.is_empty(), "{case}: it waits for those: {done:?}");
    }
}

#[tokio::test]
async fn a_forge_that_lists_no_comments_keeps_nobody_from_a_command() {
    let away = || ForgeError::Unavailable { what: "list".into(), why: "502".into() };
    let missing = || ForgeError::Refused { what: "list".into(), status: 403, message: "Resource not accessible".into() };
    for (error, goes_on) in [(away(), false), (missing(), true), (ForgeError::Unsupported("comments since"), true)] {
        let (world, context) = world(vec![]);
        *world.comments.lock().unwrap() = Some(Err(error.clone()));
        pass(&environment(&given(Verb::Pin, &[]), true), &context, now()).await.unwrap();
        assert_eq!(world.done().join("\n").contains("results 1, Done"), goes_on, "{error}");
    }
}

#[tokio::test]
async fn a_pass_that_breaks_off_anywhere_is_made_up_for() {
    for (verb, args, there) in [
        (Verb::Create, vec![], false),
        (Verb::Delete, vec![], true),
        (Verb::Update, vec![], true),
        (Verb::Refresh, vec!["reset"], true),
        (Verb::Extend, vec!["2h"], true),
        (Verb::Unpin, vec![], true),
    ] {
        let expected = one(verb, &args, there, vec![]).await;
        let writes: Vec<String> = expected.lines().filter(|line| !line.starts_with("react")).map(str::to_owned).collect();
        for silent in &writes {
            let (world, context) = world(vec![]);
            *world.silent.lock().unwrap() = Some(silent.clone());
            let object = environment(&given(verb, &args), there);
            assert!(pass(&object, &context, now()).await.is_err(), "{silent}");
            // As after a restart: nothing is remembered but what was written.
            let again = super::tests::context(&world);
            pass(&object, &again, now()).await.unwrap();
            let done: Vec<String> = world.done().into_iter().filter(|line| !line.starts_with("react")).collect();
            let end = &done[done.len() - writes.len()..];
            assert_eq!(end, writes, "{silent}: the second time everything is done");
        }
    }
}

#[tokio::test]
async fn what_was_done_is_not_done_again_while_the_watch_is_behind() {
    let (world, context) = world(vec![]);
    let object = environment(&given(Verb::Extend, &[]), true);
    pass(&object, &context, now()).await.unwrap();
    world.done();
    pass(&object, &context, now()).await.unwrap();
    assert_eq!(world.done(), ["prune 1001.1"]);
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn whatever_is_typed_a_command_is_one_line_in_the_log() {
    let lines = Lines::default();
    let writer = lines.clone();
    let format = tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).without_time();
    let (world, context) = world(vec![]);
    let delivery = Some("72d3162e-cc78".into());
    let hostile =
        Command { delivery, actor: "ann\nINFO command".into(), ..given(Verb::Extend, &["24h\nINFO command actor=\"ann\"", "\u{1b}[2J"]) };
    let _guard = tracing::subscriber::set_default(format.finish());
    // Another test may have come by the same lines while nobody listened.
    tracing::callsite::rebuild_interest_cache();
    pass(&environment(&hostile, true), &context, now()).await.unwrap();
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(text.lines().count() == 1 && !text.contains('\u{1b}') && text.contains("Refused"), "{text}");
    for known in ["env=\"web-pr-42\"", "namespace=\"shop\"", "verb=\"Extend\"", "id=\"1001.1\"", "delivery=\"72d3162e-cc78\"", "pull=42"] {
        assert!(text.contains(known), "{known}: {text}");
    }
    assert!(!world.done().join("\n").contains("apply"));
}
