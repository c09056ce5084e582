//! RBAC holds: a ServiceAccount may do what it was granted and nothing else.

use anyhow::Result;
use k8s_openapi::api::core::v1::{ConfigMap, Secret, ServiceAccount};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::api::ListParams;
use kube::{Api, Client};
use serde_json::json;

use crate::fixtures::{create, namespace, reached};

#[tokio::test]
async fn a_service_account_may_do_only_what_it_was_granted() -> Result<()> {
    let cluster = test_cluster::shared().await;
    let admin = cluster.admin_client().await?;
    namespace(&admin, "accounts").await?;
    let api: Api<ServiceAccount> = Api::namespaced(admin.clone(), "accounts");
    create(&api, json!({ "metadata": { "name": "reader" } })).await?;
    let reader = cluster.service_account_client("accounts", "reader").await?;
    let config_maps: Api<ConfigMap> = Api::default_namespaced(reader.clone());
    assert_eq!(refusal(config_maps.list(&ListParams::default()).await), 403);

    grant(&admin).await?;
    // The authorizer learns of a binding a few milliseconds after it was made.
    let own: Api<ConfigMap> = Api::namespaced(reader.clone(), "accounts");
    let deadline = tokio::time::Duration::from_secs(10);
    tokio::time::timeout(deadline, async { while own.list(&ListParams::default()).await.is_err() {} }).await?;
    reached(&own, "kube-root-ca.crt", |it: Option<&ConfigMap>| it.is_some()).await?;

    let secrets: Api<Secret> = Api::namespaced(reader.clone(), "accounts");
    assert_eq!(refusal(secrets.list(&ListParams::default()).await), 403);
    let elsewhere: Api<ConfigMap> = Api::namespaced(reader, "default");
    assert_eq!(refusal(elsewhere.list(&ListParams::default()).await), 403);
    Ok(())
}

#[tokio::test]
async fn a_token_of_an_unknown_account_is_refused_by_name() {
    let cluster = test_cluster::shared().await;
    let error = cluster.service_account_kubeconfig("default", "nobody").await.expect_err("there is none");
    assert!(error.to_string().contains("default/nobody"), "{error:#}");
}

async fn grant(admin: &Client) -> Result<()> {
    let rule = json!({ "apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"] });
    let roles: Api<Role> = Api::namespaced(admin.clone(), "accounts");
    create(&roles, json!({ "metadata": { "name": "reader" }, "rules": [rule] })).await?;
    let bindings: Api<RoleBinding> = Api::namespaced(admin.clone(), "accounts");
    let binding = json!({
        "metadata": { "name": "reader" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader" },
        "subjects": [{ "kind": "ServiceAccount", "name": "reader", "namespace": "accounts" }],
    });
    create(&bindings, binding).await.map(drop)
}

/// The HTTP status of a refusal; 0 where there was none.
fn refusal<T>(answer: Result<T, kube::Error>) -> u16 {
    match answer {
        Err(kube::Error::Api(status)) => status.code,
        _ => 0,
    }
}
