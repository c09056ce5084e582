//! The system that is cloned: services that are alike, each a Deployment, a Service and a ConfigMap, and around them
//! a ServiceAccount, an Ingress and a Secret.

use anyhow::Result;
use kube::api::DynamicObject;
use serde_json::{Value, json};
use test_world::{Baseline, World};

const REGISTRY: &str = "registry.example.com/acme";

/// A baseline of a given size.
pub struct Shop {
    /// Its namespace, which its Baseline is called after too.
    pub namespace: String,
    /// The repository that builds its first service.
    pub repository: String,
}

impl Shop {
    /// Makes it and waits until it can be cloned.
    pub async fn open(world: &World, services: usize) -> Result<Self> {
        let shop = Self { namespace: format!("shop-{services}"), repository: format!("acme/web-{services}") };
        let objects = objects(services).into_iter().map(serde_json::from_value).collect::<Result<Vec<DynamicObject>, _>>()?;
        let wanted = Baseline {
            namespace: &shop.namespace,
            repositories: &[&shop.repository],
            objects: &objects,
            secrets: &["database"],
            baseline: shop.baseline(),
        };
        world.baseline(wanted).await?;
        Ok(shop)
    }

    /// The Baseline.
    pub fn baseline(&self) -> Value {
        json!({
            "apiVersion": "preview-env.dev/v1alpha1",
            "kind": "Baseline",
            "metadata": {"name": self.namespace},
            "spec": {
                "repositories": [{"name": self.repository, "alias": "web", "images": [
                    {"name": format!("{REGISTRY}/service-0"), "tag": "pr-{{ pull }}-{{ revision_short }}"}]}],
                "hosts": {"domain": format!("{}.preview.example.com", self.namespace)},
                "clone": {"secrets": [{"name": "database"}]},
            },
        })
    }
}

/// What a baseline of that size holds.
pub fn objects(services: usize) -> Vec<Value> {
    let around = [
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "shop"}}),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "database"}, "stringData": {"password": "of the baseline"}}),
        ingress(),
    ];
    let each = (0..services).flat_map(|index| {
        let name = format!("service-{index}");
        // The Deployments of a baseline run nothing here: its own pods would only take time from both sides.
        [settings(&name, (index + 1) % services), front(&name), deployment(&name)]
    });
    around.into_iter().chain(each).collect()
}

fn ingress() -> Value {
    let backend = json!({"service": {"name": "service-0", "port": {"name": "http"}}});
    json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "shop"}, "spec": {"rules": [
        {"host": "shop.example.com", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}]}})
}

fn settings(name: &str, next: usize) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {
        "LOG_LEVEL": "info", "PUBLIC_URL": "https://shop.example.com/", "NEXT": format!("http://service-{next}:8080")}})
}

fn front(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "labels": {"app": name}}, "spec": {
        "selector": {"app": name}, "ports": [{"name": "http", "port": 8080, "targetPort": "http"}]}})
}

fn deployment(name: &str) -> Value {
    let password = json!({"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "database", "key": "password"}}});
    let container = json!({
        "name": "main",
        "image": format!("{REGISTRY}/{name}:1.4.2"),
        "ports": [{"name": "http", "containerPort": 8080}],
        "env": [{"name": "SERVICE", "value": name}, password],
        "envFrom": [{"configMapRef": {"name": name}}],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 5},
        "livenessProbe": {"httpGet": {"path": "/live", "port": "http"}, "periodSeconds": 10},
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}},
        "securityContext": {"allowPrivilegeEscalation": false, "runAsNonRoot": true, "runAsUser": 1000},
    });
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "labels": {"app": name}}, "spec": {
        "replicas": 1,
        "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": {"app": name}}, "spec": {"serviceAccountName": "shop", "containers": [container]}}}})
}
