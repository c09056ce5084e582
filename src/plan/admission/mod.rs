//! What the API server would refuse, found before anything is applied. No client, no clock, no logging.
//!
//! A Deployment is taken by the API server whatever its pods ask for; it is the pods that are refused, one by one and
//! later, and somebody has to look for the reason. So the plan judges the pods, as they are after every rule, and leaves
//! out what could not start, with the field.

mod names;
mod pod_security;
mod policy;
mod template;

use std::collections::BTreeMap;

pub use pod_security::{VERSION, Violation, violations};
pub(super) use template::Template;

use super::context::Context;
use super::decision::{Decision, LeftOutReason};
use super::isolation;
use super::manifest::{Manifest, ObjectName};
use super::types::{Planned, Shortage};
use crate::api::baseline::isolation::PodSecurity;
use crate::domain::baseline::isolation::Isolation;

/// The level that an environment's namespace enforces: the stricter of what the baseline's own namespace enforces and
/// what its Baseline asks for, and never `privileged`. A copy must not run what the original's namespace refuses.
pub fn level(enforced: Option<&str>, isolation: &Isolation) -> PodSecurity {
    let own = if enforced == Some("restricted") { PodSecurity::Restricted } else { PodSecurity::Baseline };
    own.max(isolation.pod_security)
}

/// Takes out of the plan what the API server would refuse, and decides so. Says of what the quota has too little.
pub(super) fn admit(stages: &mut [Vec<Planned>], decisions: &mut Vec<Decision>, context: &Context<'_>) -> Vec<Shortage> {
    let alone = |manifest: &Manifest| refusal(manifest, context);
    let refused = each(stages, alone);
    take_out(stages, decisions, &refused);
    let together = isolation::over_quota(stages, context);
    take_out(stages, decisions, &together.refused);
    together.shortages
}

/// Why the API server would refuse an object or its pods, and what mends it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Refusal {
    /// The end of a sentence that begins with the object's name.
    pub why: String,
    /// What somebody can do.
    pub mend: String,
}

type Refusals = BTreeMap<ObjectName, Refusal>;

fn each(stages: &[Vec<Planned>], refusal: impl Fn(&Manifest) -> Option<Refusal>) -> Refusals {
    let planned = stages.iter().flatten().map(|planned| &planned.manifest);
    planned.filter_map(|manifest| refusal(manifest).map(|refusal| (manifest.name(), refusal))).collect()
}

fn take_out(stages: &mut [Vec<Planned>], decisions: &mut Vec<Decision>, refusals: &Refusals) {
    if refusals.is_empty() {
        return;
    }
    for stage in stages {
        stage.retain(|planned| !refusals.contains_key(&planned.manifest.name()));
    }
    decisions.retain(|decision| !refusals.contains_key(decision.object()));
    let left_out = |(object, refusal): (&ObjectName, &Refusal)| Decision::LeftOut {
        object: object.clone(),
        reason: LeftOutReason::NotAdmitted { why: refusal.why.clone(), mend: refusal.mend.clone() },
    };
    decisions.extend(refusals.iter().map(left_out));
}

/// Why the API server, or a PreviewPolicy, would refuse the object by itself.
pub(super) fn refusal(object: &Manifest, context: &Context<'_>) -> Option<Refusal> {
    by_level(object, context.level).or_else(|| policy::refusal(object, &context.target.baseline.policy))
}

fn by_level(object: &Manifest, level: PodSecurity) -> Option<Refusal> {
    let found = violations(object, level);
    if found.is_empty() {
        return names::refusal(object).map(|why| Refusal { why, mend: "change it in the baseline".to_owned() });
    }
    let wrong: Vec<&str> = found.iter().filter(|v| v.level == PodSecurity::Baseline).map(|v| v.path.as_str()).collect();
    let what =
        if wrong.is_empty() { "set these fields in the baseline".to_owned() } else { format!("take {} out of it", wrong.join(" and ")) };
    Some(Refusal { why: sentence(&found), mend: format!("{what}, or do without it in previews") })
}

