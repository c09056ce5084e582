//! What a command comes to: the parts of spec that it writes, or why it is refused. No client, no clock, no logging.
//!
//! Every effect follows from what is recorded, so the same command carried out twice has the effect of once.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::images;
use super::logs;
use super::order;
use super::parse::VERBS;
use crate::api;
use crate::api::PreviewEnvironment;
use crate::api::baseline::Forks;
use crate::api::conditions::{CLOSING, ConditionStatus, WANTED, find};
use crate::api::environment::{Command, SourceState, Verb, WishState};
use crate::api::names::{MANAGER_APPROVAL, MANAGER_EXTENSION, MANAGER_PIN, MANAGER_REFRESH, MANAGER_WISH};
use crate::api::status::CommandResult;
use crate::clock::AHEAD;
use crate::domain::lifetime::parse_ttl;
use crate::domain::{Baseline, Revision, nearest};
use crate::forge::PullRequest;

/// How long an extension is where none is given.
const EXTENSION: &str = "24h";
/// How long an environment can be kept by one command, from the command on.
pub const EXTENSION_MAX: TimeDelta = TimeDelta::days(30);
/// The shortest beginning of a commit's name that names it, where our comment showed the commit when the command was written.
const SHA_MIN: usize = 7;
/// How long the comment has to have shown a commit before: nobody reads it faster, and by so much may what is known of the
/// forge's clock be wrong. In doubt it was not shown.
const READING: TimeDelta = TimeDelta::seconds(5);
/// The shortest one that names it by itself. A fork's author can make commits until seven digits are those of another one, and
/// push that between reading and approving; twelve digits take a million times as many.
pub const SHA_ALONE: usize = 12;

/// Everything that an effect follows from.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    /// The command.
    pub command: &'a Command,
    /// The environment as it is recorded.
    pub object: &'a PreviewEnvironment,
    /// Its Baseline.
    pub baseline: &'a Baseline,
    /// What came of the commands before.
    pub results: &'a [CommandResult],
    /// The pull request as the forge described it just now, where it was asked.
    pub pull: Option<&'a PullRequest>,
    /// The present, by the API server's clock.
    pub now: DateTime<Utc>,
}

/// A part of spec, with the field manager that owns it.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// The field manager.
    pub manager: String,
    /// The field of spec.
    pub field: &'static str,
    /// What it is to hold.
    pub value: Value,
}

/// What a command comes to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Effect {
    /// What is written, in this order.
    pub parts: Vec<Part>,
    /// What it leads to, as a sentence.
    pub message: String,
}

/// Why a command is not carried out, as a sentence with the way out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal(pub String);

type Verdict = Result<Effect, Refusal>;

pub(super) fn refuse<T>(why: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal(why.into()))
}

fn said(message: impl Into<String>) -> Effect {
    Effect { parts: Vec::new(), message: message.into() }
}

fn part(manager: &str, field: &'static str, value: Value, message: impl Into<String>) -> Effect {
    Effect { parts: vec![Part { manager: manager.to_owned(), field, value }], message: message.into() }
}

/// Whether the forge has to say how the pull request is before the command can be carried out.
pub fn needs_pull(command: &Command, object: &PreviewEnvironment) -> bool {
    match command.verb {
        Verb::Update | Verb::Approve => true,
        // What is recorded says enough, unless it says nothing or something that may be over.
        Verb::Create | Verb::Delete => source_of(command, object).is_none_or(|s| s.state != SourceState::Open),
        Verb::Help | Verb::Unknown => false,
        // Where nothing is recorded, what can be done depends on it.
        _ => source_of(command, object).is_none(),
    }
}

