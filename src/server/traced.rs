//! What traces show of deliveries.

use std::time::Duration;

use super::answer::Answer;
use super::delivery::Account;
use crate::api::environment::SourceState;
use crate::intent::Fact;
use crate::traces::{Change, Span, Traces};

/// Tells of a delivery in the trace of each commit that it brought. What has ended begins no trace.
pub(super) fn tell(traces: &Traces, facts: &[Fact], (account, answer): (&Account, &Answer), took: Duration) {
    for Fact { baseline_namespace, environment, source, .. } in facts {
        let is_open = source.state == SourceState::Open;
        let change = || is_open.then_some(Change { namespace: baseline_namespace, environment: environment.as_str(), source });
        let Some(trace) = traces.of(change) else { continue };
        let span = Span::part("delivery", took).asked_for().with("preview.result", answer.result);
        let span = span.with("http.response.status_code", i64::from(answer.status.as_u16()));
        let span = match account.id() {
            Some(id) => span.with("preview.delivery", id.to_owned()),
            None => span,
        };
        trace.tell(if answer.status.is_server_error() { span.failed(answer.result) } else { span });
    }
}
