//! Who logs in where: a Docker configuration, as pull secrets and `docker login` have it. No client, no clock, no logging.

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::ByteString;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;

use super::Query;

/// Names that stand for Docker Hub in a configuration.
const DOCKER_HUB: [&str; 3] = ["index.docker.io", "registry-1.docker.io", "registry.docker.io"];

/// The logins of one configuration.
#[derive(Clone, Default)]
pub struct Credentials {
    entries: Vec<Entry>,
}

#[derive(Clone)]
struct Entry {
    host: String,
    path: String,
    login: Login,
}

/// A name and its password.
#[derive(Clone, Debug)]
pub struct Login {
    /// The name.
    pub user: String,
    /// The password.
    pub password: SecretString,
}

/// Why a configuration cannot be read. Holds nothing of its content.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("cannot read a Docker configuration: it is no JSON object with `auths`")]
pub struct CredentialsError;

#[derive(Deserialize)]
struct File {
    auths: BTreeMap<String, Auth>,
}

#[derive(Deserialize)]
struct Auth {
    /// Name and password with a colon between them, in base64.
    #[serde(default, rename = "auth")]
    both: Option<String>,
    #[serde(default)]
    username: Option<String>,
    #[serde(default)]
    password: Option<String>,
}

impl Credentials {
    /// Reads `{"auths": {"registry.example.com": {"auth": "..."}}}`. Entries without name and password are passed over.
    pub fn read(json: &[u8]) -> Result<Self, CredentialsError> {
        let file: File = serde_json::from_slice(json).map_err(|_| CredentialsError)?;
        Ok(Self::of(file.auths))
    }

    /// The logins of a Secret of type `kubernetes.io/dockerconfigjson` or the older `kubernetes.io/dockercfg`.
    pub fn of_secret(secret: &Value) -> Option<Self> {
        let data = |key: &str| decoded(secret.get("data")?.get(key)?.as_str()?);
        let read_old = |json: Vec<u8>| serde_json::from_slice(&json).ok().map(Self::of);
        data(".dockerconfigjson").and_then(|json| Self::read(&json).ok()).or_else(|| data(".dockercfg").and_then(read_old))
    }

    fn of(auths: BTreeMap<String, Auth>) -> Self {
        let mut entries: Vec<Entry> = auths.into_iter().filter_map(|(key, auth)| entry(&key, auth)).collect();
        // The one that says most of where it belongs comes first, as kubelet has it.
        entries.sort_by_key(|entry| std::cmp::Reverse((!entry.host.contains('*'), entry.path.len())));
        Self { entries }
    }

    /// The logins for an image, the best first.
    pub(super) fn logins_for(&self, query: &Query) -> Vec<Login> {
        let fits = |entry: &&Entry| {
            let below =
                query.path.strip_prefix(&entry.path).is_some_and(|rest| entry.path.is_empty() || rest.is_empty() || rest.starts_with('/'));
            below && is_host(&entry.host, &query.registry)
        };
        self.entries.iter().filter(fits).map(|entry| entry.login.clone()).collect()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.entries.iter().map(|e| format!("{}/{}", e.host, e.path))).finish()
    }
}

fn entry(key: &str, auth: Auth) -> Option<Entry> {
    let name = key.split_once("://").map_or(key, |(_, rest)| rest).trim_end_matches('/');
    let (host, path) = name.split_once('/').unwrap_or((name, ""));
    let host = if DOCKER_HUB.contains(&host) { "docker.io" } else { host };
    // Docker writes the version of the API behind its own registry.
    let path = path.trim_end_matches("v1").trim_end_matches("v2").trim_end_matches('/');
    let (user, password) = match (auth.username, auth.password, auth.both) {
        (Some(user), Some(password), _) => (user, password),
        (_, _, Some(both)) => {
            let text = String::from_utf8(decoded(&both)?).ok()?;
            let (user, password) = text.split_once(':')?;
            (user.to_owned(), password.to_owned())
        }
        _ => return None,
    };
    Some(Entry { host: host.to_ascii_lowercase(), path: path.to_owned(), login: Login { user, password: password.into() } })
}

