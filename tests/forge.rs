//! Our client and our webhook server against the double of GitHub, whose every request, answer and delivery is
//! checked against what GitHub publishes.

#![cfg(test)]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use github_double::{Action, Double, Failure, Fault, Hook, Open, Permission, on};
use preview_env::api;
use preview_env::api::environment::SourceState;
use preview_env::config::GithubConfig;
use preview_env::domain::{Baseline, RepoName};
use preview_env::forge::github::GitHub;
use preview_env::forge::{ChangedFiles, Forge, ForgeError};
use preview_env::intent::{About, CommandFact, Fact};
use preview_env::metrics::Metrics;
use preview_env::record::{RecordError, Recorded, Recorder};
use preview_env::server::{Limits, Readiness, Server, WebhookSecrets, router, serve};
use serde_json::json;
use tokio::net::TcpListener;

const BOT: &str = "preview-env[bot]";
const TOKEN: &str = "ghp_0123456789";
const SECRET: &str = "s3cret";

fn file(folder: &tempfile::TempDir, text: &str) -> std::path::PathBuf {
    let path = folder.path().join("secret");
    std::fs::write(&path, text).unwrap();
    path
}

fn double() -> Double {
    let double = Double::start().unwrap();
    double.add_bot(BOT);
    double.add_user("ann");
    double.add_token(BOT, TOKEN).unwrap();
    double.add_repository("acme/web").unwrap();
    double.permit("acme/web", "ann", Permission::Write).unwrap();
    double
}

fn client(double: &Double, folder: &tempfile::TempDir) -> GitHub {
    GitHub::new(GithubConfig::new(double.base_url(), file(folder, TOKEN)).unwrap().with_timeout(Duration::from_secs(3))).unwrap()
}

fn fits_what_github_publishes(double: &Double) {
    let violations = double.contract_violations();
    assert!(violations.is_empty(), "{violations:#?}");
}

#[tokio::test]
async fn what_is_asked_and_written_is_what_github_has() {
    let (double, folder, web) = (double(), tempfile::tempdir().unwrap(), "acme/web".parse::<RepoName>().unwrap());
    let github = client(&double, &folder);
    let number = i64::try_from(double.act(Open::new("acme/web", "feature/login", "ann")).unwrap().number()).unwrap();

    let pull = github.pull_request(&web, number).await.unwrap();
    assert_eq!((pull.state, pull.author.as_str(), pull.head_branch.as_str()), (SourceState::Open, "ann", "feature/login"));
    let branch = github.branch(&web, "feature/login").await.unwrap();
    assert_eq!((branch.revision, branch.repository_id), (pull.revision, pull.repository_id));
    assert_eq!(github.branch(&web, "nope").await.unwrap_err(), ForgeError::NotFound("acme/web@nope".into()));

    double.act(on("acme/web", 1, "ann").comment("<!-- m --> a quote")).unwrap();
    assert_eq!(github.find_comment(&web, number, "<!-- m -->").await.unwrap(), None);
    let id = github.create_comment(&web, number, "<!-- m --> one").await.unwrap();
    github.edit_comment(&web, id, "<!-- m --> two").await.unwrap();
    let found = github.find_comment(&web, number, "<!-- m -->").await.unwrap().unwrap();
    assert_eq!((found.id, found.body.as_str(), double.comments("acme/web", 1).len()), (id, "<!-- m --> two", 2));

    double.rename("acme/web", "acme/shop-web").unwrap();
    github.edit_comment(&web, id, "<!-- m --> three").await.unwrap();
    assert_eq!(github.pull_request(&web, number).await.unwrap().repository.as_str(), "acme/shop-web");
    assert_eq!(double.comments("acme/shop-web", 1)[1].body, "<!-- m --> three");
    fits_what_github_publishes(&double);
}

#[tokio::test]
async fn a_comment_behind_many_others_is_found() {
    let (double, folder, web) = (double(), tempfile::tempdir().unwrap(), "acme/web".parse::<RepoName>().unwrap());
    double.act(Open::new("acme/web", "x", "ann")).unwrap();
    for _ in 0..230 {
        double.act(on("acme/web", 1, "ann").comment("chatter")).unwrap();
    }
    let github = client(&double, &folder);
    let id = github.create_comment(&web, 1, "<!-- m -->").await.unwrap();
    assert_eq!(github.find_comment(&web, 1, "<!-- m -->").await.unwrap().unwrap().id, id);
    fits_what_github_publishes(&double);
}

