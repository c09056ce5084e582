//! What the forge is to be asked about an environment. No client, no clock, no logging.

use chrono::{DateTime, TimeDelta, Utc};

use crate::api::PreviewEnvironment;
use crate::api::Source;
use crate::api::environment::{SourceState, Target, WishState};
use crate::api::status::Lookup;
use crate::controller::settle::trigger::{Ask, unanswered};
use crate::domain::environment::Source as KnownSource;
use crate::domain::{Baseline, Environment};

/// How long a fact is worth a confirmation: a delivery is overtaken within seconds.
const CONFIRM_WITHIN: TimeDelta = TimeDelta::minutes(10);

/// What is asked of the forge.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Question<'a> {
    /// What a person wished for.
    Wished(&'a Target, DateTime<Utc>),
    /// What the trigger cannot decide without.
    Trigger(Ask, &'a KnownSource),
    /// Whether a fact is still so, with what tells it from others.
    Confirm(&'a KnownSource, String),
}

/// What was asked and answered before.
#[derive(Clone, Debug, Default)]
pub(super) struct Answered {
    /// The time of the wish.
    pub wish: Option<DateTime<Utc>>,
    /// The fact that was confirmed, or that followed from a confirmation.
    pub confirmed: Option<String>,
    written: Option<Written>,
}

/// Answers that were written last, and what stood there before.
#[derive(Clone, Debug)]
struct Written {
    over: Option<Lookup>,
    lookup: Option<Lookup>,
}

impl Answered {
    /// The answers as they stand, or as written last while the watch still brings what was there before. Anything else that
    /// stands there is newer, whoever wrote it and whatever their clocks say.
    pub fn lookup(&self, object: &PreviewEnvironment) -> Option<Lookup> {
        let read = read(object);
        match &self.written {
            Some(written) if written.over == read => written.lookup.clone(),
            _ => read,
        }
    }

    /// Takes note of what was written over what is read of the object.
    pub fn wrote(&mut self, object: &PreviewEnvironment, lookup: Option<Lookup>) {
        self.written = Some(Written { over: read(object), lookup });
    }
}

fn read(object: &PreviewEnvironment) -> Option<Lookup> {
    object.status.as_ref()?.lookup.clone()
}

/// What is to be asked, in this order.
pub(super) fn questions<'a>(
    (object, environment): (&PreviewEnvironment, &'a Environment),
    baseline: Option<&Baseline>,
    answered: &Answered,
    now: DateTime<Utc>,
) -> Vec<Question<'a>> {
    if environment.deleted {
        return Vec::new();
    }
    let lookup = answered.lookup(object);
    let wished = wished(environment).filter(|q| !matches!(q, Question::Wished(_, at) if answered.wish == Some(*at)));
    let open = environment.main_source().filter(|s| s.state == SourceState::Open);
    // A wish needs no trigger.
    let triggered = open.filter(|_| object.standing_wish().is_none());
    let trigger = triggered.and_then(|source| Some(Question::Trigger(unanswered(source, baseline?, lookup.as_ref())?, source)));
    let confirm = open.zip(object.spec.sources.first()).filter(|(source, _)| is_young(environment, source, now));
    let confirm = confirm.map(|(source, fact)| Question::Confirm(source, mark(fact)));
    let confirm = confirm.filter(|q| !matches!(q, Question::Confirm(_, mark) if answered.confirmed.as_ref() == Some(mark)));
    wished.into_iter().chain(trigger).chain(confirm).collect()
}

fn wished(environment: &Environment) -> Option<Question<'_>> {
    let wish = environment.wish.as_ref().filter(|w| w.state == WishState::Present)?;
    Some(Question::Wished(environment.unanswered_target()?, wish.at))
}

fn is_young(environment: &Environment, source: &KnownSource, now: DateTime<Utc>) -> bool {
    let newest = environment.created_at.map_or(source.observed_at, |at| at.max(source.observed_at));
    now - newest < CONFIRM_WITHIN
}

