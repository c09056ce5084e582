//! A workload that reaches from its pods into their node is left out, and the rest of the environment is made. What is
//! looked for is in `refuse.rs`; the list is that of the Pod Security Standard `baseline`.
//! <https://kubernetes.io/docs/concepts/security/pod-security-standards/#baseline>

use super::Facts;
use crate::plan::decision::LeftOutReason;
use crate::plan::kinds::runs_pods;
use crate::plan::manifest::Manifest;
use crate::plan::refuse::refusal;

pub(super) fn reason(object: &Manifest, _: &Facts<'_>) -> Option<LeftOutReason> {
    let (path, what) = refusal(object).filter(|_| runs_pods(object))?;
    Some(LeftOutReason::Refused { path, what })
}
