//! The flags of `preview serve` and `preview doctor` about GitHub.

use std::path::PathBuf;

use clap::Args;

use super::errors::{Exit, Failure};
use crate::config::{AppId, GithubConfig, GithubCredential};

/// Where GitHub is, and who we are there.
#[derive(Args, Clone, Debug)]
pub struct GithubArgs {
    /// GitHub's API; that of a GitHub Enterprise Server ends in /api/v3
    #[arg(long, env = "PREVIEW_GITHUB_URL", value_name = "URL", default_value = "https://api.github.com")]
    pub github_url: String,
    /// Id of the GitHub App, or its client id; needs --github-app-key-file
    #[arg(long, env = "PREVIEW_GITHUB_APP_ID", value_name = "ID")]
    pub github_app_id: Option<String>,
    /// File with the GitHub App's private key, in PEM as GitHub gives it out
    #[arg(long, env = "PREVIEW_GITHUB_APP_KEY_FILE", value_name = "FILE")]
    pub github_app_key_file: Option<PathBuf>,
    /// Instead of an App: file with the token that pull requests are read and comments written with
    #[arg(long, env = "PREVIEW_GITHUB_TOKEN_FILE", value_name = "FILE")]
    pub github_token_file: Option<PathBuf>,
}

impl GithubArgs {
    /// The same as a value; nothing where no credential is given.
    pub fn config(&self) -> Result<Option<GithubConfig>, Failure> {
        let usage = |why: String| Failure::new(Exit::Usage, why);
        let credential = match self.credential().map_err(|why| usage(why.to_owned()))? {
            None => return Ok(None),
            Some((Some(id), file)) => {
                let id: AppId = id.parse().map_err(|error| usage(format!("--github-app-id: {error}")))?;
                GithubCredential::App { id, key_file: file.clone() }
            }
            Some((None, file)) => GithubCredential::Token(file.clone()),
        };
        GithubConfig::with(&self.github_url, credential).map(Some).map_err(|error| usage(error.to_string()))
    }

    /// The App's id, if it is an App, and the file that proves who we are.
    fn credential(&self) -> Result<Option<(Option<&str>, &PathBuf)>, &'static str> {
        let id = self.github_app_id.as_deref().filter(|id| !id.is_empty());
        match (id, set(self.github_app_key_file.as_ref()), set(self.github_token_file.as_ref())) {
            (None, None, token_file) => Ok(token_file.map(|file| (None, file))),
            (Some(id), Some(key_file), None) => Ok(Some((Some(id), key_file))),
            (Some(_), None, _) => Err("--github-app-id needs --github-app-key-file, the App's private key"),
            (None, Some(_), _) => Err("--github-app-key-file needs --github-app-id, the id of the App whose key it is"),
            (Some(_), Some(_), Some(_)) => {
                Err("a GitHub App and a token are two accounts; leave out --github-token-file, or the App's flags")
            }
        }
    }
}

/// A variable that is set to nothing sets nothing.
pub(super) fn set(path: Option<&PathBuf>) -> Option<&PathBuf> {
    path.filter(|path| !path.as_os_str().is_empty())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: GithubArgs,
    }

    fn args(flags: &[&str]) -> GithubArgs {
        Line::parse_from([&["preview"], flags].concat()).args
    }

    #[test]
    fn github_is_reached_by_an_app_or_by_a_token_and_not_by_half_of_either() {
        let (id, key, token) = ("--github-app-id=1", "--github-app-key-file=key", "--github-token-file=token");
        let credential = |flags: &[&str]| args(flags).config().map(|github| github.map(|github| github.credential));
        let app = GithubCredential::App { id: "1".parse().unwrap(), key_file: "key".into() };
        assert_eq!(credential(&[id, key]).unwrap(), Some(app));
        // As variables that are set to nothing give it.
        let nothing = GithubArgs { github_app_id: Some(String::new()), github_app_key_file: Some(PathBuf::new()), ..args(&[token]) };
        assert_eq!(nothing.config().unwrap().unwrap().credential, GithubCredential::Token("token".into()));
        assert_eq!(credential(&[]).unwrap(), None);
        for (flags, missing) in [
            (&[id][..], "--github-app-key-file"),
            (&[id, token], "--github-app-key-file"),
            (&[key], "--github-app-id"),
            (&[id, key, token], "leave out --github-token-file"),
            (&["--github-app-id=my app", key], "App ID, such as 123456"),
            (&[token, "--github-url=github.example.com"], "https://api.github.com"),
        ] {
            let failure = credential(flags).unwrap_err();
            assert!(failure.exit == Exit::Usage && failure.message.contains(missing), "{flags:?}: {}", failure.message);
        }
    }
}
