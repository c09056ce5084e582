//! RoleBindings that let people look into an environment, or change what is in it: none but those that the Baseline names.

use serde_json::{Value, json};

use super::{Extra, object};
use crate::api::baseline::isolation::{Role, Subject, SubjectKind};
use crate::api::names::OWN_PREFIX;
use crate::plan::context::Context;

const RBAC: &str = "rbac.authorization.k8s.io";

/// A RoleBinding for each role that somebody gets. The name is the role's, since a RoleBinding cannot change its role.
pub fn bindings(context: &Context<'_>) -> Vec<Extra> {
    let access = &context.target.baseline.isolation.access;
    let isolated = context.target.isolated;
    // Whoever may edit could open what is closed for what nobody approved.
    let given = |role: Role| if isolated { Role::View } else { role };
    let binding = |role: Role| {
        let subjects: Vec<&Subject> = access.iter().filter(|a| given(a.role) == role).map(|a| &a.subject).collect();
        (!subjects.is_empty()).then(|| binding(role, &subjects, isolated))
    };
    [Role::View, Role::Edit].into_iter().filter_map(binding).collect()
}

fn binding(role: Role, subjects: &[&Subject], isolated: bool) -> Extra {
    let cluster_role = cluster_role(role);
    let mut manifest = object("rbac.authorization.k8s.io/v1", "RoleBinding", &format!("{OWN_PREFIX}{cluster_role}"));
    manifest.set(&[], "roleRef", json!({"apiGroup": RBAC, "kind": "ClusterRole", "name": cluster_role}));
    manifest.set(&[], "subjects", subjects.iter().map(|s| subject(s)).collect());
    let names: Vec<String> = subjects.iter().map(|s| s.name.clone()).collect();
    let only = if isolated { ", and nobody may edit, since the change comes from a fork (trust.forks: Isolated)" } else { "" };
    Extra { manifest, why: format!("access: {} may {cluster_role}{only}", names.join(", ")) }
}

/// The ClusterRoles that every Kubernetes has.
const fn cluster_role(role: Role) -> &'static str {
    match role {
        Role::View => "view",
        Role::Edit => "edit",
    }
}

fn subject(subject: &Subject) -> Value {
    let name = &subject.name;
    match subject.kind {
        SubjectKind::User => json!({"apiGroup": RBAC, "kind": "User", "name": name}),
        SubjectKind::Group => json!({"apiGroup": RBAC, "kind": "Group", "name": name}),
        SubjectKind::ServiceAccount => json!({"kind": "ServiceAccount", "name": name, "namespace": subject.namespace}),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::plan::sample::{World, isolation_of};

    #[test]
    fn people_are_bound_by_their_role_and_nobody_else_is() {
        let user = |kind: &str, name: &str| json!({"kind": kind, "name": name});
        let access = json!({"access": [
            {"subject": user("User", "ann"), "role": "Edit"},
            {"subject": user("Group", "shop")},
            {"subject": {"kind": "ServiceAccount", "name": "ci", "namespace": "ci"}},
        ]});
        let made = World::of([]).baseline(|b| b.isolation = isolation_of(access)).plan();
        let view = made.find("RoleBinding/preview-env-view").value();
        assert_eq!(view["roleRef"]["name"], "view");
        assert_eq!(
            view["subjects"],
            json!([{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "shop"},
                {"kind": "ServiceAccount", "name": "ci", "namespace": "ci"}])
        );
        assert_eq!(made.find("RoleBinding/preview-env-edit").value()["subjects"][0]["name"], "ann");
        let nobody = World::of([]).baseline(|b| b.isolation = isolation_of(json!({}))).plan();
        assert!(nobody.objects().all(|o| o.kind() != "RoleBinding"));
    }

    #[test]
    fn nobody_edits_what_nobody_approved() {
        let ann = json!({"kind": "User", "name": "ann"});
        let access = json!({"access": [{"subject": ann, "role": "Edit"}]});
        let made = World::of([]).baseline(|b| b.isolation = isolation_of(access)).isolated().plan();
        assert_eq!(made.find("RoleBinding/preview-env-view").value()["subjects"][0]["name"], "ann");
        assert!(made.objects().all(|o| o.name().name != "preview-env-edit"));
        assert!(made.said().iter().any(|line| line.contains("nobody may edit")), "{:?}", made.said());
    }
}
