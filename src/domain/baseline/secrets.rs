//! The Secrets that environments get, and in which of them names are rewritten.

use std::collections::BTreeMap;

use super::{InvalidBaseline, invalid};
use crate::api::baseline::{Rewrite as ListedRewrite, SecretRule as Listed};
use crate::domain::ValueTemplate;

/// One Secret that environments get.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SecretRule {
    /// Its name in the environments.
    pub name: String,
    /// The keys that are copied; none for all.
    pub keys: Vec<String>,
    /// The Secret of the baseline that is copied, if one is.
    pub source: Option<String>,
    /// Values of its own, by key.
    pub set: BTreeMap<String, ValueTemplate>,
    /// Keys that get a random value.
    pub generate: Vec<String>,
}

/// Which names are rewritten.
#[derive(Clone, Debug, PartialEq)]
pub struct Rewrite {
    /// Whether hosts are.
    pub hosts: bool,
    /// Whether names of Services are.
    pub service_names: bool,
    /// The cluster's DNS domain.
    pub cluster_domain: String,
    /// Keys of Secrets in which names are rewritten, by Secret.
    pub secrets: BTreeMap<String, Vec<String>>,
}

impl Default for Rewrite {
    fn default() -> Self {
        rewrite(&ListedRewrite::default())
    }
}

impl SecretRule {
    /// A plain copy of the Secret of that name.
    pub fn copy_of(name: &str) -> Self {
        Self { name: name.to_owned(), source: Some(name.to_owned()), ..Self::default() }
    }
}

/// Reads the list of Secrets.
pub(super) fn secrets(listed: &[Listed]) -> Result<Vec<SecretRule>, InvalidBaseline> {
    listed.iter().enumerate().map(|(index, rule)| secret(&format!("spec.clone.secrets[{index}]"), rule)).collect()
}

fn secret(path: &str, listed: &Listed) -> Result<SecretRule, InvalidBaseline> {
    if !is_secret_name(&listed.name) {
        let why =
            format!("{:?} is no name of a Secret: small letters, digits, dashes and dots, and a letter or digit at both ends", listed.name);
        return Err(invalid(format!("{path}.name"), &why));
    }
    if let Some(key) = listed.set.keys().find(|key| !is_key(key)) {
        let why = "is no key of a Secret: letters, digits, dashes, underscores and dots, at most 253";
        return Err(invalid(format!("{path}.set[{key}]"), &why));
    }
    if let Some(key) = listed.generate.iter().find(|key| listed.set.contains_key(*key)) {
        return Err(invalid(format!("{path}.generate"), &format!("{key:?} stands in set too")));
    }
    let mut set = BTreeMap::new();
    for (key, text) in &listed.set {
        let path = format!("{path}.set[{key}]");
        let template = ValueTemplate::parse(text).map_err(|e| invalid(path.as_str(), &e))?;
        if let Some(missing) = template.generated_keys().find(|k| !listed.generate.iter().any(|g| g == k)) {
            return Err(invalid(path, &format!("names generated.{missing}, and {missing:?} is not in generate of this Secret")));
        }
        set.insert(key.clone(), template);
    }
    let has_own = !listed.set.is_empty() || !listed.generate.is_empty();
    let source = listed.from.clone().or_else(|| (!has_own || !listed.keys.is_empty()).then(|| listed.name.clone()));
    Ok(SecretRule { name: listed.name.clone(), keys: listed.keys.clone(), source, set, generate: listed.generate.clone() })
}

/// Whether a text is a DNS subdomain (RFC 1123), as the names of Secrets are.
pub fn is_secret_name(name: &str) -> bool {
    let is_end = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let is_label = |label: &str| {
        let (first, last) = (label.bytes().next(), label.bytes().next_back());
        first.is_some_and(is_end) && last.is_some_and(is_end) && label.bytes().all(|b| is_end(b) || b == b'-')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

/// A key as the API server takes it (`IsConfigMapKey` of k8s.io/apimachinery).
fn is_key(key: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    (1..=253).contains(&key.len()) && key.bytes().all(is_plain) && key != "." && !key.starts_with("..")
}

/// Reads what is rewritten.
pub(super) fn rewrite(listed: &ListedRewrite) -> Rewrite {
    Rewrite {
        hosts: listed.hosts,
        service_names: listed.service_names,
        cluster_domain: listed.cluster_domain.to_ascii_lowercase(),
        secrets: listed.secrets.iter().map(|s| (s.name.clone(), s.keys.clone())).collect(),
    }
}
