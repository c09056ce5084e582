//! A namespace that was made just before its pull request was closed, of which neither the record was written nor the watch has
//! told.

use k8s_openapi::api::core::v1::Namespace;
use kube::ResourceExt;
use kube::api::{Api, PostParams};
use preview_env::api::PreviewEnvironment;
use serde_json::{Value, json};
use test_world::wait_for;

use crate::run::{next_name, runtime, stage};
use crate::tale::{ENVIRONMENT, NUMBER, Tale};

/// As the service makes it.
fn namespace(tale: &Tale, environment: &PreviewEnvironment) -> anyhow::Result<Namespace> {
    let source = &environment.spec.sources[0];
    let sources = json!([{"forge": "github", "repositoryId": source.repository_id, "repository": tale.repository(), "pull": NUMBER}]);
    let metadata = json!({
        "name": tale.namespace(),
        "labels": {"app.kubernetes.io/managed-by": "preview-env", "preview-env.dev/environment": ENVIRONMENT,
            "preview-env.dev/environment-uid": environment.uid(), "preview-env.dev/baseline-namespace": tale.name},
        "annotations": {"preview-env.dev/sources": sources.to_string()},
    });
    Ok(serde_json::from_value(json!({ "metadata": metadata }))?)
}

async fn tell(lifetime: Value) -> anyhow::Result<()> {
    let stage = stage().await;
    let tale = Tale::begin(stage, next_name(), lifetime).await?;
    // It is known, and nothing is made for it.
    tale.open_as_draft().await?;
    tale.wait_status("not wanted", |s| s.phase.as_deref() == Some("Waiting") && s.namespace.is_none()).await?;
    stage.rules.hide(&tale.namespace());
    let environment = tale.environments().get(ENVIRONMENT).await?;
    let namespaces: Api<Namespace> = Api::all(tale.world().admin.clone());
    let made = namespaces.create(&PostParams::default(), &namespace(&tale, &environment)?).await?;

    tale.act(github_double::On::close).await?;
    tale.wait_until_gone().await?;
    let is_going = |n: Option<&Namespace>| n.is_none_or(|n| n.metadata.deletion_timestamp.is_some() || n.uid() != made.uid());
    anyhow::ensure!(is_going(namespaces.get_opt(&tale.namespace()).await?.as_ref()), "its object went before its namespace");
    wait_for(&namespaces, &tale.namespace(), "gone", |n: Option<&Namespace>| n.is_none()).await.map(drop)
}

#[test]
fn a_namespace_that_nobody_recorded_and_no_watch_told_of_goes_before_its_object() {
    runtime().block_on(tell(json!({}))).unwrap();
}
