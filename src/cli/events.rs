//! `preview events`: what happened to an environment and in its namespace, the latest last.

use std::collections::HashSet;
use std::pin::pin;

use chrono::Utc;
use clap::Args;
use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::Event;
use kube::runtime::watcher::Config;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, ResourceExt};
use serde_json::json;

use super::Global;
use super::cluster::{Cluster, last_seen};
use super::errors::{Asked, Failure};
use super::find::Which;
use super::output::{Format, Table, USUAL_WIDTH, document, note, print, span, width};
use crate::api::PreviewEnvironment;

/// Flags of `preview events`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  preview events web-pr-42
  preview events --pull 42 --watch")]
pub struct EventsArgs {
    /// The environment.
    #[command(flatten)]
    pub which: Which,
    /// Go on with what happens from now on
    #[arg(short, long)]
    pub watch: bool,
}

/// Runs the command.
pub async fn run(global: &Global, args: EventsArgs) -> Result<(), Failure> {
    let cluster = Cluster::connect(global).await?;
    let environment = args.which.find(&cluster).await?;
    let mut events = cluster.events(&environment).await?;
    events.extend(inside(&cluster, &environment).await?);
    events.sort_by_key(last_seen);
    if matches!(global.output, Format::Json | Format::Yaml) {
        return print(&document(global.output, &json!({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": events}))?);
    }
    if events.is_empty() {
        note(&format!("no events of {}; Kubernetes keeps them for an hour", environment.name_any()));
    }
    print(&table(&events, Utc::now().timestamp()).flowing(width().unwrap_or(USUAL_WIDTH)))?;
    if args.watch { follow(&cluster, &environment, &events).await } else { Ok(()) }
}

/// The events in the environment's namespace. Who may not read them there still sees the others.
async fn inside(cluster: &Cluster, environment: &PreviewEnvironment) -> Result<Vec<Event>, Failure> {
    let Some(namespace) = environment.status.as_ref().and_then(|s| s.namespace.as_deref()) else { return Ok(Vec::new()) };
    let api: Api<Event> = Api::namespaced(cluster.client(), namespace);
    let asked = Asked { verb: "list", resource: "events", namespace: Some(namespace) };
    let answer = cluster.may_ask(asked, api.list(&kube::api::ListParams::default())).await?;
    if answer.is_none() {
        note(&format!("the events in namespace {namespace} are missing: you may not list them"));
    }
    Ok(answer.map(|list| list.items).unwrap_or_default())
}

/// Prints what comes, each once for each time that it is seen.
async fn follow(cluster: &Cluster, environment: &PreviewEnvironment, known: &[Event]) -> Result<(), Failure> {
    let mut seen: HashSet<_> = known.iter().map(identity).collect();
    let home = environment.namespace().unwrap_or_else(|| cluster.namespace.clone());
    let of_it = Config::default().fields(&format!("involvedObject.uid={}", environment.uid().unwrap_or_default()));
    let mut watches = vec![watcher(Api::<Event>::namespaced(cluster.client(), &home), of_it).default_backoff().boxed()];
    if let Some(namespace) = environment.status.as_ref().and_then(|s| s.namespace.as_deref()) {
        watches.push(watcher(Api::<Event>::namespaced(cluster.client(), namespace), Config::default()).default_backoff().boxed());
    }
    let mut changes = pin!(stream::select_all(watches));
    while let Some(change) = changes.next().await {
        let (watcher::Event::Apply(event) | watcher::Event::InitApply(event)) = (match change {
            Ok(change) => change,
            Err(error) => {
                note(&format!("the events cannot be followed for now: {error}"));
                continue;
            }
        }) else {
            continue;
        };
        if seen.insert(identity(&event)) {
            print(&table(&[event], Utc::now().timestamp()).flowing(width().unwrap_or(USUAL_WIDTH)))?;
        }
    }
    Ok(())
}

fn identity(event: &Event) -> (String, Option<i64>, Option<i32>) {
    (event.uid().unwrap_or_default(), last_seen(event), event.count)
}

fn table(events: &[Event], now: i64) -> Table {
    let mut table = Table::plain(0);
    for event in events {
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        let object = &event.involved_object;
        let about = format!("{}/{}", text(&object.kind).to_lowercase(), text(&object.name));
        let often = event.count.filter(|count| *count > 1).map_or_else(String::new, |count| format!(" ({count} times)"));
        let ago = last_seen(event).map_or_else(String::new, |at| span(now - at));
        table.row([ago, text(&event.type_), text(&event.reason), about, format!("{}{often}", text(&event.message))]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(reason: &str, about: (&str, &str), message: &str, count: i32) -> Event {
        serde_json::from_value(json!({"metadata": {"uid": reason}, "type": "Normal", "reason": reason, "message": message, "count": count,
            "involvedObject": {"kind": about.0, "name": about.1}, "lastTimestamp": "2026-01-02T23:59:30Z"}))
        .unwrap()
    }

    #[test]
    fn each_event_says_what_it_is_about_and_how_often() {
        let events = [
            event("Ready", ("PreviewEnvironment", "web-pr-42"), "12 of 12 services ready", 1),
            event("BackOff", ("Pod", "web-5f7"), "restarting failed container\u{1b}[2J of a pod that goes on crashing", 4),
        ];
        insta::assert_snapshot!(table(&events, 1_767_398_400).flowing(80), @r"
        30s  Normal  Ready    previewenvironment/web-pr-42  12 of 12 services ready
        30s  Normal  BackOff  pod/web-5f7                   restarting failed
                                                            container[2J of a pod that
                                                            goes on crashing (4 times)
        ");
        assert_ne!(identity(&events[0]), identity(&events[1]));
    }
}
