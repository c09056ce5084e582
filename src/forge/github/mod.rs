//! GitHub, by its REST API. octocrab's types stop here.

mod event;
mod exchange;
mod session;
mod wire;

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::FutureExt;
use hyper::header::LINK;
use hyper::{HeaderMap, Method};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::json;

pub use event::parse;
pub use session::GithubError;

use self::exchange::{Reply, Request};
use self::session::{Session, Sessions};
use self::wire::{ChangedFile, IssueComment, NamedRepository, Pull, User};
use super::{Answer, Branch, ChangedFiles, Comment, Forge, ForgeError, PullRequest};
use crate::config::GithubConfig;
use crate::domain::RepoName;
use crate::metrics::Metrics;

/// Entries on a page, the most that GitHub gives.
const PER_PAGE: usize = 100;
/// Pages of comments that we go through. GitHub shows at most 2,500 comments on a pull request.
const PAGES_MAX: usize = 100;

/// Pages of changed files that we go through: 300 files, as many as GitHub itself looks at for the `paths` of a workflow.
/// Whoever changes more probably changes everything.
const FILE_PAGES_MAX: usize = 3;

/// A client of GitHub with one token.
pub struct GitHub {
    config: GithubConfig,
    sessions: Sessions,
    metrics: Metrics,
}

impl GitHub {
    /// Checks that the token can be read. Nothing is sent yet.
    pub fn new(config: GithubConfig) -> Result<Self, GithubError> {
        Ok(Self { sessions: Sessions::new(config.clone())?, config, metrics: Metrics::new() })
    }

    /// Counts the requests there.
    pub fn with_metrics(self, metrics: Metrics) -> Self {
        Self { metrics, ..self }
    }

    /// The account whose token we have. Asked for once a token.
    pub async fn login(&self) -> Result<String, ForgeError> {
        let request = Request::get("login", "our own account".to_owned(), "/user".to_owned());
        let session = self.session(&request).await?;
        let login = session.login.get_or_try_init(|| async {
            let reply: Reply<User> = self.send(&request).await?;
            Ok(reply.content.login)
        });
        login.await.cloned()
    }

    async fn read_pull(&self, repository: &RepoName, number: i64) -> Result<PullRequest, ForgeError> {
        let path = format!("/repos/{repository}/pulls/{number}");
        let reply: Reply<Pull> = self.send(&Request::get("pull_request", format!("{repository}#{number}"), path)).await?;
        Ok(reply.content.into())
    }

    async fn read_files(&self, repository: &RepoName, number: i64) -> Result<ChangedFiles, ForgeError> {
        let mut files = Vec::new();
        for page in 1..=FILE_PAGES_MAX {
            let path = format!("/repos/{repository}/pulls/{number}/files?per_page={PER_PAGE}&page={page}");
            let request = Request { verb: "list the files of", ..Request::get("changed_files", format!("{repository}#{number}"), path) };
            let reply: Reply<Vec<ChangedFile>> = self.send(&request).await?;
            let more = reply.content.len() >= PER_PAGE || has_next(&reply.headers);
            files.extend(reply.content.into_iter().flat_map(|file| [Some(file.filename), file.previous_filename]).flatten());
            if !more {
                return Ok(ChangedFiles::Named(files));
            }
        }
        Ok(ChangedFiles::TooMany)
    }

    /// Two requests, since a branch does not tell its repository's number.
    async fn read_branch(&self, repository: &RepoName, name: &str) -> Result<Branch, ForgeError> {
        let path = format!("/repos/{repository}/branches/{}", percent_encoded(name));
        let branch = Request::get("branch", format!("{repository}@{name}"), path);
        let home = Request::get("repository", repository.to_string(), format!("/repos/{repository}"));
        let (found, home) = futures::try_join!(self.send::<wire::Branch>(&branch), self.send::<NamedRepository>(&home))?;
        Ok(Branch {
            repository_id: home.content.id,
            repository: home.content.full_name,
            // As it was asked for: GitHub leads the old name of a renamed branch on, and the environment has the old one.
            name: name.to_owned(),
            revision: found.content.commit.sha,
            observed_at: dated(&branch, &found.headers)?,
        })
    }

