//! What the git checkout says: remotes, branch, and the pull requests that a remote advertises. The `git` binary is run
//! without a shell, without questions and for a bounded time; reading what it prints is pure.

use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use crate::domain::RepoName;

/// A question that git answers from the disk.
const LOCAL_LIMIT: Duration = Duration::from_secs(5);
/// A question that git asks a remote; beyond it the branch is as good an answer.
const REMOTE_LIMIT: Duration = Duration::from_secs(10);

/// Why the checkout cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// There is no git, or it cannot be started.
    #[error("cannot run git: {0}")]
    Start(#[source] std::io::Error),
    /// It did not answer.
    #[error("git {0} did not answer in {limit} s", limit = .1.as_secs())]
    Silent(String, Duration),
    /// It answered with an error.
    #[error("git {0}: {1}")]
    Failed(String, String),
}

/// A folder to ask git about.
#[derive(Clone, Debug)]
pub struct Git {
    dir: PathBuf,
}

/// A checkout as far as it matters here.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Checkout {
    /// The branch; absent on a detached HEAD.
    pub branch: Option<String>,
    /// The ref that the branch follows on its remote: `refs/heads/…`, or `refs/pull/42/head` after `gh pr checkout`.
    pub tracked: Option<String>,
    /// The remotes, the most likely first: that of the branch, `upstream`, `origin`, the others.
    pub remotes: Vec<Remote>,
    /// Whether the first remote is that of the branch.
    pub branch_has_remote: bool,
    /// Whether a push goes to the ref that the branch follows, whatever the branch is called (`push.default`).
    pub push_follows: bool,
}

/// One remote.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Remote {
    /// Its name, or its URL where the branch names one.
    pub name: String,
    /// The repository that its URL names.
    pub repository: Option<RepoName>,
}

impl Git {
    /// Asks about that folder.
    pub fn at(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// Reads the checkout; nothing where the folder is not in one.
    pub async fn checkout(&self) -> Result<Option<Checkout>, GitError> {
        let Some(_) = self.answer(&["rev-parse", "--git-dir"]).await? else { return Ok(None) };
        let branch = self.answer(&["symbolic-ref", "--quiet", "--short", "HEAD"]).await?;
        let (mut remote, mut tracked) = (None, None);
        if let Some(branch) = &branch {
            // A branch that follows another local one has the remote ".".
            remote = self.answer(&["config", "--get", &format!("branch.{branch}.remote")]).await?.filter(|r| r != ".");
            tracked = self.answer(&["config", "--get", &format!("branch.{branch}.merge")]).await?;
        }
        let push = self.answer(&["config", "--get", "push.default"]).await?;
        let push_follows = push.is_some_and(|p| matches!(p.as_str(), "upstream" | "tracking"));
        let all = self.answer(&["remote"]).await?.unwrap_or_default();
        let names = order(remote.as_deref(), all.lines());
        let mut remotes = Vec::new();
        for name in names {
            let url = self.answer(&["ls-remote", "--get-url", "--", &name]).await?;
            remotes.push(Remote { repository: url.as_deref().and_then(repository_of), name });
        }
        Ok(Some(Checkout { branch, tracked, remotes, branch_has_remote: remote.is_some(), push_follows }))
    }

    /// What a remote advertises of a branch and of pull requests.
    pub async fn advertised(&self, remote: &str, branch: &str) -> Result<Advertised, GitError> {
        let branch = format!("refs/heads/{branch}");
        let args = ["ls-remote", "--symref", "--", remote, "HEAD", &branch, "refs/pull/*/head"];
        let mut command = self.command(&args);
        if self.ssh_is_ours_to_choose().await? {
            command.env("GIT_SSH_COMMAND", "ssh -oBatchMode=yes");
        }
        let output = run(command, args[0], REMOTE_LIMIT).await?;
        if !output.status.success() {
            return Err(GitError::Failed("ls-remote".to_owned(), first_line(&output.stderr)));
        }
        Ok(Advertised::read(&String::from_utf8_lossy(&output.stdout)))
    }

    /// The answer to a question about the disk, without its last newline; nothing where git has none.
    async fn answer(&self, args: &[&str]) -> Result<Option<String>, GitError> {
        let output = run(self.command(args), args[0], LOCAL_LIMIT).await?;
        let text = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
        let refused = first_line(&output.stderr);
        if refused.contains("dubious ownership") {
            return Err(GitError::Failed(args[0].to_owned(), refused));
        }
        Ok((output.status.success() && !text.is_empty()).then_some(text))
    }

    /// ssh asks for passphrases on the terminal, past git. It is told not to, unless somebody chose how to run it.
    async fn ssh_is_ours_to_choose(&self) -> Result<bool, GitError> {
        let in_environment = ["GIT_SSH_COMMAND", "GIT_SSH"].iter().any(|name| std::env::var_os(name).is_some());
        Ok(!in_environment && self.answer(&["config", "--get", "core.sshCommand"]).await?.is_none())
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("git");
        command.args(args).current_dir(&self.dir).stdin(Stdio::null()).kill_on_drop(true);
        command.env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C");
        command
    }
}

async fn run(mut command: Command, name: &str, limit: Duration) -> Result<Output, GitError> {
    let silent = |_| GitError::Silent(name.to_owned(), limit);
    timeout(limit, command.output()).await.map_err(silent)?.map_err(GitError::Start)
}

fn first_line(text: &[u8]) -> String {
    String::from_utf8_lossy(text).lines().next().unwrap_or_default().to_owned()
}

fn order<'a>(branch: Option<&str>, all: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut rest: Vec<&str> = all.collect();
    rest.sort_by_key(|name| match *name {
        "upstream" => 0,
        "origin" => 1,
        _ => 2,
    });
    let mut names: Vec<String> = branch.map(str::to_owned).into_iter().collect();
    names.extend(rest.into_iter().filter(|name| branch != Some(*name)).map(str::to_owned));
    names
}

