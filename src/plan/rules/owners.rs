//! An object that another one controls, where that one is not cloned: the copy stands alone, and where an operator made
//! the original nobody looks after it.

use super::{ABSENT, Notes};
use crate::kinds::{Known, group_of};
use crate::plan::context::Context;
use crate::plan::manifest::Manifest;
use crate::plan::select::controller;

pub(super) fn apply(manifest: &mut Manifest, _: &Context<'_>, notes: &mut Notes) {
    if let Some(owner) = controller(manifest) {
        let is_known = Known::find(group_of(&owner.api_version), &owner.kind).is_some();
        let why = if is_known { "its owner is not cloned" } else { "its operator is not cloned" };
        notes.changed("metadata.ownerReferences", (&owner.to_string(), ABSENT), why);
    }
}