    /// GitHub lists comments from the oldest on, so the first of ours is the oldest.
    async fn search_comment(&self, repository: &RepoName, pull: i64, marker: &str) -> Result<Option<Comment>, ForgeError> {
        let login = self.login().await?;
        let thing = format!("{repository}#{pull}");
        for page in 1..=PAGES_MAX {
            let path = format!("/repos/{repository}/issues/{pull}/comments?per_page={PER_PAGE}&page={page}");
            let request = Request { verb: "list the comments of", ..Request::get("find_comment", thing.clone(), path) };
            let reply: Reply<Vec<IssueComment>> = self.send(&request).await?;
            let more = reply.content.len() >= PER_PAGE || has_next(&reply.headers);
            if let Some(found) = reply.content.into_iter().find_map(|c| ours(c, &login, marker)) {
                return Ok(Some(found));
            }
            if !more {
                return Ok(None);
            }
        }
        Err(ForgeError::Unreadable { what: format!("list the comments of {thing}"), why: format!("there are more than {PAGES_MAX} pages") })
    }

    async fn write_comment(&self, repository: &RepoName, pull: i64, body: &str) -> Result<i64, ForgeError> {
        let request = Request {
            operation: "create_comment",
            verb: "comment on",
            thing: format!("{repository}#{pull}"),
            method: Method::POST,
            path: format!("/repos/{repository}/issues/{pull}/comments"),
            body: Some(json!({"body": body})),
        };
        let reply: Reply<IssueComment> = self.send(&request).await?;
        Ok(reply.content.id)
    }

    async fn rewrite_comment(&self, repository: &RepoName, id: i64, body: &str) -> Result<(), ForgeError> {
        let request = Request {
            operation: "edit_comment",
            verb: "edit",
            thing: format!("comment {id} in {repository}"),
            method: Method::PATCH,
            path: format!("/repos/{repository}/issues/comments/{id}"),
            body: Some(json!({"body": body})),
        };
        self.send::<IgnoredAny>(&request).await.map(drop)
    }

    async fn session(&self, request: &Request) -> Result<Arc<Session>, ForgeError> {
        self.sessions.current().await.map_err(|error| request.unavailable(error.to_string()))
    }

    async fn send<T: DeserializeOwned>(&self, request: &Request) -> Result<Reply<T>, ForgeError> {
        let session = self.session(request).await?;
        let reply = tokio::time::timeout(self.config.timeout, request.send(&session)).await;
        let seconds = self.config.timeout.as_secs_f32();
        let reply = reply.unwrap_or_else(|_| Err(request.unavailable(format!("it did not answer within {seconds} s"))));
        self.metrics.forge_request(request.operation, reply.as_ref().map_or_else(ForgeError::label, |_| "ok"));
        reply
    }
}

impl Forge for GitHub {
    fn pull_request<'a>(&'a self, repository: &'a RepoName, number: i64) -> Answer<'a, PullRequest> {
        self.read_pull(repository, number).boxed()
    }

    fn changed_files<'a>(&'a self, repository: &'a RepoName, number: i64) -> Answer<'a, ChangedFiles> {
        self.read_files(repository, number).boxed()
    }

    fn branch<'a>(&'a self, repository: &'a RepoName, name: &'a str) -> Answer<'a, Branch> {
        self.read_branch(repository, name).boxed()
    }

    fn find_comment<'a>(&'a self, repository: &'a RepoName, pull: i64, marker: &'a str) -> Answer<'a, Option<Comment>> {
        self.search_comment(repository, pull, marker).boxed()
    }

    fn create_comment<'a>(&'a self, repository: &'a RepoName, pull: i64, body: &'a str) -> Answer<'a, i64> {
        self.write_comment(repository, pull, body).boxed()
    }

    fn edit_comment<'a>(&'a self, repository: &'a RepoName, id: i64, body: &'a str) -> Answer<'a, ()> {
        self.rewrite_comment(repository, id, body).boxed()
    }
}

impl fmt::Debug for GitHub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GitHub").field("config", &self.config).finish_non_exhaustive()
    }
}

fn dated(request: &Request, headers: &HeaderMap) -> Result<DateTime<Utc>, ForgeError> {
    exchange::date(headers).ok_or_else(|| request.unreadable("the header Date is missing or no date"))
}

fn ours(comment: IssueComment, login: &str, marker: &str) -> Option<Comment> {
    let body = comment.body.filter(|body| body.contains(marker))?;
    let author = comment.user?.login;
    author.eq_ignore_ascii_case(login).then_some(Comment { id: comment.id, body })
}

/// Whether GitHub names a page after this one (RFC 8288).
fn has_next(headers: &HeaderMap) -> bool {
    headers.get_all(LINK).iter().any(|link| link.to_str().is_ok_and(|link| link.contains(r#"rel="next""#)))
}

/// One segment of a path: everything but the unreserved characters of RFC 3986, section 2.3, is escaped.
fn percent_encoded(segment: &str) -> String {
    let encode = |byte| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    segment.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests;
