//! Comments on pull requests: ours, and those of people.

use std::collections::HashSet;

use chrono::{DateTime, SecondsFormat, Utc};
use hyper::Method;
use serde_json::json;

use super::GitHub;
use super::exchange::{Reply, Request};
use super::pages::{PAGES_MAX, is_followed};
use super::wire::{IssueComment, Numbered, Posted, Sign};
use crate::domain::RepoName;
use crate::forge::{Comment, ForgeError, Listing, PostedComment, Reaction, Validator};

impl GitHub {
    /// GitHub lists comments from the oldest on. The page with the first of ours that has the first marker is the last that is read.
    pub(super) async fn search_comments(&self, repository: &RepoName, pull: i64, markers: &[&str]) -> Result<Vec<Comment>, ForgeError> {
        let login = self.login().await?;
        let request = on_pull("find_comment", repository, pull).verb("list the comments of");
        let is_first = |comment: &Comment| markers.first().is_some_and(|marker| comment.body.contains(marker));
        let mut found = Vec::new();
        for page in 1..=PAGES_MAX {
            let reply: Reply<Vec<IssueComment>> = self.send(&request.page(page)).await?;
            let more = is_followed(&reply);
            found.extend(reply.content.into_iter().filter_map(|comment| ours(comment, &login, markers)));
            if !more || found.iter().any(is_first) {
                return Ok(found);
            }
        }
        Err(request.too_long())
    }

    pub(super) async fn write_comment(&self, repository: &RepoName, pull: i64, body: &str) -> Result<i64, ForgeError> {
        let request = on_pull("create_comment", repository, pull).verb("comment on").writing(Method::POST, json!({"body": body}));
        let reply: Reply<Numbered> = self.send(&request).await?;
        Ok(reply.content.id)
    }

    pub(super) async fn rewrite_comment(&self, repository: &RepoName, id: i64, body: &str) -> Result<(), ForgeError> {
        let request = comment("edit_comment", repository, id, "").verb("edit").writing(Method::PATCH, json!({"body": body}));
        let edited = self.send::<Numbered>(&request).await?.content.id;
        if edited == id { Ok(()) } else { Err(request.unreadable("id: it is another comment")) }
    }

    /// GitHub gives a sign that is there already once more, and does not make a second one.
    pub(super) async fn write_reaction(&self, repository: &RepoName, id: i64, reaction: Reaction) -> Result<(), ForgeError> {
        let content = json!({"content": content(reaction)});
        let request = comment("react", repository, id, "/reactions").verb("react to").writing(Method::POST, content);
        self.send::<Numbered>(&request).await.map(drop)
    }

    pub(super) async fn read_is_answered(&self, repository: &RepoName, id: i64) -> Result<bool, ForgeError> {
        let login = self.login().await?;
        let request = comment("is_answered", repository, id, "/reactions").verb("list the reactions to");
        let signs = [Reaction::Done, Reaction::Refused].map(content);
        let is_ours = |sign: &Sign| sign.user.as_ref().is_some_and(|user| user.login.eq_ignore_ascii_case(&login));
        let signed = self.whole::<Sign>(&request).await?;
        Ok(signed.iter().any(|sign| is_ours(sign) && signs.contains(&sign.content.as_str())))
    }

    pub(super) async fn read_comment(&self, (home, name): (i64, &RepoName), id: i64) -> Result<PostedComment, ForgeError> {
        let request = comment("comment", name, id, "").verb("read");
        let posted = self.send::<Posted>(&request).await?.content;
        match place(&posted.html_url) {
            Some((number, true)) => {
                let read = posted.on((home, name), number);
                if read.id == id { Ok(read) } else { Err(request.unreadable("id: it is another comment")) }
            }
            Some((_, false)) => Err(request.unreadable("html_url: it is on an issue")),
            None => Err(request.unreadable("html_url: it does not tell what the comment is on")),
        }
    }

