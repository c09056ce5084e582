//! What a comment or a pressed button makes us want. No client, no clock, no logging.
//!
//! Whoever wrote it may do nothing yet: that is asked when the command is carried out.

use std::sync::Arc;

use chrono::TimeDelta;

use super::{CommandFact, Existing, Intent};
use crate::api::baseline::ForgeKind;
use crate::api::environment::{BUTTON, Command, Verb};
use crate::commands::parse::{Asked, commands};
use crate::domain::names::{Identity, Subject};
use crate::domain::{Baseline, EnvironmentName, RepoName};
use crate::feedback::{is_check_of, is_marked};
use crate::forge::event::{Again, Press};
use crate::forge::{CheckAction, PostedComment};

/// No further are the clocks of the forge and the API server apart.
const CLOCKS_APART: TimeDelta = TimeDelta::minutes(1);

/// An environment of the pull request, whether it is there or not.
type Place = (String, String, EnvironmentName);

/// The commands of a comment, for each environment of the pull request that is there or could be.
pub(super) fn of_comment(forge: ForgeKind, comment: &PostedComment, baselines: &[Arc<Baseline>], existing: &[Existing]) -> Intent {
    match given(forge, comment) {
        Ok(commands) => spread(&commands, &comment.repository, baselines, existing),
        Err(why) => Intent::Ignore(why.to_owned()),
    }
}

/// The commands of a comment, in their order, or why it counts for none.
pub fn given(forge: ForgeKind, comment: &PostedComment) -> Result<Vec<Command>, &'static str> {
    if comment.by_bot {
        return Err("a bot wrote the comment");
    }
    if is_marked(&comment.body) {
        return Err("the comment is this service's own");
    }
    // Who read it before the edit may have agreed to something else.
    if comment.updated_at != comment.created_at {
        return Err("the comment was edited; a command counts in a new comment");
    }
    let asked = commands(&comment.body);
    if asked.is_empty() {
        return Err("the comment holds no command");
    }
    let command = |(place, asked): (usize, Asked)| Command {
        id: format!("{}.{}", comment.id, place + 1),
        verb: asked.verb,
        args: asked.args,
        actor: comment.author.clone(),
        at: comment.created_at,
        forge,
        repository_id: comment.repository_id,
        repository: comment.repository.as_str().to_owned(),
        pull: comment.pull,
        comment: Some(comment.id),
        made_at: None,
        delivery: None,
    };
    Ok(asked.into_iter().enumerate().map(command).collect())
}

/// The same of a pressed button.
pub(super) fn of_press(forge: ForgeKind, press: &Press, baselines: &[Arc<Baseline>], existing: &[Existing]) -> Intent {
    let verb = match press.action {
        CheckAction::Rebuild => Verb::Update,
        CheckAction::Extend => Verb::Extend,
        CheckAction::Delete => Verb::Delete,
    };
    let command = Command {
        id: format!("{BUTTON}{}", press.id),
        verb,
        args: Vec::new(),
        actor: press.sender.clone(),
        at: press.at,
        forge,
        repository_id: press.repository_id,
        repository: press.repository.as_str().to_owned(),
        pull: press.pull,
        comment: None,
        made_at: press.made_at,
        delivery: None,
    };
    // The check stands for one Baseline's environment, whichever else the pull request has.
    let is_its = |namespace: &str, baseline: &str| is_check_of((namespace, baseline), press.pull, &press.check);
    let baselines: Vec<_> = baselines.iter().filter(|b| is_its(&b.namespace, &b.name)).cloned().collect();
    let existing: Vec<_> = existing.iter().filter(|e| is_its(&e.namespace, &e.baseline)).cloned().collect();
    spread(&[command], &press.repository, &baselines, &existing)
}

/// All checks of a commit once more: a rebuild of each environment of it that there is. None other has a check.
pub(super) fn of_again(forge: ForgeKind, again: &Again, existing: &[Existing]) -> Intent {
    let command = |pull: i64| Command {
        id: format!("{BUTTON}{}", again.id),
        verb: Verb::Update,
        args: Vec::new(),
        actor: again.sender.clone(),
        at: again.at,
        forge,
        repository_id: again.repository_id,
        repository: again.repository.as_str().to_owned(),
        pull,
        comment: None,
        made_at: None,
        delivery: None,
    };
    let fact = |known: &Existing| {
        Some(CommandFact {
            baseline_namespace: known.namespace.clone(),
            baseline: known.baseline.clone(),
            environment: known.name.clone(),
            command: command(known.source.pull?),
        })
    };
    let facts: Vec<CommandFact> = existing.iter().filter_map(fact).collect();
    if facts.is_empty() {
        return Intent::Ignore(format!("no environment shows the commit {} of {}", again.revision, again.repository));
    }
    Intent::Command(facts)
}