/// Whether a registry is the one of an entry, in which `*` stands for one part of a name.
fn is_host(pattern: &str, registry: &str) -> bool {
    let parts = |text: &str| text.split('.').map(str::to_owned).collect::<Vec<_>>();
    let (pattern, registry) = (parts(pattern), parts(&registry.to_ascii_lowercase()));
    pattern.len() == registry.len() && pattern.iter().zip(&registry).all(|(p, r)| p == "*" || p == r)
}

/// Base64, as Kubernetes writes bytes.
fn decoded(text: &str) -> Option<Vec<u8>> {
    serde_json::from_value(Value::String(text.trim().to_owned())).ok().map(|ByteString(bytes)| bytes)
}

/// Name and password as basic authentication writes them (RFC 7617).
pub(super) fn encoded(text: &str) -> String {
    let value = serde_json::to_value(ByteString(text.as_bytes().to_vec())).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;
    use serde_json::json;

    fn query(registry: &str, path: &str) -> Query {
        Query { registry: registry.into(), path: path.into(), tag: "1".into(), revisions: false }
    }

    fn users(config: &Value, registry: &str, path: &str) -> Vec<String> {
        let credentials = Credentials::read(config.to_string().as_bytes()).unwrap();
        credentials.logins_for(&query(registry, path)).into_iter().map(|l| format!("{}:{}", l.user, l.password.expose_secret())).collect()
    }

    #[test]
    fn logins_are_found_by_registry_and_path() {
        let config = json!({"auths": {
            "https://index.docker.io/v1/": {"auth": encoded("hub:a:b")},
            "r.example.com:5000": {"username": "all", "password": "p"},
            "r.example.com:5000/acme": {"username": "acme", "password": "p"},
            "*.example.org": {"username": "any", "password": "p"},
            "empty.example.com": {},
        }});
        assert_eq!(users(&config, "docker.io", "acme/web"), ["hub:a:b"]);
        assert_eq!(users(&config, "r.example.com:5000", "acme/web"), ["acme:p", "all:p"]);
        assert_eq!(users(&config, "r.example.com:5000", "acmes/web"), ["all:p"]);
        assert_eq!(users(&config, "x.example.org", "a"), ["any:p"]);
        for other in ["r.example.com", "x.y.example.org", "example.org", "empty.example.com", "r.example.com:5000.evil.org"] {
            assert!(users(&config, other, "acme/web").is_empty(), "{other}");
        }
    }

    #[test]
    fn secrets_of_both_kinds_are_read() {
        let config = json!({"auths": {"r.example.com": {"username": "u", "password": "p"}}}).to_string();
        let old = json!({"r.example.com": {"username": "u", "password": "p"}}).to_string();
        for (key, text) in [(".dockerconfigjson", config), (".dockercfg", old)] {
            let secret = json!({"data": {key: encoded(&text)}});
            assert_eq!(Credentials::of_secret(&secret).unwrap().logins_for(&query("r.example.com", "a")).len(), 1, "{key}");
        }
        assert!(Credentials::of_secret(&json!({"data": {"password": "eA=="}})).is_none());
        assert!(Credentials::of_secret(&json!({"data": {".dockerconfigjson": "!"}})).is_none());
    }

    #[test]
    fn nothing_secret_is_shown() {
        let config = json!({"auths": {"r.example.com": {"username": "u", "password": "hunter2"}}}).to_string();
        let shown = format!("{:?}", Credentials::read(config.as_bytes()).unwrap());
        assert!(shown.contains("r.example.com") && !shown.contains("hunter2"), "{shown}");
        assert!(!Credentials::read(b"hunter2").unwrap_err().to_string().contains("hunter2"));
    }
}