    /// GitHub is asked for the newest first: what is written or changed meanwhile moves nothing out of the pages to come.
    pub(super) async fn read_comments_since(
        &self,
        repository: &RepoName,
        since: DateTime<Utc>,
        known: Option<&Validator>,
    ) -> Result<Listing<PostedComment>, ForgeError> {
        let since = since.to_rfc3339_opts(SecondsFormat::Secs, true);
        let path = format!("/issues/comments?since={since}&sort=updated&direction=desc");
        let request = Request::get("comments_since", repository, format!("the comments in {repository}"), &path).verb("list");
        let Some(pages) = self.list::<Posted>(&request, known).await? else { return Ok(Listing::Unchanged) };
        let mut posted = Vec::new();
        for comment in pages.items {
            let (number, is_pull) =
                place(&comment.html_url).ok_or_else(|| request.unreadable("html_url: it does not tell what the comment is on"))?;
            if is_pull {
                posted.push((number, comment));
            }
        }
        let items = if posted.is_empty() { Vec::new() } else { self.at_home(repository, posted).await? };
        Ok(Listing::Now { items, validator: pages.validator })
    }

    /// Comments do not tell their repository's number.
    async fn at_home(&self, repository: &RepoName, posted: Vec<(i64, Posted)>) -> Result<Vec<PostedComment>, ForgeError> {
        let home = self.read_repository(repository).await?;
        let mut comments: Vec<PostedComment> = posted.into_iter().map(|(pull, comment)| comment.on((home.id, &home.name), pull)).collect();
        let mut seen = HashSet::new();
        comments.retain(|comment| seen.insert(comment.id));
        comments.sort_by_key(|comment| comment.id);
        Ok(comments)
    }
}

/// As GitHub names it ("Reaction types").
const fn content(reaction: Reaction) -> &'static str {
    match reaction {
        Reaction::Seen => "eyes",
        Reaction::Done => "+1",
        Reaction::Refused => "confused",
    }
}

fn on_pull(operation: &'static str, repository: &RepoName, pull: i64) -> Request {
    Request::get(operation, repository, format!("{repository}#{pull}"), &format!("/issues/{pull}/comments"))
}

fn comment(operation: &'static str, repository: &RepoName, id: i64, below: &str) -> Request {
    Request::get(operation, repository, format!("comment {id} in {repository}"), &format!("/issues/comments/{id}{below}"))
}

/// A comment of ours with one of those markers.
fn ours(comment: IssueComment, login: &str, markers: &[&str]) -> Option<Comment> {
    let (body, author) = (comment.body?, comment.user?.login);
    let is_ours = author.eq_ignore_ascii_case(login) && markers.iter().any(|marker| body.contains(marker));
    is_ours.then_some(Comment { id: comment.id, body })
}

/// The number that a comment is on, and whether that is a pull request, by the address where people read it:
/// `https://github.com/acme/web/pull/42#issuecomment-7`. GitHub lists comments on issues and pull requests together.
fn place(html_url: &str) -> Option<(i64, bool)> {
    let path = html_url.split(['#', '?']).next()?;
    let (rest, number) = path.rsplit_once('/')?;
    let number = number.parse().ok().filter(|number: &i64| *number > 0)?;
    match rest.rsplit_once('/')?.1 {
        "pull" => Some((number, true)),
        "issues" => Some((number, false)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comments_address_tells_what_it_is_on() {
        for (url, expected) in [
            ("https://github.com/acme/web/pull/42#issuecomment-7", Some((42, true))),
            ("https://github.example.com/acme/web/issues/42#issuecomment-7", Some((42, false))),
            ("https://github.com/acme/pull/issues/3#issuecomment-7", Some((3, false))),
            ("https://github.com/pull/42/issues/3#/pull/9", Some((3, false))),
            ("https://github.com/acme/web/commit/42", None),
            ("https://github.com/acme/web/pull/0", None),
            ("", None),
        ] {
            assert_eq!(place(url), expected, "{url}");
        }
    }
}