/// Whether a command was given before the Baseline was made, so that it was for nothing that the Baseline could make.
pub fn is_before(baseline: &Baseline, command: &Command) -> bool {
    baseline.created_at.is_some_and(|made| made - command.at > CLOCKS_APART)
}

/// Each command once for each environment, in their order.
fn spread(commands: &[Command], repository: &RepoName, baselines: &[Arc<Baseline>], existing: &[Existing]) -> Intent {
    let Some(first) = commands.first() else { return Intent::Ignore("there is no command".to_owned()) };
    let places = places(first, repository, baselines, existing);
    if places.is_empty() {
        let is_listed = baselines.iter().any(|b| b.repository_by(first.forge, first.repository_id, repository).is_some());
        let older = if is_listed { " that is older than the command" } else { "" };
        return Intent::Ignore(format!("no Baseline{older} lists the repository {repository}"));
    }
    let fact = |(namespace, baseline, environment): &Place, command: &Command| CommandFact {
        baseline_namespace: namespace.clone(),
        baseline: baseline.clone(),
        environment: environment.clone(),
        command: command.clone(),
    };
    Intent::Command(places.iter().flat_map(|place| commands.iter().map(move |command| fact(place, command))).collect())
}

/// Where a repository's number is known it decides, so that nobody reaches another repository's environments by its name.
fn places(command: &Command, repository: &RepoName, baselines: &[Arc<Baseline>], existing: &[Existing]) -> Vec<Place> {
    let subject = Subject::Pull(command.pull);
    let mut places: Vec<Place> =
        existing.iter().map(|known| (known.namespace.clone(), known.baseline.clone(), known.name.clone())).collect();
    for baseline in baselines {
        let listed = baseline.repository_by(command.forge, command.repository_id, repository);
        let Some(listed) = listed.filter(|_| !is_before(baseline, command)) else { continue };
        let identity = Identity {
            forge: listed.forge,
            repository: &listed.name,
            alias: &listed.alias,
            subject: &subject,
            baseline_namespace: &baseline.namespace,
        };
        places.push((baseline.namespace.clone(), baseline.name.clone(), EnvironmentName::of(&identity)));
    }
    let mut once: Vec<Place> = Vec::with_capacity(places.len());
    for place in places {
        if !once.iter().any(|known| known.0 == place.0 && known.2 == place.2) {
            once.push(place);
        }
    }
    once
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api;
    use crate::feedback::MARKER;
    use serde_json::json;

    /// A Baseline called `main` that lists acme/web, whose number is known or not.
    fn baseline(namespace: &str, known: Option<i64>) -> Arc<Baseline> {
        let mut object = api::Baseline::new("main", serde_json::from_value(json!({"repositories": [{"name": "acme/web"}]})).unwrap());
        object.metadata.namespace = Some(namespace.to_owned());
        let repository = |id: i64| json!({"forge": "github", "name": "acme/web", "id": id, "private": false});
        let status = json!({"repositories": known.map(repository).into_iter().collect::<Vec<_>>()});
        object.status = serde_json::from_value(status).unwrap();
        Arc::new(Baseline::try_from(&object).unwrap())
    }

    fn comment(body: &str) -> PostedComment {
        PostedComment {
            repository_id: 7,
            repository: "acme/web".parse().unwrap(),
            pull: 42,
            id: 1001,
            author: "ann".into(),
            by_bot: false,
            body: body.into(),
            created_at: "2026-01-02T03:04:05Z".parse().unwrap(),
            updated_at: "2026-01-02T03:04:05Z".parse().unwrap(),
        }
    }

    fn existing(namespace: &str, name: &str) -> Existing {
        let source = json!({"forge": "github", "repositoryId": 7, "repository": "acme/web", "pull": 42, "state": "Open",
            "revision": "a".repeat(40), "observedAt": "2026-01-02T03:04:05Z"});
        Existing {
            uid: "uid".into(),
            namespace: namespace.into(),
            name: EnvironmentName::recorded(name),
            baseline: "old".into(),
            source: serde_json::from_value(source).unwrap(),
            heard: vec![],
            began: None,
            forgot_before: None,
            life: crate::intent::Life::default(),
            wished: false,
        }
    }

    fn decide(comment: &PostedComment, baselines: &[Arc<Baseline>], existing: &[Existing]) -> Result<Vec<String>, String> {
        match of_comment(ForgeKind::Github, comment, baselines, existing) {
            Intent::Command(facts) => {
                let text = |f: &CommandFact| {
                    format!("{} of {} {}: {:?} {:?}", f.display(), f.baseline, f.command.id, f.command.verb, f.command.args)
                };
                Ok(facts.iter().map(text).collect())
            }
            Intent::Ignore(why) => Err(why),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_environment_of_the_pull_request_gets_each_command_once() {
        let baselines = [baseline("shop", None), baseline("b2", Some(7))];
        let known = [existing("shop", "web-pr-42"), existing("gone", "site-pr-42")];
        let body = "Please.\n/preview create\n/preview extend 2d";
        let facts = decide(&comment(body), &baselines, &known).unwrap();
        insta::assert_snapshot!(facts.join("\n"), @r#"
        shop/web-pr-42 of old 1001.1: Create []
        shop/web-pr-42 of old 1001.2: Extend ["2d"]
        gone/site-pr-42 of old 1001.1: Create []
        gone/site-pr-42 of old 1001.2: Extend ["2d"]
        b2/web-pr-42 of main 1001.1: Create []
        b2/web-pr-42 of main 1001.2: Extend ["2d"]
        "#);
    }

    #[test]
    fn what_is_no_command_of_a_person_is_ignored_with_the_reason() {
        let command = comment("/preview delete");
        let later = command.created_at + chrono::TimeDelta::seconds(1);
        for (comment, why) in [
            (PostedComment { by_bot: true, ..command.clone() }, "a bot wrote"),
            (PostedComment { updated_at: later, ..command.clone() }, "was edited"),
            (comment(&format!("{MARKER}\n/preview delete")), "own"),
            (comment("<!-- preview-env staging -->\n/preview delete"), "own"),
            (comment("> /preview delete"), "no command"),
            (PostedComment { repository: "acme/other".parse().unwrap(), ..command.clone() }, "no Baseline lists the repository acme/other"),
        ] {
            let ignored = decide(&comment, &[baseline("shop", None)], &[]).unwrap_err();
            assert!(ignored.contains(why), "{why:?} is not in {ignored:?}");
        }
    }

    #[test]
    fn another_repository_under_a_listed_name_reaches_nothing_where_the_number_is_known() {
        let stranger = PostedComment { repository_id: 8, ..comment("/preview delete") };
        assert!(decide(&stranger, &[baseline("shop", Some(7))], &[]).is_err());
        let renamed = PostedComment { repository: "acme/renamed".parse().unwrap(), ..comment("/preview delete") };
        assert!(decide(&renamed, &[baseline("shop", Some(7))], &[]).is_ok(), "a repository keeps its number");
    }

    #[test]
    fn what_was_written_before_a_baseline_was_made_is_not_for_it() {
        let made = |namespace: &str, seconds: i64| {
            let at = comment("").created_at + chrono::TimeDelta::seconds(seconds);
            Arc::new(Baseline { created_at: Some(at), ..Arc::unwrap_or_clone(baseline(namespace, None)) })
        };
        let command = comment("/preview create");
        let baselines = [made("old", -3_600), made("just-made", 60), made("new", 61)];
        let facts = decide(&command, &baselines, &[]).unwrap();
        assert_eq!(facts.len(), 2, "{facts:?}");
        assert!(facts.iter().all(|fact| !fact.starts_with("new/")), "{facts:?}");
        let ignored = decide(&command, &baselines[2..], &[]).unwrap_err();
        assert_eq!(ignored, "no Baseline that is older than the command lists the repository acme/web");
        let known = [existing("new", "web-pr-42")];
        assert_eq!(
            decide(&command, &baselines[2..], &known).unwrap().len(),
            1,
            "an environment that is there outlived the Baseline before"
        );
    }

    #[test]
    fn a_button_is_a_command_of_its_own() {
        for (action, verb, name) in [
            (CheckAction::Rebuild, Verb::Update, "preview / shop/main"),
            (CheckAction::Extend, Verb::Extend, "preview / shop/main (#42)"),
            (CheckAction::Delete, Verb::Delete, "preview / shop/main"),
        ] {
            let press = Press {
                id: "d-1".into(),
                action,
                repository_id: 7,
                repository: "acme/web".parse().unwrap(),
                pull: 42,
                check: name.into(),
                by: None,
                sender: "ann".into(),
                made_at: "2026-01-02T03:00:00Z".parse().ok(),
                at: "2026-01-02T03:04:05Z".parse().unwrap(),
            };
            let Intent::Command(facts) = of_press(ForgeKind::Github, &press, &[baseline("shop", None), baseline("eu", None)], &[]) else {
                panic!("no command")
            };
            assert_eq!(facts[0].baseline_namespace, "shop", "the other Baseline has a check of its own");
            let command = &facts[0].command;
            assert_eq!((facts.len(), command.id.as_str(), command.verb), (1, "button.d-1", verb));
            assert_eq!((command.comment, command.made_at), (None, press.made_at));
        }
    }
}
