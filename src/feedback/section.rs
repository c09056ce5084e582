//! The part of a comment that speaks of one environment: what it says in each state. No client, no clock, no logging.

use chrono::{DateTime, Utc};
use kube::ResourceExt;

use super::group::pull_source;
use super::markdown::{code, commit, link, prose, short};
use super::state::{State, Why, served_before};
use super::{commands, services};
use crate::api::conditions::{self, Condition};
use crate::api::status::{HookState, HookStatus, LeftOut, PreviewEnvironmentStatus, Url};
use crate::api::{PreviewEnvironment, Source};

/// Longest sentence from outside above the table, in characters.
const SENTENCE_MAX: usize = 600;
/// Longest reason in a list, in characters.
const REASON_MAX: usize = 240;
/// Addresses that are shown; an environment with more is described by the command line.
const URLS_MAX: usize = 6;
/// A start that took longer, in seconds, was a later mishap and not the start.
const START_MAX: i64 = 3_600;

/// The part of a comment that speaks of one environment, in pieces so that it can be cut.
pub(super) struct Section {
    /// Heading, addresses and what to do: never cut.
    pub(super) head: String,
    /// A row for each service.
    pub(super) rows: Vec<String>,
    /// The commit and when it expires: never cut.
    pub(super) foot: String,
    /// A line for each object that was left out.
    pub(super) left_out: Vec<String>,
    /// What one can do with it, where there is something to do it with.
    pub(super) commands: Option<String>,
    /// Where to see what is cut here.
    pub(super) describe: String,
}

/// What a section is written from.
struct Facts<'a> {
    environment: &'a PreviewEnvironment,
    source: &'a Source,
    status: PreviewEnvironmentStatus,
    state: State,
    baseline: String,
}

impl Section {
    /// The section of an environment. With `named`, the heading says which Baseline it is of.
    pub(super) fn of(environment: &PreviewEnvironment, named: bool) -> Option<Self> {
        let facts = Facts {
            environment,
            source: pull_source(environment)?,
            status: environment.status.clone().unwrap_or_default(),
            state: State::of(environment),
            baseline: environment.namespace().unwrap_or_default(),
        };
        let there = facts.is_there();
        let which = if named { format!("{}: ", code(&facts.baseline)) } else { String::new() };
        Some(Self {
            head: format!("### {which}{}\n\n{}", facts.heading(), facts.body()),
            rows: if there { services::rows(&facts.status.services, &facts.baseline) } else { Vec::new() },
            foot: if there { facts.hooks() + &facts.foot() } else { String::new() },
            left_out: if there { facts.status.left_out.iter().map(left_out).collect() } else { Vec::new() },
            commands: there.then(|| commands::all(environment, facts.source)),
            describe: code(&commands::describe(environment)),
        })
    }
}

