//! Repositories, their branches and their pull requests.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use hyper::HeaderMap;

use super::GitHub;
use super::exchange::{self, Reply, Request};
use super::pages::{Pages, is_followed};
use super::wire::{self, ChangedFile, Pull, PullSize};
use crate::domain::RepoName;
use crate::forge::{Branch, ChangedFiles, ForgeError, Listing, PullRequest, RepositoryFacts, Validator};

/// Pages of changed files: GitHub names 3,000 files at most ("List pull requests files"). Whoever changes more probably
/// changes everything.
const FILE_PAGES_MAX: usize = 30;

impl GitHub {
    pub(super) async fn read_repository(&self, repository: &RepoName) -> Result<RepositoryFacts, ForgeError> {
        let reply: Reply<wire::Home> = self.send(&Request::get("repository", repository, repository.to_string(), "")).await?;
        Ok(reply.content.into())
    }

    pub(super) async fn read_pull(&self, repository: &RepoName, number: i64) -> Result<PullRequest, ForgeError> {
        let request = pull("pull_request", repository, number, "");
        let found: PullRequest = self.send::<Pull>(&request).await?.content.into();
        if found.number != number {
            return Err(request.unreadable("number: it is another pull request"));
        }
        Ok(found)
    }

    /// What changed last comes first, so that what changes meanwhile is named twice and never left out.
    pub(super) async fn read_open_pulls(
        &self,
        repository: &RepoName,
        known: Option<&Validator>,
    ) -> Result<Listing<PullRequest>, ForgeError> {
        let path = "/pulls?state=open&sort=updated&direction=desc";
        let request = Request::get("open_pulls", repository, format!("the open pull requests of {repository}"), path).verb("list");
        let Some(Pages { items, validator, .. }) = self.list::<Pull>(&request, known).await? else { return Ok(Listing::Unchanged) };
        let mut pulls: Vec<PullRequest> = items.into_iter().map(PullRequest::from).collect();
        let mut seen = HashSet::new();
        pulls.retain(|pull| seen.insert(pull.number));
        Ok(Listing::Now { items: pulls, validator })
    }

    pub(super) async fn read_files(&self, repository: &RepoName, number: i64) -> Result<ChangedFiles, ForgeError> {
        let request = pull("changed_files", repository, number, "/files").verb("list the files of");
        let mut files = Vec::new();
        for page in 1..=FILE_PAGES_MAX {
            let reply: Reply<Vec<ChangedFile>> = self.send(&request.page(page)).await?;
            let more = is_followed(&reply);
            files.extend(reply.content.into_iter().flat_map(|file| [Some(file.filename), file.previous_filename]).flatten());
            if !more {
                return self.confirmed(&request, repository, number, files).await;
            }
        }
        Ok(ChangedFiles::TooMany)
    }

    /// That nothing was changed can be true, of a commit without content, and is believed where the pull request says so too.
    async fn confirmed(&self, asked: &Request, repository: &RepoName, number: i64, files: Vec<String>) -> Result<ChangedFiles, ForgeError> {
        if files.is_empty() {
            let reply: Reply<PullSize> = self.send(&pull("changed_files", repository, number, "")).await?;
            let changed = reply.content.changed_files;
            if changed > 0 {
                return Err(asked.unreadable(format!("it names no file, and the pull request changes {changed}")));
            }
        }
        Ok(ChangedFiles::Named(files))
    }

    /// Two requests, since a branch does not tell its repository's number.
    pub(super) async fn read_branch(&self, repository: &RepoName, name: &str) -> Result<Branch, ForgeError> {
        let path = format!("/branches/{}", percent_encoded(name));
        // Only GitHub's own sentence about the branch says that it is gone.
        let absent = Some("Branch not found".to_owned());
        let branch = Request { absent, ..Request::get("branch", repository, format!("{repository}@{name}"), &path) };
        let (found, home) = futures::try_join!(self.send::<wire::Branch>(&branch), self.read_repository(repository))?;
        Ok(Branch {
            repository_id: home.id,
            repository: home.name,
            // As it was asked for: GitHub leads the old name of a renamed branch on, and the environment has the old one.
            name: name.to_owned(),
            revision: found.content.commit.sha,
            observed_at: dated(&branch, &found.headers)?,
        })
    }

    /// As old as the first page's answer: what a later page says can be newer, and never older.
    pub(super) async fn read_branches(&self, repository: &RepoName, known: Option<&Validator>) -> Result<Listing<Branch>, ForgeError> {
        let request = Request::get("branches", repository, format!("the branches of {repository}"), "/branches").verb("list");
        let Some(pages) = self.list::<wire::Branch>(&request, known).await? else { return Ok(Listing::Unchanged) };
        let home = self.read_repository(repository).await?;
        let observed_at = dated(&request, &pages.headers)?;
        let branch = |found: wire::Branch| Branch {
            repository_id: home.id,
            repository: home.name.clone(),
            name: found.name,
            revision: found.commit.sha,
            observed_at,
        };
        Ok(Listing::Now { items: pages.items.into_iter().map(branch).collect(), validator: pages.validator })
    }
}

fn pull(operation: &'static str, repository: &RepoName, number: i64, below: &str) -> Request {
    Request::get(operation, repository, format!("{repository}#{number}"), &format!("/pulls/{number}{below}"))
}

fn dated(request: &Request, headers: &HeaderMap) -> Result<DateTime<Utc>, ForgeError> {
    exchange::date(headers).ok_or_else(|| request.unreadable("the header Date is missing or no date"))
}

/// One segment of a path: everything but the unreserved characters of RFC 3986, section 2.3, is escaped.
pub(super) fn percent_encoded(segment: &str) -> String {
    let encode = |byte| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    segment.bytes().map(encode).collect()
}
