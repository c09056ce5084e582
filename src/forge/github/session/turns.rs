//! The pace of one account, for those who ask at the same time.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::Utc;
use hyper::header::RETRY_AFTER;
use hyper::{HeaderMap, Method, StatusCode};
use tokio::time::{Instant, sleep};

use crate::forge::ForgeError;
use crate::forge::github::exchange::{self, Request};
use crate::forge::pace::{Heard, Kind, Limits, Pace, Quota};
use crate::forge::spent::Spent;
use crate::metrics::Metrics;

/// Longest wait for a turn here. Whoever would have to wait longer is told so, and comes again with what is true then,
/// instead of standing in line with what is true now.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whose requests GitHub counts together: an account, an App, or an installation of it.
#[derive(Debug)]
pub(super) struct Turns {
    /// For metrics.
    whose: String,
    pace: Mutex<Pace>,
    /// Where whoever leads next learns of what was written.
    spent: Spent,
}

impl Turns {
    /// After what was written in its name before.
    pub(super) fn new(whose: String, limits: Limits, spent: Spent) -> Self {
        let before = spent.of(&whose, Instant::now().into_std());
        Self { whose, pace: Mutex::new(Pace::new(limits).after_writes(before)), spent }
    }

    /// Waits until the request may be sent, if that is soon.
    pub(super) async fn take(&self, request: &Request, metrics: &Metrics) -> Result<(), ForgeError> {
        let kind = kind(request);
        let patient_until = Instant::now() + PATIENCE;
        loop {
            let now = Instant::now();
            let (asked, standing, had_its_share) = {
                let mut pace = self.pace();
                let asked = pace.ask(now.into_std(), kind);
                (asked, pace.standing(now.into_std()), pace.had_its_share(now.into_std(), kind))
            };
            metrics.forge_pace(&self.whose, standing);
            match asked {
                Ok(()) => {
                    if matches!(kind, Kind::Write { .. }) {
                        self.spent.note(&self.whose, now.into_std());
                    }
                    return Ok(());
                }
                Err(wait) if now + wait <= patient_until => sleep(wait).await,
                Err(wait) if had_its_share => {
                    return Err(ForgeError::HadItsShare { what: request.what(), seconds: whole_seconds(wait) });
                }
                Err(wait) => return Err(ForgeError::RateLimited { what: request.what(), seconds: whole_seconds(wait) }),
            }
        }
    }

    /// Takes note of what an answer's headers say ("Rate limits for the REST API", "Checking the status of your rate limit").
    pub(super) fn hear(&self, status: StatusCode, headers: &HeaderMap) {
        let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
        let wait = number(RETRY_AFTER.as_str()).filter(|_| matches!(status.as_u16(), 403 | 429 | 503)).map(Duration::from_secs);
        // Other resources, such as searches, are counted by themselves.
        let is_core = headers.get("x-ratelimit-resource").is_none_or(|resource| resource == "core");
        let left = number("x-ratelimit-remaining").zip(number("x-ratelimit-reset")).filter(|_| is_core);
        let now = exchange::date(headers).unwrap_or_else(Utc::now).timestamp();
        let quota = left.map(|(left, reset)| {
            let seconds = reset.saturating_sub(u64::try_from(now).unwrap_or_default());
            Quota { left, renewed_in: Duration::from_secs(seconds.min(exchange::LONGEST_WAIT)) }
        });
        let wait = wait.map(|wait| wait.min(Duration::from_secs(exchange::LONGEST_WAIT)));
        self.pace().learn(Instant::now().into_std(), Heard { wait, quota });
    }

