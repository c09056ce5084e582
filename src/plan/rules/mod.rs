//! How objects change on their way into an environment: one rule a file, in the order in which they are applied.
//!
//! A rule changes the manifest and notes what it did. It looks at the kind itself, and does nothing to what it does
//! not know.

mod claims;
mod duplicates;
mod env;
mod host_names;
mod images;
mod immutability;
mod ingress_annotations;
mod labels;
mod marks;
mod owners;
mod patches;
mod pods;
mod replicas;
mod resources;
mod rewrite;
mod rollout;
mod scheduling;
mod secret_values;
mod server_fields;
mod service_accounts;
mod services;
mod tokens;

use serde_json::Value;

use super::context::Context;
use super::decision::{ABSENT, Decision};
use super::manifest::{Manifest, ObjectName};
use super::secret_values::HIDDEN;

type Rule = fn(&mut Manifest, &Context<'_>, &mut Notes);

/// What owners leave behind is read before the server's fields go. What a team wants otherwise comes after every rule
/// that changes the same, and our own labels come last.
const RULES: [Rule; 22] = [
    owners::apply,
    claims::apply,
    server_fields::apply,
    marks::apply,
    service_accounts::apply,
    tokens::apply,
    immutability::apply,
    services::apply,
    host_names::apply,
    ingress_annotations::apply,
    duplicates::apply,
    rewrite::apply,
    images::apply,
    replicas::apply,
    rollout::apply,
    pods::apply,
    resources::apply,
    scheduling::apply,
    secret_values::apply,
    env::apply,
    patches::apply,
    labels::apply,
];

/// Gives an object that is no copy our labels.
pub(super) fn mark(manifest: &mut Manifest, context: &Context<'_>) {
    labels::apply(manifest, context, &mut Notes::about(manifest.name()));
}

/// The object as the environment gets it, and every decision about it: at least one.
pub(super) fn apply_all(object: &Manifest, context: &Context<'_>) -> (Manifest, Notes) {
    let mut manifest = object.clone();
    let mut notes = Notes::about(object.name());
    for rule in RULES {
        rule(&mut manifest, context, &mut notes);
    }
    if notes.decisions.is_empty() {
        notes.decisions.push(Decision::Kept(notes.object.clone()));
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

    /// A field was taken away. `before` is shown, so it must not come from a Secret.
    fn removed(&mut self, path: impl Into<String>, before: &Value, why: &'static str) {
        self.changed(path, (&shown(before), ABSENT), why);
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
