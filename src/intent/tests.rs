use super::*;
use crate::api::environment::SourceState;
use crate::api::environment::Verb;
use crate::forge::event::{Again, PullAction};
use crate::forge::{Branch, fixtures};
use serde_json::json;

fn baseline(namespace: &str, repositories: &[(&str, &str)]) -> Arc<Baseline> {
    let listed: Vec<_> = repositories.iter().map(|(name, alias)| json!({"name": name, "alias": alias})).collect();
    let mut object = api::Baseline::new("main", serde_json::from_value(json!({"repositories": listed})).unwrap());
    object.metadata.namespace = Some(namespace.to_owned());
    Arc::new(Baseline::try_from(&object).unwrap())
}

fn pull(repository: &str) -> PullRequest {
    PullRequest { repository: repository.parse().unwrap(), ..fixtures::pull() }
}

fn opened(repository: &str) -> Event {
    Event::PullRequest { forge: ForgeKind::Github, action: PullAction::Opened, pull: Box::new(pull(repository)), sender: "bob".into() }
}

#[test]
fn every_baseline_that_lists_the_repository_gets_a_fact() {
    let baselines = [
        baseline("shop", &[("acme/api", "api"), ("Acme/Web", "web")]),
        baseline("other", &[("acme/x", "x")]),
        baseline("b2", &[("acme/web", "w")]),
    ];
    let Intent::Record(facts) = decide(&opened("acme/web"), &baselines, &[]) else { panic!("nothing to record") };
    let names: Vec<_> = facts.iter().map(Fact::display).collect();
    assert_eq!(names, ["shop/web-pr-42", "b2/w-pr-42"]);
    assert_eq!((facts[0].baseline.as_str(), facts[0].source.sender.as_deref()), ("main", Some("bob")));
    assert_eq!((facts[0].source.pull, facts[0].source.repository.as_str()), (Some(42), "Acme/Web"));
}

fn environment(namespace: &str, name: &str) -> api::PreviewEnvironment {
    let source = PullRequest { state: SourceState::Open, ..pull("acme/Web") }.to_source(ForgeKind::Github, None);
    let spec = json!({"baseline": "old", "sources": [source]});
    let mut object = api::PreviewEnvironment::new(name, serde_json::from_value(spec).unwrap());
    object.metadata.namespace = Some(namespace.to_owned());
    object
}

fn existing(namespace: &str, name: &str) -> Existing {
    Existing::of(&environment(namespace, name), &about(&pull("acme/web"))).remove(0)
}

fn about(pull: &PullRequest) -> About {
    About::Subject(ForgeKind::Github, pull.repository_id, Subject::Pull(pull.number))
}

fn closed() -> Event {
    let pull = Box::new(PullRequest { state: SourceState::Closed, ..pull("acme/web") });
    Event::PullRequest { forge: ForgeKind::Github, action: PullAction::Closed, pull, sender: "bob".into() }
}

#[test]
fn an_environment_gets_its_facts_whatever_became_of_its_baseline() {
    for event in [opened("acme/web"), closed()] {
        let Intent::Record(facts) = decide(&event, &[], &[existing("shop", "web-pr-42")]) else { panic!("nothing to record") };
        let fact = &facts[0];
        assert_eq!((facts.len(), fact.display().as_str(), fact.baseline.as_str()), (1, "shop/web-pr-42", "old"));
        assert_eq!((fact.source.repository.as_str(), fact.source.sender.as_deref()), ("acme/Web", Some("bob")));
    }
    let Intent::Record(facts) = decide(&closed(), &[], &[existing("shop", "web-pr-42")]) else { panic!("nothing to record") };
    assert_eq!(facts[0].source.state, SourceState::Closed);
}

