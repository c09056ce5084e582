//! The rules, the dashboard and the page of metrics name what the program shows, and nothing else.

#![cfg(test)]

mod promql;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

use preview_env::controller::status::PHASES;
use preview_env::forge::pace::Standing;
use preview_env::metrics::Metrics;
use promql::Read;
use serde_json::Value;

const SHOP: (&str, &str) = ("shop", "main");
/// Of histograms.
const PARTS: [&str; 3] = ["_bucket", "_count", "_sum"];

fn file(path: &str) -> String {
    fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// Every metric that the program shows, with its labels, once everything has happened.
fn shown() -> BTreeMap<String, BTreeSet<String>> {
    let (metrics, moment) = (Metrics::new(), Duration::from_millis(5));
    metrics.delivery("accepted", moment);
    metrics.fact(SHOP, "held");
    metrics.environment_moved(SHOP, None, Some("Ready"));
    metrics.applied(SHOP, moment);
    metrics.ready(SHOP, moment);
    metrics.deletion(SHOP, "Closed");
    metrics.mended(SHOP, 1);
    metrics.reconcile(SHOP, "applied", moment);
    metrics.forge_request("pull", "ok");
    metrics.forge_pace("token", Standing { requests: Some(1), writes: 1, waiting: 1 });
    metrics.image_look_up("found");
    metrics.resync("ok");
    metrics.removals_held(SHOP, 1);
    metrics.orphans(1);
    metrics.command(SHOP, "extend", "done");
    metrics.leads(true);
    let text = metrics.text().unwrap();
    let registered: BTreeSet<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let mut shown = BTreeMap::<String, BTreeSet<String>>::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let series = line.rsplit_once(' ').unwrap().0;
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let labels = labels.trim_end_matches('}').split(',').filter_map(|pair| pair.split_once('='));
        shown.entry(name.to_owned()).or_default().extend(labels.map(|(label, _)| label.to_owned()));
    }
    let has = |name: &str| shown.keys().any(|shown| shown.starts_with(name));
    let silent: Vec<_> = registered.into_iter().filter(|name| !has(name)).collect();
    assert!(silent.is_empty(), "this test does not bring about {silent:?}");
    shown
}

/// The rules: the name of each, and its expression.
fn rules() -> Vec<(String, String)> {
    let rules: Value = serde_saphyr::from_str(&file("deploy/prometheus-rules.yaml")).unwrap();
    let text = |rule: &Value, field: &str| rule[field].as_str().unwrap_or_else(|| panic!("no {field}: {rule}")).to_owned();
    let groups = rules["groups"].as_array().unwrap();
    let rules = groups.iter().flat_map(|group| group["rules"].as_array().unwrap());
    let read = |rule: &Value| {
        assert!(rule["annotations"]["summary"].is_string() && rule["labels"]["severity"].is_string(), "{rule}");
        assert_eq!(rule["annotations"]["runbook"], "docs/troubleshooting.md#alerts", "{rule}");
        (text(rule, "alert"), text(rule, "expr"))
    };
    rules.map(read).collect()
}

/// The panels of the dashboard: the title of each, with each of its expressions.
fn panels() -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(&file("deploy/grafana-dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let of_panel = |panel: &Value| {
        let title = panel["title"].as_str().unwrap().to_owned();
        let expressions = panel["targets"].as_array().unwrap().iter().map(|target| target["expr"].as_str().unwrap().to_owned());
        // What Grafana puts there is a time like any other.
        expressions.map(|expr| (title.clone(), expr.replace("$__rate_interval", "5m"))).collect::<Vec<_>>()
    };
    panels.iter().flat_map(of_panel).collect()
}

/// The words that docs/metrics.md has for the labels of a metric.
fn documented(metric: &str) -> Option<String> {
    let page = file("docs/metrics.md");
    let plain = PARTS.iter().find_map(|part| metric.strip_suffix(part)).unwrap_or(metric);
    page.lines().find(|line| line.starts_with(&format!("| `{plain}` |"))).map(|line| line.split('|').nth(2).unwrap().to_owned())
}

/// Whether a label can have that value, as far as that can be known.
fn is_value(metric: &str, label: &str, value: &str) -> bool {
    match label {
        "baseline" => value == "$baseline",
        "phase" => PHASES.contains(&value),
        _ => documented(metric).unwrap_or_default().split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == value),
    }
}

fn check(name: &str, read: &Read, shown: &BTreeMap<String, BTreeSet<String>>) {
    assert!(!read.selectors.is_empty(), "{name}: no metric");
    for selector in &read.selectors {
        let labels = shown.get(&selector.metric).unwrap_or_else(|| panic!("{name}: there is no {}", selector.metric));
        for (label, value) in &selector.matchers {
            assert!(labels.contains(label), "{name}: {} has no {label}, but {labels:?}", selector.metric);
            let unknown = value.split('|').find(|value| !is_value(&selector.metric, label, value));
            assert_eq!(unknown, None, "{name}: no {label} of {}", selector.metric);
        }
    }
    let all: BTreeSet<&String> = read.selectors.iter().flat_map(|selector| &shown[&selector.metric]).collect();
    let missing: Vec<_> = read.groupings.iter().filter(|label| !all.contains(label)).collect();
    assert!(missing.is_empty(), "{name}: by {missing:?}, and there is only {all:?}");
}

#[test]
fn rules_and_panels_name_what_the_program_shows() {
    let (shown, rules, panels) = (shown(), rules(), panels());
    assert!(rules.len() > 5 && panels.len() > 10, "{rules:?} {panels:?}");
    for (name, expression) in rules.iter().chain(&panels) {
        let read = promql::read(expression).unwrap_or_else(|why| panic!("{name}: {expression}: {why}"));
        check(name, &read, &shown);
    }
    let choices = ["label_values(preview_environments, baseline)"];
    let dashboard = file("deploy/grafana-dashboard.json");
    assert!(choices.iter().all(|choice| dashboard.contains(choice)) && shown["preview_environments"].contains("baseline"));
}

#[test]
fn the_page_of_metrics_has_each_with_its_labels() {
    for (metric, labels) in shown() {
        let documented = documented(&metric).unwrap_or_else(|| panic!("docs/metrics.md has no line for {metric}"));
        let missing: Vec<_> = labels.iter().filter(|label| *label != "le" && !documented.contains(&format!("`{label}`"))).collect();
        assert!(missing.is_empty(), "{metric}: {missing:?}");
    }
    let shown = shown();
    for line in file("docs/metrics.md").lines().filter_map(|line| line.strip_prefix("| `preview_")) {
        let name = format!("preview_{}", line.split('`').next().unwrap());
        assert!(shown.contains_key(&name) || shown.contains_key(&format!("{name}_bucket")), "there is no {name}");
    }
}

#[test]
fn every_alert_has_its_line_in_troubleshooting() {
    let page = file("docs/troubleshooting.md");
    for (name, _) in rules() {
        assert!(page.lines().any(|line| line.starts_with(&format!("| `{name}` |"))), "{name}");
    }
}