impl Facts<'_> {
    /// Whether something runs, or is on its way to.
    fn is_there(&self) -> bool {
        !matches!(self.state, State::Undecided | State::Fork | State::Removing(_) | State::Gone(_))
    }

    fn heading(&self) -> String {
        let revision = code(short(&self.source.revision));
        let count = services::count(&self.status.services);
        match &self.state {
            State::Undecided | State::Prepared => format!("Preview of {revision} is being prepared"),
            State::Fork => "No preview: this pull request comes from a fork".to_owned(),
            State::Waiting(_) => format!("Preview of {revision} is waiting"),
            State::Stalled(_) => format!("Preview of {revision} is stalled"),
            State::Creating if self.status.services.is_empty() => format!("Creating the preview of {revision}"),
            State::Creating => format!("Creating the preview of {revision}: {count}"),
            State::Updating if served_before(self.environment).is_some() => format!("Updating the preview to {revision}"),
            State::Updating => format!("Updating the preview to {revision}: {count}"),
            State::NotReady => format!("Preview of {revision} is not ready: {count}"),
            State::Ready => format!("Preview of {revision} is ready"),
            State::Removing(why) => format!("Removing the preview: {}", self.reason(why)),
            State::Gone(why) if self.ever_ran() => format!("Preview removed: {}", self.reason(why)),
            State::Gone(why) => format!("No preview: {}", self.reason(why)),
        }
    }

    /// What stands under the heading: paragraphs, each ending in a line break.
    fn body(&self) -> String {
        match &self.state {
            State::Undecided | State::Prepared => "Its address comes here as soon as there is one.\n".to_owned(),
            State::Fork => self.fork(),
            State::Waiting(message) => format!("{}{}", quote(message), self.address("is where it will answer.")),
            State::Stalled(message) => self.stalled(message),
            State::Creating => self.address("is where it will answer."),
            State::Updating => self.updating(),
            State::NotReady => self.address("may not answer as it should."),
            State::Ready => format!("{}{}{}.\n", self.address(""), services::count(&self.status.services), self.took()),
            State::Removing(why) => self.removing(why),
            State::Gone(why) => self.gone(why),
        }
    }

    fn reason(&self, why: &Why) -> String {
        let actor = || self.environment.spec.wish.as_ref().map(|wish| code(&wish.actor));
        match why {
            Why::Merged => "the pull request was merged".to_owned(),
            Why::Closed => "the pull request was closed".to_owned(),
            Why::PullGone => "the pull request is not there any more".to_owned(),
            Why::Expired => "it expired".to_owned(),
            Why::Wish => actor().map_or_else(|| "somebody deleted it".to_owned(), |actor| format!("deleted by {actor}")),
            Why::Deleted => "its PreviewEnvironment was deleted".to_owned(),
            Why::Draft => "this pull request is a draft".to_owned(),
            Why::Other(_) => "nothing asks for one".to_owned(),
        }
    }

    fn way_back(&self, why: &Why) -> Option<String> {
        let create = commands::create_code(self.environment, self.source);
        match why {
            Why::Merged | Why::PullGone => None,
            Why::Closed => Some("Reopen the pull request and it comes back.".to_owned()),
            Why::Expired => Some(format!("A push brings it back, and so does {create}.")),
            Why::Wish => Some(format!("{create} brings it back; a push does not.")),
            Why::Deleted => Some(format!("A push makes a new one, and so does {create}.")),
            Why::Draft => Some(format!("One is made when this is ready for review; {create} makes one now.")),
            Why::Other(message) => Some(format!("{}{create} makes one.", spaced(message))),
        }
    }

    fn removing(&self, why: &Why) -> String {
        let way_back = self.way_back(why).map(|way| format!(" {way}")).unwrap_or_default();
        format!("Everything in it is being stopped; this comment says when nothing is left.{way_back}\n")
    }

    fn gone(&self, why: &Why) -> String {
        let taken_down = || {
            let wanted = conditions::find(&self.status.conditions, conditions::WANTED)?;
            Some(format!("Taken down on {}. Nothing of it is left in the cluster.", moment(wanted.last_transition_time)))
        };
        let taken_down = taken_down().filter(|_| self.ever_ran());
        let parts: Vec<_> = [taken_down, self.way_back(why)].into_iter().flatten().collect();
        if parts.is_empty() { "Nothing of it is in the cluster.\n".to_owned() } else { parts.join(" ") + "\n" }
    }

    fn fork(&self) -> String {
        let revision = commit(&self.source.repository, &self.source.revision);
        format!(
            "Code from outside would run with what {} holds, so nothing runs, and this version cannot approve it. \
             Someone with write access who has read {revision} can run that commit as a branch of {}:\n{}",
            code(&self.baseline),
            code(&self.source.repository),
            commands::adopt_fork(self.environment, self.source)
        )
    }

    fn stalled(&self, message: &str) -> String {
        let serves = served_before(self.environment).map(|served| self.address(&format!("still serves {}.", code(short(served)))));
        let describe = code(&commands::describe(self.environment));
        format!(
            "{}{}It goes on by itself once that is changed, here by a push or in {}. {describe} says more.\n",
            quote(message),
            serves.unwrap_or_default(),
            code(&self.baseline)
        )
    }

    fn updating(&self) -> String {
        match served_before(self.environment) {
            Some(served) => self.address(&format!("still serves {}.", code(short(served)))),
            None => self.address("may serve what was there before until all is up."),
        }
    }

    /// The addresses, and after them what is said of them.
    fn address(&self, says: &str) -> String {
        let Some((first, rest)) = self.status.urls.split_first() else { return self.no_address() };
        let mut all = vec![format!("**{}**", url(first))];
        all.extend(rest.iter().take(URLS_MAX - 1).map(url));
        if rest.len() >= URLS_MAX {
            all.push(format!("{} more", rest.len() + 1 - URLS_MAX));
        }
        let says =
            if all.len() > 1 { says.replacen("is where it", "are where it", 1).replacen("serves", "serve", 1) } else { says.to_owned() };
        format!("{} {says}", all.join(" · ")).trim_end().to_owned() + "\n"
    }

    fn no_address(&self) -> String {
        match &self.status.namespace {
            Some(namespace) if self.state == State::Ready => {
                let forward = code(&format!("kubectl -n {namespace} port-forward"));
                format!("It has no URL, since no Ingress of {} is in it; {forward} reaches its services.\n", code(&self.baseline))
            }
            Some(namespace) if self.state == State::Creating => format!("Its namespace is {}.\n", code(namespace)),
            _ => String::new(),
        }
    }

    /// Hooks that failed and hold nothing up; what they logged is not for everybody who reads this.
    fn hooks(&self) -> String {
        let stalled = matches!(self.state, State::Stalled(_));
        let failed = self.status.hooks.iter().filter(|hook| hook.state == HookState::Failed && !stalled);
        let describe = code(&commands::describe(self.environment));
        let line = |hook: &HookStatus| {
            let why = prose(hook.message.as_deref().unwrap_or("its Job failed"), REASON_MAX);
            format!("The hook {} failed: {why}; {describe} shows what it logged.\n\n", code(&hook.name))
        };
        failed.map(line).collect()
    }

    fn foot(&self) -> String {
        let commit = commit(&self.source.repository, &self.source.revision);
        match self.status.expires_at {
            Some(at) => format!("Commit {commit}. The preview expires {}, unless somebody pushes before.\n", moment(at)),
            None => format!("Commit {commit}.\n"),
        }
    }

    /// How long the start took, where that is known.
    fn took(&self) -> String {
        let ready = conditions::find(&self.status.conditions, conditions::READY).map(|c: &Condition| c.last_transition_time);
        let seconds = ready.zip(self.status.applied_at).map(|(ready, applied)| (ready - applied).num_seconds());
        match seconds {
            Some(0) => ", less than a second after the last change".to_owned(),
            Some(s @ 1..120) => format!(", {s} s after the last change"),
            Some(s @ 120..START_MAX) => format!(", {} min after the last change", s / 60),
            _ => String::new(),
        }
    }

    fn ever_ran(&self) -> bool {
        self.status.applied_at.is_some() || self.status.revision.is_some()
    }
}

/// A moment without regard to the reader's clock: `27 Nov, 14:05 UTC`.
fn moment(at: DateTime<Utc>) -> String {
    at.format("%-d %b, %H:%M UTC").to_string()
}

fn url(url: &Url) -> String {
    link(&url.host, &url.url)
}

fn quote(message: &str) -> String {
    match prose(message, SENTENCE_MAX).as_str() {
        "" => String::new(),
        sentence => format!("> {sentence}\n\n"),
    }
}

fn spaced(message: &str) -> String {
    match prose(message, SENTENCE_MAX).as_str() {
        "" => String::new(),
        sentence => format!("{sentence} "),
    }
}

fn left_out(object: &LeftOut) -> String {
    let name = code(&format!("{}/{}", object.kind, object.name));
    format!("- {name}: {}\n", prose(&object.why, REASON_MAX))
}
