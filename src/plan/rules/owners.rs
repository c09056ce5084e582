//! An object that another one controls, where that one is not cloned: the copy stands alone.

use super::{ABSENT, Notes};
use crate::plan::context::Context;
use crate::plan::manifest::Manifest;
use crate::plan::select::controller;

pub(super) fn apply(manifest: &mut Manifest, _: &Context<'_>, notes: &mut Notes) {
    if let Some(owner) = controller(manifest) {
        notes.changed("metadata.ownerReferences", (&owner.to_string(), ABSENT), "its owner is not cloned");
    }
}
