//! Step 3 of 5, plan. The heart: what to make of the baseline for one environment, and why.
//! No client, no clock, no logging.
//!
//! [`plan()`] is a function of three values: what the baseline holds, what the environment is, and which images it runs.
//! It decides first *which* objects are cloned (`select`), then *how* each changes (`rules`), and gives a [`Decision`]
//! for everything that it meets. Then `admission` takes out what the API server would refuse, and `isolation` adds what
//! stands around the copies. The controller applies the plan, the command line prints it, and the comment sums it
//! up, so all three say the same.

pub mod admission;
mod anew;
mod answers;
mod book;
mod chosen;
pub mod complete;
mod context;
mod decision;
mod expose;
mod externals;
mod hash;
mod hooks;
mod hosts;
mod isolation;
mod kinds;
mod leave_out;
mod manifest;
mod naming;
mod overrides;
mod places;
mod pods;
pub mod rewrite;
mod route_names;
mod rules;
#[cfg(test)]
pub(crate) mod sample;
mod scale;
mod secret_values;
mod secrets;
mod select;
mod service_names;
mod source;
mod strategic;
#[cfg(test)]
mod tests;
mod typed;
mod types;
mod workloads;

pub use anew::is_made_anew;
pub use decision::{ABSENT, Decision, LeftOutReason};
pub use externals::{External, ExternalUse, Inside, externals};
pub use hash::hash;
pub use hosts::{named_hosts, serves_hosts};
pub use manifest::{Manifest, ObjectName};
pub use overrides::unused_rules;
pub use pods::{images_of, pull_secrets_of, service_account_of};
pub use secret_values::{HIDDEN, Listed, listed, sources};
pub use select::controller;
pub use source::Sources;
pub use types::{Controlled, ImageSwap, Plan, Planned, PlannedHook, ResolvedImages, Shortage, Snapshot, Target, WithoutRoom, Workload};

use std::collections::HashSet;

use book::RuleBook;
use context::Context;
use kinds::{STAGES, stage};
use serde_json::Value;

use crate::api::names::ANNOTATION_APPLIED_HASH;

/// What to make of the snapshot for that environment with those images. The same values give the same plan, whatever
/// order the snapshot is in.
pub fn plan(snapshot: &Snapshot, target: &Target<'_>, images: &ResolvedImages) -> Plan {
    plan_by(&RuleBook::all(), (snapshot, target, images))
}

/// The name of every rule, as docs/rules.md has it.
pub fn rule_names() -> Vec<&'static str> {
    let book = RuleBook::all();
    let left_out = book.leave_out.iter().map(|rule| rule.name).chain(book.dangling.iter().map(|rule| rule.name));
    left_out.chain(book.change.iter().map(|rule| rule.name)).collect()
}

/// The plan by those rules and no others.
fn plan_by(book: &RuleBook, (snapshot, target, images): (&Snapshot, &Target<'_>, &ResolvedImages)) -> Plan {
    let selection = select::select_by(book, snapshot, target);
    let exposed = expose::routes(&selection.cloned, target);
    let cloned: Vec<&Manifest> = selection.cloned.iter().copied().chain(&exposed).collect();
    let level = admission::level(snapshot.pod_security.as_deref(), &target.baseline.isolation);
    let context = Context::new(snapshot, &cloned, (target, images)).named(&selection).enforcing(level);
    let Copies { mut stages, mut decisions, mut warnings, invalid } = clone_all(&cloned, book, &context);
    let shortages = admission::admit(&mut stages, &mut decisions, &context);
    let left_out = selection.left_out.iter().chain(&decisions).filter(|decision| decision.is_left_out()).map(Decision::object);
    let externals = outside(&stages, left_out, target);
    let hooks = hooks::plan(snapshot, &stages, &context);
    let shortages = shortages.into_iter().chain(isolation::narrow(&stages, &hooks.planned, &context)).collect();
    let added = isolation::surround(&mut stages, &hooks.planned, &context);
    stages.retain(|stage| !stage.is_empty());
    let stalled = [workloads::stalled(snapshot, &decisions, images), hooks.stalled].concat();
    let missing = secrets::missing(snapshot, target, &planned(&selection.cloned, &decisions));
    warnings.extend(overrides::unused_rules(&selection.cloned, target.baseline));
    warnings.extend(expose::warnings(&selection.cloned, target));
    warnings.extend(overrides::unused_images(&selection.cloned, images));
    Plan {
        workloads: workloads::workloads(&stages, images),
        urls: context.hosts.as_ref().map(|hosts| hosts.urls(&cloned)).unwrap_or_default(),
        externals,
        decisions: sorted(
            [selection.left_out, expose::summed_up(decisions), missing, hooks.decisions, added].into_iter().flatten().collect(),
        ),
        awaits_images: workloads::awaits(stages.iter().flatten().chain(hooks.planned.iter().map(|h| &h.job)), images),
        stages,
        hooks: hooks.planned,
        warnings,
        invalid,
        stalled,
        shortages,
        isolated: target.isolated,
    }
}

/// The objects as an environment gets them, and what there is to say about them.
#[derive(Default)]
struct Copies {
    stages: Vec<Vec<Planned>>,
    decisions: Vec<Decision>,
    warnings: Vec<String>,
    invalid: Vec<String>,
}

/// Every object as the environment gets it, by stages, and what was decided on each.
fn clone_all(cloned: &[&Manifest], book: &RuleBook, context: &Context<'_>) -> Copies {
    let mut copies = Copies { stages: (0..STAGES).map(|_| Vec::new()).collect(), ..Copies::default() };
    for object in cloned {
        let (manifest, notes) = rules::apply_by(&book.change, object, context);
        copies.warnings.extend(notes.warnings);
        copies.invalid.extend(notes.failures);
        copies.decisions.extend(notes.decisions);
        if let Some(stage) = copies.stages.get_mut(stage(object)) {
            let source = source::source_hash(object, context.images).filter(|_| !expose::is_exposure(&object.name()));
            stage.push(Planned { source, ..sealed(manifest) });
        }
    }
    copies.invalid.dedup();
    copies
}

/// What the objects name outside the environment.
fn outside<'a>(stages: &[Vec<Planned>], left_out: impl Iterator<Item = &'a ObjectName>, target: &Target<'_>) -> Vec<External> {
    let objects = || stages.iter().flatten().map(|planned| &planned.manifest);
    let services = left_out.filter(|object| object.kind == "Service").map(|object| object.name.clone());
    let inside = Inside::new(target.namespace, &target.baseline.rewrite.cluster_domain, objects());
    let inside = inside.with_services(services).with_egress(isolation::egress(target));
    externals(objects(), &inside)
}

/// Those of the objects that are not left out after all.
fn planned<'a>(cloned: &[&'a Manifest], decisions: &[Decision]) -> Vec<&'a Manifest> {
    let left_out: HashSet<&ObjectName> = decisions.iter().filter(|d| d.is_left_out()).map(Decision::object).collect();
    cloned.iter().copied().filter(|object| !left_out.contains(&object.name())).collect()
}

/// The object with its own hash as an annotation.
fn sealed(mut manifest: Manifest) -> Planned {
    let hash = hash(manifest.value());
    manifest.set(&["metadata", "annotations"], ANNOTATION_APPLIED_HASH, Value::String(hash.clone()));
    Planned { manifest, hash, source: None }
}

fn sorted(mut decisions: Vec<Decision>) -> Vec<Decision> {
    decisions.sort_by_cached_key(|d| select::sort_key(d.object()));
    decisions
}
