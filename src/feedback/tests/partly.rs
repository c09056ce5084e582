//! A forge that takes less than there is to say hears one thing at a time, what matters most first.

use std::sync::Arc;

use serde_json::json;

use super::double::{Double, Records};
use super::fixtures::*;
use crate::api::PreviewEnvironment;
use crate::api::conditions::{self, ConditionStatus, FEEDBACK_DELIVERED};
use crate::feedback::deliver::{Deliverer, Measure, Memory, Outcome};
use crate::feedback::{Group, PullKey};

/// One environment, told thriftily until nothing is done any more: how each time ended, and what was asked of the forge.
async fn told(member: PreviewEnvironment) -> (Vec<(Outcome, Vec<&'static str>)>, Arc<Records>) {
    let (forge, records, mut memory) = (Arc::new(Double::default()), Records::of([member]), Memory::default());
    let (sources, deliverer) = (by(shop(&json!({}), false)), Deliverer::new(forge.clone(), records.clone()));
    let mut ends = Vec::new();
    loop {
        let members = records.members();
        let group = Group::of(PullKey::of(&members[0]).unwrap(), members).unwrap();
        let show = sources.show(&group, early()).unwrap();
        let outcome = deliverer.deliver(&group, (&show, Measure::Thrifty), &mut memory).await;
        let calls = forge.calls();
        let over = outcome == Outcome::Delivered || calls.is_empty();
        ends.push((outcome, calls));
        if over {
            return (ends, records);
        }
    }
}

fn condition(records: &Records) -> (ConditionStatus, String) {
    let members = records.members();
    let found = conditions::find(&members[0].status.as_ref().unwrap().conditions, FEEDBACK_DELIVERED).unwrap();
    (found.status, found.message.clone())
}

#[tokio::test]
async fn the_comment_comes_first_then_the_check_and_the_deployment() {
    let (ends, records) = told(ready()).await;
    let expected = [
        (Outcome::Partly, vec!["find", "create"]),
        (Outcome::Partly, vec!["find check", "check"]),
        (Outcome::Delivered, vec!["list", "deploy", "state"]),
    ];
    assert_eq!(ends, expected);
    assert_eq!(condition(&records).0, ConditionStatus::True);
}

#[tokio::test]
async fn what_will_be_something_else_before_long_is_left_for_later() {
    let (ends, records) = told(started()).await;
    assert_eq!(ends, [(Outcome::Partly, vec!["find", "create"]), (Outcome::Partly, vec![])]);
    let later = "The forge takes less than there is to say: the rest follows.".to_owned();
    assert_eq!(condition(&records), (ConditionStatus::False, later));
}
