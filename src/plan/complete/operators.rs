//! Objects that an operator made from an object of its own: the copies stand alone.

use std::collections::BTreeMap;

use super::{Finding, View, listed};
use crate::kinds::{Known, group_of};
use crate::plan::manifest::ObjectName;
use crate::plan::select::controller;

/// A warning for each owner that is not in the plan while what it made is.
pub(super) fn left_behind(view: &View<'_>) -> Vec<Finding> {
    let mut made: BTreeMap<ObjectName, Vec<String>> = BTreeMap::new();
    let mut objects: Vec<_> = view.snapshot.objects.iter().collect();
    objects.sort_by_key(|o| o.name().to_string());
    for object in objects {
        let name = object.name();
        let owner = controller(object).filter(|owner| view.find(&owner.kind, &owner.name).is_none());
        if let Some(owner) = owner.filter(|_| view.find(&name.kind, &name.name).is_some()) {
            made.entry(owner).or_default().push(name.to_string());
        }
    }
    let finding = |(owner, made): (ObjectName, Vec<String>)| {
        let it = if made.len() == 1 { "the copy runs" } else { "the copies run" };
        let what = format!("makes {} here; {it} without it", listed(made.iter().map(String::as_str)));
        mended(Finding::new(owner.clone(), what), &owner)
    };
    made.into_iter().map(finding).collect()
}

/// With the field that clones the owner's kind, where that is a custom resource.
pub(super) fn mended(finding: Finding, owner: &ObjectName) -> Finding {
    let group = group_of(&owner.api_version);
    let is_custom = group.contains('.') && Known::find(group, &owner.kind).is_none();
    let field =
        || format!("clone.customResources: [{{group: {group}, kind: {}}}], where its operator looks after new namespaces", owner.kind);
    if is_custom { finding.mend(field()) } else { finding }
}
