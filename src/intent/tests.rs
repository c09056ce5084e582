use super::*;
use crate::api::environment::SourceState;
use crate::forge::Branch;
use crate::forge::event::PullAction;
use serde_json::json;

fn baseline(namespace: &str, repositories: &[(&str, &str)]) -> Arc<Baseline> {
    let listed: Vec<_> = repositories.iter().map(|(name, alias)| json!({"name": name, "alias": alias})).collect();
    let mut object = api::Baseline::new("main", serde_json::from_value(json!({"repositories": listed})).unwrap());
    object.metadata.namespace = Some(namespace.to_owned());
    Arc::new(Baseline::try_from(&object).unwrap())
}

fn pull(repository: &str) -> PullRequest {
    PullRequest {
        repository_id: 7,
        repository: repository.parse().unwrap(),
        number: 42,
        state: SourceState::Open,
        revision: "a".repeat(40).parse().unwrap(),
        head_branch: "faster".into(),
        head_repository_id: Some(7),
        base_branch: "main".into(),
        author: "ann".into(),
        draft: false,
        bot: false,
        labels: vec![],
        created_at: "2026-01-02T03:00:00Z".parse().unwrap(),
        updated_at: "2026-01-02T03:04:05Z".parse().unwrap(),
    }
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

#[test]
fn a_ping_is_answered_and_what_is_ignored_keeps_its_reason() {
    assert_eq!(decide(&Event::Ping, &[], &[]), Intent::Pong);
    assert_eq!(decide(&Event::Ignored { why: "x".into() }, &[], &[]), Intent::Ignore("x".into()));
}
