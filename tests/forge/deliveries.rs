//! GitHub's deliveries on their way to facts.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use futures::FutureExt;
use futures::future::BoxFuture;
use github_double::{Action, Delivery, Double, Hook, Open, Permission, on};
use preview_env::api;
use preview_env::api::environment::SourceState;
use preview_env::domain::Baseline;
use preview_env::forge::event::Event;
use preview_env::forge::github::{Arrival, parse};
use preview_env::intent::{About, CommandFact, Fact};
use preview_env::metrics::Metrics;
use preview_env::record::{RecordError, Recorded, Recorder};
use preview_env::server::{Limits, Readiness, Server, WebhookSecrets, router, serve};
use preview_env::traces::Traces;
use serde_json::json;
use tokio::net::TcpListener;

use super::{SECRET, double, file, fits_what_github_publishes};

/// What was to be recorded.
#[derive(Default)]
pub(super) struct Notebook(Mutex<Vec<Fact>>);

impl Notebook {
    /// The facts until now, which are forgotten.
    pub(super) fn facts(&self) -> Vec<Fact> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl Recorder for Notebook {
    fn record<'a>(&'a self, fact: &'a Fact) -> BoxFuture<'a, Result<Recorded, RecordError>> {
        self.0.lock().unwrap().push(fact.clone());
        std::future::ready(Ok(Recorded::Held)).boxed()
    }

    fn command<'a>(&'a self, _: &'a CommandFact) -> BoxFuture<'a, Result<Recorded, RecordError>> {
        std::future::ready(Ok(Recorded::Held)).boxed()
    }
}

/// A server for the Baseline `shop`, which lists that repository and notes what it records.
pub(super) fn routes(folder: &tempfile::TempDir, notebook: &Arc<Notebook>, repository: &str) -> Router {
    let mut object = api::Baseline::new("main", serde_json::from_value(json!({"repositories": [{"name": repository}]})).unwrap());
    object.metadata.namespace = Some("shop".to_owned());
    let baselines = vec![Arc::new(Baseline::try_from(&object).unwrap())];
    router(Server {
        secrets: Some(WebhookSecrets::from_files(&[file(folder, SECRET)]).unwrap()),
        instance: None,
        baselines: Arc::new(move || Some(baselines.clone())),
        look_soon: Arc::new(|_| std::future::ready(Ok(Recorded::Held)).boxed()),
        clock: Arc::new(chrono::Utc::now),
        environments: Arc::new(|_: &About| Vec::new()),
        recorder: Arc::clone(notebook) as Arc<dyn Recorder>,
        readiness: Readiness::new(&[]),
        metrics: Metrics::new(),
        traces: Traces::default(),
        limits: Limits::default(),
    })
}

/// The same at an address.
async fn start_server(folder: &tempfile::TempDir) -> (SocketAddr, Arc<Notebook>) {
    let notebook = Arc::new(Notebook::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, routes(folder, &notebook, "acme/web"), std::future::pending()));
    (address, notebook)
}

#[tokio::test]
async fn githubs_deliveries_become_facts() {
    let (double, folder) = (double(), tempfile::tempdir().unwrap());
    let (address, notebook) = start_server(&folder).await;
    let url = format!("http://{address}/webhooks/github");
    let hook = double.add_webhook(Hook::to(&url).secret(SECRET).events(&["*"])).unwrap();
    assert_eq!(double.perform(Action::Ping { hook }).await.unwrap().status(), Some(200));

    let pull = || on("acme/web", 1, "ann");
    assert_eq!(double.perform(Open::new("acme/web", "feature/login", "ann").draft()).await.unwrap().status(), Some(202));
    for action in [
        pull().ready(),
        pull().push(),
        pull().retitle("Faster"),
        pull().to_draft(),
        pull().close(),
        pull().reopen(),
        pull().ready(),
        pull().merge(),
    ] {
        let done = double.perform(action).await.unwrap();
        assert!(done.deliveries.iter().all(|d| d.status() == Some(202)), "{:?}", done.deliveries);
    }
    let facts = notebook.facts();
    let states: Vec<_> = facts.iter().map(|f| (f.source.state, f.source.draft)).collect();
    let (open, closed) = (SourceState::Open, SourceState::Closed);
    let expected = [
        (open, true),
        (open, false),
        (open, false),
        (open, false),
        (open, true),
        (closed, true),
        (open, true),
        (open, false),
        (SourceState::Merged, false),
    ];
    assert_eq!(states, expected);
    assert!(facts.iter().all(|f| f.display() == "shop/web-pr-1" && f.source.head_repository_id == Some(f.source.repository_id)));

    // Neither makes an environment where there is none.
    assert_eq!(double.perform(pull().label("size/L")).await.unwrap().status(), Some(202));
    double.perform(pull().comment("hello")).await.unwrap();
    assert!(notebook.facts().is_empty());
    fits_what_github_publishes(&double);
}

