//! Whether the Baseline's trigger asks for an environment of a pull request or branch. No client, no clock, no logging.
//!
//! What the facts say is judged first, so that the forge is asked only where its answer decides.

use crate::api::baseline::PullRequests;
use crate::api::status::{LabelAnswer, Lookup, PathsAnswer};
use crate::domain::Baseline;
use crate::domain::baseline::Trigger;
use crate::domain::environment::Source;
use crate::domain::names::Subject;

/// What only the forge knows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ask {
    /// Who set the label, and whether they may.
    Label,
    /// Which files the change touches.
    Paths,
}

impl Ask {
    /// What is going on, for people.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Label => "asking the forge who set the label, and whether they may",
            Self::Paths => "asking the forge which files the change touches",
        }
    }
}

/// Whether it is asked for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answer {
    /// It is, and why.
    Yes(String),
    /// It is not, with the reason as a word and as a sentence.
    No(&'static str, String),
    /// The Baseline knows nothing of the repository (any more).
    NotListed(String),
    /// The forge has to say something first.
    Ask(Ask),
}

/// What the forge has to say before it is known whether the trigger wants an environment of that source.
pub fn unanswered(source: &Source, baseline: &Baseline, lookup: Option<&Lookup>) -> Option<Ask> {
    match judge(source, baseline, lookup) {
        Answer::Ask(ask) => Some(ask),
        Answer::Yes(_) | Answer::No(..) | Answer::NotListed(_) => None,
    }
}

/// Whether the trigger wanted a source as it was, and does not want it as it is, by the facts alone. A change that turns out to come
/// from outside is another matter: whether it may run is never put off.
pub fn stops_wanting(baseline: &Baseline, was: &Source, is: &Source) -> bool {
    let is_refused = |source: &Source| matches!(judge(source, baseline, None), Answer::No(..));
    is_refused(is) && !is_refused(was) && (was.foreign || !is.foreign)
}

/// Judges one source.
pub(super) fn judge(source: &Source, baseline: &Baseline, lookup: Option<&Lookup>) -> Answer {
    let what = source.display();
    let Some(repository) = baseline.repository_by(source.forge, source.repository_id, &source.repository) else {
        return Answer::NotListed(format!("Baseline {} does not list the repository of {what}, so nothing is changed", baseline.name));
    };
    let trigger = baseline.trigger_of(repository);
    let answer = match &source.subject {
        Subject::Branch(name) if trigger.wants_branch(name) => None,
        Subject::Branch(_) => not(format!("trigger.branches does not name {what}")),
        Subject::Pull(_) => of_pull(source, trigger, lookup),
    };
    answer.unwrap_or_else(|| Answer::Yes(format!("{what} is open")))
}

/// What speaks against an environment of a pull request, if something does.
fn of_pull(source: &Source, trigger: &Trigger, lookup: Option<&Lookup>) -> Option<Answer> {
    by_mode(source, trigger)
        .or_else(|| by_facts(source, trigger))
        .or_else(|| by_label(source, trigger, lookup.and_then(|l| l.label.as_ref())))
        .or_else(|| by_paths(source, trigger, lookup.and_then(|l| l.paths.as_ref())))
}

#[expect(clippy::unnecessary_wraps, reason = "it is what the judgements end with, and they give none where nothing speaks against it")]
fn not(why: String) -> Option<Answer> {
    Some(Answer::No("NotTriggered", why))
}

fn by_mode(source: &Source, trigger: &Trigger) -> Option<Answer> {
    let (what, label) = (source.display(), &trigger.label);
    match trigger.pull_requests {
        PullRequests::Labelled if !trigger.is_labelled(&source.labels) => not(format!("{what} does not have the label {label}")),
        PullRequests::All | PullRequests::Labelled => None,
        PullRequests::OnCommand => not(format!("trigger.pullRequests is OnCommand: comment /preview create on {what}")),
        PullRequests::None => not("trigger.pullRequests is None".to_owned()),
    }
}

fn by_facts(source: &Source, trigger: &Trigger) -> Option<Answer> {
    let what = source.display();
    if source.draft && !trigger.drafts {
        return Some(Answer::No("Draft", format!("{what} is a draft, and trigger.drafts is off")));
    }
    if source.bot && !trigger.bots {
        return Some(Answer::No("Bot", format!("{what} was opened by a bot, and trigger.bots is off")));
    }
    let base = source.base_branch.as_ref().filter(|base| !trigger.wants_base(base))?;
    not(format!("{what} goes into {base}, which trigger.baseBranches does not name"))
}

