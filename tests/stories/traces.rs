//! Traces, as a collector gets them: one for each commit, from the delivery to Ready, over all replicas.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use github_double::On;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use prost::Message;
use test_world::World;
use tokio::net::TcpListener;

use crate::replicas::{FIRST, SECOND, second};
use crate::shop::{Shop, story_apart};

/// What a collector has to be told by who sends to it.
const KEY: &str = "let-me-in";

/// A span as it came.
#[derive(Clone, Debug)]
struct Seen {
    replica: String,
    trace: Vec<u8>,
    id: Vec<u8>,
    parent: Vec<u8>,
    name: String,
    lasted: (u64, u64),
    attributes: BTreeMap<String, String>,
}

/// Takes traces.
#[derive(Clone, Debug, Default)]
struct Collector {
    requests: Arc<Mutex<Vec<Seen>>>,
    hangs: Arc<AtomicBool>,
    /// Whether somebody waits for an answer that does not come.
    kept_waiting: Arc<AtomicBool>,
}

impl Collector {
    /// Listens, and says where.
    async fn start() -> anyhow::Result<(Self, String)> {
        let collector = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = format!("http://{}", listener.local_addr()?);
        let routes = Router::new().route("/v1/traces", post(take)).with_state(collector.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Ok((collector, address))
    }

    fn seen(&self) -> Vec<Seen> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The spans of a commit, once they are as they should be.
    async fn of(&self, revision: &str, fit: impl Fn(&[Seen]) -> bool) -> anyhow::Result<Vec<Seen>> {
        let of_commit = |span: &Seen| span.attributes.get("vcs.ref.head.revision").is_some_and(|of| of == revision);
        let spans = || -> Vec<Seen> { self.seen().into_iter().filter(of_commit).collect() };
        let there = async {
            let mut ticks = tokio::time::interval(Duration::from_millis(20));
            while !fit(&spans()) {
                ticks.tick().await;
            }
        };
        let waited = tokio::time::timeout(test_world::deadline(), there).await;
        waited.with_context(|| format!("the spans of {revision} are otherwise: {:#?}", spans()))?;
        Ok(spans())
    }
}

async fn take(State(collector): State<Collector>, headers: HeaderMap, body: Bytes) -> StatusCode {
    if collector.hangs.load(Ordering::SeqCst) {
        collector.kept_waiting.store(true, Ordering::SeqCst);
        std::future::pending::<()>().await;
    }
    let Ok(request) = ExportTraceServiceRequest::decode(body) else { return StatusCode::BAD_REQUEST };
    if headers.get("x-key").is_none_or(|key| key != KEY) {
        return StatusCode::UNAUTHORIZED;
    }
    for of_resource in request.resource_spans {
        let resource = words(of_resource.resource.unwrap_or_default().attributes);
        let replica = resource.get("service.instance.id").cloned().unwrap_or_default();
        let spans = of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
        collector.requests.lock().unwrap_or_else(PoisonError::into_inner).extend(spans.map(|span| Seen {
            replica: replica.clone(),
            trace: span.trace_id,
            id: span.span_id,
            parent: span.parent_span_id,
            name: span.name,
            lasted: (span.start_time_unix_nano, span.end_time_unix_nano),
            attributes: words(span.attributes),
        }));
    }
    StatusCode::OK
}

fn words(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    let word = |value: Option<AnyValue>| match value.and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    };
    attributes.into_iter().map(|pair| (pair.key, word(pair.value))).collect()
}