#[tokio::test]
async fn deliveries_that_are_wrong_are_told_so() {
    let (double, folder) = (double(), tempfile::tempdir().unwrap());
    let (address, notebook) = start_server(&folder).await;
    let url = format!("http://{address}/webhooks/github");
    double.add_webhook(Hook::to(&url).secret(SECRET)).unwrap();
    let good = double.act(Open::new("acme/web", "x", "ann")).unwrap().delivery().clone();
    let form = double.add_webhook(Hook::to(&url).secret(SECRET).form()).unwrap();
    let pushed = double.act(on("acme/web", 1, "ann").push()).unwrap();
    let as_form = pushed.deliveries.iter().find(|d| d.hook == form).unwrap().clone();

    let huge = good.clone().with_body(vec![b' '; 26 * 1024 * 1024]).signed_with(SECRET);
    for (delivery, status, words) in [
        (good.clone().unsigned(), 401, "is missing"),
        (good.clone().signed_with("other"), 401, "does not match"),
        (good.clone().with_body("{}"), 401, "does not match"),
        (huge, 413, "larger than"),
        (as_form, 415, "application/json"),
        (good.clone().with_body("{").signed_with(SECRET), 400, "not JSON"),
        (good.clone().with_body("{}").signed_with(SECRET), 400, "action"),
    ] {
        let sent = double.send(&delivery).await;
        assert!(sent.status() == Some(status) && sent.answer().contains(words), "{:?}", sent.outcome);
    }
    assert!(notebook.facts().is_empty());
    assert_eq!(double.send(&good).await.status(), Some(202));
}

/// What the double's deliveries of one action say, in their order.
fn said(double: &Double, action: impl Into<Action>) -> Vec<Event> {
    double.act(action).unwrap().deliveries.iter().map(understood).collect()
}

pub(super) fn understood(delivery: &Delivery) -> Event {
    let header = |name| delivery.header(name).unwrap_or_default();
    let arrival = Arrival { event: header("X-GitHub-Event"), at: chrono::Utc::now() };
    parse(&arrival, &delivery.body).unwrap()
}

fn push(branch: &str) -> Action {
    Action::Push { repo: "acme/web".into(), branch: branch.into(), by: "ann".into(), force: false }
}

#[test]
fn branches_are_made_pushed_to_and_deleted() {
    let double = double();
    double.add_webhook(Hook::to("http://127.0.0.1:9/").events(&["push"])).unwrap();
    let branch = |action: Action| match said(&double, action).pop() {
        Some(Event::Branch { branch, exists, sender, .. }) => (branch.name, branch.revision, exists, sender, branch.observed_at),
        other => panic!("{other:?}"),
    };
    let made = branch(push("feature/a"));
    let moved = branch(push("feature/a"));
    assert_eq!((made.0.as_str(), made.2, made.3.as_str()), ("feature/a", true, "ann"));
    assert_ne!(made.1, moved.1);
    let gone = branch(Action::DeleteBranch { repo: "acme/web".into(), branch: "feature/a".into(), by: "ann".into() });
    assert_eq!((gone.1, gone.2), (moved.1, false));
    assert!(made.4 <= moved.4 && moved.4 <= gone.4);
    fits_what_github_publishes(&double);
}

#[test]
fn a_comment_counts_once_and_labels_are_told() {
    let double = double();
    double.act(Open::new("acme/web", "x", "ann")).unwrap();
    double.add_webhook(Hook::to("http://127.0.0.1:9/").events(&["*"])).unwrap();
    let on = || on("acme/web", 1, "ann");
    let written = said(&double, on().comment("/preview extend 24h"));
    let [Event::Comment { comment, .. }] = written.as_slice() else { panic!("{written:?}") };
    assert_eq!((comment.pull, comment.author.as_str(), comment.by_bot, comment.body.as_str()), (1, "ann", false, "/preview extend 24h"));
    let id = u64::try_from(comment.id).unwrap();
    let edited = said(&double, Action::EditComment { repo: "acme/web".into(), comment: id, by: "ann".into(), body: "/preview".into() });
    let deleted = said(&double, Action::DeleteComment { repo: "acme/web".into(), comment: id, by: "ann".into() });
    for event in edited.iter().chain(&deleted) {
        assert!(matches!(event, Event::Ignored { why } if why.contains("as it was written at first")), "{event:?}");
    }
    for (action, labels) in [(on().label("preview"), 1), (on().unlabel("preview"), 0)] {
        let events = said(&double, action);
        let [Event::PullRequest { pull, .. }] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!(pull.labels.len(), labels);
    }
    fits_what_github_publishes(&double);
}

#[test]
fn a_repository_keeps_its_number_until_it_is_deleted() {
    let double = double();
    double.permit("acme/web", "ann", Permission::Admin).unwrap();
    let id = i64::try_from(double.repository("acme/web").unwrap().id).unwrap();
    double.add_webhook(Hook::to("http://127.0.0.1:9/").events(&["repository"])).unwrap();
    let renamed = said(&double, Action::RenameRepository { repo: "acme/web".into(), to: "site".into(), by: "ann".into() });
    assert!(matches!(renamed.as_slice(), [Event::Ignored { why }] if why.contains("keep its number")), "{renamed:?}");
    let deleted = said(&double, Action::DeleteRepository { repo: "acme/site".into(), by: "ann".into() });
    assert!(matches!(deleted.as_slice(), [Event::Gone { repositories, .. }] if *repositories == [id]), "{deleted:?}");
    fits_what_github_publishes(&double);
}