/// The label counts if the one who set it could approve. An answer counts for the very fact that it was asked about, since
/// after the next one somebody else may have set the label.
fn by_label(source: &Source, trigger: &Trigger, answer: Option<&LabelAnswer>) -> Option<Answer> {
    if trigger.pull_requests != PullRequests::Labelled {
        return None;
    }
    let fits = |answer: &&LabelAnswer| answer.label == trigger.label && answer.observed_at == Some(source.observed_at);
    match answer.filter(fits) {
        None => Some(Answer::Ask(Ask::Label)),
        Some(answer) if answer.allowed => None,
        Some(answer) => {
            let why = || format!("{} may not set the label {}", answer.actor.as_deref().unwrap_or("somebody"), answer.label);
            not(answer.why.clone().unwrap_or_else(why))
        }
    }
}

fn by_paths(source: &Source, trigger: &Trigger, answer: Option<&PathsAnswer>) -> Option<Answer> {
    if trigger.paths.is_empty() {
        return None;
    }
    let fits = |answer: &&PathsAnswer| {
        answer.revision == source.revision.as_str()
            && answer.base_branch == source.base_branch.as_deref().unwrap_or_default()
            && answer.patterns == trigger.paths_digest()
    };
    match answer.filter(fits) {
        None => Some(Answer::Ask(Ask::Paths)),
        Some(answer) if answer.touched => None,
        Some(_) => not(format!("{} changes nothing that trigger.paths names", source.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api;
    use crate::domain::Environment;
    use serde_json::{Value, json};

    const AT: &str = "2026-01-01T00:00:00Z";

    fn source(change: impl FnOnce(&mut Value)) -> Source {
        let mut fact = json!({"forge": "github", "repositoryId": 7, "repository": "acme/web", "pull": 42, "state": "Open",
            "revision": "a".repeat(40), "observedAt": AT, "headRepositoryId": 7, "baseBranch": "main"});
        change(&mut fact);
        let spec = json!({"baseline": "shop", "sources": [fact]});
        let mut object = api::PreviewEnvironment::new("web-pr-42", serde_json::from_value(spec).unwrap());
        object.metadata.namespace = Some("shop".into());
        object.metadata.uid = Some("u-1".into());
        Environment::try_from(&object).unwrap().sources.remove(0)
    }

    fn baseline(trigger: &Value) -> Baseline {
        let spec = json!({"repositories": [{"name": "acme/web"}], "trigger": trigger});
        let mut object = api::Baseline::new("shop", serde_json::from_value(spec).unwrap());
        object.metadata.namespace = Some("shop".into());
        Baseline::try_from(&object).unwrap()
    }

    fn said(trigger: &Value, source: &Source, lookup: &Lookup) -> String {
        match judge(source, &baseline(trigger), Some(lookup)) {
            Answer::Yes(_) => "yes".to_owned(),
            Answer::No(reason, _) => reason.to_owned(),
            Answer::NotListed(_) => "NotListed".to_owned(),
            Answer::Ask(ask) => format!("{ask:?}"),
        }
    }

    fn labelled(by: &str, allowed: bool, at: &str) -> Lookup {
        let label = LabelAnswer {
            label: "preview".into(),
            observed_at: Some(at.parse().unwrap()),
            actor: Some(by.into()),
            allowed,
            why: (!allowed).then(|| format!("{by} has read access, and trust.approvers asks for write")),
        };
        Lookup { label: Some(label), ..Lookup::default() }
    }

    fn touched(trigger: &Value, change: impl FnOnce(&mut PathsAnswer)) -> Lookup {
        let patterns = baseline(trigger).trigger.paths_digest();
        let mut paths = PathsAnswer { revision: "a".repeat(40), base_branch: "main".into(), patterns, touched: true };
        change(&mut paths);
        Lookup { paths: Some(paths), ..Lookup::default() }
    }

    #[test]
    fn every_trigger_says_which_pull_requests_it_wants() {
        let plain = || source(|_| ());
        let with = |key: &'static str, value: Value| source(move |s| s[key] = value);
        for (trigger, source, expected) in [
            (json!({}), plain(), "yes"),
            (json!({"pullRequests": "None"}), plain(), "NotTriggered"),
            (json!({"pullRequests": "OnCommand"}), plain(), "NotTriggered"),
            (json!({"pullRequests": "Labelled"}), plain(), "NotTriggered"),
            (json!({"pullRequests": "Labelled"}), with("labels", json!(["bug", "Preview"])), "Label"),
            (json!({"pullRequests": "Labelled", "label": "show"}), with("labels", json!(["preview"])), "NotTriggered"),
            (json!({}), with("draft", json!(true)), "Draft"),
            (json!({"drafts": true}), with("draft", json!(true)), "yes"),
            (json!({}), with("bot", json!(true)), "Bot"),
            (json!({"bots": true}), with("bot", json!(true)), "yes"),
            (json!({"baseBranches": ["main"]}), plain(), "yes"),
            (json!({"baseBranches": ["main"]}), with("baseBranch", json!("next")), "NotTriggered"),
            (json!({"paths": ["web/**"]}), plain(), "Paths"),
            (json!({"paths": ["web/**"]}), with("draft", json!(true)), "Draft"),
            (json!({"pullRequests": "Labelled", "paths": ["web/**"]}), with("labels", json!(["preview"])), "Label"),
        ] {
            assert_eq!(said(&trigger, &source, &Lookup::default()), expected, "{trigger} of {source:?}");
        }
    }

    #[test]
    fn a_trigger_stops_wanting_what_it_wanted_for_facts_that_changed_and_not_for_what_it_never_wanted() {
        let with = |key: &'static str, value: Value| source(move |s| s[key] = value);
        let plain = || source(|_| ());
        let labelled = || with("labels", json!(["preview"]));
        for (trigger, was, is, stops) in [
            (json!({"baseBranches": ["main"]}), plain(), with("baseBranch", json!("trunk")), true),
            (json!({"baseBranches": ["main"]}), with("baseBranch", json!("next")), with("baseBranch", json!("trunk")), false),
            (json!({"baseBranches": ["main"]}), with("baseBranch", json!("next")), plain(), false),
            (json!({}), plain(), with("draft", json!(true)), true),
            (json!({"drafts": true}), plain(), with("draft", json!(true)), false),
            (json!({"pullRequests": "Labelled"}), labelled(), plain(), true),
            (json!({"pullRequests": "Labelled"}), labelled(), with("labels", json!(["bug", "preview"])), false),
            (json!({"pullRequests": "OnCommand"}), labelled(), with("draft", json!(true)), false),
            (json!({}), plain(), with("headRepositoryId", json!(8)), false),
        ] {
            assert_eq!(stops_wanting(&baseline(&trigger), &was, &is), stops, "{trigger} of {is:?}");
        }
        let outside = source(|s| (s["draft"], s["headRepositoryId"]) = (json!(true), json!(8)));
        assert!(!stops_wanting(&baseline(&json!({})), &plain(), &outside), "whether it may run is judged at once");
        assert!(stops_wanting(&baseline(&json!({})), &with("headRepositoryId", json!(8)), &outside));
    }

    #[test]
    fn branches_are_wanted_by_pattern_and_by_nothing_else() {
        let branch = source(|s| {
            s["pull"] = json!(null);
            s["branch"] = json!("feature/login");
        });
        for (trigger, expected) in [
            (json!({"branches": ["feature/*"], "pullRequests": "None", "paths": ["x"]}), "yes"),
            (json!({"branches": ["main"]}), "NotTriggered"),
            (json!({}), "NotTriggered"),
        ] {
            assert_eq!(said(&trigger, &branch, &Lookup::default()), expected, "{trigger}");
        }
    }

    #[test]
    fn a_label_counts_by_who_set_it_and_is_asked_about_anew_with_every_fact() {
        let labelled_source = source(|s| s["labels"] = json!(["preview"]));
        let trigger = || json!({"pullRequests": "Labelled"});
        assert_eq!(said(&trigger(), &labelled_source, &labelled("ann", true, AT)), "yes");
        assert_eq!(said(&trigger(), &labelled_source, &labelled("eve", false, AT)), "NotTriggered");
        assert_eq!(said(&trigger(), &labelled_source, &labelled("ann", true, "2025-12-31T00:00:00Z")), "Label");
        let other = json!({"pullRequests": "Labelled", "label": "Preview"});
        assert_eq!(said(&other, &labelled_source, &labelled("ann", true, AT)), "Label", "the Baseline asks for another label");
        assert_eq!(said(&trigger(), &source(|_| ()), &labelled("ann", true, AT)), "NotTriggered", "it was taken away");
        let Answer::No(_, why) = judge(&labelled_source, &baseline(&trigger()), Some(&labelled("eve", false, AT))) else { panic!() };
        assert_eq!(why, "eve has read access, and trust.approvers asks for write");
    }

    #[test]
    fn an_answer_about_paths_counts_for_the_commit_the_base_and_the_patterns_that_it_was_asked_about() {
        let trigger = json!({"paths": ["web/**"]});
        let says = |answer: &Lookup| said(&trigger, &source(|_| ()), answer);
        assert_eq!(says(&touched(&trigger, |_| ())), "yes");
        assert_eq!(says(&touched(&trigger, |p| p.touched = false)), "NotTriggered");
        assert_eq!(says(&touched(&trigger, |p| p.revision = "b".repeat(40))), "Paths");
        assert_eq!(says(&touched(&trigger, |p| p.base_branch = "next".into())), "Paths");
        assert_eq!(says(&touched(&json!({"paths": ["api/**"]}), |_| ())), "Paths");
    }

    #[test]
    fn what_is_not_listed_any_more_is_left_as_it_is() {
        let other = source(|s| s["repository"] = json!("acme/api"));
        assert_eq!(said(&json!({}), &other, &Lookup::default()), "NotListed");
    }
}
