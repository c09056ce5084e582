//! What GitHub could not deliver to an App: its log, read back to a moment part by part, and what failed in it asked for again.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use futures::FutureExt;
use hyper::header::LINK;
use hyper::{HeaderMap, Method, Uri};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::GitHub;
use super::exchange::Request;
use super::pages::PER_PAGE;
use crate::forge::{Answer, Cursor, Deliveries, FailedDeliveries, ForgeError};

/// Pages that are read for one part of the log: 5,000 attempts. An App may ask 5,000 times an hour for all that it does.
const PART: usize = 50;

/// What the service itself answers to what it will never take (400, 413, 415, 422): sent again it would be the same.
const REFUSED_FOR_GOOD: [i64; 4] = [400, 413, 415, 422];

/// One attempt of a delivery ("List deliveries for an app webhook"), newest first.
#[derive(Deserialize)]
struct Attempt {
    id: i64,
    /// The same for each attempt of a delivery.
    guid: String,
    delivered_at: DateTime<Utc>,
    /// What it was answered; 0 where nobody answered.
    status_code: i64,
}

impl Deliveries for GitHub {
    fn failed_since<'a>(&'a self, since: DateTime<Utc>, from: Option<&'a Cursor>) -> Answer<'a, FailedDeliveries> {
        self.read_log(since, from).boxed()
    }

    fn redeliver(&self, delivery: i64) -> Answer<'_, ()> {
        self.deliver_again(delivery).boxed()
    }
}

impl GitHub {
    async fn deliver_again(&self, id: i64) -> Result<(), ForgeError> {
        let request = Request::get_own("redeliver", &format!("delivery {id}"), &format!("/app/hook/deliveries/{id}/attempts"));
        self.send::<IgnoredAny>(&Request { method: Method::POST, ..request.verb("ask again for") }).await.map(drop)
    }

    async fn read_log(&self, since: DateTime<Utc>, from: Option<&Cursor>) -> Result<FailedDeliveries, ForgeError> {
        let (mut attempts, mut rest) = (Vec::new(), from.cloned());
        for _ in 0..PART {
            let page = self.send::<Vec<Attempt>>(&page_of_log(rest.as_ref())).await?;
            let is_older = page.content.iter().any(|attempt| attempt.delivered_at < since);
            rest = next(&page.headers).filter(|_| !is_older && !page.content.is_empty());
            attempts.extend(page.content.into_iter().filter(|attempt| attempt.delivered_at >= since));
            if rest.is_none() {
                break;
            }
        }
        let newest = attempts.iter().map(|attempt| attempt.delivered_at).max();
        Ok(FailedDeliveries { deliveries: failed(attempts), newest, rest })
    }
}

fn page_of_log(from: Option<&Cursor>) -> Request {
    let cursor = from.map(|Cursor(cursor)| format!("&cursor={cursor}")).unwrap_or_default();
    Request::get_own("deliveries", "the log of deliveries", &format!("/app/hook/deliveries?per_page={PER_PAGE}{cursor}"))
}

/// The newest attempt of each delivery that was never taken, oldest delivery first.
fn failed(attempts: Vec<Attempt>) -> Vec<i64> {
    let mut order = Vec::new();
    let mut newest: HashMap<String, (i64, bool)> = HashMap::new();
    for attempt in attempts {
        let settled = (200..400).contains(&attempt.status_code) || REFUSED_FOR_GOOD.contains(&attempt.status_code);
        let known = newest.entry(attempt.guid.clone()).or_insert_with(|| {
            order.push(attempt.guid);
            (attempt.id, false)
        });
        known.1 |= settled;
    }
    order.iter().rev().filter_map(|guid| newest.get(guid).filter(|(_, settled)| !settled).map(|(id, _)| *id)).collect()
}

/// Where the log goes on (RFC 8288); only the cursor is taken from there.
fn next(headers: &HeaderMap) -> Option<Cursor> {
    let links = headers.get(LINK)?.to_str().ok()?;
    let link = links.split(',').find(|link| link.contains(r#"rel="next""#))?;
    let target: Uri = link.split_once('<')?.1.split_once('>')?.0.parse().ok()?;
    let cursor = target.query()?.split('&').find_map(|pair| pair.strip_prefix("cursor="))?;
    Some(Cursor(cursor.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(id: i64, guid: &str, status_code: i64) -> Attempt {
        Attempt { id, guid: guid.to_owned(), delivered_at: Utc::now(), status_code }
    }

    #[test]
    fn what_was_taken_at_any_time_or_refused_for_good_is_not_asked_for_again() {
        let log = [
            attempt(10, "not valid", 422),
            attempt(9, "lost", 0),
            attempt(8, "taken later", 202),
            attempt(7, "away", 503),
            attempt(6, "away", 504),
            attempt(5, "taken later", 503),
            attempt(4, "too large", 413),
            attempt(3, "wrong secret", 401),
            attempt(2, "taken", 202),
            attempt(1, "taken before", 202),
        ];
        assert_eq!(failed(log.into()), [3, 7, 9], "the oldest first, and of each its newest attempt");
    }

    #[test]
    fn the_next_page_is_found_by_its_cursor() {
        let link =
            r#"<https://ghe.example.com/api/v3/app/hook/deliveries?per_page=100&cursor=v1_17%3D>; rel="next", <https://x/>; rel="first""#;
        let headers = [(LINK, link.parse().unwrap())].into_iter().collect();
        assert_eq!(next(&headers), Some(Cursor("v1_17%3D".into())));
        assert_eq!(next(&HeaderMap::new()), None);
    }
}
