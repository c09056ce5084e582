//! `preview open`: prints where an environment is reached, and on a terminal opens it in the browser.

use std::io::{self, IsTerminal};
use std::process::Stdio;

use clap::Args;
use kube::ResourceExt;
use tokio::process::Command;

use super::Global;
use super::cluster::Cluster;
use super::errors::{Exit, Failure};
use super::find::Which;
use super::output::{clean, note, one_object, print, urls};
use super::words;
use crate::api::PreviewEnvironment;

/// What opens a URL: one program with the URL as its only argument, no shell between.
const OPENER: &str = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };

/// Flags of `preview open`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  preview open web-pr-42
  curl -s $(preview open --pull 42)/health")]
pub struct OpenArgs {
    /// The environment.
    #[command(flatten)]
    pub which: Which,
    /// Print the URL and open nothing, as in a pipe
    #[arg(long)]
    pub print: bool,
}

/// Runs the command.
pub async fn run(global: &Global, args: OpenArgs) -> Result<(), Failure> {
    let cluster = Cluster::connect(global).await?;
    let environment = args.which.find(&cluster).await?;
    if let Some(text) = one_object(global.output, &environment)? {
        return print(&text);
    }
    let url = url(&environment)?;
    print(&format!("{url}\n"))?;
    if !args.print && io::stdout().is_terminal() {
        browse(&url);
    }
    Ok(())
}

/// The first URL. Only what a browser fetches is given to it, whatever the status holds.
fn url(environment: &PreviewEnvironment) -> Result<String, Failure> {
    let name = environment.name_any();
    let Some(url) = urls(environment).next().map(clean) else {
        let phase = words::phase(environment);
        return Err(Failure::new(Exit::CannotBeReady, format!("{name} has no URL: {phase}"))
            .next(format!("why: preview describe {name}; preview wait {name} waits until it is ready")));
    };
    if url.starts_with("https://") || url.starts_with("http://") {
        return Ok(url);
    }
    Err(Failure::failed(format!("{name} has a URL that no browser opens: {url}")))
}

/// A browser that cannot be started is no failure: the URL is printed.
fn browse(url: &str) {
    let started = Command::new(OPENER).arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    if let Err(why) = started {
        note(&format!("cannot start a browser with {OPENER}: {why}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn environment(urls: &[&str]) -> PreviewEnvironment {
        let mut environment = PreviewEnvironment::new("web-pr-42", serde_json::from_value(json!({"baseline": "shop"})).unwrap());
        let urls: Vec<_> = urls.iter().map(|url| json!({"host": "h", "url": url})).collect();
        environment.status = serde_json::from_value(json!({"phase": "Creating", "urls": urls})).unwrap();
        environment
    }

    #[test]
    fn the_first_url_is_opened_and_nothing_else_than_one() {
        assert_eq!(url(&environment(&["https://a.example.com", "https://b.example.com"])).unwrap(), "https://a.example.com");
        let refused = [url(&environment(&[])), url(&environment(&["file:///etc/passwd"])), url(&environment(&["--help"]))];
        insta::assert_snapshot!(refused.map(|f| f.unwrap_err().to_string()).join("\n"), @r"
        error: web-pr-42 has no URL: Creating
          why: preview describe web-pr-42; preview wait web-pr-42 waits until it is ready
        error: web-pr-42 has a URL that no browser opens: file:///etc/passwd
        error: web-pr-42 has a URL that no browser opens: --help
        ");
    }
}
