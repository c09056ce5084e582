//! Complete? What of a plan would start, what would not, and the one sentence that mends it. No client, no clock, no
//! logging.
//!
//! [`report`] looks at a plan from outside: it knows the baseline, what is planned, and what was seen beyond the objects:
//! what stands behind a Service, what a registry said of an image. What others find is added with [`Report::add`].

mod baseline;
mod counts;
mod data;
mod images;
mod names;
mod operators;
mod references;
mod refused;
mod services;
#[cfg(test)]
mod tests;

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;
use serde_json::Value;

use super::decision::{Decision, LeftOutReason};
use super::kinds::is_workload;
use super::manifest::{Manifest, ObjectName};
use super::types::{Plan, Snapshot};
use crate::api::status::ImageStatus;
use names::Texts;

pub use baseline::{BaselineGaps, Gap, baseline_gaps};
pub use counts::Counts;
pub use services::matches;

/// What is known beyond the objects of a baseline's snapshot. Empty where nobody looked.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// What stands behind each Service, by its name; absent where Pods or endpoints could not be read.
    pub behind: Option<BTreeMap<String, Behind>>,
    /// What registries said of the images that are to run. Of an image that nobody asked for nothing is claimed.
    pub images: Vec<ImageStatus>,
}

/// What stands behind a Service of the baseline.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Behind {
    /// Addresses that it has.
    pub endpoints: usize,
    /// What makes the pods in the end, such as `Kafka/events`.
    pub makers: BTreeSet<ObjectName>,
}

/// How complete a plan is.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Workloads that would start.
    pub would_start: Vec<ObjectName>,
    /// Workloads that would not, those that are left out among them.
    pub would_not_start: Vec<ObjectName>,
    /// What somebody has to see to.
    pub missing: Vec<Finding>,
    /// What is worth knowing.
    pub warnings: Vec<Finding>,
}

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The object that it is about.
    pub object: ObjectName,
    /// What is so, without a full stop.
    pub what: String,
    /// What mends it: the field to set and its value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mend: Option<String>,
    /// The workloads that do not start because of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stops: Vec<ObjectName>,
}

impl Finding {
    /// A finding that stops nothing.
    pub fn new(object: ObjectName, what: impl Into<String>) -> Self {
        Self { object, what: what.into(), mend: None, stops: Vec::new() }
    }

    /// What mends it.
    pub fn mend(mut self, mend: impl Into<String>) -> Self {
        self.mend = Some(mend.into());
        self
    }

    /// The workloads that it stops.
    pub fn stops(mut self, stops: Vec<ObjectName>) -> Self {
        self.stops = stops;
        self
    }
}

impl Report {
    /// How many workloads there are.
    pub fn workloads(&self) -> usize {
        self.would_start.len() + self.would_not_start.len()
    }

    /// Whether everything would start and reach what it reaches in the baseline.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty() && self.would_not_start.is_empty()
    }

    /// `9 of 12`.
    pub fn count(&self) -> String {
        format!("{} of {}", self.would_start.len(), self.workloads())
    }

    /// Adds what others found. The workloads that it stops would not start.
    pub fn add(&mut self, findings: impl IntoIterator<Item = Finding>) {
        for finding in findings {
            let stopped = |workload: &ObjectName| finding.stops.contains(workload);
            let (stopped, starting): (Vec<_>, Vec<_>) = std::mem::take(&mut self.would_start).into_iter().partition(stopped);
            self.would_start = starting;
            self.would_not_start.extend(stopped);
            self.missing.push(finding);
        }
        self.would_not_start.sort();
        // What stops most stands first.
        self.missing.sort_by_key(|f| (std::cmp::Reverse(f.stops.len()), f.object.clone()));
    }
}

/// How complete the plan of that snapshot is.
pub fn report(snapshot: &Snapshot, plan: &Plan, evidence: &Evidence) -> Report {
    let view = View::of(snapshot, plan);
    let (images, instead) = images::findings(&view, &evidence.images);
    let mut report = Report {
        would_start: view.running.iter().map(|w| w.name()).collect(),
        would_not_start: refused::workloads(plan),
        ..Report::default()
    };
    report.add(refused::stopping(plan));
    report.add(references::missing(&view));
    report.add(services::unbacked(&view, evidence));
    report.add(images);
    let others = [refused::others(plan), instead, services::outside(&view), data::empty(&view), operators::left_behind(&view)];
    report.warnings = others.concat();
    report
}

