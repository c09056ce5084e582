//! What a preview must not have: anything that reaches from a pod into its node. The workload is left out, and the rest
//! of the environment is made.

use serde_json::Value;

use super::manifest::Manifest;
use super::pods::{containers, spec_path, spec_pointer, text};

const POD_FIELDS: [(&str, &str); 3] =
    [("hostNetwork", "the node's network"), ("hostPID", "the node's processes"), ("hostIPC", "the node's shared memory")];

/// The first thing that is refused: the path of the field, and what it asks for.
pub(super) fn refusal(workload: &Manifest) -> Option<(String, &'static str)> {
    host_namespace(workload).or_else(|| host_path(workload)).or_else(|| privileged(workload))
}

fn host_namespace(workload: &Manifest) -> Option<(String, &'static str)> {
    let is_on = |field: &str| workload.get(&format!("{}/{field}", spec_pointer(workload))) == Some(&Value::Bool(true));
    let (field, what) = POD_FIELDS.into_iter().find(|(field, _)| is_on(field))?;
    Some((format!("{}.{field}", spec_path(workload)), what))
}

fn host_path(workload: &Manifest) -> Option<(String, &'static str)> {
    let volumes = format!("{}/volumes", spec_pointer(workload));
    let volume = workload.items(&volumes).find(|v| v.get("hostPath").is_some_and(|p| !p.is_null()))?;
    let name = text(volume, "name").unwrap_or("?");
    Some((format!("{}.volumes[{name}].hostPath", spec_path(workload)), "a folder of the node"))
}

fn privileged(workload: &Manifest) -> Option<(String, &'static str)> {
    let is_privileged = |c: &Value| c.pointer("/securityContext/privileged") == Some(&Value::Bool(true));
    let (path, _) = containers(workload).find(|(_, container)| is_privileged(container))?;
    Some((format!("{path}.securityContext.privileged"), "all rights on the node"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::plan::sample::{World, deployment, service, stateful_set};

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
            let plan = World::of([stateful_set("agent").with(&format!("/spec/template/spec/{field}"), value), service("agent")]).plan();
            assert!(plan.said()[1].ends_with(&format!("(spec.template.spec.{path})")), "{:?}", plan.said());
            assert_eq!(plan.said()[0], "Service/agent kept");
            assert!(plan.plan.workloads.is_empty() && plan.plan.stalled.is_empty());
        }
    }

    #[test]
    fn what_is_switched_off_is_no_reason() {
        let web = deployment("web").with("/spec/template/spec/hostNetwork", json!(false));
        assert_eq!(World::of([web]).plan().said(), ["Deployment/web kept"]);
    }

    #[test]
    fn an_environment_stalls_only_for_what_the_branch_builds() {
        let world = || World::of([deployment("web").image("acme/web:1").with("/spec/template/spec/hostPID", json!(true))]);
        assert_eq!(
            world().branch("acme/web", "2").plan().plan.stalled,
            ["the branch builds Deployment/web, which is left out: it asks for the node's processes (spec.template.spec.hostPID)"]
        );
        assert!(world().branch("acme/api", "2").plan().plan.stalled.is_empty());
        assert!(world().asked("acme/web", "2").plan().plan.stalled.is_empty());
    }
}
