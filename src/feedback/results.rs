//! What came of commands. No client, no clock, no logging.

use super::facts::moment;
use super::markdown::{block, code, prose};
use super::section::Fold;
use crate::api::environment::Verb;
use crate::api::status::{CommandOutcome, CommandResult};

/// Commands that are shown.
const SHOWN: usize = 5;
/// Longest sentence, in characters.
const MESSAGE_MAX: usize = 300;
/// Lines of output that are shown of one command.
const OUTPUT_LINES: usize = 50;
/// Longest line of it, in characters.
const OUTPUT_WIDTH: usize = 300;
/// How important the fold is.
const RANK: u8 = 2;

/// The newest result of somebody who may command as a line. What anybody can write is no news of the environment.
pub(super) fn last(results: &[CommandResult]) -> String {
    let last = results.iter().rfind(|result| result.gets_words());
    last.map(|result| format!("\nThe last command, {}\n", line(result))).unwrap_or_default()
}

/// The newest results, each with its output where `logs` may be read; None where the line above says all. What was asked for
/// while they could be read is not shown any more once they cannot.
pub(super) fn fold(results: &[CommandResult], logs: bool) -> Option<Fold> {
    let shown = shown(results);
    let is_more = shown.len() > 1 || shown.iter().any(|result| !result.gets_words() || logs && result.output.is_some());
    let inside = shown.iter().map(|result| entry(result, logs)).collect::<Vec<_>>().join("\n");
    let summary = match shown.as_slice() {
        [one] if one.gets_words() => format!("What {} shows", plain(one)),
        _ => "The last commands".to_owned(),
    };
    is_more.then_some(Fold { summary, inside, rank: RANK })
}

/// The newest first. Of those who may not command only the last one, and beside the others: nobody's answer goes out of sight for it.
fn shown(results: &[CommandResult]) -> Vec<&CommandResult> {
    let mut shown: Vec<_> = results.iter().rev().filter(|result| result.gets_words()).take(SHOWN).collect();
    if let Some(at) = results.iter().rposition(|result| !result.gets_words() && !result.unsaid) {
        let newer = results[at..].iter().filter(|result| result.gets_words()).count();
        shown.insert(newer.min(shown.len()), &results[at]);
    }
    shown
}

fn entry(result: &CommandResult, logs: bool) -> String {
    let when = moment(result.at);
    let output = result.output.as_ref().filter(|_| logs);
    let output = output.map(|output| format!("\n{}", block(output, OUTPUT_LINES, OUTPUT_WIDTH))).unwrap_or_default();
    format!("{when}: {}\n{output}", line(result))
}

/// `` `/preview extend 24h` by `ann`: it lives until 28 Nov.``
fn line(result: &CommandResult) -> String {
    let (asked, actor) = (code(&format!("/preview {}", command(result))), code(&result.actor));
    let message = prose(&result.message, MESSAGE_MAX);
    match (result.outcome, message.as_str()) {
        (CommandOutcome::Done, "") => format!("{asked} by {actor}: done."),
        (CommandOutcome::Done, message) => format!("{asked} by {actor}: {message}"),
        (CommandOutcome::Refused | CommandOutcome::Denied, "") => format!("{asked} by {actor}: refused."),
        (CommandOutcome::Refused | CommandOutcome::Denied, message) => format!("{asked} by {actor}: refused. {message}"),
    }
}

fn command(result: &CommandResult) -> String {
    let verb = match result.verb {
        Verb::Status | Verb::Unknown => "",
        verb => word(verb),
    };
    let words = std::iter::once(verb).chain(result.args.iter().map(String::as_str)).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

fn plain(result: &CommandResult) -> String {
    match result.verb {
        Verb::Unknown => "a command".to_owned(),
        verb => format!("/preview {}", word(verb)),
    }
}

fn word(verb: Verb) -> &'static str {
    match verb {
        Verb::Status => "status",
        Verb::Create => "create",
        Verb::Update => "update",
        Verb::Delete => "delete",
        Verb::Extend => "extend",
        Verb::Pin => "pin",
        Verb::Unpin => "unpin",
        Verb::Logs => "logs",
        Verb::Approve => "approve",
        Verb::Refresh => "refresh",
        Verb::Image => "image",
        Verb::Help => "help",
        Verb::Unknown => "",
    }
}