/// What tells a fact from others of the same moment: everything but who caused it.
pub(super) fn mark(fact: &Source) -> String {
    serde_json::to_string(&Source { sender: None, ..fact.clone() }).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const NOW: &str = "2026-01-02T03:05:00Z";

    fn object(change: impl FnOnce(&mut Value)) -> PreviewEnvironment {
        let mut spec = json!({"baseline": "main", "sources": [{
            "forge": "github", "repositoryId": 7, "repository": "acme/web", "pull": 42, "state": "Open", "labels": ["preview"],
            "revision": "a".repeat(40), "observedAt": "2026-01-02T03:04:05Z", "headRepositoryId": 7, "baseBranch": "main"}]});
        change(&mut spec);
        let mut object = PreviewEnvironment::new("web-pr-42", serde_json::from_value(spec).unwrap());
        object.metadata.namespace = Some("shop".into());
        object.metadata.uid = Some("u-1".into());
        object
    }

    fn baseline(trigger: &Value) -> Baseline {
        let spec = json!({"repositories": [{"name": "acme/web"}], "trigger": trigger});
        let mut object = crate::api::Baseline::new("main", serde_json::from_value(spec).unwrap());
        object.metadata.namespace = Some("shop".into());
        Baseline::try_from(&object).unwrap()
    }

    fn asked(object: &PreviewEnvironment, trigger: &Value, answered: &Answered, now: &str) -> Vec<String> {
        let environment = Environment::try_from(object).unwrap();
        let asked = questions((object, &environment), Some(&baseline(trigger)), answered, now.parse().unwrap());
        let word = |question: &Question<'_>| match question {
            Question::Wished(..) => "wish".to_owned(),
            Question::Trigger(ask, _) => format!("{ask:?}"),
            Question::Confirm(..) => "confirm".to_owned(),
        };
        asked.iter().map(word).collect()
    }

    #[test]
    fn only_what_decides_is_asked() {
        let nothing = Answered::default();
        for (trigger, expected) in [
            (json!({}), vec!["confirm"]),
            (json!({"pullRequests": "Labelled"}), vec!["Label", "confirm"]),
            (json!({"paths": ["web/**"]}), vec!["Paths", "confirm"]),
            (json!({"pullRequests": "Labelled", "label": "other", "paths": ["web/**"]}), vec!["confirm"]),
        ] {
            assert_eq!(asked(&object(|_| ()), &trigger, &nothing, NOW), expected, "{trigger}");
        }
        let wished = object(|s| s["wish"] = json!({"state": "Present", "actor": "ann", "at": NOW}));
        assert_eq!(asked(&wished, &json!({"paths": ["web/**"]}), &nothing, NOW), ["confirm"], "a wish needs no trigger");
        let mut reopened = wished;
        let ended_at = Some(NOW.parse().unwrap());
        reopened.status = Some(crate::api::PreviewEnvironmentStatus { ended_at, ..Default::default() });
        assert_eq!(asked(&reopened, &json!({"paths": ["web/**"]}), &nothing, NOW), ["Paths", "confirm"], "no wish outlives the end");
        let closed = object(|s| s["sources"][0]["state"] = json!("Closed"));
        assert!(asked(&closed, &json!({"paths": ["web/**"]}), &nothing, NOW).is_empty());
    }

    #[test]
    fn a_fact_is_confirmed_once_and_so_is_another_of_the_same_second() {
        let first = object(|_| ());
        let answered = Answered { confirmed: Some(mark(&first.spec.sources[0])), ..Answered::default() };
        assert!(asked(&first, &json!({}), &answered, NOW).is_empty());
        let by_another = object(|s| s["sources"][0]["sender"] = json!("bob"));
        assert!(asked(&by_another, &json!({}), &answered, NOW).is_empty(), "the same, caused by another");
        for (field, value) in
            [("revision", json!("b".repeat(40))), ("draft", json!(true)), ("labels", json!([])), ("baseBranch", json!("x"))]
        {
            let other = object(|s| s["sources"][0][field] = value);
            assert_eq!(asked(&other, &json!({}), &answered, NOW), ["confirm"], "{field}");
        }
        assert!(asked(&first, &json!({}), &Answered::default(), "2026-01-02T03:14:05Z").is_empty(), "after ten minutes it is believed");
    }

    #[test]
    fn what_was_written_counts_before_the_watch_brings_it() {
        let paths = baseline(&json!({"paths": ["web/**"]})).trigger.paths_digest();
        let answer =
            crate::api::status::PathsAnswer { revision: "a".repeat(40), base_branch: "main".into(), patterns: paths, touched: true };
        let mut answered = Answered::default();
        answered.wrote(&object(|_| ()), Some(Lookup { paths: Some(answer), ..Lookup::default() }));
        assert_eq!(asked(&object(|_| ()), &json!({"paths": ["web/**"]}), &answered, NOW), ["confirm"]);
    }

    #[test]
    fn what_another_service_wrote_since_counts_whatever_was_written_here_before() {
        let lookup = |at: &str| Some(Lookup { at: Some(at.parse().unwrap()), ..Lookup::default() });
        let reading = |lookup: Option<Lookup>| {
            let mut object = object(|_| ());
            object.status = Some(crate::api::PreviewEnvironmentStatus { lookup, ..Default::default() });
            object
        };
        let (before, ours) = (lookup("2026-01-02T03:00:00Z"), lookup("2026-01-02T03:10:00Z"));
        let mut answered = Answered::default();
        answered.wrote(&reading(before.clone()), ours.clone());
        assert_eq!(answered.lookup(&reading(before)), ours, "the watch is behind");
        assert_eq!(answered.lookup(&reading(ours.clone())), ours);
        // Its clock is behind ours.
        let theirs = lookup("2026-01-02T03:05:00Z");
        assert_eq!(answered.lookup(&reading(theirs.clone())), theirs);
    }
}
