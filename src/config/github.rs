//! How GitHub is reached.

use std::path::PathBuf;
use std::time::Duration;

use hyper::Uri;

/// Where github.com answers. A GitHub Enterprise Server answers under `https://<its host>/api/v3`.
pub const DEFAULT_API_URL: &str = "https://api.github.com";

/// Longest time for a connection, for the next byte of an answer, and for a request with its answer. GitHub itself
/// ends requests that take it more than 10 s ("Timeouts").
const TIMEOUT: Duration = Duration::from_secs(10);

/// Where GitHub's API is, and where our token for it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GithubConfig {
    /// Where the API is.
    pub api_url: Uri,
    /// File with the token, read again before every request, so that a rotated token is taken up.
    pub token_file: PathBuf,
    /// Longest time for each step of a request and for all of it.
    pub timeout: Duration,
}

/// Why an address is not that of GitHub's API.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("cannot use {url:?} as the address of GitHub's API: {why}; write it like {DEFAULT_API_URL}")]
pub struct InvalidGithubConfig {
    url: String,
    why: &'static str,
}

impl GithubConfig {
    /// Reads the address, which has a scheme and a host, and perhaps a path.
    pub fn new(api_url: &str, token_file: PathBuf) -> Result<Self, InvalidGithubConfig> {
        let invalid = |why| InvalidGithubConfig { url: api_url.to_owned(), why };
        let url: Uri = api_url.trim_end_matches('/').parse().map_err(|_| invalid("it is not a URL"))?;
        match (url.scheme_str(), url.host(), url.query()) {
            (_, _, Some(_)) => Err(invalid("it has a query")),
            (Some("http" | "https"), Some(host), None) if !host.is_empty() => Ok(Self { api_url: url, token_file, timeout: TIMEOUT }),
            _ => Err(invalid("it has no scheme http or https, or no host")),
        }
    }

    /// With another longest time.
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
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
}