#[test]
fn all_checks_of_a_commit_once_more_rebuild_each_environment_of_it() {
    let objects = ["shop", "eu"].map(|namespace| environment(namespace, "web-pr-42"));
    let decided = |repository_id: i64, revision: Revision| {
        let (repository, at) = ("acme/web".parse().unwrap(), pull("acme/web").updated_at);
        let again = Box::new(Again { id: "s-1".into(), repository_id, repository, revision, sender: "ann".into(), at });
        let event = Event::Again { forge: ForgeKind::Github, again };
        let about = About::of(&event).unwrap();
        decide(&event, &[], &objects.iter().flat_map(|object| Existing::of(object, &about)).collect::<Vec<_>>())
    };
    let known = pull("acme/web");
    let Intent::Command(facts) = decided(known.repository_id, known.revision.clone()) else { panic!("no command") };
    assert_eq!(facts.iter().map(CommandFact::display).collect::<Vec<_>>(), ["shop/web-pr-42", "eu/web-pr-42"]);
    for fact in &facts {
        let command = &fact.command;
        assert_eq!(
            (command.id.as_str(), command.verb, command.pull, command.actor.as_str()),
            ("button.s-1", Verb::Update, known.number, "ann")
        );
    }
    assert!(matches!(decided(known.repository_id, "e".repeat(40).parse().unwrap()), Intent::Ignore(_)), "another commit");
    assert!(matches!(decided(known.repository_id + 1, known.revision), Intent::Ignore(_)), "another repository");
}

#[test]
fn an_environment_and_its_baseline_give_one_fact_for_the_baseline_it_was_made_for() {
    // The namespace's Baseline has another name now, and another alias, so that one environment is called otherwise.
    let baselines = [baseline("shop", &[("acme/web", "web")])];
    let known = [existing("shop", "web-pr-42"), existing("shop", "site-pr-42"), existing("other", "web-pr-42")];
    let Intent::Record(facts) = decide(&closed(), &baselines, &known) else { panic!("nothing to record") };
    let named: Vec<_> = facts.iter().map(|f| (f.display(), f.baseline.as_str())).collect();
    let expected = ["shop/web-pr-42", "shop/site-pr-42", "other/web-pr-42"].map(|name| (name.to_owned(), "old"));
    assert_eq!(named, expected);
}

#[test]
fn an_environment_is_known_by_repository_and_number() {
    let of = |object: &api::PreviewEnvironment, pull: &PullRequest| Existing::of(object, &about(pull)).pop();
    let mut object = environment("shop", "web-pr-42");
    // A repository keeps its number through renames.
    assert!(of(&object, &pull("acme/renamed")).is_some());
    assert_eq!(of(&object, &PullRequest { number: 43, ..pull("acme/web") }), None);
    assert_eq!(of(&object, &PullRequest { repository_id: 8, ..pull("acme/web") }), None);
    object.metadata.deletion_timestamp = Some(serde_json::from_value(json!("2026-01-02T03:04:05Z")).unwrap());
    assert_eq!(of(&object, &pull("acme/web")), None);
}

#[test]
fn an_unknown_repository_is_ignored_without_naming_others() {
    let baselines = [baseline("shop", &[("acme/secret-project", "s")])];
    let Intent::Ignore(why) = decide(&opened("acme/wbe"), &baselines, &[]) else { panic!("not ignored") };
    assert!(why.contains("acme/wbe") && !why.contains("secret") && !why.contains("shop"), "{why}");
}

#[test]
fn a_branch_is_named_by_the_baselines_spelling() {
    let branch = |repository: &str| Branch {
        repository_id: 7,
        repository: repository.parse().unwrap(),
        name: "feature/login".into(),
        revision: "b".repeat(40).parse().unwrap(),
        observed_at: "2026-01-02T03:04:05Z".parse().unwrap(),
    };
    let shop = baseline("shop", &[("acme/web", "web")]);
    let found = fact(&shop, &shop.repositories[0], branch("ACME/web").to_source(ForgeKind::Github));
    let renamed = fact(&shop, &shop.repositories[0], branch("acme/web-app").to_source(ForgeKind::Github));
    assert_eq!(found.environment, renamed.environment);
    assert!(found.environment.as_str().starts_with("web-feature-login-"));
}

/// A Baseline of `acme/web` with that trigger, made an hour before or after the pull request.
fn triggered(trigger: &serde_json::Value, made_before: bool) -> Arc<Baseline> {
    let spec = json!({"repositories": [{"name": "acme/web"}], "trigger": trigger});
    let mut object = api::Baseline::new("main", serde_json::from_value(spec).unwrap());
    object.metadata.namespace = Some("shop".into());
    let made = if made_before { "2026-01-02T02:00:00Z" } else { "2026-01-02T04:00:00Z" };
    object.metadata.creation_timestamp = Some(serde_json::from_value(json!(made)).unwrap());
    Arc::new(Baseline::try_from(&object).unwrap())
}

