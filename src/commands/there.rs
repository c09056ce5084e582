//! Whether what a command is about is there, or would be, and what stands in its way. No client, no clock, no logging.
//!
//! Judged is what is recorded, by the same rules by which the environment is made, and not what status said of it before: another
//! command of the same comment may have changed it a moment ago.

use super::effect::{Case, Refusal, capital, not_open, refuse, source_of};
use crate::api;
use crate::api::PreviewEnvironment;
use crate::api::baseline::Forks;
use crate::api::conditions::ConditionStatus;
use crate::api::environment::{SourceState, WishState};
use crate::controller::settle::{Before, Course, Settled, settle};
use crate::domain::Environment;
use crate::forge::PullRequest;

/// The reasons of `Wanted` that no command takes away but `create`: all others end with what a command changes.
const UNTRIGGERED: [&str; 3] = ["Draft", "Bot", "NotTriggered"];

/// How an environment stands that a command is carried out for.
#[derive(Clone, Debug, Default)]
pub(super) struct Stands {
    /// The commit that has to be approved first, where there is one.
    unapproved: Option<String>,
    /// Whether nothing runs until then.
    is_nothing_there: bool,
}

impl Stands {
    /// What a command leads to that is about the commit at the head.
    pub(super) fn of_the_head(&self, message: String) -> String {
        match &self.unapproved {
            Some(sha) => format!("once it is approved, {message} Look at it, and then /preview approve {sha} lets it run."),
            None => message,
        }
    }

    /// The same of one that is about what runs, whichever commit that is of.
    pub(super) fn of_all(&self, message: String) -> String {
        if self.is_nothing_there { self.of_the_head(message) } else { message }
    }
}

