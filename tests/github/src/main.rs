//! The double of GitHub as a program, for work by hand.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Parser;
use github_double::{Double, Hook, Permission};

/// Accounts that every run has: one that writes, one that does not.
const DEVELOPER: &str = "dev";
const STRANGER: &str = "stranger";

/// A double of GitHub on this machine: repositories, pull requests, comments and signed webhooks.
///
/// It starts with an account `dev`, which may push, an account `stranger`, which may not and has a
/// fork of each repository, and a bot whose token is in the token file. Point a client's API address
/// at it, and act as a person by HTTP below /_double.
#[derive(Parser)]
#[command(version, after_help = EXAMPLES)]
struct Arguments {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, env = "GITHUB_DOUBLE_LISTEN", default_value = "127.0.0.1:8090")]
    listen: SocketAddr,

    /// Where deliveries go, for example `http://127.0.0.1:8080/webhooks/github`; without it none are sent.
    #[arg(long, env = "GITHUB_DOUBLE_WEBHOOK_URL")]
    webhook_url: Option<String>,

    /// File with the secret that deliveries are signed with.
    #[arg(long, env = "GITHUB_DOUBLE_SECRET_FILE", requires = "webhook_url")]
    secret_file: Option<PathBuf>,

    /// File with the bot's token.
    #[arg(long, env = "GITHUB_DOUBLE_TOKEN_FILE")]
    token_file: Option<PathBuf>,

    /// The bot's login.
    #[arg(long, env = "GITHUB_DOUBLE_BOT", default_value = "preview[bot]")]
    bot: String,

    /// A repository, as owner/name; may be given more than once.
    #[arg(long = "repo", default_value = "acme/web")]
    repositories: Vec<String>,

    /// An event that the webhook is for; may be given more than once, `*` is all.
    #[arg(long = "event", default_value = "pull_request")]
    events: Vec<String>,
}

const EXAMPLES: &str = "\
Examples, with U=http://127.0.0.1:8090/_double:
  open    curl $U/actions -d '{\"do\":\"open\",\"repo\":\"acme/web\",\"branch\":\"login\",\"by\":\"dev\"}'
  push    curl $U/actions -d '{\"do\":\"push_to\",\"repo\":\"acme/web\",\"number\":1,\"by\":\"dev\"}'
  merge   curl $U/actions -d '{\"do\":\"merge\",\"repo\":\"acme/web\",\"number\":1,\"by\":\"dev\"}'
  read    curl \"$U/comments?repo=acme/web&number=1\"
  all     curl $U";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).with_writer(std::io::stderr).init();
    let arguments = Arguments::parse();
    let double = Double::start_on(arguments.listen)?;
    set_up(&double, &arguments)?;
    println!("{}", double.base_url());
    eprintln!("GitHub's double answers at {0}; act by {0}/_double, end with Ctrl-C", double.base_url());
    tokio::signal::ctrl_c().await.context("cannot wait for Ctrl-C")
}

fn set_up(double: &Double, arguments: &Arguments) -> anyhow::Result<()> {
    double.add_user(DEVELOPER);
    double.add_user(STRANGER);
    double.add_bot(&arguments.bot);
    if let Some(file) = &arguments.token_file {
        double.add_token(&arguments.bot, &first_line(file)?)?;
    }
    for repository in &arguments.repositories {
        double.add_repository(repository)?;
        double.permit(repository, DEVELOPER, Permission::Write)?;
        double.permit(repository, &arguments.bot, Permission::Write)?;
        double.fork(repository, STRANGER)?;
    }
    let Some(url) = &arguments.webhook_url else {
        return Ok(());
    };
    let secret = arguments.secret_file.as_deref().map(first_line).transpose()?;
    let events = arguments.events.clone();
    double.add_webhook(Hook { secret, events, ..Hook::to(url) })?;
    Ok(())
}

/// A secret as files hold it: without the end of the line.
fn first_line(file: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let line = text.lines().next().unwrap_or_default().trim();
    anyhow::ensure!(!line.is_empty(), "cannot use {}: it is empty", file.display());
    Ok(line.to_owned())
}
