use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Mutex;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Request};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use hmac::{Hmac, KeyInit, Mac};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use sha2::Sha256;
use tower::ServiceExt;

use super::*;
use crate::api;
use crate::domain::Baseline;
use crate::intent::{About, CommandFact, Fact};
use crate::record::{RecordError, Recorded};
use crate::traces::Traces;

const SECRET: &str = "s3cret";
/// What the forge's clock says, whatever ours does.
const FORGE_TIME: &str = "2026-01-02T04:00:00Z";
/// Stands for the limits of several seconds.
const SHORT: Duration = Duration::from_millis(200);

/// Gives prepared answers, `Held` when there are none left, and remembers what it was asked to record.
#[derive(Default)]
struct Notebook {
    ends: Mutex<VecDeque<End>>,
    asked: Mutex<Vec<Fact>>,
    commands: Mutex<Vec<CommandFact>>,
}

enum End {
    Now(Result<Recorded, RecordError>),
    Never,
}

impl Recorder for Notebook {
    fn record<'a>(&'a self, fact: &'a Fact) -> BoxFuture<'a, Result<Recorded, RecordError>> {
        self.asked.lock().unwrap().push(fact.clone());
        self.end()
    }

    fn command<'a>(&'a self, fact: &'a CommandFact) -> BoxFuture<'a, Result<Recorded, RecordError>> {
        self.commands.lock().unwrap().push(fact.clone());
        self.end()
    }
}

impl Notebook {
    fn end(&self) -> BoxFuture<'static, Result<Recorded, RecordError>> {
        match self.ends.lock().unwrap().pop_front() {
            None => std::future::ready(Ok(Recorded::Held)).boxed(),
            Some(End::Now(end)) => std::future::ready(end).boxed(),
            Some(End::Never) => std::future::pending().boxed(),
        }
    }
}

struct World {
    notebook: Arc<Notebook>,
    doubted: Arc<Mutex<Vec<String>>>,
    router: Router,
    metrics: Metrics,
    readiness: Readiness,
    _folder: tempfile::TempDir,
}

fn baseline(namespace: &str) -> Arc<Baseline> {
    let mut object = api::Baseline::new("main", serde_json::from_value(json!({"repositories": [{"name": "acme/web"}]})).unwrap());
    object.metadata.namespace = Some(namespace.to_owned());
    Arc::new(Baseline::try_from(&object).unwrap())
}

fn world_with(ends: Vec<End>, baselines: Option<Vec<Arc<Baseline>>>, limits: Limits) -> World {
    let folder = tempfile::tempdir().unwrap();
    let file: PathBuf = folder.path().join("secret");
    std::fs::write(&file, SECRET).unwrap();
    let notebook = Arc::new(Notebook { ends: Mutex::new(ends.into()), ..Notebook::default() });
    let (metrics, readiness) = (Metrics::new(), Readiness::new(&Gate::ALL));
    let doubted = Arc::<Mutex<Vec<String>>>::default();
    let (doubt, answers) = (Arc::clone(&doubted), Arc::clone(&notebook));
    let server = Server {
        secrets: Some(WebhookSecrets::from_files(&[file]).unwrap()),
        instance: Some("production".parse().unwrap()),
        baselines: Arc::new(move || baselines.clone()),
        clock: Arc::new(|| FORGE_TIME.parse().unwrap()),
        look_soon: Arc::new(move |baseline| {
            doubt.lock().unwrap().push(baseline.namespace.clone());
            match answers.ends.lock().unwrap().pop_front() {
                Some(End::Now(end)) => std::future::ready(end).boxed(),
                _ => std::future::ready(Ok(Recorded::Held)).boxed(),
            }
        }),
        environments: Arc::new(|_: &About| Vec::new()),
        recorder: Arc::clone(&notebook) as Arc<dyn Recorder>,
        readiness: readiness.clone(),
        metrics: metrics.clone(),
        traces: Traces::default(),
        limits,
    };
    World { notebook, doubted, router: router(server), metrics, readiness, _folder: folder }
}

fn world(ends: Vec<End>) -> World {
    world_with(ends, Some(vec![baseline("shop")]), Limits::default())
}

fn opened(repository: &str) -> Value {
    json!({
        "action": "opened",
        "pull_request": {
            "number": 42, "state": "open", "merged": false, "draft": false, "user": {"login": "ann"},
            "created_at": "2026-01-02T03:00:00Z", "updated_at": "2026-01-02T03:04:05Z",
            "head": {"ref": "faster", "sha": "a".repeat(40), "repo": {"id": 7}},
            "base": {"ref": "main", "repo": {"id": 7, "full_name": repository}},
        },
        "sender": {"login": "bob"},
    })
}

