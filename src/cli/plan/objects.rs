//! A plan for machines: the objects as they are applied, Secret values as digests, and everything as one document. Pure.

use std::fmt::Write;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::cli::errors::Failure;
use crate::cli::output::{Format, document};
use crate::plan::complete::{Counts, Report};
use crate::plan::{Decision, External, Manifest, Plan, Planned, PlannedHook};

/// Digits of a digest: enough to tell two values apart, and too few to guess one by.
const DIGEST_LEN: usize = 8;

/// What an object looks like to people: a Secret's values are digests.
pub fn shown(manifest: &Manifest) -> Value {
    let mut value = manifest.value().clone();
    if manifest.kind() == "Secret" && manifest.group().is_empty() {
        for field in ["data", "stringData"] {
            if let Some(Value::Object(values)) = value.get_mut(field) {
                values.iter_mut().for_each(|(_, value)| *value = digest(value));
            }
        }
    }
    value
}

fn digest(value: &Value) -> Value {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut hex = hex::encode(Sha256::digest(text.as_bytes()));
    hex.truncate(DIGEST_LEN);
    Value::String(format!("sha256:{hex}"))
}

/// Everything that is applied, and the Jobs of hooks.
fn all(plan: &Plan) -> impl Iterator<Item = &Planned> {
    plan.stages.iter().flatten().chain(plan.hooks.iter().map(|h| &h.job))
}

/// The objects in the order in which they are applied, as YAML documents.
pub fn yaml(plan: &Plan) -> Result<String, Failure> {
    let mut text = String::new();
    for planned in all(plan) {
        text.push_str("---\n");
        text.push_str(&document(Format::Yaml, &shown(&planned.manifest))?);
    }
    Ok(text)
}

/// The objects by kind and name, as `kubectl -o name` writes them.
pub fn names(plan: &Plan) -> String {
    all(plan).fold(String::new(), |mut text, planned| {
        let (group, name) = (planned.manifest.group(), planned.manifest.name());
        let dot = if group.is_empty() { "" } else { "." };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}{dot}{group}/{}", name.kind.to_lowercase(), name.name);
        text
    })
}

/// Everything as one document; `more` goes beside it.
pub fn whole(plan: &Plan, report: &Report, more: Map<String, Value>) -> Value {
    let counts = Counts::of(&plan.decisions);
    let added = plan.decisions.iter().filter(|d| matches!(d, Decision::Added { .. })).count();
    let mut value = json!({
        "complete": super::is_complete(plan, report),
        "workloads": report.workloads(),
        "report": report,
        "counts": {"objects": counts.objects(), "kept": counts.kept, "changed": counts.changed, "leftOut": counts.left_out, "added": added},
        "externals": plan.externals.iter().map(external).collect::<Vec<_>>(),
        "invalid": plan.invalid,
        "stalled": plan.stalled,
        "warnings": plan.warnings,
        "urls": plan.urls.iter().map(|u| &u.url).collect::<Vec<_>>(),
        "decisions": plan.decisions.iter().map(decision).collect::<Vec<_>>(),
        "objects": plan.stages.iter().flatten().map(|p| shown(&p.manifest)).collect::<Vec<_>>(),
        "hooks": plan.hooks.iter().map(hook).collect::<Vec<_>>(),
    });
    if let Some(map) = value.as_object_mut() {
        map.extend(more);
    }
    value
}

fn external(external: &External) -> Value {
    let used_by: Vec<String> = external.used_by.iter().map(|place| format!("{} {}", place.object, place.path)).collect();
    json!({"host": external.host, "port": external.port, "kind": external.kind, "usedBy": used_by})
}

fn hook(planned: &PlannedHook) -> Value {
    json!({"name": planned.hook.name, "when": planned.hook.when, "job": shown(&planned.job.manifest)})
}

fn decision(decision: &Decision) -> Value {
    let mut value = json!({"object": decision.object(), "why": decision.why()});
    let (is, change) = match decision {
        Decision::Kept(_) => ("kept", None),
        Decision::Changed { path, before, after, .. } => ("changed", Some((path, before, after))),
        Decision::Noted { .. } => ("noted", None),
        Decision::LeftOut { .. } => ("leftOut", None),
        Decision::Added { .. } => ("added", None),
    };
    value["is"] = is.into();
    if let Some((path, before, after)) = change {
        (value["path"], value["before"], value["after"]) = (json!(path), json!(before), json!(after));
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_of_a_secret_is_shown() {
        let secret = |value: &str| {
            Manifest::new(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}, "data": {"password": value}}))
        };
        let shown = shown(&secret("aHVudGVyMg=="));
        let text = shown["data"]["password"].as_str().unwrap();
        assert_eq!((text.len(), text.starts_with("sha256:")), (15, true), "{text}");
        assert_ne!(shown, super::shown(&secret("aHVudGVyMw==")));
        assert!(!shown.to_string().contains("aHVudGVy"));
    }
}
