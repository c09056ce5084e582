//! How late a fact may be dated, and what counts against one that claims to be newer. No client, no clock, no logging.
//!
//! An older fact never overwrites a newer one, so one that is dated in the future would keep out all that is true until then.

use chrono::{DateTime, TimeDelta, Utc};

use crate::api::Source;
use crate::clock::AHEAD;
use crate::forge::event::Event;

/// A time that the forge says, or a minute from `now` where that is later.
pub fn no_later(said: DateTime<Utc>, now: DateTime<Utc>) -> DateTime<Utc> {
    said.min(now + AHEAD)
}

/// An event that comes at `now`, with what it says of a pull request or branch dated a minute later at most.
pub fn dated(mut event: Event, now: DateTime<Utc>) -> Event {
    match &mut event {
        Event::PullRequest { pull, .. } => pull.updated_at = no_later(pull.updated_at, now),
        Event::Branch { branch, .. } => branch.observed_at = no_later(branch.observed_at, now),
        Event::Ping | Event::Comment { .. } | Event::Button { .. } | Event::Again { .. } | Event::Gone { .. } | Event::Ignored { .. } => {}
    }
    event
}

/// What the forge answers, dated over what is recorded where it counts although that claims to be newer: the record is dated in
/// the future, or says otherwise whether the change is of the repository itself, which nothing that happens to a pull request
/// changes. `recorded` is when the record was observed, and whether it counts as foreign.
pub fn over(answer: Source, (observed_at, is_foreign): (DateTime<Utc>, bool), now: DateTime<Utc>) -> Source {
    let counts = observed_at > now + AHEAD || is_foreign != answer.is_foreign();
    if !counts || answer.observed_at > observed_at {
        return answer;
    }
    Source { observed_at: observed_at + TimeDelta::milliseconds(1), ..answer }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::baseline::ForgeKind;
    use crate::forge::PullRequest;
    use crate::forge::event::PullAction;
    use crate::forge::fixtures::pull;

    fn at(text: &str) -> DateTime<Utc> {
        format!("2026-01-02T{text}Z").parse().unwrap()
    }

    #[test]
    fn nothing_is_dated_more_than_a_minute_after_it_came() {
        for (said, dated_at) in [("03:04:05", "03:04:05"), ("12:00:59", "12:00:59"), ("12:01:00", "12:01:00"), ("23:00:00", "12:01:00")] {
            let pull = Box::new(PullRequest { updated_at: at(said), ..pull() });
            let event = Event::PullRequest { forge: ForgeKind::Github, action: PullAction::Opened, pull, sender: "ann".into() };
            let Event::PullRequest { pull, .. } = dated(event, at("12:00:00")) else { panic!("it is another event now") };
            assert_eq!(pull.updated_at, at(dated_at), "{said}");
        }
    }

    #[test]
    fn what_the_forge_answers_counts_over_the_future_and_over_a_lie_about_where_a_change_comes_from() {
        let answer =
            |head| PullRequest { head_repository_id: Some(head), updated_at: at("11:00:00"), ..pull() }.to_source(ForgeKind::Github, None);
        for (case, recorded, head, counts) in [
            ("older", ("10:00:00", false), 7, true),
            ("newer", ("11:30:00", false), 7, false),
            ("a minute ahead", ("12:01:00", false), 7, false),
            ("the future", ("12:01:01", false), 7, true),
            ("a fork that hid", ("11:30:00", false), 8, true),
            ("none that was said to be a fork", ("11:30:00", true), 7, true),
            ("a fork as before", ("11:30:00", true), 8, false),
        ] {
            let (observed, foreign) = recorded;
            let is_newer = over(answer(head), (at(observed), foreign), at("12:00:00")).observed_at > at(observed);
            assert_eq!(is_newer, counts, "{case}");
        }
        let far = over(answer(7), (at("10:00:00"), false), at("12:00:00"));
        assert_eq!(far.observed_at, at("11:00:00"), "what is newer anyway is dated as the forge says");
    }
}
