//! Whether what a forge said is something that somebody did, which keeps an environment alive. No client, no clock, no logging.
//!
//! The forge dates every change of a pull request, that of a title or a label too, and by that time facts are put in order. Who
//! may but read can make such changes, and so do bots. Whether somebody did something is told by what is held from what comes:
//! so it is the same for whatever tells of it, and a delivery that comes again is none. What is held may be a moment old: then the
//! next fact counts as well, which is a moment later.

use std::sync::Arc;

use super::{Existing, Fact};
use crate::api::Source;
use crate::controller::settle::trigger;
use crate::domain::{Baseline, environment};

/// A fact with when somebody last did something, by what its environment holds.
pub fn follow(fact: Fact, existing: &[Existing], baselines: &[Arc<Baseline>]) -> Fact {
    let of = |source: &Source| (source.forge, source.repository_id);
    let Some(held) = existing.iter().find(|e| e.is_for(&fact) && of(&e.source) == of(&fact.source)) else { return fact };
    let baseline = baselines.iter().find(|b| b.namespace == held.namespace && b.name == held.baseline);
    Fact { source: after(fact.source, &held.source, baseline.map(AsRef::as_ref)), ..fact }
}

/// The same for a source that takes the place of one that is held, of an environment of that Baseline.
pub fn after(source: Source, held: &Source, baseline: Option<&Baseline>) -> Source {
    let at = held.active_at();
    let goes_on = at < source.observed_at && !is_deed(&source, held) && !baseline.is_some_and(|b| is_awaited(&source, held, b));
    Source { active_at: goes_on.then_some(at), ..source }
}

/// A push, a close or reopening, or that it is ready for review. A close ends it, and what stays for a while after that stays for
/// all of that while.
fn is_deed(source: &Source, held: &Source) -> bool {
    source.revision != held.revision || source.state != held.state || held.draft && !source.draft
}

