//! The digest of everything that a plan follows from, but for what the baseline holds: a moved baseline alone changes
//! no environment. No client, no clock, no logging.

use crate::domain::slug::hash8;
use crate::domain::{Baseline, Environment};
use crate::plan::{ImageSwap, ResolvedImages};

/// Raised with every change of the rules that is to reach environments which exist already.
const PLAN_VERSION: &str = "2";

/// The digest of a plan's inputs: the commit where a value names it, the images, the Baseline's own spec, the policies that
/// bind it, and the version of the rules.
pub fn of_inputs(environment: &Environment, images: &ResolvedImages, baseline: &Baseline) -> String {
    let isolated = environment.is_isolated(baseline).then(|| "isolated".to_owned());
    let mut parts: Vec<String> = images.swaps.iter().map(of_image).collect();
    parts.sort();
    // Only where a value names the commit: a push of another image alone is nothing to plan anew.
    let revision = environment.main_source().filter(|_| baseline.names_a_revision()).map(|source| source.revision.to_string());
    parts.extend(revision);
    parts.extend(isolated);
    parts.extend(baseline.policy.versions());
    parts.extend([PLAN_VERSION.to_owned(), baseline.generation.to_string(), baseline.uid.clone()]);
    hash8(&parts.iter().map(String::as_str).collect::<Vec<_>>())
}

fn of_image(swap: &ImageSwap) -> String {
    let awaited = if swap.awaited { " awaited" } else { "" };
    format!("{} {:?}{awaited}", swap.instead_of(&swap.repository), swap.from)
}

/// A reason as it was recorded.
pub fn stalled_reason(recorded: &str) -> &'static str {
    [
        "ApplyRefused",
        "NamespaceTaken",
        "NamespaceUnmarked",
        "Images",
        "Overrides",
        "Refused",
        "Invalid",
        "HookFailed",
        "ImageMissing",
        "Policy",
    ]
    .into_iter()
    .find(|r| *r == recorded)
    .unwrap_or("Stalled")
}
