//! The kinds that we read from a baseline and write into environments, with the paths of their APIs.

use kube::core::{ApiResource, GroupVersionKind};

/// One kind of the Kubernetes API.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kind {
    /// Such as `apps/v1`.
    pub api_version: &'static str,
    /// Such as `Deployment`.
    pub kind: &'static str,
    /// Such as `deployments`.
    pub plural: &'static str,
    /// How much of a baseline's objects of this kind is read.
    pub reading: Reading,
}

/// How objects of a kind in a baseline are read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reading {
    /// Watched whole: they are cloned.
    Whole,
    /// Watched by their metadata: they are only named as left out.
    NameOnly,
    /// Got one by one, by the names that the Baseline lists.
    ByName,
    /// Not read: only written.
    Never,
}

const fn kind(api_version: &'static str, kind: &'static str, plural: &'static str, reading: Reading) -> Kind {
    Kind { api_version, kind, plural, reading }
}

/// Every kind that we know.
pub const KINDS: [Kind; 20] = [
    kind("apps/v1", "Deployment", "deployments", Reading::Whole),
    kind("apps/v1", "StatefulSet", "statefulsets", Reading::Whole),
    kind("v1", "Service", "services", Reading::Whole),
    kind("v1", "ConfigMap", "configmaps", Reading::Whole),
    kind("v1", "ServiceAccount", "serviceaccounts", Reading::Whole),
    kind("networking.k8s.io/v1", "Ingress", "ingresses", Reading::Whole),
    kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims", Reading::Whole),
    kind("v1", "Secret", "secrets", Reading::ByName),
    kind("apps/v1", "DaemonSet", "daemonsets", Reading::NameOnly),
    kind("apps/v1", "ReplicaSet", "replicasets", Reading::NameOnly),
    kind("v1", "Pod", "pods", Reading::NameOnly),
    kind("batch/v1", "Job", "jobs", Reading::NameOnly),
    kind("batch/v1", "CronJob", "cronjobs", Reading::Whole),
    kind("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", Reading::NameOnly),
    kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets", Reading::NameOnly),
    kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies", Reading::NameOnly),
    kind("rbac.authorization.k8s.io/v1", "Role", "roles", Reading::NameOnly),
    kind("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings", Reading::NameOnly),
    kind("v1", "ResourceQuota", "resourcequotas", Reading::NameOnly),
    kind("v1", "LimitRange", "limitranges", Reading::NameOnly),
];

impl Kind {
    /// The kind of that name and API version.
    pub fn find(api_version: &str, kind: &str) -> Option<&'static Self> {
        KINDS.iter().find(|k| k.kind == kind && k.api_version == api_version)
    }

    /// The group, empty for the core group.
    pub fn group(&self) -> &'static str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }

    /// For kube's dynamic API.
    pub fn resource(&self) -> ApiResource {
        let version = self.api_version.rsplit('/').next().unwrap_or(self.api_version);
        ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(self.group(), version, self.kind), self.plural)
    }

    /// The path of its collection in a namespace.
    pub fn path(&self, namespace: &str) -> String {
        let root = if self.group().is_empty() { "api" } else { "apis" };
        format!("/{root}/{}/namespaces/{namespace}/{}", self.api_version, self.plural)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_api_server() {
        let path = |version, kind| Kind::find(version, kind).unwrap().path("shop");
        assert_eq!(path("apps/v1", "Deployment"), "/apis/apps/v1/namespaces/shop/deployments");
        assert_eq!(path("v1", "Secret"), "/api/v1/namespaces/shop/secrets");
        assert_eq!(Kind::find("v1", "Service").unwrap().resource().api_version, "v1");
    }
}