impl Case<'_> {
    /// Refuses what makes sense only for an environment that is there and that nobody asked to be gone.
    pub(super) fn there(&self) -> Result<&api::Source, Refusal> {
        let Some(source) = source_of(self.command, self.object) else {
            return refuse(capital(&self.none_here()));
        };
        if source.state != SourceState::Open {
            return refuse(not_open(source.state));
        }
        let unwished = self.object.standing_wish().is_some_and(|w| w.state == WishState::Absent);
        if unwished { refuse("The environment was taken down. /preview create brings it back.") } else { Ok(source) }
    }

    /// Refuses also what would do nothing, since no trigger wants the environment or nothing of it may run.
    pub(super) fn wanted(&self) -> Result<Stands, Refusal> {
        self.there()?;
        let object = self.read_anew();
        // What cannot be read whole says by itself what is wrong with it.
        let Ok(environment) = Environment::try_from(&object) else { return Ok(Stands::default()) };
        let status = self.object.status.clone().unwrap_or_default();
        let Settled { course, wanted, approved, .. } = settle(&environment, Some(self.baseline), &Before::of(&status), self.now);
        if wanted.status == ConditionStatus::False && UNTRIGGERED.contains(&wanted.reason) {
            return refuse(format!("There is no preview: {}. /preview create makes one all the same.", wanted.message));
        }
        match approved.filter(|approved| approved.status == ConditionStatus::False).map(|approved| approved.reason) {
            Some("ForksDenied") => refuse("It comes from a fork, and the Baseline runs none (trust.forks)."),
            Some(_) => {
                let unapproved = environment.main_source().map(|source| source.revision.to_string());
                Ok(Stands { unapproved, is_nothing_there: course == Course::TakeDown })
            }
            None => Ok(Stands::default()),
        }
    }

    /// The object with the pull request as the forge described it just now, where it was asked.
    fn read_anew(&self) -> PreviewEnvironment {
        let mut object = self.object.clone();
        let is_it = |source: &&mut api::Source| source_of(self.command, self.object).is_some_and(|known| known == &**source);
        if let Some((source, pull)) = object.spec.sources.iter_mut().find(is_it).zip(self.pull) {
            let repository = std::mem::take(&mut source.repository);
            *source = api::Source { repository, ..pull.to_source(self.command.forge, None) };
        }
        object
    }

    /// That nothing is there, and what makes one if anything does.
    pub(super) fn none_here(&self) -> String {
        let none = "there is no environment for this pull request";
        let is_foreign = |pull: &PullRequest| pull.head_repository_id != Some(pull.repository_id);
        match self.pull {
            Some(pull) if pull.state == SourceState::Merged => format!("{none}, which is merged."),
            Some(pull) if pull.state != SourceState::Open => format!("{none}, which is closed. Reopen it first."),
            Some(pull) if is_foreign(pull) && self.baseline.trust.forks == Forks::Deny => {
                format!("{none}: it comes from a fork, and the Baseline runs none (trust.forks).")
            }
            _ => format!("{none}. /preview create makes one."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::effect::effect;
    use super::super::effect::tests::baseline;
    use super::super::order::tests::command;
    use super::*;
    use crate::api::environment::Verb;
    use crate::forge::fixtures;
    use chrono::DateTime;
    use serde_json::{Value, json};

    const HEAD: &str = "3f9c2ab0123456789012345678901234567890ab";
    const BEFORE: &str = "91bd0010123456789012345678901234567890ab";

    fn environment(change: impl FnOnce(&mut Value)) -> PreviewEnvironment {
        let source = json!({"forge": "github", "repositoryId": 7, "repository": "acme/web", "pull": 42, "state": "Open",
            "revision": HEAD, "observedAt": "2027-01-15T07:00:00Z", "headRepositoryId": 7, "baseBranch": "main"});
        let mut object = json!({"apiVersion": "preview-env.dev/v1alpha1", "kind": "PreviewEnvironment",
            "metadata": {"name": "web-pr-42", "namespace": "shop", "uid": "u-1"},
            "spec": {"baseline": "main", "sources": [source]}, "status": {}});
        change(&mut object);
        serde_json::from_value(object).unwrap()
    }

    /// What is said of a command, where the forge still says what is recorded.
    fn said(verb: Verb, args: &[&str], (object, spec): (&PreviewEnvironment, &Value)) -> String {
        let source = &object.spec.sources[0];
        let pull = PullRequest {
            revision: source.revision.parse().unwrap(),
            head_repository_id: source.head_repository_id,
            draft: source.draft,
            base_branch: source.base_branch.clone().unwrap(),
            ..fixtures::pull()
        };
        said_of(verb, args, (object, spec), &pull)
    }

    fn said_of(verb: Verb, args: &[&str], (object, spec): (&PreviewEnvironment, &Value), pull: &PullRequest) -> String {
        let (command, now) = (command("1001.1", 0, verb, args), DateTime::from_timestamp(1_800_000_010, 0).unwrap());
        let baseline = baseline(|base| base.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone()));
        let pull = super::super::effect::needs_pull(&command, object).then_some(pull);
        match effect(&Case { command: &command, object, baseline: &baseline, results: &[], pull, now }) {
            Ok(effect) => effect.message,
            Err(Refusal(why)) => format!("refused: {why}"),
        }
    }

    const ALL: [(Verb, &[&str]); 7] = [
        (Verb::Update, &[]),
        (Verb::Refresh, &[]),
        (Verb::Extend, &["24h"]),
        (Verb::Pin, &[]),
        (Verb::Unpin, &[]),
        (Verb::Image, &["web=debug"]),
        (Verb::Logs, &["web"]),
    ];

    #[test]
    fn what_no_trigger_wants_is_not_said_to_live() {
        let none = "refused: There is no preview: acme/web#42";
        for (case, change, spec) in [
            ("a draft", json!({"draft": true}), json!({})),
            ("a bot", json!({"bot": true}), json!({})),
            ("another base", json!({}), json!({"trigger": {"baseBranches": ["next"]}})),
            ("no label", json!({}), json!({"trigger": {"pullRequests": "Labelled"}})),
        ] {
            let of = |wish: Value| {
                environment(|object| {
                    object["spec"]["sources"][0].as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
                    object["spec"].as_object_mut().unwrap().extend(wish.as_object().unwrap().clone());
                })
            };
            for (verb, args) in ALL.into_iter().filter(|(verb, _)| case != "a bot" || *verb != Verb::Update) {
                let said = |wish| said(verb, args, (&of(wish), &spec));
                let alone = said(json!({}));
                assert!(
                    alone.starts_with(none) && alone.ends_with(". /preview create makes one all the same."),
                    "{case} {verb:?}: {alone}"
                );
                let wished = said(json!({"wish": {"state": "Present", "actor": "ann", "at": "2027-01-15T07:30:00Z"}}));
                assert!(!wished.starts_with("refused: There is no preview"), "{case} {verb:?}: {wished}");
            }
        }
    }

    #[test]
    fn what_is_ready_since_is_brought_up_although_the_record_says_that_it_is_a_draft() {
        let draft = environment(|object| object["spec"]["sources"][0]["draft"] = json!(true));
        let ready = PullRequest { revision: HEAD.parse().unwrap(), head_repository_id: Some(7), ..fixtures::pull() };
        assert_eq!(said_of(Verb::Update, &[], (&draft, &json!({})), &ready), "it is brought up to 3f9c2ab and to its baseline.");
    }

    #[test]
    fn what_expired_comes_back_with_a_command() {
        let lapsed = json!({"why": "Expired", "at": "2027-01-15T07:20:00Z", "activity": "2027-01-15T07:00:00Z"});
        let expired = environment(|object| object["status"]["lapsed"] = lapsed);
        for (verb, args) in ALL.into_iter().filter(|(verb, _)| *verb != Verb::Logs) {
            let said = said(verb, args, (&expired, &json!({})));
            assert!(!said.starts_with("refused"), "{verb:?}: {said}");
        }
    }

    #[test]
    fn nothing_is_said_of_a_fork_that_only_an_approval_brings_about() {
        let fork = |approved: Option<&str>, runs: Option<&str>| {
            environment(|object| {
                object["spec"]["sources"][0]["headRepositoryId"] = json!(8);
                if let Some(sha) = approved {
                    object["spec"]["approval"] = json!({"revision": sha, "actor": "ann", "at": "2027-01-15T07:30:00Z"});
                }
                if let Some(sha) = runs {
                    object["status"] = json!({"namespace": "shop-web-pr-42", "trusted": {"right": "Approved", "revision": sha}});
                }
            })
        };
        let once = |what: &str| format!("once it is approved, {what} Look at it, and then /preview approve {HEAD} lets it run.");
        let (updated, refreshed) = ("it is brought up to 3f9c2ab and to its baseline.", "it is brought up to its baseline.");
        for (case, object, update, refresh) in [
            ("nothing is approved", fork(None, None), once(updated), once(refreshed)),
            ("the commit before runs", fork(Some(BEFORE), Some(BEFORE)), once(updated), refreshed.to_owned()),
            ("it is approved", fork(Some(HEAD), None), updated.to_owned(), refreshed.to_owned()),
        ] {
            let of = |verb| said(verb, &[], (&object, &json!({})));
            assert_eq!((of(Verb::Update), of(Verb::Refresh)), (update, refresh), "{case}");
        }
        let unapproved = fork(None, None);
        for (verb, args) in ALL.into_iter().filter(|(verb, _)| *verb != Verb::Logs) {
            let said = |spec: &Value| said(verb, args, (&unapproved, spec));
            assert!(said(&json!({})).starts_with("once it is approved, "), "{verb:?}");
            let denied = "refused: It comes from a fork, and the Baseline runs none (trust.forks).";
            assert_eq!(said(&json!({"trust": {"forks": "Deny"}})), denied, "{verb:?}");
            assert!(!said(&json!({"trust": {"forks": "Isolated"}})).contains("approve"), "{verb:?}");
        }
    }

    #[test]
    fn a_pin_is_said_to_hold_where_it_does() {
        for (pinned, says) in [
            (json!(true), "it lives until the pull request is closed."),
            (json!(false), "as many are pinned as limits.pinned allows (2), so it expires as others do until another one goes."),
            (json!(null), "it lives until the pull request is closed, as long as no more than 2 are pinned (limits.pinned)."),
        ] {
            let object = environment(|object| object["status"]["pinned"] = pinned);
            assert_eq!(said(Verb::Pin, &[], (&object, &json!({"limits": {"pinned": 2}}))), says);
        }
    }
}
