//! In which order commands are carried out, and which of them another has overtaken. No client, no clock, no logging.
//!
//! Deliveries come late, twice or in another order. What is remembered of the last commands makes the end the same: what
//! was carried out is not carried out again, and where two contradict each other the later one stands.

use chrono::{DateTime, TimeDelta, Utc};
use kube::ResourceExt;

use crate::api::PreviewEnvironment;
use crate::api::environment::{Command, Verb};
use crate::api::status::{ANYBODYS_KEPT, CommandOutcome, CommandResult, RESULTS_KEPT};
use crate::clock::AHEAD;

/// How long before its environment was made a command may have been given. What is older is a delivery sent again long
/// afterwards; what is younger may have been found late, after an outage.
const BEFORE_CREATION: TimeDelta = TimeDelta::days(1);

/// How long before its object a command may have been given, and no more be asked of it: nobody closes a pull request and reopens it
/// between a comment and its delivery.
const ON_ITS_WAY: TimeDelta = TimeDelta::minutes(1);

/// Where a command stands among others: by its time, and within a second by the comment's number and the place in it.
/// Comments' numbers grow with time, so this is the order of the comments, with buttons between them.
type Place<'a> = (DateTime<Utc>, i64, i64, &'a str);

fn place(id: &str, at: DateTime<Utc>) -> Place<'_> {
    let (comment, place) = id.split_once('.').unwrap_or((id, ""));
    (at, comment.parse().unwrap_or(i64::MAX), place.parse().unwrap_or_default(), id)
}

/// Whether two commands stand in one comment, by their ids.
pub fn is_of_one_comment(a: &str, b: &str) -> bool {
    let comment = |id: &str| id.split_once('.').and_then(|(comment, _)| comment.parse::<i64>().ok());
    comment(a).is_some() && comment(a) == comment(b)
}

/// The command that is next.
pub fn next(commands: &[Command]) -> Option<&Command> {
    commands.iter().min_by(|a, b| place(&a.id, a.at).cmp(&place(&b.id, b.at)))
}

/// Puts commands in their order.
pub fn sort(commands: &mut [Command]) {
    commands.sort_by(|a, b| place(&a.id, a.at).cmp(&place(&b.id, b.at)));
}

/// Whether a command was given before another one.
pub fn is_before(a: &Command, b: &Command) -> bool {
    place(&a.id, a.at) < place(&b.id, b.at)
}

/// The results with one more, in their order, without those that are too many: of those who may command, and of anybody else.
pub fn with(results: &[CommandResult], new: CommandResult) -> Vec<CommandResult> {
    let mut results: Vec<CommandResult> = results.iter().filter(|r| r.id != new.id).cloned().collect();
    results.push(new);
    results.sort_by(|a, b| place(&a.id, a.at).cmp(&place(&b.id, b.at)));
    let anybodys = results.iter().filter(|r| r.is_anybodys()).count();
    let mut surplus = [(results.len() - anybodys).saturating_sub(RESULTS_KEPT), anybodys.saturating_sub(ANYBODYS_KEPT)];
    results.retain(|result| {
        let surplus = &mut surplus[usize::from(result.is_anybodys())];
        let stays = *surplus == 0;
        *surplus = surplus.saturating_sub(1);
        stays
    });
    results
}

/// A point in the order of commands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mark {
    at: DateTime<Utc>,
    id: String,
}

impl Mark {
    /// Whether a command was given before it.
    pub fn is_after(&self, command: &Command) -> bool {
        place(&command.id, command.at) < self.place()
    }

    fn place(&self) -> Place<'_> {
        place(&self.id, self.at)
    }
}

