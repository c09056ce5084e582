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
/// How the names of our own annotations begin. No key of a Secret can have a slash.
const OWN_MARK: &str = "preview-env.dev/";

/// What an object looks like to people: a Secret's values are digests, and so is what others wrote into its annotations,
/// since some tools keep the whole object there.
pub fn shown(manifest: &Manifest) -> Value {
    let mut value = manifest.value().clone();
    if manifest.kind() == "Secret" && manifest.group().is_empty() {
        for field in ["/data", "/stringData", "/metadata/annotations"] {
            let values = value.pointer_mut(field).and_then(Value::as_object_mut).into_iter().flatten();
            values.filter(|(name, _)| !name.starts_with(OWN_MARK)).for_each(|(_, value)| *value = digest(value));
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
    json!({"host": external.host, "port": external.port, "kind": external.kind, "reach": external.reach, "usedBy": used_by})
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

    #[test]
    fn what_tools_keep_of_a_secret_in_its_annotations_is_not_shown_either() {
        let mut secret = Manifest::new(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}}));
        secret.set(&["metadata", "annotations"], "banzaicloud.com/last-applied", json!("aHVudGVyMg=="));
        secret.set(&["metadata", "annotations"], "preview-env.dev/applied-hash", json!("abc"));
        let shown = shown(&secret);
        assert_eq!(shown["metadata"]["annotations"]["preview-env.dev/applied-hash"], "abc");
        assert!(!shown.to_string().contains("aHVudGVy"), "{shown}");
    }

    #[test]
    fn yaml_is_read_as_what_is_applied_by_readers_of_any_version() {
        let odd = [
            "yes",
            "NO",
            "on",
            "y",
            "null",
            "~",
            "",
            " x ",
            "1e3",
            "0o14",
            "010",
            "1_000",
            "12:30:45",
            "2026-11-28",
            "0x1F",
            ".inf",
            "=",
            "<<",
            "- a",
            "a: b",
            "a #b",
            "#",
            "*x",
            "&x",
            "!x",
            "%x",
            "@x",
            "`x`",
            "{{ x }}",
            "[x",
            "|",
            ">",
            "\"",
            "'",
            "\\n",
            "a\tb",
            "a\n",
            "a\n\n",
            "\na",
            "  a\n b\n",
            "a\r\nb\n",
            "---\n",
            "...",
            "\u{85}",
            "\u{2028}",
            "\u{feff}",
            "\u{e9}",
            "\u{1f600}",
            "?",
            "-",
            ":",
        ];
        let mut config = Manifest::new(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "odd"}}));
        for (index, text) in odd.iter().enumerate() {
            config.set(&["data"], &format!("k{index}"), json!(text));
            config.set(&["metadata", "annotations"], if text.is_empty() { "empty" } else { text }, json!("x"));
        }
        let hash = crate::plan::hash(config.value());
        let planned = Planned { manifest: config.clone(), hash, source: None };
        let plan = Plan { stages: vec![vec![planned.clone(), planned]], ..Plan::default() };
        let documents: Vec<Value> = serde_saphyr::from_multiple(&yaml(&plan).unwrap()).unwrap();
        assert_eq!(documents, [config.value().clone(), config.value().clone()]);
    }
}
