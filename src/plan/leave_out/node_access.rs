//! A workload that reaches from its pods into their node is left out, and the rest of the environment is made. What is
//! looked for is in `refuse.rs`; the list is that of the Pod Security Standard `baseline`.
//! <https://kubernetes.io/docs/concepts/security/pod-security-standards/#baseline>

use super::Facts;
use crate::plan::decision::LeftOutReason;
use crate::plan::kinds::runs_pods;
use crate::plan::manifest::Manifest;
use crate::plan::refuse::refusal;

pub(super) fn reason(object: &Manifest, facts: &Facts<'_>) -> Option<LeftOutReason> {
    refused(object).filter(|_| !is_mendable(object, facts))
}

/// Why an object may not run, where it asks for what a preview must not have.
pub fn refused(object: &Manifest) -> Option<LeftOutReason> {
    let (path, what) = refusal(object).filter(|_| runs_pods(object))?;
    Some(LeftOutReason::Refused { path, what })
}

/// A patch can mend what is refused, so an object that has one is judged after it.
fn is_mendable(object: &Manifest, facts: &Facts<'_>) -> bool {
    let name = object.text("/metadata/name").unwrap_or_default();
    facts.target.baseline.patches.iter().any(|patch| patch.is_for(object.group(), object.kind(), name))
}
