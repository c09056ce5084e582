//! Every object that the chart makes is taken by a real API server, with all kinds there that it may use.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use kube::api::{DynamicObject, Patch, PatchParams, ValidationDirective};
use kube::core::GroupVersionKind;
use kube::discovery::{ApiResource, Scope, pinned_kind};
use kube::{Api, Client, ResourceExt};
use test_world::{definitions, gateway_api, install, read};

use crate::helm::{Helm, matrix};

/// A cluster with the kinds of preview-env, the Gateway API and the Prometheus Operator.
async fn administrator() -> Result<Client> {
    let admin = test_cluster::shared().await.admin_client().await?;
    install(&admin).await?;
    gateway_api(&admin).await?;
    let monitoring = tokio::task::spawn_blocking(test_cluster::prometheus_operator).await??;
    definitions(&admin, &read(&std::fs::read_to_string(monitoring)?)?).await?;
    Ok(admin)
}

/// What it has been asked of kinds already.
#[derive(Default)]
struct Kinds(BTreeMap<String, (ApiResource, Scope)>);

impl Kinds {
    async fn api(&mut self, client: &Client, object: &DynamicObject) -> Result<Api<DynamicObject>> {
        let types = object.types.as_ref().context("an object without a kind")?;
        let key = format!("{}/{}", types.api_version, types.kind);
        if !self.0.contains_key(&key) {
            let (resource, capabilities) = pinned_kind(client, &GroupVersionKind::try_from(types)?).await.with_context(|| key.clone())?;
            self.0.insert(key.clone(), (resource, capabilities.scope));
        }
        let (resource, scope) = &self.0[&key];
        Ok(match (scope, object.namespace()) {
            (Scope::Namespaced, namespace) => Api::namespaced_with(client.clone(), &namespace.context(key)?, resource),
            (Scope::Cluster, _) => Api::all_with(client.clone(), resource),
        })
    }
}

#[tokio::test]
async fn every_object_of_every_set_of_values_is_taken_by_the_api_server() -> Result<()> {
    let helm = Helm::new()?;
    let admin = administrator().await?;
    let mut kinds = Kinds::default();
    let asked = PatchParams { field_validation: Some(ValidationDirective::Strict), ..PatchParams::apply("helm").force().dry_run() };
    let mut taken = 0;
    for file in matrix()? {
        for object in helm.rendered("preview-env", &["-f", &file.display().to_string()])? {
            let api = kinds.api(&admin, &object).await?;
            let answer = api.patch(&object.name_any(), &asked, &Patch::Apply(&object)).await;
            answer.with_context(|| format!("{}: {}", file.display(), object.name_any()))?;
            taken += 1;
        }
    }
    assert!(taken > 100, "{taken}");
    for kind in
        ["monitoring.coreos.com/v1/ServiceMonitor", "gateway.networking.k8s.io/v1/HTTPRoute", "preview-env.dev/v1alpha1/PreviewPolicy"]
    {
        assert!(kinds.0.contains_key(kind), "{kind} is in none of the files");
    }
    Ok(())
}
