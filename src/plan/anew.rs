//! Fields that cannot be changed once an object is there: templates of claims, selectors, `roleRef`, a Job's pods. Where
//! one moves, the object is deleted and made anew, if nothing that a person put into it is lost with it.

use super::manifest::ObjectName;

/// Kinds whose objects hold nothing but what was applied. A claim is none of them: its volume would go with it.
const REPLACEABLE: [(&str, &str); 10] = [
    ("apps/v1", "Deployment"),
    ("apps/v1", "StatefulSet"),
    ("apps/v1", "DaemonSet"),
    ("batch/v1", "Job"),
    ("batch/v1", "CronJob"),
    ("v1", "Service"),
    ("v1", "ConfigMap"),
    ("v1", "Secret"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding"),
    ("rbac.authorization.k8s.io/v1", "Role"),
];

/// What the API server says of a field that cannot be changed, in the words of its validation
/// (`pkg/apis/{core,apps,batch,rbac}/validation` of Kubernetes).
const FIXED: [&str; 4] =
    ["immutable", "updates to statefulset spec for fields other than", "cannot change roleRef", "may not change once set"];

/// Whether an object that the API server refuses to change, in those words, is made anew instead.
pub fn is_made_anew(object: &ObjectName, refusal: &str) -> bool {
    let is_replaceable = REPLACEABLE.iter().any(|(version, kind)| object.api_version == *version && object.kind == *kind);
    is_replaceable && FIXED.iter().any(|words| refusal.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_anew(api_version: &str, kind: &str, refusal: &str) -> bool {
        is_made_anew(&ObjectName { api_version: api_version.into(), kind: kind.into(), name: "x".into() }, refusal)
    }

    #[test]
    fn only_a_field_that_cannot_be_changed_makes_an_object_anew() {
        let templates = "StatefulSet.apps \"db\" is invalid: spec: Forbidden: updates to statefulset spec for fields other than 'replicas'";
        assert!(is_anew("apps/v1", "StatefulSet", templates));
        assert!(is_anew("apps/v1", "Deployment", "spec.selector: Invalid value: field is immutable"));
        assert!(is_anew("rbac.authorization.k8s.io/v1", "RoleBinding", "roleRef: Invalid value: cannot change roleRef"));
        assert!(!is_anew("apps/v1", "StatefulSet", "spec.template.spec.containers: Required value"));
    }

    #[test]
    fn a_claim_is_never_made_anew() {
        assert!(!is_anew("v1", "PersistentVolumeClaim", "spec: Forbidden: spec is immutable after creation"));
    }
}