/// The oldest result that is remembered, where older ones may be forgotten. What anybody can write counts for nothing here:
/// else it would make what others gave, and what was lost on its way, pass for carried out.
pub fn horizon(results: &[CommandResult]) -> Option<Mark> {
    let lasting: Vec<Mark> = results.iter().filter(|r| !r.is_anybodys()).map(|r| Mark { at: r.at, id: r.id.clone() }).collect();
    let is_full = lasting.len() >= RESULTS_KEPT;
    lasting.into_iter().min_by(|a, b| a.place().cmp(&b.place())).filter(|_| is_full)
}

/// What was given before that was not for this environment but for another one of its name, which is gone. An environment
/// begins with the first command that it knows, where that was given before it was made.
pub fn began(object: &PreviewEnvironment) -> Option<Mark> {
    // After all of the second in which it was made.
    let made = Mark { at: made(object)?, id: String::new() };
    let results = object.status.iter().flat_map(|status| &status.commands).map(|r| Mark { at: r.at, id: r.id.clone() });
    let held = object.spec.commands.iter().map(|c| Mark { at: c.at, id: c.id.clone() });
    held.chain(results).chain([made]).min_by(|a, b| a.place().cmp(&b.place()))
}

/// When an environment was made, by the API server's clock.
pub fn made(object: &PreviewEnvironment) -> Option<DateTime<Utc>> {
    object.creation_timestamp().and_then(|t| DateTime::from_timestamp(t.0.as_second(), 0))
}

/// Whether a command was given before its object was made, and did not make it with its own delivery. It was heard of late then,
/// or what came of it has gone with an object before, together with its pull request.
pub fn is_late(command: &Command, object: &PreviewEnvironment) -> bool {
    let is_found = command.comment.is_some() && command.delivery.is_none();
    made(object).is_some_and(|made| made - command.at > ON_ITS_WAY || is_found && command.at - made <= AHEAD)
}

/// What is known of a command from before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Known {
    /// Nothing: it is to be carried out.
    New,
    /// It was carried out, or refused.
    Done,
    /// It is older than all that is remembered, so it may have been.
    TooOld,
}

/// Whether a command is to be carried out at all.
pub fn known(command: &Command, results: &[CommandResult], created_at: Option<DateTime<Utc>>) -> Known {
    if results.iter().any(|r| r.id == command.id) {
        Known::Done
    } else if horizon(results).is_some_and(|oldest| oldest.is_after(command))
        || created_at.is_some_and(|made| made - command.at > BEFORE_CREATION)
    {
        Known::TooOld
    } else {
        Known::New
    }
}

/// The later command that undoes what this one asks for, if one was carried out already.
pub fn overtaken<'a>(command: &Command, results: &'a [CommandResult]) -> Option<&'a CommandResult> {
    let later = |r: &&CommandResult| r.outcome == CommandOutcome::Done && place(&r.id, r.at) > place(&command.id, command.at);
    results.iter().filter(later).find(|r| contradict(command.verb, r.verb))
}

/// Whether of two verbs only the later one can stand.
fn contradict(a: Verb, b: Verb) -> bool {
    let subject = |verb| match verb {
        Verb::Create | Verb::Delete => Some("wish"),
        Verb::Pin | Verb::Unpin => Some("pin"),
        _ => None,
    };
    subject(a).is_some() && subject(a) == subject(b)
}

/// The later command that gave another tag to an image; `is_it` knows the image by what stands before the `=`.
pub fn retagged(command: &Command, results: &[CommandResult], is_it: impl Fn(&str) -> bool) -> bool {
    let later = |r: &&CommandResult| {
        r.verb == Verb::Image && r.outcome == CommandOutcome::Done && place(&r.id, r.at) > place(&command.id, command.at)
    };
    let named = |r: &CommandResult| r.args.iter().any(|arg| arg.split_once('=').is_some_and(|(name, _)| is_it(name)));
    results.iter().filter(later).any(named)
}