fn known_by(number: Option<i64>, name: &str) -> Arc<Baseline> {
    let mut object = api::Baseline::new("main", serde_json::from_value(json!({"repositories": [{"name": name}]})).unwrap());
    object.metadata.namespace = Some("shop".into());
    let known = number.map(|id| json!({"forge": "github", "name": name, "id": id, "private": false}));
    object.status = Some(serde_json::from_value(json!({"repositories": known.into_iter().collect::<Vec<_>>()})).unwrap());
    Arc::new(Baseline::try_from(&object).unwrap())
}

/// Whether a change of a pull request, with or without the label, is recorded.
fn is_recorded(baseline: &Arc<Baseline>, action: PullAction, labels: &[&str], existing: &[Existing]) -> bool {
    let state = if action == PullAction::Closed { SourceState::Closed } else { SourceState::Open };
    let labels = labels.iter().map(ToString::to_string).collect();
    let pull = Box::new(PullRequest { state, labels, ..pull("acme/web") });
    let event = Event::PullRequest { forge: ForgeKind::Github, action, pull, sender: "bob".into() };
    matches!(decide(&event, std::slice::from_ref(baseline), existing), Intent::Record(_))
}

#[test]
fn every_action_meets_every_trigger() {
    use PullAction::*;
    let moves = [Opened, Reopened, Synchronize, ReadyForReview, Closed];
    for action in PullAction::ALL {
        let at = |trigger: &str, made_before: bool, labels: &[&str]| {
            is_recorded(&triggered(&json!({"pullRequests": trigger}), made_before), action, labels, &[])
        };
        let name = action.as_str();
        assert!(at("All", true, &[]), "{name} of a pull request that is younger than the Baseline");
        assert_eq!(at("All", false, &[]), moves.contains(&action), "{name} of an older one");
        assert!(at("Labelled", false, &["Preview"]), "{name} with the label");
        assert!(!at("Labelled", true, &["previews", "bug"]), "{name} without the label");
        for trigger in ["OnCommand", "None"] {
            assert!(!at(trigger, true, &["preview"]), "{name} where {trigger} makes none");
        }
        for trigger in ["All", "Labelled", "OnCommand", "None"] {
            let baseline = triggered(&json!({"pullRequests": trigger}), false);
            assert!(is_recorded(&baseline, action, &[], &[existing("shop", "web-pr-42")]), "{name} of an environment, with {trigger}");
        }
    }
}

#[test]
fn what_ended_is_recorded_by_its_close_alone() {
    let closed = PullRequest { state: SourceState::Merged, ..pull("acme/web") };
    for action in PullAction::ALL {
        let event = Event::PullRequest { forge: ForgeKind::Github, action, pull: Box::new(closed.clone()), sender: "bob".into() };
        let recorded = matches!(decide(&event, &[triggered(&json!({}), true)], &[]), Intent::Record(_));
        assert_eq!(recorded, action == PullAction::Closed, "{}", action.as_str());
    }
}

#[test]
fn a_repository_has_its_own_trigger() {
    let mut object = api::Baseline::new(
        "main",
        serde_json::from_value(json!({"trigger": {"pullRequests": "None"}, "repositories": [
            {"name": "acme/web", "trigger": {"pullRequests": "All"}}, {"name": "acme/api"}]}))
        .unwrap(),
    );
    object.metadata.namespace = Some("shop".into());
    let baselines = [Arc::new(Baseline::try_from(&object).unwrap())];
    assert!(matches!(decide(&opened("acme/web"), &baselines, &[]), Intent::Record(_)));
    let Intent::Ignore(why) = decide(&opened("acme/api"), &baselines, &[]) else { panic!("not ignored") };
    assert_eq!(why, "opened of acme/api#42 asks for no environment, and there is none");
}

#[test]
fn a_repository_is_known_by_its_number_where_there_is_one() {
    for (number, listed, named, recorded, why) in [
        (Some(7), "acme/web", "acme/renamed", true, "a rename keeps its Baseline"),
        (Some(7), "acme/web", "other/web", true, "so does a transfer"),
        (Some(8), "acme/web", "acme/web", false, "another repository took the name"),
        (None, "acme/web", "acme/web", true, "the name counts until the forge was asked"),
        (None, "acme/web", "acme/renamed", false, "and nothing else does"),
    ] {
        let baselines = [known_by(number, listed)];
        let intent = decide(&opened(named), &baselines, &[]);
        let Intent::Record(facts) = intent else {
            assert!(!recorded, "{why}");
            continue;
        };
        assert!(recorded, "{why}");
        assert_eq!((facts[0].source.repository.as_str(), facts[0].environment.as_str()), ("acme/web", "web-pr-42"), "{why}");
        let push = decide(&pushed(named, "feature/login", true), &[branches_of(number, listed)], &[]);
        assert!(matches!(push, Intent::Record(_)), "{why}");
    }
}