#[tokio::test]
async fn the_files_of_a_pull_request_are_named_or_too_many() {
    let (double, folder, web) = (double(), tempfile::tempdir().unwrap(), "acme/web".parse::<RepoName>().unwrap());
    double.act(Open::new("acme/web", "x", "ann").files(&["a", "docs/b"])).unwrap();
    let github = client(&double, &folder);
    let named = |names: &[&str]| ChangedFiles::Named(names.iter().map(|&n| n.to_owned()).collect());
    assert_eq!(github.changed_files(&web, 1).await.unwrap(), named(&["a", "docs/b"]));
    double.change_files("acme/web", 1, &[("new", Some("old"))]).unwrap();
    assert_eq!(github.changed_files(&web, 1).await.unwrap(), named(&["new", "old"]));
    let many: Vec<String> = (0..3_000).map(|n| format!("f{n}")).collect();
    let many: Vec<(&str, Option<&str>)> = many.iter().map(|f| (f.as_str(), None)).collect();
    for count in [250, 301, 2_999] {
        double.change_files("acme/web", 1, &many[..count]).unwrap();
        assert!(matches!(github.changed_files(&web, 1).await.unwrap(), ChangedFiles::Named(files) if files.len() == count));
    }
    double.change_files("acme/web", 1, &many).unwrap();
    assert_eq!(github.changed_files(&web, 1).await.unwrap(), ChangedFiles::TooMany);
    assert_eq!(github.changed_files(&web, 9).await.unwrap_err(), ForgeError::NotFound("acme/web#9".into()));
    fits_what_github_publishes(&double);
}

#[tokio::test]
async fn failures_are_told_apart_and_never_tried_again() {
    let (double, folder, web) = (double(), tempfile::tempdir().unwrap(), "acme/web".parse::<RepoName>().unwrap());
    double.act(Open::new("acme/web", "x", "ann")).unwrap();
    let github = client(&double, &folder);
    for (failure, label) in [
        (Failure::status(502), "unavailable"),
        (Failure::secondary_limit(Duration::from_secs(7)), "rate_limited"),
        (Failure::delay(Duration::from_secs(20)), "unavailable"),
    ] {
        double.clear_requests();
        double.inject(Fault::on("POST", "/repos/acme/web/issues/1/comments", failure));
        let error = github.create_comment(&web, 1, "hello").await.unwrap_err();
        assert!(error.label() == label && double.requests().len() <= 1, "{error}");
    }
    double.set_remaining(TOKEN, 0).unwrap();
    assert_eq!(github.pull_request(&web, 1).await.unwrap_err().label(), "rate_limited");
    double.revoke_token(TOKEN).unwrap();
    let refused = github.pull_request(&web, 1).await.unwrap_err();
    assert!(matches!(refused, ForgeError::Refused { status: 401, .. }) && !refused.to_string().contains(TOKEN), "{refused}");
    double.go_down();
    assert_eq!(github.pull_request(&web, 1).await.unwrap_err().label(), "unavailable");
}

#[derive(Default)]
struct Notebook(Mutex<Vec<Fact>>);

impl Recorder for Notebook {
    fn record<'a>(&'a self, fact: &'a Fact) -> BoxFuture<'a, Result<Recorded, RecordError>> {
        self.0.lock().unwrap().push(fact.clone());
        std::future::ready(Ok(Recorded::Held)).boxed()
    }

    fn command<'a>(&'a self, _: &'a CommandFact) -> BoxFuture<'a, Result<Recorded, RecordError>> {
        futures::future::ready(Ok(Recorded::Held)).boxed()
    }
}

/// A server for the Baseline `shop`, and what it records.
async fn start_server(folder: &tempfile::TempDir) -> (SocketAddr, Arc<Notebook>) {
    let mut object = api::Baseline::new("main", serde_json::from_value(json!({"repositories": [{"name": "acme/web"}]})).unwrap());
    object.metadata.namespace = Some("shop".to_owned());
    let baselines = vec![Arc::new(Baseline::try_from(&object).unwrap())];
    let notebook = Arc::new(Notebook::default());
    let server = Server {
        secrets: WebhookSecrets::from_files(&[file(folder, SECRET)]).unwrap(),
        baselines: Arc::new(move || Some(baselines.clone())),
        environments: Arc::new(|_: &About| Vec::new()),
        recorder: Arc::clone(&notebook) as Arc<dyn Recorder>,
        readiness: Readiness::new(&[]),
        metrics: Metrics::new(),
        limits: Limits::default(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, router(server), std::future::pending()));
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
    let facts = std::mem::take(&mut *notebook.0.lock().unwrap());
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

    assert_eq!(double.perform(pull().label("size/L")).await.unwrap().status(), Some(202));
    let labelled = std::mem::take(&mut *notebook.0.lock().unwrap());
    assert_eq!(labelled.iter().flat_map(|f| &f.source.labels).collect::<Vec<_>>(), ["size/L"]);
    double.perform(pull().comment("hello")).await.unwrap();
    assert!(notebook.0.lock().unwrap().is_empty());
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
    assert!(notebook.0.lock().unwrap().is_empty());
    assert_eq!(double.send(&good).await.status(), Some(202));
}
