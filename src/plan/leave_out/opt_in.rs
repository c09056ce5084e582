//! Kinds that come by opt in: `clone.rbac`, `clone.autoscalers`, or `clone.include` for one. Why they do not come by themselves is in the table of
//! kinds: what a pod may do in the baseline is often more than a preview needs, and an idle preview is scaled for nobody.
//! <https://kubernetes.io/docs/concepts/security/rbac-good-practices/#least-privilege>

use super::Facts;
use crate::api::baseline::{Autoscalers, Rbac};
use crate::kinds::Treatment;
use crate::plan::chosen::is_included;
use crate::plan::decision::LeftOutReason;
use crate::plan::kinds::treatment;
use crate::plan::manifest::Manifest;

pub(super) fn reason(object: &Manifest, facts: &Facts<'_>) -> Option<LeftOutReason> {
    match treatment(object)? {
        Treatment::OptIn(_, why) if !is_asked_for(object, facts) => Some(LeftOutReason::KindNotCloned(why)),
        _ => None,
    }
}

fn is_asked_for(object: &Manifest, facts: &Facts<'_>) -> bool {
    if is_included(object, facts.target.baseline) {
        return true;
    }
    let choices = facts.target.baseline.choices;
    match object.kind() {
        "Role" | "RoleBinding" => choices.rbac == Rbac::Clone,
        "HorizontalPodAutoscaler" => choices.autoscalers == Autoscalers::Clone,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::plan::sample::{World, autoscaler, deployment, object};

    #[test]
    fn rights_and_autoscalers_come_when_they_are_asked_for() {
        let role = object("rbac.authorization.k8s.io/v1", "Role", "api");
        let said = World::of([role, autoscaler("web", "web"), deployment("web")]).plan().said();
        assert_eq!(said[1], "HorizontalPodAutoscaler/web left out: would add pods, and clone.autoscalers does not say Clone");
        assert_eq!(said[2], "Role/api left out: gives rights, and clone.rbac does not say Clone");
    }
}
