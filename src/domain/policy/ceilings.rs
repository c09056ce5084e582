//! What one policy allows, each field understood.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::api::baseline::isolation::{NetworkIsolation, PodSecurity, Scheduling};
use crate::api::policy::{PreviewPolicySpec, TrustCeiling};
use crate::domain::ImageRef;
use crate::domain::baseline::GroupKind;
use crate::domain::baseline::isolation::Amounts;
use crate::domain::lifetime::parse_ttl;
use crate::domain::path_glob::PathGlob;

/// What a policy allows. Absent is not limited.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ceilings {
    /// The domains of hosts.
    pub domains: Option<Vec<String>>,
    /// The names of repositories, in lower case.
    pub repositories: Option<Vec<PathGlob>>,
    /// Where images come from.
    pub registries: Option<Vec<Prefix>>,
    /// The custom resources that may be cloned.
    pub custom_resources: Option<Vec<GroupKind>>,
    /// Whose changes run.
    pub trust: TrustCeiling,
    /// Whether every environment needs a NetworkPolicy.
    pub isolates: bool,
    /// The Pod Security level at least.
    pub pod_security: Option<PodSecurity>,
    /// The longest life after the last activity.
    pub ttl: Option<Duration>,
    /// The longest life from the start on.
    pub max: Option<Duration>,
    /// The longest life after the end of the pull request.
    pub grace: Option<Duration>,
    /// How many environments a Baseline has at one time.
    pub environments: Option<i32>,
    /// How many all Baselines together have that the policy binds.
    pub total: Option<i32>,
    /// The most that an environment uses, with `requests.cpu` and `requests.memory` written out.
    pub quota: Amounts,
    /// Labels of new namespaces.
    pub namespace_labels: BTreeMap<String, String>,
    /// Where pods run.
    pub scheduling: Scheduling,
}

impl Ceilings {
    /// Reads a spec; the text says which field is wrong, and why.
    pub(super) fn read(spec: &PreviewPolicySpec) -> Result<Self, String> {
        Ok(Self {
            domains: spec.domains.clone(),
            repositories: each("spec.repositories", spec.repositories.as_deref(), |text| text.to_ascii_lowercase().parse::<PathGlob>())?,
            registries: each("spec.registries", spec.registries.as_deref(), str::parse::<Prefix>)?,
            custom_resources: spec
                .custom_resources
                .as_ref()
                .map(|rules| rules.iter().map(|rule| GroupKind { group: rule.group.clone(), kind: rule.kind.clone() }).collect()),
            trust: spec.trust,
            isolates: spec.isolation.network_policy == Some(NetworkIsolation::Isolated),
            pod_security: spec.isolation.pod_security,
            ttl: time("spec.lifetime.ttl", spec.lifetime.ttl.as_deref())?,
            max: time("spec.lifetime.max", spec.lifetime.max.as_deref())?,
            grace: time("spec.lifetime.grace", spec.lifetime.grace.as_deref())?,
            environments: spec.limits.environments,
            total: spec.limits.total,
            quota: quota(&spec.quota)?,
            namespace_labels: spec.namespace_labels.clone(),
            scheduling: spec.scheduling.clone(),
        })
    }
}

fn time(path: &str, text: Option<&str>) -> Result<Option<Duration>, String> {
    text.map(parse_ttl).transpose().map_err(|why| format!("{path}: {why}"))
}

fn each<T, E: fmt::Display>(path: &str, listed: Option<&[String]>, read: impl Fn(&str) -> Result<T, E>) -> Result<Option<Vec<T>>, String> {
    let one = |(index, text): (usize, &String)| read(text).map_err(|why| format!("{path}[{index}]: {why}"));
    listed.map(|all| all.iter().enumerate().map(one).collect()).transpose()
}

fn quota(listed: &BTreeMap<String, String>) -> Result<Amounts, String> {
    let read = |(name, text): (&String, &String)| {
        let amount = text.parse().map_err(|why| format!("spec.quota[{name}]: {why}"))?;
        Ok((written_out(name), amount))
    };
    listed.iter().map(read).collect()
}

/// A ResourceQuota knows two of its amounts by two names.
pub(super) fn written_out(name: &str) -> String {
    if matches!(name, "cpu" | "memory" | "ephemeral-storage") { format!("requests.{name}") } else { name.to_owned() }
}

/// A registry, or a path in one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Prefix(String);

/// Why a text is no registry.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0:?} names no registry; write it like registry.example.com, ghcr.io/acme or docker.io/library")]
pub struct InvalidPrefix(String);

impl FromStr for Prefix {
    type Err = InvalidPrefix;

    fn from_str(text: &str) -> Result<Self, InvalidPrefix> {
        let registry = text.split('/').next().unwrap_or_default();
        let is_registry = registry.contains(['.', ':']) || registry == "localhost";
        let is_plain = text.split('/').all(|part| !part.is_empty()) && !text.contains(['@', '*', ' ']);
        if is_registry && is_plain { Ok(Self(text.to_owned())) } else { Err(InvalidPrefix(text.to_owned())) }
    }
}

impl Prefix {
    /// Whether an image is there.
    pub fn holds(&self, image: &ImageRef) -> bool {
        let (registry, path) = image.registry_and_path();
        let whole = format!("{registry}/{path}");
        whole.strip_prefix(&self.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_in_a_registry_by_whole_parts_of_its_name() {
        for (prefix, image, holds) in [
            ("registry.example.com", "registry.example.com/acme/web:1", true),
            ("registry.example.com", "registry.example.com:5000/acme/web", false),
            ("ghcr.io/acme", "ghcr.io/acme/web", true),
            ("ghcr.io/acme", "ghcr.io/acme-evil/web", false),
            ("docker.io/library", "postgres:17", true),
            ("docker.io", "acme/web", true),
            ("docker.io/library", "acme/web", false),
        ] {
            let prefix: Prefix = prefix.parse().unwrap();
            assert_eq!(prefix.holds(&image.parse().unwrap()), holds, "{prefix:?} {image}");
        }
    }

    #[test]
    fn what_names_no_registry_is_refused() {
        for text in ["acme", "acme/web", "ghcr.io/", "ghcr.io//acme", "*.example.com", ""] {
            assert!(text.parse::<Prefix>().is_err(), "{text}");
        }
    }
}