/// The extensions that were given, in their order, with this one.
pub fn extensions<'a>(command: &'a Command, results: &'a [CommandResult]) -> Vec<(DateTime<Utc>, Option<&'a str>)> {
    let done = results.iter().filter(|r| r.verb == Verb::Extend && r.outcome == CommandOutcome::Done && r.id != command.id);
    let mut all: Vec<(Place<'_>, Option<&str>)> = done.map(|r| (place(&r.id, r.at), r.args.first().map(String::as_str))).collect();
    all.push((place(&command.id, command.at), command.args.first().map(String::as_str)));
    all.sort();
    all.into_iter().map(|(place, span)| (place.0, span)).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use serde_json::json;

    pub(in crate::commands) fn command(id: &str, second: i64, verb: Verb, args: &[&str]) -> Command {
        let at = DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap();
        let value = json!({"id": id, "verb": verb, "args": args, "actor": "ann", "at": at, "forge": "github", "repositoryId": 7,
            "repository": "acme/web", "pull": 42});
        serde_json::from_value(value).unwrap()
    }

    pub(in crate::commands) fn result(command: &Command, outcome: CommandOutcome) -> CommandResult {
        CommandResult::of(command, outcome)
    }

    fn done(id: &str, second: i64, verb: Verb) -> CommandResult {
        result(&command(id, second, verb, &[]), CommandOutcome::Done)
    }

    #[test]
    fn comments_go_by_number_and_place_and_buttons_by_time() {
        let mut left = vec![
            command("1002.1", 5, Verb::Pin, &[]),
            command("1001.10", 5, Verb::Pin, &[]),
            command("1001.9", 5, Verb::Pin, &[]),
            command("button.x", 4, Verb::Delete, &[]),
            command("999.1", 3, Verb::Pin, &[]),
        ];
        let mut order = Vec::new();
        while let Some(id) = next(&left).map(|c| c.id.clone()) {
            left.retain(|c| c.id != id);
            order.push(id);
        }
        assert_eq!(order, ["999.1", "button.x", "1001.9", "1001.10", "1002.1"]);
    }

    #[test]
    fn lines_of_one_comment_are_told_by_its_number() {
        for (a, b, expected) in [("7.1", "7.2", true), ("7.1", "8.1", false), ("button.x", "button.x", false), ("7", "7", false)] {
            assert_eq!(is_of_one_comment(a, b), expected, "{a} {b}");
        }
    }

    #[test]
    fn the_last_twenty_are_remembered_and_what_is_older_is_not_done_again() {
        let mut results = Vec::new();
        for n in (0..25).rev() {
            results = with(&results, done(&format!("{}.1", 100 + n), n, Verb::Pin));
        }
        assert_eq!((results.len(), results[0].id.as_str(), results[19].id.as_str()), (20, "105.1", "124.1"));
        assert_eq!(with(&results, results[3].clone()), results, "the same once more");
        for (id, second, expected) in [("105.1", 5, Known::Done), ("104.1", 4, Known::TooOld), ("105.2", 5, Known::New)] {
            assert_eq!(known(&command(id, second, Verb::Pin, &[]), &results, None), expected, "{id}");
        }
        assert_eq!(known(&command("1.1", 0, Verb::Pin, &[]), &results[1..], None), Known::New, "a list that is not full forgot nothing");
    }

    #[test]
    fn whoever_may_not_neither_takes_a_place_nor_moves_what_is_forgotten() {
        let full = (0..20).fold(Vec::new(), |results, n| with(&results, done(&format!("{}.1", 100 + n), n, Verb::Pin)));
        let loud = (0..50).map(|n| {
            let verb = [Verb::Delete, Verb::Status, Verb::Help, Verb::Unknown][usize::try_from(n % 4).unwrap()];
            let outcome = if verb == Verb::Delete { CommandOutcome::Denied } else { CommandOutcome::Done };
            result(&command(&format!("{}.1", 200 + n), 50 + n, verb, &[]), outcome)
        });
        let results = loud.clone().fold(full.clone(), |results, new| with(&results, new));
        assert_eq!((&results[..20], results.len()), (&full[..], 25), "theirs are the last five, beside those of who may");
        assert_eq!(results[24].id, "249.1");
        let lost = command("99.1", 40, Verb::Pin, &[]);
        assert_eq!(known(&lost, &results, None), Known::New, "one that was lost is not among the forgotten");
        let alone = loud.fold(Vec::new(), |results, new| with(&results, new));
        assert_eq!((alone.len(), horizon(&alone)), (5, None));
    }

    #[test]
    fn what_was_said_long_before_the_environment_was_made_is_not_for_it() {
        let command = command("1.1", 0, Verb::Delete, &[]);
        for (made, expected) in [(TimeDelta::hours(23), Known::New), (TimeDelta::hours(25), Known::TooOld)] {
            assert_eq!(known(&command, &[], Some(command.at + made)), expected, "{made}");
        }
    }

    #[test]
    fn an_environment_begins_with_the_first_command_that_it_knows() {
        let environment = |held: &[Command], results: &[CommandResult]| -> PreviewEnvironment {
            serde_json::from_value(json!({"apiVersion": "preview-env.dev/v1alpha1", "kind": "PreviewEnvironment",
                "metadata": {"name": "web-pr-42", "creationTimestamp": "2027-01-15T08:00:10Z"},
                "spec": {"baseline": "main", "commands": held}, "status": {"commands": results}}))
            .unwrap()
        };
        let (five, late) = (command("105.1", 5, Verb::Create, &[]), command("111.1", 11, Verb::Pin, &[]));
        for (case, held, results, begins_after) in [
            ("it knows none", vec![], vec![], vec!["104.1", "105.1", "106.1", "110.1"]),
            ("one that is held", vec![five.clone()], vec![], vec!["104.1"]),
            ("one that was carried out", vec![late.clone()], vec![result(&five, CommandOutcome::Done)], vec!["104.1"]),
            ("one that was given later", vec![late], vec![], vec!["104.1", "105.1", "106.1", "110.1"]),
        ] {
            let began = began(&environment(&held, &results)).unwrap();
            let all = [("104.1", 5), ("105.1", 5), ("106.1", 5), ("110.1", 10), ("111.1", 11)];
            let before = all.into_iter().filter(|(id, second)| began.is_after(&command(id, *second, Verb::Pin, &[])));
            assert_eq!(before.map(|(id, _)| id).collect::<Vec<_>>(), begins_after, "{case}");
        }
    }

    #[test]
    fn of_two_that_contradict_each_other_the_later_one_stands() {
        let results = [done("5.1", 5, Verb::Unpin), done("6.1", 6, Verb::Delete), done("7.1", 7, Verb::Extend)];
        let overtaken = |id, second, verb| overtaken(&command(id, second, verb, &[]), &results).map(|r| r.id.as_str());
        assert_eq!(overtaken("4.1", 4, Verb::Pin), Some("5.1"));
        assert_eq!(overtaken("5.2", 5, Verb::Pin), None, "it is the later one of the same comment");
        assert_eq!(overtaken("4.1", 4, Verb::Create), Some("6.1"));
        assert_eq!(overtaken("4.1", 4, Verb::Extend), None, "extensions add up");
        let refused = [result(&command("5.1", 5, Verb::Unpin, &[]), CommandOutcome::Refused)];
        assert_eq!(super::overtaken(&command("4.1", 4, Verb::Pin, &[]), &refused), None);
    }

    #[test]
    fn images_are_overtaken_one_by_one() {
        let later = result(&command("5.1", 5, Verb::Image, &["web=b"]), CommandOutcome::Done);
        let first = command("4.1", 4, Verb::Image, &["web=a"]);
        let later = std::slice::from_ref(&later);
        assert!(retagged(&first, later, |name| name == "web"));
        assert!(!retagged(&first, later, |name| name == "api"));
    }
}
