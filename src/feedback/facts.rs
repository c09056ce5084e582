//! What the words about one environment are written from: its addresses and its times. No client, no clock, no logging.

use chrono::{DateTime, TimeDelta, Utc};

use super::group::{pull_source, recorded};
use super::hooks;
use super::markdown::{code, link, prose, short};
use super::rules::{Rules, Surroundings};
use super::services;
use super::state::{Reach, State, served_before};
use crate::api::baseline::{CommentRule, Removed};
use crate::api::conditions::{self, ConditionStatus};
use crate::api::status::{ImageState, PreviewEnvironmentStatus, Url};
use crate::api::{PreviewEnvironment, Source};

/// Longest sentence from outside above the table, in characters.
const SENTENCE_MAX: usize = 600;
/// Addresses that are shown; an environment with more is described by the command line.
const URLS_MAX: usize = 6;
/// What took longer was a later mishap and not the start.
const START_MAX: TimeDelta = TimeDelta::hours(1);

/// How long taking down may last before it is said what holds it up.
const STUCK_AFTER: TimeDelta = TimeDelta::minutes(2);

/// What a section is written from.
pub(super) struct Facts<'a> {
    pub(super) environment: &'a PreviewEnvironment,
    pub(super) source: &'a Source,
    pub(super) status: PreviewEnvironmentStatus,
    pub(super) state: State,
    pub(super) baseline: String,
    pub(super) rules: Rules,
    now: DateTime<Utc>,
}

impl<'a> Facts<'a> {
    /// Those of an environment; None for one that reports to no pull request.
    pub(super) fn of(environment: &'a PreviewEnvironment, around: Surroundings<'_>, now: DateTime<Utc>) -> Option<Self> {
        Some(Self {
            environment,
            source: pull_source(environment)?,
            status: environment.status.clone().unwrap_or_default(),
            state: State::of(environment, around.probed),
            baseline: environment.metadata.namespace.clone().unwrap_or_default(),
            rules: around.rules.cloned().unwrap_or_else(|| Rules::unknown(environment)),
            now,
        })
    }

    /// The end of an environment that is near, by the Baseline's rules.
    pub(super) fn expires_soon(&self) -> Option<DateTime<Utc>> {
        self.status.expires_at.filter(|_| self.warns_at().is_some_and(|at| at <= self.now))
    }

    /// When the text says something else by itself.
    pub(super) fn turns_at(&self) -> impl Iterator<Item = DateTime<Utc>> + use<> {
        [self.warns_at(), self.stuck_at()].into_iter().flatten()
    }

    /// What came of what people did, in words that tell one thing from another and hold nothing that moves: there are only so
    /// many of them until somebody does something again.
    pub(super) fn came(&self) -> Vec<String> {
        let reason = |type_| conditions::find(&self.status.conditions, type_).map(|c| c.reason.as_str()).unwrap_or_default();
        let state = match &self.state {
            State::Stalled(..) => format!("stalled by {}", reason(conditions::STALLED)),
            State::Waiting(_) => format!("waiting by {}", reason(conditions::PROGRESSING)),
            State::Removing(_) | State::Gone(_) => format!("{} by {}", self.state.kind(), reason(conditions::WANTED)),
            state => state.kind().to_owned(),
        };
        let failing = self.failing().map(|service| format!("{} fails", service.name));
        let hooks = hooks::failed(&self.status.hooks).map(|hook| format!("hook {} failed", hook.name));
        let expires = self.expires_soon().map(|at| format!("expires {at}"));
        let stuck = self.stuck().map(|_| "stuck".to_owned());
        let closing = Some("closing".to_owned()).filter(|closing| reason(conditions::WANTED).eq_ignore_ascii_case(closing));
        let held = self.held_as().map(|_| "held".to_owned());
        [state].into_iter().chain(failing).chain(hooks).chain(expires).chain(stuck).chain(closing).chain(held).collect()
    }

    /// What seems to have become of its pull request, although it stays.
    pub(super) fn held_as(&self) -> Option<Removed> {
        self.rules.held.filter(|_| self.state.is_there())
    }

    /// From when on it is said what keeps an environment from going away: mostly it is gone long before.
    fn stuck_at(&self) -> Option<DateTime<Utc>> {
        let wanted = conditions::find(&self.status.conditions, conditions::WANTED).filter(|_| matches!(self.state, State::Removing(_)))?;
        wanted.last_transition_time.checked_add_signed(STUCK_AFTER)
    }

    /// What keeps an environment from going away, as its conditions say, where it takes long.
    pub(super) fn stuck(&self) -> Option<&str> {
        self.stuck_at().filter(|at| *at <= self.now)?;
        let find = |type_| conditions::find(&self.status.conditions, type_).filter(|c| c.status != ConditionStatus::False);
        let says = find(conditions::STALLED).or_else(|| find(conditions::PROGRESSING))?;
        Some(says.message.as_str()).filter(|message| !message.is_empty())
    }

    /// When the text says by itself that the end is near; it says so from then on.
    fn warns_at(&self) -> Option<DateTime<Utc>> {
        let end = self.status.expires_at.filter(|_| self.state.is_there())?;
        end.checked_sub_signed(self.rules.warn_before)
    }

