//! Labels and annotations that a Baseline may give to new namespaces: everybody's but ours and the Pod Security level.

use std::collections::BTreeMap;

use super::{InvalidBaseline, api, invalid};
use crate::api::names::LABEL_MANAGED_BY;

/// Longest value of a label, and longest name behind the prefix of a key (RFC 1123, by Kubernetes' own rules).
const LABEL_MAX: usize = 63;
/// Longest prefix of a key.
const PREFIX_MAX: usize = 253;
/// Prefixes whose labels and annotations mean something to us or to the API server's admission.
const PROTECTED: [&str; 2] = ["preview-env.dev/", "pod-security.kubernetes.io/"];
/// Keys of their own.
const PROTECTED_KEYS: [&str; 2] = [LABEL_MANAGED_BY, "kubernetes.io/metadata.name"];

/// The marks of a Baseline.
pub fn read(listed: &api::NamespaceMarks) -> Result<api::NamespaceMarks, InvalidBaseline> {
    let all = [("spec.namespace.labels", &listed.labels), ("spec.namespace.annotations", &listed.annotations)];
    for (path, marks) in all {
        if let Some(key) = marks.keys().find(|key| is_protected(key)) {
            return Err(invalid(format!("{path}[{key}]"), &"is not for a Baseline to set"));
        }
    }
    labels("spec.namespace.labels", &listed.labels)?;
    keys("spec.namespace.annotations", &listed.annotations)?;
    Ok(listed.clone())
}

fn is_protected(key: &str) -> bool {
    PROTECTED.iter().any(|prefix| key.starts_with(prefix)) || PROTECTED_KEYS.contains(&key)
}

/// Labels that the API server takes.
pub fn labels(path: &str, labels: &BTreeMap<String, String>) -> Result<(), InvalidBaseline> {
    keys(path, labels)?;
    match labels.iter().find(|(_, value)| !value.is_empty() && !is_name(value)) {
        Some((key, value)) => Err(invalid(format!("{path}[{key}]"), &format!("{value:?} cannot be the value of a label"))),
        None => Ok(()),
    }
}

fn keys(path: &str, marks: &BTreeMap<String, String>) -> Result<(), InvalidBaseline> {
    match marks.keys().find(|key| !is_key(key)) {
        Some(key) => Err(invalid(format!("{path}[{key}]"), &"cannot be the key of a label or annotation")),
        None => Ok(()),
    }
}

fn is_key(key: &str) -> bool {
    match key.split_once('/') {
        None => is_name(key),
        Some((prefix, name)) => prefix.len() <= PREFIX_MAX && prefix.split('.').all(crate::domain::slug::is_dns_label) && is_name(name),
    }
}

fn is_name(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let outer = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_alphanumeric());
    text.len() <= LABEL_MAX && text.bytes().all(inner) && outer(text.bytes().next()) && outer(text.bytes().next_back())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_labels(key: &str, value: &str) -> Result<api::NamespaceMarks, InvalidBaseline> {
        read(&api::NamespaceMarks { labels: BTreeMap::from([(key.into(), value.into())]), annotations: BTreeMap::new() })
    }

    #[test]
    fn what_is_ours_is_refused_by_path() {
        for key in [
            "preview-env.dev/environment-uid",
            "app.kubernetes.io/managed-by",
            "pod-security.kubernetes.io/enforce",
            "kubernetes.io/metadata.name",
        ] {
            let error = read_labels(key, "x").unwrap_err();
            assert_eq!(error.field, format!("spec.namespace.labels[{key}]"));
            let annotated =
                api::NamespaceMarks { annotations: BTreeMap::from([(key.into(), "x".into())]), ..api::NamespaceMarks::default() };
            assert!(read(&annotated).is_err(), "{key}");
        }
    }

    #[test]
    fn what_the_api_server_takes_is_taken() {
        for (key, value) in [("istio-injection", "enabled"), ("cost.example.com/team", "shop_1"), ("a", "")] {
            assert!(read_labels(key, value).is_ok(), "{key}");
        }
        for (key, value) in [("a b", "x"), ("-a", "x"), ("a", "-x"), ("a/b/c", "x"), ("A.example.com/x", "x"), ("", "x"), ("a", "x y")] {
            assert!(read_labels(key, value).is_err(), "{key}={value}");
        }
        let long =
            api::NamespaceMarks { annotations: BTreeMap::from([("a".into(), "any text, of any length".repeat(9))]), ..Default::default() };
        assert!(read(&long).is_ok());
    }
}
