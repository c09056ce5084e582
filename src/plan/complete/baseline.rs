//! What a Baseline's status says of all its environments, found without a plan: it depends on the baseline alone.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::references::of_pods;
use super::{Evidence, Finding, View, is_on, services};
use crate::domain::{Baseline, EnvironmentName};
use crate::plan::kinds::is_workload;
use crate::plan::select::select;
use crate::plan::types::{Plan, Planned, Snapshot, Target};

/// What is missing in every environment of a Baseline.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BaselineGaps {
    /// Secrets that workloads need and that are not listed, with the workloads.
    pub secrets: Vec<Gap>,
    /// Services that nothing stands behind, with the reason.
    pub unbacked: Vec<Gap>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Gap {
    /// Name of the Secret or Service.
    pub name: String,
    /// Names of the workloads, or the reason alone.
    pub why: Vec<String>,
}

/// The gaps of a Baseline. Secrets need not be in the snapshot: it counts whether they are listed, which `is_listed` says.
pub fn baseline_gaps(snapshot: &Snapshot, baseline: &Baseline, is_listed: impl Fn(&str) -> bool) -> BaselineGaps {
    let (name, none) = (EnvironmentName::recorded("any"), HashSet::new());
    let (source, seed) = (None, None);
    let target = Target {
        environment: &name,
        uid: "",
        namespace: "",
        baseline,
        isolated: false,
        source,
        seed,
        held_hosts: &none,
        recorded_hosts: &none,
        run: "",
    };
    let selection = select(snapshot, &target);
    // The rules change nothing that is looked at here, and cost a thousand times more.
    let planned = selection.cloned.iter().map(|m| Planned { manifest: (*m).clone(), hash: String::new(), source: None });
    let plan = Plan { stages: vec![planned.collect()], decisions: selection.left_out, ..Plan::default() };
    let view = View::of(snapshot, &plan);
    let mut needed: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for workload in view.planned.iter().filter(|w| is_workload(w) && is_on(w)) {
        for reference in of_pods(workload).iter().filter(|r| r.kind == "Secret" && !is_listed(r.name)) {
            needed.entry(reference.name).or_default().insert(workload.name().name);
        }
    }
    let unbacked = services::unbacked(&view, &Evidence::default());
    let unbacked = unbacked.into_iter().map(|Finding { object, what, .. }| Gap { name: object.name, why: vec![what] });
    let secrets = needed.into_iter().map(|(name, users)| Gap { name: name.to_owned(), why: users.into_iter().collect() });
    BaselineGaps { secrets: secrets.collect(), unbacked: unbacked.collect() }
}