/// Refuses what needs nothing but to be read: a word that is no verb, and words too many or too few.
pub fn well_formed(command: &Command) -> Result<(), Refusal> {
    let (least, most, form) = match command.verb {
        Verb::Unknown => return Err(unknown(command)),
        Verb::Extend => (0, 1, "/preview extend 24h"),
        Verb::Logs => (1, 2, "/preview logs <service>"),
        Verb::Approve => (0, 1, "/preview approve <commit>"),
        Verb::Refresh => (0, 1, "/preview refresh, or /preview refresh reset"),
        Verb::Image => (1, 8, "/preview image <name>=<tag>"),
        Verb::Help => (0, 8, "/preview help"),
        verb => (0, 0, word(verb)),
    };
    if (least..=most).contains(&command.args.len()) {
        return Ok(());
    }
    refuse(if most == 0 {
        format!("Nothing was done: {form} takes no words behind it.")
    } else {
        format!("Nothing was done: write it as {form}.")
    })
}

fn word(verb: Verb) -> &'static str {
    match verb {
        Verb::Status => "/preview",
        Verb::Create => "/preview create",
        Verb::Update => "/preview update",
        Verb::Delete => "/preview delete",
        Verb::Pin => "/preview pin",
        Verb::Unpin => "/preview unpin",
        _ => "/preview help",
    }
}

fn unknown(command: &Command) -> Refusal {
    Refusal(match command.args.first() {
        None => "The line holds characters that nobody can see; type it again.".to_owned(),
        Some(typed) => match nearest(typed, VERBS.iter().map(|(name, _)| *name)) {
            Some(near) => format!("There is no such command. Did you mean /preview {near}?"),
            None => "There is no such command. /preview help lists them.".to_owned(),
        },
    })
}

/// What a command comes to. One that asks for logs is answered elsewhere: it writes nothing.
pub fn effect(case: &Case<'_>) -> Verdict {
    well_formed(case.command)?;
    case.is_of_this_one()?;
    match case.command.verb {
        Verb::Status if source_of(case.command, case.object).is_none() => Ok(said(case.none_here())),
        Verb::Status => Ok(said(status())),
        Verb::Help => Ok(said(help(case))),
        Verb::Create => create(case),
        Verb::Delete => Ok(delete(case)),
        Verb::Update => update(case),
        Verb::Refresh => refresh(case),
        Verb::Extend => extend(case),
        Verb::Pin | Verb::Unpin => pin(case),
        Verb::Image => image(case),
        Verb::Approve => approve(case),
        Verb::Logs => case.wanted().map(|_| Effect::default()),
        Verb::Unknown => Err(unknown(case.command)),
    }
}

/// Whether a command makes sense only where an environment is recorded.
pub fn needs_environment(verb: Verb) -> bool {
    !verb.is_anybodys() && !matches!(verb, Verb::Create | Verb::Delete)
}

/// The fact of the command's own pull request.
pub fn source_of<'a>(command: &Command, object: &'a PreviewEnvironment) -> Option<&'a api::Source> {
    let is_it = |s: &&api::Source| s.forge == command.forge && s.repository_id == command.repository_id && s.pull == Some(command.pull);
    object.spec.sources.iter().find(is_it)
}

impl Case<'_> {
    /// As the cluster names who asked.
    fn actor(&self) -> String {
        actor(self.command)
    }

    /// Refuses a button that was shown for an environment that is gone: its press can be heard of days later, and what was made
    /// anew since is nothing that anybody pressed a button of.
    fn is_of_this_one(&self) -> Result<(), Refusal> {
        let Some(shown) = self.command.made_at else { return Ok(()) };
        let made = self.object.status.as_ref().and_then(|status| status.started_at);
        // A check tells it to the second.
        if made.is_some_and(|made| made.timestamp() == shown.timestamp()) {
            return Ok(());
        }
        refuse("The environment that this button was shown for is gone. Press the one beside the newest check, or write it as a comment.")
    }

    /// When the command counts as given over what is recorded of that time; nothing, where that is later. What is recorded
    /// never goes back, so what is dated in the future is overruled by a moment more.
    fn over(&self, recorded: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
        let at = self.command.at;
        match recorded.filter(|recorded| *recorded > at) {
            Some(recorded) if recorded > self.now + AHEAD => Some(recorded + TimeDelta::milliseconds(1)),
            later => later.is_none().then_some(at),
        }
    }

    /// A wish, unless something later was wished for already.
    fn wish(&self, state: WishState, message: String) -> Effect {
        let at = self.over(self.object.spec.wish.as_ref().map(|wish| wish.at));
        match at.filter(|_| order::overtaken(self.command, self.results).is_none()) {
            None => said("What was asked for after it stands."),
            Some(at) => part(MANAGER_WISH, "wish", json!({"state": state, "actor": self.actor(), "at": at}), message),
        }
    }
}

