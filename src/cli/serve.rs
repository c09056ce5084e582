//! `preview serve`: flags and secrets of the service.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use secrecy::{ExposeSecret, SecretString};

use super::Global;
use super::errors::{Exit, Failure};

/// While a secret is changed, the old and the new one are valid.
const SECRETS_MAX: usize = 2;

/// Flags of `preview serve`.
#[derive(Args, Clone, Debug)]
pub struct ServeArgs {
    /// Address of the webhook server, health and metrics
    #[arg(long, env = "PREVIEW_LISTEN", value_name = "ADDRESS", default_value = "0.0.0.0:8080")]
    pub listen: SocketAddr,
    /// File with the webhook's secret; twice while the secret is changed (in the variable: separated by commas)
    #[arg(long, env = "PREVIEW_WEBHOOK_SECRET_FILE", value_name = "FILE", value_delimiter = ',')]
    pub webhook_secret_file: Vec<PathBuf>,
    /// GitHub's API; that of a GitHub Enterprise Server ends in /api/v3
    #[arg(long, env = "PREVIEW_GITHUB_URL", value_name = "URL", default_value = "https://api.github.com")]
    pub github_url: String,
    /// File with the token that pull requests are read and comments written with
    #[arg(long, env = "PREVIEW_GITHUB_TOKEN_FILE", value_name = "FILE")]
    pub github_token_file: Option<PathBuf>,
    /// Largest delivery that is read, in bytes; GitHub sends none above 25 MB
    #[arg(long, env = "PREVIEW_BODY_LIMIT", value_name = "BYTES", default_value_t = 5 * 1024 * 1024)]
    pub body_limit: usize,
    /// Requests to the API server at one time
    #[arg(long, env = "PREVIEW_IN_FLIGHT", value_name = "COUNT", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..))]
    pub in_flight: u16,
}

/// The secrets that the service holds, read from their files.
#[derive(Debug)]
pub struct Secrets {
    /// Secrets that a delivery may be signed with: one or two.
    pub webhook: Vec<SecretString>,
    /// Token for GitHub.
    pub github_token: Option<SecretString>,
}

impl ServeArgs {
    /// Reads the secrets. None for the webhook is refused: everybody could make environments.
    pub fn secrets(&self) -> Result<Secrets, Failure> {
        // A variable that is set to nothing sets nothing.
        let files: Vec<&PathBuf> = self.webhook_secret_file.iter().filter(|path| !path.as_os_str().is_empty()).collect();
        if files.is_empty() {
            return Err(Failure::new(
                Exit::Usage,
                "no webhook secret: set --webhook-secret-file (or PREVIEW_WEBHOOK_SECRET_FILE) to a file with the secret of the GitHub webhook",
            ));
        }
        if files.len() > SECRETS_MAX {
            return Err(Failure::new(Exit::Usage, "more than two webhook secrets: give the new one and the one that it replaces"));
        }
        let webhook = files.into_iter().map(|path| read_secret(path)).collect::<Result<_, _>>()?;
        let github_token = self.github_token_file.as_deref().map(read_secret).transpose()?;
        Ok(Secrets { webhook, github_token })
    }
}

/// The content of a file without the newline at its end, which editors add and nobody means.
fn read_secret(path: &Path) -> Result<SecretString, Failure> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|why| Failure::failed(format!("cannot read the secret in {shown}: {why}")))?;
    let secret = SecretString::from(text.trim_end_matches(['\r', '\n']));
    if secret.expose_secret().is_empty() {
        return Err(Failure::failed(format!("cannot use the secret in {shown}: the file is empty")));
    }
    Ok(secret)
}

/// Runs the command until it is told to stop.
pub async fn run(global: &Global, args: ServeArgs) -> Result<(), Failure> {
    let secrets = args.secrets()?;
    start(global, &args, secrets).await
}

// ---- Wiring: the one place where the webhook server and the controller are put together. ----
#[expect(clippy::unused_async, reason = "the service that is started here runs until it is told to stop")]
async fn start(_global: &Global, args: &ServeArgs, _secrets: Secrets) -> Result<(), Failure> {
    Err(Failure::failed(format!("cannot listen on {}: the service is not part of this build", args.listen)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: ServeArgs,
    }

    fn args(flags: &[&str]) -> ServeArgs {
        Line::parse_from([&["serve"], flags].concat()).args
    }

    #[test]
    fn without_a_secret_it_refuses_in_one_line() {
        for files in [Vec::new(), vec![PathBuf::new()]] {
            let failure = ServeArgs { webhook_secret_file: files, ..args(&[]) }.secrets().unwrap_err();
            assert_eq!(failure.exit, Exit::Usage);
            assert!(failure.to_string().lines().count() == 1 && failure.message.contains("--webhook-secret-file"));
        }
    }

    #[test]
    fn one_or_two_secrets_are_read_without_their_last_newline() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let (old, new, empty) = (file("old", "s3cret \n"), file("new", "other\r\n"), file("empty", "\n"));
        let read = args(&["--webhook-secret-file", &old, "--webhook-secret-file", &new]).secrets().unwrap();
        assert_eq!(read.webhook.iter().map(ExposeSecret::expose_secret).collect::<Vec<_>>(), ["s3cret ", "other"]);
        for files in [format!("{old},{new},{old}"), empty, "/nonexistent".to_owned()] {
            assert!(args(&["--webhook-secret-file", &files]).secrets().is_err(), "{files}");
        }
    }

    #[test]
    fn the_defaults_are_those_of_the_documentation() {
        let args = args(&["--webhook-secret-file", "x"]);
        assert_eq!((args.listen.to_string().as_str(), args.in_flight, args.body_limit), ("0.0.0.0:8080", 32, 5_242_880));
        assert_eq!(args.github_url, "https://api.github.com");
    }
}