/// The repository that a URL names: `https://`, `ssh://`, `file://` and scp-like (`git@github.com:acme/web.git`), of
/// github.com or of a GitHub Enterprise Server.
pub fn repository_of(url: &str) -> Option<RepoName> {
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.split_once('/')?.1,
        None => url.split_once(':').map_or(url, |(_, path)| path),
    };
    let path = path.trim_end_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    let mut parts = path.rsplit('/');
    let (name, owner) = (parts.next()?, parts.next()?);
    format!("{owner}/{name}").parse().ok()
}

/// The number in `refs/pull/42/head` or `refs/pull/42/merge`.
pub fn pull_of(reference: &str) -> Option<i64> {
    let (number, kind) = reference.strip_prefix("refs/pull/")?.split_once('/')?;
    let number = number.parse().ok().filter(|n| *n > 0)?;
    matches!(kind, "head" | "merge").then_some(number)
}

/// What a remote advertises.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Advertised {
    default_branch: Option<String>,
    branches: Vec<(String, String)>,
    pulls: Vec<(i64, String)>,
}

impl Advertised {
    /// Reads the lines of `git ls-remote --symref`.
    pub fn read(text: &str) -> Self {
        let mut read = Self::default();
        for (left, name) in text.lines().filter_map(|line| line.split_once('\t')) {
            if let (Some(head), "HEAD") = (left.strip_prefix("ref: refs/heads/"), name) {
                read.default_branch = Some(head.to_owned());
            } else if let Some(branch) = name.strip_prefix("refs/heads/") {
                read.branches.push((branch.to_owned(), left.to_owned()));
            } else if let Some(number) = pull_of(name) {
                read.pulls.push((number, left.to_owned()));
            }
        }
        read
    }

    /// The commit at the head of a branch.
    pub fn head(&self, branch: &str) -> Option<&str> {
        self.branches.iter().find(|(name, _)| name == branch).map(|(_, commit)| commit.as_str())
    }

    /// Whether this is the branch that pull requests are merged into. Its head is also that of the pull request
    /// that was merged last, which nobody means.
    pub fn is_default(&self, branch: &str) -> bool {
        self.default_branch.as_deref() == Some(branch)
    }

    /// The newest pull request whose head is that commit.
    pub fn pull_at(&self, commit: &str) -> Option<i64> {
        self.pulls.iter().filter(|(_, head)| head == commit).map(|(number, _)| *number).max()
    }
}

#[cfg(test)]
mod tests;
