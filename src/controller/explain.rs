//! The gist of a plan for status, short enough to be read there. No client, no clock, no logging.

use super::baseline_cache::Contents;
use crate::api::gaps::{Missing, PlanSummary, SecretNeeded, Unbacked};
use crate::api::{BaselineStatus, PreviewEnvironmentStatus};
use crate::domain::Baseline;
use crate::plan::complete::{Counts, Evidence, Finding, baseline_gaps, report};
use crate::plan::{Plan, Snapshot};

/// More than this nobody reads in a status; `preview plan` shows all.
const SHOWN: usize = 20;

/// The status of an environment with what its plan came to.
pub fn explained(status: PreviewEnvironmentStatus, snapshot: &Snapshot, plan: &Plan) -> PreviewEnvironmentStatus {
    let report = report(snapshot, plan, &Evidence::default());
    let counts = Counts::of(&plan.decisions);
    let summary = PlanSummary {
        kept: number(counts.kept),
        changed: number(counts.changed),
        left_out: number(counts.left_out),
        workloads: number(report.workloads()),
        would_start: number(report.would_start.len()),
    };
    let missing = report.missing.into_iter().take(SHOWN).map(missing).collect();
    PreviewEnvironmentStatus { plan: Some(summary), missing, ..status }
}

fn number(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

fn missing(finding: Finding) -> Missing {
    let Finding { object, what, mend, stops } = finding;
    let stops = stops.into_iter().take(SHOWN).map(|workload| workload.name).collect();
    Missing { kind: object.kind, name: object.name, what, mend, stops }
}

/// The status of a Baseline with what all of its environments lack.
pub fn with_gaps(status: BaselineStatus, baseline: &Baseline, contents: &Contents) -> BaselineStatus {
    let snapshot = Snapshot { objects: contents.objects.clone(), others: contents.others.clone(), ..Snapshot::default() };
    let gaps = baseline_gaps(&snapshot, baseline, |name| baseline.secrets.iter().any(|listed| listed.name == name));
    let needed = |gap: crate::plan::complete::Gap| SecretNeeded { name: gap.name, used_by: gap.why.into_iter().take(SHOWN).collect() };
    let unbacked = |gap: crate::plan::complete::Gap| Unbacked { name: gap.name, why: gap.why.join("; ") };
    BaselineStatus {
        secrets_needed: gaps.secrets.into_iter().take(SHOWN).map(needed).collect(),
        unbacked: gaps.unbacked.into_iter().take(SHOWN).map(unbacked).collect(),
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
        let of = |secrets| with_gaps(BaselineStatus::default(), &baseline(&secrets), &contents());
        let status = of(json!([]));
        assert_eq!(status.secrets_needed, [SecretNeeded { name: "db".into(), used_by: vec!["web".into()] }]);
        assert_eq!(status.unbacked.iter().map(|u| u.name.as_str()).collect::<Vec<_>>(), ["events"]);
        assert!(of(json!([{"name": "db"}])).secrets_needed.is_empty());
    }
}
