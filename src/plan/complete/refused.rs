//! What the API server would refuse and the plan leaves out for that: by Pod Security, by a LimitRange, by a quota.

use std::collections::HashSet;

use super::{Finding, is_missing, is_workload_name, listed};
use crate::api::names::OWN_OBJECT;
use crate::plan::decision::{Decision, LeftOutReason};
use crate::plan::manifest::ObjectName;
use crate::plan::types::{Plan, Shortage, WithoutRoom};

/// Workloads of the baseline that are not in the plan, and are not made by something that is.
pub(super) fn workloads(plan: &Plan) -> Vec<ObjectName> {
    left_out(plan).filter(|(object, _)| is_workload_name(object)).map(|(object, _)| object.clone()).collect()
}

/// Why they are not, one finding for each, and one for each resource that a quota has too little of.
pub(super) fn stopping(plan: &Plan) -> Vec<Finding> {
    let counted = counted(plan);
    let alone = left_out(plan).filter(|(object, _)| is_workload_name(object) && !counted.contains(object));
    let short = plan.shortages.iter().filter_map(|shortage| match &shortage.without_room {
        WithoutRoom::Objects(objects) => Some(no_room(shortage, objects, plan.isolated)),
        WithoutRoom::UpdatesOf(_) => None,
    });
    alone.map(|(object, reason)| finding(object, reason)).chain(short).collect()
}

/// What else is refused and stops no workload, and where the quota has no room for an update.
pub(super) fn others(plan: &Plan) -> Vec<Finding> {
    let counted = counted(plan);
    let refused = left_out(plan).filter(|(object, reason)| {
        let is_told = is_workload_name(object) || object.kind == "Service" || counted.contains(object);
        matches!(reason, LeftOutReason::NotAdmitted { .. }) && !is_told
    });
    let narrow = plan.shortages.iter().filter_map(|shortage| match &shortage.without_room {
        WithoutRoom::UpdatesOf(object) => Some(no_update(shortage, object, plan.isolated)),
        WithoutRoom::Objects(_) => None,
    });
    refused.map(|(object, reason)| finding(object, reason)).chain(narrow).collect()
}

fn left_out(plan: &Plan) -> impl Iterator<Item = (&ObjectName, &LeftOutReason)> {
    plan.decisions.iter().filter_map(|decision| match decision {
        Decision::LeftOut { object, reason } if is_missing(reason) => Some((object, reason)),
        _ => None,
    })
}

/// What is told with the quota.
fn counted(plan: &Plan) -> HashSet<&ObjectName> {
    let objects = plan.shortages.iter().filter_map(|shortage| match &shortage.without_room {
        WithoutRoom::Objects(objects) => Some(objects),
        WithoutRoom::UpdatesOf(_) => None,
    });
    objects.flatten().collect()
}

fn finding(object: &ObjectName, reason: &LeftOutReason) -> Finding {
    let finding = Finding::new(object.clone(), format!("left out: {}", reason.sentence()));
    match reason {
        LeftOutReason::NotAdmitted { mend, .. } => finding.mend(mend.clone()),
        _ => finding,
    }
}

fn no_room(shortage: &Shortage, objects: &[ObjectName], isolated: bool) -> Finding {
    let Shortage { resource, asked, given, .. } = shortage;
    let names: Vec<String> = objects.iter().map(ToString::to_string).collect();
    let are = if objects.len() == 1 { "is" } else { "are" };
    let what = format!(
        "everything asks for {asked} of {resource} together, and {} {given}; {} {are} left out",
        whose(isolated),
        listed(names.iter().map(String::as_str))
    );
    let stops = objects.iter().filter(|object| is_workload_name(object)).cloned().collect();
    quota(what, shortage, isolated).stops(stops)
}

fn no_update(shortage: &Shortage, object: &ObjectName, isolated: bool) -> Finding {
    let Shortage { resource, asked, given, .. } = shortage;
    let what = format!("an update of {object} brings {resource} to {asked} for a while, and {} {given}", whose(isolated));
    quota(what, shortage, isolated)
}

/// Who gives it.
const fn whose(isolated: bool) -> &'static str {
    if isolated { "half of isolation.quota, which a change from a fork gets, is" } else { "isolation.quota gives" }
}

fn quota(what: String, shortage: &Shortage, isolated: bool) -> Finding {
    let Shortage { resource, asked, .. } = shortage;
    let enough = *asked * if isolated { 2 } else { 1 };
    let has_resources = resource.ends_with("cpu") || resource.ends_with("memory");
    let or_less = if has_resources { ", or lower clone.resources" } else { "" };
    let object = ObjectName { api_version: "v1".to_owned(), kind: "ResourceQuota".to_owned(), name: OWN_OBJECT.to_owned() };
    Finding::new(object, what).mend(format!("isolation.quota.hard: {{{resource}: \"{enough}\"}}{or_less}"))
}