    /// Takes note that nothing may be sent for a while.
    pub(super) fn pause(&self, seconds: u64) {
        self.pace().learn(Instant::now().into_std(), Heard { wait: Some(Duration::from_secs(seconds)), quota: None });
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        // The pace is whole after every call, so one that panicked elsewhere harms nobody.
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A token is nothing that GitHub creates for people, and many repositories may need one at the same time.
fn kind(request: &Request) -> Kind<'_> {
    let changes_nothing = request.method == Method::GET || request.operation == "token";
    if changes_nothing { Kind::Read } else { Kind::Write { of: request.about.as_deref().unwrap_or(&request.thing) } }
}

fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderName;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap())).collect()
    }

    fn write(thing: &str) -> Request {
        Request::get_own("edit_comment", thing, "/").writing(Method::PATCH, serde_json::Value::Null)
    }

    fn read() -> Request {
        Request::get_own("login", "our own account", "/user")
    }

    async fn told(turns: &Turns, request: &Request) -> u64 {
        match turns.take(request, &Metrics::new()).await {
            Err(ForgeError::RateLimited { seconds, .. }) => seconds,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_short_wait_is_waited_for_and_a_long_one_is_told() {
        let (turns, metrics, start) = (Turns::new("token".into(), Limits::GITHUB, Spent::default()), Metrics::new(), Instant::now());
        let [a, b, c, d] = ["a", "b", "c", "d"].map(write);
        turns.take(&a, &metrics).await.unwrap();
        let (second, third, fourth) = tokio::join!(turns.take(&b, &metrics), turns.take(&c, &metrics), told(&turns, &d));
        assert_eq!((second, third, fourth), (Ok(()), Ok(()), 3));
        assert_eq!(start.elapsed(), Duration::from_secs(2));
        sleep(Duration::from_secs(1)).await;
        turns.take(&d, &metrics).await.unwrap();
        assert_eq!(start.elapsed(), Duration::from_secs(3), "he kept his place");
        turns.take(&read(), &metrics).await.unwrap();
        let text = metrics.text().unwrap();
        for line in [r#"preview_forge_writes_left{account="token"} 496"#, r#"preview_forge_writers_waiting{account="token"} 0"#] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_had_its_share_is_told_so() {
        let limits = Limits { apart: Duration::ZERO, per_minute: usize::MAX, per_hour: 40, ..Limits::GITHUB };
        let (turns, metrics) = (Turns::new("token".into(), limits, Spent::default()), Metrics::new());
        for _ in 0..20 {
            turns.take(&write("a"), &metrics).await.unwrap();
        }
        let told = turns.take(&write("a"), &metrics).await;
        assert_eq!(told, Err(ForgeError::HadItsShare { what: write("a").what(), seconds: 3_600 }));
        assert_eq!(turns.take(&write("b"), &metrics).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_headers_say_is_obeyed() {
        let date = ("date", "Fri, 02 Jan 2026 03:04:05 GMT");
        let used = [date, ("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1767323105")];
        let search = [&used[..], &[("x-ratelimit-resource", "search")]].concat();
        for (status, heard, seconds) in [
            (200, &used[..], Some(60)),
            (403, &[("retry-after", "17")], Some(17)),
            (429, &[("retry-after", "99999999")], Some(3_600)),
            (200, &[("retry-after", "17")], None),
            (200, &search, None),
        ] {
            let turns = Turns::new("token".into(), Limits::GITHUB, Spent::default());
            turns.hear(StatusCode::from_u16(status).unwrap(), &headers(heard));
            match seconds {
                Some(seconds) => assert_eq!(told(&turns, &read()).await, seconds, "{heard:?}"),
                None => turns.take(&read(), &Metrics::new()).await.unwrap(),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn another_term_goes_on_counting_where_the_one_before_ended() {
        let limits = Limits { per_hour: 3, apart: Duration::ZERO, ..Limits::GITHUB };
        let (before, after) = (Spent::default(), Spent::default());
        let turns = Turns::new("7".into(), limits, before.clone());
        turns.take(&write("a"), &Metrics::new()).await.unwrap();
        turns.take(&read(), &Metrics::new()).await.unwrap();
        sleep(Duration::from_secs(600)).await;
        turns.take(&write("b"), &Metrics::new()).await.unwrap();
        after.follow(&before.to_text(Instant::now().into_std()).unwrap(), Duration::ZERO, Instant::now().into_std());
        let next = Turns::new("7".into(), limits, after);
        next.take(&write("c"), &Metrics::new()).await.unwrap();
        assert_eq!(told(&next, &write("d")).await, 3_000, "when the first of them is an hour old");
    }
}
