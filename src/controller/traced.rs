//! What traces show of the passes over an environment: each that changed something on the way to Ready, what it applied, and all of
//! it once it is Ready. Afterwards the commit has had its trace. No client, no logging.

use std::time::Duration;

use super::driver::Pass;
use super::happened::{Happened, happened};
use super::requests::RequestError;
use super::status::Progress;
use crate::api::PreviewEnvironmentStatus;
use crate::api::environment::SourceState;
use crate::traces::{Change, Span, Trace};

impl Pass<'_> {
    /// The trace of the commit that is to run, until it was ready once.
    fn trace(&self) -> Option<Trace> {
        self.context.traces.of(|| {
            let metadata = &self.object.metadata;
            let source = self.object.spec.sources.first().filter(|source| source.state == SourceState::Open)?;
            let before = &self.recorded.status;
            let was_ready = before.namespace.is_some() && before.ready_revision.as_deref() == Some(source.revision.as_str());
            let (namespace, environment) = (metadata.namespace.as_deref()?, metadata.name.as_deref()?);
            (!was_ready).then_some(Change { namespace, environment, source })
        })
    }

    /// Tells what was applied.
    pub(super) fn trace_apply(&self, took: Duration, (written, failures): (usize, &[RequestError])) {
        let Some(trace) = self.trace() else { return };
        let span = Span::part("apply", took).with("preview.objects.written", count(written));
        let span = span.with("preview.objects.failed", count(failures.len()));
        trace.tell(if failures.is_empty() { span } else { span.failed("ApplyFailed") });
    }

    /// Tells of a pass that changed the status, and of the whole where it made the commit ready.
    pub(super) fn trace_end(&self, progress: &Progress, after: &PreviewEnvironmentStatus) {
        let Some(trace) = self.trace() else { return };
        let span = Span::part("pass", self.started.elapsed());
        let span = span.with("preview.outcome", progress.label()).with("preview.objects", count(after.inventory.len()));
        trace.tell(match progress {
            Progress::Waiting(reason, _) => span.with("preview.reason", *reason),
            Progress::Stalled(reason, _) => span.failed(reason),
            Progress::Failing(_) => span.failed("Failing"),
            _ => span,
        });
        let asked = self.environment.asked_at();
        if let Some(asked) = asked.filter(|_| happened(&self.recorded.status, after).contains(&Happened::Ready { again: false })) {
            let name = if self.recorded.status.ready_revision.is_some() { "preview update" } else { "preview create" };
            trace.tell(Span::root(name, asked.into()).with("preview.services", count(after.services.len())));
        }
    }

    /// Tells of a pass that came to no end.
    pub(super) fn trace_error(&self) {
        if let Some(trace) = self.trace() {
            trace.tell(Span::part("pass", self.started.elapsed()).with("preview.outcome", "error").failed("RequestFailed"));
        }
    }
}

fn count(items: usize) -> i64 {
    i64::try_from(items).unwrap_or(i64::MAX)
}
