//! The digest of everything that a plan follows from, but for what the baseline holds: a moved baseline alone changes
//! no environment. No client, no clock, no logging.

use crate::domain::Baseline;
use crate::domain::slug::hash8;
use crate::plan::ResolvedImages;

/// Raised with every change of the rules that is to reach environments which exist already.
const PLAN_VERSION: &str = "2";

/// The digest of a plan's inputs: the images, the Baseline's own spec, and the version of the rules.
pub fn of_inputs(images: &ResolvedImages, baseline: &Baseline) -> String {
    let mut parts: Vec<String> = images.swaps.iter().map(|s| format!("{} {:?}", s.repository.with_tag(&s.tag), s.from)).collect();
    parts.sort();
    parts.extend([PLAN_VERSION.to_owned(), baseline.generation.to_string(), baseline.uid.clone()]);
    hash8(&parts.iter().map(String::as_str).collect::<Vec<_>>())
}

/// A reason as it was recorded.
pub fn stalled_reason(recorded: &str) -> &'static str {
    ["ApplyRefused", "NamespaceTaken", "Images", "Refused", "Invalid", "HookFailed"]
        .into_iter()
        .find(|r| *r == recorded)
        .unwrap_or("Stalled")
}
