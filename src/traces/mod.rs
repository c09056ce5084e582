//! OpenTelemetry traces: one for each revision of an environment, from the delivery to Ready. Every replica tells of the deliveries
//! that it takes, the one that leads of the rest.
//!
//! Off unless the standard variables say where traces go to; then all that it costs is one branch. Nothing waits for a collector:
//! spans are put into a queue with an end, which a thread of the SDK empties, and what does not fit is lost.

mod ids;
mod send;
mod variables;

use std::borrow::Cow;
use std::env;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{SpanContext, SpanKind, Status, TraceFlags, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue, SpanId, TraceId};
use opentelemetry_otlp::{SpanExporter, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::{EnvResourceDetector, TelemetryResourceDetector};
use opentelemetry_sdk::trace::{
    BatchSpanProcessor, Config, SamplingDecision, ShouldSample, SpanData, SpanEvents, SpanLinks, SpanProcessor,
};
use tokio::runtime::Handle;

use self::send::Sender;
use self::variables::Wanted;
use crate::api::Source;

/// How long a process that ends waits for what it has still to send.
const LAST_SPANS: Duration = Duration::from_secs(2);
/// What the service is called in traces, where no variable says otherwise.
const SERVICE: &str = "preview-env";
/// Where the collector is.
const ENDPOINTS: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT or OTEL_EXPORTER_OTLP_ENDPOINT";

/// Takes what there is to tell. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Traces(Option<Arc<Pipe>>);

/// From here to the collector.
#[derive(Debug)]
struct Pipe {
    spans: Box<dyn SpanProcessor>,
    /// Asked of a trace as a whole, so that all replicas keep the same ones, and all of each or nothing.
    sampler: Box<dyn ShouldSample>,
    scope: InstrumentationScope,
}

/// A revision of an environment: what one trace is about.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// Namespace of the environment's object.
    pub namespace: &'a str,
    /// Name of the environment's object.
    pub environment: &'a str,
    /// What is on the forge.
    pub source: &'a Source,
}

/// The trace of one change.
#[derive(Clone, Debug)]
pub struct Trace {
    pipe: Arc<Pipe>,
    id: TraceId,
    about: Vec<KeyValue>,
}

/// A piece of work that has come to its end.
#[derive(Debug)]
pub struct Span {
    name: Cow<'static, str>,
    /// Whether it is the whole, and not a part.
    is_root: bool,
    kind: SpanKind,
    began: SystemTime,
    attributes: Vec<KeyValue>,
    status: Status,
}

/// Name by which the number of the first span of a trace is made, whatever it is called.
const ROOT: &str = "root";

impl Traces {
    /// As the standard variables say. What is wrong with them is logged, and stops nothing. Needs a runtime.
    pub fn by_variables(identity: &str) -> Self {
        match variables::wanted(|name| env::var(name).ok()) {
            Wanted::No => Self::default(),
            Wanted::Cannot(why) => {
                tracing::warn!(why, "there are no traces");
                Self::default()
            }
            Wanted::Yes { timeout, warning } => {
                if let Some(why) = warning {
                    tracing::warn!(why, "traces are not as they were meant to be");
                }
                pipe(timeout, identity).map_or_else(
                    |why| {
                        tracing::warn!(why, "there are no traces");
                        Self::default()
                    },
                    |pipe| Self(Some(Arc::new(pipe))),
                )
            }
        }
    }

    /// The trace of a change, where anybody wants it. What it is about is not even looked for otherwise.
    pub fn of<'a>(&self, change: impl FnOnce() -> Option<Change<'a>>) -> Option<Trace> {
        let pipe = self.0.as_ref()?;
        let change = change()?;
        let id = ids::trace(&change);
        let sampled = pipe.sampler.should_sample(None, id, SERVICE, &SpanKind::Internal, &[], &[]);
        (sampled.decision == SamplingDecision::RecordAndSample).then(|| Trace { pipe: Arc::clone(pipe), id, about: about(&change) })
    }

    /// Sends what is left, for two seconds at most. Nothing is taken afterwards.
    pub async fn end(self) {
        let Some(pipe) = self.0 else { return };
        let ended = tokio::task::spawn_blocking(move || pipe.spans.shutdown_with_timeout(LAST_SPANS)).await;
        if !matches!(ended, Ok(Ok(()))) {
            tracing::warn!("the last traces are lost: the collector did not take them in time");
        }
    }
}

fn pipe(timeout: Duration, identity: &str) -> Result<Pipe, String> {
    let runtime = Handle::try_current().map_err(|error| error.to_string())?;
    let sender = Sender::new(runtime, timeout).map_err(|error| format!("cannot read the system's root certificates: {error}"))?;
    let exporter = SpanExporter::builder().with_http().with_http_client(sender).build();
    // The SDK would say what it holds, and with it a password that stands in it.
    let exporter = exporter.map_err(|_| format!("{ENDPOINTS} is no address, such as http://collector.example.com:4318"))?;
    let mut spans = BatchSpanProcessor::builder(exporter).build();
    spans.set_resource(&resource(identity));
    Ok(Pipe::new(Box::new(spans), Config::default().sampler))
}

