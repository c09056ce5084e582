//! The audit log counts requests, each by its user.

use anyhow::Result;
use k8s_openapi::api::core::v1::{ConfigMap, ServiceAccount};
use kube::Api;
use kube::api::ListParams;
use serde_json::json;

use crate::fixtures::{create, namespace};

#[tokio::test]
async fn every_answered_request_is_counted_once() -> Result<()> {
    let cluster = test_cluster::shared().await;
    let admin = cluster.admin_client().await?;
    namespace(&admin, "audit").await?;
    create(&Api::<ServiceAccount>::namespaced(admin.clone(), "audit"), json!({ "metadata": { "name": "counted" } })).await?;
    let client = cluster.service_account_client("audit", "counted").await?;
    let api: Api<ConfigMap> = Api::namespaced(client, "audit");
    api.list(&ListParams::default()).await.expect_err("not granted");

    let audit = cluster.audit();
    let mark = audit.mark().await?;
    for _ in 0..20 {
        api.get_opt("some").await.expect_err("not granted");
    }
    let mut events = audit.since(mark).await?;
    events.retain(|event| event.user == "system:serviceaccount:audit:counted");
    assert_eq!(events.len(), 20, "{events:#?}");
    for event in &events {
        assert_eq!((event.verb.as_str(), event.group.as_str(), event.resource.as_str()), ("get", "", "configmaps"));
        assert_eq!((event.namespace.as_str(), event.name.as_str(), event.code), ("audit", "some", 403));
        assert!(event.received <= event.answered);
    }
    Ok(())
}
