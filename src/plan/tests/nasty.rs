//! The namespace of `tests/fixtures/nasty`: what is decided in it, and that no rule could go without being missed.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::read;
use crate::api::baseline::{Autoscalers, CronJobs, Gateway, Rbac, Volumes};
use crate::domain::Baseline;
use crate::domain::baseline::{GroupKind, ObjectMatch};
use crate::plan::book::RuleBook;
use crate::plan::kinds::is_cloned;
use crate::plan::sample::{World, isolation_of};
use crate::plan::select::controller;
use crate::plan::{Manifest, ObjectName, rule_names};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/nasty")
}

fn objects() -> Vec<Manifest> {
    let mut files: Vec<_> = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "yaml") && !file.ends_with("baseline.yaml"));
    files.sort();
    files.iter().flat_map(|file| read(file)).collect()
}

fn baseline() -> Baseline {
    let object = read(&folder().join("baseline.yaml")).remove(0);
    Baseline::try_from(&serde_json::from_value::<crate::api::Baseline>(object.value().clone()).unwrap()).unwrap()
}

/// The namespace as the service reads it: some kinds whole, the listed Secrets, and of the rest the names.
fn world() -> World {
    let baseline = baseline();
    let (whole, named): (Vec<_>, Vec<_>) = objects().into_iter().partition(|object| is_cloned(object, &baseline));
    let world = World::of(whole).baseline(|b| *b = baseline).branch("registry.local:5000/acme/api", "pr-42");
    named.iter().fold(world, |world, object| match controller(object) {
        Some(owner) => world.made(object.name(), &owner.api_version, &owner.to_string()),
        None => world.other(object.name()),
    })
}

/// The same under Baselines that choose otherwise, so that every rule has something to do.
fn worlds() -> Vec<World> {
    let gateway = Gateway { name: "preview".into(), namespace: "infra".into(), section_name: None };
    let thrifty = json!({"scheduling": {"nodeSelector": {"pool": "previews"}}, "clone": {"resources": {"requests": "Drop"}}});
    let wanted = GroupKind { group: "external-secrets.io".into(), kind: "ExternalSecret".into() };
    let jobs = ObjectMatch { kind: "Job".into(), name: None, labels: [].into() };
    let external = objects().into_iter().filter(|o| o.kind() == "ExternalSecret");
    vec![
        world(),
        world().baseline(|b| {
            (b.choices.rbac, b.choices.autoscalers) = (Rbac::Clone, Autoscalers::Clone);
            b.hosts.as_mut().unwrap().gateway = Some(gateway);
        }),
        world().baseline(|b| (b.choices.cron_jobs, b.choices.volumes) = (CronJobs::Skip, Volumes::Skip)),
        world().baseline(|b| b.isolation = isolation_of(thrifty)),
        world().without_domain(),
        world().baseline(|b| b.selection.include = vec![jobs]),
        World::of(external).baseline(|b| b.selection.custom_resources = vec![wanted]).isolated(),
    ]
}

#[test]
fn the_nasty_namespace_is_planned_as_people_read_it() {
    insta::assert_snapshot!("nasty", world().plan().said().join("\n"));
}

#[test]
fn what_is_chosen_otherwise_is_planned_otherwise() {
    let worlds = worlds();
    let first = worlds[0].plan().said();
    let others = worlds[1..3].iter().flat_map(|world| world.plan().said());
    let differs: Vec<_> = others.filter(|line| !first.contains(line)).collect();
    insta::assert_snapshot!("nasty_chosen", differs.join("\n"));
}

#[test]
fn every_object_is_decided() {
    let decided: Vec<ObjectName> = world().plan().plan.decisions.iter().map(|d| d.object().clone()).collect();
    for object in objects() {
        // Of the pods of a custom resource that one is said.
        let by_its_owner = controller(&object).is_some_and(|owner| decided.contains(&owner));
        assert!(by_its_owner || decided.contains(&object.name()), "{}", object.name());
    }
}

/// What a book of rules makes of all the worlds.
fn plans(book: &RuleBook) -> Vec<String> {
    worlds().iter().map(|world| format!("{:?}", world.plan_by(book).plan)).collect()
}

#[test]
fn no_rule_can_go_without_being_missed() {
    let all = plans(&RuleBook::all());
    let mut idle = Vec::new();
    let mut check = |name: &'static str, book: &RuleBook| {
        if plans(book) == all {
            idle.push(name);
        }
    };
    for index in 0..RuleBook::all().leave_out.len() {
        let mut book = RuleBook::all();
        check(book.leave_out.remove(index).name, &book);
    }
    for index in 0..RuleBook::all().dangling.len() {
        let mut book = RuleBook::all();
        check(book.dangling.remove(index).name, &book);
    }
    for index in 0..RuleBook::all().change.len() {
        let mut book = RuleBook::all();
        check(book.change.remove(index).name, &book);
    }
    assert!(idle.is_empty(), "the fixtures have nothing for {idle:?} to do");
}

#[test]
fn every_rule_is_in_the_documents() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/rules.md")).unwrap();
    let missing: Vec<_> = rule_names().into_iter().filter(|name| !text.contains(&format!("| `{name}` |"))).collect();
    assert!(missing.is_empty(), "docs/rules.md says nothing of {missing:?}");
}
