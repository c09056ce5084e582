//! What the double holds, shared between its HTTP skin and the tests.

use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use tokio::sync::watch;

use crate::contract::{Violation, check_payload};
use crate::deliveries::{Address, Delivery, Outcome, Sender, TIME_OUT, sign};
use crate::faults::{Failure, Faults};
use crate::in_process::Receiver;
use crate::limits::Limits;
use crate::log::Logged;
use crate::model::{Action, Event, Model, Refusal};
use crate::payload;
use crate::render::Render;

/// A clock that a test holds.
pub(crate) type Clock = Box<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// Everything that changes.
#[derive(Default)]
pub(crate) struct State {
    pub model: Model,
    pub faults: Faults,
    pub down: bool,
    pub log: Vec<Logged>,
    pub violations: Vec<Violation>,
    /// Nothing is compared with what GitHub publishes.
    pub unchecked: bool,
    pub deliveries: Vec<Delivery>,
    pub limits: Limits,
    /// Where the time is read, if a test has a clock of its own.
    pub follows: Option<Clock>,
    /// The time, if a test holds it.
    pub clock: Option<DateTime<Utc>>,
    /// How far the clock that nobody holds is ahead of the machine's.
    pub ahead: TimeDelta,
}

impl State {
    /// The time on GitHub.
    pub fn now(&self) -> DateTime<Utc> {
        match &self.follows {
            Some(clock) => clock(),
            None => self.clock.unwrap_or_else(|| Utc::now() + self.ahead),
        }
    }

    /// Moves the clock on, whether it is held or runs.
    pub fn advance(&mut self, by: TimeDelta) {
        match &mut self.clock {
            Some(held) => *held += by,
            None => self.ahead += by,
        }
    }

    /// Does what a person does, and builds the deliveries that follow.
    pub fn act(&mut self, api: &str, action: &Action) -> Result<(Vec<Event>, Vec<Delivery>), Refusal> {
        let now = self.now();
        let events = self.model.act(action, now)?;
        let deliveries = self.compose(api, &events);
        Ok((events, deliveries))
    }

    /// Builds the deliveries that follow from events, for each webhook that wants them, and keeps
    /// them in the log as not sent. A body that does not fit the published schema is a violation.
    pub fn compose(&mut self, api: &str, events: &[Event]) -> Vec<Delivery> {
        events.iter().flat_map(|event| self.compose_one(api, event)).collect()
    }

    fn compose_one(&mut self, api: &str, event: &Event) -> Vec<Delivery> {
        let model = &self.model;
        let hooks: Vec<_> = model.webhooks.iter().filter_map(|hook| hook.receives(model, event)).collect();
        if hooks.is_empty() {
            return Vec::new();
        }
        let Some(body) = payload::build(Render { model: &self.model, api }, event) else {
            return Vec::new();
        };
        let now = self.now();
        let composed: Vec<_> = hooks
            .iter()
            .map(|(hook, installation)| {
                let address = Address { hook, installation: *installation, now };
                let body = payload::in_the_name_of(body.clone(), *installation);
                self.check(event, &body);
                Delivery { id: self.model.next_id(), ..sign(address, event, &body) }
            })
            .collect();
        self.deliveries.extend(composed.iter().cloned());
        composed
    }

    fn check(&mut self, event: &Event, body: &Value) {
        if !self.unchecked {
            self.violations.extend(check_payload(event.name, event.action, body));
        }
    }
}

impl State {
    /// A delivery of the log once more: the same bytes and GUID, to where its webhook points by now.
    pub fn repeat(&mut self, id: u64) -> Option<Delivery> {
        let old = self.deliveries.iter().find(|kept| kept.id == id)?.clone();
        let url = self.model.webhook(old.hook).map_or_else(|_| old.url.clone(), |hook| hook.url.clone());
        let at = self.now();
        let again = Delivery { id: self.model.next_id(), url, at, redelivery: true, outcome: Outcome::NotSent, ..old };
        self.deliveries.push(again.clone());
        Some(again)
    }
}

/// The state and the ways to it.
pub(crate) struct Shared {
    state: Mutex<State>,
    changed: watch::Sender<u64>,
    sender: Sender,
    receiver: Mutex<Option<Receiver>>,
    /// Address of the API, without a slash at the end.
    pub api: String,
}

impl Shared {
    pub fn new(api: String) -> Self {
        Self { state: Mutex::default(), changed: watch::Sender::new(0), sender: Sender::new(), receiver: Mutex::default(), api }
    }

    /// Looks at the state.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and wakes who waits for a change.
    pub fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut self.lock());
        self.changed.send_modify(|version| *version += 1);
        changed
    }

    /// Says when the state changes.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    pub fn is_down(&self) -> bool {
        self.lock().down
    }

    pub fn fault(&self, method: &str, path: &str) -> Option<Failure> {
        let mut state = self.lock();
        let now = state.now();
        state.faults.take(method, path, now)
    }

    pub fn log(&self, logged: Logged) {
        self.change(|state| state.log.push(logged));
    }

    /// Sends a delivery once, as GitHub does, and keeps how it ended under its id.
    pub async fn send(&self, delivery: &Delivery) -> Delivery {
        let receiver = self.receiver.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let outcome = match receiver {
            Some(receiver) => within(receiver(delivery.clone())).await,
            None => self.sender.send(delivery).await,
        };
        self.record(delivery.id, &outcome);
        Delivery { outcome, ..delivery.clone() }
    }

    /// Gives deliveries to a receiver in place of their address.
    pub fn set_receiver(&self, receiver: Receiver) {
        *self.receiver.lock().unwrap_or_else(PoisonError::into_inner) = Some(receiver);
    }

    /// Keeps how a delivery ended under its id.
    pub fn record(&self, id: u64, outcome: &Outcome) {
        self.change(|state| {
            let mut kept = state.deliveries.iter_mut();
            if let Some(kept) = kept.find(|kept| kept.id == id) {
                kept.outcome = outcome.clone();
            }
        });
    }
}

/// How a delivery ended, if it did so in GitHub's time.
async fn within(answer: impl Future<Output = Outcome>) -> Outcome {
    tokio::time::timeout(TIME_OUT, answer).await.unwrap_or_else(|_| Outcome::late())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_moved_on_goes_on_running_unless_it_is_held() {
        let mut state = State::default();
        state.advance(TimeDelta::hours(1));
        assert!(state.clock.is_none() && state.now() >= Utc::now() + TimeDelta::minutes(59));
        state.clock = Some(DateTime::UNIX_EPOCH);
        state.advance(TimeDelta::seconds(5));
        assert_eq!(state.now().timestamp(), 5);
    }
}
