//! The gist of a plan for status, short enough to be read there. No client, no clock, no logging.

use std::collections::HashMap;

use super::baseline_cache::Contents;
use super::baseline_externals::version;
use super::baselines::Seen;
use crate::api::gaps::{Missing, PlanSummary, SecretNeeded, Unbacked};
use crate::api::status::ImageStatus;
use crate::api::{BaselineStatus, PreviewEnvironmentStatus};
use crate::domain::Baseline;
use crate::plan::complete::{BaselineGaps, Counts, Evidence, Finding, Gap, baseline_gaps, report};
use crate::plan::{Plan, Snapshot};

/// More than this nobody reads in a status; `preview plan` shows all.
const SHOWN: usize = 20;

/// The status of an environment, which holds what is known of its images, with what its plan came to.
pub fn explained(status: PreviewEnvironmentStatus, snapshot: &Snapshot, plan: &Plan) -> PreviewEnvironmentStatus {
    let evidence = Evidence { images: status.images, ..Evidence::default() };
    let report = report(snapshot, plan, &evidence);
    let counts = Counts::of(&plan.decisions);
    let summary = PlanSummary {
        kept: number(counts.kept),
        changed: number(counts.changed),
        left_out: number(counts.left_out),
        workloads: number(report.workloads()),
        would_start: number(report.would_start.len()),
        warnings: plan.warnings.iter().take(SHOWN).cloned().collect(),
    };
    let missing = report.missing.into_iter().take(SHOWN).map(missing).collect();
    PreviewEnvironmentStatus { plan: Some(summary), missing, images: evidence.images, ..status }
}

/// Whether what is known of an image differs so that the plan came to something else, although the plan is the same.
pub fn is_news(recorded: &[ImageStatus], images: &[ImageStatus]) -> bool {
    let states = |images: &[ImageStatus]| images.iter().map(|image| image.state).collect::<Vec<_>>();
    states(recorded) != states(images)
}

fn number(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

fn missing(finding: Finding) -> Missing {
    let Finding { object, what, mend, stops } = finding;
    let stops = stops.into_iter().take(SHOWN).map(|workload| workload.name).collect();
    Missing { kind: object.kind, name: object.name, what, mend, stops }
}

/// What every environment of a Baseline lacks, found once for each change of what its namespace holds.
#[derive(Debug, Default)]
pub struct Gaps(HashMap<String, (u64, BaselineGaps)>);

impl Gaps {
    /// The status with the gaps, once the namespace was read.
    pub fn added(&mut self, namespace: &str, status: BaselineStatus, seen: &Seen) -> BaselineStatus {
        let (Ok(baseline), Some(contents)) = (&seen.parsed, &seen.contents) else { return status };
        let version = version(baseline, contents);
        if self.0.get(namespace).is_none_or(|(known, _)| *known != version) {
            self.0.insert(namespace.to_owned(), (version, found(baseline, contents)));
        }
        self.0.get(namespace).map_or_else(|| status.clone(), |(_, gaps)| with_gaps(status.clone(), gaps))
    }
}

fn found(baseline: &Baseline, contents: &Contents) -> BaselineGaps {
    let snapshot = Snapshot { objects: contents.objects.clone(), others: contents.others.clone(), ..Snapshot::default() };
    baseline_gaps(&snapshot, baseline, |name| baseline.secrets.iter().any(|listed| listed.name == name))
}

fn with_gaps(status: BaselineStatus, gaps: &BaselineGaps) -> BaselineStatus {
    let needed = |gap: &Gap| SecretNeeded { name: gap.name.clone(), used_by: gap.why.iter().take(SHOWN).cloned().collect() };
    let unbacked = |gap: &Gap| Unbacked { name: gap.name.clone(), why: gap.why.join("; ") };
    BaselineStatus {
        secrets_needed: gaps.secrets.iter().take(SHOWN).map(needed).collect(),
        unbacked: gaps.unbacked.iter().take(SHOWN).map(unbacked).collect(),
        ..status
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::plan::Manifest;

    fn contents() -> Contents {
        let container = json!({"name": "web", "image": "web:1", "envFrom": [{"secretRef": {"name": "db"}}]});
        let template = json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}});
        let spec = json!({"selector": {"matchLabels": {"app": "web"}}, "template": template});
        let web = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec});
        let events =
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "events"}, "spec": {"selector": {"app": "events"}}});
        Contents { objects: vec![Manifest::new(web), Manifest::new(events)], ..Contents::default() }
    }

    fn baseline(secrets: &serde_json::Value) -> Baseline {
        let spec = json!({"repositories": [{"name": "acme/web"}], "clone": {"secrets": secrets}});
        let mut object = crate::api::Baseline::new("shop", serde_json::from_value(spec).unwrap());
        object.metadata.namespace = Some("shop".into());
        Baseline::try_from(&object).unwrap()
    }

    #[test]
    fn a_baseline_says_what_its_environments_lack() {
        let of = |secrets| with_gaps(BaselineStatus::default(), &found(&baseline(&secrets), &contents()));
        let status = of(json!([]));
        assert_eq!(status.secrets_needed, [SecretNeeded { name: "db".into(), used_by: vec!["web".into()] }]);
        assert_eq!(status.unbacked.iter().map(|u| u.name.as_str()).collect::<Vec<_>>(), ["events"]);
        assert!(of(json!([{"name": "db"}])).secrets_needed.is_empty());
    }
}
