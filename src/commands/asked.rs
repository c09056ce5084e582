//! What the forge said lately of who may what, and how often it is asked about those who may not. No client, no clock, no logging.
//!
//! Anybody can comment, and each question is one of the few that a forge takes in an hour. So a no is remembered for a moment, and
//! whoever got one leaves most questions to others. A yes counts for the comment that it was asked for, and for no other.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use crate::api::environment::Command;
use crate::forge::Permission;

/// How long an answer holds: a no for all that the account asks for, a yes for what stands in the same comment.
const HOLDS_FOR: TimeDelta = TimeDelta::minutes(1);
/// How long an account counts as one that may not command.
const STRANGE_FOR: TimeDelta = TimeDelta::hours(1);
/// Questions about such accounts of one repository within [`WINDOW`], so that the readers of one leave those of others theirs.
const SPARED: usize = 50;
/// The same of all repositories: 1,200 an hour, with two requests each, of the 5,000 that GitHub takes of an account or an
/// installation.
const SPARED_IN_ALL: usize = 200;
const WINDOW: TimeDelta = TimeDelta::minutes(10);

/// What was heard lately, by the repository's number and the account's login.
#[derive(Debug, Default)]
pub struct Asked(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    heard: HashMap<(i64, String), Heard>,
    /// When was asked about accounts that got a no before, and in which repository.
    spent: VecDeque<(DateTime<Utc>, i64)>,
}

#[derive(Clone, Copy, Debug)]
struct Heard {
    has: Permission,
    at: DateTime<Utc>,
    comment: Option<i64>,
}

impl Asked {
    fn lock<T>(&self, work: impl FnOnce(&mut Known) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What whoever gave the command may do in its repository, where that need not be asked again: it was asked for the same
    /// comment, or it is less than what is needed.
    pub fn recall(&self, command: &Command, needed: Permission, now: DateTime<Utc>) -> Option<Permission> {
        let heard = self.lock(|known| known.heard.get(&key(command)).copied())?;
        let is_same = heard.comment.is_some() && heard.comment == command.comment;
        (now - heard.at < HOLDS_FOR && (is_same || heard.has < needed)).then_some(heard.has)
    }

    /// Whether the forge may be asked about whoever gave the command, which then counts as asked. `commands` is what somebody
    /// needs to command.
    pub fn may_ask(&self, command: &Command, commands: Permission, now: DateTime<Utc>) -> bool {
        self.lock(|known| {
            if known.heard.get(&key(command)).is_none_or(|heard| heard.has >= commands || now - heard.at >= STRANGE_FOR) {
                return true;
            }
            known.spent.retain(|(at, _)| now - *at < WINDOW);
            let here = known.spent.iter().filter(|(_, of)| *of == command.repository_id).count();
            let is_spared = here < SPARED && known.spent.len() < SPARED_IN_ALL;
            if is_spared {
                known.spent.push_back((now, command.repository_id));
            }
            is_spared
        })
    }

    /// Keeps what the forge said of whoever gave the command.
    pub fn hear(&self, command: &Command, has: Permission, now: DateTime<Utc>) {
        self.lock(|known| {
            known.heard.retain(|_, heard| now - heard.at < STRANGE_FOR);
            known.heard.insert(key(command), Heard { has, at: now, comment: command.comment });
        });
    }
}

/// Logins are the same whatever their case.
fn key(command: &Command) -> (i64, String) {
    (command.repository_id, command.actor.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::environment::Verb;
    use crate::commands::order::tests::command;

    fn by(actor: &str, comment: i64) -> Command {
        Command { actor: actor.into(), comment: Some(comment), ..command("1.1", 0, Verb::Pin, &[]) }
    }

    fn second(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
    }

    #[test]
    fn a_no_holds_for_a_minute_and_a_yes_for_one_comment() {
        let (write, read) = (Permission::Write, Permission::Read);
        for (case, has, actor, comment, needed, after, expected) in [
            ("a no", read, "eve", 2, write, 59, Some(read)),
            ("a no, spelled otherwise", read, "Eve", 2, write, 59, Some(read)),
            ("a no of a minute ago", read, "eve", 2, write, 60, None),
            ("another account", read, "bob", 2, write, 1, None),
            ("the same account, for what it may", read, "eve", 2, read, 1, None),
            ("a yes in the same comment", write, "eve", 1, write, 1, Some(write)),
            ("a yes in the next comment", write, "eve", 2, write, 1, None),
            ("a yes in the same comment, long after", write, "eve", 1, write, 60, None),
        ] {
            let asked = Asked::default();
            asked.hear(&by("eve", 1), has, second(0));
            assert_eq!(asked.recall(&by(actor, comment), needed, second(after)), expected, "{case}");
            let elsewhere = Command { repository_id: 8, ..by(actor, comment) };
            assert_eq!(asked.recall(&elsewhere, needed, second(after)), None, "{case}, in another repository");
        }
    }

    #[test]
    fn a_crowd_that_may_not_leaves_the_questions_to_those_who_may() {
        let asked = Asked::default();
        let ask = |actor: &str, has, at| {
            let may = asked.may_ask(&by(actor, at), Permission::Write, second(at));
            if may {
                asked.hear(&by(actor, at), has, second(at));
            }
            may
        };
        let crowd = |from: i64| (0..400).filter(|n| ask(&format!("eve-{}", n % 100), Permission::Read, from + n)).count();
        assert_eq!(crowd(0), 150, "each of a hundred once, and then fifty in ten minutes");
        assert!(ask("ann", Permission::Write, 400) && ask("ann", Permission::Write, 401), "whoever may is asked about as ever");
        assert!(ask("bob", Permission::Read, 402), "and so is whoever nobody knows");
        assert_eq!(crowd(1_100), 50);
        assert!(ask("eve-1", Permission::Write, 6_000), "nobody is a stranger for ever");
    }

    #[test]
    fn a_crowd_of_one_repository_leaves_the_questions_to_the_readers_of_others() {
        let asked = Asked::default();
        let of = |repository_id: i64| Command { repository_id, ..by("eve", 1) };
        let crowd = |repository_id: i64| {
            asked.hear(&of(repository_id), Permission::Read, second(0));
            (0..100).filter(|_| asked.may_ask(&of(repository_id), Permission::Write, second(61))).count()
        };
        let spared: Vec<usize> = (1..=6).map(crowd).collect();
        assert_eq!(spared, [50, 50, 50, 50, 0, 0], "and all of them together leave most to those who may");
    }
}