fn branches_of(number: Option<i64>, name: &str) -> Arc<Baseline> {
    let mut baseline = Baseline::clone(&known_by(number, name));
    baseline.trigger.branches = vec!["feature/**".parse().unwrap()];
    Arc::new(baseline)
}

fn pushed(repository: &str, name: &str, exists: bool) -> Event {
    let branch = Branch {
        repository_id: 7,
        repository: repository.parse().unwrap(),
        name: name.into(),
        revision: "b".repeat(40).parse().unwrap(),
        observed_at: "2026-01-02T03:04:05Z".parse().unwrap(),
    };
    Event::Branch { forge: ForgeKind::Github, branch: Box::new(branch), exists, sender: "bob".into() }
}

#[test]
fn a_push_makes_what_the_patterns_name_and_a_deletion_ends_it() {
    let baselines = [branches_of(None, "acme/web")];
    for (exists, state) in [(true, SourceState::Open), (false, SourceState::Gone)] {
        let Intent::Record(facts) = decide(&pushed("acme/web", "feature/login", exists), &baselines, &[]) else { panic!("no fact") };
        let source = &facts[0].source;
        assert_eq!((source.state, source.branch.as_deref(), source.sender.as_deref()), (state, Some("feature/login"), Some("bob")));
        assert_eq!(source.pull, None);
    }
    for (repository, branch, why) in [
        ("acme/web", "main", "no Baseline has a trigger for the branch main of acme/web"),
        ("acme/wbe", "feature/x", "no Baseline lists the repository acme/wbe"),
        ("acme/web", "gh-readonly-queue/main/pr-1-abc", "gh-readonly-queue/main/pr-1-abc belongs to a merge queue"),
    ] {
        assert_eq!(decide(&pushed(repository, branch, true), &baselines, &[]), Intent::Ignore(why.into()));
    }
}

#[test]
fn an_environment_of_a_branch_gets_its_facts_without_a_trigger() {
    let name = "a/b";
    let mut object = environment("shop", "web-a-b-abcdefgh");
    object.spec.sources[0].pull = None;
    object.spec.sources[0].branch = Some(name.into());
    let event = pushed("acme/web", name, false);
    let existing = Existing::of(&object, &About::of(&event).unwrap());
    let Intent::Record(facts) = decide(&event, &[], &existing) else { panic!("no fact") };
    assert_eq!((facts.len(), facts[0].display().as_str(), facts[0].source.state), (1, "shop/web-a-b-abcdefgh", SourceState::Gone));
}

#[test]
fn what_is_out_of_sight_ends_every_environment_of_it_and_no_other() {
    let event = Event::Gone { forge: ForgeKind::Github, repositories: vec![7, 9], for_good: true, why: "the app was uninstalled".into() };
    let mut other = environment("shop", "api-pr-1");
    other.spec.sources[0].repository_id = 8;
    let about = About::of(&event).unwrap();
    let existing: Vec<_> = [environment("shop", "web-pr-42"), other].iter().flat_map(|object| Existing::of(object, &about)).collect();
    let Intent::Record(facts) = decide(&event, &[], &existing) else { panic!("no fact") };
    assert_eq!((facts.len(), facts[0].display().as_str(), facts[0].source.state), (1, "shop/web-pr-42", SourceState::Gone));
    assert_eq!(decide(&event, &[], &[]), Intent::Ignore("the app was uninstalled, and no environment is of it".into()));
    // What can be undone may have been: such a delivery, heard late or a second time, ends nothing by itself.
    let undone = Event::Gone { forge: ForgeKind::Github, repositories: vec![7], for_good: false, why: "the app was uninstalled".into() };
    let why = "the app was uninstalled, and the forge is asked whether that is still so";
    assert_eq!(decide(&undone, &[], &existing), Intent::Ignore(why.into()));
}

#[test]
fn a_ping_is_answered_and_what_is_ignored_keeps_its_reason() {
    assert_eq!(decide(&Event::Ping, &[], &[]), Intent::Pong);
    assert_eq!(decide(&Event::Ignored { why: "x".into() }, &[], &[]), Intent::Ignore("x".into()));
}
