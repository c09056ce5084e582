//! The Secrets of a snapshot as the Baseline's list names them, and their values as texts.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::ByteString;
use serde_json::{Value, json};

use super::manifest::Manifest;
use crate::domain::baseline::SecretRule;

/// Stands for every value of a Secret wherever people read it.
pub const HIDDEN: &str = "(hidden)";

/// The Secrets that a snapshot holds for a list of rules.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    /// Each under the name that it has in the environments. What is copied is whole still; the rules take keys away and
    /// set values.
    pub objects: Vec<Manifest>,
    /// Names of those whose source is not in the baseline.
    pub missing: Vec<String>,
}

/// The Secrets of the baseline's namespace that have to be read for a list of rules.
pub fn sources(rules: &[SecretRule]) -> BTreeSet<&str> {
    rules.iter().filter_map(|rule| rule.source.as_deref()).collect()
}

/// What a snapshot holds for a list of rules, from the Secrets that were read.
pub fn listed(rules: &[SecretRule], read: &BTreeMap<String, Manifest>) -> Listed {
    let mut listed = Listed::default();
    for rule in rules {
        let object = match &rule.source {
            None => Some(json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque"})),
            Some(source) => read.get(source).map(|secret| secret.value().clone()),
        };
        match object {
            Some(object) => listed.objects.push(named(object, &rule.name)),
            None => listed.missing.push(rule.name.clone()),
        }
    }
    listed
}

fn named(object: Value, name: &str) -> Manifest {
    let mut manifest = Manifest::new(object);
    manifest.set(&["metadata"], "name", json!(name));
    manifest
}

/// The text that a value of a Secret holds, if it holds text.
pub(super) fn decoded(value: &Value) -> Option<String> {
    let bytes: ByteString = serde_json::from_value(value.clone()).ok()?;
    String::from_utf8(bytes.0).ok()
}

/// A text as a value of a Secret.
pub(super) fn encoded(text: &str) -> String {
    match serde_json::to_value(ByteString(text.as_bytes().to_vec())) {
        Ok(Value::String(encoded)) => encoded,
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_says_what_is_read_and_what_it_is_called() {
        let from = SecretRule { source: Some("preview-db".into()), ..SecretRule::copy_of("db") };
        let own = SecretRule { source: None, ..SecretRule::copy_of("own") };
        let rules = [from, own, SecretRule::copy_of("gone"), SecretRule::copy_of("preview-db")];
        assert_eq!(sources(&rules), BTreeSet::from(["gone", "preview-db"]));
        let secret =
            Manifest::new(json!({"kind": "Secret", "metadata": {"name": "preview-db", "labels": {"a": "b"}}, "data": {"K": "dg=="}}));
        let listed = listed(&rules, &[("preview-db".to_owned(), secret)].into());
        let names: Vec<_> = listed.objects.iter().map(|o| o.name().name).collect();
        assert_eq!(
            (names.as_slice(), listed.missing.as_slice()),
            (&["db", "own", "preview-db"].map(str::to_owned)[..], &["gone".to_owned()][..])
        );
        assert_eq!(listed.objects[0].text("/data/K"), Some("dg=="));
    }

    #[test]
    fn values_are_texts_and_back() {
        assert_eq!(decoded(&json!(encoded("pä"))).unwrap(), "pä");
        assert_eq!(decoded(&json!("/w==")), None, "no text");
        assert_eq!(decoded(&json!("no base64!")), None);
    }
}
