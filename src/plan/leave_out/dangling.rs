//! What would refer to nothing, since that is not cloned. It is looked at again until nothing more goes, because a name
//! can lead to a name.

use std::collections::HashSet;

use super::because;
use crate::kinds::group_of;
use crate::plan::decision::{Decision, LeftOutReason};
use crate::plan::kinds::{is_kind, is_route};
use crate::plan::manifest::{Manifest, ObjectName};
use crate::plan::pods::{list, text};
use crate::plan::route_names::{extensions, is_mesh_route};
use crate::plan::service_names::local_service;

/// Group, kind and name: a reference may name another version of the group.
pub type Family = (String, String, String);

/// One kind of reference that must lead somewhere, by the name that it has in docs/rules.md.
pub struct Dangling {
    /// What it is called.
    pub name: &'static str,
    /// What an object refers to and cannot do without, given the baseline's namespace.
    needs: fn(&Manifest, &str) -> Vec<Family>,
}

/// All of them.
pub const DANGLING: &[Dangling] = &[
    // An alias of a Service that is not there resolves to nothing.
    Dangling { name: "aliases", needs: aliased },
    // A binding to a Role that is not there gives nothing, and would give whatever a later Role of that name holds.
    Dangling { name: "bound_roles", needs: bound },
    // <https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/>
    Dangling { name: "scaled_workloads", needs: scaled },
    // A filter that cannot be resolved must not be skipped; what meets it gets an error of the 500s.
    // <https://gateway-api.sigs.k8s.io/reference/spec/#httproutefilter>
    Dangling { name: "route_filters", needs: filtered },
];

/// Splits into what stays and what would refer to nothing.
pub fn dangling<'a>(mut able: Vec<&'a Manifest>, checks: &[&Dangling], namespace: &str) -> (Vec<&'a Manifest>, Vec<Decision>) {
    let mut left_out = Vec::new();
    loop {
        let there: HashSet<Family> = able.iter().map(|o| family(&o.name())).collect();
        let before = able.len();
        able.retain(|object| {
            let reason = checks.iter().find_map(|check| missing(object, &(check.needs)(object, namespace), &there));
            let stays = reason.is_none();
            left_out.extend(reason.map(|reason| Decision::LeftOut { object: object.name(), reason }));
            stays
        });
        if able.len() == before {
            return (able, left_out);
        }
    }
}

/// Group, kind and name of an object.
pub fn family(name: &ObjectName) -> Family {
    (group_of(&name.api_version).to_owned(), name.kind.clone(), name.name.clone())
}

fn missing(object: &Manifest, needs: &[Family], there: &HashSet<Family>) -> Option<LeftOutReason> {
    let (_, kind, name) = needs.iter().find(|need| !there.contains(*need) && **need != family(&object.name()))?;
    because(format!("needs {kind}/{name}, which is not cloned"))
}

fn aliased(object: &Manifest, namespace: &str) -> Vec<Family> {
    let alias = object.text("/spec/externalName").filter(|_| is_kind(object, "", "Service"));
    let service = alias.and_then(|name| local_service(name, namespace));
    service.map(|name| (String::new(), "Service".to_owned(), name.to_owned())).into_iter().collect()
}

fn bound(object: &Manifest, _: &str) -> Vec<Family> {
    let group = "rbac.authorization.k8s.io";
    let is_to_role = is_kind(object, group, "RoleBinding") && object.text("/roleRef/kind") == Some("Role");
    let role = object.text("/roleRef/name").filter(|_| is_to_role);
    role.map(|name| (group.to_owned(), "Role".to_owned(), name.to_owned())).into_iter().collect()
}

fn scaled(object: &Manifest, _: &str) -> Vec<Family> {
    let target = object.get("/spec/scaleTargetRef").filter(|_| is_kind(object, "autoscaling", "HorizontalPodAutoscaler"));
    let owned = |key: &str| target.and_then(|t| text(t, key)).unwrap_or_default().to_owned();
    let name = ObjectName { api_version: owned("apiVersion"), kind: owned("kind"), name: owned("name") };
    target.map(|_| family(&name)).into_iter().collect()
}

fn filtered(object: &Manifest, _: &str) -> Vec<Family> {
    if !is_route(object) {
        return Vec::new();
    }
    let field = |entry: &serde_json::Value, key: &str| text(entry, key).unwrap_or_default().to_owned();
    let mut needs: Vec<Family> = extensions(object).into_iter().map(|e| (field(e, "group"), field(e, "kind"), field(e, "name"))).collect();
    if is_mesh_route(object) {
        let parents = object.get("/spec").into_iter().flat_map(|spec| list(spec, "parentRefs"));
        needs.extend(parents.map(|parent| (String::new(), "Service".to_owned(), field(parent, "name"))));
    }
    needs
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::api::baseline::{Autoscalers, Rbac};
    use crate::plan::Manifest;
    use crate::plan::sample::{World, autoscaler, deployment, http_route, object, service};

    fn alias(name: &str, of: &str) -> Manifest {
        service(name).with("/spec", json!({"type": "ExternalName", "externalName": format!("{of}.shop.svc.cluster.local")}))
    }

    #[test]
    fn an_alias_of_what_is_not_cloned_goes_too_however_long_the_way() {
        let hand_filled = service("legacy").with("/spec", json!({"ports": [{"port": 80}]}));
        let said = World::of([alias("a", "b"), alias("b", "legacy"), hand_filled, alias("c", "web"), service("web")]).plan().said();
        assert_eq!(said[0], "Service/a left out: needs Service/b, which is not cloned");
        assert_eq!(said[1], "Service/b left out: needs Service/legacy, which is not cloned");
        assert!(said[2].contains("web.shop-web-pr-42.svc.cluster.local"), "{}", said[2]);
    }

    #[test]
    fn a_binding_without_its_role_an_autoscaler_without_its_workload() {
        let binding = object("rbac.authorization.k8s.io/v1", "RoleBinding", "api")
            .with("/roleRef", json!({"kind": "Role", "name": "gone"}))
            .with("/subjects", json!([{"kind": "ServiceAccount", "name": "api", "namespace": "shop"}]));
        let world = World::of([binding, autoscaler("a", "gone"), deployment("web")])
            .baseline(|b| (b.choices.rbac, b.choices.autoscalers) = (Rbac::Clone, Autoscalers::Clone));
        assert_eq!(
            world.plan().said()[1..],
            [
                "HorizontalPodAutoscaler/a left out: needs Deployment/gone, which is not cloned",
                "RoleBinding/api left out: needs Role/gone, which is not cloned",
            ]
        );
    }

    #[test]
    fn a_filter_of_somebody_else_s_kind_must_be_there() {
        let filters =
            json!([{"filters": [{"type": "ExtensionRef", "extensionRef": {"group": "traefik.io", "kind": "Middleware", "name": "auth"}}]}]);
        let said = World::of([http_route("web", &["shop.io"]).with("/spec/rules", filters)]).plan().said();
        assert_eq!(said, ["HTTPRoute/web left out: needs Middleware/auth, which is not cloned"]);
    }
}
