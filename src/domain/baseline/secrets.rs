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

/// Reads what is rewritten.
pub(super) fn rewrite(listed: &ListedRewrite) -> Rewrite {
    Rewrite {
        hosts: listed.hosts,
        service_names: listed.service_names,
        cluster_domain: listed.cluster_domain.to_ascii_lowercase(),
        secrets: listed.secrets.iter().map(|s| (s.name.clone(), s.keys.clone())).collect(),
    }
}