/// As the cluster names who gave a command.
pub fn actor(command: &Command) -> String {
    format!("{}:{}", command.forge.as_str(), command.actor)
}

fn state(case: &Case<'_>) -> Option<SourceState> {
    let recorded = source_of(case.command, case.object).map(|s| s.state);
    case.pull.map(|pull| pull.state).or(recorded)
}

fn is_open(case: &Case<'_>) -> bool {
    state(case) == Some(SourceState::Open)
}

/// Why nothing is done for a pull request that is not open.
pub(super) fn not_open(state: SourceState) -> &'static str {
    if state == SourceState::Merged { "The pull request is merged." } else { "The pull request is not open. Reopen it first." }
}

fn create(case: &Case<'_>) -> Verdict {
    if !is_open(case) {
        return refuse(not_open(state(case).unwrap_or(SourceState::Gone)));
    }
    let source = source_of(case.command, case.object);
    let head = case.pull.map(|p| (p.head_repository_id, p.revision.to_string()));
    let recorded = || source.map(|s| (s.head_repository_id, s.revision.clone()));
    let foreign = head.or_else(recorded).filter(|(head, _)| *head != Some(case.command.repository_id));
    let message = match (foreign, case.baseline.trust.forks) {
        (None, _) => "it is on its way.".to_owned(),
        (Some(_), Forks::Deny) => return refuse("It comes from a fork, and the Baseline runs none (trust.forks)."),
        (Some((_, sha)), Forks::Approve) => {
            format!("it comes from a fork: look at it, and then /preview approve {sha} lets it run.")
        }
        (Some(_), Forks::Isolated) => "it is on its way, without Secrets and without a way out, since it comes from a fork.".to_owned(),
    };
    Ok(case.wish(WishState::Present, message))
}

/// Recorded even where nothing is there: an event that comes later must not bring it up.
fn delete(case: &Case<'_>) -> Effect {
    if !is_open(case) {
        let wanted = case.object.status.as_ref().and_then(|status| find(&status.conditions, WANTED));
        return match wanted.filter(|wanted| wanted.status == ConditionStatus::True && wanted.reason == CLOSING) {
            Some(_) => case.wish(WishState::Absent, "it is taken down now, and does not stay for the rest of its grace.".to_owned()),
            None => said("there is nothing to take down: the pull request is not open."),
        };
    }
    case.wish(WishState::Absent, "it is taken down, and a push does not bring it back. /preview create does.".to_owned())
}

fn update(case: &Case<'_>) -> Verdict {
    let stands = case.wanted()?;
    if !is_open(case) {
        return refuse(not_open(state(case).unwrap_or(SourceState::Gone)));
    }
    let revision = case.pull.map(|pull| pull.revision.short().to_owned()).unwrap_or_default();
    Ok(refreshed(case, false, stands.of_the_head(format!("it is brought up to {revision} and to its baseline."))))
}

fn refresh(case: &Case<'_>) -> Verdict {
    let stands = case.wanted()?;
    match case.command.args.first().map(|arg| arg.trim_start_matches('-').to_ascii_lowercase()).as_deref() {
        None => Ok(refreshed(case, false, stands.of_all("it is brought up to its baseline.".to_owned()))),
        Some("reset") => Ok(refreshed(case, true, stands.of_all("its volumes are emptied, and its hooks run again.".to_owned()))),
        Some(_) => refuse("Nothing was done: write it as /preview refresh, or /preview refresh reset."),
    }
}

