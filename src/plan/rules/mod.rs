//! How objects change on their way into an environment: one rule a file, in the order in which they are applied.
//!
//! A rule changes the manifest and notes what it did. It looks at the kind itself, and does nothing to what it does
//! not know.

mod affinity;
mod capabilities;
mod catalogs;
mod claims;
mod cloud;
mod cron_jobs;
mod duplicates;
mod env;
mod evictions;
mod external_names;
mod host_names;
mod images;
mod immutability;
mod ingress_annotations;
mod jobs;
mod keys;
mod labels;
mod marks;
mod owners;
mod patches;
mod pods;
mod replicas;
mod resources;
mod rewrite;
mod role_bindings;
mod rollout;
mod route_backends;
mod route_hosts;
mod route_parents;
mod scheduling;
mod secret_values;
mod selectors;
mod server_fields;
mod service_accounts;
mod services;
mod tokens;
mod variables;
mod volumes;

use serde_json::Value;

pub(super) use service_accounts::is_made_for;

use super::context::Context;
use super::decision::{ABSENT, Decision};
use super::manifest::{Manifest, ObjectName};
use super::secret_values::HIDDEN;

/// One rule, by the name that it has in docs/rules.md.
pub(super) struct Rule {
    /// What it is called.
    pub name: &'static str,
    apply: fn(&mut Manifest, &Context<'_>, &mut Notes),
}

const fn rule(name: &'static str, apply: fn(&mut Manifest, &Context<'_>, &mut Notes)) -> Rule {
    Rule { name, apply }
}

/// What owners leave behind is read before the server's fields go. What a team wants otherwise comes after every rule
/// that changes the same, and our own labels come last.
pub(super) const RULES: &[Rule] = &[
    rule("owners", owners::apply),
    rule("claims", claims::apply),
    rule("volumes", volumes::apply),
    rule("server_fields", server_fields::apply),
    rule("marks", marks::apply),
    rule("catalogs", catalogs::apply),
    rule("cloud", cloud::apply),
    rule("evictions", evictions::apply),
    rule("service_accounts", service_accounts::apply),
    rule("account_tokens", tokens::apply),
    rule("immutability", immutability::apply),
    rule("services", services::apply),
    rule("selectors", selectors::apply),
    rule("external_names", external_names::apply),
    rule("host_names", host_names::apply),
    rule("ingress_annotations", ingress_annotations::apply),
    rule("route_hosts", route_hosts::apply),
    rule("route_parents", route_parents::apply),
    rule("route_backends", route_backends::apply),
    rule("role_bindings", role_bindings::apply),
    rule("variables", variables::apply),
    rule("duplicates", duplicates::apply),
    rule("rewrite", rewrite::apply),
    rule("affinity", affinity::apply),
    rule("images", images::apply),
    rule("replicas", replicas::apply),
    rule("cron_jobs", cron_jobs::apply),
    rule("jobs_that_go", jobs::apply),
    rule("rollout", rollout::apply),
    rule("pods", pods::apply),
    rule("capabilities", capabilities::apply),
    rule("resources", resources::apply),
    rule("scheduling", scheduling::apply),
    rule("secret_values", secret_values::apply),
    rule("env", env::apply),
    rule("patches", patches::apply),
    rule("labels", labels::apply),
];

/// Gives an object that is no copy our labels.
pub(super) fn mark(manifest: &mut Manifest, context: &Context<'_>) {
    labels::apply(manifest, context, &mut Notes::about(manifest.name()));
}

/// The object as the environment gets it, and every decision about it: at least one.
pub(super) fn apply_all(object: &Manifest, context: &Context<'_>) -> (Manifest, Notes) {
    apply_by(&RULES.iter().collect::<Vec<_>>(), object, context)
}

/// The same by those rules and no others.
pub(super) fn apply_by(rules: &[&Rule], object: &Manifest, context: &Context<'_>) -> (Manifest, Notes) {
    let mut manifest = object.clone();
    let mut notes = Notes::about(object.name());
    for rule in rules {
        (rule.apply)(&mut manifest, context, &mut notes);
    }
    if !notes.decisions.iter().any(|decision| matches!(decision, Decision::Changed { .. })) {
        notes.decisions.insert(0, Decision::Kept(notes.object.clone()));
    }
    (manifest, notes)
}

/// The object without what the server writes, as it stands in the baseline otherwise.
pub(super) fn bare(object: &Manifest) -> Manifest {
    let mut manifest = object.clone();
    server_fields::strip(&mut manifest);
    manifest
}

/// What is said about one object.
pub(super) struct Notes {
    object: ObjectName,
    /// At least one.
    pub decisions: Vec<Decision>,
    /// What works and is probably not meant.
    pub warnings: Vec<String>,
    /// What the Baseline asks for and what cannot be done.
    pub failures: Vec<String>,
}

impl Notes {
    fn about(object: ObjectName) -> Self {
        Self { object, decisions: Vec::new(), warnings: Vec::new(), failures: Vec::new() }
    }

    /// A field went from one value to another.
    fn changed(&mut self, path: impl Into<String>, (before, after): (&str, &str), why: &'static str) {
        let (object, before, after) = (self.object.clone(), before.to_owned(), after.to_owned());
        self.decisions.push(Decision::Changed { object, path: path.into(), before, after, why });
    }

    /// A field stays, and somebody should know.
    fn noted(&mut self, path: impl Into<String>, why: &'static str) {
        self.decisions.push(Decision::Noted { object: self.object.clone(), path: path.into(), why });
    }

    /// Something about the object works and is probably not meant.
    fn warn(&mut self, sentence: impl Into<String>) {
        self.warnings.push(format!("{}: {}", self.object, sentence.into()));
    }

    /// Something that the Baseline asks for cannot be done. The same for several containers is said once.
    fn fail(&mut self, sentence: impl Into<String>) {
        let sentence = sentence.into();
        if !self.failures.contains(&sentence) {
            self.failures.push(sentence);
        }
    }

    /// A field was taken away. What a Secret says is not shown: tools write the whole object into an annotation.
    fn removed(&mut self, path: impl Into<String>, before: &Value, why: &'static str) {
        let hides = self.object.kind == "Secret" && !before.is_boolean();
        let before = if hides { HIDDEN.to_owned() } else { shown(before) };
        self.changed(path, (&before, ABSENT), why);
    }

    /// Takes a field away from the object at a JSON pointer, and notes it where it was there and not empty.
    fn take(&mut self, manifest: &mut Manifest, parent: &str, field: &str, why: &'static str) {
        if let Some(before) = manifest.remove(parent, field).filter(|v| !is_empty(v)) {
            let path = format!("{parent}/{field}").trim_start_matches('/').replace('/', ".");
            self.removed(path, &before, why);
        }
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

/// A value as people read it: texts without quotes.
fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