fn sentence(violations: &[Violation]) -> String {
    let one = |v: &Violation| format!("{} ({})", v.what, v.path);
    let mut parts: Vec<String> = violations.iter().map(one).collect();
    let last = parts.pop().unwrap_or_default();
    let all = if parts.is_empty() { last } else { format!("{} and {last}", parts.join(", ")) };
    let strict = violations.iter().any(|v| v.level == PodSecurity::Restricted);
    let whose = if strict { ", which the Pod Security level restricted forbids" } else { "" };
    format!("asks for {all}{whose}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::plan::sample::{World, deployment, object, service, stateful_set};

    const SPEC: &str = "/spec/template/spec";

    #[test]
    fn each_way_into_the_node_is_refused_by_path() {
        let privileged = json!([{"name": "c", "securityContext": {"privileged": true}}]);
        for (field, value, path) in [
            ("hostNetwork", json!(true), "hostNetwork"),
            ("hostPID", json!(true), "hostPID"),
            ("hostIPC", json!(true), "hostIPC"),
            ("volumes", json!([{"name": "logs", "hostPath": {"path": "/var/log"}}]), "volumes[logs].hostPath"),
            ("containers", privileged.clone(), "containers[c].securityContext.privileged"),
            ("initContainers", privileged, "initContainers[c].securityContext.privileged"),
        ] {
            let plan = World::of([stateful_set("agent").with(&format!("{SPEC}/{field}"), value), service("agent")]).plan();
            assert!(plan.said()[1].ends_with(&format!("(spec.template.spec.{path})")), "{:?}", plan.said());
            assert_eq!(plan.said()[0], "Service/agent kept");
            assert!(plan.plan.workloads.is_empty() && plan.plan.stalled.is_empty());
        }
    }

    #[test]
    fn what_is_switched_off_is_no_reason() {
        let web = deployment("web").with(&format!("{SPEC}/hostNetwork"), json!(false));
        assert_eq!(World::of([web]).plan().said(), ["Deployment/web kept"]);
    }

    #[test]
    fn what_a_rule_takes_away_is_no_reason() {
        let ports = json!([{"containerPort": 80, "hostPort": 80}]);
        let web = deployment("web").with(&format!("{SPEC}/containers/0/ports"), ports);
        assert!(World::of([web]).plan().said().iter().all(|line| !line.contains("left out")));
    }

    #[test]
    fn an_environment_stalls_only_for_what_the_branch_builds() {
        let world = || World::of([deployment("web").image("acme/web:1").with(&format!("{SPEC}/hostPID"), json!(true))]);
        assert_eq!(
            world().branch("acme/web", "2").plan().plan.stalled,
            ["the branch builds Deployment/web, which is left out: it asks for the node's processes (spec.template.spec.hostPID)"]
        );
        assert!(world().branch("acme/api", "2").plan().plan.stalled.is_empty());
        assert!(world().asked("acme/web", "2").plan().plan.stalled.is_empty());
    }

    #[test]
    fn the_level_is_the_stricter_of_two() {
        let asks = |level| Isolation { pod_security: level, ..Isolation::default() };
        for (enforced, asked, level) in [
            (None, PodSecurity::Baseline, PodSecurity::Baseline),
            (Some("privileged"), PodSecurity::Baseline, PodSecurity::Baseline),
            (Some("restricted"), PodSecurity::Baseline, PodSecurity::Restricted),
            (Some("baseline"), PodSecurity::Restricted, PodSecurity::Restricted),
        ] {
            assert_eq!(super::level(enforced, &asks(asked)), level);
        }
    }

    #[test]
    fn a_strict_level_is_named_with_everything_that_it_forbids() {
        let mut world = World::of([deployment("web"), object("v1", "ConfigMap", "c")]);
        world.snapshot.pod_security = Some("restricted".into());
        let said = world.plan().said();
        assert_eq!(said[0], "ConfigMap/c kept");
        assert_eq!(
            said[1],
            "Deployment/web left out: asks for leave to gain rights \
             (spec.template.spec.containers[web].securityContext.allowPrivilegeEscalation), leave to run as root \
             (spec.template.spec.containers[web].securityContext.runAsNonRoot), leave to run without seccomp \
             (spec.template.spec.containers[web].securityContext.seccompProfile.type) and capabilities that it does not drop (ALL) \
             (spec.template.spec.containers[web].securityContext.capabilities.drop), which the Pod Security level restricted forbids"
        );
    }
}
