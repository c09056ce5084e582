//! Lists, which GitHub gives page by page, and the pages that are still as they were.

use hyper::HeaderMap;
use hyper::header::LINK;
use serde::de::{DeserializeOwned, IgnoredAny};

use super::GitHub;
use super::exchange::{Reply, Request, validator};
use crate::forge::{ForgeError, Validator};

/// Entries on a page, the most that GitHub gives.
pub(super) const PER_PAGE: usize = 100;
/// Most pages of a list. GitHub shows at most 2,500 comments on a pull request; more open pull requests than fit here are
/// said to be too many, since half a list is worse than none.
pub(super) const PAGES_MAX: usize = 100;
/// Between the validators of a list's pages: no `ETag` holds it.
const BETWEEN: char = '\n';

/// A whole list.
pub(super) struct Pages<T> {
    pub(super) items: Vec<T>,
    /// The headers of its first page.
    pub(super) headers: HeaderMap,
    /// What all its pages are known by.
    pub(super) validator: Option<Validator>,
}

impl Request {
    /// The same for one page.
    pub(super) fn page(&self, number: usize) -> Self {
        let mark = if self.path.contains('?') { '&' } else { '?' };
        Self { path: format!("{}{mark}per_page={PER_PAGE}&page={number}", self.path), ..self.clone() }
    }

    fn known_as(self, tag: Option<&str>) -> Self {
        Self { known: tag.map(|tag| Validator(tag.to_owned())), ..self }
    }

    /// There are more pages than we read.
    pub(super) fn too_long(&self) -> ForgeError {
        self.unreadable(format!("there are more than {PAGES_MAX} pages"))
    }
}

impl GitHub {
    /// The whole list, unless each of its pages is as `known` says. All have to be asked, since what leaves a later page,
    /// such as a pull request that is closed, changes nothing on the first; what is as it was costs nothing of the limit.
    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        request: &Request,
        known: Option<&Validator>,
    ) -> Result<Option<Pages<T>>, ForgeError> {
        let mut tags = known.into_iter().flat_map(|known| known.0.split(BETWEEN));
        let first = match self.ask(&request.page(1).known_as(tags.next())).await? {
            Some(changed) => changed,
            None if self.are_as_they_were(request, tags).await? => return Ok(None),
            None => self.send(&request.page(1)).await?,
        };
        self.read_on(request, first).await.map(Some)
    }

    /// The whole list, whatever was known before.
    pub(super) async fn whole<T: DeserializeOwned>(&self, request: &Request) -> Result<Vec<T>, ForgeError> {
        let first = self.send(&request.page(1)).await?;
        Ok(self.read_on(request, first).await?.items)
    }

    async fn are_as_they_were(&self, request: &Request, later: impl Iterator<Item = &str>) -> Result<bool, ForgeError> {
        for (page, tag) in (2..).zip(later) {
            if self.ask::<IgnoredAny>(&request.page(page).known_as(Some(tag))).await?.is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn read_on<T: DeserializeOwned>(&self, request: &Request, first: Reply<Vec<T>>) -> Result<Pages<T>, ForgeError> {
        let mut tags = vec![validator(&first.headers)];
        let mut more = is_followed(&first);
        let Reply { content: mut items, headers, .. } = first;
        for page in 2.. {
            if !more {
                break;
            }
            if page > PAGES_MAX {
                return Err(request.too_long());
            }
            let reply = self.send(&request.page(page)).await?;
            more = is_followed(&reply);
            tags.push(validator(&reply.headers));
            items.extend(reply.content);
        }
        Ok(Pages { items, headers, validator: joined(tags) })
    }
}

/// Whether there is a page after this one: it is full, or GitHub names another (RFC 8288).
pub(super) fn is_followed<T>(reply: &Reply<Vec<T>>) -> bool {
    let named = reply.headers.get_all(LINK).iter().any(|link| link.to_str().is_ok_and(|link| link.contains(r#"rel="next""#)));
    named || reply.content.len() >= PER_PAGE
}

/// One for all pages, where each has one.
fn joined(tags: Vec<Option<Validator>>) -> Option<Validator> {
    let tags: Option<Vec<String>> = tags.into_iter().map(|tag| tag.map(|Validator(tag)| tag)).collect();
    tags.map(|tags| Validator(tags.join(&BETWEEN.to_string())))
}