fn signature(body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

fn delivery(event: &str, body: &str) -> Request<Body> {
    Request::post("/webhooks/github")
        .header("content-type", "application/json")
        .header("x-github-event", event)
        .header("x-github-delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958")
        .header("x-hub-signature-256", signature(body.as_bytes()))
        .body(Body::from(body.to_owned()))
        .unwrap()
}

fn pull_delivery() -> Request<Body> {
    delivery("pull_request", &opened("acme/web").to_string())
}

async fn ask(world: &World, request: Request<Body>) -> (u16, HeaderMap, String) {
    let (parts, body) = world.router.clone().oneshot(request).await.unwrap().into_parts();
    let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    (parts.status.as_u16(), parts.headers, text)
}

async fn answer(world: &World, request: Request<Body>) -> (u16, Value) {
    let (status, headers, text) = ask(world, request).await;
    assert_eq!(headers.contains_key("retry-after"), status == 503, "{text}");
    assert!(!text.contains(SECRET));
    (status, serde_json::from_str(&text).unwrap())
}

async fn expect(world: &World, request: Request<Body>, status: u16, words: &str) {
    let (got, body) = answer(world, request).await;
    assert_eq!(got, status, "{body}");
    assert!(body["message"].as_str().unwrap().contains(words), "{body}");
}

fn recorded(world: &World) -> usize {
    world.notebook.asked.lock().unwrap().len()
}

#[tokio::test]
async fn a_delivery_is_accepted_once_its_fact_is_held() {
    let world = world(vec![]);
    let (status, body) = answer(&world, pull_delivery()).await;
    assert_eq!((status, body), (202, json!({"message": "accepted", "environments": ["shop/web-pr-42"]})));
    let asked = world.notebook.asked.lock().unwrap();
    assert_eq!((asked[0].source.pull, asked[0].source.sender.as_deref()), (Some(42), Some("bob")));
    let text = world.metrics.text().unwrap();
    assert!(text.contains(r#"preview_deliveries_total{result="accepted"} 1"#));
    assert!(text.contains(r#"preview_facts_total{baseline="shop/main",result="held"} 1"#), "{text}");
}

#[tokio::test]
async fn what_a_delivery_says_of_the_future_is_dated_a_minute_after_it_came() {
    let world = world(vec![]);
    let mut body = opened("acme/web");
    body["pull_request"]["updated_at"] = json!("2027-01-02T03:04:05Z");
    assert_eq!(answer(&world, delivery("pull_request", &body.to_string())).await.0, 202);
    let forge_time: chrono::DateTime<chrono::Utc> = FORGE_TIME.parse().unwrap();
    assert_eq!(world.notebook.asked.lock().unwrap()[0].source.observed_at, forge_time + crate::clock::AHEAD);
}

#[tokio::test]
async fn every_baseline_must_hold_it() {
    let two = || Some(vec![baseline("shop"), baseline("other")]);
    let conflict = || End::Now(Err(RecordError::Conflict("other/web-pr-42".into())));
    let half = world_with(vec![End::Now(Ok(Recorded::Held)), conflict()], two(), Limits::default());
    expect(&half, pull_delivery(), 503, "other/web-pr-42").await;
    let whole = world_with(vec![], two(), Limits::default());
    let (status, body) = answer(&whole, pull_delivery()).await;
    assert_eq!((status, &body["environments"]), (202, &json!(["shop/web-pr-42", "other/web-pr-42"])));
}

#[tokio::test]
async fn an_older_fact_counts_as_held() {
    let world = world(vec![End::Now(Ok(Recorded::Older))]);
    expect(&world, pull_delivery(), 202, "older than what is recorded").await;
}

/// A comment with a command, and a pressed button.
fn commands() -> (serde_json::Value, serde_json::Value) {
    let repository = json!({"id": 7, "full_name": "acme/web"});
    let written = json!({"id": 9, "body": "/preview pin", "user": {"login": "ann", "type": "User"},
        "created_at": "2026-01-02T03:04:05Z", "updated_at": "2026-01-02T03:04:05Z"});
    let comment = json!({"action": "created", "issue": {"number": 42, "pull_request": {}}, "comment": written,
        "repository": repository, "sender": {"login": "ann"}});
    let press = json!({"action": "requested_action", "requested_action": {"identifier": "extend"}, "sender": {"login": "ann"},
        "check_run": {"id": 3, "name": "preview / shop/main", "head_sha": "a".repeat(40), "external_id": "pull-42", "pull_requests": []}, "repository": repository});
    (comment, press)
}

#[tokio::test]
async fn a_command_tells_its_delivery_and_a_press_the_forges_time() {
    let (comment, press) = commands();
    let world = world(vec![]);
    expect(&world, delivery("issue_comment", &comment.to_string()), 202, "").await;
    expect(&world, delivery("check_run", &press.to_string()), 202, "").await;
    let held = world.notebook.commands.lock().unwrap();
    let told: Vec<_> = held.iter().map(|fact| (fact.command.delivery.as_deref(), fact.command.at.to_rfc3339())).collect();
    let delivery = Some("72d3162e-cc78-11e3-81ab-4c9367dc0958");
    assert_eq!(told, [(delivery, "2026-01-02T03:04:05+00:00".to_owned()), (delivery, "2026-01-02T04:00:00+00:00".to_owned())]);
}

#[tokio::test]
async fn a_press_beside_another_services_check_is_passed_over() {
    let (_, mut press) = commands();
    for (signed, message, held) in [("by-production", "accepted", 1), ("by-staging", "the check is of another service", 0)] {
        press["check_run"]["external_id"] = json!(format!("pull-42.made-1767323045.{signed}"));
        let mut again = press.clone();
        again["action"] = json!("rerequested");
        for press in [&press, &again] {
            let world = world(vec![]);
            expect(&world, delivery("check_run", &press.to_string()), 202, message).await;
            assert_eq!(world.notebook.commands.lock().unwrap().len(), held, "{press}");
        }
    }
}

#[tokio::test]
async fn a_command_too_many_is_found_again_and_a_press_is_delivered_again() {
    let full = || world(vec![End::Now(Ok(Recorded::Full))]);
    let (comment, press) = commands();
    expect(&full(), delivery("issue_comment", &comment.to_string()), 202, "found again within minutes").await;
    expect(&full(), delivery("check_run", &press.to_string()), 503, "deliver it again").await;
}

#[tokio::test]
async fn what_is_not_held_is_not_acknowledged() {
    let name = || "shop/web-pr-42".to_owned();
    for (error, status, words) in [
        (RecordError::Going(name()), 503, "going away"),
        (RecordError::Conflict(name()), 503, "same moment"),
        (RecordError::Throttled(name()), 503, "asks to wait"),
        (RecordError::Unavailable { environment: name(), why: "refused by 10.0.0.1".into() }, 503, "does not answer"),
        (RecordError::Refused { environment: name(), why: "internal matters".into() }, 500, "log of this service"),
        (RecordError::Invalid { environment: name(), why: "internal matters".into() }, 422, "log of this service"),
    ] {
        let world = world(vec![End::Now(Err(error))]);
        let (got, body) = answer(&world, pull_delivery()).await;
        let message = body["message"].as_str().unwrap();
        assert!(got == status && message.contains(words) && !message.contains("10.0.0.1") && !message.contains("internal"), "{got} {body}");
        // The API server is back, and so is the delivery.
        expect(&world, pull_delivery(), 202, "accepted").await;
    }
}

#[tokio::test]
async fn a_cluster_that_does_not_answer_is_given_up_before_github_gives_up() {
    assert_eq!(Limits::default().answer, Duration::from_secs(8));
    let limits = Limits { answer: SHORT, ..Limits::default() };
    let world = world_with(vec![End::Never], Some(vec![baseline("shop")]), limits);
    expect(&world, pull_delivery(), 503, "did not answer in time").await;
}

#[tokio::test]
async fn a_wrong_or_missing_signature_gets_401_and_nothing_is_read() {
    let world = world(vec![]);
    for value in [None, Some("sha256=00".to_owned()), Some(signature(b"other")), Some("sha1=0000".to_owned())] {
        let mut request = pull_delivery();
        request.headers_mut().remove("x-hub-signature-256");
        if let Some(value) = value {
            request.headers_mut().insert("x-hub-signature-256", value.parse().unwrap());
        }
        expect(&world, request, 401, "nothing of the delivery was read").await;
    }
    // Not even the content type or the JSON is looked at before.
    let unsigned = Request::post("/webhooks/github").body(Body::from("{")).unwrap();
    expect(&world, unsigned, 401, "is missing").await;
    assert_eq!(recorded(&world), 0);
}

#[tokio::test]
async fn what_is_too_large_gets_413_announced_or_not() {
    let world = world_with(vec![], Some(vec![]), Limits { body: 10, ..Limits::default() });
    let mut announced = delivery("ping", "{}");
    announced.headers_mut().insert("content-length", "11".parse().unwrap());
    expect(&world, announced, 413, "larger than 10 bytes").await;
    expect(&world, delivery("ping", "{\"a\":[1,2]}"), 413, "larger than 10 bytes").await;
    expect(&world, delivery("ping", "{\"a\":1234}"), 200, "pong").await;
}

#[tokio::test]
async fn a_form_gets_415_and_the_mend() {
    let world = world(vec![]);
    for content_type in ["application/x-www-form-urlencoded", "application/jsonp", "text/json"] {
        let mut request = delivery("pull_request", "payload=%7B%7D");
        request.headers_mut().insert("content-type", content_type.parse().unwrap());
        expect(&world, request, 415, "set the webhook's content type to application/json").await;
    }
    let mut request = pull_delivery();
    request.headers_mut().insert("content-type", "Application/JSON; charset=utf-8".parse().unwrap());
    expect(&world, request, 202, "accepted").await;
}

#[tokio::test]
async fn what_is_not_that_event_gets_400_with_the_field() {
    let world = world(vec![]);
    let mut payload = opened("acme/web");
    payload["pull_request"]["head"]["sha"] = json!("short");
    expect(&world, delivery("pull_request", &payload.to_string()), 400, "pull_request.head.sha").await;
    expect(&world, delivery("pull_request", "not json"), 400, "it is not JSON").await;
    let mut nameless = pull_delivery();
    nameless.headers_mut().remove("x-github-event");
    expect(&world, nameless, 400, "X-GitHub-Event").await;
    assert_eq!(recorded(&world), 0);
}

#[tokio::test]
async fn what_does_not_matter_gets_202_and_why() {
    let world = world(vec![]);
    let mut labelled = opened("acme/web");
    labelled["action"] = json!("assigned");
    expect(&world, delivery("pull_request", &labelled.to_string()), 202, "assigned").await;
    expect(&world, delivery("star", "{}"), 202, "star").await;
    expect(&world, delivery("pull_request", &opened("acme/wbe").to_string()), 202, "no Baseline lists the repository acme/wbe").await;
    assert_eq!(recorded(&world), 0);
}

#[tokio::test]
async fn a_ping_is_answered() {
    expect(&world(vec![]), delivery("ping", r#"{"zen": "Design for failure."}"#), 200, "pong").await;
}

#[tokio::test]
async fn before_the_baselines_are_known_a_delivery_comes_again() {
    let world = world_with(vec![], None, Limits::default());
    expect(&world, pull_delivery(), 503, "deliver it again").await;
    assert_eq!(recorded(&world), 0);
}

/// A body of which a part has come, and the rest never does.
fn stuck(part: &'static str) -> Body {
    let first = futures::stream::once(async move { Ok::<_, std::io::Error>(Bytes::from(part)) });
    Body::from_stream(first.chain(futures::stream::pending()))
}

#[tokio::test]
async fn a_slow_body_is_given_up() {
    let request = Request::post("/webhooks/github").body(stuck("{")).unwrap();
    let world = world_with(vec![], Some(vec![]), Limits { read: SHORT, ..Limits::default() });
    expect(&world, request, 408, "in time").await;
}

#[tokio::test]
async fn too_many_or_too_much_at_once_come_again() {
    let few = Limits { deliveries: 1, answer: SHORT, ..Limits::default() };
    let few = world_with(vec![End::Never], Some(vec![baseline("shop")]), few);
    let much = world_with(vec![], Some(vec![]), Limits { bytes_in_progress: 10, read: SHORT, ..Limits::default() });
    let slow = Request::post("/webhooks/github").body(stuck("123456789")).unwrap();
    for (world, first, end) in [(few, pull_delivery(), 503), (much, slow, 408)] {
        let (first, ()) = tokio::join!(answer(&world, first), expect(&world, delivery("ping", "{}"), 503, "at once"));
        assert_eq!(first.0, end);
        // What the first one held is free again.
        expect(&world, delivery("ping", "{}"), 200, "pong").await;
    }
}

#[tokio::test]
async fn strangers_do_not_shut_out_who_may_deliver() {
    let limits = Limits { deliveries: 2, read: SHORT, ..Limits::default() };
    let world = world_with(vec![], Some(vec![baseline("shop")]), limits);
    let half_open = || Request::post("/webhooks/github").header("content-length", "1000000").body(stuck("{")).unwrap();
    let mut strangers: futures::stream::FuturesUnordered<_> = (0..300).map(|_| answer(&world, half_open())).collect();
    // All of them have begun, and none has an end yet.
    assert!(futures::poll!(strangers.next()).is_pending());
    let began = std::time::Instant::now();
    expect(&world, pull_delivery(), 202, "accepted").await;
    assert!(began.elapsed() < SHORT);
    while let Some((status, _)) = strangers.next().await {
        assert_eq!(status, 408);
    }
}

#[tokio::test]
async fn what_the_forge_doubts_is_held_for_whoever_leads_before_it_is_acknowledged() {
    let away = RecordError::Unavailable { environment: "Baseline shop/main".into(), why: "connection refused".into() };
    let mut object = api::Baseline::new("main", serde_json::from_value(json!({"repositories": [{"name": "acme/web"}]})).unwrap());
    object.metadata.namespace = Some("shop".to_owned());
    let known = json!({"repositories": [{"forge": "github", "name": "acme/web", "id": 7, "private": false}]});
    object.status = Some(serde_json::from_value(known).unwrap());
    let lists_it = Arc::new(Baseline::try_from(&object).unwrap());
    let world = world_with(vec![End::Now(Err(away))], Some(vec![baseline("other"), lists_it]), Limits::default());
    let body = json!({"action": "removed", "repositories_removed": [{"id": 7, "full_name": "acme/web"}]}).to_string();
    let removed = || delivery("installation_repositories", &body);
    expect(&world, removed(), 503, "Baseline shop/main is not recorded").await;
    expect(&world, removed(), 202, "the forge is asked whether that is still so").await;
    assert_eq!(*world.doubted.lock().unwrap(), ["shop", "shop"]);
}

#[tokio::test]
async fn a_connection_is_not_kept_once_the_service_stops() {
    let world = world(vec![]);
    assert!(!ask(&world, delivery("ping", "{}")).await.1.contains_key("connection"));
    world.readiness.stop();
    let (status, headers, _) = ask(&world, delivery("ping", "{}")).await;
    assert_eq!((status, headers["connection"].to_str().unwrap()), (200, "close"));
    assert_eq!(ask(&world, Request::get("/readyz").body(Body::empty()).unwrap()).await.0, 503);
}

#[tokio::test]
async fn health_and_metrics_are_shown() {
    let world = world(vec![]);
    let get = |path: &str| Request::get(path.to_owned()).body(Body::empty()).unwrap();
    assert_eq!(ask(&world, get("/livez")).await.0, 200);
    world.readiness.open(Gate::EnvironmentsListed);
    let (status, _, text) = ask(&world, get("/readyz")).await;
    assert_eq!((status, text.as_str()), (503, "waits for the list of Baselines\nwaits for the controller\n"));
    world.readiness.open(Gate::BaselinesListed);
    world.readiness.open(Gate::Controller);
    assert_eq!(ask(&world, get("/readyz")).await.0, 200);
    let (status, headers, text) = ask(&world, get("/metrics")).await;
    assert!(
        status == 200 && text.ends_with("# EOF\n") && headers["content-type"].to_str().unwrap().starts_with("application/openmetrics-text")
    );
    assert_eq!(ask(&world, get("/webhooks/github")).await.0, 405);
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
async fn every_delivery_has_one_line_in_the_log() {
    let lines = Lines::default();
    let writer = lines.clone();
    let format = tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).with_target(false).without_time();
    let _guard = tracing::subscriber::set_default(format.finish());
    // Another test may have come by the same lines while nobody listened.
    tracing::callsite::rebuild_interest_cache();
    let world = world(vec![End::Now(Ok(Recorded::Held)), End::Now(Err(RecordError::Conflict("shop/web-pr-42".into())))]);
    answer(&world, pull_delivery()).await;
    answer(&world, pull_delivery()).await;
    let mut strange = delivery("star", "{}");
    strange.headers_mut().insert("x-github-delivery", "a b=d".parse().unwrap());
    answer(&world, strange).await;
    answer(&world, Request::post("/webhooks/github").body(Body::from("{")).unwrap()).await;
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let shown: Vec<String> = text.lines().map(|l| l.split(" took=").next().unwrap().trim().to_owned()).collect();
    let pull = "repo=acme/web pull=42 action=opened revision=aaaaaaa delivery=72d3162e-cc78-11e3-81ab-4c9367dc0958";
    assert_eq!(
        shown,
        [
            format!("INFO delivery accepted {pull} status=202"),
            format!(r#"WARN delivery not held {pull} status=503 why="cannot record shop/web-pr-42: somebody else changed it at the same moment""#),
            r#"INFO delivery ignored delivery=abd status=202 why="ignored: no environment depends on the event star; a webhook needs no more than check_run, issue_comment, pull_request, push, repository""#
                .to_owned(),
            r#"WARN delivery refused status=401 why="nothing of the delivery was read: the header X-Hub-Signature-256 is missing; give the webhook the secret that this service has""#
                .to_owned(),
        ]
    );
    assert!(text.lines().all(|l| l.ends_with("ms")), "{text}");
}
