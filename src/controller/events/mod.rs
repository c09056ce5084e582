//! Kubernetes Events: what `kubectl describe` shows below an environment or a Baseline. They are a help and no more: nothing
//! waits for them, and one that cannot be written is passed over. The client is used here.
//!
//! Each is one server-side apply. The same one again applies the first of its kind with a count.

mod series;
mod words;

use std::time::Instant;

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::{Event, EventSeries};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{ObjectMeta, Patch, PatchParams};
use kube::{Api, Client};
use tokio::sync::mpsc;

use self::series::{Series, Turn};
pub(crate) use self::words::held;
pub(super) use self::words::{of_baseline, of_environment, orphan};
use super::requests::within_deadline;
use crate::api::names::MANAGER_CONTROLLER;

/// As many may wait to be written. What comes while more do is passed over.
const WAITING_MAX: usize = 512;
/// Who writes them, as `kubectl describe` shows it.
const REPORTER: &str = "preview-env.dev/controller";

/// What one event says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Told {
    /// `Normal` or `Warning`.
    pub(super) type_: &'static str,
    /// Why, as one word.
    pub(super) reason: &'static str,
    /// What, as a sentence.
    pub(super) note: String,
}

/// Takes what is to be told, and never waits.
#[derive(Clone)]
pub struct Events(mpsc::Sender<(ObjectReference, Told)>);

/// Writes what it is given.
pub(super) struct Writer {
    client: Client,
    waiting: mpsc::Receiver<(ObjectReference, Told)>,
}

impl Events {
    pub(super) fn new(client: Client) -> (Self, Writer) {
        let (sender, waiting) = mpsc::channel(WAITING_MAX);
        (Self(sender), Writer { client, waiting })
    }

    /// Tells of an object.
    pub(crate) fn tell(&self, object: ObjectReference, told: Told) {
        if let Err(error) = self.0.try_send((object, told)) {
            tracing::debug!(%error, "an event is passed over");
        }
    }
}

impl Writer {
    /// Writes one after the other until it is dropped.
    pub(super) async fn run(mut self) {
        let mut series = Series::default();
        while let Some((object, told)) = self.waiting.recv().await {
            let (uid, said) = (object.uid.clone().unwrap_or_default(), (told.reason, told.note.clone()));
            let Some(turn) = series.turn(&uid, said, Timestamp::now(), Instant::now()) else {
                tracing::debug!(object = object.name, reason = told.reason, "an event is passed over, as the object has many");
                continue;
            };
            let event = event(object, told, turn, Timestamp::now());
            self.write(&event).await;
        }
    }

    async fn write(&self, event: &Event) {
        let (namespace, name) = (event.metadata.namespace.clone().unwrap_or_default(), event.metadata.name.clone().unwrap_or_default());
        let api: Api<Event> = Api::namespaced(self.client.clone(), &namespace);
        let params = PatchParams::apply(MANAGER_CONTROLLER).force();
        let patch = Patch::Apply(event);
        let answer = api.patch_metadata(&name, &params, &patch);
        if let Err(error) = within_deadline(&format!("write event {name} in namespace {namespace}"), answer).await {
            tracing::debug!(%error, "an event is not written");
        }
    }
}

/// The event as an object. What was there before is sent as it was, since nothing of an event may change but its count.
fn event(object: ObjectReference, told: Told, turn: Turn<Timestamp>, now: Timestamp) -> Event {
    let name = format!("{}.{:x}", object.name.as_deref().unwrap_or_default(), turn.first.as_nanosecond());
    Event {
        metadata: ObjectMeta { name: Some(name), namespace: object.namespace.clone(), ..ObjectMeta::default() },
        type_: Some(told.type_.to_owned()),
        reason: Some(told.reason.to_owned()),
        note: Some(told.note),
        action: Some("Reconcile".to_owned()),
        event_time: Some(MicroTime(turn.first)),
        regarding: Some(object),
        reporting_controller: Some(REPORTER.to_owned()),
        reporting_instance: Some(REPORTER.to_owned()),
        series: (turn.count > 1).then_some(EventSeries { count: turn.count, last_observed_time: MicroTime(now) }),
        ..Event::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_again_is_the_same_object_with_a_count() {
        let object = ObjectReference { name: Some("web-pr-1".into()), namespace: Some("shop".into()), ..ObjectReference::default() };
        let told = Told { type_: "Warning", reason: "Degraded", note: "1 of 2".into() };
        let (first, later) = (Timestamp::from_second(1_000).unwrap(), Timestamp::from_second(1_060).unwrap());
        let one = event(object.clone(), told.clone(), Turn { first, count: 1 }, first);
        let two = event(object, told, Turn { first, count: 2 }, later);
        assert_eq!(one.series, None);
        assert_eq!(two.series, Some(EventSeries { count: 2, last_observed_time: MicroTime(later) }));
        assert_eq!(Event { series: None, ..two }, one);
    }
}
