//! From a change in the store to the comment.

use std::sync::Arc;

use chrono::{TimeDelta, Utc};
use kube::runtime::reflector::{self, store::Writer};
use kube::runtime::watcher::Event;
use tokio::sync::oneshot;

use super::double::{Double, Fault, Records, away};
use super::fixtures::*;
use crate::api::PreviewEnvironment;
use crate::clock;
use crate::feedback::deliver::{Deliverer, Measure, Memory, Outcome};
use crate::feedback::group::{self, Group, PullKey};
use crate::feedback::{Driver, Sources};
use crate::forge::{DeploymentState, ForgeError};

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

#[tokio::test(start_paused = true)]
async fn an_owner_who_has_to_wait_slows_no_other() {
    let mut other = started();
    other.metadata.uid = Some("uid-2".into());
    (other.spec.sources[0].repository, other.spec.sources[0].repository_id) = ("other/api".into(), 8);
    let (forge, records) = (Arc::new(Double::plain().by_owner()), Records::of([started(), other.clone()]));
    let (store, mut writer) = reflector::store();
    let (driver, notifier) = Driver::with(Deliverer::new(forge.clone(), records.clone()), store, plain());
    forge.fail(Fault::Before(ForgeError::RateLimited { what: "find the comment".into(), seconds: 3_600 }));
    tokio::spawn(driver.run(std::future::pending()));
    let began = tokio::time::Instant::now();

    writer.apply_watcher_event(&Event::Init);
    writer.apply_watcher_event(&Event::InitApply(started()));
    writer.apply_watcher_event(&Event::InitDone);
    // Virtual: the first one is asked to wait meanwhile.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!((forge.calls(), forge.abouts()), (vec!["find"], vec![(7, 42)]));
    writer.apply_watcher_event(&Event::Apply(other.clone()));
    notifier.changed(&other);
    forge.until(|comments| comments.len() == 1).await;
    assert_eq!((forge.abouts(), began.elapsed().as_secs()), (vec![(8, 42)], 1));
}

/// This machine's clock is a year behind, so by that one nobody would be warned yet that it expires.
#[test]
fn whether_all_is_told_is_judged_by_the_api_servers_time() {
    let there = Utc::now() + TimeDelta::days(365);
    let warned = |digest: &str| {
        let mut environment = ready().shown(9, digest);
        environment.status().expires_at = Some(there + TimeDelta::minutes(10));
        environment
    };
    let group = Group::of(PullKey::of(&ready()).unwrap(), vec![Arc::new(warned(""))]).unwrap();
    let shown = plain().show(&group, there).unwrap().letter.unwrap().digest;
    let (forge, records) = (Arc::new(Double::plain()), Records::of([ready()]));
    let (store, _writer) = reflector::store();
    let (_driver, notifier) = Driver::timed((Deliverer::new(forge, records), clock::tests::told(there)), store, plain());
    assert!(notifier.nothing_left_to_say(&warned(&shown)));

    let of_no_baseline = Sources::new(Arc::new(|_, _| None), false).show(&group, there).unwrap().letter.unwrap().digest;
    let told = |now| group::is_told(&warned(&of_no_baseline), now);
    assert!(told(there) && !told(Utc::now()), "for tools too");
}

fn updating() -> PreviewEnvironment {
    ready().condition("Ready", crate::api::conditions::ConditionStatus::False, "Updating", "").phase("Updating")
}

#[tokio::test(start_paused = true)]
async fn a_check_gives_its_name_to_the_smaller_number_as_soon_as_that_has_the_same_commit() {
    let mut first = ready();
    (first.metadata.name, first.metadata.uid, first.spec.sources[0].pull) = (Some("web-pr-7".into()), Some("uid-7".into()), Some(7));
    let (forge, records) = (Arc::new(Double::default()), Records::of([ready()]));
    let (store, mut writer) = reflector::store();
    let (driver, notifier) = Driver::with(Deliverer::new(forge.clone(), records.clone()), store, plain());
    tokio::spawn(driver.run(std::future::pending()));
    writer.apply_watcher_event(&Event::Init);
    writer.apply_watcher_event(&Event::InitApply(ready()));
    writer.apply_watcher_event(&Event::InitDone);
    // Virtual, and long before anybody looks at everything again.
    let pause = || tokio::time::sleep(std::time::Duration::from_secs(30));
    pause().await;
    put(&mut writer, &records);
    let names = || -> Vec<_> { forge.checks().into_iter().map(|check| (check.pull, check.name)).collect() };
    assert_eq!(names(), [(Some(42), "preview / shop".to_owned())]);
    records.add(first.clone());
    writer.apply_watcher_event(&Event::Apply(first.clone()));
    notifier.changed(&first);
    pause().await;
    assert_eq!(names(), [(Some(42), "preview / shop (#42)".to_owned()), (Some(7), "preview / shop".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn what_the_one_before_said_and_could_not_record_is_put_right_by_the_next() {
    let (forge, records) = (Arc::new(Double::default()), Records::of([ready()]));
    let deliver = async || {
        let group = Group::of(PullKey::of(&ready()).unwrap(), records.members()).unwrap();
        let show = plain().show(&group, early()).unwrap();
        Deliverer::new(forge.clone(), records.clone()).deliver(&group, (&show, Measure::All), &mut Memory::default()).await
    };
    let drive = async |led_before| {
        let (store, mut writer) = reflector::store();
        let clock = clock::tests::told(early());
        let (driver, _notifier) = Driver::timed((Deliverer::new(forge.clone(), records.clone()), clock), store, plain());
        let running = tokio::spawn(driver.following(Some(led_before)).run(std::future::pending()));
        writer.apply_watcher_event(&Event::Init);
        records.members().into_iter().for_each(|member| writer.apply_watcher_event(&Event::InitApply(Arc::unwrap_or_clone(member))));
        writer.apply_watcher_event(&Event::InitDone);
        // Virtual, and long before anybody looks at everything again.
        tokio::time::sleep(std::time::Duration::from_secs(30)).await;
        running.abort();
    };
    let shown = || {
        let concluded = forge.checks().last().and_then(|check| check.conclusion);
        (forge.body().contains("is ready"), concluded, forge.deployed().last().and_then(super::double::Deployed::state))
    };
    assert_eq!(deliver().await, Outcome::Delivered);
    let right = shown();
    assert_eq!(right.2, Some(DeploymentState::Success));
    records.replace(updating());
    records.refuse(true);
    assert_eq!(deliver().await, Outcome::Retry(None));
    let wrong = shown();
    assert!(!wrong.0 && wrong.1 != right.1 && wrong.2 != right.2, "{wrong:?}");
    records.refuse(false);
    records.replace(ready());
    // Recorded at ten o'clock.
    forge.calls();
    drive(time("27T10:09")).await;
    assert_eq!((shown(), forge.calls().len()), (wrong, 0), "nothing changed for long before the one before ended");
    drive(time("27T10:02")).await;
    assert_eq!(shown(), right);
    forge.calls();
    drive(time("27T10:09")).await;
    assert_eq!(forge.calls().len(), 0);
}