/// What the checks look at.
struct View<'a> {
    snapshot: &'a Snapshot,
    /// Everything that is planned.
    planned: Vec<&'a Manifest>,
    /// The same by kind and name.
    by_name: HashMap<(&'a str, &'a str), &'a Manifest>,
    /// Planned workloads that have pods.
    running: Vec<&'a Manifest>,
    /// What makes pods in an environment, with the labels of those pods.
    pods: Vec<(&'a Manifest, &'a Labels)>,
    /// The same in the baseline.
    originals: Vec<(&'a Manifest, &'a Labels)>,
    /// What running workloads read, found when it is first asked for.
    texts: OnceCell<Vec<Texts<'a>>>,
    /// The Jobs of the Baseline's hooks, each with the hook's name.
    hooks: Vec<(&'a str, &'a Manifest)>,
    /// Why what is left out is.
    left_out: BTreeMap<(&'a str, &'a str), &'a LeftOutReason>,
    /// Whether the environment gets no Secrets.
    isolated: bool,
}

impl<'a> View<'a> {
    fn of(snapshot: &'a Snapshot, plan: &'a Plan) -> Self {
        let planned: Vec<&Manifest> = plan.stages.iter().flatten().map(|p| &p.manifest).collect();
        let running = planned.iter().copied().filter(|m| is_workload(m) && is_on(m)).collect();
        let left_out = plan.decisions.iter().filter_map(|decision| match decision {
            Decision::LeftOut { object, reason } => Some(((object.kind.as_str(), object.name.as_str()), reason)),
            _ => None,
        });
        let by_name = planned.iter().filter_map(|m| Some(((m.kind(), m.text("/metadata/name")?), *m))).collect();
        Self {
            snapshot,
            running,
            by_name,
            pods: pods(planned.iter().copied()),
            originals: pods(&snapshot.objects),
            texts: OnceCell::new(),
            hooks: plan.hooks.iter().map(|h| (h.hook.name.as_str(), &h.job.manifest)).collect(),
            left_out: left_out.collect(),
            isolated: plan.isolated,
            planned,
        }
    }

    /// The planned object of that kind and name.
    fn find(&self, kind: &str, name: &str) -> Option<&'a Manifest> {
        self.by_name.get(&(kind, name)).copied()
    }

    /// Why the object of that kind and name is left out, if it is.
    fn reason(&self, kind: &str, name: &str) -> Option<&'a LeftOutReason> {
        self.left_out.get(&(kind, name)).copied()
    }
}

type Labels = serde_json::Map<String, Value>;

fn pods<'a>(objects: impl IntoIterator<Item = &'a Manifest>) -> Vec<(&'a Manifest, &'a Labels)> {
    objects.into_iter().filter_map(|object| Some((object, services::pod_labels(object)?))).collect()
}

fn is_on(workload: &Manifest) -> bool {
    workload.get("/spec/replicas").and_then(Value::as_i64) != Some(0)
}

fn is_workload_name(object: &ObjectName) -> bool {
    object.api_version.starts_with("apps/") && matches!(object.kind.as_str(), "Deployment" | "StatefulSet" | "DaemonSet")
}

fn is_missing(reason: &LeftOutReason) -> bool {
    !matches!(reason, LeftOutReason::MadeByKubernetes | LeftOutReason::MadeBy(_))
}

/// `api, worker and 3 more`: names for a sentence, few enough to be read.
fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    /// More are counted.
    const SHOWN: usize = 4;
    let names: Vec<&str> = names.into_iter().collect();
    match names.as_slice() {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [first @ .., last] if names.len() <= SHOWN => format!("{} and {last}", first.join(", ")),
        all => format!("{} and {} more", all[..SHOWN - 1].join(", "), all.len() - (SHOWN - 1)),
    }
}