/// A reset that was asked for before and is not carried out yet is carried out with this one.
fn refreshed(case: &Case<'_>, reset: bool, message: String) -> Effect {
    let held = case.object.spec.refresh.as_ref();
    let Some(at) = case.over(held.map(|held| held.at)) else { return said("A later refresh stands.") };
    let done = case.object.status.as_ref().and_then(|status| status.refreshed_at);
    let waits = held.is_some_and(|held| held.reset && done.is_none_or(|done| done < held.at));
    // Of one second, and so taken for the same: what empties the volumes has to be another one.
    let is_more = reset && held.is_some_and(|held| held.at == at && !held.reset);
    let at = if is_more { at + TimeDelta::milliseconds(1) } else { at };
    part(MANAGER_REFRESH, "refresh", json!({"at": at, "actor": case.actor(), "reset": reset || waits}), message)
}

/// Each extension counts from the end that its own command, which is activity too, gives the environment. What comes out is
/// computed from all extensions that are known, so it is the same in whatever order they come.
fn extend(case: &Case<'_>) -> Verdict {
    let stands = case.wanted()?;
    let span = case.command.args.first().map_or(EXTENSION, String::as_str);
    if let Err(why) = parse_ttl(span) {
        return refuse(format!("{}.", capital(&why.to_string())));
    }
    let lifetime = case.object.spec.lifetime.as_ref();
    let own = lifetime.and_then(|l| l.ttl.as_deref()).and_then(|ttl| parse_ttl(ttl).ok());
    let ttl = TimeDelta::from_std(own.unwrap_or(case.baseline.ttl)).unwrap_or(EXTENSION_MAX);
    let mut until = None;
    for (at, span) in order::extensions(case.command, case.results).into_iter().filter(|(at, _)| !ended_since(case, *at)) {
        let Some(span) = parse_ttl(span.unwrap_or(EXTENSION)).ok().and_then(|span| TimeDelta::from_std(span).ok()) else { continue };
        let base = until.map_or(at + ttl, |until: DateTime<Utc>| until.max(at + ttl));
        until = Some((base + span).min(at + EXTENSION_MAX).max(base));
    }
    let recorded = lifetime.and_then(|l| l.extended_until);
    let Some(until) = until.max(recorded) else { return Ok(said("The pull request was closed since.")) };
    let moment = |at: DateTime<Utc>| at.format("%-d %b, %H:%M UTC").to_string();
    let message = match longest(case.object, case.baseline).filter(|end| *end < until) {
        Some(end) => format!("it lives until {}, which is as long as lifetime.max lets one be.", moment(end)),
        None => format!("it lives until {} at least.", moment(until)),
    };
    Ok(part(MANAGER_EXTENSION, "lifetime", json!({"extendedUntil": until}), stands.of_all(message)))
}

/// Whether its pull request was closed after that moment, and reopened. No pin and no extension outlives that.
fn ended_since(case: &Case<'_>, at: DateTime<Utc>) -> bool {
    case.object.status.as_ref().and_then(|status| status.ended_at).is_some_and(|ended| at <= ended)
}

/// When it ends whatever is asked for, if the Baseline says so.
pub fn longest(object: &PreviewEnvironment, baseline: &Baseline) -> Option<DateTime<Utc>> {
    let started_at = object.status.as_ref()?.started_at?;
    started_at.checked_add_signed(TimeDelta::from_std(baseline.max?).ok()?)
}

fn pin(case: &Case<'_>) -> Verdict {
    let stands = case.wanted()?;
    if order::overtaken(case.command, case.results).is_some() {
        return Ok(said("What was asked for after it stands."));
    }
    if ended_since(case, case.command.at) {
        return Ok(said("The pull request was closed since."));
    }
    let pinned = case.command.verb == Verb::Pin;
    let message = if pinned { lives(case) } else { "it expires again as others do.".to_owned() };
    Ok(part(MANAGER_PIN, "lifetime", json!({"pinned": pinned}), stands.of_all(message)))
}

/// Until when one lives that is pinned. How many others are pinned is not known here, but where its own pin did not hold before.
fn lives(case: &Case<'_>) -> String {
    let most = case.baseline.limits.pinned;
    match case.object.status.as_ref().and_then(|status| status.pinned) {
        Some(true) => "it lives until the pull request is closed.".to_owned(),
        Some(false) => format!("as many are pinned as limits.pinned allows ({most}), so it expires as others do until another one goes."),
        None => format!("it lives until the pull request is closed, as long as no more than {most} are pinned (limits.pinned)."),
    }
}