    /// The addresses, and after them what is said of them.
    pub(super) fn address(&self, says: &str) -> String {
        let Some((first, rest)) = self.status.urls.split_first() else { return self.no_address() };
        let mut all = vec![format!("**{}**", url(first))];
        all.extend(rest.iter().take(URLS_MAX - 1).map(url));
        if rest.len() >= URLS_MAX {
            all.push(format!("{} more", rest.len() + 1 - URLS_MAX));
        }
        let says = if all.len() > 1 { plural(says) } else { says.to_owned() };
        format!("{} {says}", all.join(" · ")).trim_end().to_owned() + "\n"
    }

    fn no_address(&self) -> String {
        match &self.status.namespace {
            Some(namespace) if matches!(self.state, State::Ready(_)) => {
                let forward = code(&format!("kubectl -n {namespace} port-forward"));
                format!("It has no URL, since no Ingress of {} is in it; {forward} reaches its services.\n", code(&self.baseline))
            }
            Some(namespace) if self.state == State::Creating => format!("Its namespace is {}.\n", code(namespace)),
            _ => String::new(),
        }
    }

    /// What the addresses are, while something has to happen first.
    pub(super) fn meanwhile(&self) -> String {
        match served_before(self.environment) {
            Some(served) => self.address(&format!("still serves {}.", code(short(served)))),
            None => self.address("is where it will answer."),
        }
    }

    /// What is up already.
    pub(super) fn so_far(&self) -> String {
        if self.status.services.is_empty() { String::new() } else { format!("\n{}.\n", services::count(&self.status.services)) }
    }

    /// What the first address answered.
    pub(super) fn answered(&self, reach: &Reach) -> String {
        let several = self.status.urls.len() > 1;
        match reach {
            Reach::Answered(Some(status)) if several => format!("the first answered {status}"),
            Reach::Answered(Some(status)) => format!("answered {status}"),
            Reach::Answered(None) if several => "the first answered".to_owned(),
            Reach::Answered(None) => "answered".to_owned(),
            Reach::Unchecked(_) | Reach::Unasked => String::new(),
        }
    }

    /// How long it took: since the push, and since the image was there. Only what is known, and no more than an hour.
    pub(super) fn took(&self) -> Option<String> {
        let ready = self.ready_at()?;
        let since = |from: Option<DateTime<Utc>>, what: &str| Some(format!("{} after {what}", span(ready - from?)?));
        let image = since(self.image_at(), "its image");
        let push = since(self.pushed_at(), "the push");
        let change = since(self.status.applied_at, "the last change").filter(|_| push.is_none() && image.is_none());
        let parts: Vec<_> = [push, image, change].into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }

    fn ready_at(&self) -> Option<DateTime<Utc>> {
        let since = self.status.probe.as_ref().filter(|_| matches!(self.state, State::Ready(Reach::Answered(_)))).map(|p| p.since);
        since.or_else(|| conditions::find(&self.status.conditions, conditions::READY).map(|c| c.last_transition_time))
    }

    /// Later facts about the same commit, of a label for example, carry later times: the first one counts, which the record
    /// of the comment keeps. Without a comment nobody keeps it.
    fn pushed_at(&self) -> Option<DateTime<Utc>> {
        if self.rules.comment == CommentRule::Never {
            return None;
        }
        let shown = recorded(self.environment).and_then(|feedback| feedback.shows.as_ref());
        let first = shown.filter(|shown| shown.revision == self.source.revision).map(|shown| shown.pushed_at);
        first.unwrap_or(Some(self.source.observed_at))
    }

    fn image_at(&self) -> Option<DateTime<Utc>> {
        let of_head = |revision: &Option<String>| revision.as_ref() == Some(&self.source.revision);
        let images = self.status.images.iter().filter(|i| i.state == ImageState::Available && of_head(&i.revision));
        images.map(|image| image.since).max()
    }

    /// When it ends whatever happens, if the Baseline says so.
    pub(super) fn longest(&self) -> Option<DateTime<Utc>> {
        self.status.started_at?.checked_add_signed(self.rules.max?)
    }

    pub(super) fn ever_ran(&self) -> bool {
        self.status.applied_at.is_some() || self.status.revision.is_some()
    }
}

/// A moment without regard to the reader's clock: `27 Nov, 14:05 UTC`.
pub(super) fn moment(at: DateTime<Utc>) -> String {
    at.format("%-d %b, %H:%M UTC").to_string()
}

/// A sentence from outside as a quote.
pub(super) fn quote(message: &str) -> String {
    match prose(message, SENTENCE_MAX).as_str() {
        "" => String::new(),
        sentence => format!("> {sentence}\n\n"),
    }
}

/// A sentence from outside before another one.
pub(super) fn spaced(message: &str) -> String {
    match prose(message, SENTENCE_MAX).as_str() {
        "" => String::new(),
        sentence if sentence.ends_with(['.', '!', '?']) => format!("{sentence} "),
        sentence => format!("{sentence}. "),
    }
}

fn span(took: TimeDelta) -> Option<String> {
    match took.num_seconds() {
        _ if took < TimeDelta::zero() || took > START_MAX => None,
        0 => Some("less than a second".to_owned()),
        s @ 1..120 => Some(format!("{s} s")),
        s => Some(format!("{} min", s / 60)),
    }
}

/// The same of several addresses.
fn plural(says: &str) -> String {
    let verbs = [("is where it", "are where it"), ("serves", "serve"), ("does not", "do not")];
    verbs.iter().fold(says.to_owned(), |says, (one, many)| says.replacen(one, many, 1))
}

fn url(url: &Url) -> String {
    link(&url.host, &url.url)
}