impl Pipe {
    fn new(spans: Box<dyn SpanProcessor>, sampler: Box<dyn ShouldSample>) -> Self {
        let scope = InstrumentationScope::builder(SERVICE).with_version(env!("CARGO_PKG_VERSION")).build();
        Self { spans, sampler, scope }
    }
}

/// Which service this is. The variables come after what is said here.
fn resource(identity: &str) -> Resource {
    let own = [
        KeyValue::new("service.name", SERVICE),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", identity.to_owned()),
    ];
    let resource = Resource::builder_empty().with_attributes(own).with_detector(Box::new(TelemetryResourceDetector));
    let resource = resource.with_detector(Box::new(EnvResourceDetector::new()));
    match env::var("OTEL_SERVICE_NAME").ok().filter(|name| !name.is_empty()) {
        Some(name) => resource.with_service_name(name).build(),
        None => resource.build(),
    }
}

/// What every span says of its change, in the words of the semantic conventions where they have one. Nothing that somebody wrote
/// freely, such as a title, and of branches only the one that an environment is for.
fn about(change: &Change<'_>) -> Vec<KeyValue> {
    let Change { namespace, environment, source } = change;
    let mut about = vec![
        KeyValue::new("k8s.namespace.name", (*namespace).to_owned()),
        KeyValue::new("preview.environment", (*environment).to_owned()),
        KeyValue::new("vcs.provider.name", source.forge.as_str()),
        KeyValue::new("vcs.ref.head.revision", source.revision.clone()),
    ];
    if let Some((owner, name)) = source.repository.split_once('/') {
        about.extend([KeyValue::new("vcs.owner.name", owner.to_owned()), KeyValue::new("vcs.repository.name", name.to_owned())]);
    }
    match (source.pull, &source.branch) {
        (Some(pull), _) => about.push(KeyValue::new("vcs.change.id", pull.to_string())),
        (None, Some(branch)) => about.push(KeyValue::new("vcs.ref.head.name", branch.clone())),
        (None, None) => {}
    }
    about
}

impl Trace {
    /// Takes a span. Never waits.
    pub fn tell(&self, span: Span) {
        let root = ids::span(self.id, ROOT, 0);
        let since = span.began.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let (id, parent) = if span.is_root { (root, SpanId::INVALID) } else { (ids::span(self.id, &span.name, since.as_nanos()), root) };
        self.pipe.spans.on_end(SpanData {
            span_context: SpanContext::new(self.id, id, TraceFlags::SAMPLED, false, TraceState::NONE),
            parent_span_id: parent,
            // Who takes a delivery may be another process than who leads.
            parent_span_is_remote: !span.is_root,
            span_kind: span.kind,
            name: span.name,
            start_time: span.began,
            end_time: SystemTime::now().max(span.began),
            attributes: self.about.iter().cloned().chain(span.attributes).collect(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: span.status,
            instrumentation_scope: self.pipe.scope.clone(),
        });
    }
}

impl Span {
    /// All of it, since that moment.
    pub fn root(name: impl Into<Cow<'static, str>>, since: SystemTime) -> Self {
        Self { name: name.into(), is_root: true, kind: SpanKind::Internal, began: since, attributes: Vec::new(), status: Status::Unset }
    }

    /// A part that took so long until now. When it began tells it from others of its name.
    pub fn part(name: &'static str, took: Duration) -> Self {
        let began = SystemTime::now().checked_sub(took).unwrap_or(SystemTime::UNIX_EPOCH);
        Self { is_root: false, ..Self::root(name, began) }
    }

    /// Somebody else asked for it.
    pub fn asked_for(self) -> Self {
        Self { kind: SpanKind::Server, ..self }
    }

    /// Somebody else was asked.
    pub fn asks(self) -> Self {
        Self { kind: SpanKind::Client, ..self }
    }

    /// Something that is known of it.
    pub fn with(mut self, name: &'static str, value: impl Into<opentelemetry::Value>) -> Self {
        self.attributes.push(KeyValue::new(name, value));
        self
    }

