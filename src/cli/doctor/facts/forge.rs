//! What GitHub says of the App or the account, with the credential that was given. The credential is never shown.

use chrono::TimeDelta;
use chrono::Utc;

use super::within;
use crate::cli::doctor::finding::{Fact, Unseen};
use crate::cli::doctor::judge::forge::Repository;
use crate::config::GithubConfig;
use crate::domain::RepoName;
use crate::forge::github::{Delivered, GitHub, Standing};
use crate::forge::{Forge, ForgeError};

const GITHUB: &str = "GitHub";

/// What GitHub said.
pub struct Said {
    /// As which it was asked.
    pub who: Who,
    /// By how much its clock is ahead of this machine's.
    pub ahead: Fact<TimeDelta>,
}

/// Who asked.
pub enum Who {
    /// An App: what it asks for, what it was granted, and what could be delivered.
    App(Fact<Standing>, Vec<Repository>, Fact<Vec<Delivered>>),
    /// An account: its login, and the repositories that it does not read.
    Account(Fact<String>, Vec<(RepoName, Unseen)>),
}

/// Asks GitHub about these repositories.
pub async fn ask(config: GithubConfig, repositories: &[RepoName]) -> Fact<Said> {
    let github = GitHub::new(config).map_err(|error| Unseen(error.to_string()))?;
    let who = if github.is_app() { app(&github, repositories).await } else { account(&github, repositories).await };
    let answered = match &who {
        Who::App(standing, ..) => standing.is_ok(),
        Who::Account(login, _) => login.is_ok(),
    };
    let ahead = if answered { Ok(github.time() - Utc::now()) } else { Err(Unseen::new("GitHub did not answer")) };
    Ok(Said { who, ahead })
}

async fn app(github: &GitHub, repositories: &[RepoName]) -> Who {
    let standing = within(GITHUB, async { github.standing().await.map_err(|error| unseen(&error)) }).await;
    if standing.is_err() {
        let delivered = Err(Unseen::new("GitHub did not let the App in"));
        return Who::App(standing, Vec::new(), delivered);
    }
    let mut granted = Vec::new();
    for name in repositories {
        granted.push((name.clone(), within(GITHUB, async { github.lacking_for(name).await.map_err(|error| unseen(&error)) }).await));
    }
    Who::App(standing, granted, within(GITHUB, async { github.delivered().await.map_err(|error| unseen(&error)) }).await)
}

async fn account(github: &GitHub, repositories: &[RepoName]) -> Who {
    let login = within(GITHUB, async { github.login().await.map_err(|error| unseen(&error)) }).await;
    let mut unread = Vec::new();
    for name in repositories.iter().filter(|_| login.is_ok()) {
        if let Err(why) = within(GITHUB, async { github.repository(name).await.map_err(|error| unseen(&error)) }).await {
            unread.push((name.clone(), why));
        }
    }
    Who::Account(login, unread)
}

fn unseen(error: &ForgeError) -> Unseen {
    Unseen(error.to_string())
}
