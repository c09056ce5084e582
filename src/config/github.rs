//! How GitHub is reached.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use hyper::Uri;

use crate::forge::pace::Limits;

/// Where github.com answers. A GitHub Enterprise Server answers under `https://<its host>/api/v3`.
pub const DEFAULT_API_URL: &str = "https://api.github.com";

/// Longest time for a connection, for the next byte of an answer, and for a request with its answer. GitHub itself
/// ends requests that take it more than 10 s ("Timeouts").
const TIMEOUT: Duration = Duration::from_secs(10);

/// How long after an installation was not found it is looked for again, before it counts as gone.
const SECOND_LOOK: Duration = Duration::from_secs(5);

/// Where GitHub's API is, and what we prove ourselves with there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GithubConfig {
    /// Where the API is.
    pub api_url: Uri,
    /// Who we are there.
    pub credential: GithubCredential,
    /// Longest time for each step of a request and for all of it.
    pub timeout: Duration,
    /// How fast it may be written to.
    pub limits: Limits,
    /// How long after an installation was not found it is looked for again.
    pub second_look: Duration,
}

/// Who we are on GitHub. Both files are read again and again, so that what was replaced is taken up.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum GithubCredential {
    /// An account, by the file with its token.
    Token(PathBuf),
    /// A GitHub App.
    App {
        /// Its id, or its client id.
        id: AppId,
        /// File with its private key, in PEM.
        key_file: PathBuf,
    },
}

/// The id of a GitHub App, such as `123456`, or its client id, such as `Iv23liEXAMPLE`. GitHub takes both.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AppId(String);

impl AppId {
    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AppId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is not the id of a GitHub App.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("cannot use {0:?} as the id of a GitHub App: expected its App ID, such as 123456, or its Client ID, such as Iv23liEXAMPLE")]
pub struct InvalidAppId(String);

impl FromStr for AppId {
    type Err = InvalidAppId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_one = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.');
        if is_one { Ok(Self(text.to_owned())) } else { Err(InvalidAppId(text.to_owned())) }
    }
}

/// Why an address is not that of GitHub's API.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("cannot use {url:?} as the address of GitHub's API: {why}; write it like {DEFAULT_API_URL}")]
pub struct InvalidGithubConfig {
    url: String,
    why: &'static str,
}

impl GithubConfig {
    /// With an account's token. The address has a scheme and a host, and perhaps a path.
    pub fn new(api_url: &str, token_file: PathBuf) -> Result<Self, InvalidGithubConfig> {
        Self::with(api_url, GithubCredential::Token(token_file))
    }

    /// With any credential. The address has a scheme and a host, and perhaps a path.
    pub fn with(api_url: &str, credential: GithubCredential) -> Result<Self, InvalidGithubConfig> {
        let invalid = |why| InvalidGithubConfig { url: api_url.to_owned(), why };
        let url: Uri = api_url.trim_end_matches('/').parse().map_err(|_| invalid("it is not a URL"))?;
        match (url.scheme_str(), url.host(), url.query()) {
            (_, _, Some(_)) => Err(invalid("it has a query")),
            (Some("http" | "https"), Some(host), None) if !host.is_empty() => {
                Ok(Self { api_url: url, credential, timeout: TIMEOUT, limits: Limits::GITHUB, second_look: SECOND_LOOK })
            }
            _ => Err(invalid("it has no scheme http or https, or no host")),
        }
    }

    /// With other limits.
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// With another longest time.
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// With another time before an installation that was not found is looked for again.
    pub fn with_second_look(self, second_look: Duration) -> Self {
        Self { second_look, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked() {
        for url in [DEFAULT_API_URL, "https://github.example.com/api/v3/", "http://127.0.0.1:8080"] {
            assert!(GithubConfig::new(url, PathBuf::new()).is_ok(), "{url}");
        }
        for url in ["", "api.github.com", "ftp://x", "https://", "https://x?y=1", "/api/v3"] {
            let error = GithubConfig::new(url, PathBuf::new()).unwrap_err().to_string();
            assert!(error.contains("https://api.github.com"), "{error}");
        }
    }

    #[test]
    fn an_app_is_named_by_its_id_or_its_client_id() {
        for id in ["123456", "Iv1.8a61f9b3a7aba766", "Iv23liEXAMPLE"] {
            assert_eq!(id.parse::<AppId>().unwrap().as_str(), id);
        }
        for id in ["", "12 34", "my-app", "-----BEGIN"] {
            assert!(id.parse::<AppId>().unwrap_err().to_string().contains("App ID"), "{id}");
        }
    }
}
