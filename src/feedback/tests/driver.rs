//! From a change in the store to the comment.

use std::sync::Arc;

use kube::runtime::reflector::{self, store::Writer};
use kube::runtime::watcher::Event;
use tokio::sync::oneshot;

use super::double::{Double, Fault, Records, away};
use super::fixtures::*;
use crate::api::PreviewEnvironment;
use crate::feedback::Driver;
use crate::feedback::deliver::Deliverer;

fn put(writer: &mut Writer<PreviewEnvironment>, records: &Records) {
    records.members().into_iter().for_each(|member| writer.apply_watcher_event(&Event::Apply(Arc::unwrap_or_clone(member))));
}

#[tokio::test]
async fn changes_are_followed_and_failures_outlived() {
    let (forge, records) = (Arc::new(Double::plain()), Records::of([started()]));
    let (store, mut writer) = reflector::store();
    let (driver, notifier) = Driver::with(Deliverer::new(forge.clone(), records.clone()), store, plain());
    let (stop, stopped) = oneshot::channel::<()>();
    forge.fail(Fault::Before(away()));
    let running = tokio::spawn(driver.run(async { stopped.await.unwrap_or_default() }));

    writer.apply_watcher_event(&Event::Init);
    writer.apply_watcher_event(&Event::InitApply(started()));
    writer.apply_watcher_event(&Event::InitDone);
    forge.until(|comments| comments.len() == 1 && comments[0].body.contains("Creating")).await;

    for state in [updating(), ready()] {
        records.replace(state);
        put(&mut writer, &records);
        notifier.changed(&records.members()[0]);
    }
    forge.until(|comments| comments[0].body.contains("is ready")).await;
    assert_eq!(forge.calls(), ["find", "find", "create", "edit"], "one edit for changes that come together");
    assert!(!notifier.nothing_left_to_say(&ready().unwanted("Merged", "Removed")));

    stop.send(()).unwrap();
    running.await.unwrap();
}

fn updating() -> PreviewEnvironment {
    ready().condition("Ready", crate::api::conditions::ConditionStatus::False, "Updating", "").phase("Updating")
}
