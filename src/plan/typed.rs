//! Whether an object has the types of its kind, for objects that somebody changed by hand: the API server would refuse it
//! otherwise, and then nothing says which patch it was.

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Secret, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::{Ingress, NetworkPolicy};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::manifest::Manifest;
use super::pods;

/// What is wrong with it, by its path; nothing of kinds that are not known here.
pub(super) fn misfit(manifest: &Manifest) -> Option<String> {
    let check = match (manifest.group(), manifest.kind()) {
        ("apps", "Deployment") => wrong::<Deployment>,
        ("apps", "StatefulSet") => wrong::<StatefulSet>,
        ("apps", "DaemonSet") => wrong::<DaemonSet>,
        ("batch", "Job") => wrong::<Job>,
        ("batch", "CronJob") => wrong::<CronJob>,
        ("", "Service") => wrong::<Service>,
        ("", "ConfigMap") => wrong::<ConfigMap>,
        ("", "Secret") => wrong::<Secret>,
        ("", "ServiceAccount") => wrong::<ServiceAccount>,
        ("", "PersistentVolumeClaim") => wrong::<PersistentVolumeClaim>,
        ("autoscaling", "HorizontalPodAutoscaler") => wrong::<HorizontalPodAutoscaler>,
        ("rbac.authorization.k8s.io", "Role") => wrong::<Role>,
        ("rbac.authorization.k8s.io", "RoleBinding") => wrong::<RoleBinding>,
        ("networking.k8s.io", "Ingress") => wrong::<Ingress>,
        ("networking.k8s.io", "NetworkPolicy") => wrong::<NetworkPolicy>,
        _ => return None,
    };
    check(manifest.value()).or_else(|| without_containers(manifest))
}

fn wrong<T: DeserializeOwned>(value: &Value) -> Option<String> {
    let error = serde_path_to_error::deserialize::<_, T>(value).err()?;
    Some(format!("{}: {}", error.path(), error.inner()))
}

/// A list that is null counts as one that is empty, which pods cannot have.
fn without_containers(manifest: &Manifest) -> Option<String> {
    let runs_pods = matches!(manifest.kind(), "Deployment" | "StatefulSet" | "DaemonSet" | "Job" | "CronJob");
    let none = runs_pods && manifest.items(&format!("{}/containers", pods::spec_pointer(manifest))).next().is_none();
    none.then(|| format!("{}.containers: a pod needs a container", pods::spec_path(manifest)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn deployment(spec: &Value) -> Manifest {
        Manifest::new(json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}))
    }

    #[test]
    fn what_has_another_type_is_named_by_its_path() {
        let pods = |containers: Value| json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": containers}});
        let spec = |replicas: Value, containers: Value| json!({"replicas": replicas, "selector": {}, "template": pods(containers)});
        let one = || json!([{"name": "web", "image": "web"}]);
        for (object, said) in [
            (deployment(&spec(json!(1), one())), None),
            (deployment(&spec(json!("three"), one())), Some("spec.replicas: ")),
            (deployment(&spec(json!(1), Value::Null)), Some("spec.template.spec.containers: ")),
            (deployment(&spec(json!(1), json!([{"name": 3}]))), Some("spec.template.spec.containers[0].name: ")),
            (deployment(&json!("x")), Some("spec: ")),
        ] {
            let found = misfit(&object);
            assert!(
                found.as_deref().unwrap_or_default().starts_with(said.unwrap_or_default()) && found.is_some() == said.is_some(),
                "{found:?}"
            );
        }
        let scaler = |most: Value| {
            let target = json!({"kind": "Deployment", "name": "web"});
            Manifest::new(json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"},
                "spec": {"maxReplicas": most, "scaleTargetRef": target}}))
        };
        assert_eq!(misfit(&scaler(json!(3))), None);
        assert!(misfit(&scaler(json!("many"))).is_some_and(|why| why.starts_with("spec.maxReplicas: ")));
        let unknown = Manifest::new(json!({"apiVersion": "db.example.com/v1", "kind": "Database", "spec": 3}));
        assert_eq!(misfit(&unknown), None);
    }
}
