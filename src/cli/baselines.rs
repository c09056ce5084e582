//! `preview baselines`: the Baselines as a table, with what runs of each and whether it can be used.

use chrono::{DateTime, Utc};
use clap::Args;
use kube::ResourceExt;
use serde_json::{Value, json};

use super::Global;
use super::cluster::Cluster;
use super::errors::Failure;
use super::output::{Format, Table, document, note, print, span, width};
use crate::api::conditions::{ConditionStatus, READY, REMOVALS_HELD, WARNING, find};
use crate::api::{Baseline, GROUP};

/// Flags of `preview baselines`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  preview baselines
  preview baselines -A -o wide")]
pub struct BaselinesArgs {
    /// Those of every namespace
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
}

/// Runs the command.
pub async fn run(global: &Global, args: BaselinesArgs) -> Result<(), Failure> {
    let cluster = Cluster::connect(global).await?;
    let baselines = if args.all_namespaces { cluster.all_baselines().await? } else { cluster.baselines().await? };
    if let Some(text) = machine(global.output, &baselines)? {
        return print(&text);
    }
    if baselines.is_empty() {
        let place = if args.all_namespaces { "any namespace".to_owned() } else { format!("namespace {}", cluster.namespace) };
        note(&format!("no Baseline in {place}; begin one with: preview init -n NAMESPACE --file FILE"));
        return Ok(());
    }
    print(&table(&baselines, (args.all_namespaces, global.output == Format::Wide), Utc::now()).render(width()))
}

/// How `-o json|yaml|name|url` shows Baselines; nothing for the formats that are for people.
fn machine(format: Format, baselines: &[Baseline]) -> Result<Option<String>, Failure> {
    match format {
        Format::Table | Format::Wide => Ok(None),
        Format::Name => Ok(Some(baselines.iter().fold(String::new(), |text, b| text + "baseline." + GROUP + "/" + &b.name_any() + "\n"))),
        Format::Url => {
            Err(Failure::new(super::errors::Exit::Usage, "a Baseline has no URL").next("its environments have: preview list -o url"))
        }
        Format::Json | Format::Yaml => {
            let items = baselines.iter().map(object).collect::<Result<Vec<_>, _>>()?;
            document(format, &json!({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": items})).map(Some)
        }
    }
}

fn object(baseline: &Baseline) -> Result<Value, Failure> {
    let mut shown = baseline.clone();
    shown.metadata.managed_fields = None;
    serde_json::to_value(shown).map_err(|e| Failure::failed(format!("cannot write {}: {e}", baseline.name_any())))
}

fn table(baselines: &[Baseline], (namespaces, wide): (bool, bool), now: DateTime<Utc>) -> Table {
    let mut heading = vec!["NAME", "REPOSITORIES", "RUNNING", "STATE"];
    if wide {
        heading.extend(["QUEUED", "OBJECTS", "AGE"]);
    }
    if namespaces {
        heading.insert(0, "NAMESPACE");
    }
    let mut table = Table::new(&heading);
    for baseline in baselines {
        let status = baseline.status.clone().unwrap_or_default();
        let names: Vec<&str> = baseline.spec.repositories.iter().map(|r| r.name.as_str()).collect();
        let mut row = vec![baseline.name_any(), names.join(", "), running(baseline), state(baseline)];
        if wide {
            let age = baseline.metadata.creation_timestamp.as_ref().map(|t| now.timestamp() - t.0.as_second()).map(span);
            let objects: i32 = status.objects.iter().map(|kind| kind.count).sum();
            row.extend([status.queued.to_string(), objects.to_string(), age.unwrap_or_default()]);
        }
        if namespaces {
            row.insert(0, baseline.namespace().unwrap_or_default());
        }
        table.row(row);
    }
    table
}

fn running(baseline: &Baseline) -> String {
    let running = baseline.status.as_ref().map_or(0, |status| status.running);
    format!("{running} of {}", baseline.spec.limits.environments)
}

/// Whether environments are made of it; what holds them up, and what somebody should look at.
fn state(baseline: &Baseline) -> String {
    let conditions = baseline.status.as_ref().map_or(&[][..], |status| &status.conditions);
    let of = |type_, status| find(conditions, type_).filter(|c| c.status == status);
    if let Some(held) = of(REMOVALS_HELD, ConditionStatus::True) {
        return format!("removals held: {}", held.message);
    }
    if let Some(refused) = of(READY, ConditionStatus::False) {
        return format!("not ready: {}", refused.message);
    }
    match (of(READY, ConditionStatus::True), of(WARNING, ConditionStatus::True)) {
        (None, _) => "not looked at yet: is preview serve running in the cluster?".to_owned(),
        (Some(_), Some(warning)) => format!("ready; {}", warning.message),
        (Some(_), None) => "ready".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn baseline(name: &str, status: &Value) -> Baseline {
        let object = json!({"apiVersion": "preview-env.dev/v1alpha1", "kind": "Baseline",
            "metadata": {"name": name, "namespace": "shop", "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"repositories": [{"name": "acme/web"}, {"name": "acme/api"}]}, "status": status});
        serde_json::from_value(object).unwrap()
    }

    fn condition(type_: &str, status: &str, message: &str) -> Value {
        json!({"type": type_, "status": status, "reason": "Some", "message": message, "lastTransitionTime": "2026-01-01T00:00:00Z"})
    }

    #[test]
    fn the_table_says_what_holds_a_baseline_up() {
        let ready = condition("Ready", "True", "");
        let all = [
            baseline("fine", &json!({"running": 3, "queued": 1, "objects": [{"kind": "Service", "count": 12}], "conditions": [ready]})),
            baseline("warned", &json!({"conditions": [ready, condition("Warning", "True", "images[0].tag: holds no revision")]})),
            baseline("refused", &json!({"conditions": [condition("Ready", "False", "hosts.domain: not one of the PreviewPolicy's")]})),
            baseline("held", &json!({"conditions": [ready, condition("RemovalsHeld", "True", "5 of 8 at once")]})),
            baseline("new", &Value::Null),
        ];
        insta::assert_snapshot!(table(&all, (true, true), "2026-01-03T00:00:00Z".parse().unwrap()).render(None), @r"
        NAMESPACE  NAME     REPOSITORIES        RUNNING  STATE                                                        QUEUED  OBJECTS  AGE
        shop       fine     acme/web, acme/api  3 of 20  ready                                                        1       12       2d
        shop       warned   acme/web, acme/api  0 of 20  ready; images[0].tag: holds no revision                      0       0        2d
        shop       refused  acme/web, acme/api  0 of 20  not ready: hosts.domain: not one of the PreviewPolicy's      0       0        2d
        shop       held     acme/web, acme/api  0 of 20  removals held: 5 of 8 at once                                0       0        2d
        shop       new      acme/web, acme/api  0 of 20  not looked at yet: is preview serve running in the cluster?  0       0        2d
        ");
        let names = machine(Format::Name, &all[..1]).unwrap().unwrap();
        assert_eq!(names, "baseline.preview-env.dev/fine\n");
        let list: Value = serde_json::from_str(&machine(Format::Json, &all).unwrap().unwrap()).unwrap();
        assert_eq!(list["items"][0]["metadata"]["name"], json!("fine"));
        assert!(machine(Format::Url, &all).is_err());
    }
}