fn image(case: &Case<'_>) -> Verdict {
    let stands = case.wanted()?;
    let mut effect = said("");
    let mut now = Vec::new();
    for arg in &case.command.args {
        let (name, tag) = images::asked(arg, case.baseline, case.object).map_err(Refusal)?;
        let same = |typed: &str| images::named(typed, case.baseline, case.object).is_ok_and(|other| other == name);
        if order::retagged(case.command, case.results, same) {
            continue;
        }
        now.push(format!("{name}:{tag}"));
        effect.parts.push(images::part(&name, &tag));
    }
    effect.message = if now.is_empty() {
        "What was asked for after it stands.".to_owned()
    } else {
        stands.of_all(format!("it runs {}.", now.join(" and ")))
    };
    Ok(effect)
}

/// One commit of a fork may run: the one that was meant, which has to be the one that is there now.
fn approve(case: &Case<'_>) -> Verdict {
    case.there()?;
    let Some(pull) = case.pull else { return refuse("The forge did not say what the pull request is at.") };
    if pull.state != SourceState::Open {
        return refuse(not_open(pull.state));
    }
    if pull.head_repository_id == Some(pull.repository_id) {
        return refuse("It is no fork: the change is in the repository itself and needs no approval.");
    }
    match case.baseline.trust.forks {
        Forks::Approve => {}
        Forks::Deny => return refuse("The Baseline runs no forks, whoever approves (trust.forks)."),
        Forks::Isolated => return refuse("Forks run isolated here and need no approval (trust.forks)."),
    }
    is_meant(case, &pull.revision)?;
    let value = json!({"revision": pull.revision.as_str(), "actor": case.actor(), "at": case.command.at});
    Ok(part(MANAGER_APPROVAL, "approval", value, format!("{} may run. The next push asks again.", pull.revision.short())))
}

/// A name that is long enough counts by itself. A shorter one counts, and so does none at all, only for what our comment showed
/// when the approval was written.
fn is_meant(case: &Case<'_>, head: &Revision) -> Result<(), Refusal> {
    let sha = head.as_str();
    let shows = case.object.status.as_ref().and_then(|s| s.feedback.as_ref()?.shows.as_ref());
    let seen = shows.is_some_and(|shown| shown.revision == sha && shown.since + READING <= case.command.at);
    let named = case.command.args.first().map(|arg| arg.to_ascii_lowercase());
    match named {
        Some(named) if named.len() < SHA_MIN || !named.bytes().all(|b| b.is_ascii_hexdigit()) => {
            refuse(format!("That names no commit: look at the last one, and then write /preview approve {sha}."))
        }
        Some(named) if !sha.starts_with(&named) => {
            refuse(format!("The pull request is at another commit now: look at it, and then write /preview approve {sha}."))
        }
        Some(named) if named.len() >= SHA_ALONE || seen => Ok(()),
        Some(_) => refuse(format!(
            "Another commit can be made to begin so, and this one was not shown here when that was written: look at it, and then write \
             /preview approve {sha}."
        )),
        None if seen => Ok(()),
        None => refuse(format!("Name the commit that you looked at: /preview approve {sha}.")),
    }
}

/// The comment says how it is for as long as it is so, and what came of a command stays as it was said.
fn status() -> String {
    "how it is stands above, and is kept up to date.".to_owned()
}

fn help(case: &Case<'_>) -> String {
    // What would be refused is no help.
    let is_of_use = |verb: Verb| match verb {
        Verb::Logs => logs::may_be_shown(case.command, case.baseline),
        Verb::Approve => case.baseline.trust.forks == Forks::Approve,
        _ => true,
    };
    let names: Vec<&str> = VERBS.iter().filter(|(_, verb)| is_of_use(*verb)).map(|(name, _)| *name).collect();
    format!("/preview, followed by one of {}, on a line of its own.", names.join(", "))
}

/// With a capital letter at its beginning.
pub(super) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

#[cfg(test)]
#[path = "effect_tests.rs"]
pub(super) mod tests;
