//! Linux capabilities beyond those that containers have anyway. The Pod Security level `baseline` forbids to add them, and
//! charts often ask for more than the program uses, so the copy goes without and is not left out for it.
//! <https://kubernetes.io/docs/concepts/security/pod-security-standards/#baseline>

use serde_json::Value;

use super::Notes;
use crate::plan::context::Context;
use crate::plan::kinds::runs_pods;
use crate::plan::manifest::Manifest;
use crate::plan::pods::for_each_container;

/// What may be added at the level `baseline`.
const USUAL: [&str; 13] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

const WHY: &str = "no preview gets it; most programs do without";

pub(super) fn apply(manifest: &mut Manifest, _: &Context<'_>, notes: &mut Notes) {
    if !runs_pods(manifest) {
        return;
    }
    for_each_container(manifest, |path, container| {
        let Some(added) = container.pointer_mut("/securityContext/capabilities/add").and_then(Value::as_array_mut) else { return };
        added.retain(|capability| {
            let is_usual = capability.as_str().is_none_or(|name| USUAL.contains(&name));
            if !is_usual {
                notes.removed(format!("{path}.securityContext.capabilities.add"), capability, WHY);
            }
            is_usual
        });
    });
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::plan::sample::{World, deployment};

    #[test]
    fn a_copy_goes_without_unusual_capabilities_and_is_not_left_out() {
        let capabilities = json!({"capabilities": {"add": ["NET_ADMIN", "CHOWN"], "drop": ["ALL"]}});
        let db = deployment("db").with("/spec/template/spec/containers/0/securityContext", capabilities);
        let plan = World::of([db]).plan();
        let left = plan.find("Deployment/db").get("/spec/template/spec/containers/0/securityContext/capabilities");
        assert_eq!(left, Some(&json!({"add": ["CHOWN"], "drop": ["ALL"]})));
        assert_eq!(
            plan.said()[0],
            "Deployment/db spec.template.spec.containers[db].securityContext.capabilities.add: NET_ADMIN -> (none) (no preview gets it; \
             most programs do without)"
        );
    }
}