/// Whether the trigger waited for it, such as for a label.
fn is_awaited(source: &Source, held: &Source, baseline: &Baseline) -> bool {
    let read = |source: &Source| environment::Source::try_from(source).ok();
    // What brings one is what would end one, the other way round.
    read(source).zip(read(held)).is_some_and(|(is, was)| trigger::stops_wanting(baseline, &is, &was))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api;
    use crate::api::baseline::ForgeKind;
    use crate::api::environment::SourceState;
    use crate::forge::PullRequest;
    use crate::forge::fixtures::pull;
    use crate::intent::About;
    use chrono::{DateTime, Utc};
    use serde_json::{Value, json};

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + 60 * minute, 0).unwrap()
    }

    fn baseline(trigger: &Value) -> Baseline {
        let spec = json!({"repositories": [{"name": "acme/web"}], "trigger": trigger});
        let mut object = api::Baseline::new("main", serde_json::from_value(spec).unwrap());
        object.metadata.namespace = Some("shop".to_owned());
        Baseline::try_from(&object).unwrap()
    }

    fn source(minute: i64, change: impl FnOnce(&mut PullRequest)) -> Source {
        let mut pull = PullRequest { updated_at: at(minute), ..pull() };
        change(&mut pull);
        pull.to_source(ForgeKind::Github, Some("eve"))
    }

    fn pushed(pull: &mut PullRequest) {
        pull.revision = "b".repeat(40).parse().unwrap();
    }

    fn label(name: &str) -> impl Fn(&mut PullRequest) {
        move |pull| pull.labels = vec![name.to_owned()]
    }

    fn closed(pull: &mut PullRequest) {
        pull.state = SourceState::Closed;
    }

    #[test]
    fn a_deed_is_a_push_a_close_a_reopening_what_is_ready_and_what_the_trigger_waited_for() {
        type Change = Box<dyn Fn(&mut PullRequest)>;
        let nothing = || -> Change { Box::new(|_| ()) };
        let draft = |draft: bool| -> Change { Box::new(move |pull| pull.draft = draft) };
        let base = |base: &'static str| -> Change { Box::new(move |pull| pull.base_branch = base.to_owned()) };
        let labelled = |name: &'static str| -> Change { Box::new(label(name)) };
        let (all, by_label) = (json!({"baseBranches": ["main"], "drafts": true}), json!({"pullRequests": "Labelled"}));
        for (case, trigger, was, is, counts) in [
            ("a title, or a sender", &all, nothing(), nothing(), false),
            ("a label", &all, nothing(), labelled("stale"), false),
            ("a label that is gone", &all, labelled("stale"), nothing(), false),
            ("a draft", &all, draft(false), draft(true), false),
            ("a base that nobody wants", &all, base("main"), base("next"), false),
            ("a push", &all, nothing(), Box::new(pushed), true),
            ("a close", &all, nothing(), Box::new(closed), true),
            ("a reopening", &all, Box::new(closed), nothing(), true),
            ("ready for review", &all, draft(true), draft(false), true),
            ("a base that is wanted again", &all, base("next"), base("main"), true),
            ("the label that is waited for", &by_label, nothing(), labelled("preview"), true),
            ("another label beside", &by_label, nothing(), labelled("stale"), false),
            ("a push without the label", &by_label, nothing(), Box::new(pushed), true),
        ] {
            let source = after(source(9, is), &source(5, was), Some(&baseline(trigger)));
            assert_eq!(source.active_at(), at(if counts { 9 } else { 5 }), "{case}");
            assert_eq!(source.active_at.is_none(), counts, "{case}: nothing is recorded beside the time where the two are one");
        }
    }

    #[test]
    fn whichever_delivery_is_lost_comes_again_or_overtakes_another_a_deed_counts_and_nothing_else_does() {
        // Opened, labelled, pushed, labelled by a bot.
        let said = [
            source(0, |_| ()),
            source(1, label("later")),
            source(2, pushed),
            source(60, |pull| {
                pushed(pull);
                label("stale")(pull);
            }),
        ];
        for (order, active) in [
            (&[0, 1, 2, 3][..], 2),
            (&[0, 1, 0, 1, 2, 2, 1, 3, 3, 2], 2),
            (&[0, 2, 1, 3], 2),
            (&[0, 2, 3], 2),
            (&[0, 2], 2),
            (&[0, 1], 0),
            (&[1, 0], 1),
            // Of a push that nobody told of before the time is the one at which it was heard of.
            (&[0, 3, 2, 1], 60),
            (&[3, 0, 1, 2], 60),
        ] {
            let mut held: Option<Source> = None;
            for index in order {
                let fact = said[*index].clone();
                // The rule of the schema.
                held = match held {
                    Some(held) if fact.observed_at < held.observed_at => Some(held),
                    Some(held) => Some(after(fact, &held, None)),
                    None => Some(fact),
                };
            }
            let held = held.unwrap();
            assert_eq!(held.active_at(), at(active), "{order:?}");
        }
    }

    #[test]
    fn a_fact_is_compared_with_what_is_held_of_its_own_repository() {
        let other = Source { repository_id: 8, observed_at: at(7), revision: "c".repeat(40), ..source(0, |_| ()) };
        let spec = json!({"baseline": "main", "sources": [other, source(5, |_| ())]});
        let mut object = api::PreviewEnvironment::new("web-pr-42", serde_json::from_value(spec).unwrap());
        object.metadata.namespace = Some("shop".to_owned());
        let existing = Existing::of(&object, &About::Repositories(ForgeKind::Github, vec![7, 8]));
        assert_eq!(existing.len(), 2);
        let fact = |source: Source| Fact {
            baseline_namespace: "shop".into(),
            baseline: "main".into(),
            environment: existing[0].name.clone(),
            source,
        };
        assert_eq!(follow(fact(source(9, label("stale"))), &existing, &[]).source.active_at(), at(5));
        let beside = Source { observed_at: at(9), ..existing[0].source.clone() };
        assert_eq!(follow(fact(beside), &existing, &[]).source.active_at(), at(7));
    }

    #[test]
    fn what_was_recorded_before_the_two_times_were_told_apart_counts_as_it_did() {
        let held = source(5, label("stale"));
        assert_eq!((held.active_at, held.active_at()), (None, at(5)));
        let retitled = after(source(9, label("stale")), &held, None);
        assert_eq!((retitled.active_at, retitled.active_at()), (Some(at(5)), at(5)));
    }
}
