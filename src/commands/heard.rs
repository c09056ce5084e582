//! Which commands were heard before, whatever became of the objects that held them. No client, no clock, no logging.
//!
//! What came of a command is in its environment. Where none is, the object that held the command goes once its answer is told, and a
//! look, or a delivery that comes twice, would bring a command of which nobody knows anything.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use crate::api::PreviewEnvironment;
use crate::api::environment::Command;

/// Commands of a repository that are known to have come to their end. A look takes each comment once, so this has to last from one
/// look to the next, and for what is delivered twice.
const KEPT: usize = 1_000;
/// How far the clocks of the forge and of whoever led may be apart.
const CLOCKS_APART: TimeDelta = TimeDelta::minutes(1);

/// Where a command belongs: namespace and name of its environment.
pub type Place<'a> = (&'a str, &'a str);

/// What whoever leads knows of it, for one term.
#[derive(Debug, Default)]
pub struct Heard {
    /// Until when somebody led before, by the Lease.
    led_before: Option<DateTime<Utc>>,
    /// By the repository's number, the newest last.
    ended: Mutex<HashMap<i64, VecDeque<Ended>>>,
}

#[derive(Debug)]
struct Ended {
    namespace: String,
    environment: String,
    id: String,
    comment: Option<i64>,
    /// Whether it was carried out or refused, and not passed over.
    is_answered: bool,
}

impl Ended {
    fn is(&self, (namespace, environment): Place<'_>, id: &str) -> bool {
        self.id == id && self.environment == environment && self.namespace == namespace
    }
}

impl Heard {
    /// Nothing was heard in this term, and somebody led until then.
    pub fn new(led_before: Option<DateTime<Utc>>) -> Self {
        Self { led_before, ended: Mutex::default() }
    }

    fn lock<T>(&self, work: impl FnOnce(&mut HashMap<i64, VecDeque<Ended>>) -> T) -> T {
        work(&mut self.ended.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Keeps that a command came to its end: that it was carried out or refused, or else that it was passed over.
    pub fn end(&self, place: Place<'_>, command: &Command, is_answered: bool) {
        let (namespace, environment) = (place.0.to_owned(), place.1.to_owned());
        let new = Ended { namespace, environment, id: command.id.clone(), comment: command.comment, is_answered };
        self.lock(|of| {
            let ended = of.entry(command.repository_id).or_default();
            if ended.iter().any(|known| known.is(place, &command.id)) {
                return;
            }
            if ended.len() == KEPT {
                ended.pop_front();
            }
            ended.push_back(new);
        });
    }

    /// Whether a command came to its end there in this term.
    pub fn has_ended(&self, place: Place<'_>, command: &Command) -> bool {
        self.lock(|of| of.get(&command.repository_id).is_some_and(|ended| ended.iter().any(|known| known.is(place, &command.id))))
    }

    /// Whether a command of the same comment was answered in this term, for whichever environment.
    pub fn has_answered(&self, command: &Command) -> bool {
        let is_of_it = |known: &Ended| known.is_answered && known.comment.is_some() && known.comment == command.comment;
        self.lock(|of| of.get(&command.repository_id).is_some_and(|ended| ended.iter().any(is_of_it)))
    }

    /// Whether somebody led when a command was given, before this term, and may have answered it.
    pub fn is_from_before(&self, command: &Command) -> bool {
        self.led_before.is_some_and(|led| command.at - led < CLOCKS_APART)
    }
}

/// Where an object's commands belong.
pub(super) fn place(object: &PreviewEnvironment) -> Place<'_> {
    (object.metadata.namespace.as_deref().unwrap_or_default(), object.metadata.name.as_deref().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::environment::Verb;
    use crate::commands::order::tests::command;

    const WEB: Place<'static> = ("shop", "web-pr-42");
    const OTHER: Place<'static> = ("eu", "web-pr-42");

    fn given(id: &str, comment: i64) -> Command {
        Command { comment: Some(comment), ..command(id, 0, Verb::Extend, &[]) }
    }

    #[test]
    fn what_ended_is_known_for_its_environment_and_repository_alone() {
        let heard = Heard::default();
        let one = given("1001.1", 1001);
        heard.end(WEB, &one, true);
        for (case, place, command, expected) in [
            ("the same", WEB, one.clone(), true),
            ("for another Baseline's environment", OTHER, one.clone(), false),
            ("the next line of the comment", WEB, given("1001.2", 1001), false),
            ("in another repository", WEB, Command { repository_id: 8, ..one }, false),
        ] {
            assert_eq!(heard.has_ended(place, &command), expected, "{case}");
        }
    }

    #[test]
    fn what_was_passed_over_has_ended_and_is_no_answer() {
        let (heard, one) = (Heard::default(), given("1001.1", 1001));
        heard.end(WEB, &one, false);
        assert_eq!((heard.has_ended(WEB, &one), heard.has_answered(&one)), (true, false));
        heard.end(OTHER, &one, true);
        assert!(heard.has_answered(&given("1001.2", 1001)));
        let button = Command { comment: None, ..command("button.x", 0, Verb::Extend, &[]) };
        heard.end(WEB, &button, true);
        assert!(!heard.has_answered(&Command { id: "button.y".into(), ..button }));
    }

    #[test]
    fn of_each_repository_the_last_thousand_are_kept() {
        let heard = Heard::default();
        let other = Command { repository_id: 8, ..given("1.1", 1) };
        heard.end(WEB, &other, true);
        let id = |n: i64| given(&format!("{n}.1"), n);
        (1..=1_001).for_each(|n| heard.end(WEB, &id(n), true));
        heard.end(WEB, &id(1_001), true);
        let kept = [1, 2, 1_001].map(|n| heard.has_ended(WEB, &id(n)));
        assert_eq!((kept, heard.has_ended(WEB, &other)), ([false, true, true], true));
    }

    #[test]
    fn whoever_led_when_it_was_given_may_have_answered_it() {
        let at = given("1.1", 1).at;
        for (led_before, expected) in [(None, false), (Some(-60), false), (Some(-59), true), (Some(0), true), (Some(3_600), true)] {
            let heard = Heard::new(led_before.map(|seconds| at + TimeDelta::seconds(seconds)));
            assert_eq!(heard.is_from_before(&given("1.1", 1)), expected, "{led_before:?}");
        }
    }
}
