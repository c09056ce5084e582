//! What the operator says about registries.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::address::Cidr;
use super::credentials::Credentials;

/// Registries that have their tokens given out elsewhere, by their own documentation.
const KNOWN_REALMS: [(&str, &str); 4] = [
    ("docker.io", "auth.docker.io"),
    ("registry.gitlab.com", "gitlab.com"),
    ("registry.redhat.io", "registry-auth.redhat.io"),
    ("registry.suse.com", "scc.suse.com"),
];

/// Ours: a registry answers for a manifest in milliseconds; one under load, or a cache that fetches, in a few seconds.
const TIMEOUT: Duration = Duration::from_secs(8);

/// What may be asked, and as whom. The default asks the registries that a baseline's own images come from, as nobody.
#[derive(Clone, Debug)]
pub struct RegistryConfig {
    /// The registries that may be asked; where empty, those that a baseline's own images come from. `*.example.com`
    /// stands for all names with one more part.
    pub allowed: Vec<String>,
    /// Addresses that may be connected to although they are not public.
    pub private: Vec<Cidr>,
    /// Registries that are asked without TLS.
    pub plain_http: Vec<String>,
    /// Who else gives out tokens for a registry.
    pub realms: Vec<Realm>,
    /// A Docker configuration with the service's own logins, read again for each look-up.
    pub credentials_file: Option<PathBuf>,
    /// Longest time for one request with its answer.
    pub timeout: Duration,
}

impl Default for RegistryConfig {
    fn default() -> Self {
        Self { allowed: vec![], private: vec![], plain_http: vec![], realms: vec![], credentials_file: None, timeout: TIMEOUT }
    }
}

/// A host that gives out tokens for a registry.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Realm {
    registry: String,
    host: String,
}

/// Why a text names no realm.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("cannot read {0:?} as a registry and who gives out its tokens; write it like registry.example.com=gitlab.example.com")]
pub struct InvalidRealm(String);

impl FromStr for Realm {
    type Err = InvalidRealm;

    fn from_str(text: &str) -> Result<Self, InvalidRealm> {
        let (registry, host) = text.split_once('=').unwrap_or_default();
        if registry.is_empty() || host.is_empty() || text.contains('/') {
            return Err(InvalidRealm(text.chars().take(200).collect()));
        }
        Ok(Self { registry: registry.to_owned(), host: host.to_owned() })
    }
}

impl RegistryConfig {
    /// Whether a registry may be asked for the images of a baseline whose own images come from `used`.
    pub fn allows(&self, registry: &str, used: &[String]) -> bool {
        if self.allowed.is_empty() {
            return used.iter().any(|host| host == registry);
        }
        self.allowed.iter().any(|pattern| match pattern.strip_prefix("*.") {
            Some(domain) => registry.split_once('.').is_some_and(|(_, rest)| rest == domain),
            None => pattern == registry,
        })
    }

    /// `http` for the registries that the operator says so of.
    pub(super) fn scheme(&self, registry: &str) -> &'static str {
        if self.plain_http.iter().any(|host| host == registry) { "http" } else { "https" }
    }

    /// Whether a host and port may give out tokens for a registry, and so see the logins for it.
    pub(super) fn is_realm(&self, registry: &str, authority: &str) -> bool {
        let known = KNOWN_REALMS.iter().any(|(r, host)| *r == registry && *host == authority);
        known || authority == authority_of(registry) || self.realms.iter().any(|r| r.registry == registry && r.host == authority)
    }

    /// The service's own logins, if there are any. A file that cannot be read is said once a look-up, and nobody waits
    /// for it.
    pub(super) fn credentials(&self) -> Option<Credentials> {
        let path = self.credentials_file.as_ref()?;
        // A Secret's volume is in memory, so this small read does not wait.
        let read = std::fs::read(path).map_err(|e| e.to_string()).and_then(|json| Credentials::read(&json).map_err(|e| e.to_string()));
        read.inspect_err(|why| tracing::warn!(path = %path.display(), why, "the logins for registries cannot be read")).ok()
    }
}

/// Where a registry answers: Docker Hub's name in references is not its API's.
pub(super) fn authority_of(registry: &str) -> &str {
    if registry == "docker.io" { "registry-1.docker.io" } else { registry }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_baseline_s_own_registries_are_asked_unless_the_operator_says_which() {
        let used = ["docker.io".to_owned()];
        let open = RegistryConfig::default();
        assert!(open.allows("docker.io", &used) && !open.allows("r.example.com", &used));
        let limited = RegistryConfig { allowed: vec!["r.example.com:5000".into(), "*.example.org".into()], ..RegistryConfig::default() };
        for (registry, allowed) in [
            ("docker.io", false),
            ("r.example.com:5000", true),
            ("r.example.com", false),
            ("x.example.org", true),
            ("x.y.example.org", false),
        ] {
            assert_eq!(limited.allows(registry, &used), allowed, "{registry}");
        }
    }

    #[test]
    fn tokens_come_from_the_registry_itself_or_from_whom_is_named() {
        let config = RegistryConfig { realms: vec!["r.example.com=gitlab.example.com".parse().unwrap()], ..RegistryConfig::default() };
        for (registry, authority, pinned) in [
            ("r.example.com", "r.example.com", true),
            ("r.example.com", "gitlab.example.com", true),
            ("r.example.com", "r.example.com:8443", false),
            ("r.example.com", "r.example.com.evil.org", false),
            ("q.example.com", "gitlab.example.com", false),
            ("docker.io", "auth.docker.io", true),
            ("docker.io", "registry-1.docker.io", true),
            ("r.example.com", "auth.docker.io", false),
        ] {
            assert_eq!(config.is_realm(registry, authority), pinned, "{registry} {authority}");
        }
        for text in ["", "x", "=x", "x=", "x=https://y"] {
            assert!(text.parse::<Realm>().is_err(), "{text}");
        }
    }
}
