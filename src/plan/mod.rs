//! Step 3 of 5, plan. The heart: what to make of the baseline for one environment, and why.
//! No client, no clock, no logging.
//!
//! [`plan()`] is a function of three values: what the baseline holds, what the environment is, and which images it runs.
//! It decides first *which* objects are cloned (`select`), then *how* each changes (`rules`), and gives a [`Decision`]
//! for everything that it meets. The controller applies the plan, the command line prints it, and the comment sums it
//! up, so all three say the same.

mod chosen;
pub mod complete;
mod context;
mod decision;
mod hash;
mod hooks;
mod hosts;
mod kinds;
mod manifest;
mod pods;
mod refuse;
mod rules;
#[cfg(test)]
mod sample;
mod secrets;
mod select;
mod source;
#[cfg(test)]
mod tests;
mod types;
mod workloads;

pub use decision::{ABSENT, Decision, LeftOutReason};
pub use hash::hash;
pub use manifest::{Manifest, ObjectName};
pub use pods::{images_of, pull_secrets_of, service_account_of};
pub use source::Sources;
pub use types::{Controlled, ImageSwap, Plan, Planned, PlannedHook, ResolvedImages, Snapshot, Target, Workload};

use context::Context;
use kinds::{STAGES, stage};
use serde_json::Value;

use crate::api::names::ANNOTATION_APPLIED_HASH;

/// What to make of the snapshot for that environment with those images. The same values give the same plan, whatever
/// order the snapshot is in.
pub fn plan(snapshot: &Snapshot, target: &Target<'_>, images: &ResolvedImages) -> Plan {
    let selection = select::select(snapshot, target);
    let context = Context::new(&selection.cloned, target, images);
    let (stages, changes) = clone_all(&selection.cloned, &context);
    let hooks = hooks::plan(snapshot, &stages, &context);
    let stalled = [workloads::stalled(snapshot, &selection.left_out, images), hooks.stalled].concat();
    let missing = secrets::missing(snapshot, &selection.cloned);
    Plan {
        workloads: workloads::workloads(&stages, images),
        urls: context.hosts.as_ref().map(|hosts| hosts.urls(&selection.cloned)).unwrap_or_default(),
        decisions: sorted([selection.left_out, changes, missing, hooks.decisions].concat()),
        awaits_images: workloads::awaits(stages.iter().flatten().chain(hooks.planned.iter().map(|h| &h.job)), images),
        hooks: hooks.planned,
        stages,
        stalled,
    }
}

/// Every object as the environment gets it, by stages, and what was decided on each.
fn clone_all(cloned: &[&Manifest], context: &Context<'_>) -> (Vec<Vec<Planned>>, Vec<Decision>) {
    let mut stages: Vec<Vec<Planned>> = (0..STAGES).map(|_| Vec::new()).collect();
    let mut decisions = Vec::new();
    for object in cloned {
        let (manifest, made) = rules::apply_all(object, context);
        decisions.extend(made);
        if let Some(stage) = stages.get_mut(stage(object)) {
            stage.push(Planned { source: source::source_hash(object, context.images), ..sealed(manifest) });
        }
    }
    stages.retain(|stage| !stage.is_empty());
    (stages, decisions)
}

/// The object with its own hash as an annotation.
fn sealed(mut manifest: Manifest) -> Planned {
    let hash = hash(manifest.value());
    manifest.set(&["metadata", "annotations"], ANNOTATION_APPLIED_HASH, Value::String(hash.clone()));
    Planned { manifest, hash, source: None }
}

fn sorted(mut decisions: Vec<Decision>) -> Vec<Decision> {
    decisions.sort_by_key(|d| select::sort_key(d.object()));
    decisions
}