/// Has the service start again, so that it sends its traces there.
async fn restart(world: &World, address: &str, more: &[(&'static str, &str)]) -> anyhow::Result<()> {
    let standing = [("OTEL_EXPORTER_OTLP_ENDPOINT", address), ("OTEL_BSP_SCHEDULE_DELAY", "50"), ("OTEL_EXPORTER_OTLP_TIMEOUT", "1000")];
    let key = format!("x-key={KEY}");
    let all = standing.into_iter().chain([("OTEL_EXPORTER_OTLP_HEADERS", key.as_str())]).chain(more.iter().copied());
    let mut service = world.service.lock().await;
    service.kill();
    service.have(all.map(|(name, value)| (name, value.to_owned())).collect());
    service.launch()?;
    service.wait_until_ready().await
}

fn is_whole(spans: &[Seen], root: &str) -> bool {
    let has = |name: &str, replica: &str| spans.iter().any(|span| span.name == name && span.replica == replica);
    has(root, FIRST) && has("comment", FIRST) && has("delivery", FIRST) && has("delivery", SECOND)
}

/// The spans of one trace: one root, and all others are parts of it.
fn judge(spans: &[Seen], root: &str) -> anyhow::Result<Seen> {
    let traces: BTreeSet<_> = spans.iter().map(|span| span.trace.clone()).collect();
    anyhow::ensure!(traces.len() == 1, "{} traces of one commit: {spans:#?}", traces.len());
    let ids: BTreeSet<_> = spans.iter().map(|span| span.id.clone()).collect();
    anyhow::ensure!(ids.len() == spans.len(), "two spans with one number: {spans:#?}");
    let (roots, parts): (Vec<_>, Vec<_>) = spans.iter().partition(|span| span.parent.is_empty());
    anyhow::ensure!(roots.len() == 1 && roots[0].name == root, "the roots are {roots:#?}");
    for part in parts {
        anyhow::ensure!(part.parent == roots[0].id, "it is no part of the root: {part:#?}");
        anyhow::ensure!(part.lasted.0 <= part.lasted.1 && part.lasted.0 >= roots[0].lasted.0, "it was before it was asked for: {part:#?}");
        anyhow::ensure!(part.name != "delivery" || part.lasted.1 <= roots[0].lasted.1, "it came after all was ready: {part:#?}");
    }
    Ok(roots[0].clone())
}

#[test]
fn a_commit_has_one_trace_over_all_replicas_and_nobody_waits_for_the_collector() {
    story_apart(|world| async move {
        let (collector, address) = Collector::start().await?;
        restart(world, &address, &[("OTEL_SDK_DISABLED", "true")]).await?;
        let shop = Shop::open(world, "traces").await?;
        let untold = shop.pull_request("untold").await?;
        untold.wait_until_ready().await?;
        untold.wait_until_told().await?;
        restart(world, &address, &[]).await?;
        let second = second(world).await?;

        let pull = shop.pull_request("told").await?;
        let status = pull.wait_until_ready().await?;
        let spans = collector.of(&pull.revision()?, |spans| is_whole(spans, "preview create")).await?;
        let root = judge(&spans, "preview create")?;
        assert_eq!(root.attributes["preview.services"], status.services.len().to_string(), "{root:#?}");
        for (name, value) in [
            ("vcs.owner.name", "acme"),
            ("vcs.repository.name", "traces"),
            ("preview.environment", "web-pr-2"),
            ("k8s.namespace.name", "traces"),
        ] {
            assert_eq!(root.attributes[name], value, "{root:#?}");
        }
        let applied = spans.iter().find(|span| span.name == "apply").context("nothing was applied")?;
        assert_ne!(applied.attributes["preview.objects.written"], "0");
        assert!(spans.iter().any(|span| span.name == "pass" && span.attributes["preview.outcome"] == "applied"), "{spans:#?}");

        pull.perform(On::push).await?;
        pull.wait_until_ready().await?;
        let pushed = collector.of(&pull.revision()?, |spans| is_whole(spans, "preview update")).await?;
        assert_ne!(judge(&pushed, "preview update")?.trace, root.trace);
        let told: BTreeSet<_> = collector.seen().iter().map(|span| span.attributes["vcs.change.id"].clone()).collect();
        assert_eq!(told, BTreeSet::from(["2".to_owned()]), "only what came while traces were wanted: {:#?}", collector.seen());

        collector.hangs.store(true, Ordering::SeqCst);
        let lost = shop.pull_request("lost").await?;
        assert_eq!(lost.status, Some(202));
        lost.wait_until_ready().await?;
        lost.wait_until_told().await?;
        assert!(collector.kept_waiting.load(Ordering::SeqCst), "nobody asked the collector that hangs");
        drop(second);
        let mut service = world.service.lock().await;
        let asked = Instant::now();
        service.terminate()?;
        let status = service.wait_until_ended().await?;
        // Five seconds for load balancers, and two for the last traces.
        assert!(status.success() && asked.elapsed() < Duration::from_secs(12), "{status} after {:?}", asked.elapsed());
        let log = std::fs::read_to_string(service.log())?;
        assert_eq!(log.matches("traces are not taken").count(), 1, "{log}");
        assert!(!log.contains(KEY), "the log has the key");
        Ok(())
    });
}