    /// It came to nothing, for a reason that is a word.
    pub fn failed(self, reason: &'static str) -> Self {
        Self { status: Status::error(reason), ..self }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use opentelemetry::Context;
    use opentelemetry_sdk::error::OTelSdkResult;
    use opentelemetry_sdk::trace::{Sampler, Span as SdkSpan};
    use serde_json::{Value, json};

    use super::*;

    /// A source with what is of interest.
    pub(super) fn source(interesting: &Value) -> Source {
        let mut source = json!({
            "forge": "github", "repositoryId": 7, "repository": "acme/web", "state": "Open", "revision": "a".repeat(40),
            "observedAt": "2026-01-02T03:04:05Z", "author": "eve", "labels": ["preview"], "headBranch": "hotfix-of-acme-bank",
        });
        source.as_object_mut().unwrap().extend(interesting.as_object().unwrap().clone());
        serde_json::from_value(source).unwrap()
    }

    /// Keeps what it is given.
    #[derive(Clone, Debug, Default)]
    struct Kept(Arc<Mutex<Vec<SpanData>>>);

    impl SpanProcessor for Kept {
        fn on_start(&self, _: &mut SdkSpan, _: &Context) {}
        fn on_end(&self, span: SpanData) {
            self.0.lock().unwrap().push(span);
        }
        fn force_flush(&self) -> OTelSdkResult {
            Ok(())
        }
        fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
            Ok(())
        }
    }

    fn traces(sampler: Sampler) -> (Traces, Kept) {
        let kept = Kept::default();
        (Traces(Some(Arc::new(Pipe::new(Box::new(kept.clone()), Box::new(sampler))))), kept)
    }

    fn change(source: &Source) -> Change<'_> {
        Change { namespace: "shop", environment: "web-pr-42", source }
    }

    #[test]
    fn parts_hang_on_a_root_that_is_told_after_them_and_by_another_replica() {
        let source = source(&json!({"pull": 42}));
        let ((follower, of_follower), (leader, of_leader)) = (traces(Sampler::AlwaysOn), traces(Sampler::AlwaysOn));
        follower.of(|| Some(change(&source))).unwrap().tell(Span::part("delivery", Duration::from_millis(5)).asked_for());
        let (trace, asked) = (leader.of(|| Some(change(&source))).unwrap(), SystemTime::now() - Duration::from_secs(60));
        trace.tell(Span::part("pass", Duration::from_millis(3)).failed("Images"));
        trace.tell(Span::part("pass", Duration::from_millis(2)).with("preview.objects", 7));
        trace.tell(Span::root("preview create", asked));
        let mut spans = of_follower.0.lock().unwrap().clone();
        spans.extend(of_leader.0.lock().unwrap().clone());
        let root = spans.pop().unwrap();
        assert_eq!((root.parent_span_id, root.start_time, root.name.as_ref()), (SpanId::INVALID, asked, "preview create"));
        for span in &spans {
            assert_eq!(span.span_context.trace_id(), root.span_context.trace_id(), "{}", span.name);
            assert_eq!(span.parent_span_id, root.span_context.span_id(), "{}", span.name);
            assert!(span.end_time > span.start_time && span.span_context.is_sampled(), "{}", span.name);
        }
        assert_eq!((spans[0].span_kind.clone(), spans[1].status.clone()), (SpanKind::Server, Status::error("Images")));
        assert_ne!(spans[1].span_context.span_id(), spans[2].span_context.span_id());
    }

    #[test]
    fn spans_say_what_they_are_about_and_nothing_that_people_wrote_freely() {
        let said = |interesting: Value| {
            let source = source(&interesting);
            let mut said: Vec<String> = about(&change(&source)).iter().map(|pair| format!("{}={}", pair.key, pair.value)).collect();
            said.sort();
            said
        };
        let revision = format!("vcs.ref.head.revision={}", "a".repeat(40));
        let mut expected = vec![
            "k8s.namespace.name=shop",
            "preview.environment=web-pr-42",
            "vcs.change.id=42",
            "vcs.owner.name=acme",
            "vcs.provider.name=github",
            &revision,
            "vcs.repository.name=web",
        ];
        assert_eq!(said(json!({"pull": 42})), expected);
        (expected[2], expected[5], expected[4], expected[3]) =
            ("vcs.owner.name=acme", &revision, "vcs.ref.head.name=main", "vcs.provider.name=github");
        assert_eq!(said(json!({"branch": "main"})), expected);
    }

    #[test]
    fn without_a_collector_nothing_is_looked_for_and_a_trace_is_sampled_as_a_whole() {
        let source = source(&json!({"pull": 42}));
        assert!(Traces::default().of(|| panic!("it is looked for")).is_none());
        assert!(traces(Sampler::AlwaysOff).0.of(|| Some(change(&source))).is_none());
        let half = || traces(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(0.5)))).0;
        let kept = (1..=200).filter(|pull| {
            let source = Source { pull: Some(*pull), ..source.clone() };
            let (one, other) = (half().of(|| Some(change(&source))).is_some(), half().of(|| Some(change(&source))).is_some());
            assert_eq!(one, other, "replicas keep the same ones");
            one
        });
        assert!((60..140).contains(&kept.count()));
    }
}
