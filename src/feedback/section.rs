//! The part of a comment that speaks of one environment: what it says in each state. No client, no clock, no logging.

use chrono::{DateTime, Utc};

use super::facts::{Facts, moment, quote, spaced};
use super::markdown::{code, commit, prose, short};
use super::render::COMMANDS_RANK;
use super::rules::Surroundings;
use super::state::{Reach, State, Why, served_before};
use super::trouble::{self, Fault};
use super::{commands, hooks, results, services};
use crate::api::PreviewEnvironment;
use crate::api::baseline::{Approvers, PullRequests, Removed};
use crate::api::conditions;
use crate::api::status::{LeftOut, ServiceStatus};

/// Longest reason in a list, in characters.
const REASON_MAX: usize = 240;
/// Failing services that are named above the table.
const FAILING_MAX: usize = 3;

/// The part of a comment that speaks of one environment, in pieces so that it can be cut.
pub(super) struct Section {
    /// Heading, addresses and what to do: never cut.
    pub(super) head: String,
    /// A row for each service.
    pub(super) rows: Vec<String>,
    /// The commit and when it expires: never cut.
    pub(super) foot: String,
    /// What is folded away, in the order in which it is read.
    pub(super) folds: Vec<Fold>,
    /// A line for each object that was left out.
    pub(super) left_out: Vec<String>,
    /// Where to see what is cut here.
    pub(super) describe: String,
}

/// Something that is folded away.
pub(super) struct Fold {
    /// What is in it: no Markdown is read here.
    pub(super) summary: String,
    /// The Markdown inside.
    pub(super) inside: String,
    /// How important it is: the greatest goes first where there is no room.
    pub(super) rank: u8,
}

impl Section {
    /// The section of an environment. With `named`, the heading says which Baseline it is of.
    pub(super) fn of(environment: &PreviewEnvironment, around: Surroundings<'_>, named: bool, now: DateTime<Utc>) -> Option<Self> {
        let facts = Facts::of(environment, around, now)?;
        let there = facts.state.is_there();
        let which = if named { format!("{}: ", code(&facts.baseline)) } else { String::new() };
        Some(Self {
            head: format!("### {which}{}\n\n{}{}", facts.heading(), facts.held(), facts.body()),
            rows: if there { services::rows(&facts.status.services, &facts.baseline) } else { Vec::new() },
            foot: facts.below(),
            folds: facts.folds(),
            left_out: if there { facts.status.left_out.iter().map(left_out).collect() } else { Vec::new() },
            describe: code(&commands::describe(environment)),
        })
    }
}

impl Facts<'_> {
    /// The state and the commit in one line.
    pub(super) fn heading(&self) -> String {
        let count = services::count(&self.status.services);
        match &self.state {
            State::Creating if !self.status.services.is_empty() => format!("{}: {count}", self.title()),
            State::Updating if served_before(self.environment).is_none() => format!("{}: {count}", self.title()),
            State::Degraded => format!("{}: {count}", self.title()),
            State::Ready(_) | State::Silent(_) | State::Instead(_) => match self.expires_soon() {
                Some(at) => format!("{}, and expires {}", self.title(), moment(at)),
                None => self.title(),
            },
            _ => self.title(),
        }
    }

    /// The same without what moves while workloads start.
    pub(super) fn title(&self) -> String {
        let revision = code(short(&self.source.revision));
        match &self.state {
            State::Undecided | State::Prepared => format!("Preview of {revision} is being prepared"),
            State::Fork => format!("No preview yet: {revision} comes from a fork"),
            State::Unapproved => format!("Preview of {revision} waits for an approval"),
            State::Denied => "No preview: this pull request comes from a fork".to_owned(),
            State::Queued(position, of, _) if of > position => {
                format!("Preview of {revision} is number {position} of {of} in the queue")
            }
            State::Queued(position, ..) => format!("Preview of {revision} is {} in the queue", place(*position)),
            State::Waiting(_) => format!("Preview of {revision} is waiting"),
            State::Stalled(..) => format!("Preview of {revision} is stalled"),
            State::Creating => format!("Creating the preview of {revision}"),
            State::Updating => format!("Updating the preview to {revision}"),
            State::Failed => format!("Preview of {revision} failed: {}", self.failing_names()),
            State::Degraded => format!("Preview of {revision} is not ready"),
            State::Instead(_) => format!("Preview without the code of {revision}"),
            State::Silent(None) => format!("Preview of {revision} is up; its address is being checked"),
            State::Silent(Some(_)) => format!("Preview of {revision} is up, but its address does not answer as it should"),
            State::Ready(_) => format!("Preview of {revision} is ready"),
            State::Removing(why) => format!("Removing the preview: {}", self.reason(why)),
            State::Gone(why) if self.ever_ran() => format!("Preview removed: {}", self.reason(why)),
            State::Gone(why) => format!("No preview: {}", self.reason(why)),
        }
    }

    /// What stands under the heading: paragraphs, each ending in a line break.
    pub(super) fn body(&self) -> String {
        match &self.state {
            State::Undecided | State::Prepared => "Its address comes here as soon as there is one.\n".to_owned(),
            State::Fork => self.fork(),
            State::Unapproved => format!("{}\n{}", self.meanwhile(), self.approval("It comes from a fork, and nothing of it is used yet.")),
            State::Denied => self.denied(),
            State::Queued(_, _, message) => self.queued(message),
            State::Waiting(message) => format!("{}{}{}", quote(message), self.meanwhile(), self.so_far()),
            State::Instead(message) => {
                format!("{}{}\nA build that is pushed later takes its place by itself.\n", quote(message), self.address(""))
            }
            State::Stalled(message, _) => self.stalled(message),
            State::Creating => self.address("is where it will answer."),
            State::Updating => self.updating(),
            State::Failed => self.failed(),
            State::Degraded => self.degraded(),
            State::Silent(why) => self.silent(why.as_deref()),
            State::Ready(reach) => self.ready(reach),
            State::Removing(why) => self.removing(why),
            State::Gone(why) => self.gone(why),
        }
    }

    /// That it stays although the pull request seems to have ended or to be none that is wanted, and who has to do what.
    fn held(&self) -> String {
        let seems = match self.held_as() {
            None | Some(Removed::Namespace) => return String::new(),
            Some(Removed::Environment) => "This pull request seems to have been closed, and so do many others all at once.",
            Some(Removed::Unwanted) => {
                "This pull request no longer seems to be one that gets a preview (its base branch, its labels, or that it is a draft), \
                 and neither do many others, all at once."
            }
            Some(Removed::Answered) => {
                "This pull request no longer seems to be one that gets a preview (its label, or the files that it changes), and \
                 neither do many others, all at once."
            }
        };
        let describe = code(&commands::describe_baseline(self.environment));
        format!("{seems} In case that is an error, the preview stays until an operator confirms it: {describe} says how.\n\n")
    }

    fn ready(&self, reach: &Reach) -> String {
        let (address, took) = (self.address(&self.answered(reach)), self.took());
        let up = services::count(&self.status.services);
        let took = took.map(|took| format!(", {took}")).unwrap_or_default();
        let unchecked = match reach {
            Reach::Unchecked(why) => format!("\nWhether it answers is not checked: {}\n", spaced(why).trim_end()),
            Reach::Answered(_) | Reach::Unasked => String::new(),
        };
        format!("{address}{up}{took}.\n{}{unchecked}", self.moved())
    }

    /// What else the push brought, where the baseline moved meanwhile.
    fn moved(&self) -> String {
        let moved = self.status.moved.as_ref().filter(|m| m.revision == self.source.revision && !m.services.is_empty());
        let names = |services: &[String]| services.iter().map(|name| code(name)).collect::<Vec<_>>().join(", ");
        moved.map(|moved| format!("Also moved with this push: {}.\n", names(&moved.services))).unwrap_or_default()
    }

    fn queued(&self, message: &str) -> String {
        let serves = served_before(self.environment).map(|_| self.meanwhile()).unwrap_or_default();
        format!("{}{serves}It starts by itself when it is its turn.\n", quote(message))
    }

    fn failed(&self) -> String {
        let named = self.failing().take(FAILING_MAX).map(|service| {
            let reason = Some(services::reason(service)).filter(|reason| !reason.is_empty()).unwrap_or("it does not start");
            format!("> {}: {}\n", code(&service.name), prose(reason, REASON_MAX))
        });
        let serves = served_before(self.environment).map(|_| self.updating()).unwrap_or_default();
        // A command that would be refused is no help.
        let by_comment = |first: &ServiceStatus| format!("/preview logs {}", first.name);
        let first = self.failing().next();
        let logs = if self.rules.logs { first.map(by_comment) } else { first.and_then(|first| commands::logs(self.environment, first)) };
        let logs = code(&logs.unwrap_or_else(|| commands::describe(self.environment)));
        format!("{}\n{serves}Push a fix; {logs} shows more of what it says.\n", named.collect::<Vec<_>>().join(">\n"))
    }

    fn degraded(&self) -> String {
        let whose = match trouble::of_services(&self.status) {
            Some(Fault::Surroundings) => "What fails is not built by this branch.\n",
            Some(Fault::Change) | None => "",
        };
        format!("{}{whose}", self.address("may not answer as it should."))
    }

    fn silent(&self, why: Option<&str>) -> String {
        let count = services::count(&self.status.services);
        match why {
            None => format!("{}{count}.\n", self.address("")),
            Some(why) => format!("{}{}{count}; the address is asked again until it answers.\n", quote(why), self.address("")),
        }
    }

    pub(super) fn failing(&self) -> impl Iterator<Item = &ServiceStatus> {
        self.status.services.iter().filter(|service| trouble::of_service(service) == Some(Fault::Change))
    }

    fn failing_names(&self) -> String {
        let names: Vec<_> = self.failing().map(|service| code(&service.name)).collect();
        match names.as_slice() {
            [one] => format!("{one} does not run"),
            [one, two] => format!("{one} and {two} do not run"),
            [first, rest @ ..] => format!("{first} and {} others do not run", rest.len()),
            [] => "it does not run".to_owned(),
        }
    }

    fn fork(&self) -> String {
        self.approval(&format!("Code from outside would run with what {} holds, so nothing runs yet.", code(&self.baseline)))
    }

    /// How a commit of a fork is let run.
    fn approval(&self, why: &str) -> String {
        let revision = &self.source.revision;
        let who = match self.rules.approvers {
            Approvers::Write => "write access",
            Approvers::Maintain => "the role `maintain`",
            Approvers::Admin => "the role `admin`",
        };
        format!(
            "{why} Somebody with {who} who has read {} can let that commit run, and no other, with a comment here (in a \
             review it does not count):\n\n{}\n\
             The next push asks again.\n",
            commit(&self.source.repository, revision),
            commands::approve(revision),
        )
    }

    fn denied(&self) -> String {
        format!(
            "Code from outside would run with what {} holds, and its Baseline runs none (`trust.forks: Deny`). Somebody with \
             write access who has read {} can run that commit as a branch of {}, whose own workflows then run with it too:\n\n{}",
            code(&self.baseline),
            commit(&self.source.repository, &self.source.revision),
            code(&self.source.repository),
            commands::adopt_fork(self.environment, self.source)
        )
    }

    fn stalled(&self, message: &str) -> String {
        let serves = served_before(self.environment).map(|_| self.meanwhile()).unwrap_or_default();
        let describe = code(&commands::describe(self.environment));
        format!(
            "{}{serves}It goes on by itself once that is changed, here by a push or in {}. {describe} says more.\n",
            quote(message),
            code(&self.baseline)
        )
    }

    fn updating(&self) -> String {
        match served_before(self.environment) {
            Some(served) => self.address(&format!("still serves {}.", code(short(served)))),
            None => self.address("may serve what was there before until all is up."),
        }
    }

    fn gone(&self, why: &Why) -> String {
        let ready = conditions::find(&self.status.conditions, conditions::READY);
        if let Some(kept) = ready.filter(|c| c.reason == conditions::NAMESPACE_KEPT) {
            let way_back = self.way_back(why).map(|way| format!("{way}\n")).unwrap_or_default();
            return format!("What it ran in is still in the cluster, and goes on:\n\n{}{way_back}", quote(&kept.message));
        }
        let taken_down = || {
            let wanted = conditions::find(&self.status.conditions, conditions::WANTED)?;
            let because = match why {
                Why::Expired(message) | Why::Evicted(message) if !message.is_empty() => format!(": {}", spaced(message).trim_end()),
                _ => ".".to_owned(),
            };
            Some(format!("Taken down on {}{because} Nothing of it is left in the cluster.", moment(wanted.last_transition_time)))
        };
        let taken_down = taken_down().filter(|_| self.ever_ran());
        let parts: Vec<_> = [taken_down, self.way_back(why)].into_iter().flatten().collect();
        if parts.is_empty() { "Nothing of it is in the cluster.\n".to_owned() } else { parts.join(" ") + "\n" }
    }

    fn removing(&self, why: &Why) -> String {
        let way_back = self.way_back(why).map(|way| format!(" {way}")).unwrap_or_default();
        match self.stuck() {
            Some(message) => format!("It is still going away:\n\n{}This comment says when nothing is left.{way_back}\n", quote(message)),
            None => format!("Everything in it is being stopped; this comment says when nothing is left.{way_back}\n"),
        }
    }

    fn reason(&self, why: &Why) -> String {
        let actor = || self.environment.spec.wish.as_ref().map(|wish| code(&wish.actor));
        match why {
            Why::Merged => "the pull request was merged".to_owned(),
            Why::Closed => "the pull request was closed".to_owned(),
            Why::PullGone => "the pull request is not there any more".to_owned(),
            Why::Expired(_) => "it expired".to_owned(),
            Why::Evicted(_) => "it gave way to another one".to_owned(),
            Why::Wish => actor().map_or_else(|| "somebody deleted it".to_owned(), |actor| format!("deleted by {actor}")),
            Why::Deleted => "its PreviewEnvironment was deleted".to_owned(),
            Why::Draft => "this pull request is a draft".to_owned(),
            Why::Other(_) => "nothing asks for one".to_owned(),
        }
    }

    /// What stands under the table.
    fn below(&self) -> String {
        let last = results::last(&self.status.commands);
        if self.state.is_there() { self.hooks() + &self.foot() + &last } else { last }
    }

    /// Hooks that failed and hold nothing up.
    fn hooks(&self) -> String {
        if matches!(self.state, State::Stalled(..)) {
            return String::new();
        }
        let describe = commands::describe(self.environment);
        hooks::lines(&self.status.hooks, (!self.rules.logs).then_some(&describe))
    }

    fn foot(&self) -> String {
        let commit = commit(&self.source.repository, &self.source.revision);
        let wanted = conditions::find(&self.status.conditions, conditions::WANTED);
        let until = match self.status.expires_at {
            _ if wanted.is_some_and(|c| c.reason == conditions::CLOSING) => {
                wanted.map(|c| format!(" {}", spaced(&c.message).trim_end())).unwrap_or_default()
            }
            None if self.status.pinned == Some(true) => " Pinned: it stays until the pull request is closed.".to_owned(),
            Some(at) if self.status.pinned == Some(true) => {
                format!(" Pinned: it stays until the pull request is closed, and until {} at the longest.", moment(at))
            }
            Some(at) if self.status.pinned == Some(false) => {
                format!(" As many are pinned as `limits.pinned` allows, so until another one goes this one expires {}.", moment(at))
            }
            Some(at) if self.longest().is_some_and(|longest| longest <= at) => {
                format!(" Expires {}: `lifetime.max` lets none be there for longer.", moment(at))
            }
            Some(at) => {
                format!(" Expires {} if nothing happens before; `/preview extend 24h` keeps it longer.", moment(at))
            }
            None => String::new(),
        };
        let behind = if self.status.behind > 0 && matches!(self.state, State::Ready(_) | State::Silent(_) | State::Degraded) {
            format!(" {} has moved on since; the next push follows it, and `/preview refresh` does so now.", code(&self.baseline))
        } else {
            String::new()
        };
        format!("Commit {commit}.{until}{behind}\n")
    }

    fn folds(&self) -> Vec<Fold> {
        let there = self.state.is_there();
        let mut folds = Vec::new();
        if there && self.rules.logs {
            folds.extend(hooks::logs(&self.status.hooks));
            folds.extend(services::logs(&self.status.services));
        }
        folds.extend(results::fold(&self.status.commands, self.rules.logs));
        folds.extend(there.then(|| Fold {
            summary: "Commands".to_owned(),
            inside: commands::all(self.environment, self.source, self.rules.logs),
            rank: COMMANDS_RANK,
        }));
        folds
    }

    /// What brings an environment back that is gone.
    fn way_back(&self, why: &Why) -> Option<String> {
        let (create, comes_by_itself) = ("`/preview create`", matches!(self.rules.pulls, PullRequests::All | PullRequests::Labelled));
        match why {
            Why::Merged | Why::PullGone => None,
            Why::Closed if comes_by_itself => Some("Reopen the pull request and it comes back.".to_owned()),
            Why::Closed => Some(format!("Once the pull request is open again, the comment {create} makes a new one.")),
            Why::Expired(_) => Some(format!("A push brings it back, and so does the comment {create}.")),
            Why::Evicted(_) => Some(format!("A push brings it back once there is room, and so does the comment {create}.")),
            Why::Wish => Some(format!("The comment {create} brings it back; a push does not.")),
            Why::Deleted if comes_by_itself => Some(format!("A push makes a new one, and so does the comment {create}.")),
            Why::Deleted => Some(format!("The comment {create} makes a new one.")),
            Why::Draft => Some(format!("One is made when this is ready for review; the comment {create} makes one now.")),
            Why::Other(message) => Some(format!("{}The comment {create} makes one.", spaced(message))),
        }
    }
}

/// `first`, `second`, `third`, `4th`, as far as a reader wants words.
fn place(position: i32) -> String {
    match position {
        1 => "first".to_owned(),
        2 => "second".to_owned(),
        3 => "third".to_owned(),
        n if matches!(n % 100, 11..=13) => format!("{n}th"),
        n => {
            let ending = match n % 10 {
                1 => "st",
                2 => "nd",
                3 => "rd",
                _ => "th",
            };
            format!("{n}{ending}")
        }
    }
}

fn left_out(object: &LeftOut) -> String {
    let name = code(&format!("{}/{}", object.kind, object.name));
    format!("- {name}: {}\n", prose(&object.why, REASON_MAX))
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn places_read_as_people_say_them() {
        let said: Vec<_> = [1, 2, 3, 4, 11, 12, 21, 22, 113].into_iter().map(place).collect();
        assert_eq!(said, ["first", "second", "third", "4th", "11th", "12th", "21st", "22nd", "113th"]);
    }
}
